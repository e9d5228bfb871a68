//! The integration tests, one binary: each starts its own daemon and its own containers.
//!
//! Tests that need root say so as an ordinary user and pass. `docs/testing.md` says more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed, and says where"
)]
#![allow(unreachable_pub, reason = "the support code is one crate with the tests")]
#![allow(dead_code, reason = "the client has every call, whether a test makes it or not")]

mod arrows;
mod bad_input;
mod bounds;
mod differential;
mod endings;
mod ends;
mod exec;
mod faults;
mod files;
mod filesystems;
mod findings;
mod fuzz_findings;
mod groups;
mod hello;
mod hooks;
mod hostile;
mod hotplug;
mod inside;
mod introspection;
mod isolation;
mod lifecycle;
mod limits;
mod links;
mod many;
mod metadata;
mod nodes;
mod nsvirsh;
mod nsvirsh_exec;
mod restart;
mod rpc;
mod schema;
mod shared;
mod supervisor;
mod support;
mod systemd;
mod tuning;
mod users;
