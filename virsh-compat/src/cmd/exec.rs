//! `exec` and `lxc-enter-namespace`: a program in a container, with this terminal or these pipes.

use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};

use rustix::termios::tcgetwinsize;
use zbus::OwnedVariant;

use crate::bus::{Bus, NSVIRT_DOMAIN};
use crate::cmd::exclusive;
use crate::domain::{self, By, Domain};
use crate::outcome::{Failure, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;
use crate::streams::{self, Route};
use crate::terminal::RawTerminal;

/// Flag of `Exec`: the program gets a terminal.
const TERMINAL: u32 = 1;
/// What a shell adds to the number of a signal that ended a program.
const SIGNALLED: i32 = 128;

/// What is executed.
struct Program<'a> {
    arguments: Vec<&'a str>,
    environment: Vec<String>,
    user: &'a str,
    group: &'a str,
    directory: &'a str,
    terminal: bool,
}

/// How it ended.
enum End {
    Status(i32),
    Signal(i32),
}

/// `exec`
pub(crate) fn exec(shell: &mut Shell, args: &Args) -> Outcome {
    exclusive(args, "tty", "no-tty")?;
    required(args, "command")?;
    let domain = domain::find(shell, args, By::ANY)?;
    let (user, group) = match args.text("user").unwrap_or_default().split_once(':') {
        Some(both) => both,
        None => (args.text("user").unwrap_or_default(), ""),
    };
    let program = Program {
        arguments: args.texts("command").collect(),
        environment: args.texts("env").map(str::to_owned).collect(),
        user,
        group,
        directory: args.text("dir").unwrap_or_default(),
        terminal: args.has("tty") || (!args.has("no-tty") && has_terminal()),
    };
    let status = match run(shell, &domain, program)? {
        End::Status(status) => status,
        End::Signal(signal) => SIGNALLED + signal,
    };
    shell.status = u8::try_from(status).ok();
    if status == 0 { Ok(()) } else { Err(Failure::default()) }
}

/// `lxc-enter-namespace`
pub(crate) fn enter(shell: &mut Shell, args: &Args) -> Outcome {
    required(args, "cmd")?;
    let domain = domain::find(shell, args, By::ANY)?;
    let program = Program {
        arguments: args.texts("cmd").collect(),
        environment: Vec::new(),
        // virsh's programs are root, whoever init is.
        user: "+0",
        group: "+0",
        directory: "/",
        terminal: has_terminal(),
    };
    let (number, end) = {
        shell.may("virDomainLxcOpenNamespace")?;
        let started = start(shell, &domain, program)?;
        (started.number, attend(shell, &domain, started)?)
    };
    let what = match end {
        End::Status(0) => return Ok(()),
        End::Status(status) => format!("exit status {status}"),
        End::Signal(signal) => format!("fatal signal {signal}"),
    };
    Err(fail(format!("internal error: Child process ({number}) unexpected {what}")))
}

/// What no option but the last can be: any number of words, and at least one.
fn required(args: &Args, option: &str) -> Outcome {
    match args.has(option) {
        true => Ok(()),
        false => Err(fail(format!("command '{}' requires <{option}> option", args.command.name))),
    }
}

fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

fn run(shell: &mut Shell, domain: &Domain, program: Program<'_>) -> Outcome<End> {
    shell.may("virDomainLxcOpenNamespace")?;
    let started = start(shell, domain, program)?;
    attend(shell, domain, started)
}

/// A program that was started.
struct Started {
    number: u64,
    descriptors: Vec<OwnedFd>,
    terminal: bool,
}

