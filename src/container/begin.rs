//! From the daemon's word to a container that runs.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use nix::sched::{CloneFlags, setns};
use serde::de::DeserializeOwned;

use super::adopt::Loops;
use super::console::Console;
use super::domain_log::{rotate, say};
use super::guard::Guard;
use super::listener::Listener;
use super::protocol::{self, Attempt, Failure, Message, Request};
use super::start;
use crate::plan::{Namespace, Plan};
use crate::sys;

/// The next thing the daemon says; `None` when it says no more.
pub(super) fn hear<T: DeserializeOwned>(
    daemon: &OwnedFd,
) -> Result<Option<(T, Vec<OwnedFd>)>, Failure> {
    protocol::receive(daemon.as_fd()).attempt("hear from the daemon", "")
}

/// What a container is started with.
pub(super) struct Given {
    plan: Plan,
    record: OwnedFd,
    shared: Vec<OwnedFd>,
}

impl Given {
    /// Takes the descriptors apart; standard error is the log from here on.
    pub(super) fn take(fds: Vec<OwnedFd>) -> Result<Self, Failure> {
        let mut fds = fds.into_iter();
        let mut next = |what| {
            let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
            fds.next().ok_or_else(missing).attempt("take over", what)
        };
        let (plan, log, record) = (next("the plan")?, next("the log")?, next("the record")?);
        sys::fd::become_standard(log.as_fd(), 2).attempt("take over", "the log")?;
        let mut text = Vec::new();
        File::from(plan).read_to_end(&mut text).attempt("read the plan", "")?;
        let plan = serde_json::from_slice::<Plan>(&text).map_err(io::Error::other);
        let plan = plan.attempt("read the plan", "")?;
        rotate(&plan.files.log);
        say(format_args!("starting up: {}", plan.init.arguments.join(" ").escape_debug()));
        Ok(Self { plan, record, shared: fds.collect() })
    }
}

/// A container that runs.
pub(super) struct Started {
    pub(super) plan: Plan,
    /// The daemon's record of this run.
    pub(super) record: OwnedFd,
    pub(super) listener: Listener,
    pub(super) consoles: Vec<Console>,
    pub(super) init: start::Init,
    pub(super) loops: Loops,
    pub(super) guard: Guard,
}

/// Starts the container after the daemon's word, or not at all without it.
///
/// A daemon that comes after a crash finds a supervisor by its record and its socket. So the
/// socket is there before the daemon, told so, makes the record, and nothing of the container is
/// executed before the record is there.
pub(super) fn start(given: Given, daemon: &OwnedFd) -> Result<Option<Started>, Failure> {
    let Given { plan, record, mut shared } = given;
    let loops = shared.split_off(plan.shared_namespaces.len().min(shared.len()));
    let loops = Loops::new(&plan, loops)?;
    enter_shared(&plan.shared_namespaces, shared)?;
    let child = start::prepare(&plan)?;
    let listener = Listener::bind(&plan.files.socket)?;
    match wait_and_go(&plan, child, daemon) {
        Ok(Some((consoles, init, guard))) => {
            Ok(Some(Started { plan, record, listener, consoles, init, loops, guard }))
        }
        Ok(None) => listener.close().map(|()| None),
        Err(failure) => {
            if let Err(left) = listener.close() {
                say(left);
            }
            Err(failure)
        }
    }
}

fn wait_and_go(
    plan: &Plan,
    child: start::Child<'_>,
    daemon: &OwnedFd,
) -> Result<Option<(Vec<Console>, start::Init, Guard)>, Failure> {
    protocol::send(daemon.as_fd(), &Message::Listening, &[]).attempt("tell the daemon", "")?;
    let consoles = plan.consoles.iter().map(Console::open).collect::<Result<Vec<_>, _>>()?;
    let guard = Guard::new(plan)?;
    match hear::<Request>(daemon)? {
        Some((Request::Go, _)) => Ok(Some((consoles, child.go(&[])?, guard))),
        // The daemon gave up, or died before it said Go.
        _ => child.abandon().map(|()| None),
    }
}

/// Enters the namespaces that the container takes from elsewhere, for good: children inherit them,
/// also after a reboot, and they last as long as the supervisor.
fn enter_shared(kinds: &[Namespace], shared: Vec<OwnedFd>) -> Result<(), Failure> {
    if kinds.len() != shared.len() {
        let error = io::Error::from(io::ErrorKind::InvalidInput);
        return Err(error).attempt("enter shared namespaces", "");
    }
    for (kind, namespace) in kinds.iter().zip(shared) {
        let flag = match kind {
            Namespace::Network => CloneFlags::CLONE_NEWNET,
            Namespace::Ipc => CloneFlags::CLONE_NEWIPC,
            Namespace::Uts => CloneFlags::CLONE_NEWUTS,
        };
        setns(namespace, flag).attempt("enter the shared namespace", kind.file())?;
    }
    Ok(())
}
