//! What init may do, given to init itself and to whatever is put beside it later.
//!
//! This is the one place where a process of a container is cut down to its rights. Both callers are
//! in the container's namespaces and control groups by then, single-threaded, and root in there.

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

use super::account::Identity;
use super::confine::confine;
use super::protocol::{Attempt, Failure};
use crate::plan::{MemoryPolicy, Plan};
use crate::security::capabilities;
use crate::sys::{keyring, mempolicy};

/// Makes this process what init is: the same personality, memory policy and signals, a session
/// keyring of its own, the same system calls, the user, and no more capabilities.
pub(super) fn restrict(plan: &Plan, identity: &Identity) -> Result<(), Failure> {
    if plan.linux32 {
        crate::sys::set_linux32().attempt("become a 32-bit system", "")?;
    }
    take_memory_from(&plan.memory_policy)?;
    reset_signals()?;
    keyring::join_new_session().attempt("leave the session keyring", "")?;
    capabilities::bound(plan.drop_capabilities).attempt("drop capabilities", "")?;
    confine(plan)?;
    identity.assume()?;
    capabilities::drop(plan.drop_capabilities).attempt("drop capabilities", "")
}

fn take_memory_from(policy: &MemoryPolicy) -> Result<(), Failure> {
    let set = match policy {
        MemoryPolicy::Default => Ok(()),
        MemoryPolicy::Interleave(nodes) => mempolicy::set(mempolicy::Policy::Interleave, nodes),
        MemoryPolicy::Preferred(node) => mempolicy::set(mempolicy::Policy::Preferred, &[*node]),
    };
    set.attempt("take memory from the nodes of <numatune>", "")
}

/// A program starts with every signal unblocked and at its default, whatever this one does.
fn reset_signals() -> Result<(), Failure> {
    crate::sys::reset_signals().attempt("reset signals", "")?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
        .attempt("unblock signals", "")
}
