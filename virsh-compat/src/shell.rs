//! The state of a session: where it is connected, how it prints, and how it runs commands.

use std::fmt;
use std::io::{self, Write};
use std::time::Instant;

use crate::bus::{Bus, Target};
use crate::escape::Escape;
use crate::lex;
use crate::outcome::{Failure, Outcome, fail};
use crate::parse::{self, Args};

/// A session.
#[derive(Debug)]
pub(crate) struct Shell {
    /// Which bus to use.
    pub(crate) target: Target,
    /// No headings and remarks.
    pub(crate) quiet: bool,
    /// Refuse to change anything.
    pub(crate) readonly: bool,
    /// Print how long commands take.
    pub(crate) timing: bool,
    /// What leaves a console.
    pub(crate) escape: Escape,
    /// Whether commands are typed at a prompt.
    pub(crate) interactive: bool,
    /// The exit status of a program that was executed, which becomes this one's; what it printed is
    /// all there is to print.
    pub(crate) status: Option<u8>,
    /// Set by `quit`.
    pub(crate) done: bool,
    bus: Option<Bus>,
    out: io::BufWriter<io::Stdout>,
}

impl Shell {
    /// A session that is not connected yet.
    pub(crate) fn new() -> Self {
        Self {
            target: Target::Default,
            quiet: false,
            readonly: false,
            timing: false,
            escape: Escape::default(),
            interactive: false,
            status: None,
            done: false,
            bus: None,
            out: io::BufWriter::new(io::stdout()),
        }
    }

    /// Prints what was asked for. A reader that went away is no error of ours.
    pub(crate) fn print(&mut self, text: impl fmt::Display) {
        let _ = write!(self.out, "{text}");
    }

    /// Prints what only people want to see.
    pub(crate) fn remark(&mut self, text: impl fmt::Display) {
        if !self.quiet {
            self.print(text);
        }
    }

    /// Makes everything printed so far visible.
    pub(crate) fn flush(&mut self) {
        let _ = self.out.flush();
    }

    /// Prints an error; after what was printed before it.
    pub(crate) fn report(&mut self, failure: &Failure) {
        self.flush();
        let mut err = io::stderr().lock();
        for line in &failure.lines {
            let _ = writeln!(err, "error: {line}");
        }
    }

    /// Prints a remark beside what was asked for, which may go into a file.
    pub(crate) fn note(&mut self, text: impl fmt::Display) {
        self.flush();
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// The open connection.
    pub(crate) fn bus(&self) -> Outcome<&Bus> {
        self.bus.as_ref().ok_or_else(|| fail("not connected"))
    }

    /// Refuses what the user promised not to do with `--readonly`, in libvirt's words.
    pub(crate) fn may(&self, api: &str) -> Outcome {
        if self.readonly {
            return Err(fail(format!("operation forbidden: read only access prevents {api}")));
        }
        Ok(())
    }

    /// Connects, unless it is done already.
    pub(crate) fn connect(&mut self) -> Outcome {
        if self.bus.is_none() {
            self.reconnect()?;
        }
        Ok(())
    }

    /// Connects anew; the former connection is dropped even if this fails.
    pub(crate) fn reconnect(&mut self) -> Outcome {
        self.bus = None;
        match Bus::connect(&self.target) {
            Ok(bus) => {
                self.bus = Some(bus);
                Ok(())
            }
            Err(sentence) => Err(Failure {
                lines: vec!["failed to connect to the hypervisor".to_owned(), sentence],
            }),
        }
    }

    /// Runs a line of commands separated by `;`. All are parsed before the first is run.
    pub(crate) fn run_line(&mut self, line: &str) -> bool {
        let parsed = lex::split(line)
            .map_err(fail)
            .and_then(|commands| commands.iter().map(|words| parse::parse(words)).collect());
        self.run_parsed(parsed)
    }

    /// Runs one command of words that are already split, as the invoking shell did.
    pub(crate) fn run_words(&mut self, words: &[String]) -> bool {
        let parsed = parse::parse(words).map(|args| vec![args]);
        self.run_parsed(parsed)
    }

    /// The last command decides, as in a shell.
    fn run_parsed(&mut self, parsed: Outcome<Vec<Args>>) -> bool {
        let commands = match parsed {
            Ok(commands) => commands,
            Err(failure) => {
                self.report(&failure);
                return false;
            }
        };
        let mut good = true;
        for args in commands {
            good = self.run(&args);
            if self.done {
                break;
            }
        }
        self.flush();
        good
    }

    fn run(&mut self, args: &Args) -> bool {
        let started = Instant::now();
        self.status = None;
        let mut outcome = if args.command.connects { self.connect() } else { Ok(()) };
        if outcome.is_ok() {
            outcome = (args.command.run)(self, args);
        }
        if let Err(failure) = &outcome {
            self.report(failure);
        }
        if self.done {
            return outcome.is_ok();
        }
        if self.timing {
            let millis = started.elapsed().as_secs_f64() * 1000.0;
            self.print(format_args!("\n(Time: {millis:.3} ms)\n\n"));
        } else if self.status.is_none() {
            self.remark("\n");
        }
        outcome.is_ok()
    }
}
