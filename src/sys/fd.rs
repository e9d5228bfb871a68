//! Descriptors: close them by range, and hand them to another process over a socket.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};

/// Closes every descriptor above 2 (`close_range(2)`): what a parent left open by mistake.
///
/// For the very start of a program, before it has opened anything itself.
pub fn close_inherited() -> io::Result<()> {
    // SAFETY: integers only; nothing in this program owns a descriptor yet.
    super::check(unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) }).map(drop)
}

/// Closes every descriptor above 2 but one (`close_range(2)`), whoever opened it.
///
/// For a process that is about to execute another program; no owner of a descriptor runs after.
pub fn close_except(keep: BorrowedFd<'_>) -> io::Result<()> {
    let keep = keep.as_raw_fd() as libc::c_uint;
    for (first, last) in [(3, keep.saturating_sub(1)), (keep.saturating_add(1).max(3), u32::MAX)] {
        if first <= last {
            // SAFETY: integers only; what is closed belongs to values that are never used again.
            super::check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
        }
    }
    Ok(())
}

/// A file without a name that holds these bytes, positioned at its start (`memfd_create(2)`).
pub fn in_memory(name: &CStr, bytes: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Sends one message (a packet of a `SOCK_SEQPACKET` socket) with descriptors attached.
///
/// Never waits: fails with `EAGAIN` when the socket is full, and with `EPIPE`, not a signal,
/// when nobody is at the other end.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &rights };
    let iov = [IoSlice::new(bytes)];
    sendmsg::<()>(
        socket.as_raw_fd(),
        &iov,
        control,
        MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT,
        None,
    )?;
    Ok(())
}

/// Descriptors that come with one message, at most: one for each control group hierarchy, and more.
pub const MOST: usize = 64;

/// Receives one message of at most `limit` bytes and the descriptors with it (close-on-exec).
///
/// An empty message is the end: the other side closed. A longer message is an error, not cut.
pub fn receive(socket: BorrowedFd<'_>, limit: usize) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; limit];
    let mut control = nix::cmsg_space!([RawFd; MOST]);
    let (length, fds) = {
        let mut iov = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let socket = socket.as_raw_fd();
        let message = loop {
            match recvmsg::<()>(socket, &mut iov, Some(&mut control), flags) {
                // It has closed with something of ours unread, which is said once, and before what
                // it has sent.
                Err(nix::errno::Errno::ECONNRESET) => {}
                result => break result?,
            }
        };
        if message.flags.contains(MsgFlags::MSG_CTRUNC) {
            // There is room for all that are ever sent, so it is this process that takes no more.
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let mut fds = Vec::new();
        for item in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = item {
                // SAFETY: the kernel has just installed these descriptors for us alone.
                fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        if message.flags.contains(MsgFlags::MSG_TRUNC) {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        (message.bytes, fds)
    };
    bytes.truncate(length);
    Ok((bytes, fds))
}

/// Accepts a connection (close-on-exec).
pub fn accept(listener: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let fd =
        nix::sys::socket::accept4(listener.as_raw_fd(), nix::sys::socket::SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes ownership of descriptor 0 or 1 as this program was started with, leaving `/dev/null` in
/// its place, so that nothing that prints by mistake writes into a socket.
pub fn take_standard(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC only makes a new descriptor, numbered 3 or above.
    let copy = super::check(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) }.into())?;
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    // SAFETY: dup2 of an open descriptor over a standard one, which Rust does not own.
    super::check(unsafe { libc::dup2(null.as_raw_fd(), number) }.into())?;
    // SAFETY: made by F_DUPFD_CLOEXEC above, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(copy as RawFd) })
}

/// Makes `fd` the standard descriptor `number` (0, 1 or 2), inherited by what is executed.
pub fn become_standard(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    // SAFETY: dup2 over a standard descriptor, which Rust does not own.
    super::check(unsafe { libc::dup2(fd.as_raw_fd(), number) }.into()).map(drop)
}

/// Registers a descriptor with the daemon's runtime, to wait for it without a thread.
pub fn watch(
    fd: OwnedFd,
    interest: tokio::io::Interest,
) -> io::Result<tokio::io::unix::AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd is open, and the same descriptor, until it is dropped.
    let watched = unsafe { tokio::io::unix::AsyncFd::register_with_interest(fd, interest) };
    Ok(watched?)
}

/// Makes reads and writes fail instead of waiting.
pub fn set_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Takes ownership of the descriptors that systemd has passed (`sd_listen_fds(3)`); once.
pub fn passed_by_systemd() -> io::Result<Vec<OwnedFd>> {
    static TAKEN: std::sync::Once = std::sync::Once::new();
    let mut passed = Ok(Vec::new());
    TAKEN.call_once(|| {
        passed = sd_notify::listen_fds().map(|fds| {
            // SAFETY: systemd has opened them for this process, and they are taken once.
            fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect()
        });
    });
    passed
}
