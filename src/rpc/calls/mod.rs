//! What each procedure does: take arguments apart, call the driver, put the answer together.

pub(super) mod connect;
pub(super) mod console;
pub(super) mod devices;
pub(super) mod domain;
pub(super) mod events;
pub(super) mod lifecycle;
pub(super) mod lxc;
pub(super) mod native;
pub(super) mod node;
pub(super) mod secondary;
pub(super) mod statistics;
pub(super) mod tuning;

use crate::driver::unsupported_flags;
use crate::error::Result;

/// For a call that takes flags and knows none.
fn no_flags(flags: u32, function: &str) -> Result<()> {
    if flags == 0 { Ok(()) } else { Err(unsupported_flags(flags, function)) }
}

/// A number of things, as the protocol counts.
fn count<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

/// A number that a client says it has room for.
fn room(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
