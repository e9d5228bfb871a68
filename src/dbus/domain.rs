//! `org.libvirt.Domain`: one domain.

use std::collections::HashMap;
use std::sync::Arc;

use zbus::{Message, OwnedVariant, Variant};

use super::console::no_flags;
use super::fault::{Fault, arguments, reply};
use super::parameters::{dictionary, to_set};
use crate::driver::{Domain, Driver, Metadata};

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

pub(super) async fn call(
    driver: &Arc<Driver>,
    domain: &Arc<Domain>,
    member: &str,
    call: &Message,
) -> Result<Message, Fault> {
    match member {
        "AttachDevice" => {
            let (text, flags): (String, u32) = arguments(call)?;
            driver.attach_device(domain, &text, flags).await?;
        }
        "DetachDevice" => {
            let (text, flags): (String, u32) = arguments(call)?;
            driver.detach_device(domain, &text, flags).await?;
        }
        "UpdateDevice" => {
            let (text, flags): (String, u32) = arguments(call)?;
            driver.update_device(domain, &text, flags).await?;
        }
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
        "GetBlockIOParameters" => {
            let parameters = driver.block_io_parameters(domain, arguments(call)?)?;
            return reply(call, &dictionary(parameters));
        }
        "GetMemoryParameters" => {
            let parameters = driver.memory_parameters(domain, arguments(call)?)?;
            return reply(call, &dictionary(parameters));
        }
        "GetSchedulerParameters" => {
            let parameters = driver.scheduler_parameters(domain, arguments(call)?)?;
            return reply(call, &dictionary(parameters));
        }
        "GetStats" => {
            let (groups, flags): (u32, u32) = arguments(call)?;
            return reply(call, &dictionary(driver.stats(domain, groups, flags)?));
        }
        "GetXMLDesc" => return reply(call, &driver.xml_desc(domain, arguments(call)?)?),
        "InterfaceAddresses" => {
            let (source, flags): (u32, u32) = arguments(call)?;
            let found = driver.interface_addresses(domain, source, flags).await?;
            let found = found.into_iter().map(|link| (link.name, link.mac, link.addresses));
            return reply(call, &found.collect::<Vec<_>>());
        }
        "HasManagedSaveImage" => {
            let has_one = driver.has_managed_save_image(domain, arguments(call)?)?;
            return reply(call, &has_one);
        }
        "MemoryStats" => {
            let stats = driver.memory_stats(domain, arguments(call)?)?;
            return reply(call, &stats.into_iter().collect::<HashMap<_, _>>());
        }
        "SetBlockIOParameters" => {
            let (parameters, flags) = to_set(call)?;
            driver.set_block_io_parameters(domain, &parameters, flags).await?;
        }
        "SetMemory" => {
            let (kib, flags): (u64, u32) = arguments(call)?;
            driver.set_memory(domain, kib, flags).await?;
        }
        "SetMemoryParameters" => {
            let (parameters, flags) = to_set(call)?;
            driver.set_memory_parameters(domain, &parameters, flags).await?;
        }
        "SetSchedulerParameters" => {
            let (parameters, flags) = to_set(call)?;
            driver.set_scheduler_parameters(domain, &parameters, flags).await?;
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

/// D-Bus has no null; libvirt-dbus lets the empty string stand for it.
fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
