//! The supervisor's program, as it is executed: a copy in memory that nobody can write.
//!
//! For an instant the first process of a container is this program, and a container that gets at
//! it through `/proc/self/exe` could write the file of the host that it is (CVE-2019-5736). So it
//! is no file of the host.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

/// A program with its sealed copy.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    /// Made at the first start, and the same for all of this daemon's.
    copy: OnceLock<File>,
}

impl Program {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, copy: OnceLock::new() }
    }

    /// Where the original is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Executes it with a socket of the daemon's on descriptor 1, whose other end comes back,
    /// non-blocking. Without a place for `errors` they go where the daemon's go.
    pub(super) fn execute(
        &self,
        arguments: &[&str],
        errors: Option<File>,
    ) -> io::Result<(u32, OwnedFd)> {
        let (ours, theirs) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let child = Command::new(self.sealed()?)
            .arg0(&self.path)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::from(theirs))
            .stderr(errors.map_or_else(Stdio::inherit, Stdio::from))
            .spawn()?;
        Ok((child.id(), ours))
    }

    /// A path to execute the copy by, for this process and its children.
    fn sealed(&self) -> io::Result<PathBuf> {
        let copy = match self.copy.get() {
            Some(copy) => copy,
            None => {
                let copy = sealed_copy(&self.path)?;
                // Another start may have been faster; either copy is as good.
                self.copy.get_or_init(|| copy)
            }
        };
        Ok(format!("/proc/self/fd/{}", copy.as_raw_fd()).into())
    }
}

fn sealed_copy(path: &Path) -> io::Result<File> {
    let mut program = File::open(path)?;
    let mut copy = File::from(executable()?);
    io::copy(&mut program, &mut copy)?;
    let seals = SealFlag::F_SEAL_WRITE
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_SEAL;
    fcntl(&copy, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(copy)
}

/// A file in memory that can be executed also where the host makes others otherwise
/// (`vm.memfd_noexec`).
fn executable() -> io::Result<std::os::fd::OwnedFd> {
    const MFD_EXEC: nix::libc::c_uint = 0x10;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let executable = flags | MFdFlags::from_bits_retain(MFD_EXEC);
    match memfd_create(c"nsvirt-lxc", executable) {
        // Before Linux 6.3 every one could be executed.
        Err(Errno::EINVAL) => Ok(memfd_create(c"nsvirt-lxc", flags)?),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_copy_runs_and_cannot_be_written() {
        let program = Program::new("/bin/true".into());
        let path = program.sealed().unwrap();
        assert_eq!(path, program.sealed().unwrap());
        assert!(std::process::Command::new(&path).status().unwrap().success());
        if let Ok(mut copy) = File::options().write(true).open(&path) {
            assert!(copy.write_all(b"x").is_err());
        }
        assert!(Program::new("/does/not/exist".into()).sealed().is_err());
    }
}
