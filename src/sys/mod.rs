//! All `unsafe` of nsvirt: the system calls that `nix` does not wrap, each as one safe function.
//!
//! What is here is what a reader of the manual pages expects, no policy: `clone3(2)`, the mount
//! API of Linux 5.2 (`open_tree(2)`, `fsopen(2)`, `move_mount(2)`, `mount_setattr(2)`),
//! `pidfd_open(2)` and friends, pseudoterminal ioctls, capabilities, `close_range(2)`. Everything
//! returns the errno as [`std::io::Error`]; callers say what they attempted.
#![allow(unsafe_code)]

pub mod bpf;
pub mod caps;
pub mod clock;
pub mod clone;
pub mod fd;
pub mod keyring;
pub mod link;
pub mod loop_device;
pub mod mempolicy;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod pidfd;
pub mod seccomp;
pub mod tty;
pub mod user;

use std::io;

/// Turns the C convention (-1 and errno) into a result.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Gives a signal a disposition that is no function of this program (default or ignored).
pub fn set_signal(signal: nix::sys::signal::Signal, ignore: bool) -> io::Result<()> {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, sigaction};
    let handler = if ignore { SigHandler::SigIgn } else { SigHandler::SigDfl };
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler of ours is installed, so nothing can run at a bad moment.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

/// Gives every signal its default disposition, `rt_sigaction(2)` itself: the C library's function
/// refuses the two signals it keeps for itself, which `posix_spawn(3)` leaves ignored in children.
pub fn reset_signals() -> io::Result<()> {
    /// Handler, flags, restorer and mask of the kernel's structure, in whatever order.
    const DEFAULT: [u64; 4] = [0; 4];
    const BYTES_OF_A_MASK: usize = 8;
    const LAST: libc::c_int = 64;
    for signal in (1..=LAST).filter(|it| ![libc::SIGKILL, libc::SIGSTOP].contains(it)) {
        // SAFETY: the structure is read only; no handler is installed.
        check(unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                DEFAULT.as_ptr(),
                std::ptr::null_mut::<u64>(),
                BYTES_OF_A_MASK,
            )
        })?;
    }
    Ok(())
}

/// Lets programs see the 32-bit alternative of the host's architecture in `uname(2)`
/// (`personality(2)`); it stays over exec.
pub fn set_linux32() -> io::Result<()> {
    const PER_LINUX32: libc::c_ulong = 8;
    // SAFETY: integers only.
    check(unsafe { libc::personality(PER_LINUX32) }.into()).map(drop)
}
