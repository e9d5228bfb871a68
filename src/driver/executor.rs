//! The daemon's end of one process that puts a program into a container and waits for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, mpsc};

use super::program::Program;
use super::supervisor::Process;
use crate::container::protocol::Exit;
use crate::container::protocol::entry::{Order, Word};
use crate::container::protocol::{self};
use crate::error::{Error, ErrorCode, Result};
use crate::sys::fd;

/// A process that executes one program.
#[derive(Debug)]
pub(super) struct Executor {
    pub(super) process: Process,
    socket: AsyncFd<OwnedFd>,
    /// Answers, in the order of the requests; the lock is held from a request to its answer.
    answers: Mutex<mpsc::UnboundedReceiver<Word>>,
    inbox: mpsc::UnboundedSender<Word>,
}

impl Executor {
    pub(super) fn spawn(program: &Program) -> Result<Self> {
        let spawn = || -> io::Result<Self> {
            let (pid, ours) = program.execute(&["", "enter"], None)?;
            let process = Process::open(pid)?.ok_or(io::ErrorKind::NotFound)?;
            let (inbox, answers) = mpsc::unbounded_channel();
            let socket = fd::watch(ours, Interest::READABLE)?;
            Ok(Self { process, socket, answers: Mutex::new(answers), inbox })
        };
        spawn()
            .map_err(|e| Error::system(format!("cannot execute {}", program.path().display()), e))
    }

    /// Has the program executed, and gives its terminal if it has one. What is wrong with it is said
    /// as the caller's mistake.
    pub(super) async fn enter(&self, fds: &[BorrowedFd<'_>]) -> Result<Option<OwnedFd>> {
        self.send(Order::Enter, fds)?;
        match self.hear().await {
            Some((Word::Started, mut fds)) => Ok(fds.pop()),
            Some((Word::Failed(failure), _)) => {
                Err(Error::new(ErrorCode::OperationFailed, failure))
            }
            heard => Err(unexpected(heard.map(|(word, _)| word))),
        }
    }

    /// Asks for something and waits for the answer, while somebody calls [`Self::ended`].
    pub(super) async fn ask(&self, order: Order) -> Result<()> {
        let mut answers = self.answers.lock().await;
        self.send(order, &[])?;
        match answers.recv().await {
            Some(Word::Done) => Ok(()),
            Some(Word::Refused(failure)) => Err(Error::new(ErrorCode::OperationFailed, failure)),
            Some(Word::Ended(_)) => Err(ended()),
            other => Err(unexpected(other)),
        }
    }

    /// Passes answers on until the program ends, and says how it did.
    pub(super) async fn ended(&self) -> Exit {
        let exit = loop {
            match self.hear().await {
                Some((Word::Ended(exit), _)) => break exit,
                // Both ends of the channel are a part of self.
                Some((answer, _)) => self.inbox.send(answer).unwrap_or_default(),
                None => {
                    tracing::error!("what executed a program in a container is gone");
                    // And the kernel has killed the program.
                    break Exit::Signal(nix::libc::SIGKILL);
                }
            }
        };
        self.inbox.send(Word::Ended(exit)).unwrap_or_default();
        exit
    }

    /// Waits until nothing of it is left.
    pub(super) async fn gone(&self) {
        self.process.ended().await;
        self.process.reap();
    }

    fn send(&self, order: Order, fds: &[BorrowedFd<'_>]) -> Result<()> {
        protocol::send(self.socket.get_ref().as_fd(), &order, fds).map_err(|e| match e.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => ended(),
            _ => Error::system("cannot reach what executes the program", e),
        })
    }

    /// The next word, or none when no more come.
    async fn hear(&self) -> Option<(Word, Vec<OwnedFd>)> {
        loop {
            let mut ready = self.socket.readable().await.ok()?;
            let heard = ready.try_io(|it| protocol::receive::<Word>(it.get_ref().as_fd()));
            match heard {
                Err(_would_block) => {}
                Ok(Ok(heard)) => return heard,
                Ok(Err(error)) => {
                    tracing::error!("cannot hear what executes a program: {error}");
                    return None;
                }
            }
        }
    }
}

pub(super) fn ended() -> Error {
    Error::new(ErrorCode::OperationInvalid, "the program has ended")
}

fn unexpected(word: Option<Word>) -> Error {
    let text = match word {
        Some(word) => format!("what executes the program answered {word:?}"),
        None => "what was to execute the program ended unexpectedly".to_owned(),
    };
    Error::new(ErrorCode::InternalError, text)
}
