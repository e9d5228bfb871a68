//! Copies bytes between this program's standard descriptors and those of a program elsewhere.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::outcome::{Outcome, fail};
use crate::relay::{Signals, receive, send, text};

/// One way that bytes go: from where, to where, and what is on the way. Each end is closed when
/// there is nothing more for it.
#[derive(Debug)]
pub(crate) struct Route {
    from: Option<OwnedFd>,
    to: Option<OwnedFd>,
    bytes: Vec<u8>,
    /// Whether it is of no use when the other program has ended.
    inward: bool,
}

/// What happens beside.
pub(crate) struct Events<'a> {
    /// This terminal has another size.
    pub(crate) resized: &'a dyn Fn(),
    /// A signal came that would end this program.
    pub(crate) signalled: &'a dyn Fn(i32),
}

impl Route {
    /// To this program.
    pub(crate) fn outward(from: OwnedFd, to: OwnedFd) -> Self {
        Self { from: Some(from), to: Some(to), bytes: Vec::new(), inward: false }
    }

    /// To the other program, which may be slow to read: it is never waited for.
    pub(crate) fn inward(from: OwnedFd, to: OwnedFd) -> Result<Self, Errno> {
        let flags = fcntl_getfl(&to)?;
        fcntl_setfl(&to, flags | OFlags::NONBLOCK)?;
        Ok(Self { from: Some(from), to: Some(to), bytes: Vec::new(), inward: true })
    }

    /// What to wait for: the destination when there is something for it, else the source.
    fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match (&self.from, &self.to) {
            (_, Some(to)) if !self.bytes.is_empty() => Some((to.as_fd(), PollFlags::OUT)),
            (Some(from), Some(_)) => Some((from.as_fd(), PollFlags::IN)),
            _ => None,
        }
    }

    /// Moves what can be moved now.
    fn advance(&mut self) -> Result<(), Errno> {
        let (Some(from), Some(to)) = (&self.from, &self.to) else {
            return Ok(());
        };
        if self.bytes.is_empty() {
            match receive(from.as_fd())? {
                Some(bytes) => self.bytes = bytes,
                None => self.close(),
            }
        } else if !send(to.as_fd(), &mut self.bytes)? {
            self.close();
        }
        Ok(())
    }

    fn close(&mut self) {
        (self.from, self.to) = (None, None);
        self.bytes.clear();
    }
}

/// Copies until the other program has `ended` and all that it said is said here. Signals are for it.
pub(crate) fn run(mut routes: Vec<Route>, ended: BorrowedFd<'_>, events: &Events<'_>) -> Outcome {
    let signals =
        Signals::watch().map_err(|error| fail(format!("cannot watch for signals: {error}")))?;
    copy(&mut routes, ended, &signals, events)
        .map_err(|errno| fail(format!("cannot pass on what is said: {}", text(errno))))
}

fn copy(
    routes: &mut [Route],
    ended: BorrowedFd<'_>,
    signals: &Signals,
    events: &Events<'_>,
) -> Result<(), Errno> {
    let mut over = false;
    loop {
        let mut fds = vec![PollFd::from_borrowed_fd(signals.wake(), PollFlags::IN)];
        if !over {
            fds.push(PollFd::from_borrowed_fd(ended, PollFlags::IN));
        }
        let first = fds.len();
        let waiting: Vec<usize> = (0..routes.len())
            .filter(|number| routes.get(*number).is_some_and(|it| it.interest().is_some()))
            .collect();
        let interests = routes.iter().filter_map(Route::interest);
        fds.extend(interests.map(|(fd, flags)| PollFd::from_borrowed_fd(fd, flags)));
        // What a program has said before its end is there now; nobody else need be waited for.
        let at_once = rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 };
        match poll(&mut fds, over.then_some(&at_once)) {
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno),
            Ok(0) => return Ok(()),
            Ok(_) => {}
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        let is_over = ready.get(1) == Some(&true);
        if ready.first() == Some(&true) {
            if signals.resized() {
                (events.resized)();
            }
            if let Some(signal) = signals.take() {
                (events.signalled)(signal);
            }
        }
        for (number, _) in
            waiting.into_iter().zip(ready.into_iter().skip(first)).filter(|(_, ready)| *ready)
        {
            if let Some(route) = routes.get_mut(number) {
                route.advance()?;
            }
        }
        if !over && is_over {
            over = true;
            routes.iter_mut().filter(|route| route.inward).for_each(Route::close);
        }
    }
}
