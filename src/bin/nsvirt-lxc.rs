//! `nsvirt-lxc`, the supervisor of one container. The daemon executes it; it is no command.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsvirt::container::supervisor::run()
}
