//! Mounts, each tried in a mount namespace of the row's own: its rights are those of the
//! container's, and nobody else sees it.

use std::fs;
use std::io;

use crate::call::{address, call, text};
use crate::files;
use crate::row::{Said, from, na};

/// Where things are mounted: every root tree has it.
const PLACE: &str = "/tmp";

/// A mount namespace of this process's own.
pub(crate) fn unshare() -> io::Result<()> {
    call(libc::SYS_unshare, &[libc::CLONE_NEWNS as u64])?;
    mount("", "/", "", libc::MS_REC | libc::MS_PRIVATE)
}

/// `mount(2)`.
pub(crate) fn mount(source: &str, target: &str, kind: &str, flags: u64) -> io::Result<()> {
    let (source, target, kind) = (text(source), text(target), text(kind));
    call(libc::SYS_mount, &[address(&source), address(&target), address(&kind), flags, 0]).map(drop)
}

/// A file system of a kind, with options.
pub(crate) fn mount_with(kind: &str, data: &str) -> io::Result<()> {
    let (source, target, kind, data) = (text("none"), text(PLACE), text(kind), text(data));
    let arguments = [address(&source), address(&target), address(&kind), 0, address(&data)];
    call(libc::SYS_mount, &arguments).map(drop)
}

fn unmount(path: &str) -> io::Result<()> {
    let path = text(path);
    call(libc::SYS_umount2, &[address(&path), libc::MNT_DETACH as u64]).map(drop)
}

fn is_known(kind: &str) -> bool {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    known.lines().any(|line| line.rsplit('\t').next() == Some(kind))
}

/// Whether a file system can be mounted.
pub(crate) fn new(kind: &str, data: &str) -> Said {
    if !is_known(kind) {
        return na("no such file system");
    }
    from(unshare().and_then(|()| mount_with(kind, data)))
}

/// What can be done with a file of a file system that is mounted anew.
pub(crate) fn below_new(kind: &str, file: &str, ask: fn(&str) -> Said) -> Said {
    match unshare().and_then(|()| mount_with(kind, "")) {
        Ok(()) => ask(&format!("{PLACE}/{file}")),
        failed => from(failed),
    }
}

/// Whether a directory can be mounted somewhere else.
pub(crate) fn bind() -> Said {
    from(unshare().and_then(|()| mount("/etc", PLACE, "", libc::MS_BIND)))
}

/// Whether a mount can be taken away.
pub(crate) fn take_away(path: &str) -> Said {
    if !is_mounted(path) {
        return na("not mounted");
    }
    from(unshare().and_then(|()| unmount(path)))
}

/// Whether a file can be written after a mount over it was taken away.
pub(crate) fn write_below(path: &str, file: &str) -> Said {
    match unshare().and_then(|()| unmount(path)) {
        Ok(()) => files::write_same(file),
        failed => from(failed),
    }
}

/// Whether a mount that is read-only can be made writable.
pub(crate) fn make_writable(path: &str) -> Said {
    if !is_mounted(path) {
        return na("not mounted");
    }
    let flags = libc::MS_BIND | libc::MS_REMOUNT;
    from(unshare().and_then(|()| mount("", path, "", flags)))
}

fn is_mounted(path: &str) -> bool {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    table.lines().any(|line| line.split(' ').nth(4) == Some(path))
}

/// The calls of Linux 5.2.
pub(crate) fn new_api(kind: &str) -> Said {
    let attempt = || -> io::Result<i64> {
        unshare()?;
        let name = text(kind);
        let context = call(libc::SYS_fsopen, &[address(&name), 0])?;
        call(libc::SYS_fsconfig, &[context as u64, libc::FSCONFIG_CMD_CREATE as u64, 0, 0, 0])?;
        call(libc::SYS_fsmount, &[context as u64, 0, 0])
    };
    from(attempt())
}

/// Whether another directory can become the root.
pub(crate) fn change_root() -> Said {
    let path = text(PLACE);
    from(call(libc::SYS_chroot, &[address(&path)]))
}
