//! Programs executed in a container that runs.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use tokio::sync::{oneshot, watch};

use super::Driver;
use super::domain::Domain;
use super::event::EventKind;
use super::executor::{Executor, ended};
use super::lifecycle::Operation;
use super::operations::ConsoleSize;
use super::run::also;
use super::supervisor::unexpected;
use crate::container::protocol::entry::{Order, Program, Size};
use crate::container::protocol::{Exit, Message, Request};
use crate::error::{Error, ErrorCode, Result};
use crate::plan::Account;
use crate::sys::fd::in_memory;

/// Programs that have ended, of one domain, whose ends are remembered.
const REMEMBERED: usize = 256;
/// How long programs of a container that has ended may take to be seen to end.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// What is to be executed in a container.
#[derive(Debug)]
pub struct Exec {
    /// The program, which is looked up in `PATH` if it has no slash, and its arguments.
    pub arguments: Vec<String>,
    /// `NAME=value`: beside the variables of init, or in place of them.
    pub environment: Vec<String>,
    /// By name or number; that of init where it is empty.
    pub user: String,
    /// The same; the user's own where it is empty.
    pub group: String,
    /// Working directory inside; init's where it is empty.
    pub directory: String,
    /// A terminal of the container's of this size.
    pub terminal: Option<ConsoleSize>,
    /// Standard input, output and error; or none of them, for pipes. For a terminal there are none.
    pub standard: Vec<OwnedFd>,
}

/// A program that is executed.
#[derive(Debug)]
pub struct Executed {
    /// Its number, for this daemon.
    pub exec: u64,
    /// The terminal; or the other ends of its standard input, output and error, if none were given.
    pub descriptors: Vec<OwnedFd>,
    /// Nobody is told of its end before this is dropped.
    pub untold: Untold,
}

