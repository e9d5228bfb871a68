//! Processes by descriptor: a pidfd never means another process, as a recycled number can.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By `exit(2)`, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// By this signal, with a dump of its memory.
    Dumped(i32),
}

/// `pidfd_open(2)`.
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: integers only.
    let fd = super::check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: a new descriptor that nothing else owns; close-on-exec by definition.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// `pidfd_send_signal(2)`; a process that has ended already is `ESRCH`.
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: no siginfo is passed; integers otherwise.
    super::check(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}

/// Kills a process; one that has ended already is no error.
pub fn kill(pidfd: BorrowedFd<'_>) -> io::Result<()> {
    match send_signal(pidfd, Signal::SIGKILL as i32) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        result => result,
    }
}

/// Waits for a child to end and reaps it (`waitid(2)` with `P_PIDFD`).
///
/// Fails with `ECHILD` for a process that is not this one's child.
pub fn wait(pidfd: BorrowedFd<'_>) -> io::Result<Exit> {
    // SAFETY: siginfo_t is plain data; all zero is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: info outlives the call.
        let result = unsafe {
            libc::waitid(
                libc::P_PIDFD,
                pidfd.as_raw_fd() as libc::id_t,
                &raw mut info,
                libc::WEXITED,
            )
        };
        match super::check(result.into()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => {
                result?;
                break;
            }
        }
    }
    // SAFETY: after a successful waitid the fields of SIGCHLD are the ones that are set.
    let status = unsafe { info.si_status() };
    Ok(match info.si_code {
        libc::CLD_EXITED => Exit::Status(status),
        libc::CLD_DUMPED => Exit::Dumped(status),
        _ => Exit::Signal(status),
    })
}
