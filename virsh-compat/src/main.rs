//! `nsvirsh`: virsh's commands for containers, over D-Bus.
//!
//! It has no knowledge of containers: each command is a few calls of the service's API and the
//! formatting of their results, the same for nsvirtd and for libvirt-dbus.

#[cfg(test)]
mod assets;
mod bus;
mod cmd;
mod complete;
mod domain;
mod editor;
mod escape;
mod event_words;
mod global;
mod help;
mod lex;
mod outcome;
mod parse;
mod prompt;
mod relay;
mod shell;
mod streams;
mod table;
mod terminal;
mod xml;
mod xpath;

use std::process::ExitCode;

use global::Start;
use shell::Shell;

fn main() -> ExitCode {
    let mut shell = Shell::new();
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let good = match global::parse(&words, &mut shell) {
        Err(line) => {
            shell.report(&outcome::fail(line));
            false
        }
        Ok(Start::Print(text)) => {
            shell.print(text);
            true
        }
        Ok(start) => run(&mut shell, &start),
    };
    shell.flush();
    match shell.status {
        _ if good => ExitCode::SUCCESS,
        Some(status) => status.into(),
        None => ExitCode::FAILURE,
    }
}

fn run(shell: &mut Shell, start: &Start<'_>) -> bool {
    // An address given on the command line is tried at once, even for `help`.
    if shell.target != bus::Target::Default
        && let Err(failure) = shell.connect()
    {
        shell.report(&failure);
        return false;
    }
    match start {
        Start::Print(_) => true,
        Start::Interactive => prompt::run(shell),
        Start::Words([line]) if line.is_empty() => false,
        // One word may hold several commands; several words are one command.
        Start::Words([line]) => shell.run_line(line),
        Start::Words(words) => shell.run_words(words),
    }
}
