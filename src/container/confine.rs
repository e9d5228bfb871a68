//! What init and all that follow it may call of the kernel.

use nix::sys::prctl;

use super::protocol::{Attempt, Failure};
use crate::plan::Plan;
use crate::security::seccomp;

/// Refuses system calls, for good.
///
/// The kernel takes a filter from who has `CAP_SYS_ADMIN` in its user namespace, or can gain no
/// privileges any more. So this comes before capabilities and root go, and after whatever the
/// set-up itself calls of what is refused.
pub(super) fn confine(plan: &Plan) -> Result<(), Failure> {
    if plan.no_new_privs {
        prctl::set_no_new_privs().attempt("give up new privileges", "")?;
    }
    seccomp::refuse(&plan.calls).attempt("refuse system calls", "")
}
