//! Options of netlink sockets (`netlink(7)`) that `nix` lacks.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Has the kernel say in words why it refuses a request, without repeating the request.
pub fn explain_refusals(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::NETLINK_EXT_ACK)?;
    set(socket, libc::NETLINK_CAP_ACK)
}

fn set(socket: BorrowedFd<'_>, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads an int, whose size is passed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    super::check(result.into()).map(drop)
}
