//! One client: reads its messages, has its calls answered, and writes what it is sent.
//!
//! Calls run side by side, at most [`CALLS`] of them, and are answered as they end. What is there
//! at once is answered in the order of the calls.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::events::Callbacks;
use super::fault;
use super::packet::{HEADER, Header, KEEPALIVE, Kind, Packet, Status, payload_length};
use super::streams::Streams;
use super::table::{self, Access, Procedure};
use super::wire::{read_bytes, receive_fds, skip, write_packet};
use super::xdr::TooLarge;
use super::{Shared, unsupported};
use crate::driver::{Client, Domain, Driver};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};

/// Calls of one client in work, those included whose answers it has not read.
pub(super) const CALLS: usize = 5;
/// Most bytes of a call on a connection that is not open yet, or can change nothing. A list of
/// 16384 domains with names of usual length fits.
pub(super) const MAX_READ_ONLY_CALL: usize = 1 << 20;
/// How long a client may be silent before it is asked whether it is there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// How often it is asked before it is taken for gone.
const KEEPALIVE_COUNT: u32 = 5;

const PING: i32 = 1;
const PONG: i32 = 2;

/// Why a connection ends, other than by its client.
#[derive(Debug)]
pub(super) enum Fault {
    /// The socket failed.
    Socket(io::Error),
    /// What came is no message.
    Message(String),
    /// It takes no answers, or gives none.
    Gone(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(error) => error.fmt(f),
            Self::Message(text) => f.write_str(text),
            Self::Gone(why) => f.write_str(why),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

/// A client and what it has here.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) read_only_socket: bool,
    /// The name that the client opened the connection with, once it has.
    open: Mutex<Option<Opened>>,
    keepalive: AtomicBool,
    /// The next answer is the last.
    closing: AtomicBool,
    outbox: mpsc::UnboundedSender<Outgoing>,
    pub(super) callbacks: Mutex<Callbacks>,
    pub(super) streams: Streams,
    /// What ends with it.
    pub(super) client: Client,
}

/// What a client opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Opened {
    read_only: bool,
}

#[derive(Debug)]
enum Outgoing {
    Packet(Packet),
    /// Nothing follows it.
    Last(Packet),
    /// Nothing follows, and this is why.
    Cut(&'static str),
}

/// One call, for the function that answers it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) session: Arc<Session>,
    pub(super) header: Header,
    /// Descriptors that came with it.
    pub(super) fds: Vec<OwnedFd>,
}

impl Call {
    /// The driver.
    pub(super) fn driver(&self) -> &Arc<Driver> {
        &self.session.shared.driver
    }

    /// The domain that a client means.
    pub(super) fn domain(&self, domain: &super::protocol::DomainRef) -> Result<Arc<Domain>> {
        self.driver().find(domain.uuid, &domain.name)
    }
}

impl Session {
    /// Serves a client until it or the connection ends.
    pub(super) async fn serve(
        shared: Arc<Shared>,
        stream: UnixStream,
        read_only_socket: bool,
    ) -> Result<(), Fault> {
        let (outbox, queue) = mpsc::unbounded_channel();
        let session = Arc::new(Self {
            shared,
            read_only_socket,
            open: Mutex::new(None),
            keepalive: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            outbox,
            callbacks: Mutex::default(),
            streams: Streams::default(),
            client: Client::default(),
        });
        let result = tokio::select! {
            read = session.clone().read(&stream) => read,
            written = write(&stream, queue) => written,
        };
        session.callbacks().clear();
        session.streams.close();
        session.shared.driver.leave(&session.client).await;
        result
    }

    /// Opens the connection, once.
    pub(super) fn open(&self, read_only: bool) -> Result<()> {
        let mut open = lock(&self.open);
        if open.is_some() {
            return Err(fault::state("connection already open"));
        }
        *open = Some(Opened { read_only: read_only || self.read_only_socket });
        Ok(())
    }

