//! Paths inside the container, which are its own to choose.
//!
//! Every one is resolved below this process's root, and never through the links of `/proc` that
//! lead to what a process has open: among that are directories of the host.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open as open_path, openat2};
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

/// Opens what there is at a path.
pub(super) fn open(path: &str, flags: OFlag) -> io::Result<OwnedFd> {
    resolve(Path::new(path), flags, Links::Inside)
}

/// Refers to what there is at a path (`O_PATH`).
pub(super) fn find(path: &Path, links: Links) -> io::Result<OwnedFd> {
    resolve(path, OFlag::O_PATH, links)
}

/// Refers to a directory, which is made with those above it where they are missing.
pub(super) fn directory(path: &Path, links: Links) -> io::Result<OwnedFd> {
    match find(path, links) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => return result,
    }
    let mut so_far = PathBuf::from("/");
    let mut place = find(&so_far, links)?;
    for component in path.components().filter(|it| *it != Component::RootDir) {
        so_far.push(component);
        place = match find(&so_far, links) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                mkdirat(&place, component.as_os_str(), Mode::from_bits_truncate(0o755))?;
                find(&so_far, links)?
            }
            result => result?,
        };
    }
    Ok(place)
}

/// Refers to a file, which is made empty, with the directories above it, where it is missing.
pub(super) fn file(path: &Path, links: Links) -> io::Result<OwnedFd> {
    match find(path, links) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let (parent, name) = parent(path, links)?;
            let new = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
            let mode = Mode::from_bits_truncate(0o644);
            nix::fcntl::openat(parent, name.as_path(), new, mode)?;
            find(path, links)
        }
        result => result,
    }
}

/// The directory that a path is in, made where it is missing, and the name in there.
pub(super) fn parent(path: &Path, links: Links) -> io::Result<(OwnedFd, PathBuf)> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::EINVAL.into());
    };
    Ok((directory(parent, links)?, PathBuf::from(name)))
}

fn resolve(path: &Path, flags: OFlag, links: Links) -> io::Result<OwnedFd> {
    let root = open_path("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())?;
    let within = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(match links {
        Links::Inside => within,
        Links::Refused => within | ResolveFlag::RESOLVE_NO_SYMLINKS,
    });
    for _ in 1..ATTEMPTS {
        match openat2(root.as_fd(), path, how) {
            Err(Errno::EAGAIN) => {}
            result => return Ok(result?),
        }
    }
    Ok(openat2(root.as_fd(), path, how)?)
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
        let error = open(&link, OFlag::O_RDONLY).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::ELOOP));
        let error = find(Path::new("/proc/self"), Links::Refused).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::ELOOP));
    }

    #[test]
    fn what_is_missing_is_made_and_a_link_to_nothing_is_not_followed() {
        let top = std::env::temp_dir().join(format!("nsvirt-place-{}", std::process::id()));
        let (inside, nothing) = (top.join("a/b"), top.join("nothing"));
        directory(&inside, Links::Inside).unwrap();
        file(&inside.join("c/file"), Links::Inside).unwrap();
        assert!(inside.join("c/file").is_file());
        std::os::unix::fs::symlink(&nothing, inside.join("link")).unwrap();
        assert!(directory(&inside.join("link/d"), Links::Inside).is_err());
        assert!(file(&inside.join("link"), Links::Inside).is_err());
        assert!(!nothing.exists());
        std::fs::remove_dir_all(&top).unwrap();
    }
}
