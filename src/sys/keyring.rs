//! `keyrings(7)`: what a process inherits beside its descriptors.

use std::io;

/// Gives this process a session keyring of its own, new and empty (`KEYCTL_JOIN_SESSION_KEYRING`);
/// on a kernel without keyrings there is none to leave.
pub fn join_new_session() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    let no_name = std::ptr::null::<libc::c_char>();
    // SAFETY: the name is null, which means a keyring without one.
    let joined = super::check(unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, no_name)
    });
    match joined {
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        result => result.map(drop),
    }
}
