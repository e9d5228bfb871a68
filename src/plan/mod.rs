//! One start of one container, with every decision taken.
//!
//! [`build`] turns the model and the facts of the host into a [`Plan`]: which mounts in which
//! order, which capabilities go, what init is and sees. It touches nothing and asks nothing, so
//! unit tests call it without root. The supervisor and the child then obey the plan step by step;
//! there is no `Option` left to interpret, and nothing in it is libvirt's any more.

mod arch;
mod build;
mod calls;
mod capabilities;
mod changes;
mod consoles;
mod filesystems;
mod hotplug;
mod ids;
mod images;
mod init;
mod isolation;
mod limits;
mod links;
mod mounts;
mod namespaces;
mod nodes;
mod placement;
mod unsupported;
mod usb;

#[cfg(test)]
mod tests;

pub use arch::guest_archs;
pub use build::build;
pub use calls::{CallFilter, CallWay, RefusedCall};
pub use changes::{block_changes, cpu_changes, memory_changes};
pub use hotplug::{MountPart, Part, coming, going};
pub use images::{Image, images};
pub use isolation::maskable;
pub use limits::{
    BlockDevice, DeviceLimit, Limit, Limits, Setting, shares_of_weight, weight_of_shares,
};
pub use links::host_links;
pub use namespaces::shared as shared_namespaces;
pub use nodes::{Device, DeviceKind, DeviceRule, HostNode, device_paths, has_usb};
pub use placement::{MemoryPolicy, Node};
pub use usb::HostUsb;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::{Bitmap, IsolationProfile};

/// Attributes of a mount: the bits of `mount_setattr(2)`.
pub mod attributes {
    /// Not writable.
    pub const RDONLY: u64 = 1;
    /// Set-user-ID bits and file capabilities have no effect.
    pub const NOSUID: u64 = 2;
    /// Device nodes do not open.
    pub const NODEV: u64 = 4;
    /// Nothing can be executed.
    pub const NOEXEC: u64 = 8;
}

/// The facts of the host that a plan depends on, probed once by the daemon.
#[derive(Debug, Clone)]
pub struct Host {
    /// What `uname -m` says.
    pub arch: String,
    /// The hierarchies of control groups, as the host has mounted them.
    pub cgroups: Vec<Hierarchy>,
    /// The controllers that groups can have, version 1's names, and in which version.
    pub controllers: Vec<(String, CgroupVersion)>,
    /// The most processes that one container of many may have of those the host can have.
    pub process_share: u32,
    /// The profile of containers whose document names none.
    pub isolation: IsolationProfile,
    /// Names beside the hierarchies that lead to one of them (`cpu` -> `cpu,cpuacct`).
    pub cgroup_links: Vec<(String, String)>,
    /// Paths below `/proc` that act on the host and are there: read-only inside.
    pub protected_proc: Vec<String>,
    /// Paths that profiles mask ([`maskable`]) and are there.
    pub maskable: Vec<String>,
    /// Paths below `/proc/sys` that belong to a network namespace and are there.
    pub network_settings: Vec<String>,
    /// Whether a container without a root of its own may take the host's.
    pub allow_host_root: bool,
    /// Whether user namespaces can be had.
    pub user_namespaces: bool,
    /// Where templates are that a document names without a path.
    pub templates: PathBuf,
    /// Where the changes to templates are kept, a directory for each domain.
    pub overlays: PathBuf,
    /// Directories of the daemon (sockets, definitions) that no container may see.
    pub private_directories: Vec<PathBuf>,
}

impl Host {
    /// The version of control groups in which the host has a controller.
    pub fn version(&self, controller: &str) -> Option<CgroupVersion> {
        self.controllers.iter().find(|(name, _)| name == controller).map(|&(_, version)| version)
    }
}

/// A version of control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CgroupVersion {
    /// A hierarchy for each controller.
    V1,
    /// One for all.
    V2,
}

