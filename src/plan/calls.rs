//! System calls that are refused, in each of the ways a processor takes them.
//!
//! A 64-bit host runs programs of its 32-bit alternative as well, whose calls have numbers of
//! their own: a filter that knew only one of the two would be none.

use std::str::FromStr;

use nix::libc;
use serde::{Deserialize, Serialize};
use syscalls::{aarch64, arm, powerpc64, riscv64, x86, x86_64};

use super::Host;
use super::build::unsupported;
use super::capabilities::{
    CAP_AUDIT_CONTROL, CAP_AUDIT_READ, CAP_AUDIT_WRITE, CAP_BPF, CAP_DAC_READ_SEARCH, CAP_PERFMON,
    CAP_SYS_ADMIN, CAP_SYS_BOOT, CAP_SYS_MODULE, CAP_SYS_PACCT, CAP_SYS_PTRACE, CAP_SYS_RAWIO,
    CAP_SYS_TIME, CAP_SYS_TTY_CONFIG, CAP_SYSLOG, is_granted,
};
use super::isolation::Profile;
use crate::error::Result;
use crate::model::{AllowedCalls, Domain};

/// The system calls that a container is refused; all others are its own business.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFilter {
    /// For each way to call. What comes another way is refused whole.
    pub ways: Vec<CallWay>,
}

/// A set of numbers of system calls (`AUDIT_ARCH_*` of `linux/audit.h`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallWay {
    /// Its number.
    pub audit: u32,
    /// What is refused, ordered by the calls' numbers.
    pub refused: Vec<RefusedCall>,
}

/// A refusal; of several of one call each counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedCall {
    /// The call's number.
    pub number: u32,
    /// Arguments (from 0 on) and what their lower 32 bits have to be for it: the kernel looks at no
    /// others of them.
    pub when: Vec<(u8, u32)>,
    /// What the caller is told.
    pub errno: i32,
}

/// Calls that are refused together.
pub(super) struct Group {
    refused: &'static [Refused],
    /// Capabilities of which each, given by the document, lifts the refusal.
    capabilities: &'static [u32],
    /// The document's word for it.
    word: Option<AllowedCalls>,
}

struct Refused {
    call: &'static str,
    when: &'static [(u8, u32)],
    errno: i32,
}

const fn refused(call: &'static str) -> Refused {
    Refused { call, when: &[], errno: libc::EPERM }
}

const fn no_socket(when: &'static [(u8, u32)]) -> Refused {
    Refused { call: "socket", when, errno: libc::EAFNOSUPPORT }
}

const fn no_ioctl(when: &'static [(u8, u32)]) -> Refused {
    Refused { call: "ioctl", when, errno: libc::EPERM }
}

const fn group(refused: &'static [Refused], capabilities: &'static [u32]) -> Group {
    Group { refused, capabilities, word: None }
}

/// Another kernel instead of this one.
pub(super) static KEXEC: Group =
    group(&[refused("kexec_load"), refused("kexec_file_load")], &[CAP_SYS_BOOT]);

/// Code in the kernel.
pub(super) static MODULES: Group = group(
    &[
        refused("init_module"),
        refused("finit_module"),
        refused("delete_module"),
        refused("create_module"),
    ],
    &[CAP_SYS_MODULE],
);

/// Files by number, wherever they are on the file system.
pub(super) static HANDLES: Group = group(&[refused("open_by_handle_at")], &[CAP_DAC_READ_SEARCH]);

/// Programs in the kernel.
pub(super) static BPF: Group = group(&[refused("bpf")], &[CAP_BPF, CAP_SYS_ADMIN]);

/// What the processors do.
pub(super) static PERFORMANCE: Group =
    group(&[refused("perf_event_open")], &[CAP_PERFMON, CAP_SYS_ADMIN]);

/// Stopping others, the kernel among them, where they access memory.
pub(super) static PAGE_FAULTS: Group = Group {
    refused: &[refused("userfaultfd")],
    capabilities: &[CAP_SYS_PTRACE],
    word: Some(AllowedCalls::Userfaultfd),
};

/// Keys: the user's keyring is that of the host's user of the same number.
pub(super) static KEYRINGS: Group = Group {
    refused: &[refused("keyctl"), refused("add_key"), refused("request_key")],
    capabilities: &[],
    word: Some(AllowedCalls::Keyrings),
};

