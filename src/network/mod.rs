//! Links, addresses and routes through rtnetlink: what `ip(8)` does, without it.
//!
//! A [`Netlink`] acts in the network namespace that it was opened in, whichever its owner is in
//! later. Every call waits for the kernel's answer, and an error has the kernel's words where it
//! gives any.

mod address;
mod link;
mod socket;
mod state;

pub use link::{Kind, Link, Target};
pub use socket::{Netlink, Refused};
pub use state::{Known, State, Traffic};

#[cfg(test)]
mod tests;
