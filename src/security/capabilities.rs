//! Dropping capabilities for good.

use std::io;

use crate::sys::caps;

/// Drops the capabilities of `mask` (bit N is capability N, `capabilities(7)`) from every set of
/// this process, so that neither it nor anything it executes has them again.
pub fn drop(mask: u64) -> io::Result<()> {
    caps::drop_all(mask, caps::last()?)
}
