//! How domains ended, kept from one start to the next, also while no daemon and no host is there.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::lifecycle::Operation;
use super::run::reason;
use super::store::{Store, failed, remove, replace};
use crate::container::protocol::{Cause, End};
use crate::error::{Error, Result};

/// The last end of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ending {
    /// libvirt's reason for its being shut off (`virDomainShutoffReason`).
    pub(super) reason: i32,
    /// How init ended, where that is known and was not by us.
    pub(super) end: Option<End>,
}

impl Store {
    fn ending_file(&self, domain: Uuid) -> PathBuf {
        self.paths.endings().join(format!("{domain}.json"))
    }

    /// Keeps the end of a domain. It needs no sync: after a power cut the host is what ended it.
    pub(super) fn keep_ending(&self, domain: Uuid, ending: &Ending) -> Result<()> {
        let file = self.ending_file(domain);
        let written = serde_json::to_vec(ending)
            .map_err(io::Error::other)
            .and_then(|text| replace(&file, &text, false));
        written.map_err(|e| failed("write", &file, e))
    }

    /// The end of a domain, if there was one since it was last started.
    pub(super) fn ending(&self, domain: Uuid) -> Result<Option<Ending>> {
        read(self.ending_file(domain))
    }

    /// Forgets the end of a domain, which is started anew, or is no more.
    pub(super) fn forget_ending(&self, domain: Uuid) -> Result<()> {
        let file = self.ending_file(domain);
        remove(&file).map_err(|e| failed("remove", &file, e))
    }

    /// What a supervisor has left of the end of its container; `None` if it did not see that.
    pub(super) fn end_of_run(&self, domain: Uuid) -> Result<Option<End>> {
        read(self.exit_file(domain))
    }
}

fn read<T: serde::de::DeserializeOwned>(file: PathBuf) -> Result<Option<T>> {
    let bytes = match fs::read(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(|e| failed("read", &file, e))?,
    };
    let read = serde_json::from_slice(&bytes);
    read.map(Some).map_err(|e| Error::system(format!("cannot read {}", file.display()), e))
}

/// What the end of a run was, which its supervisor has seen or not.
pub(super) fn what_ended(end: Option<&End>) -> Operation {
    match end {
        Some(End { not_restarted: None, cause: Cause::PowerOff | Cause::Reboot, .. }) => {
            Operation::End
        }
        Some(End { not_restarted: None, cause: Cause::Crash, .. }) => Operation::Crash,
        Some(_) | None => Operation::Fail,
    }
}

/// libvirt's reason for a domain's being shut off after an operation that ends it.
pub(super) fn shutoff_reason(operation: Operation) -> i32 {
    match operation {
        Operation::Destroy => reason::SHUTOFF_DESTROYED,
        Operation::End => reason::SHUTOFF_SHUTDOWN,
        Operation::Crash => reason::SHUTOFF_CRASHED,
        _ => reason::SHUTOFF_FAILED,
    }
}
