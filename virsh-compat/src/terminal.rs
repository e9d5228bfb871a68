//! The user's terminal, one key at a time.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// A terminal in raw mode; it gets its settings back when this is dropped.
pub(crate) struct RawTerminal<'a> {
    fd: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> RawTerminal<'a> {
    /// Turns the terminal's own handling of keys off.
    pub(crate) fn enter(fd: BorrowedFd<'a>) -> Result<Self, Errno> {
        let before = tcgetattr(fd)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(fd, OptionalActions::Flush, &raw)?;
        Ok(Self { fd, before })
    }
}

impl Drop for RawTerminal<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.fd, OptionalActions::Flush, &self.before);
    }
}

/// Whether somebody is there to be asked.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal()
}

/// Asks for a key; none when there is no terminal any more. Keys typed before the question are no
/// answer to it.
pub(crate) fn ask(question: &str) -> Option<u8> {
    let (stdin, mut stdout) = (io::stdin(), io::stdout());
    let _raw = RawTerminal::enter(stdin.as_fd()).ok()?;
    write!(stdout, "\r{question}").and_then(|()| stdout.flush()).ok()?;
    let mut byte = [0];
    stdin.lock().read_exact(&mut byte).ok()?;
    Some(byte[0])
}
