//! From plan to running child: terminals, clone, and the child's report.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, openat};
use nix::sched::CloneFlags;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};

use super::domain_log::say;
use super::links::Links;
use super::protocol::{Attempt, Failure, LinkNames};
use super::{child, placement, protocol, user_namespace, volumes};
use crate::plan::{IdMaps, Namespace, Plan, attributes};
use crate::sys::clone::{Side, clone3};
use crate::sys::mount::{DetachedMount, new_filesystem};
use crate::sys::{pidfd, tty};

/// What the child says before it becomes init. When it says no more after `SetUp`, init has been
/// executed: its end of the socket is close-on-exec.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// From a child with ids of its own: it waits for its tree.
    Entered,
    /// From the builder of its tree, whose mount namespace comes along.
    Built,
    /// Everything is done but to execute init.
    SetUp,
    /// A step failed, and the child ends.
    Failed(Failure),
}

/// The word that the run is on record and the control groups are there; they come along, as
/// [`placement::open`] has them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Go;

/// A container's init, as its supervisor holds it.
pub(super) struct Init {
    /// Process ID on the host.
    pub(super) pid: i32,
    /// Becomes readable when init ends.
    pub(super) pidfd: OwnedFd,
    /// The container's terminals.
    pub(super) terminals: Vec<Terminal>,
    /// Its network devices.
    pub(super) links: Links,
}

/// What the supervisor mounts for the child's tree, attached to nothing.
pub(super) struct Prepared {
    /// The container's instance of devpts.
    pub(super) devpts: DetachedMount,
    /// The plan's volumes.
    pub(super) volumes: Vec<DetachedMount>,
}

/// One terminal of the container.
pub(super) struct Terminal {
    /// The side the supervisor reads and writes, non-blocking.
    pub(super) master: OwnedFd,
    /// Held open so that the master never hangs up while programs inside come and go.
    pub(super) slave: OwnedFd,
}

/// A child that makes itself a container as far as it can without control groups of version 1. It
/// ends with the supervisor, or by [`Self::abandon`].
pub(super) struct Child<'a> {
    plan: &'a Plan,
    prepared: Prepared,
    terminals: Vec<Terminal>,
    pid: i32,
    pidfd: OwnedFd,
    report: OwnedFd,
}

/// Clones the child; its version 2 control group is there.
pub(super) fn prepare(plan: &Plan) -> Result<Child<'_>, Failure> {
    let (devpts, terminals) = terminals(plan)?;
    let prepared = Prepared { devpts, volumes: volumes::mount_all(&plan.volumes)? };
    let kind = SockType::SeqPacket;
    let (report, reporter) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)
        .attempt("make a socket pair", "")?;
    let group = group(plan)?;
    let side = clone3(namespaces(plan), group.as_ref().map(File::as_fd))
        .attempt("create the container's namespaces", "")?;
    match side {
        Side::Child => child::become_init(plan, &prepared, reporter),
        Side::Parent { pid, pidfd } => Ok(Child { plan, prepared, terminals, pid, pidfd, report }),
    }
}

impl Child<'_> {
    /// Lets it go on, and returns when init has been executed. Before a reboot its links were called
    /// `earlier`.
    pub(super) fn go(self, earlier: &[LinkNames]) -> Result<Init, Failure> {
        let mut links = Links::called(earlier);
        match self.lead(&mut links) {
            Ok(()) => {
                let Self { pid, pidfd, terminals, .. } = self;
                Ok(Init { pid, pidfd, terminals, links })
            }
            Err(failure) => {
                let failure = self.end(failure);
                if let Err(left) = links.clear() {
                    say(left);
                }
                Err(failure)
            }
        }
    }

    /// Takes it through its steps.
    fn lead(&self, links: &mut Links) -> Result<(), Failure> {
        if self.plan.id_maps.is_empty() {
            self.let_go()?;
        } else {
            user_namespace::hand_over_groups(self.plan)?;
            self.let_go()?;
            user_namespace::set_up(self.plan, &self.prepared, self.pid, &self.pidfd, &self.report)?;
        }
        links.make(self.plan, self.pid, &self.report)?;
        hear(&self.report)
    }

    fn let_go(&self) -> Result<(), Failure> {
        let tasks = placement::open(&self.plan.placement.init_tasks)?;
        let tasks: Vec<_> = tasks.iter().map(AsFd::as_fd).collect();
        match protocol::send(self.report.as_fd(), &Go, &tasks) {
            // It has failed already, and said why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => hear(&self.report),
            sent => sent.attempt("reach the child", ""),
        }
    }

    /// Ends it before it went on.
    pub(super) fn abandon(self) -> Result<(), Failure> {
        pidfd::kill(self.pidfd.as_fd())
            .and_then(|()| pidfd::wait(self.pidfd.as_fd()).map(drop))
            .attempt("end", "the container's first process")
    }

    /// Ends one that failed, waits for it, and hands the failure on.
    fn end(self, failure: Failure) -> Failure {
        match self.abandon() {
            Ok(()) => failure,
            Err(left) => Failure { attempt: format!("{}; and {left}", failure.attempt), ..failure },
        }
    }
}

