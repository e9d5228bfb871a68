//! `org.libvirt.Domain`: one domain.

use std::collections::HashMap;
use std::sync::Arc;

use zbus::{Message, OwnedVariant, Variant};

use super::fault::{Fault, arguments, reply};
use crate::driver::{Domain, Driver, Metadata, unsupported_flags};
use crate::error::{Error, ErrorCode};

pub(super) const INTERFACE: &str = "org.libvirt.Domain";

/// All properties, in the order of the interface.
pub(super) const PROPERTIES: [&str; 9] = [
    "Active",
    "Autostart",
    "Id",
    "Name",
    "OSType",
    "Persistent",
    "SchedulerType",
    "Updated",
    "UUID",
];

/// `VIR_DOMAIN_MEMORY_STAT_*`: what it is to have, and what it uses, in KiB.
const MEMORY_STAT_ACTUAL: i32 = 6;
const MEMORY_STAT_RSS: i32 = 7;

/// `VIR_DOMAIN_STATS_*`, the groups a container has something to say about.
const STATS_STATE: u32 = 1;
const STATS_CPU_TOTAL: u32 = 1 << 1;
const STATS_BALLOON: u32 = 1 << 2;
const STATS_VCPU: u32 = 1 << 3;

pub(super) async fn call(
    driver: &Arc<Driver>,
    domain: &Arc<Domain>,
    member: &str,
    call: &Message,
) -> Result<Message, Fault> {
    match member {
        "Create" => driver.create(domain, arguments(call)?).await?,
        "Destroy" => driver.destroy(domain, arguments(call)?).await?,
        "Reboot" => driver.reboot(domain, arguments(call)?).await?,
        "Resume" => {
            arguments::<()>(call)?;
            driver.resume(domain).await?;
        }
        "SetMetadata" => {
            let (kind, text, key, uri, flags): (i32, String, String, String, u32) =
                arguments(call)?;
            let (text, key, uri) = (given(&text), given(&key), given(&uri));
            driver.set_metadata(domain, Metadata { kind, text, key, uri }, flags).await?;
        }
        "Shutdown" => driver.shutdown(domain, arguments(call)?).await?,
        "Suspend" => {
            arguments::<()>(call)?;
            driver.suspend(domain).await?;
        }
        "Undefine" => driver.undefine(domain, arguments(call)?).await?,
        "GetMetadata" => {
            let (kind, uri, flags): (i32, String, u32) = arguments(call)?;
            return reply(call, &driver.metadata(domain, kind, given(&uri), flags)?);
        }
        "GetState" => {
            no_flags(arguments(call)?, "domainGetState")?;
            return reply(call, &(domain.snapshot().state_numbers(),));
        }
        "GetStats" => {
            let (groups, flags): (u32, u32) = arguments(call)?;
            no_flags(flags, "connectGetAllDomainStats")?;
            return reply(call, &stats(driver, domain, groups)?);
        }
        "GetXMLDesc" => return reply(call, &driver.xml_desc(domain, arguments(call)?)?),
        "MemoryStats" => {
            no_flags(arguments(call)?, "domainMemoryStats")?;
            return reply(call, &memory_stats(driver, domain)?);
        }
        _ => return Err(Fault::UnknownMethod(member.to_owned())),
    }
    reply(call, &())
}

/// A property's value now.
pub(super) fn property(domain: &Domain, name: &str) -> Result<OwnedVariant, Fault> {
    let snapshot = domain.snapshot();
    let value: Variant<'_> = match name {
        "Active" => snapshot.is_active().into(),
        "Autostart" => snapshot.autostart.into(),
        // libvirt's -1 for a domain that does not run, as D-Bus's unsigned number.
        "Id" => snapshot.id().unwrap_or(u32::MAX).into(),
        "Name" => domain.name.as_str().into(),
        "OSType" => "exe".into(),
        "Persistent" => snapshot.definition.is_some().into(),
        "SchedulerType" => ("posix", 3_i32).into(),
        "Updated" => false.into(),
        "UUID" => domain.uuid.to_string().into(),
        _ => return Err(Fault::UnknownProperty(name.to_owned())),
    };
    value.try_into().map_err(|e: zbus::Error| Fault::Failed(e.to_string()))
}

/// Sets a property.
pub(super) async fn set_property(
    driver: &Driver,
    domain: &Domain,
    name: &str,
    value: &Variant<'_>,
) -> Result<(), Fault> {
    match name {
        "Autostart" => {
            let autostart = bool::try_from(value)
                .map_err(|_| Fault::InvalidArguments("Autostart is a boolean".to_owned()))?;
            Ok(driver.set_autostart(domain, autostart).await?)
        }
        name if PROPERTIES.contains(&name) => Err(Fault::ReadOnly(name.to_owned())),
        name => Err(Fault::UnknownProperty(name.to_owned())),
    }
}

/// The statistics of the groups asked for, 0 meaning all there are.
fn stats(
    driver: &Driver,
    domain: &Domain,
    groups: u32,
) -> Result<HashMap<&'static str, Variant<'static>>, Fault> {
    let info = driver.info(domain)?;
    let (state, reason) = domain.snapshot().state_numbers();
    let all: [(u32, &'static str, Variant<'static>); 8] = [
        (STATS_STATE, "state.state", state.into()),
        (STATS_STATE, "state.reason", reason.into()),
        (STATS_CPU_TOTAL, "cpu.time", info.cpu_time.into()),
        (STATS_BALLOON, "balloon.current", info.memory.into()),
        (STATS_BALLOON, "balloon.maximum", info.max_memory.into()),
        (STATS_BALLOON, "balloon.rss", info.memory.into()),
        (STATS_VCPU, "vcpu.current", info.vcpus.into()),
        (STATS_VCPU, "vcpu.maximum", info.vcpus.into()),
    ];
    let wanted = |group: &u32| groups == 0 || groups & group != 0;
    Ok(all.into_iter().filter(|(g, ..)| wanted(g)).map(|(_, key, value)| (key, value)).collect())
}

fn memory_stats(driver: &Driver, domain: &Domain) -> Result<HashMap<i32, u64>, Fault> {
    let info = driver.info(domain)?;
    if !domain.snapshot().is_active() {
        return Err(Error::new(ErrorCode::OperationInvalid, "domain is not running").into());
    }
    let actual = domain.snapshot().current().map_or(0, |document| document.current_memory);
    Ok(HashMap::from([(MEMORY_STAT_ACTUAL, actual), (MEMORY_STAT_RSS, info.memory)]))
}

/// D-Bus has no null; libvirt-dbus lets the empty string stand for it.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn no_flags(flags: u32, function: &str) -> Result<(), Error> {
    if flags == 0 { Ok(()) } else { Err(unsupported_flags(flags, function)) }
}