/// What the host has, at the time of a start, of what the document names; empty where it names
/// nothing of the kind.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// Memory nodes with their processors.
    pub nodes: Vec<Node>,
    /// Block devices by path.
    pub block_devices: Vec<(String, BlockDevice)>,
    /// What is at the paths of disks, host devices and clocks: a device, or something else.
    pub devices: Vec<(String, Option<Device>)>,
    /// Loop devices of disks that are files, by the disks' names.
    pub images: Vec<(String, Device)>,
    /// USB devices.
    pub usb: Vec<HostUsb>,
    /// Network devices.
    pub links: Vec<HostLink>,
    /// Directories by the paths that file systems have as their sources: where they are, without
    /// symbolic links.
    pub directories: Vec<(String, PathBuf)>,
    /// The ids of other containers that run, with their names.
    pub id_maps: Vec<(String, IdMaps)>,
}

/// A network device of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLink {
    /// Its name.
    pub name: String,
    /// Whether others can be its ports.
    pub is_bridge: bool,
}

impl Present {
    fn link(&self, name: &str) -> Option<&HostLink> {
        self.links.iter().find(|link| link.name == name)
    }

    fn has_link(&self, name: &str) -> bool {
        self.link(name).is_some()
    }

    /// Where a directory of the host is, without symbolic links.
    fn directory(&self, path: &str) -> PathBuf {
        let found = self.directories.iter().find(|(known, _)| known == path);
        found.map_or_else(|| PathBuf::from(path), |(_, place)| place.clone())
    }

    fn cpus(&self) -> Bitmap {
        self.nodes.iter().flat_map(|node| node.cpus.iter()).collect()
    }

    /// The device at a path.
    fn device(&self, path: &str) -> Option<Device> {
        self.devices.iter().find(|(known, _)| known == path)?.1
    }

    fn node_ids(&self) -> Bitmap {
        self.nodes.iter().map(|node| node.id).collect()
    }
}

/// A mounted hierarchy of control groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Directory below `/sys/fs/cgroup`; empty for a host with version 2 alone.
    pub directory: String,
    /// Version 2, or the controllers of a version 1 hierarchy.
    pub kind: HierarchyKind,
}

/// Version and content of a hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum HierarchyKind {
    /// The unified hierarchy.
    V2,
    /// Version 1: mount options that select it, `memory` or `none`, `name=systemd`.
    V1(Vec<(String, String)>),
}

/// Where the processes of a container are put: files and directories of its control groups, which
/// exist when the plan is carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Version 1 `tasks` files that take the supervisor.
    pub supervisor_tasks: Vec<PathBuf>,
    /// Version 2 directory of the supervisor, where there is one.
    pub supervisor_v2: Vec<PathBuf>,
    /// Version 1 `tasks` files that take init.
    pub init_tasks: Vec<PathBuf>,
    /// Version 2 directory that init is born in, where there is one.
    pub init_v2: Vec<PathBuf>,
    /// File with a line `oom_kill N`: how many processes have been killed for lack of memory.
    pub oom_kills: Option<PathBuf>,
    /// Directories of init's groups that the container manages itself, and owns if it has ids of
    /// its own: version 2, and the hierarchy systemd names its units in.
    pub delegated: Vec<PathBuf>,
}

/// Files of this one run, in the daemon's run directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFiles {
    /// Socket on which the supervisor listens for the daemon.
    pub socket: PathBuf,
    /// Written by the supervisor when init has ended for good.
    pub exit: PathBuf,
    /// The domain's log, which outlives the run.
    pub log: PathBuf,
}

impl RunFiles {
    /// What is noted on the host's ends of the container's links, to know them again.
    pub fn link_note(&self) -> String {
        format!("nsvirt {}", self.socket.display())
    }
}

