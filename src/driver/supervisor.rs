//! The daemon's end of one supervisor: its process and its socket.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{Mutex, mpsc};

use super::program::Program;
use crate::container::protocol::{self, End, Message, Request};
use crate::error::{Error, ErrorCode, Result};
use crate::plan::Plan;
use crate::sys::{fd, pidfd};

/// How long a supervisor may take to answer. It answers at once unless the host is in trouble.
const PATIENCE: Duration = Duration::from_secs(30);

/// A supervisor that runs, as far as is known.
#[derive(Debug)]
pub(super) struct Supervisor {
    /// Process ID on the host: the domain's ID.
    pub(super) pid: u32,
    /// Its process.
    pub(super) process: Process,
    socket: AsyncFd<OwnedFd>,
    /// Answers, in the order of the requests, and `None` when no more come. The lock is held from
    /// a request to its answer.
    answers: Mutex<mpsc::UnboundedReceiver<Option<Answer>>>,
    inbox: mpsc::UnboundedSender<Option<Answer>>,
}

type Answer = (Message, Vec<OwnedFd>);

/// What a supervisor says on its own.
#[derive(Debug)]
pub(super) enum Notice {
    /// Init ended and the container was started anew.
    Restarted {
        /// Process ID of the new init.
        init: u32,
        /// The new init.
        pidfd: OwnedFd,
        /// How the one before ended.
        end: End,
    },
    /// Init ended.
    Ended(End),
}

impl Supervisor {
    /// Executes a supervisor. It waits for [`Self::prepare`], and ends when this is dropped before.
    pub(super) fn spawn(program: &Program) -> Result<Self> {
        let spawn = || -> io::Result<Self> {
            let (pid, ours) = program.execute(&[&" ".repeat(protocol::NAME_ROOM)], None)?;
            Self::new(pid, ours)
        };
        spawn().map_err(|e| {
            Error::system(format!("cannot start the supervisor {}", program.path().display()), e)
        })
    }

    /// Lets one go that has no container: it ends.
    pub(super) fn close(self) -> Process {
        self.process
    }

    /// Connects to a supervisor that a former daemon started; `None` when there is none. Which
    /// process it is the kernel says: a number on record may be another's by now.
    pub(super) fn connect(path: &Path) -> Result<Option<Self>> {
        let connect = || -> io::Result<Option<Self>> {
            let Some(socket) = dial(path)? else { return Ok(None) };
            let Some((pid, process)) = peer(&socket)? else { return Ok(None) };
            Self::of(pid, process, socket).map(Some)
        };
        connect().map_err(|e| Error::system(format!("cannot connect to {}", path.display()), e))
    }

    fn new(pid: u32, socket: OwnedFd) -> io::Result<Self> {
        let process =
            Process::open(pid)?.ok_or_else(|| io::Error::from_raw_os_error(nix::libc::ESRCH))?;
        Self::of(pid, process, socket)
    }

    fn of(pid: u32, process: Process, socket: OwnedFd) -> io::Result<Self> {
        let (inbox, answers) = mpsc::unbounded_channel();
        Ok(Self {
            pid,
            process,
            socket: fd::watch(socket, Interest::READABLE)?,
            answers: Mutex::new(answers),
            inbox,
        })
    }

    /// Lets it get its container ready. The version 2 control group is there, and these are the
    /// domain's log, a record for it to keep, the namespaces that come from elsewhere, and loop
    /// devices.
    pub(super) async fn prepare(
        &self,
        plan: &Plan,
        log: File,
        record: &str,
        shared: &[OwnedFd],
    ) -> Result<()> {
        let in_memory = |name, bytes: &[u8]| {
            fd::in_memory(name, bytes).map_err(|e| Error::system("cannot hand over a plan", e))
        };
        let plan = serde_json::to_vec(plan).map_err(|e| Error::new(ErrorCode::InternalError, e))?;
        let plan = in_memory(c"nsvirt-plan", &plan)?;
        let record = in_memory(c"nsvirt-record", record.as_bytes())?;
        let mut fds = vec![plan.as_fd(), log.as_fd(), record.as_fd()];
        fds.extend(shared.iter().map(AsFd::as_fd));
        self.send(&Request::Prepare, &fds, &mut *self.answers.lock().await).await
    }

