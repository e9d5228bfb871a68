//! The executor: one small single-threaded process per container, and the child that becomes init.
//!
//! How one container runs, from top to bottom:
//!
//! 1. The daemon executes `nsvirt-lxc` with a plan on descriptor 0 and a socket on descriptor 1,
//!    hears that it listens, writes its record and says [`protocol::Request::Go`] ([`supervisor`],
//!    [`listener`]).
//! 2. The supervisor makes the terminals, mounts what takes a device ([`volumes`]), and clones a
//!    child into new namespaces ([`start`]).
//! 3. The child makes itself a container, step by step, and executes init ([`child`], [`tree`],
//!    [`account`]); where it has ids of its own, with help from outside ([`user_namespace`]), and
//!    its network devices are made from outside as well ([`links`]).
//! 4. The supervisor reports, then relays consoles and answers the daemon until init ends
//!    ([`supervisor`], [`console`]).
//!
//! A failure anywhere before exec comes back as one [`protocol::Failure`] and leaves nothing: the
//! mounts die with the child's namespace.

mod account;
mod child;
mod confine;
mod console;
mod console_log;
mod guard;
mod links;
mod listener;
mod mask;
mod owners;
mod place;
mod placement;
pub mod protocol;
mod start;
mod superblock;
pub mod supervisor;
mod tree;
mod user_namespace;
mod volumes;
