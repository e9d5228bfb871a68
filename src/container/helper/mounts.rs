//! File systems that come to the tree of a container that runs, or leave it.
//!
//! What is mounted is complete before it gets its place: made or opened on the host, attached to
//! nothing, its owners and rights set. What is unmounted is found by its place, not by its path: a
//! path with symbolic links of the container's must not lead to a guard of `/proc`.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::mount::{MntFlags, MsFlags, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, chdir, fchdir, unlinkat};

use super::{Attempt, Container, Failure, fault};
use crate::container::owners::Owners;
use crate::container::place::{Links, Root};
use crate::container::{tree, volumes};
use crate::plan::{MountPart, Source, Step};
use crate::sys::mount::{self as mounts, DetachedMount};

pub(super) fn mount(container: &Container<'_>, part: &MountPart) -> Result<(), Failure> {
    let namespace = match container.task.id_maps.is_empty() {
        true => None,
        false => Some(container.namespace("user")?),
    };
    let owners = Owners::new(&container.task.id_maps, namespace.as_ref().map(File::as_fd));
    let volumes = volumes::mount_all(&part.volumes)?;
    for (volume, mount) in part.volumes.iter().zip(&volumes) {
        owners.map_whole(mount, &volume.to_string())?;
    }
    let source = open_source(part, &owners)?;
    let root = container.enter_tree()?;
    let is_new = matches!(
        root.find(Path::new(&part.target), tree::links(&part.target)),
        Err(error) if error.kind() == io::ErrorKind::NotFound
    );
    // What is to be hidden in a part of the host is hidden by now.
    let Some(step) = part.steps.first() else { return Ok(()) };
    carry_out(&root, step, source, &volumes).map_err(|failure| undone(&root, part, is_new, failure))
}

/// A part of the host that is to be mounted. Processes are there to look at it from the first
/// instant on, so what they must not see of it is taken away or covered in a tree of this process's
/// own, of which they get a copy.
fn open_source(part: &MountPart, owners: &Owners<'_>) -> Result<Option<DetachedMount>, Failure> {
    let Some((Step::Mount { source: Source::Host { path, without }, .. }, masks)) =
        part.steps.split_first()
    else {
        return Ok(None);
    };
    let mount = tree::clone_tree(path).attempt("open file system source", path.display())?;
    owners.map(&mount, path)?;
    if without.is_empty() && masks.is_empty() {
        return Ok(Some(mount));
    }
    unshare(CloneFlags::CLONE_NEWNS).attempt("create a mount namespace", "")?;
    let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
    nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .attempt("make mounts private below", "/")?;
    // Over the root, where nobody goes through it: this process's root is what was there before.
    let place = nix::fcntl::open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .attempt("open", "/")?;
    mounts::attach(&mount, place.as_fd()).attempt("mount", path.display())?;
    tree::empty(&mount, without).attempt("unmount in", path.display())?;
    for mask in masks {
        cover(&mount, mask, Path::new(&part.target)).attempt("hide in", path.display())?;
    }
    mounts::clone_place(mount.as_fd(), true).map(Some).attempt("copy", path.display())
}

/// Mounts on what a step's path is below a mount; what is not there needs no cover.
fn cover(mount: &DetachedMount, step: &Step, top: &Path) -> io::Result<()> {
    let Step::Mount { source: Source::New { kind, options }, target, attributes } = step else {
        return Err(Errno::EINVAL.into());
    };
    let below = Path::new(target).strip_prefix(top).map_err(io::Error::other)?;
    let within = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(within);
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    let place = match openat2(mount.as_fd(), below, how) {
        Err(Errno::ENOENT) => return Ok(()),
        place => place?,
    };
    let options: Vec<(&str, &str)> =
        options.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let cover = mounts::new_filesystem(kind, kind, &options, *attributes)?;
    mounts::attach(&cover, place.as_fd())
}

fn carry_out(
    root: &Root,
    step: &Step,
    source: Option<DetachedMount>,
    volumes: &[DetachedMount],
) -> Result<(), Failure> {
    let Step::Mount { source: from, target, attributes } = step else {
        return Err(fault("mount what is no file system".to_owned()));
    };
    if let Source::Volume(number) = from {
        let mount = volumes.get(*number).ok_or(Errno::EINVAL).attempt("mount on", target)?;
        mounts::set_attributes(mount.as_fd(), *attributes, 0, true)
            .attempt("restrict the file system at", target)?;
        return tree::attach(root, mount, target);
    }
    let mount = match source {
        Some(mount) => tree::restrict(mount, *attributes),
        None => tree::inside(root, from, *attributes),
    };
    tree::attach(root, &mount.attempt("mount on", target)?, target)
}