/// Swap space, and how much space users may take.
pub(super) static STORAGE: Group = group(
    &[refused("swapon"), refused("swapoff"), refused("quotactl"), refused("quotactl_fd")],
    &[CAP_SYS_ADMIN],
);

/// A file that gets a record of each process.
pub(super) static ACCOUNTING: Group = group(&[refused("acct")], &[CAP_SYS_PACCT]);

/// Ports of the processor.
pub(super) static PORTS: Group = group(&[refused("iopl"), refused("ioperm")], &[CAP_SYS_RAWIO]);

/// The kernel's log.
pub(super) static LOG: Group = group(&[refused("syslog")], &[CAP_SYSLOG, CAP_SYS_ADMIN]);

/// The host's clocks.
pub(super) static CLOCKS: Group = group(
    &[
        refused("clock_settime"),
        refused("clock_settime64"),
        refused("settimeofday"),
        refused("stime"),
    ],
    &[CAP_SYS_TIME],
);

/// Whole file systems watched.
pub(super) static WATCHES: Group =
    group(&[refused("fanotify_init"), refused("lookup_dcookie")], &[CAP_SYS_ADMIN]);

/// What nothing built in this century calls.
pub(super) static OBSOLETE: Group =
    group(&[refused("uselib"), refused("vm86"), refused("vm86old")], &[]);

/// Typing into a terminal from inside it.
pub(super) static TERMINAL_INPUT: Group = group(
    &[no_ioctl(&[(1, 0x5412 /* TIOCSTI */)]), no_ioctl(&[(1, 0x541C /* TIOCLINUX */)])],
    &[CAP_SYS_TTY_CONFIG],
);

/// Sockets of kinds that have no network namespace or a long list of mistakes. Those of old 32-bit
/// programs are asked for in memory, where a filter cannot look; that there is no such call makes
/// libraries take the one there is.
pub(super) static SOCKETS: Group = Group {
    refused: &[
        no_socket(&[(0, libc::AF_VSOCK as u32)]),
        no_socket(&[(0, libc::AF_ALG as u32)]),
        Refused { call: "socketcall", when: &[], errno: libc::ENOSYS },
    ],
    capabilities: &[],
    word: Some(AllowedCalls::Sockets),
};

/// The host's audit. Programs take a protocol that is not there for a kernel without audit and go
/// on; they do not go on when they are told that they may not.
pub(super) static AUDIT: Group = group(
    &[no_socket(&[(0, libc::AF_NETLINK as u32), (2, libc::NETLINK_AUDIT as u32)])],
    &[CAP_AUDIT_CONTROL, CAP_AUDIT_READ, CAP_AUDIT_WRITE],
);

/// Rings of requests, which a filter does not see.
pub(super) static IO_URING: Group = Group {
    refused: &[refused("io_uring_setup"), refused("io_uring_enter"), refused("io_uring_register")],
    capabilities: &[],
    word: Some(AllowedCalls::IoUring),
};

impl Group {
    fn is_lifted(&self, domain: &Domain) -> bool {
        self.word.is_some_and(|word| domain.isolation.allow.contains(&word))
            || self.capabilities.iter().any(|&it| is_granted(&domain.features.capabilities, it))
    }
}

/// What finds the number of a call by its name.
type Numbers = fn(&str) -> Option<u32>;

macro_rules! numbers {
    ($table:ident) => {
        |call| {
            let number = $table::Sysno::from_str(call).ok()?.id();
            u32::try_from(number).ok()
        }
    };
}

const X86: (u32, Numbers) = (0x4000_0003, numbers!(x86));
const ARM: (u32, Numbers) = (0x4000_0028, numbers!(arm));

/// How the processors of an architecture (`uname -m`) take calls, with the numbers of each way.
fn ways(arch: &str) -> &'static [(u32, Numbers)] {
    match arch {
        "x86_64" => &[(0xC000_003E, numbers!(x86_64)), X86],
        "i686" => &[X86],
        "aarch64" => &[(0xC000_00B7, numbers!(aarch64)), ARM],
        "armv7l" => &[ARM],
        "riscv64" => &[(0xC000_00F3, numbers!(riscv64))],
        "ppc64le" => &[(0xC000_0015, numbers!(powerpc64))],
        _ => &[],
    }
}

