//! Copies bytes between the user's terminal and a console, and never leaves the terminal raw.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::termios::tcgetwinsize;
use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::low_level::{emulate_default_handler, pipe, unregister};

use crate::terminal::RawTerminal;

/// What is read at once. Small, so that neither direction waits long for the other.
const CHUNK: usize = 4096;

/// Typed bytes kept for a console that is slow to read them: a large paste.
const MAX_PENDING: usize = 1 << 20;

/// Relays between the terminal and `console` until `escape` is typed or either side ends.
///
/// `resized` is told rows and columns of the terminal at the start and at each change.
pub(crate) fn run(
    console: BorrowedFd<'_>,
    escape: u8,
    resized: impl Fn(u16, u16),
) -> Result<(), String> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let tell_size = || {
        let size = tcgetwinsize(stdin.as_fd()).ok();
        if let Some(size) = size.filter(|size| size.ws_row != 0 && size.ws_col != 0) {
            resized(size.ws_row, size.ws_col);
        }
    };
    let signals = Signals::watch().map_err(|error| format!("cannot watch for signals: {error}"))?;
    let outcome = {
        let _raw = RawTerminal::enter(stdin.as_fd())
            .map_err(|errno| format!("unable to make terminal raw: {}", text(errno)))?;
        let _nonblocking = NonBlocking::enter(console);
        tell_size();
        let ends = Ends { input: stdin.as_fd(), output: stdout.as_fd(), console };
        copy(&ends, escape, signals.wake.as_fd(), || {
            if signals.resized() {
                tell_size();
            }
            signals.fatal().is_none()
        })
    };
    if let Some(signal) = signals.fatal() {
        // The terminal is as it was; now the signal may do what it came for.
        let _ = emulate_default_handler(signal);
    }
    outcome.map_err(|errno| format!("console: {}", text(errno)))
}

/// The system's text for an error.
pub(crate) fn text(errno: Errno) -> String {
    crate::cmd::itself::errno(&io::Error::from(errno))
}

/// The three descriptors of a relay.
struct Ends<'a> {
    input: BorrowedFd<'a>,
    output: BorrowedFd<'a>,
    console: BorrowedFd<'a>,
}

