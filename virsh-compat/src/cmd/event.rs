//! `event`

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use zbus::{Message, MessageStream, OwnedObjectPath};

use crate::bus::{CONNECT, DOMAIN, ROOT};
use crate::cmd::exclusive;
use crate::domain::{self, By};
use crate::event_words::{Event, NAMES};
use crate::outcome::{Context, Failure, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;

/// What can end the wait.
enum Input {
    Signal(Message),
    Interrupted,
    Lost,
}

/// Which events to print, and how long.
struct Wait {
    path: Option<String>,
    name: Option<String>,
    repeat: bool,
    timestamps: bool,
    deadline: Option<Instant>,
}

/// `event`
pub(crate) fn event(shell: &mut Shell, args: &Args) -> Outcome {
    exclusive(args, "all", "event")?;
    exclusive(args, "list", "all")?;
    exclusive(args, "list", "event")?;
    let timeout = timeout(args)?;
    if args.has("list") {
        for name in NAMES {
            shell.print(format_args!("{name}\n"));
        }
        return Ok(());
    }
    let name = args.nonempty("event")?;
    if let Some(name) = name
        && !NAMES.contains(&name)
    {
        return Err(fail(format!("unknown event type {name}")));
    }
    if name.is_none() && !args.has("all") {
        return Err(fail("one of --list, --all, or --event <type> is required"));
    }
    let only = match args.nonempty("domain")? {
        Some(text) => Some(domain::lookup(shell, text, By::ANY)?.path),
        None => None,
    };
    let wait = Wait {
        path: only,
        name: name.map(str::to_owned),
        repeat: args.has("loop"),
        timestamps: args.has("timestamp"),
        deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
    };
    run(shell, &wait)
}

/// Whole seconds, at least one; no more than fit libvirt's count of milliseconds.
fn timeout(args: &Args) -> Outcome<Option<Duration>> {
    let Some(text) = args.text("timeout") else {
        return Ok(None);
    };
    match text
        .parse::<u64>()
        .ok()
        .filter(|&seconds| (1..=i32::MAX as u64 / 1000).contains(&seconds))
    {
        Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        None => Err(fail(format!(
            "Numeric value '{text}' for <timeout> option is malformed or out of range"
        ))),
    }
}

fn run(shell: &mut Shell, wait: &Wait) -> Outcome {
    let what = || "Failed to register for events".to_owned();
    let streams = [shell.bus()?.signals(CONNECT), shell.bus()?.signals(DOMAIN)];
    let [connect, domain] = streams;
    let streams = vec![connect.context(what)?, domain.context(what)?];
    let mut names = Names::read(shell)?;
    let mut signals = Signals::new([SIGINT])
        .map_err(|error| fail(format!("cannot watch for signals: {error}")))?;
    let handle = signals.handle();
    let (sender, inputs) = mpsc::channel();
    let interrupts = sender.clone();
    std::thread::spawn(move || {
        for _ in signals.forever() {
            let _ = interrupts.send(Input::Interrupted);
        }
    });
    std::thread::spawn(move || forward(streams, &sender));
    let count = receive(shell, wait, &inputs, &mut names)?;
    handle.close();
    shell.print(format_args!("events received: {count}\n"));
    if count == 0 { Err(Failure::default()) } else { Ok(()) }
}

/// Hands the signals over until nobody wants them.
fn forward(streams: Vec<MessageStream>, sender: &mpsc::Sender<Input>) {
    zbus::block_on(async {
        let mut all = futures_util::stream::select_all(streams);
        while let Some(Ok(message)) = all.next().await {
            if sender.send(Input::Signal(message)).is_err() {
                return;
            }
        }
        let _ = sender.send(Input::Lost);
    });
}

fn receive(
    shell: &mut Shell,
    wait: &Wait,
    inputs: &Receiver<Input>,
    names: &mut Names,
) -> Outcome<u32> {
    let mut count = 0;
    loop {
        let input = match wait.deadline {
            Some(deadline) => {
                inputs.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            }
            None => inputs.recv().map_err(RecvTimeoutError::from),
        };
        match input {
            Ok(Input::Signal(message)) => {
                let Some(event) = Event::read(&message) else {
                    continue;
                };
                let name = names.of(shell, &event.path);
                if !wait.wants(&event) {
                    continue;
                }
                count += 1;
                shell.print(wait.line(&event, &name));
                shell.flush();
                if !wait.repeat {
                    return Ok(count);
                }
            }
            Ok(Input::Interrupted) => {
                shell.print("event loop interrupted\n");
                return Ok(count);
            }
            Err(RecvTimeoutError::Timeout) => {
                shell.print("event loop timed out\n");
                return Ok(count);
            }
            Ok(Input::Lost) | Err(RecvTimeoutError::Disconnected) => {
                return Err(fail("the connection to the bus was lost"));
            }
        }
    }
}

impl Wait {
    fn wants(&self, event: &Event) -> bool {
        self.path.as_ref().is_none_or(|path| *path == event.path)
            && self.name.as_ref().is_none_or(|name| name == event.name)
    }

    fn line(&self, event: &Event, domain: &str) -> String {
        let time = if self.timestamps { now() } else { String::new() };
        format!("{time}event '{}' for domain '{domain}'{}\n", event.name, event.text)
    }
}

/// The time as libvirt's logs write it: UTC, in milliseconds.
fn now() -> String {
    let since =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    timestamp(since)
}

fn timestamp(since: Duration) -> String {
    let seconds = since.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let millis = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}+0000: ")
}

/// Year, month and day of a count of days since 1970, by walking over years and months.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

/// Names of domains by their objects. They are remembered, as the event may be that the domain
/// is gone.
#[derive(Debug, Default)]
struct Names(HashMap<String, String>);

impl Names {
    fn read(shell: &Shell) -> Outcome<Self> {
        let bus = shell.bus()?;
        let paths: Vec<OwnedObjectPath> = bus.call(ROOT, CONNECT, "ListDomains", &(0u32,))?;
        let names = bus.each(&paths, |path| async move {
            let name = bus.property_async::<String>(path.as_str(), DOMAIN, "Name").await;
            Some((path.as_str().to_owned(), name.ok()?))
        });
        Ok(Self(names.into_iter().flatten().collect()))
    }

    fn of(&mut self, shell: &Shell, path: &str) -> String {
        if let Some(name) = self.0.get(path) {
            return name.clone();
        }
        let name = shell.bus().and_then(|bus| Ok(bus.property(path, DOMAIN, "Name")?));
        match name {
            Ok(name) => {
                let name: String = name;
                self.0.insert(path.to_owned(), name.clone());
                name
            }
            // Too late to ask: the UUID is what is left.
            Err(_) => domain::uuid_of(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        assert_eq!(
            timestamp(Duration::from_millis(951_782_400_007)),
            "2000-02-29 00:00:00.007+0000: "
        );
        assert_eq!(timestamp(Duration::from_secs(1_795_490_627)), "2026-11-24 03:23:47.000+0000: ");
    }
}
