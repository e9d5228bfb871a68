//! `nsvirt-lxc`, the supervisor of one container, or what puts a program into one. The daemon
//! executes it; it is no command.

use std::process::ExitCode;

use nsvirt::container::{enter, supervisor};

fn main() -> ExitCode {
    // A supervisor has one argument, the domain's name, to be told apart in lists of processes.
    match std::env::args().nth(2).as_deref() {
        Some("enter") => enter::run(),
        _ => supervisor::run(),
    }
}
