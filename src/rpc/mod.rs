//! The RPC front end: libvirt's own protocol on UNIX sockets, over the [`Driver`].
//!
//! What libvirt's clients (virsh, libvirt-python, virt-install) speak. A connection is one task
//! that reads messages and writes answers; what a call does is a line of [`table`] and a function
//! of [`calls`], and nothing more. Encodings are facts of the wire, seen from real clients.
//!
//! What one client can cost: [`connection::CALLS`] calls in work with their answers, each at most
//! [`packet::MAX_MESSAGE`] (a read-only client's calls: [`connection::MAX_READ_ONLY_CALL`]),
//! [`events::BACKLOG`] bytes of events it has not read, and the data of its consoles' streams that
//! is on its way. A client that does not read its answers is not read from; one that does not read
//! its events is cut off.

mod calls;
mod connection;
mod events;
mod fault;
mod packet;
mod protocol;
mod socket;
mod streams;
mod table;
mod unsupported;
mod wire;
mod xdr;

pub use table::understands;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::Semaphore;

use crate::driver::{Driver, Sockets};
use crate::error::Result;
use connection::Session;
use socket::Socket;

/// Clients at a time, as many as libvirt's daemons take. More wait to be accepted.
const MAX_CLIENTS: usize = 5000;

/// How long no client is accepted after that failed, which is for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The sockets, bound; nothing is answered before [`Service::run`].
#[derive(Debug)]
pub struct Service {
    shared: Arc<Shared>,
    sockets: Vec<Socket>,
}

/// What all connections have together.
#[derive(Debug)]
struct Shared {
    driver: Arc<Driver>,
    callbacks: AtomicI32,
    clients: Arc<Semaphore>,
}

impl Shared {
    /// A number for a callback that no other one has had.
    fn next_callback(&self) -> i32 {
        self.callbacks.fetch_add(1, Ordering::Relaxed)
    }
}

impl Service {
    /// Binds the sockets, or takes those that systemd has bound.
    ///
    /// Fails when another daemon answers at one of them.
    pub fn start(driver: Arc<Driver>, sockets: &Sockets) -> Result<Self> {
        let clients = Arc::new(Semaphore::new(MAX_CLIENTS));
        let shared = Arc::new(Shared { driver, callbacks: AtomicI32::new(0), clients });
        Ok(Self { shared, sockets: socket::open(sockets)? })
    }

    /// Where clients connect.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.sockets.iter().map(|socket| socket.path.clone()).collect()
    }

    /// Serves clients until it is dropped; the sockets that it has bound go with it.
    pub async fn run(&self) {
        let accepting = self.sockets.iter().map(|socket| self.accept(socket));
        futures_util::future::join_all(accepting).await;
    }

    async fn accept(&self, socket: &Socket) {
        loop {
            let Ok(permit) = self.shared.clients.clone().acquire_owned().await else { return };
            match socket.listener.accept().await {
                Ok((stream, _)) => {
                    let (shared, read_only) = (self.shared.clone(), socket.read_only);
                    tokio::spawn(async move {
                        serve(shared, stream, read_only).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!("cannot accept at {}: {error}", socket.path.display());
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(shared: Arc<Shared>, stream: UnixStream, read_only: bool) {
    let peer = match stream.peer_cred() {
        Ok(peer) => peer,
        Err(error) => return tracing::warn!("a client that is gone: {error}"),
    };
    let (uid, pid) = (peer.uid(), peer.pid().unwrap_or(0));
    tracing::debug!("client of user {uid}, process {pid}, read-only: {read_only}");
    if let Err(error) = Session::serve(shared, stream, read_only).await {
        tracing::warn!("disconnecting client of user {uid}, process {pid}: {error}");
    }
}
