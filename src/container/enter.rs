//! What puts a program into a container that runs, and waits for its end.
//!
//! Three processes, all of this one program in memory:
//!
//! 1. This one stays outside. The daemon executed it with a socket on descriptor 1. It outlives the
//!    daemon; when it ends, the program is killed.
//! 2. The *entrant* ([`super::entrant`]) is born in init's control group of version 2, joins the
//!    others and every namespace, and lets go of whatever is the host's. Processes of the container
//!    do not see it: it is in none of their PID namespaces.
//! 3. The program is cloned from that, in the container's PID namespace and as a child of the first
//!    (`CLONE_PARENT`). When it can be seen, there is nothing of the host left to get at through it:
//!    its memory is closed to others, and its descriptors are its own.

use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{chdir, setsid};
use serde::de::DeserializeOwned;

use super::entrant::{self, Entrance, Report};
use super::placement;
use super::protocol::entry::{Order, Program, Word};
use super::protocol::{self, Attempt, Exit, Failure};
use crate::plan::Plan;
use crate::security::capabilities;
use crate::sys::clone::{Side, clone3};
use crate::sys::{self, pidfd, tty};

/// Signalling processes of other users is all that is left to do.
const CAP_KILL: u64 = 1 << 5;

/// Waits on descriptor 1, a socket of the daemon's, for a program, executes it, and stays until it
/// has ended.
pub fn run() -> ExitCode {
    let Ok(daemon) = take_over() else { return ExitCode::FAILURE };
    match serve(&daemon) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // A daemon that is gone has nobody to tell it to.
            let _ = protocol::send(daemon.as_fd(), &Word::Failed(failure), &[]);
            ExitCode::FAILURE
        }
    }
}

fn take_over() -> Result<OwnedFd, Failure> {
    sys::fd::close_inherited().attempt("close inherited descriptors", "")?;
    prctl::set_dumpable(false).attempt("hide memory", "")?;
    prctl::set_name(c"nsvirt-enter").attempt("take a name", "")?;
    let daemon = sys::fd::take_standard(1).attempt("take over the daemon's socket", "")?;
    setsid().attempt("start a session", "")?;
    sys::set_signal(Signal::SIGPIPE, true).attempt("ignore", "SIGPIPE")?;
    chdir("/").attempt("change to", "/")?;
    Ok(daemon)
}

fn serve(daemon: &OwnedFd) -> Result<(), Failure> {
    let heard = protocol::receive::<Order>(daemon.as_fd());
    let Some((Order::Enter, fds)) = heard.attempt("hear from the daemon", "")? else {
        return Ok(());
    };
    let Running { process, master, terminal } = start(fds)?;
    let started = match &master {
        Some(master) => protocol::send(daemon.as_fd(), &Word::Started, &[master.as_fd()]),
        None => protocol::send(daemon.as_fd(), &Word::Started, &[]),
    };
    // The client's end is the only one, so that its end is seen inside.
    drop(master);
    capabilities::bound(!CAP_KILL).attempt("drop capabilities", "")?;
    capabilities::drop(!CAP_KILL).attempt("drop capabilities", "")?;
    prctl::set_no_new_privs().attempt("give up new privileges", "")?;
    let daemon = started.is_ok().then_some(daemon);
    let exit = watch(daemon, &process, terminal.as_ref())?;
    if let Some(daemon) = daemon {
        // As above.
        let _ = protocol::send(daemon.as_fd(), &Word::Ended(exit), &[]);
    }
    Ok(())
}

/// A program in a container.
struct Running {
    process: OwnedFd,
    /// The client's side of its terminal.
    master: Option<OwnedFd>,
    /// The container's side: with it the size is set, and the other side does not hang up before
    /// the program has ended.
    terminal: Option<OwnedFd>,
}

fn start(fds: Vec<OwnedFd>) -> Result<Running, Failure> {
    let mut fds = fds.into_iter();
    let program: Program = read_next(&mut fds, "the program")?;
    let plan: Plan = read_next(&mut fds, "the plan")?;
    let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let init = fds.next().ok_or_else(missing).attempt("take over", "init")?;
    let groups = Groups::of(&plan, program.init)?;
    let has_users = has_users(program.init)?;
    // What was read of a number was of init, if that is there still.
    pidfd::send_signal(init.as_fd(), 0).attempt("enter the container: reach", "its init")?;
    let birthplace = groups.birthplace.as_ref();
    let birthplace = birthplace
        .map(|path| File::open(path).attempt("open control group", path.display()))
        .transpose()?;
    let tasks = placement::open(&groups.tasks)?;
    let entrance = Entrance {
        plan: &plan,
        program: &program,
        init,
        has_users,
        tasks,
        standard: fds.collect(),
    };
    let kind = SockType::SeqPacket;
    let (report, reporter) = socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)
        .attempt("make a socket pair", "")?;
    let side = clone3(0, birthplace.as_ref().map(File::as_fd))
        .attempt("create a process in the container's control group", "")?;
    match side {
        Side::Child => entrant::enter(entrance, &reporter),
        Side::Parent { pidfd: entrant, .. } => {
            drop((entrance, reporter));
            let heard = hear(&report);
            pidfd::wait(entrant.as_fd()).attempt("wait for", "the entrant")?;
            heard
        }
    }
}

/// Reads the next descriptor's file.
fn read_next<T: DeserializeOwned>(
    fds: &mut impl Iterator<Item = OwnedFd>,
    what: &str,
) -> Result<T, Failure> {
    let mut read = || -> io::Result<T> {
        let mut file = File::from(fds.next().ok_or(io::ErrorKind::UnexpectedEof)?);
        let mut text = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    };
    read().attempt("read", what)
}

