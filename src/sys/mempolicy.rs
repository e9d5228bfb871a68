//! `set_mempolicy(2)`.

use std::io;

/// Where memory of the calling thread, and of all it creates, comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// From nodes in turn.
    Interleave,
    /// From one node first.
    Preferred,
}

/// Takes memory from these nodes in that way; it stays over fork and exec.
pub fn set(policy: Policy, nodes: &[u32]) -> io::Result<()> {
    const BITS: usize = libc::c_ulong::BITS as usize;
    let words = nodes.iter().max().map_or(1, |&last| last as usize / BITS + 1);
    let mut mask: Vec<libc::c_ulong> = vec![0; words];
    for &node in nodes {
        if let Some(word) = mask.get_mut(node as usize / BITS) {
            *word |= 1 << (node as usize % BITS);
        }
    }
    let mode = match policy {
        Policy::Interleave => libc::MPOL_INTERLEAVE,
        Policy::Preferred => libc::MPOL_PREFERRED,
    };
    // The kernel does not look at the last bit of the number it is given.
    let bits = words * BITS + 1;
    // SAFETY: the kernel reads `bits - 1` bits of the mask, which is as long.
    super::check(unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask.as_ptr(), bits) })
        .map(drop)
}
