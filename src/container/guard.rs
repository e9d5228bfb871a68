//! What a supervisor gives up while its container runs.
//!
//! It relays bytes of a container and answers the daemon, and needs no right for that. What it has
//! to do when the container ends decides what it keeps:
//!
//! | at the end | capabilities | system calls |
//! |---|---|---|
//! | nothing | none | those of a relay |
//! | take network devices back | `CAP_NET_ADMIN`, out of effect until then | netlink as well |
//! | start the container again | what a start needs, out of effect until then | all |
//!
//! The last row has no filter, since a filter is for good, and the container would be born under
//! it.

use std::fs;
use std::io;

use nix::libc::{self, c_long};
use nix::sys::prctl;

use super::protocol::{Attempt, Failure};
use crate::plan::Plan;
use crate::security::{capabilities, seccomp};
use crate::sys::caps;

const OOM: &str = "/proc/self/oom_score_adj";
/// Almost never chosen when the host is out of memory: with it its container would end.
const OOM_PROTECTED: &str = "-900";

const CAP_NET_ADMIN: u64 = 1 << 12;

/// What a start needs beside what the container gets (`capabilities(7)`): files and control groups
/// whoever owns them, other ids, limits on capabilities, network devices, mounts, namespaces of the
/// child, scores of the kernel's out of memory, device nodes, and an id map with root in it.
const OF_A_START: u64 = 0b1_1111_1111 // CHOWN, DAC_*, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP
    | CAP_NET_ADMIN
    | 1 << 18 // SYS_CHROOT
    | 1 << 19 // SYS_PTRACE
    | 1 << 21 // SYS_ADMIN
    | 1 << 24 // SYS_RESOURCE
    | 1 << 27 // MKNOD
    | 1 << 31; // SETFCAP

/// What a relay calls: it waits, moves bytes, passes descriptors, leaves a file and ends.
const OF_A_RELAY: &[c_long] = &[
    libc::SYS_ppoll,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_accept4,
    libc::SYS_waitid,
    libc::SYS_ioctl,
    libc::SYS_fcntl,
    libc::SYS_close,
    // The exit's file, the socket's name, a new log.
    libc::SYS_renameat2,
    libc::SYS_dup3,
    libc::SYS_openat,
    libc::SYS_unlinkat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_lseek,
    // The C library: memory, signals, random numbers, the end.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Under their older names.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_dup2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
];

/// What taking network devices back calls beside that.
const OF_NETLINK: &[c_long] = &[
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_socket,
    libc::SYS_bind,
    libc::SYS_setsockopt,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
];

/// What is to do when the container has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Duty {
    Nothing,
    Links,
    Restart,
}

/// The state of a supervisor before it gave anything up.
pub(super) struct Guard {
    oom: String,
    duty: Duty,
    /// What neither the container nor a start has.
    useless: u64,
}

impl Guard {
    /// Nothing is given up yet.
    pub(super) fn new(plan: &Plan) -> Result<Self, Failure> {
        let oom = fs::read_to_string(OOM).attempt("read", OOM)?;
        let duty = match (plan.restart.is_possible(), plan.links.is_empty()) {
            (true, _) => Duty::Restart,
            (false, false) => Duty::Links,
            (false, true) => Duty::Nothing,
        };
        Ok(Self { oom, duty, useless: plan.drop_capabilities & !OF_A_START })
    }

    /// Gives up what is not needed while the container runs.
    pub(super) fn lower(&self) -> Result<(), Failure> {
        match fs::write(OOM, OOM_PROTECTED) {
            // Not permitted to a daemon without CAP_SYS_RESOURCE.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            result => result.attempt("write", OOM)?,
        }
        prctl::set_dumpable(false).attempt("hide the supervisor's memory", "")?;
        let (gone, calls) = match self.duty {
            Duty::Nothing => (u64::MAX, Some(OF_A_RELAY.to_vec())),
            Duty::Links => (!CAP_NET_ADMIN, Some([OF_A_RELAY, OF_NETLINK].concat())),
            Duty::Restart => (self.useless, None),
        };
        capabilities::bound(gone).attempt("drop capabilities", "")?;
        capabilities::drop(gone).attempt("drop capabilities", "")?;
        caps::make_effective(false).attempt("put capabilities out of effect", "")?;
        let Some(calls) = calls else { return Ok(()) };
        prctl::set_no_new_privs().attempt("give up new privileges", "")?;
        seccomp::allow_only(&calls).attempt("give up system calls", "")
    }

    /// Whether [`Self::raise`] gives anything back.
    pub(super) fn keeps_rights(&self) -> bool {
        !matches!(self.duty, Duty::Nothing)
    }

    /// Takes back what the end of the container needs.
    pub(super) fn raise(&self) -> Result<(), Failure> {
        caps::make_effective(true).attempt("put capabilities into effect", "")?;
        match self.duty {
            // The container must not inherit it.
            Duty::Restart => fs::write(OOM, &self.oom).attempt("write", OOM),
            Duty::Nothing | Duty::Links => Ok(()),
        }
    }
}
