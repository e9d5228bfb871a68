//! Whose the files of the host are for a container with ids of its own.
//!
//! A root tree that was unpacked as root belongs to the host's root, who is nobody in there. An
//! id-mapped mount shows it as the container's root's, and what the container writes belongs to
//! the host's root on the disk; nobody has to change the owners of a whole tree. A tree whose
//! owners were changed, the way there was before, is left as it is.

use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::stat::fstat;

use super::domain_log::say;
use super::protocol::{Attempt, Failure};
use crate::plan::IdMaps;
use crate::sys::mount::{self as mounts, DetachedMount};

/// The ids of a container, with its user namespace if it has one.
#[derive(Clone, Copy)]
pub(super) struct Owners<'a> {
    maps: &'a IdMaps,
    namespace: Option<BorrowedFd<'a>>,
}

impl<'a> Owners<'a> {
    pub(super) fn new(maps: &'a IdMaps, namespace: Option<BorrowedFd<'a>>) -> Self {
        Self { maps, namespace }
    }

    /// Makes the root or a volume the container's, with what is mounted below it as far as that
    /// can be; `what` it is, is for messages.
    pub(super) fn map_whole(&self, tree: &DetachedMount, what: &str) -> Result<(), Failure> {
        let owner = fstat(tree).attempt("examine", what)?.st_uid;
        if self.can_map(tree, owner).attempt("map the owners in", what)? {
            return Ok(());
        }
        let root = IdMaps::outside(&self.maps.uids, 0).unwrap_or_default();
        Err(Failure {
            attempt: format!(
                "use {what}: it belongs to user {owner} of the host and not to \
                 the container's root, {root}, and its file system has no id-mapped mounts: move \
                 it to one that has, such as ext4, or change its owners"
            ),
            path: String::new(),
            errno: 0,
        })
    }

    /// Makes another file system the container's, if that can be; it starts without that.
    pub(super) fn map(&self, mount: &DetachedMount, source: &Path) -> Result<(), Failure> {
        let source = source.display();
        let owner = fstat(mount).attempt("examine", &source)?.st_uid;
        if !self.can_map(mount, owner).attempt("map the owners in", &source)? {
            let keeps = "keeps its owners, it has no id-mapped mounts";
            say(format_args!("what is in {source} {keeps}"));
        }
        Ok(())
    }

    fn can_map(&self, mount: &DetachedMount, owner: u32) -> std::io::Result<bool> {
        use std::os::fd::AsFd;
        let Some(namespace) = self.namespace else {
            return Ok(true);
        };
        if IdMaps::has_outside(&self.maps.uids, owner) {
            return Ok(true);
        }
        // Without the rest, such as the host's /proc, where only that is in the way.
        for recursive in [true, false] {
            match mounts::map_owners(mount.as_fd(), namespace, recursive) {
                Ok(()) => return Ok(true),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EINVAL | Errno::EPERM | Errno::ENOSYS) => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(false)
    }
}
