//! Pseudoterminals (`pty(7)`, `ioctl_tty(2)`) without `ptsname`: by descriptor only.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

/// Unlocks the slave of a master that was just opened (`TIOCSPTLCK`).
pub fn unlock(master: BorrowedFd<'_>) -> io::Result<()> {
    let unlocked: libc::c_int = 0;
    // SAFETY: TIOCSPTLCK reads one int.
    let result =
        unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, std::ptr::from_ref(&unlocked)) };
    super::check(result.into()).map(drop)
}

/// The number of a master's slave below its devpts instance (`TIOCGPTN`).
pub fn number(master: BorrowedFd<'_>) -> io::Result<u32> {
    let mut number: libc::c_uint = 0;
    // SAFETY: TIOCGPTN writes one unsigned int.
    let result =
        unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, std::ptr::from_mut(&mut number)) };
    super::check(result.into())?;
    Ok(number)
}

/// Opens the slave of a master without a path (`TIOCGPTPEER`), not as controlling terminal.
pub fn open_slave(master: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes open flags by value.
    let fd = unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) };
    super::check(fd.into())?;
    // SAFETY: a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes the terminal the controlling terminal of this session leader (`TIOCSCTTY`).
pub fn make_controlling(tty: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: TIOCSCTTY takes an int by value; 0 does not steal.
    super::check(unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSCTTY, 0) }.into()).map(drop)
}

/// Sets the window size (`TIOCSWINSZ`); the foreground process group gets `SIGWINCH`.
pub fn set_size(tty: BorrowedFd<'_>, rows: u16, columns: u16) -> io::Result<()> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCSWINSZ reads one winsize.
    let result =
        unsafe { libc::ioctl(tty.as_raw_fd(), libc::TIOCSWINSZ, std::ptr::from_ref(&size)) };
    super::check(result.into()).map(drop)
}

/// Switches a terminal to raw mode: bytes pass as they are, nothing is echoed.
pub fn make_raw(tty: BorrowedFd<'_>) -> io::Result<()> {
    let mut settings = tcgetattr(tty)?;
    cfmakeraw(&mut settings);
    tcsetattr(tty, SetArg::TCSANOW, &settings)?;
    Ok(())
}
