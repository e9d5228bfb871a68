//! `NAME.pid` where libvirt's daemon for containers has it: programs that know libvirt find the
//! process there whose first child is init.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::config::{Config, Paths};
use crate::error::{Error, Result};

/// The files of one daemon.
#[derive(Debug, Clone)]
pub(super) struct PidFiles(Option<PathBuf>);

impl PidFiles {
    /// Beside the sockets of libvirt's clients, if there are any.
    pub(super) fn of(config: &Config, paths: &Paths) -> Self {
        let directory = config.libvirt.directory.as_ref().unwrap_or(&paths.libvirt);
        Self(config.libvirt.enabled.then(|| directory.join("lxc")))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.as_ref().map(|directory| directory.join(format!("{name}.pid")))
    }

    /// Writes the file of a domain that has started. One that is about another process that is there
    /// stays: libvirt's driver may have a domain of that name.
    pub(super) fn write(&self, name: &str, pid: u32) -> Result<()> {
        let Some(path) = self.path(name) else { return Ok(()) };
        if let Some(other) = another(&path, Some(pid)) {
            tracing::warn!("{} is about process {other} and stays", path.display());
            return Ok(());
        }
        let written = path.parent().map_or(Ok(()), fs::create_dir_all);
        written
            .and_then(|()| fs::write(&path, format!("{pid}\n")))
            .map_err(|e| Error::system(format!("cannot write {}", path.display()), e))
    }

    /// Removes the file of a domain that has ended, whose process that was if that is known: also
    /// one that the daemon was killed over.
    pub(super) fn remove(&self, name: &str, pid: Option<u32>) -> Result<()> {
        let Some(path) = self.path(name) else { return Ok(()) };
        if another(&path, pid).is_some() {
            return Ok(());
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::system(format!("cannot remove {}", path.display()), error))
            }
            _ => Ok(()),
        }
    }
}

/// The process that a file is about, if it is another and is there.
fn another(path: &Path, pid: Option<u32>) -> Option<u32> {
    read(path).filter(|other| Some(*other) != pid && is_there(*other))
}

/// Whether there is a process that has not ended: one that only waits for its parent has no program.
fn is_there(pid: u32) -> bool {
    let program = fs::read_link(format!("/proc/{pid}/exe"));
    !program.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

fn read(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_somebody_else_stays() {
        let directory = std::env::temp_dir().join(format!("nsvirt-pid-{}", std::process::id()));
        let files = PidFiles(Some(directory.clone()));
        let (own, path) = (std::process::id(), directory.join("web.pid"));
        // A number that no process has.
        let nobody = u32::MAX;
        files.write("web", nobody).unwrap();
        files.write("web", own).unwrap();
        assert_eq!(read(&path), Some(own));
        files.write("web", nobody).unwrap();
        files.remove("web", Some(nobody)).unwrap();
        assert_eq!(read(&path), Some(own));
        files.remove("web", Some(own)).unwrap();
        files.remove("web", Some(own)).unwrap();
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        files.remove("web", None).unwrap();
        assert!(!path.exists());
        fs::remove_dir(&directory).unwrap();
    }
}
