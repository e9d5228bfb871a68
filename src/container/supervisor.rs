//! The process beside each container: starts it, relays its consoles, waits for its end.
//!
//! It outlives the daemon. While no daemon is connected everything goes on: consoles, a reboot
//! inside, and the end of init, which is left in a file for the daemon that comes next. It has one
//! thread and waits in one place.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{chdir, setsid};

use super::adopt::{self, Loops};
use super::begin::{Given, Started, hear, start};
use super::console::Console;
use super::domain_log::{rotate, say};
use super::ending::End;
use super::guard::Guard;
use super::listener::Listener;
use super::placement;
use super::protocol::{self, Attempt, Failure, LinkNames, Message, Request};
use super::restarts::Restarts;
use super::{start, title};
use crate::plan::Plan;
use crate::sys::{self, pidfd, tty};

/// Waits on descriptor 1, a socket of the daemon's, for a container, and runs it.
///
/// What goes wrong is told to the daemon where that is possible, and printed on standard error,
/// the domain's log, in any case.
pub fn run() -> ExitCode {
    match take_over().and_then(supervise) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(failure);
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
    let started = Given::take(fds).and_then(|given| start(given, &daemon));
    match started {
        Ok(Some(Started { plan, record, listener, consoles, init, loops, guard })) => {
            let daemon = Some(daemon);
            let consoles = consoles.into_iter().map(Some).collect();
            let restarts = Restarts::new(&plan);
            let supervisor = Supervisor {
                plan,
                record,
                listener,
                daemon,
                consoles,
                init,
                loops,
                guard,
                restarts,
            };
            supervisor.run_and_close()
        }
        Ok(None) => Ok(()),
        Err(failure) => {
            let message = Message::Failed(failure.clone());
            if let Err(error) = protocol::send(daemon.as_fd(), &message, &[]) {
                say(format_args!("cannot tell the daemon: {error}"));
            }
            Err(failure)
        }
    }
}