    /// Whether the client has opened the connection.
    pub(super) fn is_open(&self) -> bool {
        lock(&self.open).is_some()
    }

    /// Whether the client can change nothing.
    pub(super) fn is_read_only(&self) -> bool {
        lock(&self.open).is_none_or(|open| open.read_only)
    }

    /// From now on the client is asked whether it is there.
    pub(super) fn keep_alive(&self) {
        self.keepalive.store(true, Ordering::Relaxed);
    }

    /// The callbacks of this client.
    pub(super) fn callbacks(&self) -> MutexGuard<'_, Callbacks> {
        lock(&self.callbacks)
    }

    /// Sends a message, after all that were sent before.
    pub(super) fn send(&self, packet: Packet) {
        // An error means that the client is gone.
        let _ = self.outbox.send(match self.closing.load(Ordering::Relaxed) {
            false => Outgoing::Packet(packet),
            true => Outgoing::Last(packet),
        });
    }

    /// Closes the connection after the next answer.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Closes the connection after what is on its way, for a reason that is logged.
    pub(super) fn cut_off(&self, why: &'static str) {
        let _ = self.outbox.send(Outgoing::Cut(why));
    }

    /// Sends an error instead of an answer.
    pub(super) fn refuse(
        &self,
        header: Header,
        error: &Error,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        match Packet::new(header.answer(Kind::Reply, Status::Error), error) {
            Ok(packet) => self.send(Packet { _permit: permit, ..packet }),
            Err(error) => tracing::error!("cannot say what went wrong: {error}"),
        }
    }

    async fn read(self: Arc<Self>, stream: &UnixStream) -> Result<(), Fault> {
        let (calls, pongs) = (Arc::new(Semaphore::new(CALLS)), Arc::new(Semaphore::new(CALLS)));
        loop {
            let Some((length, header)) = self.read_header(stream).await? else { return Ok(()) };
            let length = payload_length(length)
                .ok_or_else(|| Fault::Message(format!("a message of {length} bytes")))?;
            if length > MAX_READ_ONLY_CALL && self.is_read_only() {
                return Err(Fault::Message(format!("a call of {length} bytes, read-only")));
            }
            if header.program == KEEPALIVE {
                skip(stream, length).await?;
                let Ok(permit) = pongs.clone().acquire_owned().await else { return Ok(()) };
                self.answer_keepalive(header, permit);
            } else if header.kind == Kind::Call as i32 || header.kind == Kind::CallWithFds as i32 {
                let Ok(permit) = calls.clone().acquire_owned().await else { return Ok(()) };
                let payload = read_bytes(stream, length).await?;
                let (payload, fds) = receive_fds(stream, header, payload).await?;
                self.answer(header, payload, fds, permit);
            } else if header.kind == Kind::Stream as i32 {
                let data = read_bytes(stream, length).await?;
                self.streams.give(header, data).await;
            } else {
                // An answer to nothing.
                skip(stream, length).await?;
            }
        }
    }

    /// The length and the words of the next message; `None` at the end of all.
    async fn read_header(&self, stream: &UnixStream) -> Result<Option<(u32, Header)>, Fault> {
        let mut words = [0; HEADER];
        let mut filled = 0;
        let mut unanswered = 0;
        while let Some(rest) = words.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let readable = stream.readable();
            if !self.keepalive.load(Ordering::Relaxed) {
                readable.await?;
            } else if let Ok(readable) = tokio::time::timeout(KEEPALIVE_INTERVAL, readable).await {
                readable?;
            } else if unanswered < KEEPALIVE_COUNT {
                unanswered += 1;
                self.send_keepalive(PING, None);
                continue;
            } else {
                return Err(Fault::Gone("it does not answer"));
            }
            match stream.try_read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(Fault::Message("half a message".to_owned())),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        let (length, words) = words.split_first_chunk().ok_or_else(no_header)?;
        let words = words.try_into().map_err(|_| no_header())?;
        Ok(Some((u32::from_be_bytes(*length), Header::read(words))))
    }

    fn answer_keepalive(&self, header: Header, permit: OwnedSemaphorePermit) {
        if header.procedure == PING {
            self.send_keepalive(PONG, Some(permit));
        }
    }

    fn send_keepalive(&self, procedure: i32, permit: Option<OwnedSemaphorePermit>) {
        match Packet::new(Header::event(KEEPALIVE, procedure), &()) {
            Ok(packet) => self.send(Packet { _permit: permit, ..packet }),
            Err(error) => tracing::error!("cannot ask a client whether it is there: {error}"),
        }
    }

    /// Has a call answered: now if it waits for nothing, else by a task of its own, which goes on
    /// when the client is gone.
    fn answer(
        self: &Arc<Self>,
        header: Header,
        payload: Vec<u8>,
        fds: Vec<OwnedFd>,
        permit: OwnedSemaphorePermit,
    ) {
        let procedure = match self.admit(header) {
            Ok(procedure) => procedure,
            Err(error) => return self.refuse(header, &error, Some(permit)),
        };
        let call = Call { session: self.clone(), header, fds };
        let Ok(mut work) = (procedure.run)(call, &payload) else {
            let error = fault::protocol("Unable to decode message payload");
            return self.refuse(header, &error, Some(permit));
        };
        drop(payload);
        let session = self.clone();
        let answered = move |answer: Result<Result<Packet, TooLarge>>| match answer {
            Ok(Ok(packet)) => session.send(packet.holding(permit)),
            Ok(Err(error)) => session.refuse(header, &fault::protocol(error.0), Some(permit)),
            Err(error) => session.refuse(header, &error, Some(permit)),
        };
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match work.as_mut().poll(&mut context) {
            Poll::Ready(answer) => answered(answer),
            Poll::Pending => drop(tokio::spawn(async move { answered(work.await) })),
        }
    }

    /// Whether the client may make a call now, and what answers it.
    fn admit(&self, header: Header) -> Result<&'static Procedure> {
        let (program, version) = header.program;
        let Some(procedures) = table::of_program(header.program) else {
            let text = format!("Cannot find program {program} version {version}");
            return Err(fault::protocol(text));
        };
        if header.status != Status::Ok as i32 {
            let text = format!("Unexpected message status {}", header.status);
            return Err(fault::protocol(text));
        }
        let found = procedures.iter().find(|it| it.number == header.procedure);
        let Some(procedure) = found else {
            return Err(unsupported::refusal(header, self.is_open(), self.is_read_only()));
        };
        check_access(procedure.access, procedure.name, self.is_open(), self.is_read_only())?;
        Ok(procedure)
    }
}

/// Whether a client may do this: one has to open the connection, and not only to look.
pub(super) fn check_access(access: Access, name: &str, open: bool, read_only: bool) -> Result<()> {
    match access {
        Access::Anyone => Ok(()),
        _ if !open => Err(fault::state("hypervisor connection not open")),
        Access::Write if read_only => {
            let text = format!("read only access prevents {name}");
            let error = Error::new(ErrorCode::OperationDenied, text);
            Err(error.in_domain(ErrorDomain::Domain))
        }
        Access::Read | Access::Write => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_header() -> Fault {
    Fault::Message("no header".to_owned())
}

/// Writes what is sent, in order, until the connection is to end.
async fn write(
    stream: &UnixStream,
    mut queue: mpsc::UnboundedReceiver<Outgoing>,
) -> Result<(), Fault> {
    while let Some(outgoing) = queue.recv().await {
        let (packet, is_last) = match outgoing {
            Outgoing::Packet(packet) => (packet, false),
            Outgoing::Last(packet) => (packet, true),
            Outgoing::Cut(why) => return Err(Fault::Gone(why)),
        };
        match write_packet(stream, &packet).await {
            // It does not wait for what it asked for.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
        if is_last {
            break;
        }
    }
    Ok(())
}
