//! The container's tree: the host's is left behind, then the plan's steps, one interpreter.
//!
//! Sources on the host are opened first, as detached copies, while the host's tree is still there.
//! Then the root becomes `/` and the host's tree is detached, before any path inside is used: from
//! there on a symbolic link in the container can lead nowhere but into the container.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, fstat, makedev, mknodat};
use nix::unistd::{chdir, fchdir, pivot_root, symlinkat};

use super::mask;
use super::owners::Owners;
use super::place::{Links, Root};
use super::protocol::{Attempt, Failure};
use super::start::Prepared;
use crate::plan::{Device, DeviceKind, Plan, RootSource, Source, Step, attributes};
use crate::sys::mount::{self as mounts, DetachedMount};

/// Where the kernel's file systems are, and where nothing else may pretend to be.
pub(super) const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// A tree that is being built; it is this process's `/` already.
pub(super) struct Tree<'a> {
    plan: &'a Plan,
    prepared: &'a Prepared,
    /// What the later steps mount of the host, in their order.
    sources: Vec<Option<DetachedMount>>,
    root: Root,
}

impl<'a> Tree<'a> {
    /// Begins the tree of the plan and makes it this process's `/`, up to where control groups are
    /// mounted.
    ///
    /// Runs in a mount namespace of its own, with `umask` 0: in the child, or for a child with ids
    /// of its own in the builder ([`super::user_namespace`]).
    pub(super) fn begin(
        plan: &'a Plan,
        prepared: &'a Prepared,
        owners: &Owners<'_>,
    ) -> Result<Self, Failure> {
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_PRIVATE | MsFlags::MS_REC, None::<&str>)
            .attempt("make mounts private below", "/")?;
        let sources = open_sources(plan, prepared, owners)?;
        enter_root(plan, prepared, owners)?;
        let tree = Self { plan, prepared, sources, root: Root::current().attempt("open", "/")? };
        plan.first_steps.iter().try_for_each(|step| tree.carry_out(step, None))?;
        Ok(tree)
    }

    /// Does the rest, in the container's control groups.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let sources = std::mem::take(&mut self.sources);
        let mut steps = self.plan.steps.iter().zip(sources);
        steps.try_for_each(|(step, source)| self.carry_out(step, source))
    }

    fn carry_out(&self, step: &Step, source: Option<DetachedMount>) -> Result<(), Failure> {
        match step {
            Step::Clear { path } => clear(Path::new(path)).attempt("unmount", path),
            Step::Mount { source: from, target, attributes } => {
                self.mount(from, source, target, *attributes)
            }
            Step::Mask { paths } => mask::cover(&self.root, paths),
            Step::Directory { path } => self
                .root
                .directory(Path::new(path), links(path))
                .map(drop)
                .attempt("create directory", path),
            Step::Device { path, device, mode } => {
                make_node(&self.root, path, *device, *mode).attempt("create device", path)
            }
            Step::Link { path, target } => {
                self.link(path, target).attempt("create symbolic link", path)
            }
        }
    }

    /// Mounts `source` if it was opened before the host's tree went.
    fn mount(
        &self,
        from: &Source,
        source: Option<DetachedMount>,
        target: &str,
        attributes: u64,
    ) -> Result<(), Failure> {
        match from {
            Source::Terminals => return attach(&self.root, &self.prepared.devpts, target),
            Source::Volume(number) => {
                let mount = volume(self.prepared, *number).attempt("mount on", target)?;
                mounts::set_attributes(mount.as_fd(), attributes, 0, true)
                    .attempt("restrict the file system at", target)?;
                return attach(&self.root, mount, target);
            }
            _ => {}
        }
        let mount = match source {
            Some(mount) => restrict(mount, attributes),
            None => inside(&self.root, from, attributes),
        };
        let what = describe(from);
        let mount = mount.attempt(&format!("mount {what} on"), target)?;
        attach(&self.root, &mount, target)?;
        match from {
            Source::Host { without, .. } => empty(&mount, without).attempt("unmount in", what),
            _ => Ok(()),
        }
    }

    fn link(&self, path: &str, target: &str) -> io::Result<()> {
        let (parent, name) = self.root.parent(Path::new(path), links(path))?;
        Ok(symlinkat(target, parent, name.as_path())?)
    }
}

/// Mounts on a path, which is made as a directory or an empty file when it is missing.
pub(super) fn attach(root: &Root, mount: &DetachedMount, target: &str) -> Result<(), Failure> {
    let mode = fstat(mount).attempt("examine what goes on", target)?.st_mode;
    let path = Path::new(target);
    let place = if mode & SFlag::S_IFMT.bits() == SFlag::S_IFDIR.bits() {
        root.directory(path, links(target))
    } else {
        root.file(path, links(target))
    };
    let place = place.attempt("open mount point", target)?;
    mounts::attach(mount, place.as_fd()).attempt("mount on", target)
}

pub(super) fn make_node(root: &Root, path: &str, device: Device, mode: u32) -> io::Result<()> {
    let (parent, name) = root.parent(Path::new(path), links(path))?;
    let kind = match device.kind {
        DeviceKind::Block => SFlag::S_IFBLK,
        DeviceKind::Char => SFlag::S_IFCHR,
    };
    let mode = Mode::from_bits_truncate(mode);
    let number = makedev(device.major.into(), device.minor.into());
    Ok(mknodat(parent, name.as_path(), kind, mode, number)?)
}

