//! Whose the files are that a process makes.

use std::io;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// Lets what this process makes in file systems belong to a user and a group, for the rest of its
/// life. Its capabilities stay (`SECBIT_NO_SETUID_FIXUP`).
pub fn create_files_as(uid: u32, gid: u32) -> io::Result<()> {
    const SECBIT_NO_SETUID_FIXUP: libc::c_ulong = 1 << 2;
    // SAFETY: integers only.
    let set = unsafe { libc::prctl(libc::PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) };
    super::check(set.into())?;
    // They answer with what was before, whether or not they worked; asking again tells.
    setfsgid(Gid::from_raw(gid));
    setfsuid(Uid::from_raw(uid));
    let is = (setfsuid(Uid::from_raw(u32::MAX)), setfsgid(Gid::from_raw(u32::MAX)));
    if is == (Uid::from_raw(uid), Gid::from_raw(gid)) {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::EPERM))
    }
}
