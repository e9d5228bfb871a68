//! `clone3(2)`: a child in new namespaces, with a pidfd, born in its cgroup.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// `CLONE_INTO_CGROUP` of `linux/sched.h`; libc's constant is an int and overflows.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which side of the clone the caller is on.
pub enum Side {
    /// The parent: the child's PID in the parent's namespace, and its pidfd (close-on-exec).
    Parent {
        /// Process ID of the child.
        pid: i32,
        /// Refers to the child whatever becomes of the number.
        pidfd: OwnedFd,
    },
    /// The child, with a copy of the parent's memory.
    Child,
}

/// Clones this process as `fork` would, into the namespaces of `flags` (`CLONE_NEW*`).
///
/// `cgroup` is the directory of a cgroup v2 to be born in (`CLONE_INTO_CGROUP`), which is far
/// cheaper than a later migration. The process must have one thread only: the child gets a copy
/// of the memory as it is, locks held by other threads included, so this refuses otherwise.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    if thread_count()? != 1 {
        return Err(io::Error::other("clone from a process with several threads"));
    }
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain integers; all zero is its documented neutral value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: args outlives the call and its size is passed; without CLONE_VM the child has its
    // own copy of the stack and memory, and this process has a single thread (checked above).
    let pid = super::check(unsafe {
        libc::syscall(libc::SYS_clone3, std::ptr::from_ref(&args), size_of::<libc::clone_args>())
    })?;
    if pid == 0 {
        return Ok(Side::Child);
    }
    // SAFETY: the kernel stored a new descriptor there that nothing else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Side::Parent { pid: pid as i32, pidfd })
}

/// Threads of this process: `/proc/self/task` has one entry each, and a directory's link count is
/// two more than its subdirectories.
fn thread_count() -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    Ok(std::fs::metadata("/proc/self/task")?.nlink().saturating_sub(2))
}
