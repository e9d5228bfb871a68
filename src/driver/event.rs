//! What subscribers are told.

use uuid::Uuid;

use super::lifecycle::Lifecycle;
use crate::container::protocol::{End, Exit};

/// Something that happened to a domain, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which domain; it may be gone by now.
    pub uuid: Uuid,
    /// Its name at the time.
    pub name: String,
    /// What happened.
    pub kind: EventKind,
}

/// Kinds of events that libvirt's container driver has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// A step of the life cycle.
    Lifecycle(Lifecycle),
    /// The container restarted itself.
    Reboot,
    /// A device came while it runs.
    DeviceAdded {
        /// The device's name.
        alias: String,
    },
    /// A device went while it runs.
    DeviceRemoved {
        /// The device's name.
        alias: String,
    },
    /// Init ended, and how; before the step of the life cycle, or the reboot, that this is.
    End(End),
    /// A program that was executed in it ended.
    ExecEnded {
        /// Its number.
        exec: u64,
        /// How it ended.
        exit: Exit,
    },
    /// Its title, description, or an element of its metadata was set or taken away.
    Metadata {
        /// libvirt's number (`virDomainMetadataType`).
        kind: i32,
        /// The element's name space; empty for the others.
        uri: String,
    },
}
