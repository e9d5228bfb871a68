//! The one API, in libvirt's nouns: what both front ends call.
//!
//! A [`Driver`] holds the domains. Each operation takes the domain's job, asks
//! [`lifecycle::admit`] whether it may, acts, publishes a new [`Snapshot`] and tells subscribers.
//! Nothing here waits by sleeping or polling: the kernel says when a supervisor ends, when a group
//! is frozen, when it is empty.

mod client;
mod config;
mod devices;
mod domain;
mod endings;
mod event;
mod exec;
mod executor;
mod helper;
mod hooks;
mod host;
mod images;
mod impact;
mod init_request;
pub mod lifecycle;
mod links;
mod metadata;
mod namespaces;
mod native;
mod open;
mod operations;
mod pid_file;
mod plug;
mod program;
mod records;
mod recover;
mod registry;
mod run;
mod schema;
mod spare;
mod statistics;
mod store;
mod supervisor;
mod systemd;
mod tuning;
mod vcpus;

pub use crate::cgroup::{BlockUsage, CpuTime};
pub use crate::container::protocol::{Cause, End, Exit, signal_text};
pub use crate::network::Traffic;
pub use client::Client;
pub use config::{Config, Paths, Profile, Sockets};
pub use domain::{Domain, Snapshot};
pub use event::{Event, EventKind};
pub use exec::{Exec, Executed, Untold};
pub use host::{Cache, Cell, Cpu, CpuMap, NodeInfo, Pages, Topology};
pub use lifecycle::Lifecycle;
pub use links::LinkAddresses;
pub use metadata::Metadata;
pub use native::Converted;
pub use operations::{ConsoleSize, Info};
pub use tuning::{Parameters, Value};
pub use vcpus::Pins;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::broadcast;
use uuid::Uuid;

use crate::cgroup::Layout;
use crate::error::{Error, ErrorCode, Result};
use crate::plan;

/// Events that a subscriber may lag behind before it misses some.
const EVENT_BACKLOG: usize = 4096;

/// The containers of one daemon.
#[derive(Debug)]
pub struct Driver {
    host: plan::Host,
    layout: Layout,
    partition: String,
    spare: Arc<spare::Spare>,
    /// Where network namespaces have names.
    netns: PathBuf,
    store: store::Store,
    systemd: Option<systemd::Systemd>,
    pid_files: pid_file::PidFiles,
    hooks: hooks::Hooks,
    registry: registry::Registry,
    events: broadcast::Sender<Event>,
    /// The number of the last program executed in a container.
    last_exec: AtomicU64,
    /// Held for the driver's life: one daemon per run directory.
    _lock: std::fs::File,
}

/// Flags of [`Driver::list`], `virConnectListAllDomainsFlags`. Flags of one group are
/// alternatives; groups narrow down.
pub mod list_flags {
    /// Running or paused.
    pub const ACTIVE: u32 = 1;
    /// Not running.
    pub const INACTIVE: u32 = 1 << 1;
    /// Defined.
    pub const PERSISTENT: u32 = 1 << 2;
    /// Not defined.
    pub const TRANSIENT: u32 = 1 << 3;
    /// In state running.
    pub const RUNNING: u32 = 1 << 4;
    /// In state paused.
    pub const PAUSED: u32 = 1 << 5;
    /// In state shut off.
    pub const SHUTOFF: u32 = 1 << 6;
    /// In another state.
    pub const OTHER: u32 = 1 << 7;
    /// With a saved state, which containers never have.
    pub const MANAGEDSAVE: u32 = 1 << 8;
    /// Without a saved state.
    pub const NO_MANAGEDSAVE: u32 = 1 << 9;
    /// Started with the daemon.
    pub const AUTOSTART: u32 = 1 << 10;
    /// Not started with the daemon.
    pub const NO_AUTOSTART: u32 = 1 << 11;
    /// With snapshots, which containers never have.
    pub const HAS_SNAPSHOT: u32 = 1 << 12;
    /// Without snapshots.
    pub const NO_SNAPSHOT: u32 = 1 << 13;
    /// With checkpoints, which containers never have.
    pub const HAS_CHECKPOINT: u32 = 1 << 14;
    /// Without checkpoints.
    pub const NO_CHECKPOINT: u32 = 1 << 15;
    /// All of the above.
    pub const ALL: u32 = (1 << 16) - 1;
}

impl Driver {
    /// The domains that all given groups of [`list_flags`] admit, by name.
    pub fn list(&self, flags: u32) -> Result<Vec<Arc<Domain>>> {
        check_flags(flags, list_flags::ALL, "lxcConnectListAllDomains")?;
        let mut domains = self.registry.all();
        domains.retain(|domain| matches_flags(&domain.snapshot(), flags));
        Ok(domains)
    }

    /// Finds a domain by the process ID of its supervisor.
    pub fn lookup_by_id(&self, id: u32) -> Result<Arc<Domain>> {
        self.registry.by_id(id)
    }

    /// Finds a domain by its name.
    pub fn lookup_by_name(&self, name: &str) -> Result<Arc<Domain>> {
        self.registry.by_name(name)
    }

    /// Finds a domain by its identity.
    pub fn lookup_by_uuid(&self, uuid: Uuid) -> Result<Arc<Domain>> {
        self.registry.by_uuid(uuid)
    }

    /// Finds a domain by its identity for a call about it; the name is what the caller calls it.
    pub fn find(&self, uuid: Uuid, name: &str) -> Result<Arc<Domain>> {
        self.registry.by_uuid(uuid).map_err(|_| {
            domain::not_found(format!("no domain with matching uuid '{uuid}' ({name})"))
        })
    }