/// The loop. The console is read again only when what it said is on the screen.
///
/// `woken` is called when `wake` is readable; the relay ends if it returns false.
fn copy(
    ends: &Ends<'_>,
    escape: u8,
    wake: BorrowedFd<'_>,
    mut woken: impl FnMut() -> bool,
) -> Result<(), Errno> {
    let mut to_console: Vec<u8> = Vec::new();
    let mut to_user: Vec<u8> = Vec::new();
    loop {
        let when = |wanted: bool, flag: PollFlags| if wanted { flag } else { PollFlags::empty() };
        let console_events =
            when(to_user.is_empty(), PollFlags::IN) | when(!to_console.is_empty(), PollFlags::OUT);
        let mut fds = [
            PollFd::from_borrowed_fd(wake, PollFlags::IN),
            PollFd::from_borrowed_fd(ends.console, console_events),
            PollFd::from_borrowed_fd(ends.input, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
            Ok(_) => {}
        }
        let [wake_ready, console_ready, input_ready] = fds.map(|fd| fd.revents());
        if !wake_ready.is_empty() && !woken() {
            return Ok(());
        }
        if console_ready.contains(PollFlags::OUT) && !send(ends.console, &mut to_console)? {
            return Ok(());
        }
        if !input_ready.is_empty() {
            let Some(typed) = receive(ends.input)? else {
                return Ok(());
            };
            if let Some((before, _)) = split_at_escape(&typed, escape) {
                to_console.extend_from_slice(before);
                send(ends.console, &mut to_console)?;
                return Ok(());
            }
            // The user must be able to leave a console that reads nothing, so keys are always read;
            // what such a console would never see is dropped in the end.
            if to_console.len() < MAX_PENDING {
                to_console.extend_from_slice(&typed);
            }
        }
        let readable = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        if to_user.is_empty() && console_ready.intersects(readable) {
            let Some(shown) = receive(ends.console)? else {
                return Ok(());
            };
            to_user = shown;
            // Our own terminal is written to without asking: it always catches up.
            while !to_user.is_empty() {
                if !send(ends.output, &mut to_user)? {
                    return Ok(());
                }
            }
        }
    }
}

fn split_at_escape(typed: &[u8], escape: u8) -> Option<(&[u8], &[u8])> {
    let at = typed.iter().position(|byte| *byte == escape)?;
    typed.split_at_checked(at)
}

/// None at the end: of the file, or of the container behind the terminal.
pub(crate) fn receive(fd: BorrowedFd<'_>) -> Result<Option<Vec<u8>>, Errno> {
    let mut chunk = vec![0; CHUNK];
    match rustix::io::read(fd, &mut chunk) {
        Ok(0) | Err(Errno::IO | Errno::CONNRESET) => Ok(None),
        Ok(count) => {
            chunk.truncate(count);
            Ok(Some(chunk))
        }
        Err(Errno::AGAIN | Errno::INTR) => Ok(Some(Vec::new())),
        Err(errno) => Err(errno),
    }
}

/// Writes what can be written now; false if the other end is gone.
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &mut Vec<u8>) -> Result<bool, Errno> {
    if bytes.is_empty() {
        return Ok(true);
    }
    match rustix::io::write(fd, bytes) {
        Ok(count) => {
            bytes.drain(..count.min(bytes.len()));
            Ok(true)
        }
        Err(Errno::AGAIN | Errno::INTR) => Ok(true),
        Err(Errno::IO | Errno::PIPE | Errno::CONNRESET) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// A console that must not block us: a container that reads nothing would lock the user in.
struct NonBlocking<'a> {
    fd: BorrowedFd<'a>,
    before: Option<OFlags>,
}

impl<'a> NonBlocking<'a> {
    fn enter(fd: BorrowedFd<'a>) -> Self {
        let before = fcntl_getfl(fd).ok().filter(|flags| !flags.contains(OFlags::NONBLOCK));
        if let Some(flags) = before {
            let _ = fcntl_setfl(fd, flags | OFlags::NONBLOCK);
        }
        Self { fd, before }
    }
}

impl Drop for NonBlocking<'_> {
    fn drop(&mut self) {
        // The open file may be shared with the service, which is to find it as it was.
        if let Some(flags) = self.before {
            let _ = fcntl_setfl(self.fd, flags);
        }
    }
}

/// Signals, turned into a readable descriptor and flags that say which.
pub(crate) struct Signals {
    wake: UnixStream,
    winch: Arc<AtomicBool>,
    deadly: Arc<AtomicUsize>,
    ids: Vec<SigId>,
}

