//! Device nodes: whether they can be made, and whether what they are for opens.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use crate::call::{address, call, text};
use crate::mounts;
use crate::row::{Said, allowing, from};

const NODE: &str = "/dev/probe-node";

/// The number of a device, as `mknod(2)` takes it.
fn number(major: u64, minor: u64) -> u64 {
    (major << 8) | (minor & 0xFF) | ((minor & 0xFFF00) << 12)
}

/// Whether a node can be made.
pub(crate) fn make(kind: u32, major: u64, minor: u64) -> Said {
    let made = node(kind, major, minor);
    let _ = std::fs::remove_file(NODE);
    from(made)
}

fn node(kind: u32, major: u64, minor: u64) -> io::Result<()> {
    let path = text(NODE);
    let mode = u64::from(kind | 0o600);
    let directory = libc::AT_FDCWD as i64 as u64;
    call(libc::SYS_mknodat, &[directory, address(&path), mode, number(major, minor)]).map(drop)
}

/// Whether a device opens for reading, wherever a node for it comes from.
pub(crate) fn open(name: &str, kind: u32, major: u64, minor: u64) -> Said {
    let mut tried = node(kind, major, minor).and_then(|()| open_node(NODE));
    let _ = std::fs::remove_file(NODE);
    if tried.is_err() {
        let other = mounts::unshare()
            .and_then(|()| mounts::mount("none", "/tmp", "devtmpfs", 0))
            .and_then(|()| open_node(&format!("/tmp/{name}")));
        tried = other.or(tried);
    }
    // It opens, and says that nothing is there or that somebody else has it.
    allowing(tried, &[libc::ENXIO, libc::EBUSY])
}

fn open_node(path: &str) -> io::Result<()> {
    File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map(drop)
}

/// Whether the group's devices can be extended, by a hierarchy that is mounted anew.
pub(crate) fn allow_all() -> Said {
    let write = || -> io::Result<()> {
        mounts::unshare()?;
        mounts::mount_with("cgroup", "devices")?;
        std::fs::write("/tmp/devices.allow", "b 7:0 r")
    };
    from(write())
}
