//! The helper: one task in a container that runs, and then this process ends.
//!
//! Runs as a child of the daemon with its rights and one thread, in the host's namespaces until a
//! task says otherwise. Whatever is the host's is opened before the container's namespaces are
//! entered; from then on every path is the container's.

mod links;
mod mounts;
mod nodes;

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::chdir;

use super::place::Root;
use super::protocol::task::{Action, LinkState, Outcome, Task};
use super::protocol::{self, Attempt, Failure, LinkNames};
use super::user_namespace;
use crate::sys::{self, pidfd, user};

/// Does the task that comes on descriptor 1, and answers there.
pub fn run() -> ExitCode {
    match take_over().and_then(|daemon| serve(&daemon)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("nsvirt-lxc: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn take_over() -> Result<OwnedFd, Failure> {
    sys::fd::close_inherited().attempt("close inherited descriptors", "")?;
    prctl::set_name(c"nsvirt-lxc").attempt("take a name", "")?;
    sys::set_signal(Signal::SIGPIPE, true).attempt("ignore", "SIGPIPE")?;
    chdir("/").attempt("change to", "/")?;
    sys::fd::take_standard(1).attempt("take over the daemon's socket", "")
}

fn serve(daemon: &OwnedFd) -> Result<(), Failure> {
    let heard = protocol::receive::<Task>(daemon.as_fd()).attempt("hear from the daemon", "")?;
    // Without a task the daemon is gone, and nothing is begun.
    let Some((task, mut fds)) = heard else { return Ok(()) };
    let outcome = match fds.pop() {
        Some(pidfd) => act(&Container { task: &task, pidfd }).unwrap_or_else(Outcome::Failed),
        None => Outcome::Failed(fault("enter the container: nobody said which it is".to_owned())),
    };
    protocol::send(daemon.as_fd(), &outcome, &[]).attempt("tell the daemon", "")
}

fn act(container: &Container<'_>) -> Result<Outcome, Failure> {
    let done = |()| Outcome::Done;
    match &container.task.action {
        Action::MakeNode(node) => nodes::make(container, node).map(done),
        Action::RemoveNode(node) => nodes::remove(container, node).map(done),
        Action::MakeLink { link, note } => links::make(container, link, note).map(Outcome::Linked),
        Action::RemoveLink { link, names, note } => {
            links::remove(container, link, names, note).map(done)
        }
        Action::TurnLink { link } => links::turn(container, link).map(done),
        Action::Mount(part) => mounts::mount(container, part).map(done),
        Action::Unmount { target } => mounts::unmount(container, target).map(done),
        Action::ListLinks => links::list(container).map(Outcome::Links),
    }
}

/// The container that a task is about.
struct Container<'a> {
    task: &'a Task,
    pidfd: OwnedFd,
}

impl Container<'_> {
    /// Opens a namespace of it. The process ID means its init: the process is there after the
    /// file was opened, so it was then.
    fn namespace(&self, name: &str) -> Result<File, Failure> {
        let path = format!("/proc/{}/ns/{name}", self.task.init);
        let file = File::open(&path).attempt("open", &path)?;
        pidfd::send_signal(self.pidfd.as_fd(), 0).attempt("enter the container", "")?;
        Ok(file)
    }

    /// Enters its tree for good: `/` is the container's. What is made there is its root's.
    fn enter_tree(&self) -> Result<Root, Failure> {
        setns(&self.pidfd, CloneFlags::CLONE_NEWNS).attempt("enter the container's tree", "")?;
        umask(Mode::empty());
        let maps = &self.task.id_maps;
        if !maps.is_empty() {
            let (uid, gid) = user_namespace::root_of(maps);
            user::create_files_as(uid, gid).attempt("create files as user", uid)?;
        }
        Root::current().attempt("open", "/")
    }
}

fn fault(attempt: String) -> Failure {
    Failure { attempt, path: String::new(), errno: 0 }
}
