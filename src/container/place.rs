//! Paths inside the container, which are its own to choose.
//!
//! Every one is resolved below this process's root, and never through the links of `/proc` that
//! lead to what a process has open: among that are directories of the host.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{Mode, mkdirat};

/// Times a resolution is made again when something was renamed or mounted meanwhile.
const ATTEMPTS: usize = 64;

/// Whether symbolic links are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// They are, below the root.
    Inside,
    /// A path with one is refused: that is where the kernel's file systems are expected by
    /// everybody, and a container that has something else there would be without its guards.
    Refused,
}

/// The root that paths are resolved in: this process's, kept open.
pub(super) struct Root(OwnedFd);

impl Root {
    /// The root as it is now.
    pub(super) fn current() -> io::Result<Self> {
        Ok(Self(open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?))
    }

    /// Opens what there is at a path.
    pub(super) fn open(&self, path: &str, flags: OFlag) -> io::Result<OwnedFd> {
        self.resolve(Path::new(path), flags, Links::Inside)
    }

    /// Refers to what there is at a path (`O_PATH`).
    pub(super) fn find(&self, path: &Path, links: Links) -> io::Result<OwnedFd> {
        self.resolve(path, OFlag::O_PATH, links)
    }

    /// Refers to a directory, which is made with those above it where they are missing.
    pub(super) fn directory(&self, path: &Path, links: Links) -> io::Result<OwnedFd> {
        match self.find(path, links) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        let (parent, name) = self.parent(path, links)?;
        match mkdirat(&parent, name.as_path(), Mode::from_bits_truncate(0o755)) {
            // A link to nothing is something, and then there is nothing to find.
            Ok(()) | Err(Errno::EEXIST) => self.find(path, links),
            Err(error) => Err(error.into()),
        }
    }

    /// Refers to a file, which is made empty, with the directories above it, where it is missing.
    pub(super) fn file(&self, path: &Path, links: Links) -> io::Result<OwnedFd> {
        match self.find(path, links) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (parent, name) = self.parent(path, links)?;
                let new = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
                let mode = Mode::from_bits_truncate(0o644);
                nix::fcntl::openat(parent, name.as_path(), new, mode)?;
                self.find(path, links)
            }
            result => result,
        }
    }

    /// The directory that a path is in, made where it is missing, and the name in there.
    pub(super) fn parent(&self, path: &Path, links: Links) -> io::Result<(OwnedFd, PathBuf)> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(Errno::EINVAL.into());
        };
        Ok((self.directory(parent, links)?, PathBuf::from(name)))
    }

    fn resolve(&self, path: &Path, flags: OFlag, links: Links) -> io::Result<OwnedFd> {
        let within = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(match links {
            Links::Inside => within,
            Links::Refused => within | ResolveFlag::RESOLVE_NO_SYMLINKS,
        });
        for _ in 1..ATTEMPTS {
            match openat2(self.0.as_fd(), path, how) {
                Err(Errno::EAGAIN) => {}
                result => return Ok(result?),
            }
        }
        Ok(openat2(self.0.as_fd(), path, how)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_what_is_open_lead_nowhere() {
        let (read, _write) = nix::unistd::pipe().unwrap();
        use std::os::fd::AsRawFd;
        let link = format!("/proc/self/fd/{}", read.as_raw_fd());
        assert!(std::fs::metadata(&link).is_ok());
        let root = Root::current().unwrap();
        let error = root.open(&link, OFlag::O_RDONLY).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::ELOOP));
        let error = root.find(Path::new("/proc/self"), Links::Refused).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::ELOOP));
    }

    #[test]
    fn what_is_missing_is_made_and_a_link_to_nothing_is_not_followed() {
        let top = std::env::temp_dir().join(format!("nsvirt-place-{}", std::process::id()));
        let (inside, nothing) = (top.join("a/b"), top.join("nothing"));
        let root = Root::current().unwrap();
        root.directory(&inside, Links::Inside).unwrap();
        root.file(&inside.join("c/file"), Links::Inside).unwrap();
        assert!(inside.join("c/file").is_file());
        std::os::unix::fs::symlink(&nothing, inside.join("link")).unwrap();
        assert!(root.directory(&inside.join("link/d"), Links::Inside).is_err());
        assert!(root.file(&inside.join("link"), Links::Inside).is_err());
        assert!(!nothing.exists());
        std::fs::remove_dir_all(&top).unwrap();
    }
}
