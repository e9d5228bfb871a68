//! Asking init to end or to start anew: each kind of init has its own words.
//!
//! libvirt writes to an initctl FIFO or sends SIGTERM and SIGHUP, which systemd takes for
//! something else, and a program without a handler, being process 1, does not notice at all; and
//! it reports success either way. Here the kind of init is looked up, and what cannot work is an
//! error.

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
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

/// How an init can be asked.
#[derive(Debug)]
pub(super) enum Way {
    /// Through the FIFO of a System V init.
    Initctl(fs::File),
    /// By a signal that this init takes for the wish.
    Signal(i32),
    /// By a signal that ends it, and what is to follow is for its supervisor to know.
    End(i32),
}

/// Finds the way; the flags choose it, none of them means whichever works.
pub(super) fn way(init: &Init, wish: Wish, flags: u32) -> Result<Way> {
    let kind = Kind::of(init.pid)?;
    let initctl = flags == 0 && !matches!(kind, Kind::Systemd | Kind::Busybox);
    if (initctl || flags & VIA_INITCTL != 0)
        && let Some(fifo) = open_initctl(init.pid)?
    {
        return Ok(Way::Initctl(fifo));
    }
    if flags == VIA_INITCTL {
        return Err(unsupported("the container has no initctl FIFO to ask its init through"));
    }
    let ways = kind.signals(wish);
    for way in &ways {
        if let Way::Signal(signal) | Way::End(signal) = way
            && handles(init.pid, *signal)?
        {
            return Ok(match way {
                Way::End(signal) if wish == Wish::Reboot => Way::End(*signal),
                _ => Way::Signal(*signal),
            });
        }
    }
    let wish = match wish {
        Wish::PowerOff => "shut down",
        Wish::Reboot => "reboot",
    };
    Err(unsupported(match signals(&ways) {
        None => format!("the container's init knows no signal that asks it to {wish}: use destroy"),
        Some(signals) => format!(
            "the container's init has no handler for signal {signals}, which would ask it to \
             {wish}: use destroy"
        ),
    }))
}

fn signals(ways: &[Way]) -> Option<String> {
    let numbers = ways.iter().filter_map(|way| match way {
        Way::Signal(signal) | Way::End(signal) => Some(signal.to_string()),
        Way::Initctl(_) => None,
    });
    let numbers: Vec<String> = numbers.collect();
    (!numbers.is_empty()).then(|| numbers.join(" or "))
}

impl Way {
    /// Asks init.
    pub(super) fn ask(self, init: &Init, wish: Wish) -> Result<()> {
        match self {
            Self::Initctl(fifo) => write_initctl(fifo, wish),
            Self::Signal(signal) | Self::End(signal) => {
                pidfd::send_signal(init.pidfd.as_fd(), signal)
                    .map_err(|e| Error::system("cannot signal the container's init", e))
            }
        }
    }
}

/// Kinds of init that understand different signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Systemd,
    Busybox,
    /// System V's, or another program of that name.
    Init,
    Runit,
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
        // A file that was replaced since, by an upgrade inside.
        let name = name.strip_suffix(b" (deleted)").unwrap_or(name);
        match name {
            b"init" => Self::Init,
            b"runit" | b"runit-init" => Self::Runit,
            _ if name.starts_with(b"systemd") => Self::Systemd,
            _ if name.starts_with(b"busybox")
                && (first.ends_with(b"/init") || first == b"init") =>
            {
                Self::Busybox
            }
            _ => Self::Other,
        }
    }

    /// The signals in question, the best first: of systemd(1) "Signals"; busybox init's for halt
    /// and reboot. runit takes none: it blocks those that it does not know. System V's reloads its
    /// table at SIGHUP, and so do many programs, but for those without a way to end there is only
    /// libvirt's.
    fn signals(self, wish: Wish) -> Vec<Way> {
        const HUP: i32 = Signal::SIGHUP as i32;
        const TERM: i32 = Signal::SIGTERM as i32;
        match (self, wish) {
            (Self::Systemd, Wish::PowerOff) => vec![Way::Signal(nix::libc::SIGRTMIN() + 4)],
            (Self::Systemd, Wish::Reboot) => vec![Way::Signal(nix::libc::SIGRTMIN() + 5)],
            (Self::Busybox, Wish::PowerOff) => vec![Way::Signal(Signal::SIGUSR2 as i32)],
            (Self::Busybox, Wish::Reboot) => vec![Way::Signal(TERM)],
            (Self::Runit, _) => Vec::new(),
            (Self::Init, _) | (Self::Other, Wish::PowerOff) => vec![Way::End(TERM)],
            (Self::Other, Wish::Reboot) => vec![Way::End(TERM), Way::Signal(HUP)],
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

/// Where a System V init has its FIFO, below its root.
const INITCTL: [&str; 3] = ["run/initctl", "dev/initctl", "etc/.initctl"];

/// Opens the FIFO of a System V init. Paths inside are the container's to choose, so links in
/// them are followed within its root only, and what is no FIFO with a reader is none.
fn open_initctl(pid: u32) -> Result<Option<fs::File>> {
    let failed = |e: io::Error| Error::system("cannot look for the container's initctl", e);
    let root = fs::File::open(format!("/proc/{pid}/root")).map_err(failed)?;
    for path in INITCTL {
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let how = OpenHow::new()
            .flags(flags)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        // Missing, or nobody reads it: then this is not how its init is asked.
        let Ok(fd) = openat2(root.as_fd(), path, how) else {
            continue;
        };
        let file = fs::File::from(fd);
        let found = file.metadata().map_err(failed)?;
        let is_hosts = |host: fs::Metadata| (host.dev(), host.ino()) == (found.dev(), found.ino());
        // A container whose root is the host's own, or shares its /run.
        if found.file_type().is_fifo()
            && !fs::metadata(Path::new("/").join(path)).is_ok_and(is_hosts)
        {
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
        assert_eq!(kind("/usr/lib/systemd/systemd (deleted)", "/sbin/init"), Kind::Systemd);
        assert_eq!(kind("/usr/sbin/init (deleted)", "init"), Kind::Init);
        assert_eq!(kind("/usr/bin/runit", "runit"), Kind::Runit);
    }

    #[test]
    fn each_kind_has_its_words() {
        let words = |kind: Kind, wish| signals(&kind.signals(wish)).unwrap_or_default();
        assert_eq!(words(Kind::Systemd, Wish::PowerOff), "38");
        assert_eq!(words(Kind::Systemd, Wish::Reboot), "39");
        assert_eq!(words(Kind::Busybox, Wish::PowerOff), "12");
        assert_eq!(words(Kind::Busybox, Wish::Reboot), "15");
        assert_eq!(words(Kind::Init, Wish::Reboot), "15");
        assert_eq!(words(Kind::Runit, Wish::PowerOff), "");
        assert_eq!(words(Kind::Other, Wish::Reboot), "15 or 1");
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