    /// Sends a request and waits for its answer, while somebody calls [`Self::next`].
    pub(super) async fn request(&self, request: &Request) -> Result<Answer> {
        self.request_with(request, &[]).await
    }

    /// The same, with descriptors.
    pub(super) async fn request_with(&self, request: &Request, fds: &[OwnedFd]) -> Result<Answer> {
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let mut answers = self.answers.lock().await;
        self.send(request, &fds, &mut answers).await?;
        self.answer(&mut answers).await
    }

    /// Tells it that whatever follows is the end. One that cannot be told is no more, or will be
    /// ended as a process.
    pub(super) fn forbid_restart(&self) {
        let socket = self.socket.get_ref().as_fd();
        if let Err(error) = protocol::send(socket, &Request::Destroy, &[]) {
            tracing::debug!("cannot reach supervisor {}: {error}", self.pid);
        }
    }

    /// One that cannot be reached has said why, or at least that it says no more.
    async fn send(
        &self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
        answers: &mut mpsc::UnboundedReceiver<Option<Answer>>,
    ) -> Result<()> {
        if let Err(error) = protocol::send(self.socket.get_ref().as_fd(), request, fds) {
            tracing::debug!("cannot reach supervisor {}: {error}", self.pid);
            loop {
                self.answer(answers).await?;
            }
        }
        Ok(())
    }

    /// Waits until a supervisor that was told to prepare listens for daemons to come.
    pub(super) async fn listening(&self) -> Result<()> {
        match self.answer(&mut *self.answers.lock().await).await? {
            (Message::Listening, _) => Ok(()),
            (answer, _) => Err(unexpected(self.pid, &answer)),
        }
    }

    async fn answer(
        &self,
        answers: &mut mpsc::UnboundedReceiver<Option<Answer>>,
    ) -> Result<Answer> {
        match tokio::time::timeout(PATIENCE, answers.recv()).await {
            Ok(Some(Some((Message::Failed(failure), _)))) => Err(Error::new(
                ErrorCode::InternalError,
                format!("guest failed to start: {failure}"),
            )),
            Ok(Some(Some(answer))) => Ok(answer),
            Ok(_) => Err(Error::new(
                ErrorCode::InternalError,
                format!("supervisor {} ended unexpectedly", self.pid),
            )),
            Err(_) => Err(Error::new(
                ErrorCode::OperationTimeout,
                format!("supervisor {} did not answer within {PATIENCE:?}", self.pid),
            )),
        }
    }

    /// Waits for the next thing the supervisor says on its own, passing answers to those who
    /// wait for them. `None` when it says no more; those who wait are told.
    pub(super) async fn next(&self) -> Option<Notice> {
        let notice = self.listen().await;
        if notice.is_none() {
            // Nobody can be gone: this end of the channel is a part of self, as the other one.
            let _ = self.inbox.send(None);
        }
        notice
    }

    async fn listen(&self) -> Option<Notice> {
        loop {
            let mut ready = self.socket.readable().await.ok()?;
            let received =
                ready.try_io(|socket| protocol::receive::<Message>(socket.get_ref().as_fd()));
            let (message, mut fds) = match received {
                Err(_would_block) => continue,
                Ok(Ok(Some(received))) => received,
                Ok(Ok(None)) => return None,
                Ok(Err(error)) => {
                    tracing::error!("cannot hear supervisor {}: {error}", self.pid);
                    return None;
                }
            };
            match message {
                Message::Ended(end) => return Some(Notice::Ended(end)),
                Message::Restarted { init, end } => {
                    let init = u32::try_from(init).ok()?;
                    return Some(Notice::Restarted { init, pidfd: fds.pop()?, end });
                }
                answer => self.inbox.send(Some((answer, fds))).ok()?,
            }
        }
    }
}

