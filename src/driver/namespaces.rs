//! Namespaces: those that a container shares, opened before it starts, and those it has.
//!
//! What is shared goes to the supervisor as descriptors, so that what was found is what is entered: a
//! name can be given away meanwhile, and the number of a process used again.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;
use nix::sched::CloneFlags;
use nix::sys::stat::{fstat, stat};

use super::domain::Domain;
use super::lifecycle::{Operation, not_running};
use super::{Driver, check_flags};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain as Document, Share, ShareSource};
use crate::plan::{self, Namespace};
use crate::sys::{namespace, pidfd};

/// The namespaces of a process by their names in `/proc/PID/ns`, in the order in which libvirt
/// hands them out and a process enters them; that of control groups, which libvirt has not, last.
const ALL: [&str; 7] = ["user", "ipc", "uts", "net", "pid", "mnt", "cgroup"];

impl Driver {
    /// The namespaces of a container's init, each with its name, in the order to enter them. A user
    /// namespace is among them only if it is not the daemon's own, which nobody can enter again.
    pub fn named_namespaces(&self, domain: &Domain) -> Result<Vec<(&'static str, OwnedFd)>> {
        domain.admit(Operation::UseLive)?;
        let failed = |name: &str, cause| {
            let what = format!("cannot open the {name} namespace of domain '{}'", domain.name);
            Error::system(what, cause)
        };
        let run = domain.run()?;
        let init = run.init().ok_or_else(|| {
            Error::new(ErrorCode::OperationInvalid, "Init pid is not yet available")
        })?;
        let open = |name: &'static str| -> Result<Option<(&'static str, OwnedFd)>> {
            let namespace = init.pid.try_into().map_err(io::Error::other);
            let namespace = namespace.and_then(|pid| of_process(pid, &init.pidfd, name));
            let namespace = namespace.map_err(|e| failed(name, e))?;
            let is_own = name == "user" && is_own(&namespace).map_err(|e| failed(name, e))?;
            Ok((!is_own).then_some((name, namespace)))
        };
        ALL.into_iter().filter_map(|name| open(name).transpose()).collect()
    }

    /// Opens what a document shares, in the order of the plan.
    pub(super) fn open_shared(&self, document: &Document) -> Result<Vec<OwnedFd>> {
        let shared = plan::shared_namespaces(document).into_iter();
        shared.map(|(kind, share)| self.open_one(document, kind, share)).collect()
    }

    /// Opens the namespaces of a running domain, in the order in which clients enter them. A kind
    /// that the kernel does not have is left out.
    pub fn open_namespaces(&self, domain: &Domain, flags: u32) -> Result<Vec<OwnedFd>> {
        const KINDS: [&str; 6] = ["user", "ipc", "uts", "net", "pid", "mnt"];
        check_flags(flags, 0, "lxcDomainOpenNamespace")?;
        domain.admit(Operation::UseLive)?;
        let init = domain.run()?.init().ok_or_else(|| {
            Error::new(ErrorCode::OperationInvalid, "Init pid is not yet available")
        })?;
        let mut opened = Vec::new();
        for kind in KINDS {
            let path = format!("/proc/{}/ns/{kind}", init.pid);
            match File::open(&path) {
                Ok(namespace) => opened.push(namespace.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::system(format!("cannot open {path}"), error)),
            }
        }
        // If the process is there still, it was the one.
        pidfd::send_signal(init.pidfd.as_fd(), 0).map_err(|_| not_running())?;
        Ok(opened)
    }

    fn open_one(&self, document: &Document, kind: Namespace, share: &Share) -> Result<OwnedFd> {
        let Share { source, value } = share;
        match source {
            ShareSource::Netns => named(&self.netns, value),
            ShareSource::Pid => {
                let pid = value.parse().ok().filter(|pid| *pid > 0).ok_or_else(|| {
                    let detail = format!("'{value}' is no process ID: expected a number from 1 on");
                    Error::new(ErrorCode::InvalidArg, detail)
                })?;
                let process = pidfd::open(pid).map_err(|e| failed(kind, value, e))?;
                of_process(pid, &process, kind.file()).map_err(|e| failed(kind, value, e))
            }
            ShareSource::Name if *value == document.name => Err(Error::new(
                ErrorCode::OperationInvalid,
                format!("domain '{value}' cannot share a name space with itself"),
            )),
            ShareSource::Name => {
                let not_yet = || {
                    let detail = format!("Init pid is not yet available: '{value}' does not run");
                    Error::new(ErrorCode::OperationInvalid, detail)
                };
                let run = self.registry.by_name(value)?.run().map_err(|_| not_yet())?;
                let init = run.init().ok_or_else(not_yet)?;
                let pid = init.pid.try_into().map_err(|_| not_yet())?;
                of_process(pid, &init.pidfd, kind.file()).map_err(|e| failed(kind, value, e))
            }
            ShareSource::None => Err(Error::new(ErrorCode::InternalError, "nothing is shared")),
        }
    }
}

/// A namespace of a process: if the process is there afterwards, it is the one.
fn of_process(pid: i32, process: &impl AsFd, kind: &str) -> io::Result<OwnedFd> {
    let namespace = File::open(format!("/proc/{pid}/ns/{kind}"))?;
    pidfd::send_signal(process.as_fd(), 0)?;
    Ok(namespace.into())
}

/// Whether a user namespace is the one of this process.
fn is_own(namespace: &OwnedFd) -> io::Result<bool> {
    let (own, other) = (stat("/proc/self/ns/user")?, fstat(namespace)?);
    Ok((own.st_dev, own.st_ino) == (other.st_dev, other.st_ino))
}

/// A network namespace that has a name, as `ip netns` gives it one.
fn named(directory: &Path, name: &str) -> Result<OwnedFd> {
    if name.is_empty() || name.contains('/') || [".", ".."].contains(&name) {
        let detail = format!("'{name}' is no name of a network name space: expected no path");
        return Err(Error::new(ErrorCode::InvalidArg, detail));
    }
    let path = directory.join(name);
    let open = || -> io::Result<OwnedFd> {
        // A FIFO would wait.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = File::options().read(true).custom_flags(flags).open(&path)?;
        match namespace::kind(file.as_fd()) {
            Ok(kind) if kind == CloneFlags::CLONE_NEWNET => Ok(file.into()),
            _ => Err(io::Error::other("it is no network name space")),
        }
    };
    open().map_err(|e| Error::system(format!("failed to open netns {}", path.display()), e))
}

fn failed(kind: Namespace, value: &str, cause: io::Error) -> Error {
    Error::system(format!("failed to open ns {} of '{value}'", kind.file()), cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_paths_and_what_they_name_is_looked_at() {
        for name in ["", ".", "..", "a/b", "/proc/self/ns/net"] {
            assert_eq!(named(Path::new("/run"), name).unwrap_err().code, ErrorCode::InvalidArg);
        }
        named(Path::new("/proc/self/ns"), "net").unwrap();
        assert!(named(Path::new("/proc/self/ns"), "uts").is_err());
        let error = named(Path::new("/proc/self"), "comm").unwrap_err();
        assert!(error.message.contains("no network name space"), "{error}");
    }

    #[test]
    fn a_process_that_ended_meanwhile_is_an_error() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let pid = child.id().try_into().unwrap();
        let process = pidfd::open(pid).unwrap();
        child.wait().unwrap();
        // Its number is somebody else's.
        let other = std::process::id().try_into().unwrap();
        assert!(of_process(other, &process, "uts").is_err());
        let own = pidfd::open(other).unwrap();
        of_process(other, &own, "uts").unwrap();
    }
}
