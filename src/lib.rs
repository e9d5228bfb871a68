//! nsvirt: Linux containers behind libvirt's API.
//!
//! The layers, from text to kernel; arrows go downwards only and a test checks them.
//!
//! - [`xml`] and [`model`]: what the user wrote, without the host.
//! - [`native`]: configurations of other programs, to and from domain documents.
//! - [`driver`]: the API in libvirt's nouns.
//! - [`plan`]: one start with every decision taken, from the model and the host's facts.
//! - [`container`]: the executor, a small process per container that obeys a plan.
//! - [`cgroup`], [`network`], [`security`], [`sys`]: the kernel's side of it.

pub mod cgroup;
pub mod container;
pub mod dbus;
pub mod driver;
pub mod error;
pub mod model;
pub mod native;
pub mod network;
pub mod plan;
pub mod rpc;
pub mod security;
pub mod sys;
pub mod xml;

pub use error::{Error, ErrorCode, ErrorDomain, Result};
