//! The socket on which a supervisor waits for daemons.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket,
};

use super::protocol::{Attempt, Failure};
use crate::sys;

/// A listening socket, and the name it has.
pub(super) struct Listener {
    socket: OwnedFd,
    path: PathBuf,
    inode: u64,
}

impl Listener {
    /// Listens at a path where nothing is.
    pub(super) fn bind(path: &Path) -> Result<Self, Failure> {
        let bind = || -> io::Result<Self> {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
            bind(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
            listen(&socket, Backlog::new(8)?)?;
            Ok(Self { socket, inode: fs::metadata(path)?.ino(), path: path.to_owned() })
        };
        bind().attempt("listen on", path.display())
    }

    /// A daemon that connects, if one does.
    pub(super) fn accept(&self) -> io::Result<Option<OwnedFd>> {
        match sys::fd::accept(self.socket.as_fd()) {
            Ok(daemon) => Ok(Some(daemon)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Listens no more. The name goes only if it is still ours: a daemon that found nobody here
    /// may have given it to another run of the same domain.
    pub(super) fn close(self) -> Result<(), Failure> {
        let Self { socket, path, inode } = self;
        drop(socket);
        match fs::metadata(&path) {
            Ok(found) if found.ino() == inode => {
                fs::remove_file(&path).attempt("remove", path.display())
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).attempt("examine", path.display()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_another_has_taken_stays() {
        let path = std::env::temp_dir().join(format!("nsvirt-listener-{}", std::process::id()));
        let first = Listener::bind(&path).unwrap();
        assert!(Listener::bind(&path).is_err());
        fs::remove_file(&path).unwrap();
        let second = Listener::bind(&path).unwrap();
        first.close().unwrap();
        assert!(path.exists());
        second.close().unwrap();
        assert!(!path.exists());
    }
}
