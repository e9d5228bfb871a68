//! Namespaces by descriptor (`ioctl_nsfs(2)`).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sched::CloneFlags;

/// Which kind a namespace is; fails with `ENOTTY` for what is no namespace.
pub fn kind(namespace: BorrowedFd<'_>) -> io::Result<CloneFlags> {
    const NS_GET_NSTYPE: libc::Ioctl = 0xb703;
    // SAFETY: NS_GET_NSTYPE takes no argument.
    let kind = unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_NSTYPE) };
    Ok(CloneFlags::from_bits_retain(super::check(kind.into())? as libc::c_int))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn namespaces_say_what_they_are() {
        let of = |path: &str| kind(File::open(path).unwrap().as_fd());
        assert_eq!(of("/proc/self/ns/net").unwrap(), CloneFlags::CLONE_NEWNET);
        assert_eq!(of("/proc/self/ns/uts").unwrap(), CloneFlags::CLONE_NEWUTS);
        assert_eq!(of("/proc/self/comm").unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }
}