/// What the profile refuses and the document does not lift.
pub(super) fn filter(domain: &Domain, host: &Host) -> Result<CallFilter> {
    let groups = Profile::of(domain, host).refused.iter().filter(|group| !group.is_lifted(domain));
    let calls: Vec<&Refused> = groups.flat_map(|group| group.refused).collect();
    let ways = ways(&host.arch);
    if ways.is_empty() {
        return Err(unsupported(format!(
            "domain '{}' cannot start: system calls of architecture {} cannot be filtered here; \
             known are x86_64, i686, aarch64, armv7l, riscv64 and ppc64le",
            domain.name, host.arch
        )));
    }
    let ways = ways.iter().map(|(audit, numbers)| {
        // A call that a way does not have cannot be called.
        let refused = calls.iter().filter_map(|it| {
            Some(RefusedCall { number: numbers(it.call)?, when: it.when.to_vec(), errno: it.errno })
        });
        let mut refused: Vec<_> = refused.collect();
        refused.sort_by_key(|it| it.number);
        CallWay { audit: *audit, refused }
    });
    Ok(CallFilter { ways: ways.collect() })
}

#[cfg(test)]
mod tests {
    use super::super::CgroupVersion;
    use super::super::tests::{domain_with, host_with};
    use super::*;
    use crate::model::IsolationProfile::{self, Compat, Hardened};

    const HOST: IsolationProfile = Hardened;

    fn refused(elements: &str, profile: IsolationProfile) -> Vec<Vec<u32>> {
        let host = Host { isolation: profile, ..host_with(CgroupVersion::V2) };
        let filter = filter(&domain_with(elements), &host).unwrap();
        let numbers = |way: &CallWay| way.refused.iter().map(|it| it.number).collect();
        filter.ways.iter().map(numbers).collect()
    }

    fn isolation(content: &str) -> String {
        format!("<n:isolation xmlns:n='urn:nsvirt:domain:1.0'>{content}</n:isolation>")
    }

    #[test]
    fn every_call_is_one_of_some_architecture() {
        let all = ways("x86_64").iter().chain(ways("aarch64"));
        let known = |call| all.clone().any(|(_, numbers)| numbers(call).is_some());
        for group in Profile::of(&domain_with(""), &host_with(CgroupVersion::V2)).refused {
            for it in group.refused {
                assert!(known(it.call), "{}", it.call);
            }
        }
    }

    #[test]
    fn both_ways_of_a_64_bit_host_are_filtered() {
        // kexec_load, init_module, delete_module, open_by_handle_at, finit_module, kexec_file_load;
        // x86_64 has create_module as well.
        let compat = refused("", Compat);
        assert_eq!(compat[0], [174, 175, 176, 246, 304, 313, 320]);
        assert_eq!(compat[1], [127, 128, 129, 283, 342, 350]);
        let hardened = refused("", HOST);
        let has = |way: usize, number| hardened[way].contains(&number);
        // keyctl, io_uring_setup, and socketcall, which only the 32-bit way has.
        assert!(has(0, 250) && has(1, 288) && has(0, 425) && has(1, 425) && has(1, 102));
        assert_eq!(hardened[0].iter().filter(|&&it| it == 41).count(), 3, "socket");
    }

    #[test]
    fn capabilities_and_words_lift_what_they_stand_for() {
        let of = |elements: &str| refused(elements, HOST).remove(0);
        let lifted = |elements: &str| -> Vec<u32> {
            let left = of(elements);
            of("").into_iter().filter(|it| !left.contains(it)).collect()
        };
        let capabilities =
            |text: &str| format!("<features><capabilities {text}</capabilities></features>");
        assert_eq!(lifted(&capabilities("><sys_module state='on'/>")), [174, 175, 176, 313]);
        assert_eq!(lifted(&capabilities("policy='deny'>")), [0_u32; 0]);
        let all = lifted(&capabilities("policy='allow'><syslog state='off'/>"));
        // init_module, but neither keyctl, which no capability is for, nor uselib.
        assert!(all.contains(&175) && !all.contains(&250) && !all.contains(&134));
        assert_eq!(lifted(&isolation("<n:allow calls='keyrings'/>")), [248, 249, 250]);
        assert_eq!(lifted(&isolation("<n:allow calls='io_uring'/>")), [425, 426, 427]);
    }

    #[test]
    fn an_architecture_that_cannot_be_filtered_is_refused() {
        let host = Host { arch: "vax".to_owned(), ..host_with(CgroupVersion::V2) };
        let error = filter(&domain_with(""), &host).unwrap_err();
        assert!(error.message.contains("architecture vax cannot be filtered"), "{error}");
    }
}
