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
mod clock;
mod console;
mod cputune;
mod devices;
mod domain;
mod features;
mod filesystem;
mod identity;
mod iothreads;
mod lifecycle;
mod memory;
mod memtune;
mod metadata;
mod numatune;
mod os;
mod read;
mod resctrl;
mod resource;
#[cfg(test)]
mod samples;
mod shape;
mod unsupported;
mod vcpu;

pub use bitmap::Bitmap;
pub use blkiotune::{BlockDeviceTune, BlockTune};
pub use clock::Clock;
pub use console::Console;
pub use cputune::{Bandwidth, CpuTune, Scheduler, SchedulerKind};
pub use devices::Devices;
pub use domain::{Domain, View};
pub use features::Features;
pub use filesystem::{AccessMode, Filesystem, FilesystemSource};
pub use identity::{MAX_NAME_BYTES, check_name};
pub use iothreads::IoThreads;
pub use lifecycle::LifecycleAction;
pub use memory::MAX_KIB;
pub use memtune::MemoryTune;
pub use numatune::{NumaMemory, NumaMode, NumaTune};
pub use os::Os;
pub use resctrl::{ControlGroup, ResourceControl};
pub use uuid::Uuid;
pub use vcpu::{VcpuPlacement, Vcpus};
