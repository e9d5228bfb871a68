//! Domains: finding them, what they are, and what is kept with them.

use super::super::connection::Call;
use super::super::protocol::DomainRef;
use super::super::xdr::{List, Words};
use super::no_flags;
use crate::driver::Metadata;
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use uuid::Uuid;

/// `VIR_DOMAIN_XML_SECURE`.
const XML_SECURE: u32 = 1;

/// State, most memory, memory (KiB), virtual processors, processor time (ns).
pub(in crate::rpc) type Info = (i32, u64, u64, u32, u64);

pub(in crate::rpc) async fn by_id(call: Call, (id,): (i32,)) -> Result<(DomainRef,)> {
    let unknown = || Error::new(ErrorCode::NoDomain, format!("No domain with matching id {id}"));
    let domain = call.driver().lookup_by_id(id.try_into().map_err(|_| unknown())?)?;
    Ok((DomainRef::of(&domain),))
}

pub(in crate::rpc) async fn by_name(call: Call, (name,): (String,)) -> Result<(DomainRef,)> {
    Ok((DomainRef::of(&*call.driver().lookup_by_name(&name)?),))
}

pub(in crate::rpc) async fn by_uuid(call: Call, (uuid,): (Uuid,)) -> Result<(DomainRef,)> {
    Ok((DomainRef::of(&*call.driver().lookup_by_uuid(uuid)?),))
}

pub(in crate::rpc) async fn info(call: Call, (domain,): (DomainRef,)) -> Result<Info> {
    let info = call.driver().info(&*call.domain(&domain)?)?;
    Ok((info.state, info.max_memory, info.memory, info.vcpus, info.cpu_time))
}

pub(in crate::rpc) async fn state(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<(i32, i32)> {
    no_flags(flags, "lxcDomainGetState")?;
    Ok(call.domain(&domain)?.snapshot().state_numbers())
}

pub(in crate::rpc) async fn xml_desc(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<(String,)> {
    if flags & XML_SECURE != 0 && call.session.is_read_only() {
        let text = "virDomainGetXMLDesc with secure flag";
        let error = Error::new(ErrorCode::OperationDenied, text);
        return Err(error.in_domain(ErrorDomain::Domain));
    }
    Ok((call.driver().xml_desc(&*call.domain(&domain)?, flags)?,))
}

pub(in crate::rpc) async fn os_type(
    call: Call,
    (domain,): (DomainRef,),
) -> Result<(&'static str,)> {
    call.domain(&domain)?;
    Ok(("exe",))
}

pub(in crate::rpc) async fn max_memory(call: Call, (domain,): (DomainRef,)) -> Result<(u64,)> {
    Ok((call.driver().info(&*call.domain(&domain)?)?.max_memory,))
}

pub(in crate::rpc) async fn is_active(call: Call, (domain,): (DomainRef,)) -> Result<(bool,)> {
    Ok((call.domain(&domain)?.snapshot().is_active(),))
}

pub(in crate::rpc) async fn is_persistent(call: Call, (domain,): (DomainRef,)) -> Result<(bool,)> {
    Ok((call.domain(&domain)?.snapshot().definition.is_some(),))
}

/// Whether a live change is not in the definition: libvirt's driver never says so.
pub(in crate::rpc) async fn is_updated(call: Call, (domain,): (DomainRef,)) -> Result<(bool,)> {
    call.domain(&domain)?;
    Ok((false,))
}

pub(in crate::rpc) async fn has_managed_save(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<(bool,)> {
    Ok((call.driver().has_managed_save_image(&*call.domain(&domain)?, flags)?,))
}

pub(in crate::rpc) async fn autostart(call: Call, (domain,): (DomainRef,)) -> Result<(bool,)> {
    Ok((call.domain(&domain)?.snapshot().autostart,))
}

pub(in crate::rpc) async fn set_autostart(
    call: Call,
    (domain, autostart): (DomainRef, bool),
) -> Result<()> {
    call.driver().set_autostart(&*call.domain(&domain)?, autostart).await
}

pub(in crate::rpc) async fn metadata(
    call: Call,
    (domain, kind, uri, flags): (DomainRef, i32, Option<String>, u32),
) -> Result<(String,)> {
    let domain = call.domain(&domain)?;
    Ok((call.driver().metadata(&domain, kind, uri.as_deref(), flags)?,))
}

type SetMetadata = (DomainRef, i32, Option<String>, Option<String>, Option<String>, u32);

pub(in crate::rpc) async fn set_metadata(
    call: Call,
    (domain, kind, text, key, uri, flags): SetMetadata,
) -> Result<()> {
    let domain = call.domain(&domain)?;
    let (text, key, uri) = (text.as_deref(), key.as_deref(), uri.as_deref());
    call.driver().set_metadata(&domain, Metadata { kind, text, key, uri }, flags).await
}

/// Init runs without a label of a security driver.
pub(in crate::rpc) async fn security_label(
    call: Call,
    (domain,): (DomainRef,),
) -> Result<(Words, bool)> {
    call.domain(&domain)?;
    Ok((Words(String::new()), false))
}

/// The same of several security drivers, of which there are none.
pub(in crate::rpc) async fn security_labels(
    call: Call,
    (domain,): (DomainRef,),
) -> Result<(List<(Words, bool), 64>, u32)> {
    call.domain(&domain)?;
    Ok((List(Vec::new()), 0))
}

/// The name that a virtual network's leases have for a domain.
pub(in crate::rpc) async fn hostname(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<(String,)> {
    Ok((call.driver().domain_hostname(&*call.domain(&domain)?, flags)?,))
}

pub(in crate::rpc) async fn send_signal(
    call: Call,
    (domain, pid, signal, flags): (DomainRef, i64, u32, u32),
) -> Result<()> {
    call.driver().send_process_signal(&*call.domain(&domain)?, pid, signal, flags)
}

/// Seconds since 1970, and nanoseconds.
pub(in crate::rpc) async fn time(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<(i64, u32)> {
    let time = call.driver().time(&*call.domain(&domain)?, flags)?;
    Ok((i64::try_from(time.as_secs()).unwrap_or(i64::MAX), time.subsec_nanos()))
}
