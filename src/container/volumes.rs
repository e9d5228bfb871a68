//! File systems that take a device of the host, mounted by the supervisor.
//!
//! In the container's control groups none of the host's block devices can be opened, not even to
//! mount it. So the supervisor mounts, attached to nothing, before it clones the child, and the
//! child takes the mounts into its tree. No device becomes the container's by that.
//!
//! Nothing has to be taken back: a loop device lets go of its file with the last mount of it, and
//! that goes with the container's mount namespace, whoever kills whom.

use std::fs::{self, DirBuilder, File, Metadata, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use super::protocol::{Attempt, Failure};
use super::superblock;
use crate::plan::Volume;
use crate::sys::loop_device::{self, open};
use crate::sys::mount::{DetachedMount, new_filesystem};

/// Mounts volumes, in their order.
pub(super) fn mount_all(volumes: &[Volume]) -> Result<Vec<DetachedMount>, Failure> {
    volumes.iter().map(mount).collect()
}

fn mount(volume: &Volume) -> Result<DetachedMount, Failure> {
    match volume {
        Volume::Device { path, readonly } => {
            // Only its first bytes are read here; the kernel opens it by its path.
            let device = open(path, true).attempt("open block device", path.display())?;
            expect(&device, path, "block device", |it| it.file_type().is_block_device())?;
            mount_device(&path.to_string_lossy(), kind(&device, volume)?, *readonly)
                .attempt("mount block device", path.display())
        }
        Volume::Image { path, readonly } => {
            let image = open(path, *readonly).attempt("open image", path.display())?;
            expect(&image, path, "regular file", Metadata::is_file)?;
            let kind = kind(&image, volume)?;
            loop_device::lock(&image, *readonly)
                .attempt("have for itself image", path.display())?;
            let (device, name) = loop_device::attach(&image, *readonly)
                .attempt("show by a loop device image", path.display())?;
            let mount = mount_device(&name, kind, *readonly);
            // Until here nobody else used it, and it would have let go.
            drop(device);
            mount.attempt("mount image", path.display())
        }
        Volume::Layers { lower, changes } => {
            mount_layers(lower, changes).attempt("mount template", lower.display())
        }
    }
}

fn expect(
    file: &File,
    path: &Path,
    what: &str,
    is: impl Fn(&Metadata) -> bool,
) -> Result<(), Failure> {
    let metadata = file.metadata().attempt("examine", path.display())?;
    if is(&metadata) {
        Ok(())
    } else {
        Err(fault(format!("mount {}: it is no {what}", path.display())))
    }
}

fn kind(file: &File, volume: &Volume) -> Result<&'static str, Failure> {
    superblock::kind(file).attempt("read", volume)?.ok_or_else(|| {
        let known = superblock::known();
        fault(format!("mount {volume}: it has no known file system; known are {known}"))
    })
}

fn fault(attempt: String) -> Failure {
    Failure { attempt, path: String::new(), errno: 0 }
}

fn mount_device(path: &str, kind: &str, readonly: bool) -> io::Result<DetachedMount> {
    let options: &[(&str, &str)] = if readonly { &[("ro", "")] } else { &[] };
    new_filesystem(kind, path, options, 0)
}

/// An overlay. Its layers are named by descriptors: their paths may be longer than an option may
/// be, and are nothing that a container should read in its table of mounts.
fn mount_layers(lower: &Path, changes: &Path) -> io::Result<DetachedMount> {
    let lower = open(lower, true)?;
    let (upper, work) = (changes.join("upper"), changes.join("work"));
    if !upper.exists() {
        make_upper(&upper, &lower.metadata()?)?;
    }
    directory(&work)?;
    let (upper, work) = (open(&upper, true)?, open(&work, true)?);
    let path = |layer: &File| format!("/proc/self/fd/{}", layer.as_raw_fd());
    let options =
        [("lowerdir", &*path(&lower)), ("upperdir", &*path(&upper)), ("workdir", &*path(&work))];
    new_filesystem("overlay", "template", &options, 0)
}

/// The directory of changes, which is what the overlay's own directory looks like. It gets its
/// name last, so that one that is there is complete.
fn make_upper(upper: &Path, like: &Metadata) -> io::Result<()> {
    let new = upper.with_extension("new");
    directory(&new)?;
    std::os::unix::fs::chown(&new, Some(like.uid()), Some(like.gid()))?;
    fs::set_permissions(&new, Permissions::from_mode(like.mode() & 0o7777))?;
    fs::rename(&new, upper)
}

fn directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
