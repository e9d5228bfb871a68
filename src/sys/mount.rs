//! The mount API of Linux 5.2: file systems and copies of trees as descriptors, attached later.
//!
//! A detached mount ([`DetachedMount`]) belongs to no namespace: dropped, it is gone. That makes
//! the set-up of a container undo itself: whatever fails, nothing was mounted anywhere.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The root of a mount that is attached nowhere yet.
#[derive(Debug)]
pub struct DetachedMount(OwnedFd);

impl AsFd for DetachedMount {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `fsopen(2)`, `fsconfig(2)`, `fsmount(2)`: a new file system, detached.
///
/// `source` is the device, or for a type without one what the table of mounts shows in its place;
/// `options` are `key=value`, or a flag where the value is empty.
pub fn new_filesystem(
    kind: &str,
    source: &str,
    options: &[(&str, &str)],
    attributes: u64,
) -> io::Result<DetachedMount> {
    let name = CString::new(kind)?;
    // SAFETY: name is a NUL-terminated string that outlives the call.
    let context = super::check(unsafe {
        libc::syscall(libc::SYS_fsopen, name.as_ptr(), libc::FSOPEN_CLOEXEC)
    })?;
    let context = owned(context);
    configure(&context, "source", source)?;
    for (key, value) in options {
        configure(&context, key, value)?;
    }
    // SAFETY: a command without key and value, on a descriptor we own.
    super::check(unsafe {
        libc::syscall(
            libc::SYS_fsconfig,
            context.as_raw_fd(),
            libc::FSCONFIG_CMD_CREATE,
            std::ptr::null::<libc::c_char>(),
            std::ptr::null::<libc::c_char>(),
            0,
        )
    })?;
    // SAFETY: integers only.
    let mount = super::check(unsafe {
        libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), libc::FSMOUNT_CLOEXEC, attributes)
    })?;
    Ok(DetachedMount(owned(mount)))
}

fn configure(context: &OwnedFd, key: &str, value: &str) -> io::Result<()> {
    let key = CString::new(key)?;
    let (command, value) = match value {
        "" => (libc::FSCONFIG_SET_FLAG, None),
        value => (libc::FSCONFIG_SET_STRING, Some(CString::new(value)?)),
    };
    let value = value.as_ref().map_or(std::ptr::null(), |value| value.as_ptr());
    // SAFETY: key and value are NUL-terminated strings that outlive the call.
    super::check(unsafe {
        libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), command, key.as_ptr(), value, 0)
    })
    .map(drop)
}

/// `open_tree(2)` with `OPEN_TREE_CLONE`: a detached copy of what a descriptor refers to (`O_PATH`
/// will do); with `recursive` the mounts below it come along.
pub fn clone_place(place: BorrowedFd<'_>, recursive: bool) -> io::Result<DetachedMount> {
    let below = if recursive { libc::AT_RECURSIVE } else { 0 };
    let flags =
        libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | (libc::AT_EMPTY_PATH | below) as u32;
    // SAFETY: the path is empty, so the descriptor itself is meant, which is open for the call.
    let mount = super::check(unsafe {
        libc::syscall(libc::SYS_open_tree, place.as_raw_fd(), c"".as_ptr(), flags)
    })?;
    Ok(DetachedMount(owned(mount)))
}

/// `mount_setattr(2)`: sets and clears `MOUNT_ATTR_*` bits of a mount, and with `recursive` of all
/// mounts below it.
pub fn set_attributes(
    mount: BorrowedFd<'_>,
    set: u64,
    clear: u64,
    recursive: bool,
) -> io::Result<()> {
    change(mount, &libc::mount_attr { attr_set: set, attr_clr: clear, ..neutral() }, recursive)
}

/// `mount_setattr(2)` with `MOUNT_ATTR_IDMAP`: shows the files of a detached mount as belonging to
/// the ids that a user namespace has for their owners' numbers, and with `recursive` those of all
/// mounts below it, or of none. `EINVAL` is the answer where the file system cannot.
pub fn map_owners(
    mount: BorrowedFd<'_>,
    user_namespace: BorrowedFd<'_>,
    recursive: bool,
) -> io::Result<()> {
    let userns_fd = user_namespace.as_raw_fd() as u64;
    let map = libc::mount_attr { attr_set: libc::MOUNT_ATTR_IDMAP, userns_fd, ..neutral() };
    change(mount, &map, recursive)
}

fn neutral() -> libc::mount_attr {
    // SAFETY: mount_attr is plain integers; all zero is its neutral value.
    unsafe { std::mem::zeroed() }
}

fn change(mount: BorrowedFd<'_>, how: &libc::mount_attr, recursive: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the struct outlives the call and its size is passed; the path is empty, so the
    // descriptor itself is meant.
    super::check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(how),
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

/// `move_mount(2)`: attaches a detached mount onto what `target` refers to (an `O_PATH`
/// descriptor will do), so that no path is resolved twice.
pub fn attach(mount: &DetachedMount, target: BorrowedFd<'_>) -> io::Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are empty strings; the descriptors are open for the call.
    super::check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            target.as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    })
    .map(drop)
}

fn owned(fd: libc::c_long) -> OwnedFd {
    // SAFETY: called with what a system call has just returned as a new descriptor.
    unsafe { OwnedFd::from_raw_fd(fd as RawFd) }
}
