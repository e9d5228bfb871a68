//! Dropping capabilities for good, in two steps: changing the user comes between them.
//!
//! Taking one out of the bounding set needs `CAP_SETPCAP`, which goes with root; and changing the
//! user needs `CAP_SETUID`, which may be among those that go.

use std::io;

use crate::sys::caps;

/// Makes sure that nothing this process executes has the capabilities of `mask` (bit N is
/// capability N, `capabilities(7)`) again, and that nothing inherits any.
pub fn bound(mask: u64) -> io::Result<()> {
    caps::bound(mask)
}

/// Drops the capabilities of `mask` that this process has.
pub fn drop(mask: u64) -> io::Result<()> {
    caps::drop(mask)
}
