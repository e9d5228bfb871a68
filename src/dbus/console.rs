//! `org.nsvirt.Domain1`: what libvirt-dbus lacks, the consoles.

use zbus::Message;

use super::fault::{Fault, arguments, reply};
use crate::driver::{ConsoleSize, Domain, Driver, unsupported_flags};
use crate::error::{Error, ErrorCode};

pub(super) const INTERFACE: &str = "org.nsvirt.Domain1";

pub(super) async fn call(
    driver: &Driver,
    domain: &Domain,
    member: &str,
    call: &Message,
) -> Result<Message, Fault> {
    match member {
        "OpenConsole" => {
            let (device, flags): (String, u32) = arguments(call)?;
            if flags != 0 {
                return Err(unsupported_flags(flags, "domainOpenConsole").into());
            }
            let console = driver.open_console(domain, &device).await?;
            reply(call, &zbus::Fd::from(console))
        }
        "ResizeConsole" => {
            let (device, rows, columns): (String, u32, u32) = arguments(call)?;
            let size = ConsoleSize { rows: limited(rows)?, columns: limited(columns)? };
            driver.resize_console(domain, &device, size).await?;
            reply(call, &())
        }
        _ => Err(Fault::UnknownMethod(member.to_owned())),
    }
}

/// A terminal's size is 16 bits each way.
fn limited(number: u32) -> Result<u16, Error> {
    u16::try_from(number).map_err(|_| {
        Error::new(ErrorCode::InvalidArg, format!("a terminal of {number} rows or columns"))
    })
}
