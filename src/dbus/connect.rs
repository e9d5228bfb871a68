//! `org.libvirt.Connect`: the connection, on which domains are made and found.

use std::sync::Arc;

use uuid::Uuid;
use zbus::{Message, ObjectPath, OwnedVariant, Variant};

use super::fault::{Fault, arguments, reply};
use super::object::domain_path;
use crate::driver::{Domain, Driver, unsupported_flags};
use crate::error::{Error, ErrorCode};

pub(super) const INTERFACE: &str = "org.libvirt.Connect";

/// All properties, in the order of the interface.
pub(super) const PROPERTIES: [&str; 5] =
    ["Encrypted", "Hostname", "LibVersion", "Secure", "Version"];

pub(super) async fn call(
    driver: &Arc<Driver>,
    member: &str,
    call: &Message,
) -> Result<Message, Fault> {
    let found = match member {
        "DomainCreateXML" => {
            let (xml, flags): (String, u32) = arguments(call)?;
            driver.create_xml(&xml, flags).await?
        }
        "DomainDefineXML" => driver.define(&arguments::<String>(call)?, 0).await?,
        "DomainLookupByID" => {
            let id: i32 = arguments(call)?;
            let unknown =
                || Error::new(ErrorCode::NoDomain, format!("No domain with matching id {id}"));
            driver.lookup_by_id(id.try_into().map_err(|_| unknown())?)?
        }
        "DomainLookupByName" => driver.lookup_by_name(&arguments::<String>(call)?)?,
        "DomainLookupByUUID" => driver.lookup_by_uuid(uuid(&arguments::<String>(call)?)?)?,
        "GetCapabilities" => {
            arguments::<()>(call)?;
            return reply(call, &driver.capabilities());
        }
        "GetDomainCapabilities" => {
            let (emulator, arch, machine, virttype, flags): (String, String, String, String, u32) =
                arguments(call)?;
            if flags != 0 {
                return Err(unsupported_flags(flags, "connectGetDomainCapabilities").into());
            }
            let text = driver.domain_capabilities(&emulator, &arch, &machine, &virttype)?;
            return reply(call, &text);
        }
        "ListDomains" => {
            let domains = driver.list(arguments(call)?)?;
            let paths: Vec<ObjectPath<'_>> =
                domains.iter().map(|domain| path(domain)).collect::<Result<_, _>>()?;
            return reply(call, &paths);
        }
        // No security driver confines containers: libvirt's name for that, and no interpretation.
        "NodeGetSecurityModel" => {
            arguments::<()>(call)?;
            return reply(call, &(("none", "0"),));
        }
        _ => return Err(Fault::UnknownMethod(member.to_owned())),
    };
    reply(call, &path(&found)?)
}

/// A property's value now.
pub(super) fn property(driver: &Driver, name: &str) -> Result<OwnedVariant, Fault> {
    let value: Variant<'_> = match name {
        "Encrypted" => false.into(),
        "Hostname" => driver.hostname()?.into(),
        "LibVersion" => driver.lib_version().into(),
        "Secure" => true.into(),
        "Version" => driver.version()?.into(),
        _ => return Err(Fault::UnknownProperty(name.to_owned())),
    };
    value.try_into().map_err(|e: zbus::Error| Fault::Failed(e.to_string()))
}

/// The path of a domain's object.
pub(super) fn path(domain: &Domain) -> Result<ObjectPath<'static>, Fault> {
    ObjectPath::try_from(domain_path(domain.uuid)).map_err(|e| Fault::Failed(e.to_string()))
}

fn uuid(text: &str) -> Result<Uuid, Error> {
    Uuid::parse_str(text).map_err(|_| {
        Error::new(
            ErrorCode::InvalidArg,
            format!("uuidstr in DomainLookupByUUID must be a valid UUID, not '{text}'"),
        )
    })
}