    /// All events from now on, in order.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// The running kernel's release as a version number, which is what libvirt's driver calls the
    /// version of its hypervisor.
    pub fn version(&self) -> Result<u64> {
        host::kernel_version()
    }

    /// The libvirt whose API this is: 10.0.0, encoded as libvirt encodes versions. Less is too old
    /// for some of its users.
    pub fn lib_version(&self) -> u64 {
        10_000_000
    }

    /// `<capabilities>`: what the host is, and which guests it can have. Read anew at each call.
    pub fn capabilities(&self) -> String {
        let emulator = self.spare.path().to_string_lossy();
        host::capabilities::capabilities(&self.facts(&emulator), &self.topology())
    }

    /// `<domainCapabilities>`: what a container can have. Empty arguments mean what the driver
    /// has; others must be that.
    pub fn domain_capabilities(
        &self,
        emulator: &str,
        arch: &str,
        machine: &str,
        virttype: &str,
    ) -> Result<String> {
        let own = self.spare.path().to_string_lossy();
        let wanted = host::capabilities::Wanted { emulator, arch, machine, virttype };
        host::capabilities::domain_capabilities(&self.facts(&own), &self.topology(), &wanted)
    }

    /// Processors, memory and caches of the host, as they are now.
    pub fn topology(&self) -> Topology {
        Topology::read("/sys".as_ref(), "/proc".as_ref())
    }

    /// The same in a few numbers.
    pub fn node_info(&self) -> NodeInfo {
        NodeInfo::of(&self.host.arch, &self.topology())
    }

    fn facts<'a>(&'a self, emulator: &'a str) -> host::capabilities::Facts<'a> {
        host::capabilities::Facts {
            arch: &self.host.arch,
            emulator,
            uuid: host::capabilities::host_uuid(),
            iommu: host::capabilities::has_iommu(),
        }
    }

    /// The host's name.
    pub fn hostname(&self) -> Result<String> {
        host::hostname()
    }

    /// Publishes what a transition says, and forgets a domain that is no more.
    fn settle(&self, domain: &Domain, transition: lifecycle::Transition) {
        if transition.next.is_none() {
            self.release(domain);
        }
        if let Some(event) = transition.event {
            self.tell(domain, EventKind::Lifecycle(event));
        }
    }

    /// Forgets a domain that does not exist (any more), with what it changed of its templates.
    fn release(&self, domain: &Domain) {
        if !domain.exists() {
            match self.store.set_aside_overlays(domain.uuid) {
                Ok(overlays) => remove(overlays.into_iter().collect()),
                Err(error) => tracing::error!("after the end of '{}': {error}", domain.name),
            }
            if let Err(error) = self.store.forget_ending(domain.uuid) {
                tracing::error!("after the end of '{}': {error}", domain.name);
            }
        }
        // Last: from here on somebody may use its UUID anew.
        self.registry.release(domain);
    }

    fn tell(&self, domain: &Domain, kind: EventKind) {
        tracing::info!("domain '{}': {kind:?}", domain.name);
        let event = Event { uuid: domain.uuid, name: domain.name.clone(), kind };
        // An error means that nobody has subscribed.
        let _ = self.events.send(event);
    }
}

/// Removes directories meanwhile; what is left when the daemon ends is the next one's.
fn remove(directories: Vec<PathBuf>) {
    if directories.is_empty() {
        return;
    }
    tokio::task::spawn_blocking(move || {
        for directory in directories {
            if let Err(error) = std::fs::remove_dir_all(&directory) {
                tracing::error!("cannot remove {}: {error}", directory.display());
            }
        }
    });
}

fn matches_flags(snapshot: &Snapshot, flags: u32) -> bool {
    use lifecycle::State;
    use list_flags as f;
    let persistent = snapshot.definition.is_some();
    let groups: [&[(u32, bool)]; 7] = [
        &[(f::ACTIVE, snapshot.is_active()), (f::INACTIVE, !snapshot.is_active())],
        &[(f::PERSISTENT, persistent), (f::TRANSIENT, !persistent)],
        &[
            (f::RUNNING, snapshot.state == State::Running),
            (f::PAUSED, snapshot.state == State::Paused),
            (f::SHUTOFF, snapshot.state == State::Shutoff),
            (f::OTHER, false),
        ],
        &[(f::MANAGEDSAVE, false), (f::NO_MANAGEDSAVE, true)],
        &[(f::AUTOSTART, snapshot.autostart), (f::NO_AUTOSTART, !snapshot.autostart)],
        &[(f::HAS_SNAPSHOT, false), (f::NO_SNAPSHOT, true)],
        &[(f::HAS_CHECKPOINT, false), (f::NO_CHECKPOINT, true)],
    ];
    groups.iter().all(|group| {
        let asked = group.iter().any(|(flag, _)| flags & flag != 0);
        !asked || group.iter().any(|(flag, holds)| flags & flag != 0 && *holds)
    })
}

/// Refuses flags that a call does not take, in libvirt's words.
fn check_flags(flags: u32, allowed: u32, function: &str) -> Result<()> {
    match flags & !allowed {
        0 => Ok(()),
        unknown => Err(unsupported_flags(unknown, function)),
    }
}

/// libvirt's answer to flags that a call does not take; it comes without the code's phrase.
pub fn unsupported_flags(flags: u32, function: &str) -> Error {
    let message = format!("unsupported flags (0x{flags:x}) in function {function}");
    Error::bare(ErrorCode::InvalidArg, message)
}
