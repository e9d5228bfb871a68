//! The connection: opening it, what is at its other end, and which domains there are.

use super::super::connection::Call;
use super::super::protocol::{DomainRef, Parameters, id_number};
use super::super::xdr::List;
use super::{count, no_flags, room};
use crate::driver::list_flags;
use crate::error::{Error, ErrorCode, ErrorDomain, Result};

/// `VIR_CONNECT_RO`. The other flags are for the client's own side.
const READ_ONLY: u32 = 1;
/// `REMOTE_AUTH_NONE`.
const AUTH_NONE: i32 = 0;
const URI: &str = "lxc:///system";

/// `VIR_DRV_FEATURE_*`, those that this daemon has; of the others most are about migration.
mod feature {
    pub(super) const FD_PASSING: i32 = 8;
    pub(super) const TYPED_PARAM_STRING: i32 = 9;
    pub(super) const KEEPALIVE: i32 = 10;
    pub(super) const EVENT_CALLBACK: i32 = 14;
    pub(super) const CLOSE_CALLBACK: i32 = 15;
    pub(super) const NETWORK_UPDATE_ORDER: i32 = 16;
}

pub(in crate::rpc) async fn open(call: Call, (name, flags): (Option<String>, u32)) -> Result<()> {
    check_uri(name.as_deref().unwrap_or_default())?;
    call.session.open(flags & READ_ONLY != 0)
}

/// The one hypervisor and the one instance of it; what else is in a URI is for the client's side.
fn check_uri(uri: &str) -> Result<()> {
    let rest = match uri {
        "" => return Ok(()),
        uri => uri.strip_prefix("lxc:"),
    };
    let Some(rest) = rest else {
        let text = format!("no connection driver available for {uri}");
        return Err(Error::bare(ErrorCode::NoConnect, text).in_domain(ErrorDomain::None));
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => rest,
    };
    match path {
        "" | "/" | "/system" => Ok(()),
        path => {
            let text = format!("Unexpected LXC URI path '{path}', try {URI}");
            Err(Error::new(ErrorCode::InternalError, text))
        }
    }
}

pub(in crate::rpc) async fn close(call: Call, (): ()) -> Result<()> {
    call.session.close();
    Ok(())
}

/// For what the client wants to be told when the connection ends, which it sees.
pub(in crate::rpc) async fn nothing(_: Call, (): ()) -> Result<()> {
    Ok(())
}

/// For daemons that speak for somebody else. Whoever may connect may do everything, so it does not
/// matter for whom.
pub(in crate::rpc) async fn set_identity(_: Call, (_, flags): (Parameters<64>, u32)) -> Result<()> {
    no_flags(flags, "connectSetIdentity")
}

/// Who can reach the socket may use it.
pub(in crate::rpc) async fn authentications(_: Call, (): ()) -> Result<(List<i32, 20>,)> {
    Ok((List(vec![AUTH_NONE]),))
}

pub(in crate::rpc) async fn supports_feature(call: Call, (number,): (i32,)) -> Result<(bool,)> {
    if number == feature::KEEPALIVE {
        call.session.keep_alive();
        return Ok((true,));
    }
    if !call.session.is_open() {
        return Err(super::super::fault::state("hypervisor connection not open"));
    }
    let known = [
        feature::FD_PASSING,
        feature::TYPED_PARAM_STRING,
        feature::EVENT_CALLBACK,
        feature::CLOSE_CALLBACK,
        feature::NETWORK_UPDATE_ORDER,
    ];
    Ok((known.contains(&number),))
}

pub(in crate::rpc) async fn kind(_: Call, (): ()) -> Result<(&'static str,)> {
    Ok(("LXC",))
}

pub(in crate::rpc) async fn uri(_: Call, (): ()) -> Result<(&'static str,)> {
    Ok((URI,))
}

pub(in crate::rpc) async fn is_secure(_: Call, (): ()) -> Result<(bool,)> {
    Ok((true,))
}

pub(in crate::rpc) async fn version(call: Call, (): ()) -> Result<(u64,)> {
    Ok((call.driver().version()?,))
}

pub(in crate::rpc) async fn lib_version(call: Call, (): ()) -> Result<(u64,)> {
    Ok((call.driver().lib_version(),))
}

pub(in crate::rpc) async fn hostname(call: Call, (): ()) -> Result<(String,)> {
    Ok((call.driver().hostname()?,))
}

pub(in crate::rpc) async fn capabilities(call: Call, (): ()) -> Result<(String,)> {
    Ok((call.driver().capabilities(),))
}

pub(in crate::rpc) async fn sysinfo(call: Call, (flags,): (u32,)) -> Result<(String,)> {
    Ok((call.driver().sysinfo(flags)?,))
}

type Text = Option<String>;

pub(in crate::rpc) async fn domain_capabilities(
    call: Call,
    (emulator, arch, machine, virttype, flags): (Text, Text, Text, Text, u32),
) -> Result<(String,)> {
    no_flags(flags, "connectGetDomainCapabilities")?;
    let [emulator, arch, machine, virttype] =
        [&emulator, &arch, &machine, &virttype].map(|it| it.as_deref().unwrap_or_default());
    Ok((call.driver().domain_capabilities(emulator, arch, machine, virttype)?,))
}

pub(in crate::rpc) async fn all_domains(
    call: Call,
    (need_results, flags): (bool, u32),
) -> Result<(List<DomainRef, 16384>, u32)> {
    let domains = call.driver().list(flags)?;
    let number = count(&domains);
    let wanted = domains.iter().filter(|_| need_results);
    Ok((List(wanted.map(|domain| DomainRef::of(domain)).collect()), number))
}

pub(in crate::rpc) async fn number_of_domains(call: Call, (): ()) -> Result<(u32,)> {
    Ok((count(&call.driver().list(list_flags::ACTIVE)?),))
}

pub(in crate::rpc) async fn number_of_defined_domains(call: Call, (): ()) -> Result<(u32,)> {
    Ok((count(&call.driver().list(list_flags::INACTIVE)?),))
}

pub(in crate::rpc) async fn domains(call: Call, (most,): (u32,)) -> Result<(List<i32, 16384>,)> {
    let domains = call.driver().list(list_flags::ACTIVE)?;
    let ids = domains.iter().map(|domain| id_number(domain.snapshot().id()));
    Ok((List(ids.take(room(most)).collect()),))
}

pub(in crate::rpc) async fn defined_domains(
    call: Call,
    (most,): (u32,),
) -> Result<(List<String, 16384>,)> {
    let domains = call.driver().list(list_flags::INACTIVE)?;
    let names = domains.iter().map(|domain| domain.name.clone());
    Ok((List(names.take(room(most)).collect()),))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_uri_is_served_however_it_is_written() {
        for uri in ["", "lxc:", "lxc:/", "lxc:///", "lxc:///system", "lxc://host/system?a=b"] {
            check_uri(uri).unwrap();
        }
        let error = check_uri("lxc:///session").unwrap_err();
        let text = "internal error: Unexpected LXC URI path '/session', try lxc:///system";
        assert_eq!(error.message, text);
        let error = check_uri("qemu:///system").unwrap_err();
        assert_eq!(error.message, "no connection driver available for qemu:///system");
    }
}
