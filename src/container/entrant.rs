//! The way into a container, and the last steps before a program there is executed.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, fstat, major, minor, umask};
use nix::unistd::{chdir, execve, setsid};
use serde::{Deserialize, Serialize};

use super::account::Identity;
use super::place::Root;
use super::placement;
use super::protocol::entry::{Program, Size};
use super::protocol::{self, Attempt, Failure};
use super::restrict::restrict;
use crate::plan::Plan;
use crate::sys::clone::{Side, clone3};
use crate::sys::{fd, tty};

/// What is said to the process outside. When it hears no more after `SetUp`, the program has been
/// executed: the socket is close-on-exec.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// The program's terminal, both sides.
    Terminal,
    /// The program's process is there; its pidfd comes along.
    Born,
    /// Everything is done but to execute the program.
    SetUp,
    /// A step failed, and the process ends.
    Failed(Failure),
}

/// What is needed to enter.
pub(super) struct Entrance<'a> {
    pub(super) plan: &'a Plan,
    pub(super) program: &'a Program,
    /// The container's init.
    pub(super) init: OwnedFd,
    /// Whether the container has a user namespace of its own.
    pub(super) has_users: bool,
    /// Control groups of version 1, opened.
    pub(super) tasks: Vec<OwnedFd>,
    /// Standard input, output and error of a program without a terminal.
    pub(super) standard: Vec<OwnedFd>,
}

/// Takes this process into the container, and the program's process out of it.
///
/// Runs with the daemon's rights, in init's control group of version 2 and otherwise outside, with a
/// copy of the memory and the descriptors of the process that waits outside.
pub(super) fn enter(entrance: Entrance<'_>, reporter: &OwnedFd) -> ! {
    let (plan, program) = (entrance.plan, entrance.program);
    let entered = go_in(entrance, reporter).and_then(|identity| {
        // A sibling: its parent is outside and waits for it.
        let flags = CloneFlags::CLONE_PARENT.bits() as u64;
        match clone3(flags, None).attempt("create the program's process", "")? {
            Side::Child => {
                let Err(failure) = become_program(plan, program, &identity, reporter);
                Err(failure)
            }
            Side::Parent { pidfd, .. } => {
                protocol::send(reporter.as_fd(), &Report::Born, &[pidfd.as_fd()])
                    .attempt("report from the container", "")
            }
        }
    });
    let Err(failure) = entered else { std::process::exit(0) };
    // Nobody is there to be told when this fails.
    let _ = protocol::send(reporter.as_fd(), &Report::Failed(failure), &[]);
    std::process::exit(1)
}

/// Into all groups and namespaces, and rid of everything that is the host's.
fn go_in(entrance: Entrance<'_>, reporter: &OwnedFd) -> Result<Identity, Failure> {
    let Entrance { plan, program, init, has_users, tasks, standard } = entrance;
    end_with_parent()?;
    placement::join(tasks).attempt("join the container's control groups", "")?;
    let mut namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWCGROUP;
    namespaces.set(CloneFlags::CLONE_NEWUSER, has_users);
    setns(init, namespaces).attempt("enter the container's namespaces", "")?;
    if has_users {
        Identity::default().assume()?;
    }
    // Changing ids forgets both.
    prctl::set_dumpable(false).attempt("hide memory", "")?;
    end_with_parent()?;
    umask(Mode::from_bits_truncate(0o022));
    let account = program.account.as_ref().or(plan.init.account.as_ref());
    let identity = Identity::find(account, &plan.id_maps, "run the program")?;
    let standard = match program.terminal {
        Some(size) => open_terminal(&identity, size, reporter)?,
        None => standard,
    };
    for number in 0..=2 {
        let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let fd = usize::try_from(number).ok().and_then(|index| standard.get(index));
        fd.or(standard.first().filter(|_| program.terminal.is_some()))
            .ok_or_else(missing)
            .and_then(|fd| fd::become_standard(fd.as_fd(), number))
            .attempt("use as standard I/O", "what the caller has given")?;
    }
    fd::close_except(reporter.as_fd()).attempt("close descriptors", "")?;
    // They are closed, by number.
    standard.into_iter().for_each(std::mem::forget);
    Ok(identity)
}

fn end_with_parent() -> Result<(), Failure> {
    prctl::set_pdeathsig(Signal::SIGKILL).attempt("end with the process outside", "")
}

