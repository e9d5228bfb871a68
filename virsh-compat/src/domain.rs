//! Domains: looking them up, and the words for their states.

use crate::bus::{BusError, CONNECT, DOMAIN, ROOT};
use crate::outcome::{Failure, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;
use zbus::OwnedObjectPath;

/// A domain that was found.
#[derive(Debug, Clone)]
pub(crate) struct Domain {
    /// Its object.
    pub(crate) path: String,
    /// Its name, for messages.
    pub(crate) name: String,
}

/// By what a command lets its domain be named. The order of look-ups is always this one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct By {
    id: bool,
    uuid: bool,
    name: bool,
}

impl By {
    /// What most commands take.
    pub(crate) const ANY: Self = Self { id: true, uuid: true, name: true };
    /// For what has no id yet, or whose id is asked for.
    pub(crate) const UUID_NAME: Self = Self { id: false, uuid: true, name: true };
    /// For what asks for the uuid.
    pub(crate) const ID_NAME: Self = Self { id: true, uuid: false, name: true };
    /// For what asks for the name.
    pub(crate) const ID_UUID: Self = Self { id: true, uuid: true, name: false };
}

/// Flag of the XML: with secrets.
pub(crate) const SECURE: u32 = 1;
/// Flag of the XML: for another host, secrets and all.
const MIGRATABLE: u32 = 8;
/// libvirt's number for a running domain.
pub(crate) const RUNNING: i32 = 1;
/// libvirt's number for a domain that is shut off.
pub(crate) const SHUTOFF: i32 = 5;
const UUID_LENGTH: usize = 36;

/// Finds the domain of the option `domain`.
pub(crate) fn find(shell: &Shell, args: &Args, by: By) -> Outcome<Domain> {
    let text = args.nonempty("domain")?.unwrap_or_default();
    lookup(shell, text, by)
}

/// Finds a domain by what the user wrote.
pub(crate) fn lookup(shell: &Shell, text: &str, by: By) -> Outcome<Domain> {
    let bus = shell.bus()?;
    let id = text.parse::<i32>().ok().filter(|id| by.id && *id >= 0);
    let uuid = (by.uuid && text.len() == UUID_LENGTH).then_some(text);
    let name = by.name.then_some(text);
    let ways = [
        id.map(|id| bus.call::<_, OwnedObjectPath>(ROOT, CONNECT, "DomainLookupByID", &(id,))),
        None,
    ];
    let mut reason = None;
    for found in ways.into_iter().flatten() {
        match found {
            Ok(path) => return named(shell, &path, None),
            Err(error) => reason = Some(error),
        }
    }
    for (method, text) in [("DomainLookupByUUID", uuid), ("DomainLookupByName", name)] {
        let Some(text) = text else { continue };
        match bus.call::<_, OwnedObjectPath>(ROOT, CONNECT, method, &(text,)) {
            Ok(path) => {
                let known = (method == "DomainLookupByName").then_some(text);
                return named(shell, &path, known);
            }
            Err(error) => reason = Some(error),
        }
    }
    Err(not_found(text, reason))
}

fn named(shell: &Shell, path: &OwnedObjectPath, known: Option<&str>) -> Outcome<Domain> {
    let path = path.as_str().to_owned();
    let name = match known {
        Some(name) => name.to_owned(),
        None => shell.bus()?.property(&path, DOMAIN, "Name")?,
    };
    Ok(Domain { path, name })
}

/// That there is no such domain is said in one line; anything else needs its reason.
fn not_found(text: &str, reason: Option<BusError>) -> Failure {
    let mut failure = fail(format!("failed to get domain '{text}'"));
    match reason {
        None | Some(BusError::Driver(_)) => {}
        Some(error) => failure.lines.push(error.to_string()),
    }
    failure
}

impl Domain {
    /// State and reason, as libvirt's numbers.
    pub(crate) fn state(&self, shell: &Shell) -> Outcome<(i32, i32)> {
        Ok(shell.bus()?.call(&self.path, DOMAIN, "GetState", &(0u32,))?)
    }

    /// The domain's XML. Whoever may only look may not see secrets.
    pub(crate) fn xml(&self, shell: &Shell, flags: u32) -> Outcome<String> {
        if flags & (SECURE | MIGRATABLE) != 0 && shell.readonly {
            return Err(fail("operation forbidden: virDomainGetXMLDesc with secure flag"));
        }
        Ok(shell.bus()?.call(&self.path, DOMAIN, "GetXMLDesc", &(flags,))?)
    }

    /// The UUID, which the path holds.
    pub(crate) fn uuid(&self) -> String {
        uuid_of(&self.path)
    }
}

/// The UUID in the path of a domain object.
pub(crate) fn uuid_of(path: &str) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    last.trim_start_matches('_').replace('_', "-")
}

/// The word for a state.
pub(crate) fn state_name(state: i32) -> &'static str {
    pick(
        &[
            "no state",
            "running",
            "idle",
            "paused",
            "in shutdown",
            "shut off",
            "crashed",
            "pmsuspended",
        ],
        state,
        "no state",
    )
}

/// The words for the reason of a state.
pub(crate) fn reason_name(state: i32, reason: i32) -> &'static str {
    pick(pick(REASONS, state, &[]), reason, "unknown")
}

/// The entry of a table numbered from 0.
pub(crate) fn pick<T: Copy>(table: &[T], index: i32, otherwise: T) -> T {
    usize::try_from(index).ok().and_then(|i| table.get(i)).copied().unwrap_or(otherwise)
}

const REASONS: &[&[&str]] = &[
    &[],
    &[
        "unknown",
        "booted",
        "migrated",
        "restored",
        "from snapshot",
        "unpaused",
        "migration canceled",
        "save canceled",
        "event wakeup",
        "crashed",
        "post-copy",
        "post-copy failed",
    ],
    &[],
    &[
        "unknown",
        "user",
        "migrating",
        "saving",
        "dumping",
        "I/O error",
        "watchdog",
        "from snapshot",
        "shutting down",
        "creating snapshot",
        "crashed",
        "starting up",
        "post-copy",
        "post-copy failed",
        "api error",
    ],
    &["unknown", "user"],
    &[
        "unknown",
        "shutdown",
        "destroyed",
        "crashed",
        "migrated",
        "saved",
        "failed",
        "from snapshot",
        "daemon",
    ],
    &["unknown", "panicked"],
    &[],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_states() {
        assert_eq!(state_name(SHUTOFF), "shut off");
        assert_eq!(state_name(99), "no state");
        assert_eq!(reason_name(RUNNING, 1), "booted");
        assert_eq!(reason_name(SHUTOFF, 2), "destroyed");
        assert_eq!(reason_name(-1, -1), "unknown");
    }

    #[test]
    fn uuid_from_path() {
        assert_eq!(
            uuid_of("/org/libvirt/LXC/domain/_57962fd9_87f5_47ea_a83f_1a282ab5040f"),
            "57962fd9-87f5-47ea-a83f-1a282ab5040f"
        );
    }
}
