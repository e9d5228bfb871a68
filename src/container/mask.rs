//! Parts of `/proc` and `/sys` that are empty in the container.
//!
//! Over each goes a file or directory with nothing in it, of one small file system in memory that
//! nobody else has. A node of `/dev/null`, which others take for this, can be written, and would
//! have to be the right one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::mount::{MntFlags, umount2};
use nix::sys::stat::{Mode, SFlag, fstat, mkdirat};

use super::place::{Links, Root};
use super::protocol::{Attempt, Failure};
use crate::plan::attributes::{NODEV, NOEXEC, NOSUID, RDONLY};
use crate::sys::mount::{self as mounts, DetachedMount};

const FILE: &str = "file";
const DIRECTORY: &str = "directory";

/// Where the file system is for a moment: what is attached nowhere cannot be copied. It is the
/// plan's mount point for another one later.
const PLACE: &str = "/dev";

/// Puts nothing over each of the paths that is there.
pub(super) fn cover(root: &Root, paths: &[String]) -> Result<(), Failure> {
    let place =
        root.directory(Path::new(PLACE), Links::Refused).attempt("open mount point", PLACE)?;
    let nothing = make_nothing().attempt("make what masks", "/proc")?;
    mounts::attach(&nothing, place.as_fd()).attempt("mount what masks", "/proc")?;
    let covered = paths.iter().try_for_each(|path| {
        let found = match root.find(Path::new(path), Links::Refused) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.attempt("open", path)?,
        };
        cover_one(&nothing, &found).attempt("mask", path)
    });
    umount2(PLACE, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW)
        .attempt("unmount what masks", "/proc")?;
    covered
}

fn make_nothing() -> io::Result<DetachedMount> {
    let options = [("mode", "755"), ("size", "4096"), ("nr_inodes", "4")];
    let nothing = mounts::new_filesystem("tmpfs", "tmpfs", &options, NOSUID | NODEV | NOEXEC)?;
    let read = Mode::from_bits_truncate(0o444);
    openat(&nothing, FILE, OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC, read)?;
    mkdirat(&nothing, DIRECTORY, Mode::from_bits_truncate(0o555))?;
    Ok(nothing)
}

fn cover_one(nothing: &DetachedMount, found: &OwnedFd) -> io::Result<()> {
    let is_directory = fstat(found)?.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits();
    let name = if is_directory { DIRECTORY } else { FILE };
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let empty = openat(nothing, name, flags, Mode::empty())?;
    let mask = mounts::clone_place(empty.as_fd(), false)?;
    mounts::set_attributes(mask.as_fd(), RDONLY, 0, false)?;
    match mounts::attach(&mask, found.as_fd()) {
        // It is gone: entries of /proc and /sys come and go with devices.
        Err(error) if error.raw_os_error() == Some(Errno::ENOENT as i32) => Ok(()),
        result => result,
    }
}
