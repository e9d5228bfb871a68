//! The words for events, and the signals they come in.

use zbus::{Message, OwnedObjectPath};

use crate::domain::pick;

/// The names virsh knows. Most belong to virtual machines: one can wait for them, but containers
/// never cause them.
pub(crate) const NAMES: &[&str] = &[
    "lifecycle",
    "reboot",
    "rtc-change",
    "watchdog",
    "io-error",
    "graphics",
    "io-error-reason",
    "control-error",
    "block-job",
    "disk-change",
    "tray-change",
    "pm-wakeup",
    "pm-suspend",
    "balloon-change",
    "pm-suspend-disk",
    "device-removed",
    "block-job-2",
    "tunable",
    "agent-lifecycle",
    "device-added",
    "migration-iteration",
    "job-completed",
    "device-removal-failed",
    "metadata-change",
    "block-threshold",
    "memory-failure",
    "memory-device-size-change",
];

/// The kind of metadata that is an element of the user's own.
const ELEMENT: i32 = 2;

/// An event, as far as it is printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// The domain's object.
    pub(crate) path: String,
    /// One of [`NAMES`].
    pub(crate) name: &'static str,
    /// What follows the domain's name, with its colon.
    pub(crate) text: String,
}

impl Event {
    /// None for signals that virsh has no words for.
    pub(crate) fn read(message: &Message) -> Option<Self> {
        let header = message.header();
        let own_path = || header.path().map(|path| path.as_str().to_owned());
        let body = message.body();
        match header.member()?.as_str() {
            "DomainEvent" => {
                let (path, event, detail): (OwnedObjectPath, i32, i32) = body.deserialize().ok()?;
                let path = path.as_str().to_owned();
                Some(Self { path, name: "lifecycle", text: lifecycle(event, detail) })
            }
            "Reboot" => Some(Self { path: own_path()?, name: "reboot", text: String::new() }),
            "DeviceAdded" => Self::device(own_path()?, "device-added", message),
            "DeviceRemoved" => Self::device(own_path()?, "device-removed", message),
            "MetadataChange" => {
                let (kind, uri): (i32, String) = body.deserialize().ok()?;
                // Only elements have a URI; libvirt-dbus sends rubbish for the others.
                let uri = if kind == ELEMENT { uri.as_str() } else { "<null>" };
                let kind = pick(&["description", "title", "element"], kind, "unknown");
                let text = format!(": type {kind}, uri {uri}");
                Some(Self { path: own_path()?, name: "metadata-change", text })
            }
            _ => None,
        }
    }

    fn device(path: String, name: &'static str, message: &Message) -> Option<Self> {
        let alias: String = message.body().deserialize().ok()?;
        Some(Self { path, name, text: format!(": {alias}") })
    }
}

fn lifecycle(event: i32, detail: i32) -> String {
    let (name, details) = pick(LIFECYCLE, event, ("unknown", &[]));
    format!(": {name} {}", pick(details, detail, "unknown"))
}

type Details = &'static [&'static str];

const LIFECYCLE: &[(&str, Details)] = &[
    ("Defined", &["Added", "Updated", "Renamed", "Snapshot"]),
    ("Undefined", &["Removed", "Renamed"]),
    ("Started", &["Booted", "Migrated", "Restored", "Snapshot", "Event wakeup"]),
    (
        "Suspended",
        &[
            "Paused",
            "Migrated",
            "I/O Error",
            "Watchdog",
            "Restored",
            "Snapshot",
            "API error",
            "Post-copy",
            "Post-copy Error",
        ],
    ),
    ("Resumed", &["Unpaused", "Migrated", "Snapshot", "Post-copy"]),
    ("Stopped", &["Shutdown", "Destroyed", "Crashed", "Migrated", "Saved", "Failed", "Snapshot"]),
    ("Shutdown", &["Finished", "Finished after guest request", "Finished after host request"]),
    ("PMSuspended", &["Memory", "Disk"]),
    ("Crashed", &["Panicked", "Crashloaded"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_lifecycle() {
        assert_eq!(lifecycle(2, 0), ": Started Booted");
        assert_eq!(lifecycle(5, 1), ": Stopped Destroyed");
        assert_eq!(lifecycle(99, 0), ": unknown unknown");
    }
}
