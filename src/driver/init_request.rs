//! Asking init to end or to start anew: each kind of init has its own words.
//!
//! libvirt writes to an initctl FIFO or sends SIGTERM and SIGHUP, which systemd takes for
//! something else, and a program without a handler, being process 1, does not notice at all; and
//! it reports success either way. Here the kind of init is looked up, and what cannot work is an
//! error.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::signal::Signal;

use super::domain::Init;
use crate::error::{Error, ErrorCode, Result};
use crate::sys::pidfd;

/// What init is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    PowerOff,
    Reboot,
}

/// libvirt's flags for the way: `virDomainShutdownFlagValues`, the same numbers for reboot.
pub(super) const VIA_INITCTL: u32 = 4;
pub(super) const VIA_SIGNAL: u32 = 8;

/// Asks init; the flags choose the way, none of them means whichever works.
pub(super) fn ask(init: &Init, wish: Wish, flags: u32) -> Result<()> {
    let kind = Kind::of(init.pid)?;
    let initctl = flags == 0 && kind == Kind::Other || flags & VIA_INITCTL != 0;
    if initctl && let Some(fifo) = open_initctl(init.pid)? {
        return write_initctl(fifo, wish);
    }
    if flags == VIA_INITCTL {
        return Err(unsupported("the container has no initctl FIFO to ask its init through"));
    }
    let signal = kind.signal(wish);
    if !handles(init.pid, signal)? {
        return Err(unsupported(format!(
            "the container's init has no handler for signal {signal}, which would ask it to {}: \
             use destroy",
            match wish {
                Wish::PowerOff => "shut down",
                Wish::Reboot => "reboot",
            }
        )));
    }
    pidfd::send_signal(init.pidfd.as_fd(), signal)
        .map_err(|e| Error::system("cannot signal the container's init", e))
}

/// Kinds of init that understand different signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Systemd,
    Busybox,
    Other,
}

impl Kind {
    fn of(pid: u32) -> Result<Self> {
        // What was executed; the file's name cannot be changed by what runs.
        let program = fs::read_link(format!("/proc/{pid}/exe"))
            .map_err(|e| Error::system("cannot see what the container's init is", e))?;
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let first = arguments.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(Self::from(&program, first))
    }

    fn from(program: &Path, first: &[u8]) -> Self {
        let name = program.file_name().unwrap_or_default().as_encoded_bytes();
        if name.starts_with(b"systemd") {
            Self::Systemd
        } else if name.starts_with(b"busybox") && (first.ends_with(b"/init") || first == b"init") {
            Self::Busybox
        } else {
            Self::Other
        }
    }

    /// systemd(1) "Signals"; busybox init's halt, reboot and poweroff signals.
    fn signal(self, wish: Wish) -> i32 {
        match (self, wish) {
            (Self::Systemd, Wish::PowerOff) => nix::libc::SIGRTMIN() + 4,
            (Self::Systemd, Wish::Reboot) => nix::libc::SIGRTMIN() + 5,
            (Self::Busybox, Wish::PowerOff) => Signal::SIGUSR2 as i32,
            (Self::Busybox, Wish::Reboot) | (Self::Other, Wish::PowerOff) => Signal::SIGTERM as i32,
            (Self::Other, Wish::Reboot) => Signal::SIGHUP as i32,
        }
    }
}

/// Whether a signal gets through to a process.
fn handles(pid: u32, signal: i32) -> Result<bool> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .map_err(|e| Error::system("cannot see the container's init", e))?;
    Ok(catches(&status, signal))
}

/// Whether a process with that `/proc/PID/status` has a handler for a signal, or waits for it with
/// `sigwait(3)` or a signalfd (then it is blocked); to process 1 nothing else gets through.
fn catches(status: &str, signal: i32) -> bool {
    let bit = 1_u64 << signal.saturating_sub(1);
    ["SigCgt:\t", "SigBlk:\t"].iter().any(|field| {
        let mask = status.lines().find_map(|line| line.strip_prefix(field));
        mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|it| it & bit != 0)
    })
}

/// Opens the FIFO of a System V init. Paths inside are the container's to choose, so links in
/// them are followed within its root only, and what is no FIFO with a reader is none.
fn open_initctl(pid: u32) -> Result<Option<fs::File>> {
    let failed = |e: io::Error| Error::system("cannot look for the container's initctl", e);
    let root = fs::File::open(format!("/proc/{pid}/root")).map_err(failed)?;
    for path in ["run/initctl", "dev/initctl", "etc/.initctl"] {
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let how = OpenHow::new()
            .flags(flags)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        // Missing, or nobody reads it: then this is not how its init is asked.
        let Ok(fd) = openat2(root.as_fd(), path, how) else {
            continue;
        };
        let file = fs::File::from(fd);
        if file.metadata().map_err(failed)?.file_type().is_fifo() {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Writes a request to change the run level: 384 bytes, a magic number, the command 1, the run
/// level as a character (`initctl(5)` of sysvinit).
fn write_initctl(mut fifo: fs::File, wish: Wish) -> Result<()> {
    let level = match wish {
        Wish::PowerOff => b'0',
        Wish::Reboot => b'6',
    };
    let mut request = Vec::with_capacity(384);
    for number in [0x0309_1969_i32, 1, i32::from(level), 0] {
        request.extend(number.to_ne_bytes());
    }
    request.resize(384, 0);
    fifo.write_all(&request)
        .map_err(|e| Error::system("cannot write to the container's initctl", e))
}

fn unsupported(detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::OperationUnsupported, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inits_are_told_apart() {
        let kind = |program, first: &str| Kind::from(Path::new(program), first.as_bytes());
        assert_eq!(kind("/usr/lib/systemd/systemd", "/sbin/init"), Kind::Systemd);
        assert_eq!(kind("/bin/busybox", "/sbin/init"), Kind::Busybox);
        assert_eq!(kind("/bin/busybox", "/bin/sh"), Kind::Other);
        assert_eq!(kind("/usr/bin/python3.11", "python3"), Kind::Other);
    }

    #[test]
    fn only_signals_that_arrive_are_sent() {
        let status = "SigBlk:\t0000000000000001\nSigIgn:\t0000000000001000\n\
                      SigCgt:\t0000000000004000\n";
        assert!(catches(status, Signal::SIGTERM as i32), "a handler");
        assert!(catches(status, Signal::SIGHUP as i32), "blocked, to be waited for");
        assert!(!catches(status, Signal::SIGPIPE as i32), "ignored");
        assert!(!catches(status, Signal::SIGUSR2 as i32), "at its default");
    }
}
