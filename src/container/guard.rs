//! What a supervisor gives up while its container runs.
//!
//! It relays bytes of a container and answers the daemon, and needs no right for that. A container
//! that may reboot is started again by its supervisor, which then needs all of them: such a one
//! keeps them out of effect. Otherwise they are gone, for it and whatever it could execute.

use std::fs;
use std::io;

use nix::sys::prctl;

use super::protocol::{Attempt, Failure};
use crate::security::capabilities;
use crate::sys::caps;

const OOM: &str = "/proc/self/oom_score_adj";
/// Almost never chosen when the host is out of memory: with it its container would end.
const OOM_PROTECTED: &str = "-900";

/// The state of a supervisor before it gave anything up.
pub(super) struct Guard {
    oom: String,
    keep: bool,
}

impl Guard {
    /// Nothing is given up yet; `keep` if rights are needed when the container ends.
    pub(super) fn new(keep: bool) -> Result<Self, Failure> {
        let oom = fs::read_to_string(OOM).attempt("read", OOM)?;
        Ok(Self { oom, keep })
    }

    /// Gives up what is not needed while the container runs.
    pub(super) fn lower(&self) -> Result<(), Failure> {
        match fs::write(OOM, OOM_PROTECTED) {
            // Not permitted to a daemon without CAP_SYS_RESOURCE.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            result => result.attempt("write", OOM)?,
        }
        prctl::set_dumpable(false).attempt("hide the supervisor's memory", "")?;
        if self.keep {
            return caps::make_effective(false).attempt("put capabilities out of effect", "");
        }
        capabilities::bound(u64::MAX).attempt("drop capabilities", "")?;
        capabilities::drop(u64::MAX).attempt("drop capabilities", "")?;
        prctl::set_no_new_privs().attempt("give up new privileges", "")
    }

    /// Whether [`Self::raise`] gives anything back.
    pub(super) fn keeps_rights(&self) -> bool {
        self.keep
    }

    /// Takes back what starting a container needs, and what it must not inherit.
    pub(super) fn raise(&self) -> Result<(), Failure> {
        caps::make_effective(true).attempt("put capabilities into effect", "")?;
        fs::write(OOM, &self.oom).attempt("write", OOM)
    }
}
