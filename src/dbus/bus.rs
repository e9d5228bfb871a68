//! Which bus: the system's, a session's, any address, or one of our own.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::mpsc;
use std::time::Duration;

use zbus::address::Transport;
use zbus::address::transport::{Unix, UnixSocket};
use zbus::connection::Builder;
use zbus::{Address, Connection};

/// How long the embedded bus waits for somebody to take a message before it takes him for gone.
/// Its own 100 ms are not enough for a document of some megabytes on a busy host, and the one who
/// is gone then is this daemon.
const SEND_PATIENCE: Duration = Duration::from_secs(30);

/// The bus to serve on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bus {
    /// A bus inside this process, at a socket: for a daemon without a D-Bus around it. It has no
    /// policy of its own; who may use it is decided by who may reach the socket.
    Embedded(PathBuf),
    /// The system bus.
    System,
    /// The session bus.
    Session,
    /// The bus at an address.
    Address(String),
}

impl Bus {
    /// The address clients use, where it is not the well-known one of a system or session bus.
    pub fn address(&self) -> String {
        match self {
            Self::Embedded(path) => address_of(path),
            Self::System => "system".to_owned(),
            Self::Session => "session".to_owned(),
            Self::Address(address) => address.clone(),
        }
    }

    /// Connects, after starting the bus if it is ours.
    pub(super) async fn connect(&self) -> zbus::Result<Connection> {
        let builder = match self {
            Self::Embedded(path) => {
                embed(path)?;
                Builder::address(self.address().as_str())
            }
            Self::System => Builder::system(),
            Self::Session => Builder::session(),
            Self::Address(address) => Builder::address(Address::from_str(address)?),
        };
        builder.build().await
    }
}

/// The address of a socket, with what means something in an address escaped.
fn address_of(path: &Path) -> String {
    Address::from(Transport::Unix(Unix::new(UnixSocket::File(path.into())))).to_string()
}

/// Starts the bus on a thread of its own and returns when it can be reached. It lives as long as
/// this process; its socket is made anew, as nobody but the holder of the directory makes it.
fn embed(path: &Path) -> zbus::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let address = address_of(path);
    let (started, ready) = mpsc::channel();
    std::thread::Builder::new().name("bus".to_owned()).spawn(move || {
        zruntime::block_on(async move {
            match busd::bus::Bus::for_address(Some(&address)).await {
                Ok(mut bus) => {
                    bus.set_send_timeout(SEND_PATIENCE);
                    // The receiver waits for exactly this.
                    let _ = started.send(Ok(()));
                    if let Err(error) = bus.run().await {
                        tracing::error!("the embedded bus ended: {error}");
                    }
                }
                Err(error) => {
                    let _ = started.send(Err(error.to_string()));
                }
            }
        });
    })?;
    let failure = |text: String| zbus::Error::Failure(format!("cannot start the bus: {text}"));
    ready.recv().map_err(|e| failure(e.to_string()))?.map_err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_in_an_address_is_escaped() {
        let bus = |path: &str| Bus::Embedded(path.into()).address();
        assert_eq!(bus("/run/nsvirt/bus"), "unix:path=/run/nsvirt/bus");
        assert_eq!(bus("/a b,c/bus"), "unix:path=/a%20b%2cc/bus");
    }
}