fn start(shell: &mut Shell, domain: &Domain, program: Program<'_>) -> Outcome<Started> {
    let Program { arguments, mut environment, user, group, directory, terminal } = program;
    shell.flush();
    let (mut rows, mut columns, mut flags) = (0, 0, 0);
    if terminal {
        flags = TERMINAL;
        (rows, columns) = size().unwrap_or_default();
        if let Ok(kind) = std::env::var("TERM")
            && !environment.iter().any(|variable| variable.starts_with("TERM="))
        {
            environment.push(format!("TERM={kind}"));
        }
    }
    let standard: Vec<zbus::OwnedFd> = Vec::new();
    let body = (arguments, environment, user, group, directory, rows, columns, standard, flags);
    let (number, descriptors): (u64, Vec<zbus::OwnedFd>) =
        shell.bus()?.call(&domain.path, NSVIRT_DOMAIN, "Exec", &body)?;
    let descriptors = descriptors.into_iter().map(OwnedFd::from).collect();
    Ok(Started { number, descriptors, terminal })
}

/// Passes everything on, both ways, until the program ends.
fn attend(shell: &mut Shell, domain: &Domain, started: Started) -> Outcome<End> {
    let Started { number, descriptors, terminal } = started;
    let bus = shell.bus()?;
    let (ended, tell) = std::os::unix::net::UnixStream::pair()
        .map_err(|error| fail(format!("cannot wait for the program: {error}")))?;
    let waiter = {
        let (bus, path) = (bus.clone(), domain.path.clone());
        std::thread::spawn(move || {
            let end = wait(&bus, &path, number);
            drop(tell);
            end
        })
    };
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let _raw = (terminal && stdin.is_terminal())
        .then(|| RawTerminal::enter(stdin.as_fd()))
        .transpose()
        .map_err(|errno| fail(format!("unable to make terminal raw: {errno}")))?;
    let mut routes = Vec::new();
    let mut input = None;
    match <[OwnedFd; 3]>::try_from(descriptors) {
        Ok([into, output, error]) => {
            routes.push(Route::outward(output, dup(stdout.as_fd())?));
            routes.push(Route::outward(error, dup(stderr.as_fd())?));
            input = Some(into);
        }
        Err(descriptors) => {
            for master in descriptors {
                input = Some(dup(master.as_fd())?);
                routes.push(Route::outward(master, dup(stdout.as_fd())?));
            }
        }
    }
    if let Some(input) = input {
        let route = Route::inward(dup(stdin.as_fd())?, input);
        routes.push(route.map_err(|errno| fail(format!("cannot pass on input: {errno}")))?);
    }
    let events = streams::Events {
        resized: &|| {
            if let Some((rows, columns)) = size().filter(|_| terminal) {
                let _: Result<(), _> =
                    bus.call(&domain.path, NSVIRT_DOMAIN, "ResizeExec", &(number, rows, columns));
            }
        },
        signalled: &|signal| {
            // It may have ended meanwhile, which is as good.
            let _: Result<(), _> =
                bus.call(&domain.path, NSVIRT_DOMAIN, "KillExec", &(number, signal, 0_u32));
        },
    };
    streams::run(routes, ended.as_fd(), &events)?;
    waiter.join().map_err(|_| fail("cannot wait for the program"))?
}

fn wait(bus: &Bus, path: &str, number: u64) -> Outcome<End> {
    let end: std::collections::HashMap<String, OwnedVariant> =
        bus.call(path, NSVIRT_DOMAIN, "WaitExec", &(number, 0_u32))?;
    let value = |name| end.get(name).cloned().and_then(|value| i32::try_from(value).ok());
    match (value("status"), value("signal")) {
        (Some(status), _) => Ok(End::Status(status)),
        (None, Some(signal)) => Ok(End::Signal(signal)),
        (None, None) => Err(fail("the service does not say how the program ended")),
    }
}

fn dup(fd: std::os::fd::BorrowedFd<'_>) -> Outcome<OwnedFd> {
    fd.try_clone_to_owned().map_err(|error| fail(format!("cannot pass on what is said: {error}")))
}

/// Rows and columns of this terminal.
fn size() -> Option<(u32, u32)> {
    let size = tcgetwinsize(std::io::stdin().as_fd()).ok()?;
    Some((size.ws_row.into(), size.ws_col.into()))
}