/// Everything the supervisor needs for one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The domain's name, for messages.
    pub name: String,
    /// Files of this run.
    pub files: RunFiles,
    /// Control groups to join.
    pub placement: Placement,
    /// Limits to set on the container's group before anything runs in it.
    pub limits: Limits,
    /// The user namespace; without maps there is none.
    pub id_maps: IdMaps,
    /// How memory is taken from the host's nodes.
    pub memory_policy: MemoryPolicy,
    /// A network namespace of its own, with `lo` up.
    pub private_network: bool,
    /// Network devices in there beside `lo`, those of `<interface>` first and in order.
    pub links: Vec<Link>,
    /// Namespaces that are taken from elsewhere: their descriptors come with
    /// [`Prepare`](crate::container::protocol::Request::Prepare), in this order.
    pub shared_namespaces: Vec<Namespace>,
    /// What the supervisor mounts for the tree before there is a container, which may not open the
    /// devices.
    pub volumes: Vec<Volume>,
    /// The tree that becomes `/`.
    pub root: Root,
    /// What is then done to the tree, in order, while its control groups are being made.
    pub first_steps: Vec<Step>,
    /// What is done to it in its control groups, in order.
    pub steps: Vec<Step>,
    /// Those of the steps that make nodes for devices of the document.
    pub nodes: Vec<HostNode>,
    /// Loop devices that last as long as the container, by the disks' names: their descriptors come
    /// with [`Go`](crate::container::protocol::Request::Go), after those of namespaces.
    pub loops: Vec<String>,
    /// UTS host name, where it is the container's to choose.
    pub hostname: Option<String>,
    /// The container's terminals; the first is init's controlling terminal.
    pub consoles: Vec<Console>,
    /// Capabilities to drop for good: bit N is capability N.
    pub drop_capabilities: u64,
    /// System calls that are refused.
    pub calls: CallFilter,
    /// Whether nothing that is executed gains privileges (`PR_SET_NO_NEW_PRIVS`).
    pub no_new_privs: bool,
    /// Whether programs are told that this is the host's 32-bit alternative (`PER_LINUX32`).
    pub linux32: bool,
    /// What is executed.
    pub init: Init,
    /// What starts the container anew.
    pub restart: Restart,
}

/// After which ends a container is started anew by its supervisor; after the others it is shut off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Init ended by itself, or powered off.
    pub poweroff: bool,
    /// It rebooted.
    pub reboot: bool,
    /// Init was killed.
    pub crash: bool,
}

impl Restart {
    /// Whether there is any such end.
    pub fn is_possible(self) -> bool {
        self.poweroff || self.reboot || self.crash
    }
}

/// Maps of ids (`user_namespaces(7)`); the first id of each is the container's root.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMaps {
    /// Users.
    pub uids: Vec<IdRange>,
    /// Groups; there are some when there are users.
    pub gids: Vec<IdRange>,
}

/// A row of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first id in the container.
    pub inside: u32,
    /// The id on the host that it is.
    pub outside: u32,
    /// How many follow each other.
    pub count: u32,
}

/// A network device of the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Where it comes from.
    pub kind: LinkKind,
    /// Its name in the container.
    pub guest: String,
    /// Its hardware address, if it is made.
    pub mac: [u8; 6],
    /// The largest packet; None leaves that to the kernel.
    pub mtu: Option<u32>,
    /// Whether it is brought up.
    pub up: bool,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Ways out of it.
    pub routes: Vec<Route>,
}

/// Where a network device comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LinkKind {
    /// A pair, of which the other end is a port of a bridge.
    Bridge {
        /// The name of the host's end, if the document chooses it.
        target: Option<String>,
        /// The bridge.
        bridge: String,
        /// Whether other isolated ports are out of its reach.
        isolated: bool,
    },
    /// A pair, of which the other end has addresses itself.
    Ethernet {
        /// The name of the host's end, if the document chooses it.
        target: Option<String>,
        /// Addresses of the host's end.
        addresses: Vec<Address>,
        /// Ways through it.
        routes: Vec<Route>,
    },
    /// A share of a device of the host.
    Direct {
        /// The device.
        parent: String,
        /// Who reaches whom.
        mode: MacvlanMode,
    },
    /// A device of the host that moves into the container under its name.
    Host,
}

/// Who of those who share a device reaches whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MacvlanMode {
    /// Nobody anybody.
    Private,
    /// All go over the switch outside.
    Vepa,
    /// All each other.
    Bridge,
    /// There is only one.
    Passthrough,
}

/// An address of a network device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Bits of its network.
    pub prefix: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
}

/// A way to a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The network's first address.
    pub network: IpAddr,
    /// Bits of the network.
    pub prefix: u8,
    /// Where packets go.
    pub gateway: IpAddr,
    /// How far it is.
    pub metric: Option<u32>,
}

/// A kind of namespace that a container can share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Namespace {
    /// The network.
    Network,
    /// System V IPC and POSIX message queues.
    Ipc,
    /// The host name.
    Uts,
}

