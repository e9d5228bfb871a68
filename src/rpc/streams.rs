//! Streams: bytes both ways beside the calls, known by the serial of the call that opened them.
//!
//! Each packet of a stream waits until the one before has left the socket, so that what a client
//! does not read stays where it comes from. What it sends is taken as fast as it can be passed on;
//! meanwhile nothing else is read from the client.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::unix::AsyncFd;
use tokio::sync::{Semaphore, mpsc};

use super::connection::{Call, Session};
use super::fault;
use super::packet::{Header, Kind, MAX_STREAM_DATA, Packet, Status};
use crate::error::{Error, Result};
use crate::sys::fd;

/// Packets of a client that wait to be passed on.
const WAITING: usize = 1;
/// Bytes that are read for a client at once.
const CHUNK: usize = 64 << 10;

const _: () = assert!(CHUNK <= MAX_STREAM_DATA);

/// Streams that one client may have at a time.
const MOST: usize = 128;

/// The streams of one client.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    by_serial: HashMap<u32, Stream>,
    /// The client is gone: no more are opened.
    is_closed: bool,
}

#[derive(Debug)]
struct Stream {
    program: (u32, u32),
    procedure: i32,
    input: mpsc::Sender<Input>,
}

/// What a client sends to a stream.
#[derive(Debug)]
enum Input {
    Data(Vec<u8>),
    /// No more, orderly or not: it waits for the answer.
    End(Header),
}

impl Streams {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Abandons all, and takes no more.
    pub(super) fn close(&self) {
        let mut streams = self.lock();
        streams.by_serial.clear();
        streams.is_closed = true;
    }

    /// Passes on what a client sends; what is for no stream is nothing to anybody.
    pub(super) async fn give(&self, header: Header, data: Vec<u8>) {
        let input = match header.status {
            status if status == Status::Continue as i32 => Input::Data(data),
            _ => Input::End(header),
        };
        let stream = self.lock().by_serial.get(&header.serial).and_then(|stream| {
            let is_it = (stream.program, stream.procedure) == (header.program, header.procedure);
            is_it.then(|| stream.input.clone())
        });
        if let Some(stream) = stream {
            // An error means that it ended meanwhile.
            let _ = stream.send(input).await;
        }
    }
}

/// Makes a descriptor the other end of a call's stream.
pub(super) fn open(call: &Call, descriptor: OwnedFd) -> Result<()> {
    let failed = |error| Error::system("cannot make a stream of a descriptor", error);
    fd::set_nonblocking(&descriptor).map_err(failed)?;
    let interest = tokio::io::Interest::READABLE | tokio::io::Interest::WRITABLE;
    let descriptor = fd::watch(descriptor, interest).map_err(failed)?;
    let (input, inputs) = mpsc::channel(WAITING);
    let Header { program, procedure, serial, .. } = call.header;
    let mut streams = call.session.streams.lock();
    if streams.is_closed {
        return Err(fault::state("the client is gone"));
    }
    if streams.by_serial.contains_key(&serial) {
        return Err(fault::state(format!("stream {serial} is open already")));
    }
    if streams.by_serial.len() >= MOST {
        return Err(fault::state(format!("more than {MOST} streams of one client")));
    }
    streams.by_serial.insert(serial, Stream { program, procedure, input });
    tokio::spawn(relay(call.session.clone(), call.header, descriptor, inputs));
    Ok(())
}

/// Passes bytes on both ways until the client ends the stream, or is gone.
async fn relay(
    session: Arc<Session>,
    header: Header,
    descriptor: AsyncFd<OwnedFd>,
    inputs: mpsc::Receiver<Input>,
) {
    let outwards = async {
        if let Err(error) = read(&session, header, &descriptor).await {
            let attempt = "cannot read from a console";
            let header = header.answer(Kind::Stream, Status::Error);
            session.refuse(header, &Error::system(attempt, error), None);
        }
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        () = outwards => None,
        end = write(&descriptor, inputs) => end,
    };
    session.streams.lock().by_serial.remove(&header.serial);
    if let Some(end) = end {
        match Packet::new(end.answer(Kind::Stream, Status::Ok), &()) {
            Ok(packet) => session.send(packet),
            Err(error) => tracing::error!("cannot end a stream: {error}"),
        }
    }
}

/// What comes from the descriptor, until its end.
async fn read(session: &Session, header: Header, from: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let window = Arc::new(Semaphore::new(1));
    let header = header.answer(Kind::Stream, Status::Continue);
    let mut bytes = vec![0; CHUNK];
    loop {
        let Ok(permit) = window.clone().acquire_owned().await else { return Ok(()) };
        let length = from
            .async_io(tokio::io::Interest::READABLE, |from| {
                match nix::unistd::read(from, &mut bytes) {
                    // The other side of a terminal is gone.
                    Err(nix::errno::Errno::EIO) => Ok(0),
                    read => Ok(read?),
                }
            })
            .await?;
        let data = bytes.get(..length).unwrap_or_default();
        let packet = Packet::stream(header, data).map_err(|e| io::Error::other(e.to_string()))?;
        // A packet without bytes is the end.
        session.send(packet.holding(permit));
        if length == 0 {
            return Ok(());
        }
    }
}

/// What the client sends, until it ends the stream; `None` when the client is gone.
async fn write(to: &AsyncFd<OwnedFd>, mut inputs: mpsc::Receiver<Input>) -> Option<Header> {
    loop {
        let data = match inputs.recv().await? {
            Input::Data(data) => data,
            Input::End(header) => return Some(header),
        };
        let mut rest = data.as_slice();
        while !rest.is_empty() {
            let write = |to: &OwnedFd| Ok(nix::unistd::write(to, rest)?);
            match to.async_io(tokio::io::Interest::WRITABLE, write).await {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                // Nobody is there to read it: the client will see the end.
                Err(_) => break,
            }
        }
    }
}
