//! The part of `org.nsvirt.Domain1` about programs executed in a container, and its namespaces.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use zbus::{Message, OwnedFd as Descriptor, Variant};

use super::Answer;
use super::console::{limited, no_flags};
use super::fault::{Fault, arguments, reply};
use crate::driver::{ConsoleSize, Domain, Driver, Exec, Executed, Exit, signal_text};
use crate::error::{Error, ErrorCode};

/// `Exec` gives the program a terminal.
const TERMINAL: u32 = 1;

/// The methods that are here.
pub(super) fn has(member: &str) -> bool {
    ["Exec", "KillExec", "OpenNamespaces", "ResizeExec", "WaitExec"].contains(&member)
}

pub(super) async fn call(
    driver: &Arc<Driver>,
    domain: &Arc<Domain>,
    member: &str,
    call: &Message,
) -> Result<Answer, Fault> {
    let message = match member {
        "Exec" => {
            let Executed { exec, descriptors, untold } =
                driver.exec(domain, request(call)?).await?;
            let descriptors: Vec<_> = descriptors.into_iter().map(Descriptor::from).collect();
            let message = reply(call, &(exec, descriptors))?;
            return Ok(Answer { message, untold: Some(untold) });
        }
        "KillExec" => {
            let (exec, signal, flags): (u64, i32, u32) = arguments(call)?;
            no_flags(flags, "domainKillExec")?;
            driver.kill_exec(domain, exec, signal).await?;
            reply(call, &())
        }
        "OpenNamespaces" => {
            no_flags(arguments(call)?, "domainOpenNamespaces")?;
            let opened = driver.named_namespaces(domain)?.into_iter();
            reply(call, &opened.map(|(name, fd)| (name, Descriptor::from(fd))).collect::<Vec<_>>())
        }
        "ResizeExec" => {
            let (exec, rows, columns): (u64, u32, u32) = arguments(call)?;
            let size = ConsoleSize { rows: limited(rows)?, columns: limited(columns)? };
            driver.resize_exec(domain, exec, size).await?;
            reply(call, &())
        }
        "WaitExec" => {
            let (exec, flags): (u64, u32) = arguments(call)?;
            no_flags(flags, "domainWaitExec")?;
            reply(call, &facts(driver.wait_exec(domain, exec).await?))
        }
        _ => Err(Fault::UnknownMethod(member.to_owned())),
    };
    message.map(Answer::from)
}

/// What is to be executed.
fn request(call: &Message) -> Result<Exec, Fault> {
    type Arguments =
        (Vec<String>, Vec<String>, String, String, String, u32, u32, Vec<Descriptor>, u32);
    let (words, environment, user, group, directory, rows, columns, standard, flags): Arguments =
        arguments(call)?;
    no_flags(flags & !TERMINAL, "domainExec")?;
    let size = ConsoleSize { rows: limited(rows)?, columns: limited(columns)? };
    let terminal = match flags & TERMINAL {
        0 if (rows, columns) != (0, 0) => {
            let text = "rows and columns for a program without a terminal: expected 0, or flag 1";
            return Err(Error::new(ErrorCode::InvalidArg, text).into());
        }
        0 => None,
        _ => Some(size),
    };
    let standard = standard.into_iter().map(OwnedFd::from).collect();
    Ok(Exec { arguments: words, environment, user, group, directory, terminal, standard })
}

/// How a program ended, by name: its `status` or the `signal` that killed it, and in a sentence.
pub(super) fn facts(exit: Exit) -> HashMap<&'static str, Variant<'static>> {
    let mut facts = HashMap::new();
    let text = match exit {
        Exit::Status(status) => {
            facts.insert("status", status.into());
            format!("the program exited with status {status}")
        }
        Exit::Signal(signal) | Exit::Dumped(signal) => {
            facts.insert("signal", signal.into());
            format!("the program was killed by {}", signal_text(signal))
        }
    };
    if matches!(exit, Exit::Dumped(_)) {
        facts.insert("core-dumped", true.into());
    }
    facts.insert("text", text.into());
    facts
}