impl Namespace {
    /// Its name in `/proc/PID/ns`.
    pub fn file(self) -> &'static str {
        match self {
            Self::Network => "net",
            Self::Ipc => "ipc",
            Self::Uts => "uts",
        }
    }
}

/// The tree that becomes the container's `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// What it is.
    pub source: RootSource,
    /// Read-only, with all that is mounted below it.
    pub readonly: bool,
}

/// What a root can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootSource {
    /// Directory of the host.
    Directory(PathBuf),
    /// Volume N of the plan.
    Volume(usize),
}

/// A file system that takes a device, or changes that are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Volume {
    /// On a block device of the host.
    Device {
        /// Its path.
        path: PathBuf,
        /// Nothing is to be written.
        readonly: bool,
    },
    /// In a file of the host, as it is.
    Image {
        /// Its path.
        path: PathBuf,
        /// The file is only to be read.
        readonly: bool,
    },
    /// A directory of the host that stays as it is, with changes in another.
    Layers {
        /// The directory.
        lower: PathBuf,
        /// The daemon's directory for the changes, made where it is missing.
        changes: PathBuf,
    },
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { path, .. } => write!(f, "block device {}", path.display()),
            Self::Image { path, .. } => write!(f, "image {}", path.display()),
            Self::Layers { lower, .. } => write!(f, "template {}", lower.display()),
        }
    }
}

/// One step on the container's tree. Paths are absolute and inside the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Take away whatever the root brought along as a mount at this path.
    Clear {
        /// Mount point.
        path: String,
    },
    /// Mount something at a path; a missing mount point is created.
    Mount {
        /// What is mounted.
        source: Source,
        /// Mount point.
        target: String,
        /// Bits of [`attributes`].
        attributes: u64,
    },
    /// Put an empty file or directory, read-only, over each of these that is there.
    Mask {
        /// Files and directories of `/proc` and `/sys`.
        paths: Vec<String>,
    },
    /// Make a directory (mode 0755), if it is missing.
    Directory {
        /// Where.
        path: String,
    },
    /// Make a device node, which is root's.
    Device {
        /// Where.
        path: String,
        /// What it is a name for.
        device: Device,
        /// Who may use it.
        mode: u32,
    },
    /// Make a symbolic link.
    Link {
        /// Where.
        path: String,
        /// What it says.
        target: String,
    },
}

/// Where a mount comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A directory or file of the host, with what is mounted below it.
    Host {
        /// Its path.
        path: PathBuf,
        /// Mount points below it that stay empty.
        without: Vec<PathBuf>,
    },
    /// Something that is in the container's tree already; unlike a part of the host it becomes
    /// writable again where the step does not say read-only.
    Inside(String),
    /// A directory or file of the container's tree, with what is mounted below it: no more can be
    /// done with it than there.
    Bind(String),
    /// A new file system, made in the container's namespaces.
    New {
        /// Its type, as in `/proc/filesystems`.
        kind: String,
        /// `key=value`, or a flag where the value is empty.
        options: Vec<(String, String)>,
    },
    /// Volume N of the plan.
    Volume(usize),
    /// The container's instance of devpts.
    Terminals,
    /// Terminal N of the container.
    Console(usize),
}

/// The program that becomes the container's first process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Init {
    /// Path inside.
    pub path: String,
    /// All arguments, the first being the path.
    pub arguments: Vec<String>,
    /// `NAME=value`, in order, without duplicates.
    pub environment: Vec<String>,
    /// Working directory inside.
    pub directory: String,
    /// Who it runs as; nobody but root, without further groups, where nothing is said.
    pub account: Option<Account>,
}

/// A terminal of the container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Console {
    /// Where all that is printed on it is kept.
    pub log: Option<ConsoleLog>,
}

/// A file of the host that gets what a console prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleLog {
    /// Its path, from the root on.
    pub path: PathBuf,
    /// Whether what it holds when the container starts stays.
    pub append: bool,
}

/// A user and a group, as names of the container's `/etc/passwd` and `/etc/group` or as numbers;
/// a `+` before it is a number's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// The user.
    pub user: String,
    /// The group; the user's own where it is empty.
    pub group: String,
}