/// Opens a terminal of the container's, which is the container's to fake: what opens must be one.
fn open_terminal(
    identity: &Identity,
    size: Size,
    reporter: &OwnedFd,
) -> Result<Vec<OwnedFd>, Failure> {
    const PTMX: &str = "/dev/ptmx";
    let open = || -> io::Result<(OwnedFd, OwnedFd)> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
        let master = Root::current()?.open(PTMX, flags)?;
        let device = fstat(&master)?.st_rdev;
        if (major(device), minor(device)) != (5, 2) {
            return Err(io::Error::other("it is not what makes terminals (character device 5:2)"));
        }
        nix::fcntl::fcntl(&master, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_RDWR))?;
        tty::unlock(master.as_fd())?;
        let slave = tty::open_slave(master.as_fd())?;
        tty::set_size(slave.as_fd(), size.rows, size.columns)?;
        Ok((master, slave))
    };
    let (master, slave) = open().attempt("open a terminal of the container at", PTMX)?;
    identity.own(&slave).attempt("give the program its terminal", "")?;
    protocol::send(reporter.as_fd(), &Report::Terminal, &[master.as_fd(), slave.as_fd()])
        .attempt("report from the container", "")?;
    Ok(vec![slave])
}

/// The last steps, seen by the container. Nothing is open but the standard three and the reporter.
fn become_program(
    plan: &Plan,
    program: &Program,
    identity: &Identity,
    reporter: &OwnedFd,
) -> Result<Infallible, Failure> {
    end_with_parent()?;
    setsid().attempt("start a session", "")?;
    if program.terminal.is_some() {
        tty::make_controlling(io::stdin().as_fd()).attempt("take the controlling terminal", "")?;
    }
    restrict(plan, identity)?;
    let directory = program.directory.as_ref().unwrap_or(&plan.init.directory);
    chdir(directory.as_str()).attempt("change to directory", directory)?;
    // Again, as changing ids forgets it; if nobody is outside any more, the report fails.
    end_with_parent()?;
    protocol::send(reporter.as_fd(), &Report::SetUp, &[])
        .attempt("report from the container", "")?;
    execute(plan, program)
}

fn execute(plan: &Plan, program: &Program) -> Result<Infallible, Failure> {
    let name = program.arguments.first().map_or("", String::as_str);
    let c_string = |text: &str| CString::new(text).map_err(io::Error::other);
    let c_strings =
        |list: &[String]| list.iter().map(|it| c_string(it)).collect::<io::Result<Vec<_>>>();
    let variables = environment(&plan.init.environment, &program.environment);
    let arguments = c_strings(&program.arguments).attempt("pass arguments to", name)?;
    let environment = c_strings(&variables).attempt("pass variables to", name)?;
    let mut refused = Errno::ENOENT;
    for path in candidates(name, &variables) {
        let file = c_string(&path).attempt("execute", &path)?;
        let Err(error) = execve(&file, &arguments, &environment);
        match error {
            Errno::ENOENT | Errno::ENOTDIR => {}
            // There may be another one further on.
            Errno::EACCES => refused = error,
            _ => return Err(error).attempt("execute", path),
        }
    }
    Err(refused).attempt("execute in the container:", name)
}

/// Where a program may be: a name without a slash is looked up in `PATH`, as a shell would.
fn candidates(name: &str, environment: &[String]) -> Vec<String> {
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    let path = environment.iter().find_map(|it| it.strip_prefix("PATH=")).unwrap_or_default();
    let directories = path.split(':').filter(|directory| directory.starts_with('/'));
    directories.map(|directory| format!("{directory}/{name}")).collect()
}

/// Init's variables, those of the same name replaced.
fn environment(init: &[String], own: &[String]) -> Vec<String> {
    fn name(variable: &str) -> &str {
        variable.split('=').next().unwrap_or_default()
    }
    let is_own = |variable: &&String| own.iter().any(|it| name(it) == name(variable));
    init.iter().filter(|it| !is_own(it)).chain(own).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(words: &[&str]) -> Vec<String> {
        words.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn programs_are_looked_up_in_absolute_directories() {
        let variables = list(&["A=b", "PATH=/bin::.:/sbin"]);
        assert_eq!(candidates("sh", &variables), ["/bin/sh", "/sbin/sh"]);
        assert_eq!(candidates("./sh", &variables), ["./sh"]);
        assert_eq!(candidates("sh", &[]), Vec::<String>::new());
    }

    #[test]
    fn variables_replace_those_of_init() {
        let init = list(&["PATH=/bin", "TERM=linux", "TERMINAL=x"]);
        let own = list(&["TERM=xterm", "A="]);
        assert_eq!(environment(&init, &own), ["PATH=/bin", "TERMINAL=x", "TERM=xterm", "A="]);
    }
}
