//! The executor: one small single-threaded process per container, and the child that becomes init.
//!
//! How one container runs, from top to bottom:
//!
//! 1. The daemon executes `nsvirt-lxc` with a socket on descriptor 1, before there is a container
//!    for it; with the plan it says [`protocol::Request::Prepare`] ([`supervisor`], [`begin`]).
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
//! 6. What the end of init was ([`ending`]) decides whether it goes back to step 2 ([`restarts`]).
//!
//! Devices that come and go meanwhile are the daemon's to decide; it executes the program once more
//! for each of them, as a [`helper`], and the supervisor goes on by the plan that follows ([`adopt`]).
//!
//! Whatever is executed in it later is put there by a process of its own ([`enter`]), and cut down to
//! the rights of init in the same place ([`restrict`]).
//!
//! A failure anywhere before exec comes back as one [`protocol::Failure`] and leaves nothing: the
//! mounts die with the child's namespace.

mod account;
mod adopt;
mod begin;
mod child;
mod confine;
mod console;
mod console_log;
mod domain_log;
mod ending;
pub mod enter;
mod entrant;
mod guard;
pub mod helper;
mod links;
mod listener;
mod mask;
mod owners;
mod place;
mod placement;
pub mod protocol;
mod restarts;
mod restrict;
mod start;
mod superblock;
pub mod supervisor;
mod title;
mod tree;
mod user_namespace;
mod volumes;
