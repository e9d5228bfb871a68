//! What the user wrote: the domain document as types, checked as far as the document alone allows.
//!
//! One file per element family, each with the struct, how it is read (`parse`), how it is written
//! (`format`), and its defaults. A new family is a new file, a field of [`Domain`] or [`Devices`],
//! a line in their `parse` and `format`, and one line less in the table of what is refused.
//!
//! Nothing here knows the host: what depends on it is filled in by
//! [`Domain::fill_host_defaults`] or checked by the driver when the container starts.

mod bitmap;
mod blkiotune;
mod capabilities;
mod clock;
mod cpu;
mod cpu_numa;
mod cputune;
mod devices;
mod digits;
mod domain;
mod extensions;
mod features;
mod identity;
mod idmap;
mod iothreads;
mod isolation;
mod kept;
mod lifecycle;
mod machine_features;
mod memory;
mod memtune;
mod metadata;
mod namespaces;
mod numatune;
mod os;
mod processes;
mod read;
mod resctrl;
mod resource;
#[cfg(test)]
mod samples;
mod seclabel;
mod shape;
mod sysinfo;
mod vcpu;

pub use bitmap::Bitmap;
pub use blkiotune::{BlockDeviceTune, BlockTune};
pub use capabilities::{CAPABILITIES, Capabilities, CapabilityPolicy, Switch};
pub use clock::{Clock, ClockBasis, ClockOffset};
pub use cpu::Cpu;
pub use cputune::{Bandwidth, CpuTune, Scheduler, SchedulerKind};
pub use devices::{
    AccessMode, Changed, CharacterSource, Console, Controller, ControllerKind, Device,
    DeviceChange, DeviceFamily, DeviceKind, Devices, DirectMode, Disk, DiskBus, DiskDevice,
    DiskDriver, DiskSource, Filesystem, FilesystemDriver, FilesystemDriverKind, FilesystemSource,
    FilterReference, GuestReset, HostDevice, HostDeviceSource, Interface, InterfaceAddress,
    InterfaceSocket, InterfaceSource, LinkBandwidth, LinkState, LiveInterface, Mac, MacAddress,
    MacOrigin, NativeMode, Rate, Route, SocketKind, StartupPolicy, StorageKind, Subsystem,
    UsbDevice, VirtualPort, VirtualPortKind, Vlan, VlanTag,
};
pub use domain::{Domain, View, check_kind};
pub use features::Features;
pub use identity::{MAX_NAME_BYTES, check_name};
pub use idmap::{IdMap, IdRange};
pub use iothreads::IoThreads;
pub use isolation::{AllowedCalls, Isolation, IsolationProfile};
pub use lifecycle::{LifecycleAction, LockFailureAction};
pub use memory::MAX_KIB;
pub use memtune::MemoryTune;
pub use metadata::{NewPiece, Piece};
pub use namespaces::{Share, ShareSource, SharedNamespaces};
pub use numatune::{NumaMemory, NumaMode, NumaTune};
pub use os::{Os, SmbiosMode};
pub use processes::ProcessLimit;
pub use resctrl::{ControlGroup, ResourceControl};
pub use seclabel::{LabelKind, Relabel, SecurityLabel};
pub use uuid::Uuid;
pub use vcpu::{VcpuPlacement, Vcpus};
