//! The sockets: bound, or taken over from systemd.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener as Listener;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::driver::Sockets;
use crate::error::{Error, ErrorCode, Result};
use crate::sys;

/// The names under which libvirt's clients look for a daemon of containers.
const READ_WRITE: &str = "virtlxcd-sock";
const READ_ONLY: &str = "virtlxcd-sock-ro";

/// One socket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) listener: UnixListener,
    pub(super) path: PathBuf,
    pub(super) read_only: bool,
    /// The file that goes with the daemon; systemd's stays.
    own: Option<(u64, u64)>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Somebody else may have one there by now.
        let is_ours = |own| identity(&self.path).is_ok_and(|found| found == own);
        if self.own.is_some_and(is_ours)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// Binds the sockets, or takes those that systemd has bound.
pub(super) fn open(sockets: &Sockets) -> Result<Vec<Socket>> {
    let passed = sys::fd::passed_by_systemd()
        .map_err(|e| Error::system("cannot take over the sockets of systemd", e))?;
    if !passed.is_empty() {
        return passed.into_iter().map(adopt).collect();
    }
    make_directory(&sockets.directory)?;
    let both = [(READ_WRITE, false), (READ_ONLY, true)];
    both.into_iter().map(|(name, read_only)| bind(sockets, name, read_only)).collect()
}

/// Makes the directory of the sockets if there is none, for everybody to pass: who may connect is
/// said by the sockets.
fn make_directory(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .map_err(|e| Error::system(format!("cannot make directory {}", path.display()), e))
}

/// A socket that systemd has bound; its name says whether clients can change anything.
fn adopt(passed: OwnedFd) -> Result<Socket> {
    let failed = |e| Error::system("cannot take over a socket of systemd", e);
    let listener = Listener::from(passed);
    let address = listener.local_addr().map_err(failed)?;
    let path = address.as_pathname().unwrap_or(Path::new("")).to_owned();
    let name = path.file_name().unwrap_or_default();
    let read_only = name.as_encoded_bytes().ends_with(b"-ro");
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = UnixListener::from_std(listener).map_err(failed)?;
    Ok(Socket { listener, path, read_only, own: None })
}

/// Binds a socket beside its place, and moves it there when it is as it should be: nobody can
/// connect before. One that nobody listens at is replaced.
fn bind(sockets: &Sockets, name: &str, read_only: bool) -> Result<Socket> {
    let path = sockets.directory.join(name);
    check_free(&path)?;
    let temporary = sockets.directory.join(format!(".{name}.{}", std::process::id()));
    let failed = |e| Error::system(format!("cannot make socket {}", path.display()), e);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let listener = Listener::bind(&temporary).map_err(failed)?;
    let made = finish(sockets, &temporary, read_only).and_then(|()| {
        fs::rename(&temporary, &path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)
    });
    if let Err(error) = made {
        // Whatever is left of it is in nobody's way.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    let own = Some(identity(&path).map_err(failed)?);
    let listener = UnixListener::from_std(listener).map_err(failed)?;
    Ok(Socket { listener, path, read_only, own })
}

/// Owner, group and mode.
fn finish(sockets: &Sockets, path: &Path, read_only: bool) -> Result<()> {
    let failed = |e| Error::system(format!("cannot give away socket {}", path.display()), e);
    let (owner, group) = (sockets.owner.map(Into::into), sockets.group.map(Into::into));
    nix::unistd::chown(path, owner, group).map_err(|e| failed(e.into()))?;
    let mode = if read_only { sockets.read_only_mode } else { sockets.mode };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(failed)
}

/// Nothing is there, or a socket that nobody listens at.
fn check_free(path: &Path) -> Result<()> {
    let taken = |what: &str| {
        let text = format!(
            "cannot serve at {}: {what}; choose another directory in [libvirt] of the \
             configuration, or none with enabled = false",
            path.display()
        );
        Err(Error::new(ErrorCode::OperationFailed, text))
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::system(format!("cannot see {}", path.display()), error)),
        Ok(found) if !found.file_type().is_socket() => return taken("it is no socket"),
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => taken("another daemon answers there"),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(Error::system(format!("cannot try {}", path.display()), error)),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|it| (it.dev(), it.ino()))
}
