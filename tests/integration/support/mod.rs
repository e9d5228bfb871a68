//! What the tests share: a host of their own, its daemon, a client, and what is left afterwards.

pub mod bus;
pub mod console;
pub mod daemon;
pub mod document;
pub mod events;
pub mod exec;
pub mod facts;
pub mod host;
pub mod inventory;
pub mod libvirt;
pub mod loops;
pub mod network;
pub mod nsvirsh;
pub mod process;
pub mod shell;
pub mod tree;

pub use bus::{Bus, Domain, Failure};
pub use console::Console;
pub use document::Document;
pub use events::{Events, Step};
pub use exec::Exec;
pub use facts::{Facts, probe};
pub use host::Host;
pub use nsvirsh::{Nsvirsh, Said};

use std::time::Duration;

/// How long a test waits for something that must come, before it is taken for hung. It bounds
/// nothing that is tested.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Looks again and again for something that no event announces, giving way to whoever makes it so.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}
