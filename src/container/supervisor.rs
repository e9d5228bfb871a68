//! The process beside each container: starts it, relays its consoles, waits for its end.
//!
//! It outlives the daemon. While no daemon is connected everything goes on: consoles, a reboot
//! inside, and the end of init, which is left in a file for the daemon that comes next. It has one
//! thread and waits in one place.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, setsid};
use serde::de::DeserializeOwned;

use super::console::Console;
use super::guard::Guard;
use super::listener::Listener;
use super::placement;
use super::protocol::{self, Attempt, Exit, Failure, Message, Request};
use super::{start, title};
use crate::plan::{Namespace, Plan};
use crate::sys::{self, pidfd, tty};

/// Waits on descriptor 1, a socket of the daemon's, for a container, and runs it.
///
/// What goes wrong is told to the daemon where that is possible, and printed on standard error,
/// the domain's log, in any case.
pub fn run() -> ExitCode {
    match take_over().and_then(supervise) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("nsvirt-lxc: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What needs no container, and is done before there is one to be quick for.
fn take_over() -> Result<OwnedFd, Failure> {
    sys::fd::close_inherited().attempt("close inherited descriptors", "")?;
    // It is executed by the number of a descriptor.
    prctl::set_name(c"nsvirt-lxc").attempt("take a name", "")?;
    let daemon = sys::fd::take_standard(1).attempt("take over the daemon's socket", "")?;
    setsid().attempt("start a session", "")?;
    sys::set_signal(Signal::SIGPIPE, true).attempt("ignore", "SIGPIPE")?;
    chdir("/").attempt("change to", "/")?;
    umask(Mode::from_bits_truncate(0o077));
    Ok(daemon)
}

fn supervise(daemon: OwnedFd) -> Result<(), Failure> {
    let Some((Request::Prepare, fds)) = hear(&daemon)? else {
        // The daemon needs none any more.
        return Ok(());
    };
    let started = take_plan(fds).and_then(|(plan, shared)| start(plan, shared, &daemon));
    match started {
        Ok(Some(Started { plan, listener, consoles, init, guard })) => {
            let daemon = Some(daemon);
            let consoles = consoles.into_iter().map(Some).collect();
            Supervisor { plan, listener, daemon, consoles, init, guard }.run_and_close()
        }
        Ok(None) => Ok(()),
        Err(failure) => {
            let message = Message::Failed(failure.clone());
            if let Err(error) = protocol::send(daemon.as_fd(), &message, &[]) {
                eprintln!("nsvirt-lxc: cannot tell the daemon: {error}");
            }
            Err(failure)
        }
    }
}

fn hear<T: DeserializeOwned>(daemon: &OwnedFd) -> Result<Option<(T, Vec<OwnedFd>)>, Failure> {
    protocol::receive(daemon.as_fd()).attempt("hear from the daemon", "")
}

/// The plan, with standard error being the log from here on; and what else there came.
fn take_plan(fds: Vec<OwnedFd>) -> Result<(Plan, Vec<OwnedFd>), Failure> {
    let mut fds = fds.into_iter();
    let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let plan = fds.next().ok_or_else(missing).attempt("take over the plan", "")?;
    let log = fds.next().ok_or_else(missing).attempt("take over the log", "")?;
    sys::fd::become_standard(log.as_fd(), 2).attempt("take over the log", "")?;
    let mut text = Vec::new();
    File::from(plan).read_to_end(&mut text).attempt("read the plan", "")?;
    let plan = serde_json::from_slice(&text).map_err(io::Error::other);
    Ok((plan.attempt("read the plan", "")?, fds.collect()))
}

/// A container that runs.
struct Started {
    plan: Plan,
    listener: Listener,
    consoles: Vec<Console>,
    init: start::Init,
    guard: Guard,
}

/// Starts the container after the daemon's word, or not at all without it.
///
/// A daemon that comes after a crash finds a supervisor by its record and its socket. So the
/// socket is there before the daemon, told so, makes the record, and nothing of the container is
/// executed before the record is there.
fn start(plan: Plan, shared: Vec<OwnedFd>, daemon: &OwnedFd) -> Result<Option<Started>, Failure> {
    enter_shared(&plan.shared_namespaces, shared)?;
    let child = start::prepare(&plan)?;
    let listener = Listener::bind(&plan.files.socket)?;
    match wait_and_go(&plan, child, daemon) {
        Ok(Some((consoles, init, guard))) => {
            Ok(Some(Started { plan, listener, consoles, init, guard }))
        }
        Ok(None) => listener.close().map(|()| None),
        Err(failure) => {
            if let Err(left) = listener.close() {
                eprintln!("nsvirt-lxc: {left}");
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
    let guard = Guard::new(plan.restart_on_reboot || !plan.links.is_empty())?;
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

struct Supervisor {
    plan: Plan,
    listener: Listener,
    /// The daemon, while one is connected.
    daemon: Option<OwnedFd>,
    /// The host's side of each console; one that failed is given up, the container goes on.
    consoles: Vec<Option<Console>>,
    init: start::Init,
    guard: Guard,
}

/// What woke the supervisor.
struct Events {
    init_ended: bool,
    daemon_spoke: bool,
    daemon_connects: bool,
    /// By console.
    consoles: Vec<bool>,
}

impl Supervisor {
    fn run_and_close(mut self) -> Result<(), Failure> {
        let result = self.run();
        result.and(self.listener.close())
    }

    fn run(&mut self) -> Result<(), Failure> {
        self.announce_running();
        title::set(&self.plan.name).attempt("show the name of", "the domain")?;
        let tasks = placement::open(&self.plan.placement.supervisor_tasks)?;
        placement::join(tasks).attempt("join control group", "")?;
        placement::join_v2(&self.plan.placement.supervisor_v2)?;
        self.guard.lower()?;
        loop {
            let events = self.wait().attempt("wait for events", "")?;
            for (number, _) in events.consoles.iter().enumerate().filter(|(_, ready)| **ready) {
                self.relay(number);
            }
            if events.daemon_spoke {
                self.hear();
            }
            if events.daemon_connects {
                self.accept();
            }
            if events.init_ended {
                let exit = pidfd::wait(self.init.pidfd.as_fd()).attempt("wait for", "init")?;
                self.drain();
                self.clear_links();
                if !self.restart(exit) {
                    return self.finish(exit);
                }
            }
        }
    }

    fn wait(&self) -> io::Result<Events> {
        let readable = PollFlags::POLLIN;
        let nothing = PollFlags::empty();
        let mut fds = vec![
            PollFd::new(self.init.pidfd.as_fd(), readable),
            PollFd::new(self.listener.as_fd(), readable),
            match &self.daemon {
                Some(daemon) => PollFd::new(daemon.as_fd(), readable),
                None => PollFd::new(self.listener.as_fd(), nothing),
            },
        ];
        for (console, terminal) in self.consoles.iter().zip(&self.init.terminals) {
            fds.extend(console.iter().flat_map(|console| console.interest(terminal)));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ready = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let mut next = || ready.next().unwrap_or(false);
        Ok(Events {
            init_ended: next(),
            daemon_connects: next(),
            daemon_spoke: next() && self.daemon.is_some(),
            consoles: self
                .consoles
                .iter()
                .map(|console| {
                    let (host, container) =
                        if console.is_some() { (next(), next()) } else { (false, false) };
                    host || container
                })
                .collect(),
        })
    }

    /// Moves bytes of one console; one that fails is closed and the rest goes on.
    fn relay(&mut self, number: usize) {
        let (Some(slot), Some(terminal)) =
            (self.consoles.get_mut(number), self.init.terminals.get(number))
        else {
            return;
        };
        if let Some(Err(error)) = slot.as_mut().map(|console| console.relay(terminal)) {
            eprintln!("nsvirt-lxc: console {number} is given up: {error}");
            *slot = None;
        }
    }

    /// After the end of init: what it printed last is still in the terminals.
    fn drain(&mut self) {
        const ENOUGH: usize = 32;
        for number in 0..self.consoles.len() {
            for _ in 0..ENOUGH {
                self.relay(number);
            }
            if let Some(Some(console)) = self.consoles.get_mut(number) {
                console.forget_input();
            }
        }
    }

    /// No process of the container is left. What cannot be cleared now is the kernel's to clear.
    fn clear_links(&mut self) {
        if self.plan.links.is_empty() {
            return;
        }
        if let Err(left) = self.guard.raise().and_then(|()| self.init.links.clear()) {
            eprintln!("nsvirt-lxc: {left}");
        }
    }

    /// A PID namespace whose init was killed by SIGHUP is one that was asked to `reboot(2)`.
    fn restart(&mut self, exit: Exit) -> bool {
        if !self.plan.restart_on_reboot || exit != Exit::Signal(Signal::SIGHUP as i32) {
            return false;
        }
        let restarted = self.restarted();
        match restarted.and_then(|init| self.guard.lower().map(|()| init)) {
            Ok(init) => {
                self.init = init;
                let message = Message::Rebooted { init: self.init.pid };
                self.tell(&message, true);
                true
            }
            Err(failure) => {
                eprintln!("nsvirt-lxc: the container asked to reboot: {failure}");
                false
            }
        }
    }

    fn restarted(&self) -> Result<start::Init, Failure> {
        self.guard.raise()?;
        let v1 = self.plan.placement.init_tasks.iter().filter_map(|file| file.parent());
        let v2 = self.plan.placement.init_v2.iter().map(PathBuf::as_path);
        v1.chain(v2).try_for_each(placement::reset)?;
        start::prepare(&self.plan)?.go(self.init.links.names())
    }

    /// Leaves the end of init for a daemon that may not be there now, and tells one that is.
    fn finish(&mut self, exit: Exit) -> Result<(), Failure> {
        let file = &self.plan.files.exit;
        let text = serde_json::to_vec(&exit).map_err(io::Error::other).attempt("write", "")?;
        fs::write(file, text).attempt("write", file.display())?;
        self.tell(&Message::Exited(exit), false);
        Ok(())
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(daemon)) => self.daemon = Some(daemon),
            Ok(None) => {}
            Err(error) => eprintln!("nsvirt-lxc: cannot accept the daemon: {error}"),
        }
    }

    fn hear(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        match protocol::receive::<Request>(daemon.as_fd()) {
            Ok(Some((request, _))) => self.answer(request),
            Ok(None) => self.daemon = None,
            Err(error) => {
                eprintln!("nsvirt-lxc: cannot understand the daemon: {error}");
                self.daemon = None;
            }
        }
    }

    fn answer(&mut self, request: Request) {
        match request {
            // What comes before it runs was heard.
            Request::Prepare => {}
            Request::Go | Request::Attach => self.announce_running(),
            Request::OpenConsole { console } => match self.open_console(console) {
                Ok(client) => self.send(&Message::Done, &[client.as_fd()]),
                Err(failure) => self.send(&Message::Refused(failure), &[]),
            },
            Request::ResizeConsole { console, rows, columns } => {
                let terminal = self.init.terminals.get(console).map(|it| it.master.as_fd());
                let resized = terminal
                    .ok_or_else(no_such_console)
                    .and_then(|terminal| tty::set_size(terminal, rows, columns))
                    .attempt("set the size of console", console);
                match resized {
                    Ok(()) => self.send(&Message::Done, &[]),
                    Err(failure) => self.send(&Message::Refused(failure), &[]),
                }
            }
        }
    }

    fn open_console(&self, number: usize) -> Result<OwnedFd, Failure> {
        let console = self.consoles.get(number).and_then(Option::as_ref);
        let client = console.ok_or_else(no_such_console).and_then(Console::open_client);
        client.attempt("open console", number)
    }

    fn announce_running(&mut self) {
        let paths = self.consoles.iter().map(|console| {
            console.as_ref().map_or_else(String::new, |console| console.path().to_owned())
        });
        let message = Message::Running {
            init: self.init.pid,
            consoles: paths.collect(),
            links: self.init.links.names().to_vec(),
        };
        self.tell(&message, true);
    }

    fn tell(&mut self, message: &Message, with_init: bool) {
        match self.init.pidfd.try_clone() {
            Ok(init) if with_init => self.send(message, &[init.as_fd()]),
            _ => self.send(message, &[]),
        }
    }

    /// A daemon that cannot be told has gone, or will: it asks again when it is back.
    fn send(&mut self, message: &Message, fds: &[BorrowedFd<'_>]) {
        if let Some(daemon) = &self.daemon
            && let Err(error) = protocol::send(daemon.as_fd(), message, fds)
        {
            eprintln!("nsvirt-lxc: the daemon is gone: {error}");
            self.daemon = None;
        }
    }
}

fn no_such_console() -> io::Error {
    io::Error::from_raw_os_error(nix::errno::Errno::ENODEV as i32)
}
