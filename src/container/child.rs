//! The child: one line after the other until it is the container's init.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, execve, sethostname, setsid};

use super::account::Identity;
use super::links;
use super::owners::Owners;
use super::placement;
use super::protocol::{self, Attempt, Failure};
use super::restrict::restrict;
use super::start::{self, Go, Prepared, Report};
use super::tree::Tree;
use super::user_namespace;
use crate::plan::Plan;
use crate::sys::{fd, link, tty};

/// Turns this process into the container's init, or reports why it cannot and ends.
///
/// Runs as process 1 of a new PID namespace, in new mount, UTS, IPC and network namespaces as
/// planned, born in its version 2 control group, as root with all of the daemon's capabilities
/// and with a copy of the supervisor's memory and descriptors. It begins its tree while the daemon
/// makes the rest of its control groups, and waits for [`Go`] before it enters them; what it says
/// to the supervisor is in [`Report`].
///
/// With ids of its own it is in a new user namespace instead of a mount namespace, with all
/// capabilities in there and none on the host, and waits once more, for its tree
/// ([`super::user_namespace`] has the other side of the numbered steps).
pub(super) fn become_init(plan: &Plan, prepared: &Prepared, reporter: OwnedFd) -> ! {
    let Err(failure) = set_up(plan, prepared, &reporter);
    // Nobody is there to be told when this fails: the supervisor is gone, and so are we.
    let _ = protocol::send(reporter.as_fd(), &Report::Failed(failure), &[]);
    std::process::exit(1)
}

fn set_up(plan: &Plan, prepared: &Prepared, reporter: &OwnedFd) -> Result<Infallible, Failure> {
    prctl::set_pdeathsig(Signal::SIGKILL).attempt("die with the supervisor", "")?;
    if let Some(name) = &plan.hostname {
        sethostname(name).attempt("set the host name to", name)?;
    }
    if plan.private_network {
        link::loopback_up().attempt("bring up link", "lo")?;
    }
    if plan.id_maps.is_empty() {
        umask(Mode::empty());
        let tree = Tree::begin(plan, prepared, &Owners::new(&plan.id_maps, None))?;
        enter_groups(reporter)?;
        tree.finish()?;
    } else {
        enter_groups(reporter)?;
        enter_tree(reporter)?;
    }
    umask(Mode::from_bits_truncate(0o022));
    links::set_up(plan, reporter)?;
    let identity = Identity::find(plan.init.account.as_ref(), &plan.id_maps, "run init")?;
    take_console(&identity)?;
    check_init(plan)?;
    chdir(plan.init.directory.as_str())
        .attempt("change to init's directory", &plan.init.directory)?;
    restrict(plan, &identity)?;
    // Again, as changing ids forgets it; if the supervisor is gone already, the report fails.
    prctl::set_pdeathsig(Signal::SIGKILL).attempt("die with the supervisor", "")?;
    keep_only_standard(reporter)?;
    protocol::send(reporter.as_fd(), &Report::SetUp, &[])
        .attempt("report to the supervisor", "")?;
    execute(plan)
}

/// Waits until the run is on record, and enters the control groups of version 1.
fn enter_groups(reporter: &OwnedFd) -> Result<(), Failure> {
    let told = protocol::receive::<Go>(reporter.as_fd()).attempt("wait for control groups", "")?;
    let (Go, tasks) = told.ok_or_else(start::killed)?;
    placement::join(tasks).attempt("join control group", "")?;
    unshare(CloneFlags::CLONE_NEWCGROUP).attempt("create a cgroup namespace", "")
}

/// Waits for a tree made by somebody with rights on the host, and becomes root in there.
fn enter_tree(reporter: &OwnedFd) -> Result<(), Failure> {
    // 1.
    protocol::send(reporter.as_fd(), &Report::Entered, &[])
        .attempt("report to the supervisor", "")?;
    // 2.
    let told = protocol::receive::<user_namespace::Tree>(reporter.as_fd())
        .attempt("wait for the tree", "")?;
    let tree =
        told.and_then(|(user_namespace::Tree, mut fds)| fds.pop()).ok_or_else(start::killed)?;
    setns(tree, CloneFlags::CLONE_NEWNS).attempt("enter the tree", "")?;
    Identity::default().assume()
}

/// The first terminal becomes standard input, output and error, and the controlling terminal.
fn take_console(identity: &Identity) -> Result<(), Failure> {
    const CONSOLE: &str = "/dev/console";
    setsid().attempt("start a session", "")?;
    let console = nix::fcntl::open(CONSOLE, OFlag::O_RDWR | OFlag::O_NOCTTY, Mode::empty())
        .attempt("open", CONSOLE)?;
    tty::make_controlling(console.as_fd()).attempt("take the controlling terminal", CONSOLE)?;
    identity.own(&console).attempt("give init its terminal", CONSOLE)?;
    for number in 0..=2 {
        fd::become_standard(console.as_fd(), number).attempt("use as standard I/O", CONSOLE)?;
    }
    Ok(())
}

/// libvirt's words for the most common mistake, before it becomes a bare errno of exec.
fn check_init(plan: &Plan) -> Result<(), Failure> {
    let path = &plan.init.path;
    std::fs::metadata(path)
        .map(drop)
        .attempt(&format!("find init path '{path}' relative to container root"), "")
}

/// Everything above the standard three is the supervisor's or the host's: it goes. The reporter
/// stays until exec closes it.
fn keep_only_standard(reporter: &OwnedFd) -> Result<(), Failure> {
    crate::sys::fd::close_except(reporter.as_fd()).attempt("close descriptors", "")
}

fn execute(plan: &Plan) -> Result<Infallible, Failure> {
    let path = &plan.init.path;
    let c_string = |text: &String| CString::new(text.as_str()).map_err(std::io::Error::other);
    let c_strings = |list: &[String]| list.iter().map(c_string).collect::<Result<Vec<_>, _>>();
    let arguments = c_strings(&plan.init.arguments).attempt("pass arguments to", path)?;
    let environment = c_strings(&plan.init.environment).attempt("pass variables to", path)?;
    let file = c_string(path).attempt("execute init", path)?;
    execve(&file, &arguments, &environment).attempt("execute init", path)
}