/// An answer that is none to what was asked.
pub(super) fn unexpected(pid: u32, answer: &Message) -> Error {
    Error::new(ErrorCode::InternalError, format!("supervisor {pid} answered {answer:?}"))
}

/// The process of a supervisor.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    pidfd: AsyncFd<OwnedFd>,
}

impl Process {
    /// The process of that ID, or none if it has ended. Whether it is the one that is meant is for
    /// the caller to know.
    pub(super) fn open(pid: u32) -> io::Result<Option<Self>> {
        match pidfd::open(pid.try_into().map_err(io::Error::other)?) {
            Ok(fd) => Ok(Some(Self { pid, pidfd: fd::watch(fd, Interest::READABLE)? })),
            Err(error) if error.raw_os_error() == Some(nix::libc::ESRCH) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether it has ended, as far as is known now.
    pub(super) fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(self.pidfd.get_ref().as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO) != Ok(0)
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) {
        // It fails only when the runtime is shutting down, and then nobody waits any more.
        let _ = self.pidfd.readable().await;
    }

    /// Reaps it if it is our child; one that an earlier daemon started is not.
    pub(super) fn reap(&self) {
        match pidfd::wait(self.pidfd.get_ref().as_fd()) {
            Ok(exit) => tracing::debug!("supervisor {} ended: {exit:?}", self.pid),
            Err(error) => tracing::debug!("supervisor {} is not ours to reap: {error}", self.pid),
        }
    }

    /// Kills it; its container dies with it.
    pub(super) fn kill(&self) -> Result<()> {
        pidfd::kill(self.pidfd.get_ref().as_fd())
            .map_err(|e| Error::system(format!("cannot kill supervisor {}", self.pid), e))
    }
}

/// Asks whoever listens at a path for the record of its run; `None` when nobody does.
pub(super) async fn ask_record(path: &Path) -> Result<Option<String>> {
    let asked = async {
        let Some(socket) = dial(path)? else { return Ok(None) };
        let socket = fd::watch(socket, Interest::READABLE)?;
        protocol::send(socket.get_ref().as_fd(), &Request::Record, &[])?;
        loop {
            let mut ready = socket.readable().await?;
            match ready.try_io(|it| protocol::receive::<Message>(it.get_ref().as_fd())) {
                Err(_would_block) => {}
                Ok(Ok(Some((Message::Done, mut fds)))) => {
                    let mut file = File::from(fds.pop().ok_or(io::ErrorKind::InvalidData)?);
                    let mut text = String::new();
                    file.rewind()?;
                    file.read_to_string(&mut text)?;
                    return Ok(Some(text));
                }
                Ok(Ok(Some((Message::Refused(failure), _)))) => {
                    return Err(io::Error::other(failure.to_string()));
                }
                // What it says on its own, meant for the daemon before.
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Err(error),
            }
        }
    };
    let answer = tokio::time::timeout(PATIENCE, asked).await;
    let answer = answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    answer.map_err(|e| Error::system(format!("cannot ask at {}", path.display()), e))
}

/// A connection to whoever listens at a path, if anybody does.
fn dial(path: &Path) -> io::Result<Option<OwnedFd>> {
    use nix::errno::Errno;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    match connect(socket.as_raw_fd(), &UnixAddr::new(path)?) {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::ENOENT | Errno::ECONNREFUSED) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The process that listens at the other end (`unix(7)`, `SO_PEERCRED`), if it does still.
fn peer(socket: &OwnedFd) -> io::Result<Option<(u32, Process)>> {
    let pid = getsockopt(socket, sockopt::PeerCredentials)?.pid();
    let pid = u32::try_from(pid).map_err(io::Error::other)?;
    let Some(process) = Process::open(pid)? else { return Ok(None) };
    // The listener was there when its process was opened, so that was no other of the same number.
    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::empty())];
    let hung_up = poll(&mut fds, PollTimeout::ZERO)? != 0;
    Ok((!hung_up).then_some((pid, process)))
}
