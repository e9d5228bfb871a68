//! A container with ids of its own: what its first process cannot do for itself.
//!
//! The child is born in the user namespace, so that its other namespaces belong to that, and has no
//! rights on the host. So the supervisor writes its maps, and a *builder*, which has the
//! supervisor's rights, makes its tree in a mount namespace of the host and hands a copy of that to
//! the child. In the copy, which is the user namespace's, the kernel holds every mount where it is:
//! root inside can neither take a guard of `/proc` away nor mount another `/proc` without it.
//!
//! Steps between child and supervisor, with the numbers that [`super::child`] has:
//!
//! 1. The child is in its control groups and in all namespaces but that of mounts: `Entered`.
//! 2. The supervisor has written the maps and has the tree from the builder: [`Tree`].

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, chown, fchown, fchownat};
use serde::{Deserialize, Serialize};

use super::owners::Owners;
use super::protocol::{self, Attempt, Failure};
use super::start::{self, Prepared, Report, Terminal};
use super::tree;
use crate::plan::{IdMaps, Plan};
use crate::sys::clone::{Side, clone3};
use crate::sys::mount::DetachedMount;
use crate::sys::user;

/// The word that the tree is there; its mount namespace comes along.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tree;

/// Files of a control group that who manages it writes. None of them is a limit.
const DELEGATED: [&str; 4] = ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "tasks"];

/// The host's user and group that the container's root is.
pub(super) fn root_of(maps: &IdMaps) -> (u32, u32) {
    let root = |rows| IdMaps::outside(rows, 0).unwrap_or_default();
    (root(&maps.uids), root(&maps.gids))
}

/// Gives the container's root its control groups.
pub(super) fn hand_over_groups(plan: &Plan) -> Result<(), Failure> {
    let (uid, gid) = root_of(&plan.id_maps);
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    for group in &plan.placement.delegated {
        let files = DELEGATED.iter().map(|name| group.join(name)).filter(|file| file.exists());
        for file in files.chain([group.clone()]) {
            chown(&file, uid, gid).attempt("hand over", file.display())?;
        }
    }
    Ok(())
}

/// Gives the container's root its terminals.
pub(super) fn hand_over_terminals(
    plan: &Plan,
    devpts: &DetachedMount,
    terminals: &[Terminal],
) -> Result<(), Failure> {
    let (uid, gid) = root_of(&plan.id_maps);
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    let follow = nix::fcntl::AtFlags::empty();
    fchownat(devpts.as_fd(), "ptmx", uid, gid, follow).attempt("hand over", "ptmx")?;
    for terminal in terminals {
        fchown(&terminal.slave, uid, None).attempt("hand over a terminal", "")?;
    }
    Ok(())
}

/// Takes the child, of which `init` is a pidfd, through its steps.
pub(super) fn set_up(
    plan: &Plan,
    prepared: &Prepared,
    pid: i32,
    init: &OwnedFd,
    report: &OwnedFd,
) -> Result<(), Failure> {
    match protocol::receive(report.as_fd()).attempt("hear from the child", "")? {
        Some((Report::Entered, _)) => {}
        Some((Report::Failed(failure), _)) => return Err(failure),
        Some(_) | None => return Err(start::killed()),
    }
    let maps = [("uid_map", &plan.id_maps.uids), ("gid_map", &plan.id_maps.gids)];
    for (file, rows) in maps {
        // One write: the kernel takes a map once.
        fs::write(format!("/proc/{pid}/{file}"), IdMaps::text(rows))
            .attempt("map ids: cannot write", file)?;
    }
    let path = format!("/proc/{pid}/ns/user");
    let namespace = File::open(&path).attempt("open", &path)?;
    let owners = Owners::new(&plan.id_maps, Some(namespace.as_fd()));
    let tree = have_built(plan, prepared, &owners, init)?;
    protocol::send(report.as_fd(), &Tree, &[tree.as_fd()]).attempt("reach the child", "")
}

/// Runs the builder in the child's PID namespace, whose `/proc` it mounts.
fn have_built(
    plan: &Plan,
    prepared: &Prepared,
    owners: &Owners<'_>,
    init: &OwnedFd,
) -> Result<OwnedFd, Failure> {
    let kind = SockType::SeqPacket;
    let (report, reporter) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)
        .attempt("make a socket pair", "")?;
    let own = File::open("/proc/self/ns/pid").attempt("open", "/proc/self/ns/pid")?;
    setns(init, CloneFlags::CLONE_NEWPID).attempt("enter the container's PID namespace", "")?;
    let side = clone3(0, None);
    if let Ok(Side::Child) = side {
        build(plan, prepared, owners, init, &reporter);
    }
    setns(own, CloneFlags::CLONE_NEWPID).attempt("return to the PID namespace", "")?;
    let Side::Parent { pidfd, .. } = side.attempt("create the container's builder", "")? else {
        return Err(start::killed());
    };
    drop(reporter);
    let heard = protocol::receive(report.as_fd()).attempt("hear from the builder", "");
    // It has said what it had to, and ends.
    crate::sys::pidfd::wait(pidfd.as_fd()).attempt("wait for", "the builder")?;
    match heard? {
        Some((Report::Built, mut fds)) => fds.pop().ok_or_else(start::killed),
        Some((Report::Failed(failure), _)) => Err(failure),
        Some(_) | None => Err(start::killed()),
    }
}

fn build(
    plan: &Plan,
    prepared: &Prepared,
    owners: &Owners<'_>,
    init: &OwnedFd,
    reporter: &OwnedFd,
) -> ! {
    let said = match make_tree(plan, prepared, owners, init) {
        Ok(tree) => protocol::send(reporter.as_fd(), &Report::Built, &[tree.as_fd()]),
        Err(failure) => protocol::send(reporter.as_fd(), &Report::Failed(failure), &[]),
    };
    // Nobody is there to be told when this fails: the supervisor is gone, and so are we.
    std::process::exit(said.is_err().into())
}

/// The builder's steps, with the supervisor's rights, in the child's PID namespace.
fn make_tree(
    plan: &Plan,
    prepared: &Prepared,
    owners: &Owners<'_>,
    init: &OwnedFd,
) -> Result<OwnedFd, Failure> {
    // What /sys shows is of these.
    setns(init, CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWCGROUP)
        .attempt("enter the container's namespaces", "")?;
    unshare(CloneFlags::CLONE_NEWNS).attempt("create a mount namespace", "")?;
    let (uid, gid) = root_of(&plan.id_maps);
    user::create_files_as(uid, gid).attempt("create files as user", uid)?;
    // After that: changing ids forgets it.
    prctl::set_pdeathsig(Signal::SIGKILL).attempt("die with the supervisor", "")?;
    umask(Mode::empty());
    tree::Tree::begin(plan, prepared, owners)?.finish()?;
    setns(init, CloneFlags::CLONE_NEWUSER).attempt("enter the container's user namespace", "")?;
    unshare(CloneFlags::CLONE_NEWNS).attempt("lock the container's mounts", "")?;
    let own = Path::new("/proc/self/ns/mnt");
    File::open(own).map(OwnedFd::from).attempt("open", own.display())
}