impl Signals {
    pub(crate) fn watch() -> io::Result<Self> {
        let (wake, writer) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let (winch, deadly) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut signals = Self { wake, winch, deadly, ids: Vec::new() };
        // Flags before the pipe: who is woken finds them set.
        let winch = signal_hook::flag::register(SIGWINCH, Arc::clone(&signals.winch))?;
        signals.ids.push(winch);
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            let number = usize::try_from(signal).unwrap_or_default();
            let flag = Arc::clone(&signals.deadly);
            signals.ids.push(signal_hook::flag::register_usize(signal, flag, number)?);
        }
        for signal in [SIGWINCH, SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            signals.ids.push(pipe::register(signal, writer.try_clone()?)?);
        }
        Ok(signals)
    }

    /// Whether the size changed since the last call; empties the pipe.
    pub(crate) fn resized(&self) -> bool {
        let mut sink = [0; 64];
        while matches!((&self.wake).read(&mut sink), Ok(count) if count > 0) {}
        self.winch.swap(false, Ordering::Relaxed)
    }

    /// Readable when there was a signal.
    pub(crate) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The last deadly signal, once.
    pub(crate) fn take(&self) -> Option<i32> {
        let number = self.deadly.swap(0, Ordering::Relaxed);
        i32::try_from(number).ok().filter(|number| *number != 0)
    }

    fn fatal(&self) -> Option<i32> {
        let number = self.deadly.load(Ordering::Relaxed);
        i32::try_from(number).ok().filter(|number| *number != 0)
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            unregister(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::OwnedFd;

    /// A relay on its own thread, with our ends of its three descriptors.
    struct Rig {
        keys: UnixStream,
        screen: UnixStream,
        wake: UnixStream,
        relay: std::thread::JoinHandle<Result<(), Errno>>,
    }

    fn rig(console: OwnedFd) -> Rig {
        let (keys, input) = UnixStream::pair().unwrap();
        let (screen, output) = UnixStream::pair().unwrap();
        let (wake, waker) = UnixStream::pair().unwrap();
        let relay = std::thread::spawn(move || {
            let ends =
                Ends { input: input.as_fd(), output: output.as_fd(), console: console.as_fd() };
            let _nonblocking = NonBlocking::enter(ends.console);
            copy(&ends, 0x1d, waker.as_fd(), || false)
        });
        Rig { keys, screen, wake, relay }
    }

    fn expect(from: &mut UnixStream, text: &str) {
        let mut got = vec![0; text.len()];
        from.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), text);
    }

    #[test]
    fn bytes_pass_both_ways_until_the_escape() {
        let (mut guest, console) = UnixStream::pair().unwrap();
        let mut rig = rig(console.into());
        rig.keys.write_all(b"ls\r").unwrap();
        expect(&mut guest, "ls\r");
        guest.write_all(b"bin dev\r\n").unwrap();
        expect(&mut rig.screen, "bin dev\r\n");
        rig.keys.write_all(b"rest\x1dignored").unwrap();
        expect(&mut guest, "rest");
        rig.relay.join().unwrap().unwrap();
    }

    #[test]
    fn ends_with_the_console_after_its_last_words() {
        let (mut guest, console) = UnixStream::pair().unwrap();
        let mut rig = rig(console.into());
        guest.write_all(b"bye").unwrap();
        drop(guest);
        expect(&mut rig.screen, "bye");
        rig.relay.join().unwrap().unwrap();
    }

    #[test]
    fn ends_when_woken_to() {
        let (guest, console) = UnixStream::pair().unwrap();
        let mut rig = rig(console.into());
        rig.wake.write_all(b"!").unwrap();
        rig.relay.join().unwrap().unwrap();
        drop((guest, rig.keys, rig.screen));
    }

    #[test]
    fn a_console_that_reads_nothing_can_be_left() {
        let (guest, console) = UnixStream::pair().unwrap();
        let mut rig = rig(console.into());
        rig.keys.write_all(&vec![b'x'; 3 << 20]).unwrap();
        rig.keys.write_all(b"\x1d").unwrap();
        rig.relay.join().unwrap().unwrap();
        drop(guest);
    }

    #[test]
    fn a_real_terminal_hangs_up_with_eio() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let guest = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&guest).unwrap();
        unlockpt(&guest).unwrap();
        let path = ptsname(&guest, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let console = rustix::fs::open(path, flags, rustix::fs::Mode::empty()).unwrap();
        let before = rustix::termios::tcgetattr(&console).unwrap();
        drop(RawTerminal::enter(console.as_fd()).unwrap());
        assert_eq!(rustix::termios::tcgetattr(&console).unwrap().local_modes, before.local_modes);
        let mut rig = rig(console);
        rustix::io::write(&guest, b"hello\n").unwrap();
        expect(&mut rig.screen, "hello\n");
        drop(guest);
        rig.relay.join().unwrap().unwrap();
    }

    #[test]
    fn escape_is_found_anywhere() {
        assert_eq!(split_at_escape(b"ab\x1dc", 0x1d), Some((&b"ab"[..], &b"\x1dc"[..])));
        assert_eq!(split_at_escape(b"ab", 0x1d), None);
    }
}
