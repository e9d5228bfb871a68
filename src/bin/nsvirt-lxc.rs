//! `nsvirt-lxc`, the supervisor of one container, a helper for one task in it, or what puts a
//! program into it. The daemon executes it; it is no command.

use std::process::ExitCode;

use nsvirt::container::{enter, helper, supervisor};

fn main() -> ExitCode {
    // A supervisor has one argument, the domain's name, to be told apart in lists of processes.
    match std::env::args().nth(2).as_deref() {
        Some("enter") => enter::run(),
        Some("helper") => helper::run(),
        _ => supervisor::run(),
    }
}
