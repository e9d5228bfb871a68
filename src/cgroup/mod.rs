//! Control groups on hosts with version 1, version 2, or both (hybrid).
//!
//! A container has one [`Group`]: the same three directories in every hierarchy.
//!
//! ```text
//! PARTITION/NAME.libvirt-lxc/supervisor     nsvirt-lxc, outside the container's limits
//! PARTITION/NAME.libvirt-lxc/payload        the limits; frozen and killed as a whole
//! PARTITION/NAME.libvirt-lxc/payload/init   init; the root of the container's cgroup namespace
//! ```
//!
//! The limits are one level above what the container sees as its root, so that root inside can
//! arrange its own groups and cannot lift its limits. The leaf of the supervisor has a name of its
//! own because `virsh lxc-enter-namespace` cuts the path of the domain's ID at a leaf it knows.
//!
//! `cgroups-rs` writes limits; directories, freezing and killing are ours: it knows no hybrid
//! hosts, reads back the freezer's request instead of its state, and removes no group with
//! children. Statistics too: it panics where a file of version 2 is missing.

mod devices;
mod directory;
mod group;
mod layout;
mod limits;
mod statistics;

pub use group::Group;
pub use layout::{Hierarchy, Layout, Version};
pub use statistics::{BlockUsage, CpuLimits, CpuTime, MemoryLimits, MemoryUsage, Usage};
