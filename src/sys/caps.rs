//! `capabilities(7)`: what a process may do beyond an ordinary user's rights.

use std::io;

/// Header of `capset(2)`, version 3 (64 capabilities in two words).
#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

/// One of the two words of each set.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

/// Whether the running kernel knows a capability. `/proc` would say it as well, but in a container
/// that is the container's.
fn is_known(capability: u32) -> bool {
    // SAFETY: integers only; fails for a number that is none.
    unsafe { libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) >= 0 }
}

/// Takes the capabilities in `mask` (bit N is capability N) out of the bounding set of this process,
/// and all out of its ambient set.
pub fn bound(mask: u64) -> io::Result<()> {
    // SAFETY: integers only; clears the ambient set.
    let cleared =
        unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    super::check(cleared.into())?;
    for capability in (0..64).take_while(|it| is_known(*it)).filter(|it| mask & (1 << it) != 0) {
        // SAFETY: integers only.
        let result = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        super::check(result.into())?;
    }
    Ok(())
}

/// Takes the capabilities in `mask` out of the effective and permitted sets of this process, and
/// all out of its inheritable set.
pub fn drop(mask: u64) -> io::Result<()> {
    change(|word, half| {
        word.effective &= !half(mask);
        word.permitted &= !half(mask);
        word.inheritable = 0;
    })
}

/// Makes no capability effective (`false`), or all that are permitted.
pub fn make_effective(all: bool) -> io::Result<()> {
    change(|word, _| word.effective = if all { word.permitted } else { 0 })
}

/// Changes the sets, word by word; the second argument takes a word's part of a mask.
fn change(edit: impl Fn(&mut Word, &dyn Fn(u64) -> u32)) -> io::Result<()> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut words = [Word::default(); 2];
    // SAFETY: version 3 reads the header and writes two words.
    super::check(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) })?;
    for (word, shift) in words.iter_mut().zip([0, 32]) {
        edit(word, &|mask| (mask >> shift) as u32);
    }
    // SAFETY: version 3 reads the header and two words.
    super::check(unsafe { libc::syscall(libc::SYS_capset, &raw mut header, words.as_ptr()) })
        .map(std::mem::drop)
}
