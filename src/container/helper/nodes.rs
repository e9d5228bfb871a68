//! Nodes in the container's `/dev`.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{SFlag, fstatat, makedev};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{Attempt, Container, Failure};
use crate::container::place::Root;
use crate::container::tree;
use crate::plan::{DeviceKind, HostNode, Step};

pub(super) fn make(container: &Container<'_>, node: &HostNode) -> Result<(), Failure> {
    let root = container.enter_tree()?;
    let Step::Device { path, device, mode } = node.step() else { return Ok(()) };
    tree::make_node(&root, &path, device, mode).attempt("create device", &path)
}

/// What the container has put in its place stays.
pub(super) fn remove(container: &Container<'_>, node: &HostNode) -> Result<(), Failure> {
    let root = container.enter_tree()?;
    match remove_if_it_is(&root, node) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.attempt("remove device", &node.path),
    }
}

fn remove_if_it_is(root: &Root, node: &HostNode) -> io::Result<()> {
    let path = Path::new(&node.path);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Errno::EINVAL.into());
    };
    let parent = root.find(parent, tree::links(&node.path))?;
    let found = fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let kind = match node.device.kind {
        DeviceKind::Block => SFlag::S_IFBLK,
        DeviceKind::Char => SFlag::S_IFCHR,
    };
    let number = makedev(node.device.major.into(), node.device.minor.into());
    if found.st_mode & SFlag::S_IFMT.bits() == kind.bits() && found.st_rdev == number {
        unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir)?;
    }
    Ok(())
}