/// Waits until the program is executed, or for the reason why it is not.
fn hear(report: &OwnedFd) -> Result<Running, Failure> {
    let (mut process, mut master, mut terminal, mut set_up) = (None, None, None, false);
    let failure = loop {
        let heard = protocol::receive::<Report>(report.as_fd());
        match heard.attempt("hear from the container", "")? {
            Some((Report::Terminal, fds)) => {
                let mut fds = fds.into_iter();
                (master, terminal) = (fds.next(), fds.next());
            }
            Some((Report::Born, mut fds)) => process = fds.pop(),
            Some((Report::SetUp, _)) => set_up = true,
            Some((Report::Failed(failure), _)) => break failure,
            None => match process {
                Some(process) if set_up => return Ok(Running { process, master, terminal }),
                _ => break killed(),
            },
        }
    };
    if let Some(process) = process {
        pidfd::kill(process.as_fd()).attempt("end", "the program")?;
        pidfd::wait(process.as_fd()).attempt("wait for", "the program")?;
    }
    Err(failure)
}

fn killed() -> Failure {
    Failure {
        attempt: "enter the container: the process was killed, which happens when the container \
                  ends, or its memory limit leaves no room for it"
            .to_owned(),
        path: String::new(),
        errno: 0,
    }
}

/// Obeys the daemon, while there is one, until the program ends.
fn watch(
    mut daemon: Option<&OwnedFd>,
    process: &OwnedFd,
    terminal: Option<&OwnedFd>,
) -> Result<Exit, Failure> {
    loop {
        let mut fds = vec![PollFd::new(process.as_fd(), PollFlags::POLLIN)];
        fds.extend(daemon.map(|daemon| PollFd::new(daemon.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error).attempt("wait for", "the program"),
        }
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        if ready.next() == Some(true) {
            return pidfd::wait(process.as_fd()).attempt("wait for", "the program");
        }
        if let Some(connected) = daemon.filter(|_| ready.next() == Some(true)) {
            let answered = obey(connected, process, terminal).unwrap_or(false);
            daemon = daemon.filter(|_| answered);
        }
    }
}

/// Does one thing; false when the daemon says no more.
fn obey(daemon: &OwnedFd, process: &OwnedFd, terminal: Option<&OwnedFd>) -> io::Result<bool> {
    let Some((order, _)) = protocol::receive::<Order>(daemon.as_fd())? else { return Ok(false) };
    let done = match order {
        Order::Enter => {
            Err(io::Error::from(io::ErrorKind::AlreadyExists)).attempt("enter", "twice")
        }
        Order::Signal(signal) => {
            pidfd::send_signal(process.as_fd(), signal).attempt("send the program signal", signal)
        }
        Order::Resize(size) => terminal
            .ok_or_else(|| io::Error::other("the program has none"))
            .and_then(|terminal| tty::set_size(terminal.as_fd(), size.rows, size.columns))
            .attempt("set the size of the program's terminal", ""),
    };
    let word = done.map_or_else(Word::Refused, |()| Word::Done);
    protocol::send(daemon.as_fd(), &word, &[])?;
    Ok(true)
}

/// Whether init is in another user namespace than this process: one's own cannot be entered.
fn has_users(init: i32) -> Result<bool, Failure> {
    let of = |process: &str| {
        let path = format!("/proc/{process}/ns/user");
        fs::read_link(&path).attempt("read", &path)
    };
    Ok(of(&init.to_string())? != of("self")?)
}

/// Where init is now. It may have moved below its first groups, in those that are its own to manage.
struct Groups {
    birthplace: Option<PathBuf>,
    tasks: Vec<PathBuf>,
}

impl Groups {
    fn of(plan: &Plan, init: i32) -> Result<Self, Failure> {
        let file = format!("/proc/{init}/cgroup");
        let text = fs::read_to_string(&file).attempt("read", &file)?;
        let placement = &plan.placement;
        let now = |group: &Path, named| match placement.delegated.iter().any(|it| it == group) {
            true => below(&text, named, group),
            false => group.to_owned(),
        };
        let tasks = placement.init_tasks.iter().filter_map(|file| file.parent());
        Ok(Self {
            birthplace: placement.init_v2.first().map(|group| now(group, "")),
            tasks: tasks.map(|group| now(group, "name=systemd").join("tasks")).collect(),
        })
    }
}

/// The group at or below `group` that `/proc/PID/cgroup` names for a hierarchy; `group` itself for a
/// process that is elsewhere.
fn below(text: &str, hierarchy: &str, group: &Path) -> PathBuf {
    let path = text.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        (fields.nth(1)? == hierarchy).then(|| fields.next())?
    });
    let path = Path::new(path.unwrap_or_default());
    // The hierarchy is mounted somewhere: the first part of the path is the last of the group's.
    let is_first_part = |part: &&Path| {
        part.strip_prefix("/").is_ok_and(|part| part != Path::new("") && group.ends_with(part))
    };
    let first = path.ancestors().find(is_first_part);
    match first.and_then(|first| path.strip_prefix(first).ok()) {
        Some(rest) => group.join(rest),
        None => group.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_is_found_where_it_has_moved() {
        let text = "4:name=systemd:/m/c/payload/init/init.scope\n3:memory:/m/c/payload/init\n\
                    0::/m/c/payload/init/a/payload/init\n";
        let group = Path::new("/sys/fs/cgroup/x/m/c/payload/init");
        assert_eq!(below(text, "name=systemd", group), group.join("init.scope"));
        assert_eq!(below(text, "", group), group.join("a/payload/init"));
        assert_eq!(below("0::/m/c/payload/init\n", "", group), group);
        for elsewhere in ["", "0::/\n", "0::/m/c\n", "0::/../other/payload\n"] {
            assert_eq!(below(elsewhere, "", group), group, "{elsewhere}");
        }
    }
}
