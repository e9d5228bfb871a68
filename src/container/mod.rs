//! The executor: one small single-threaded process per container, and the child that becomes init.
//!
//! How one container runs, from top to bottom:
//!
//! 1. The daemon executes `nsvirt-lxc` with a socket on descriptor 1, before there is a container
//!    for it; with the plan it says [`protocol::Request::Prepare`] ([`supervisor`]).
//! 2. The supervisor makes the terminals, mounts what takes a device ([`volumes`]), clones a child
//!    into new namespaces ([`start`]), and listens for daemons to come ([`listener`]).
//! 3. The child begins to make itself a container, step by step ([`child`], [`tree`]). Meanwhile
//!    the daemon makes the rest of its control groups, writes its record and says
//!    [`protocol::Request::Go`].
//! 4. The child enters the groups, finishes its tree and executes init ([`account`]); where it has
//!    ids of its own, with help from outside ([`user_namespace`]), and its network devices are made
//!    from outside as well ([`links`]).
//! 5. The supervisor reports, then relays consoles and answers the daemon until init ends
//!    ([`supervisor`], [`console`]).
//!
//! A failure anywhere before exec comes back as one [`protocol::Failure`] and leaves nothing: the
//! mounts die with the child's namespace.

mod account;
mod child;
mod console;
mod console_log;
mod guard;
mod links;
mod listener;
mod owners;
mod place;
mod placement;
pub mod protocol;
mod start;
mod superblock;
pub mod supervisor;
mod title;
mod tree;
mod user_namespace;
mod volumes;
