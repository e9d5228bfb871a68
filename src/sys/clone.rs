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

/// Clones this process as `fork` would, into the namespaces of `flags` (`CLONE_NEW*`); with
/// `CLONE_PARENT` it becomes a sibling, which its parent waits for.
///
/// `cgroup` is the directory of a cgroup v2 to be born in (`CLONE_INTO_CGROUP`), which is far
/// cheaper than a later migration. The process must have one thread only: the child gets a copy
/// of the memory as it is, locks held by other threads included, so this refuses otherwise.
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Side> {
    check_one_thread()?;
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args is plain integers; all zero is its documented neutral value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | libc::CLONE_PIDFD as u64;
    args.pidfd = std::ptr::from_mut(&mut pidfd) as u64;
    // A sibling ends as its creator does, which the kernel wants left unsaid.
    if flags & libc::CLONE_PARENT as u64 == 0 {
        args.exit_signal = libc::SIGCHLD as u64;
    }
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

/// Fails for a process with several threads, which may not unshare the memory they have in common
/// (`unshare(2)`); with one, that has no effect. `/proc` cannot be asked by a process that is in
/// another one's mount namespace.
fn check_one_thread() -> io::Result<()> {
    // SAFETY: integers only; for a single thread CLONE_THREAD changes nothing.
    super::check(unsafe { libc::unshare(libc::CLONE_THREAD) }.into())
        .map(drop)
        .map_err(|_| io::Error::other("clone from a process with several threads"))
}
