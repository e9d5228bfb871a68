//! A console: bytes between a terminal of the host and one of the container.
//!
//! Neither side can stop the other. What the container prints goes to the host's terminal; when
//! nobody reads there, the newest [`OUTPUT_LIMIT`] bytes are kept and older ones are lost, so that
//! init never waits for a reader. What is typed on the host is taken only as fast as the container
//! reads it. A log, if there is one, gets everything, read or not.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::unistd::{read, write};

use super::console_log::Log;
use super::protocol::{Attempt, Failure};
use super::start::{Terminal, open_master};
use crate::plan;
use crate::sys::tty;

/// Output kept for a reader that comes later, in bytes.
const OUTPUT_LIMIT: usize = 64 << 10;
/// Output taken at once, in bytes: a terminal holds no more.
const CHUNK: usize = 4 << 10;
/// Input taken from the host ahead of the container, in bytes.
const INPUT_LIMIT: usize = 4 << 10;

/// The host's side of a console, for the whole run: it outlives a reboot of the container.
pub(super) struct Console {
    host: OwnedFd,
    /// Held open so that the master never hangs up while clients come and go.
    _slave: OwnedFd,
    path: String,
    log: Option<Log>,
    output: VecDeque<u8>,
    input: VecDeque<u8>,
}

impl Console {
    /// Opens a terminal on the host, in raw mode: the container's own terminal does the editing.
    pub(super) fn open(plan: &plan::Console) -> Result<Self, Failure> {
        let log = plan.log.as_ref().map(Log::open).transpose()?;
        let host = open_master(None, c"/dev/ptmx").attempt("open a terminal", "/dev/ptmx")?;
        let slave = tty::open_slave(host.as_fd()).attempt("open a terminal", "")?;
        tty::make_raw(slave.as_fd()).attempt("switch a terminal to raw mode", "")?;
        let number = tty::number(host.as_fd()).attempt("number a terminal", "")?;
        let path = format!("/dev/pts/{number}");
        let (output, input) = (VecDeque::new(), VecDeque::new());
        Ok(Self { host, _slave: slave, path, log, output, input })
    }

    /// The host's terminal, for clients that open it by path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// A new descriptor of the host's terminal.
    pub(super) fn open_client(&self) -> io::Result<OwnedFd> {
        tty::open_slave(self.host.as_fd())
    }

    /// What to wait for on both sides.
    pub(super) fn interest<'a>(&'a self, terminal: &'a Terminal) -> [PollFd<'a>; 2] {
        let mut host = PollFlags::empty();
        let mut container = PollFlags::POLLIN;
        host.set(PollFlags::POLLIN, self.input.len() < INPUT_LIMIT);
        host.set(PollFlags::POLLOUT, !self.output.is_empty());
        container.set(PollFlags::POLLOUT, !self.input.is_empty());
        [PollFd::new(self.host.as_fd(), host), PollFd::new(terminal.master.as_fd(), container)]
    }

    /// Moves what can be moved, without waiting.
    pub(super) fn relay(&mut self, terminal: &Terminal) -> io::Result<()> {
        let printed = take(terminal.master.as_fd(), CHUNK)?;
        if let Some(log) = &mut self.log {
            log.keep(&printed);
        }
        self.output.extend(printed);
        self.output.drain(..self.output.len().saturating_sub(OUTPUT_LIMIT));
        give(self.host.as_fd(), &mut self.output)?;
        self.input.extend(take(self.host.as_fd(), INPUT_LIMIT.saturating_sub(self.input.len()))?);
        give(terminal.master.as_fd(), &mut self.input)
    }

    /// Input that a container did not read is not for the one that follows it.
    pub(super) fn forget_input(&mut self) {
        self.input.clear();
    }
}

/// Reads once, at most so much; nothing if there is nothing to read now.
fn take(from: BorrowedFd<'_>, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let length = match read(from, &mut bytes) {
        // EIO: no slave is open, which ends when a program opens one.
        Err(Errno::EAGAIN | Errno::EINTR | Errno::EIO) => 0,
        result => result?,
    };
    bytes.truncate(length);
    Ok(bytes)
}

/// Writes once, as much as the other side takes.
fn give(to: BorrowedFd<'_>, buffer: &mut VecDeque<u8>) -> io::Result<()> {
    let (bytes, _) = buffer.as_slices();
    if bytes.is_empty() {
        return Ok(());
    }
    let length = match write(to, bytes) {
        Err(Errno::EAGAIN | Errno::EINTR | Errno::EIO) => return Ok(()),
        result => result?,
    };
    buffer.drain(..length);
    Ok(())
}
