//! Says what root in here can do to the host and to itself, one row per property:
//! `NAME<TAB>yes|no|na<TAB>WHY`. `yes` is open, `na` is not in this kernel.
//!
//! Nothing is changed by asking. A write is tried with the value that is read; what controls the
//! kernel is called with arguments that it refuses only after it has asked for permission; devices
//! are opened for reading. Every row runs in a process of its own, so that none changes another.
//!
//! Settings come by the environment (see `docs/testing.md`); without them their rows are `na`.

mod call;
mod calls;
mod devices;
mod files;
mod mounts;
mod row;
mod rows;

use std::io::Write;

fn main() {
    if std::env::args().nth(1).as_deref() == Some("keyrings") {
        // For the test: what the host has.
        println!("{} {}", calls::keyring(calls::SESSION), calls::keyring(calls::USER));
        return;
    }
    call::stop_echo();
    println!("rows-begin");
    for (name, ask) in rows::all() {
        let (answer, why) = row::run(&ask);
        println!("{name}\t{answer}\t{why}");
    }
    println!("rows-end");
    // The container lasts as long as its init.
    let _ = std::io::stdout().flush();
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
}
