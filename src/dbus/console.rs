//! `org.nsvirt.Domain1`: what libvirt-dbus lacks, the consoles and how init ended.

use std::collections::HashMap;

use zbus::{Message, Variant};

use super::fault::{Fault, arguments, reply};
use crate::driver::{Cause, ConsoleSize, Domain, Driver, End, Exit, unsupported_flags};
use crate::error::{Error, ErrorCode};

pub(super) const INTERFACE: &str = "org.nsvirt.Domain1";

pub(super) async fn call(
    driver: &Driver,
    domain: &Domain,
    member: &str,
    call: &Message,
) -> Result<Message, Fault> {
    match member {
        "GetEnd" => {
            no_flags(arguments(call)?, "domainGetEnd")?;
            let end = domain.snapshot().end.as_ref().map(facts);
            reply(call, &end.unwrap_or_default())
        }
        "OpenConsole" => {
            let (device, flags): (String, u32) = arguments(call)?;
            no_flags(flags, "domainOpenConsole")?;
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

/// How init ended, by name: its `status` or the `signal` that killed it (neither for one that
/// ended by `reboot(2)`), what else is so, and all in a sentence.
pub(super) fn facts(end: &End) -> HashMap<&'static str, Variant<'static>> {
    let mut facts = HashMap::from([("text", end.to_string().into())]);
    match end.exit {
        Exit::Status(status) => {
            facts.insert("status", status.into());
        }
        Exit::Signal(signal) | Exit::Dumped(signal) if end.cause == Cause::Crash => {
            facts.insert("signal", signal.into());
        }
        Exit::Signal(_) | Exit::Dumped(_) => {}
    }
    let more = [
        ("core-dumped", matches!(end.exit, Exit::Dumped(_))),
        ("not-restarted", end.not_restarted.is_some()),
        ("out-of-memory", end.out_of_memory),
    ];
    let holding = more.into_iter().filter(|(_, holds)| *holds);
    facts.extend(holding.map(|(name, _)| (name, true.into())));
    facts
}

/// Refuses flags of a call that takes none.
pub(super) fn no_flags(flags: u32, function: &str) -> Result<(), Error> {
    if flags == 0 { Ok(()) } else { Err(unsupported_flags(flags, function)) }
}

/// A terminal's size is 16 bits each way.
pub(super) fn limited(number: u32) -> Result<u16, Error> {
    u16::try_from(number).map_err(|_| {
        Error::new(ErrorCode::InvalidArg, format!("a terminal of {number} rows or columns"))
    })
}
