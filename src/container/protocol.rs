//! What the daemon and a supervisor say to each other: one message, one packet.
//!
//! The socket is `SOCK_SEQPACKET`, so a message is never split; descriptors travel with it. The
//! daemon sends [`Request`]s, each but [`Request::Prepare`] and [`Request::Destroy`] answered by
//! exactly one [`Message`] in order; besides, the supervisor tells [`Message::Restarted`] and
//! [`Message::Ended`] on its own.

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use super::ending::{Cause, End, signal_text};
use crate::sys;
pub use crate::sys::pidfd::Exit;

pub mod entry;
pub mod task;

/// Longest message, in bytes. The plan is not a message, it is read from a file.
const LIMIT: usize = 64 << 10;

/// Room for the domain's name where processes are listed, in bytes: the supervisor's program is
/// executed with so much of an argument.
pub const NAME_ROOM: usize = 64;

/// From the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// This is your container, and its version 2 control group is there: get it ready, but run
    /// nothing of it. The plan, the domain's log, a file to keep (the daemon's record of this run),
    /// the namespaces that are taken from elsewhere and loop devices come along, in this order. Not
    /// answered.
    Prepare,
    /// All control groups are there, and the run is on record: start the container. Answered by
    /// `Running` or `Failed`.
    Go,
    /// A daemon that was restarted asks what is there. Answered by `Running`.
    Attach,
    /// Ask for the plan the container runs by. Answered by `Done` with a descriptor of a file that
    /// holds it.
    TellPlan,
    /// Devices have come or gone: from now on the container runs, and starts again, by another
    /// plan. Its file comes along, then the record of the run as it is now, then the loop devices
    /// that are new. Answered by `Done` or `Refused`; then everything is as before.
    Adopt {
        /// Process ID of the init that this was done to.
        init: i32,
        /// What the plan's links are called, in its order.
        links: Vec<LinkNames>,
    },
    /// A daemon that was restarted has no record of this run. Answered by `Done` with the file that
    /// was kept, or `Refused`.
    Record,
    /// Open a console anew. Answered by `Done` with a descriptor, or `Refused`.
    OpenConsole {
        /// Which console, from 0.
        console: usize,
    },
    /// Init is asked to end by means that do not tell it why: whether its end is a reboot. Answered by
    /// `Done`.
    Asked {
        /// A reboot, or the end.
        to_reboot: bool,
    },
    /// End the container for good, whatever follows its end otherwise. Answered by its end.
    Destroy,
    /// Tell the container's terminal its size. Answered by `Done` or `Refused`.
    ResizeConsole {
        /// Which console, from 0.
        console: usize,
        /// Lines of text.
        rows: u16,
        /// Characters per line.
        columns: u16,
    },
}

/// From the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Unasked, once, after `Prepare`: later daemons can connect from now on.
    Listening,
    /// The container runs; a pidfd of init comes along.
    Running {
        /// Init's process ID on the host.
        init: i32,
        /// The terminals on the host's side, by path.
        consoles: Vec<String>,
        /// What the plan's links are called, in its order.
        links: Vec<LinkNames>,
    },
    /// The container could not be started, and nothing of it is left but the supervisor itself,
    /// which ends.
    Failed(Failure),
    /// Done as asked.
    Done,
    /// Not done, and why.
    Refused(Failure),
    /// Init ended and the container was started anew; a pidfd of the new init comes along.
    Restarted {
        /// Init's process ID on the host.
        init: i32,
        /// How the one before ended.
        end: End,
    },
    /// Init ended for good; the supervisor ends next.
    Ended(End),
}

/// What both ends of a link are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkNames {
    /// On the host; None if there is no end.
    pub host: Option<String>,
    /// In the container, when it was made.
    pub guest: String,
    /// Its number in the container; None for one that is removed by its end on the host.
    pub index: Option<u32>,
}

/// A step that failed: what was attempted, on what, and the errno.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Completes the sentence "cannot ...".
    pub attempt: String,
    /// Completes the attempt; empty where there is nothing to name.
    pub path: String,
    /// The errno; 0 where the attempt says it all.
    pub errno: i32,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.attempt)?;
        if !self.path.is_empty() {
            write!(f, " {}", self.path)?;
        }
        if self.errno != 0 {
            write!(f, ": {}", nix::errno::Errno::from_raw(self.errno).desc())?;
        }
        Ok(())
    }
}

/// Names the step in which a system call failed.
pub(super) trait Attempt<T> {
    /// `attempt` completes "cannot ...", `path` is what it was attempted on.
    fn attempt(self, attempt: &str, path: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Attempt<T> for Result<T, E> {
    fn attempt(self, attempt: &str, path: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| {
            let error: io::Error = error.into();
            let errno = error.raw_os_error();
            let path = path.to_string();
            match errno {
                Some(errno) => Failure { attempt: attempt.to_owned(), path, errno },
                None => Failure {
                    attempt: format!("{attempt} {path}: {error}"),
                    path: String::new(),
                    errno: 0,
                },
            }
        })
    }
}

/// Sends one message with descriptors.
pub fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let bytes = serde_json::to_vec(message).map_err(io::Error::other)?;
    if bytes.len() > LIMIT {
        return Err(io::Error::from_raw_os_error(nix::errno::Errno::EMSGSIZE as i32));
    }
    sys::fd::send(socket, &bytes, fds)
}

/// Receives one message and its descriptors; `None` when the other side has closed.
pub fn receive<T: DeserializeOwned>(
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let (bytes, fds) = sys::fd::receive(socket, LIMIT)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some((serde_json::from_slice(&bytes).map_err(io::Error::other)?, fds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    use std::os::fd::AsFd;

    #[test]
    fn a_failure_is_a_sentence() {
        let failure = Failure { attempt: "mount proc on".into(), path: "/proc".into(), errno: 1 };
        assert_eq!(failure.to_string(), "cannot mount proc on /proc: Operation not permitted");
    }

    #[test]
    fn messages_and_descriptors_arrive_whole_and_then_the_end() {
        let kind = SockType::SeqPacket;
        let (a, b) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap();
        let message = Message::Running {
            init: 7,
            consoles: vec!["/dev/pts/3".into()],
            links: vec![LinkNames { host: None, guest: "eth0".into(), index: Some(2) }],
        };
        send(a.as_fd(), &message, &[a.as_fd()]).unwrap();
        send(a.as_fd(), &Message::Done, &[]).unwrap();
        let (received, fds) = receive::<Message>(b.as_fd()).unwrap().unwrap();
        assert_eq!((received, fds.len()), (message, 1));
        drop(fds);
        let (received, fds) = receive::<Message>(b.as_fd()).unwrap().unwrap();
        assert_eq!((received, fds.len()), (Message::Done, 0));
        drop(a);
        assert!(receive::<Message>(b.as_fd()).unwrap().is_none());
    }

    #[test]
    fn the_last_words_are_heard_of_one_that_did_not_listen() {
        let kind = SockType::SeqPacket;
        let (a, b) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap();
        send(b.as_fd(), &Request::Go, &[]).unwrap();
        send(a.as_fd(), &Message::Done, &[]).unwrap();
        drop(a);
        assert_eq!(receive::<Message>(b.as_fd()).unwrap().unwrap().0, Message::Done);
        assert!(receive::<Message>(b.as_fd()).unwrap().is_none());
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let kind = SockType::SeqPacket;
        let (a, b) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC).unwrap();
        sys::fd::send(a.as_fd(), b"{", &[]).unwrap();
        assert!(receive::<Request>(b.as_fd()).is_err());
    }
}