/// Waits until the child has executed init, or for the reason why it has not.
fn hear(report: &OwnedFd) -> Result<(), Failure> {
    let mut set_up = false;
    loop {
        match protocol::receive(report.as_fd()).attempt("hear from the child", "")? {
            Some((Report::SetUp, _)) => set_up = true,
            Some((Report::Failed(failure), _)) => return Err(failure),
            None if set_up => return Ok(()),
            Some((Report::Entered | Report::Built, _)) | None => return Err(killed()),
        }
    }
}

/// Why one of the first processes says no more.
pub(super) fn killed() -> Failure {
    Failure {
        attempt: "set up the container: its first process was killed, which happens when its \
                  memory limit leaves no room for it"
            .to_owned(),
        path: String::new(),
        errno: 0,
    }
}

/// The version 2 group that init is born in.
fn group(plan: &Plan) -> Result<Option<File>, Failure> {
    let group = plan.placement.init_v2.first();
    group.map(|path| File::open(path).attempt("open control group", path.display())).transpose()
}

/// What the child is born into. A user namespace comes first, and the others belong to it; the
/// child's mounts are then made for it. What is shared is the supervisor's own by now.
fn namespaces(plan: &Plan) -> u64 {
    let mut flags = CloneFlags::CLONE_NEWPID;
    flags.insert(if plan.id_maps.is_empty() {
        CloneFlags::CLONE_NEWNS
    } else {
        CloneFlags::CLONE_NEWUSER
    });
    let is_shared = |kind| plan.shared_namespaces.contains(&kind);
    flags.set(CloneFlags::CLONE_NEWUTS, !is_shared(Namespace::Uts));
    flags.set(CloneFlags::CLONE_NEWIPC, !is_shared(Namespace::Ipc));
    flags.set(CloneFlags::CLONE_NEWNET, plan.private_network);
    flags.bits() as u64
}

/// An instance of devpts for the container, with its terminals opened in it: they are numbered
/// from 0 in order.
fn terminals(plan: &Plan) -> Result<(DetachedMount, Vec<Terminal>), Failure> {
    // The group tty, by its number in every distribution.
    let group = if plan.id_maps.is_empty() {
        5
    } else {
        let root = user_namespace::root_of(&plan.id_maps).1;
        IdMaps::outside(&plan.id_maps.gids, 5).unwrap_or(root)
    };
    let options = [("ptmxmode", "0666"), ("mode", "0620"), ("gid", &group.to_string())];
    let devpts =
        new_filesystem("devpts", "devpts", &options, attributes::NOSUID | attributes::NOEXEC)
            .attempt("make an instance of devpts", "")?;
    let terminals = plan.consoles.iter().map(|_| {
        let master = open_master(Some(&devpts), c"ptmx").attempt("open a terminal", "ptmx")?;
        let slave = tty::open_slave(master.as_fd()).attempt("open a terminal", "")?;
        Ok(Terminal { master, slave })
    });
    let terminals = terminals.collect::<Result<Vec<_>, Failure>>()?;
    if !plan.id_maps.is_empty() {
        user_namespace::hand_over_terminals(plan, &devpts, &terminals)?;
    }
    Ok((devpts, terminals))
}

/// Opens a new pseudoterminal's master, unlocked and non-blocking, in an instance of devpts or by
/// a path of the host.
pub(super) fn open_master(devpts: Option<&DetachedMount>, path: &CStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let master = match devpts {
        Some(devpts) => openat(devpts.as_fd(), path, flags, Mode::empty()),
        None => nix::fcntl::open(path, flags, Mode::empty()),
    }?;
    tty::unlock(master.as_fd())
        .map_err(|error| nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or_default()))?;
    Ok(master)
}