struct Supervisor {
    plan: Plan,
    /// The daemon's record of this run, as it was at the start or when devices last came or went.
    record: OwnedFd,
    listener: Listener,
    /// The daemon, while one is connected.
    daemon: Option<OwnedFd>,
    /// The host's side of each console; one that failed is given up, the container goes on.
    consoles: Vec<Option<Console>>,
    init: start::Init,
    loops: Loops,
    guard: Guard,
    restarts: Restarts,
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
            let events = self.wait(None).attempt("wait for events", "")?;
            self.attend(&events);
            if events.init_ended {
                let exit = pidfd::wait(self.init.pidfd.as_fd()).attempt("wait for", "init")?;
                self.drain();
                self.clear_links();
                let end = self.restarts.judge(exit);
                say(&end);
                if let Some(end) = self.restart(end)? {
                    return self.finish(end);
                }
            }
        }
    }

    /// Waits until there is something to do, or, when init has ended already, at most so long.
    fn wait(&self, without_init: Option<Duration>) -> io::Result<Events> {
        let readable = PollFlags::POLLIN;
        let nothing = PollFlags::empty();
        let mut fds = vec![
            match without_init {
                None => PollFd::new(self.init.pidfd.as_fd(), readable),
                Some(_) => PollFd::new(self.listener.as_fd(), nothing),
            },
            PollFd::new(self.listener.as_fd(), readable),
            match &self.daemon {
                Some(daemon) => PollFd::new(daemon.as_fd(), readable),
                None => PollFd::new(self.listener.as_fd(), nothing),
            },
        ];
        for (console, terminal) in self.consoles.iter().zip(&self.init.terminals) {
            fds.extend(console.iter().flat_map(|console| console.interest(terminal)));
        }
        // Rounded up, so that the time is over when it says so.
        let limit = without_init.map(|it| it.as_nanos().div_ceil(1_000_000).try_into());
        let limit = limit.map_or(PollTimeout::NONE, |it| it.unwrap_or(PollTimeout::MAX));
        match poll(&mut fds, limit) {
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

    fn attend(&mut self, events: &Events) {
        for (number, _) in events.consoles.iter().enumerate().filter(|(_, ready)| **ready) {
            self.relay(number);
        }
        if events.daemon_spoke {
            self.hear();
        }
        if events.daemon_connects {
            self.accept();
        }
    }

    /// Moves bytes of one console; one that fails is closed and the rest goes on.
    fn relay(&mut self, number: usize) {
        let (Some(slot), Some(terminal)) =
            (self.consoles.get_mut(number), self.init.terminals.get(number))
        else {
            return;
        };
        if let Some(Err(error)) = slot.as_mut().map(|console| console.relay(terminal)) {
            say(format_args!("console {number} is given up: {error}"));
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
            say(left);
        }
    }

    /// Starts the container anew if that follows from the end of its init; otherwise gives the end
    /// back, which is final.
    fn restart(&mut self, end: End) -> Result<Option<End>, Failure> {
        let Some(wait) = self.restarts.wait(end.cause) else { return Ok(Some(end)) };
        self.pause(wait).attempt("wait for events", "")?;
        if self.restarts.are_forbidden() {
            return Ok(Some(end));
        }
        rotate(&self.plan.files.log);
        say("starting up anew");
        let restarted = self.restarted();
        match restarted.and_then(|init| self.guard.lower().map(|()| init)) {
            Ok(init) => {
                self.init = init;
                self.restarts.started();
                self.tell(&Message::Restarted { init: self.init.pid, end }, true);
                Ok(None)
            }
            Err(failure) => {
                say(format_args!("it was not started anew: {failure}"));
                Ok(Some(End { not_restarted: Some(failure), ..end }))
            }
        }
    }

    /// Lets time pass without a container, until the daemon wants it destroyed. What the daemon has
    /// said before init ended is heard in any case.
    fn pause(&mut self, wait: Duration) -> io::Result<()> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let events = self.wait(Some(left))?;
            self.attend(&events);
            if self.restarts.are_forbidden() || left.is_zero() && !events.daemon_spoke {
                return Ok(());
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
    fn finish(&mut self, end: End) -> Result<(), Failure> {
        let file = &self.plan.files.exit;
        let text = serde_json::to_vec(&end).map_err(io::Error::other).attempt("write", "")?;
        let written = fs::write(file, text).attempt("write", file.display());
        self.tell(&Message::Ended(end), false);
        written
    }

    fn accept(&mut self) {
        match self.listener.accept() {
            Ok(Some(daemon)) => self.daemon = Some(daemon),
            Ok(None) => {}
            Err(error) => say(format_args!("cannot accept the daemon: {error}")),
        }
    }

    fn hear(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        match protocol::receive::<Request>(daemon.as_fd()) {
            Ok(Some((request, fds))) => self.answer(request, fds),
            Ok(None) => self.daemon = None,
            Err(error) => {
                say(format_args!("cannot understand the daemon: {error}"));
                self.daemon = None;
            }
        }
    }

    fn answer(&mut self, request: Request, fds: Vec<OwnedFd>) {
        match request {
            Request::TellPlan => match adopt::written(&self.plan) {
                Ok(plan) => self.send(&Message::Done, &[plan.as_fd()]),
                Err(failure) => self.send(&Message::Refused(failure), &[]),
            },
            Request::Adopt { init, links } => match self.adopt(init, links, fds) {
                Ok(()) => self.send(&Message::Done, &[]),
                Err(failure) => self.send(&Message::Refused(failure), &[]),
            },
            // What comes before it runs was heard.
            Request::Prepare => {}
            Request::Go | Request::Attach => self.announce_running(),
            Request::Record => match self.record.try_clone().attempt("hand out the record", "") {
                Ok(record) => self.send(&Message::Done, &[record.as_fd()]),
                Err(failure) => self.send(&Message::Refused(failure), &[]),
            },
            Request::Asked { to_reboot } => {
                self.restarts.asked(to_reboot);
                self.send(&Message::Done, &[]);
            }
            Request::Destroy => {
                self.restarts.forbid();
                // The one that the daemon knows may not be the last.
                if let Err(error) = pidfd::kill(self.init.pidfd.as_fd()) {
                    say(format_args!("cannot kill init: {error}"));
                }
            }
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

    /// Goes on by another plan, unless what it says was done to a container that is no more.
    fn adopt(
        &mut self,
        init: i32,
        links: Vec<LinkNames>,
        fds: Vec<OwnedFd>,
    ) -> Result<(), Failure> {
        if init != self.init.pid {
            let attempt = "change its devices: the container has restarted itself meanwhile";
            return Err(Failure { attempt: attempt.to_owned(), path: String::new(), errno: 0 });
        }
        let Self { plan, init, guard, loops, .. } = self;
        (self.plan, self.record) = adopt::adopt(plan, init, guard, loops, links, fds)?;
        Ok(())
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
            say(format_args!("the daemon is gone: {error}"));
            self.daemon = None;
        }
    }
}

fn no_such_console() -> io::Error {
    io::Error::from_raw_os_error(nix::errno::Errno::ENODEV as i32)
}