/// Takes the mount point back if it was made; nothing is mounted there.
fn undone(root: &Root, part: &MountPart, is_new: bool, failure: Failure) -> Failure {
    let target = Path::new(&part.target);
    let undo = || -> io::Result<()> {
        if let (true, Some(parent), Some(name)) = (is_new, target.parent(), target.file_name()) {
            let parent = match root.find(parent, tree::links(&part.target)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                found => found?,
            };
            let removed = unlinkat(&parent, name, UnlinkatFlags::RemoveDir);
            match removed.or_else(|_| unlinkat(&parent, name, UnlinkatFlags::NoRemoveDir)) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    };
    match undo() {
        Ok(()) => failure,
        Err(left) => fault(format!(
            "{}; and the mount point {} is not taken back: {left}",
            failure.to_string().trim_start_matches("cannot "),
            part.target
        )),
    }
}

/// One line of the table of mounts.
#[derive(Debug, PartialEq, Eq)]
struct Mounted {
    id: u64,
    place: PathBuf,
}

/// Unmounts what is at a place, those below it first. If one of them is in use, all of them are
/// there again. Where nothing is mounted (any more) there is nothing to do.
pub(super) fn unmount(container: &Container<'_>, target: &str) -> Result<(), Failure> {
    // The container's own /proc does not know this process.
    let own = nix::fcntl::open("/proc/self", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
        .attempt("open", "/proc/self")?;
    let root = container.enter_tree()?;
    let found = match root.find(Path::new(target), tree::links(target)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.attempt("find the file system at", target)?,
    };
    let (id, real) = mount_of(&own, found).attempt("find the file system at", target)?;
    let strays = |top: &&str| real.starts_with(top) && !Path::new(target).starts_with(top);
    if let Some(top) = tree::KERNEL.iter().find(|top| strays(top)) {
        return Err(fault(format!(
            "unmount {target}: in the container that is {}, which is in {top}",
            real.display()
        )));
    }
    let all = table(&own).attempt("read the container's table of mounts", "")?;
    if !all.iter().any(|mounted| mounted.id == id && mounted.place == real) {
        return Ok(());
    }
    let below =
        all.iter().filter(|mounted| mounted.place != real && mounted.place.starts_with(&real));
    let mut removed: Vec<(DetachedMount, &Path)> = Vec::new();
    for mounted in below.collect::<Vec<_>>().into_iter().rev() {
        match remove(&root, &mounted.place) {
            Ok(copy) => removed.push((copy, &mounted.place)),
            Err(error) => return Err(mounted_again(&root, removed, target, error)),
        }
    }
    match remove(&root, &real) {
        Ok(_) => Ok(()),
        Err(error) => Err(mounted_again(&root, removed, target, error)),
    }
}

/// Unmounts what is at a place without symbolic links, and gives a copy of it. The directory that
/// it is in is held meanwhile, whatever its path leads to by then.
fn remove(root: &Root, place: &Path) -> io::Result<DetachedMount> {
    let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else {
        return Err(Errno::EBUSY.into());
    };
    // Held open, it would be in use.
    let copy = mounts::clone_place(root.find(place, Links::Refused)?.as_fd(), false)?;
    fchdir(root.find(parent, Links::Refused)?)?;
    let unmounted = umount2(&Path::new(".").join(name), MntFlags::UMOUNT_NOFOLLOW);
    chdir("/")?;
    unmounted?;
    Ok(copy)
}

fn mounted_again(
    root: &Root,
    removed: Vec<(DetachedMount, &Path)>,
    target: &str,
    error: io::Error,
) -> Failure {
    for (copy, place) in removed.into_iter().rev() {
        let attached =
            root.find(place, Links::Refused).and_then(|it| mounts::attach(&copy, it.as_fd()));
        if let Err(left) = attached {
            eprintln!("nsvirt-lxc: {} is not mounted again: {left}", place.display());
        }
    }
    let errno = error.raw_os_error().unwrap_or_default();
    let attempt = match Errno::from_raw(errno) {
        Errno::EBUSY => "unmount, as the container uses it,".to_owned(),
        // A mount that another mount namespace has handed over for good.
        Errno::EINVAL => "unmount what is locked in the container's user namespace,".to_owned(),
        _ => format!("unmount ({error})"),
    };
    Failure { attempt, path: target.to_owned(), errno }
}

/// The number of the mount that a descriptor refers to, and its path.
fn mount_of(own: &OwnedFd, place: OwnedFd) -> io::Result<(u64, PathBuf)> {
    let number = place.as_raw_fd();
    let real = readlinkat(own, Path::new(&format!("fd/{number}")))?;
    let info = read(own, &format!("fdinfo/{number}"))?;
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
    let id = id.and_then(|id| id.trim().parse().ok());
    Ok((id.ok_or(Errno::ENOENT)?, real.into()))
}

fn table(own: &OwnedFd) -> io::Result<Vec<Mounted>> {
    Ok(read(own, "mountinfo")?.lines().filter_map(line).collect())
}

/// `36 35 98:0 / /mnt rw,noatime - ext3 /dev/root rw` (`proc_pid_mountinfo(5)`).
fn line(text: &str) -> Option<Mounted> {
    let mut fields = text.split(' ');
    let id = fields.next()?.parse().ok()?;
    Some(Mounted { id, place: unescaped(fields.nth(3)?) })
}

/// A path as the kernel writes it there: white space and backslashes as octal numbers.
fn unescaped(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let number = after.first_chunk::<3>().filter(|_| first == b'\\');
        let number = number.and_then(|it| std::str::from_utf8(it).ok());
        match number.and_then(|it| u8::from_str_radix(it, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

fn read(own: &OwnedFd, name: &str) -> io::Result<String> {
    let file = openat(own, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut bytes = Vec::new();
    File::from(file).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_as_the_kernel_writes_them() {
        let found = line("36 35 98:0 /m\\040r /mnt\\040a\\134b\\ rw master:1 - ext3 /dev/root rw");
        assert_eq!(found, Some(Mounted { id: 36, place: "/mnt a\\b\\".into() }));
        assert_eq!(line("36 35 98:0"), None);
        let own = nix::fcntl::open("/proc/self", OFlag::O_PATH, Mode::empty()).unwrap();
        let all = table(&own).unwrap();
        let proc = nix::fcntl::open("/proc", OFlag::O_PATH, Mode::empty()).unwrap();
        let (id, real) = mount_of(&own, proc).unwrap();
        assert_eq!(real, Path::new("/proc"));
        assert!(all.contains(&Mounted { id, place: real }));
    }
}