/// Keeps an event back until the caller knows what it is about.
#[derive(Debug)]
pub struct Untold(#[allow(dead_code, reason = "its end is the message")] oneshot::Sender<()>);

/// The programs of one domain by their numbers.
#[derive(Debug, Default)]
pub(super) struct Execs(Mutex<BTreeMap<u64, Arc<Running>>>);

/// A program that runs, or has ended.
#[derive(Debug)]
struct Running {
    executor: Executor,
    end: watch::Sender<Option<Exit>>,
}

impl Running {
    fn end(&self) -> Option<Exit> {
        *self.end.borrow()
    }

    async fn wait(&self) -> Result<Exit> {
        let mut end = self.end.subscribe();
        let exit = end.wait_for(Option::is_some).await.ok().and_then(|exit| *exit);
        exit.ok_or_else(ended)
    }
}

impl Execs {
    fn change<T>(&self, change: impl FnOnce(&mut BTreeMap<u64, Arc<Running>>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn get(&self, exec: u64) -> Result<Arc<Running>> {
        self.change(|all| all.get(&exec).cloned()).ok_or_else(|| {
            let text = format!(
                "no program has the number {exec} here: expected one that runs in this domain, or \
                 is one of the last {REMEMBERED} that ended"
            );
            Error::new(ErrorCode::InvalidArg, text)
        })
    }

    fn add(&self, exec: u64, running: Arc<Running>) {
        self.change(|all| {
            all.insert(exec, running);
            let over = all.values().filter(|it| it.end().is_some()).count();
            for _ in REMEMBERED..over {
                let oldest = all.iter().find(|(_, it)| it.end().is_some()).map(|(exec, _)| *exec);
                oldest.and_then(|exec| all.remove(&exec));
            }
        });
    }

    fn forget(&self, exec: u64) {
        self.change(|all| all.remove(&exec));
    }

    /// Waits until the programs of a container that has ended are seen to have ended as well.
    pub(super) async fn end(&self) {
        for running in self.change(|all| all.values().cloned().collect::<Vec<_>>()) {
            if tokio::time::timeout(END_PATIENCE, running.wait()).await.is_err()
                && let Err(error) = running.executor.process.kill()
            {
                tracing::error!("{error}");
            }
        }
    }
}

impl Driver {
    /// Executes a program in a container, with no more rights than init's. Returns when it is
    /// executed; its end is an event, and can be asked for ([`Self::wait_exec`]).
    ///
    /// Fails when the domain does not run, or is paused, and when the program, its user or its
    /// directory is not there; nothing of it is left then.
    pub async fn exec(self: &Arc<Self>, domain: &Arc<Domain>, exec: Exec) -> Result<Executed> {
        check(&exec)?;
        domain.admit(Operation::Enter)?;
        let run = domain.run()?;
        let init = run
            .init()
            .ok_or_else(|| Error::new(ErrorCode::OperationInvalid, "the domain has no init yet"))?;
        let plan = match run.supervisor.request(&Request::TellPlan).await? {
            (Message::Done, mut fds) => fds.pop().ok_or_else(|| {
                Error::new(ErrorCode::InternalError, "the supervisor sent no plan")
            })?,
            (Message::Refused(failure), _) => {
                return Err(Error::new(ErrorCode::OperationFailed, failure));
            }
            (answer, _) => return Err(unexpected(run.supervisor.pid, &answer)),
        };
        let (standard, others) = standard(&exec)?;
        let pid = init.pid.try_into().map_err(|e| Error::new(ErrorCode::InternalError, e))?;
        let program = serde_json::to_vec(&program(pid, exec))
            .map_err(io::Error::other)
            .and_then(|text| in_memory(c"nsvirt-program", &text))
            .map_err(|e| Error::system("cannot hand over a program", e))?;
        let number = self.last_exec.fetch_add(1, Ordering::Relaxed) + 1;
        let running = self.spawn(domain, number).await?;
        let mut fds = vec![program.as_fd(), plan.as_fd(), init.pidfd.as_fd()];
        fds.extend(standard.iter().map(AsFd::as_fd));
        let started = running.executor.enter(&fds).await;
        // Whoever reads the other ends is to see them close.
        drop(standard);
        let terminal = match started {
            Ok(terminal) => terminal,
            Err(error) => {
                let killed = running.executor.process.kill();
                running.executor.gone().await;
                running.end.send_replace(Some(Exit::Signal(nix::libc::SIGKILL)));
                domain.execs.forget(number);
                return Err(also(error, killed));
            }
        };
        let (untold, told) = oneshot::channel();
        tokio::spawn(self.clone().follow(domain.clone(), number, running, told));
        let descriptors = terminal.into_iter().chain(others).collect();
        Ok(Executed { exec: number, descriptors, untold: Untold(untold) })
    }

    async fn spawn(self: &Arc<Self>, domain: &Domain, number: u64) -> Result<Arc<Running>> {
        let spare = self.spare.clone();
        // Executing a program stops the thread that does it for half a millisecond.
        let spawned = tokio::task::spawn_blocking(move || {
            let executor = Executor::spawn(spare.program())?;
            Ok(Arc::new(Running { executor, end: watch::Sender::new(None) }))
        });
        let running = spawned.await.map_err(|e| Error::new(ErrorCode::InternalError, e))??;
        domain.execs.add(number, running.clone());
        Ok(running)
    }

    /// Follows a program to its end.
    async fn follow(
        self: Arc<Self>,
        domain: Arc<Domain>,
        number: u64,
        running: Arc<Running>,
        told: oneshot::Receiver<()>,
    ) {
        let exit = running.executor.ended().await;
        running.executor.gone().await;
        // The sender is dropped, never used.
        let _ = told.await;
        running.end.send_replace(Some(exit));
        self.tell(&domain, EventKind::ExecEnded { exec: number, exit });
    }

    /// Waits for the end of a program, which may be past.
    pub async fn wait_exec(&self, domain: &Domain, exec: u64) -> Result<Exit> {
        domain.execs.get(exec)?.wait().await
    }

    /// Sends a program a signal (`signal(7)`).
    pub async fn kill_exec(&self, domain: &Domain, exec: u64, signal: i32) -> Result<()> {
        const LAST: i32 = 64;
        if !(1..=LAST).contains(&signal) {
            let text = format!("{signal} is no signal: expected a number from 1 to {LAST}");
            return Err(Error::new(ErrorCode::InvalidArg, text));
        }
        self.ask_exec(domain, exec, Order::Signal(signal)).await
    }

    /// Tells a program the size of its terminal.
    pub async fn resize_exec(&self, domain: &Domain, exec: u64, size: ConsoleSize) -> Result<()> {
        self.ask_exec(domain, exec, Order::Resize(entry_size(size))).await
    }

    async fn ask_exec(&self, domain: &Domain, exec: u64, order: Order) -> Result<()> {
        let running = domain.execs.get(exec)?;
        match running.end() {
            Some(_) => Err(ended()),
            None => running.executor.ask(order).await,
        }
    }
}

fn entry_size(ConsoleSize { rows, columns }: ConsoleSize) -> Size {
    Size { rows, columns }
}

/// What is wrong with a request whatever the container is.
fn check(exec: &Exec) -> Result<()> {
    let wrong = |text: String| Err(Error::new(ErrorCode::InvalidArg, text));
    if exec.arguments.first().is_none_or(String::is_empty) {
        return wrong("nothing is to be executed: expected a program as the first argument".into());
    }
    if let Some(variable) = exec
        .environment
        .iter()
        .find(|it| it.split_once('=').is_none_or(|(name, _)| name.is_empty()))
    {
        return wrong(format!("'{variable}' is no variable: expected NAME=value"));
    }
    let given = exec.standard.len();
    let expected = if exec.terminal.is_some() { "none with a terminal" } else { "none or three" };
    if given != 0 && (given != 3 || exec.terminal.is_some()) {
        return wrong(format!("{given} descriptors for standard I/O: expected {expected}"));
    }
    Ok(())
}

/// The program's standard input, output and error, and what the caller gets of them.
fn standard(exec: &Exec) -> Result<(Vec<OwnedFd>, Vec<OwnedFd>)> {
    if exec.terminal.is_some() {
        return Ok((Vec::new(), Vec::new()));
    }
    let make = || -> io::Result<_> {
        if !exec.standard.is_empty() {
            let given = exec.standard.iter().map(OwnedFd::try_clone);
            return Ok((given.collect::<io::Result<_>>()?, Vec::new()));
        }
        let pipe = || pipe2(OFlag::O_CLOEXEC);
        let ((input, type_in), (print, output), (complain, error)) = (pipe()?, pipe()?, pipe()?);
        Ok((vec![input, output, error], vec![type_in, print, complain]))
    };
    make().map_err(|e| Error::system("cannot make pipes for the program", e))
}

fn program(init: i32, exec: Exec) -> Program {
    let Exec { arguments, environment, user, group, directory, terminal, .. } = exec;
    // Of two, the later one counts.
    let mut variables: Vec<String> = Vec::new();
    for variable in environment {
        let name = |text: &str| text.split('=').next().map(str::to_owned);
        variables.retain(|it| name(it) != name(&variable));
        variables.push(variable);
    }
    let is_said = !user.is_empty() || !group.is_empty();
    // A group alone is for root, as with `<initgroup>`.
    let user = if user.is_empty() { "+0".to_owned() } else { user };
    Program {
        init,
        arguments,
        environment: variables,
        account: is_said.then_some(Account { user, group }),
        directory: Some(directory).filter(|it| !it.is_empty()),
        terminal: terminal.map(entry_size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exec(arguments: &[&str], environment: &[&str]) -> Exec {
        let list = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect();
        Exec {
            arguments: list(arguments),
            environment: list(environment),
            user: String::new(),
            group: String::new(),
            directory: String::new(),
            terminal: None,
            standard: Vec::new(),
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        check(&exec(&["sh"], &["A=", "B=c"])).unwrap();
        for (arguments, variable) in
            [(&["sh"][..], "A"), (&["sh"], "=b"), (&[], "A=b"), (&[""], "A=b")]
        {
            let error = check(&exec(arguments, &[variable])).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidArg, "{arguments:?} {variable}");
        }
        let (one, _) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let error = check(&Exec { standard: vec![one], ..exec(&["sh"], &[]) }).unwrap_err();
        assert!(error.message.contains("1 descriptors"), "{error}");
    }

    #[test]
    fn the_last_of_equal_variables_counts_and_init_s_user_is_the_default() {
        let made = program(7, exec(&["sh"], &["A=1", "AB=2", "A=3"]));
        assert_eq!(made.environment, ["AB=2", "A=3"]);
        assert_eq!((made.account, made.directory), (None, None));
        let made = program(7, Exec { group: "mail".into(), ..exec(&["sh"], &[]) });
        let (user, group) = ("+0".to_owned(), "mail".to_owned());
        assert_eq!(made.account, Some(Account { user, group }));
    }
}