/// A mount of something that is not the host's: new, or in the tree already.
pub(super) fn inside(root: &Root, source: &Source, wanted: u64) -> io::Result<DetachedMount> {
    match source {
        Source::New { kind, options } => {
            let options: Vec<(&str, &str)> =
                options.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            mounts::new_filesystem(kind, kind, &options, wanted)
        }
        Source::Inside(path) => {
            let mount = clone(root, path, false)?;
            let writable = attributes::RDONLY & !wanted;
            mounts::set_attributes(mount.as_fd(), wanted, writable, false)?;
            Ok(mount)
        }
        Source::Bind(path) => restrict(clone(root, path, true)?, wanted),
        Source::Console(number) => {
            restrict(clone(root, &format!("/dev/pts/{number}"), false)?, wanted)
        }
        // They were opened before the host's tree went; there is no step that comes here.
        Source::Host { .. } | Source::Volume(_) | Source::Terminals => {
            Err(io::Error::from(io::ErrorKind::InvalidInput))
        }
    }
}

fn clone(root: &Root, path: &str, recursive: bool) -> io::Result<DetachedMount> {
    mounts::clone_place(root.find(Path::new(path), links(path))?.as_fd(), recursive)
}

/// What the plan mounts of the host, as the container's: copies of its parts, in the order of the
/// steps, and volumes.
fn open_sources(
    plan: &Plan,
    prepared: &Prepared,
    owners: &Owners<'_>,
) -> Result<Vec<Option<DetachedMount>>, Failure> {
    for (volume, mount) in plan.volumes.iter().zip(&prepared.volumes) {
        owners.map_whole(mount, &volume.to_string())?;
    }
    let source = |step: &Step| match step {
        Step::Mount { source: Source::Host { path, .. }, .. } => {
            let mount = clone_tree(path).attempt("open file system source", path.display())?;
            owners.map(&mount, path)?;
            Ok(Some(mount))
        }
        _ => Ok(None),
    };
    plan.steps.iter().map(source).collect()
}

/// A copy of a part of the host, with what is mounted below it. The daemon has followed the links
/// of its path; one that is there by now leads somewhere else.
pub(super) fn clone_tree(path: &Path) -> io::Result<DetachedMount> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS);
    mounts::clone_place(openat2(AT_FDCWD, path, how)?.as_fd(), true)
}

/// Makes the root `/` and lets the host's tree go.
fn enter_root(plan: &Plan, prepared: &Prepared, owners: &Owners<'_>) -> Result<(), Failure> {
    let (copy, source);
    let tree = match &plan.root.source {
        RootSource::Directory(path) => {
            source = path.display().to_string();
            copy = clone_tree(path).attempt("open root file system", &source)?;
            owners.map_whole(&copy, &format!("root file system {source}"))?;
            &copy
        }
        RootSource::Volume(number) => {
            source = plan.volumes.get(*number).map(ToString::to_string).unwrap_or_default();
            volume(prepared, *number).attempt("open root file system", &source)?
        }
    };
    if plan.root.readonly {
        mounts::set_attributes(tree.as_fd(), attributes::RDONLY, 0, true)
            .attempt("make read-only root file system", &source)?;
    }
    fchdir(tree).attempt("enter root file system", &source)?;
    // Any directory does as the place to mount it on: it is left behind with the host's tree.
    let place = open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).attempt("open", "/")?;
    mounts::attach(tree, place.as_fd()).attempt("mount root file system", &source)?;
    // Old and new root in one place (pivot_root(2)), so that the container needs no directory for
    // the old one: it lies over the new root, and is taken off.
    pivot_root(".", ".").attempt("change the root to", &source)?;
    umount2(".", MntFlags::MNT_DETACH).attempt("detach the host's file systems", "")
}

pub(super) fn links(path: &str) -> Links {
    let is_kernels = KERNEL.iter().any(|top| Path::new(path).starts_with(top));
    if is_kernels { Links::Refused } else { Links::Inside }
}

/// Unmounts what is at paths below a mount, wherever that is: its own path may lead elsewhere.
pub(super) fn empty(mount: &DetachedMount, paths: &[PathBuf]) -> nix::Result<()> {
    fchdir(mount)?;
    paths.iter().try_for_each(|path| clear(path))?;
    chdir("/")
}

/// Unmounts all that is stacked at a path; nothing there is fine.
fn clear(path: &Path) -> nix::Result<()> {
    loop {
        match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::EINVAL | Errno::ENOENT) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Takes rights away from a mount and all that is mounted below it.
pub(super) fn restrict(mount: DetachedMount, attributes: u64) -> io::Result<DetachedMount> {
    if attributes != 0 {
        mounts::set_attributes(mount.as_fd(), attributes, 0, true)?;
    }
    Ok(mount)
}

fn describe(source: &Source) -> String {
    match source {
        Source::Host { path, .. } => path.display().to_string(),
        Source::Inside(path) | Source::Bind(path) => path.clone(),
        Source::New { kind, .. } => kind.clone(),
        Source::Volume(number) => format!("volume {number}"),
        Source::Terminals => "devpts".to_owned(),
        Source::Console(number) => format!("console {number}"),
    }
}

fn volume(prepared: &Prepared, number: usize) -> io::Result<&DetachedMount> {
    prepared.volumes.get(number).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}
