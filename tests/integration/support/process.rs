//! Processes by descriptor: wait for an end, and end what a test left.

use std::os::fd::{AsFd, OwnedFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nsvirt::sys::pidfd;

use super::PATIENCE;

/// A process that a test watches.
#[derive(Debug)]
pub struct Process {
    pub pid: u32,
    fd: OwnedFd,
}

impl Process {
    /// The process of that ID; `None` when there is none.
    pub fn open(pid: u32) -> Option<Self> {
        let fd = pidfd::open(i32::try_from(pid).unwrap()).ok()?;
        Some(Self { pid, fd })
    }

    /// SIGKILL.
    pub fn kill(&self) {
        pidfd::kill(self.fd.as_fd()).unwrap();
    }

    /// Waits until it has ended; whose child it is does not matter.
    pub fn wait(&self) {
        assert!(
            readable(self.fd.as_fd()),
            "process {} is still there after {PATIENCE:?}",
            self.pid
        );
    }

    pub fn kill_and_wait(&self) {
        self.kill();
        self.wait();
    }
}

/// Waits until a descriptor can be read; false when it cannot within [`PATIENCE`].
pub fn readable(fd: std::os::fd::BorrowedFd<'_>) -> bool {
    let timeout = PollTimeout::try_from(PATIENCE).unwrap();
    let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
    loop {
        match poll(&mut fds, timeout) {
            Err(nix::errno::Errno::EINTR) => {}
            result => return result.unwrap() > 0,
        }
    }
}

/// The children of a process, whichever of its threads has them.
pub fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let files = threads.map(|thread| thread.unwrap().path().join("children"));
    let texts: Vec<_> = files.filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    texts.iter().flat_map(|it| it.split_whitespace()).map(|it| it.parse().unwrap()).collect()
}

/// The one child that a process has.
pub fn only_child(pid: u32) -> u32 {
    match children(pid)[..] {
        [child] => child,
        ref children => panic!("process {pid} has the children {children:?}, not one"),
    }
}
