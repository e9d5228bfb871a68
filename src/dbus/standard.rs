//! The interfaces that every D-Bus object has: introspection, properties, the peer.

use std::collections::HashMap;
use std::sync::Arc;

use zbus::{Message, OwnedVariant};

use super::fault::{Fault, arguments, reply};
use super::object::Object;
use super::{connect, domain};
use crate::driver::{Driver, list_flags};

pub(super) async fn call(
    driver: &Arc<Driver>,
    object: Object,
    interface: &str,
    member: &str,
    call: &Message,
) -> Result<Message, Fault> {
    match (interface, member) {
        ("org.freedesktop.DBus.Peer", "Ping") => {
            arguments::<()>(call)?;
            reply(call, &())
        }
        ("org.freedesktop.DBus.Peer", "GetMachineId") => {
            arguments::<()>(call)?;
            reply(call, &machine_id()?)
        }
        ("org.freedesktop.DBus.Introspectable", "Introspect") => {
            arguments::<()>(call)?;
            let all = list_flags::ACTIVE | list_flags::INACTIVE;
            reply(call, &object.introspect(&driver.list(all)?))
        }
        ("org.freedesktop.DBus.Properties", "Get") => {
            let (interface, name): (String, String) = arguments(call)?;
            reply(call, &get(driver, object, &interface, &name)?)
        }
        ("org.freedesktop.DBus.Properties", "GetAll") => {
            let interface: String = arguments(call)?;
            let mut all: HashMap<&str, OwnedVariant> = HashMap::new();
            for name in properties(object, &interface)? {
                all.insert(name, get(driver, object, &interface, name)?);
            }
            reply(call, &all)
        }
        ("org.freedesktop.DBus.Properties", "Set") => {
            let (interface, name, value): (String, String, OwnedVariant) = arguments(call)?;
            set(driver, object, &interface, &name, &value).await?;
            reply(call, &())
        }
        _ => Err(Fault::UnknownMethod(member.to_owned())),
    }
}

/// The properties of an interface; those that every object has have none.
fn properties(object: Object, interface: &str) -> Result<&'static [&'static str], Fault> {
    match interface {
        interface if !object.has(interface) => {
            Err(Fault::InvalidArguments(format!("No such interface “{interface}”")))
        }
        connect::INTERFACE => Ok(&connect::PROPERTIES),
        domain::INTERFACE => Ok(&domain::PROPERTIES),
        _ => Ok(&[]),
    }
}

fn get(
    driver: &Driver,
    object: Object,
    interface: &str,
    name: &str,
) -> Result<OwnedVariant, Fault> {
    if !properties(object, interface)?.contains(&name) {
        return Err(Fault::UnknownProperty(name.to_owned()));
    }
    match object {
        Object::Domain(uuid) => domain::property(&*driver.lookup_by_uuid(uuid)?, name),
        _ => connect::property(driver, name),
    }
}

async fn set(
    driver: &Driver,
    object: Object,
    interface: &str,
    name: &str,
    value: &OwnedVariant,
) -> Result<(), Fault> {
    if !properties(object, interface)?.contains(&name) {
        return Err(Fault::UnknownProperty(name.to_owned()));
    }
    match object {
        Object::Domain(uuid) => {
            let found = driver.lookup_by_uuid(uuid)?;
            domain::set_property(driver, &found, name, value).await
        }
        _ => Err(Fault::ReadOnly(name.to_owned())),
    }
}

fn machine_id() -> Result<String, Fault> {
    let read = |path: &str| std::fs::read_to_string(path).ok().map(|id| id.trim().to_owned());
    read("/etc/machine-id")
        .or_else(|| read("/var/lib/dbus/machine-id"))
        .ok_or_else(|| Fault::Failed("the host has no machine ID".to_owned()))
}
