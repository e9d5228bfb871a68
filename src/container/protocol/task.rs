//! What the daemon has a helper do in a container that runs: one task, one outcome.
//!
//! A helper is the supervisor's program once more, for as long as one task takes. It has the
//! daemon's rights, which the supervisor has given up, and enters the container's namespaces, which
//! the daemon never does. A pidfd of init comes with the task.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Failure, LinkNames};
pub use crate::network::Traffic;
use crate::plan::{HostNode, IdMaps, Link, MountPart};

/// What is to be done in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Process ID of its init on the host.
    pub init: i32,
    /// Its ids, if it has some of its own.
    pub id_maps: IdMaps,
    /// What it is.
    pub action: Action,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Make a node. Answered by `Done`.
    MakeNode(HostNode),
    /// Remove a node, if it is that one still. Answered by `Done`.
    RemoveNode(HostNode),
    /// Make a network device and set it up, or move it in. Answered by `Linked`.
    MakeLink {
        /// The device.
        link: Link,
        /// What its end on the host is known by.
        note: String,
    },
    /// Remove a network device, or move it back. Answered by `Done`.
    RemoveLink {
        /// The device.
        link: Link,
        /// What it is called.
        names: LinkNames,
        /// What its end on the host is known by.
        note: String,
    },
    /// Bring a network device up, with its addresses and routes, or down. Answered by `Done`.
    TurnLink {
        /// The device.
        link: Link,
    },
    /// Mount. Answered by `Done`.
    Mount(MountPart),
    /// Unmount, with what is mounted below, all of it or nothing. Answered by `Done`.
    Unmount {
        /// Where.
        target: String,
    },
    /// Look at the network devices. Answered by `Links`.
    ListLinks,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is done, and the device is called so.
    Linked(LinkNames),
    /// What there is.
    Links(Vec<LinkState>),
    /// It is not done, and everything is as before.
    Failed(Failure),
}

/// A network device as its container sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkState {
    /// Its name there.
    pub name: String,
    /// Its hardware address; empty for one that has none.
    pub mac: String,
    /// Its addresses, each with the bits of its network.
    pub addresses: Vec<(IpAddr, u8)>,
    /// What it carried.
    pub traffic: Traffic,
}
