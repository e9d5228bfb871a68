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
        let is_taken = |other: u32| other != pid && Path::new(&format!("/proc/{other}")).exists();
        if let Some(other) = read(&path).filter(|other| is_taken(*other)) {
            tracing::warn!("{} is about process {other} and stays", path.display());
            return Ok(());
        }
        let written = path.parent().map_or(Ok(()), fs::create_dir_all);
        written
            .and_then(|()| fs::write(&path, format!("{pid}\n")))
            .map_err(|e| Error::system(format!("cannot write {}", path.display()), e))
    }

    /// Removes the file of a domain that has ended.
    pub(super) fn remove(&self, name: &str, pid: u32) -> Result<()> {
        let Some(path) = self.path(name) else { return Ok(()) };
        if read(&path) != Some(pid) {
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
        files.remove("web", nobody).unwrap();
        assert_eq!(read(&path), Some(own));
        files.remove("web", own).unwrap();
        files.remove("web", own).unwrap();
        assert!(!path.exists());
        fs::remove_dir(&directory).unwrap();
    }
}
