//! `nsvirt-lxc`, the supervisor of one container, or a helper for one task in it. The daemon executes
//! it; it is no command.

use std::process::ExitCode;

use nsvirt::container::{helper, supervisor};

fn main() -> ExitCode {
    // A supervisor has one argument, the domain's name, to be told apart in lists of processes.
    match std::env::args().nth(2).as_deref() {
        Some("helper") => helper::run(),
        _ => supervisor::run(),
    }
}
