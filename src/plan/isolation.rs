//! Profiles of isolation: what a container has no use for, as tables.
//!
//! A profile is data. What it says goes into the plan with what the document says: capabilities,
//! system calls, parts of `/proc` and `/sys`, ids, numbers. Another profile is another table.

use super::Host;
use super::calls::{self, Group};
use super::capabilities::{
    CAP_BLOCK_SUSPEND, CAP_BPF, CAP_DAC_READ_SEARCH, CAP_MAC_OVERRIDE, CAP_PERFMON, CAP_SYS_PACCT,
    CAP_SYS_RAWIO, CAP_SYSLOG, CAP_WAKE_ALARM,
};
use crate::model::{Domain, IsolationProfile};

/// What a container is kept from.
pub(super) struct Profile {
    /// Capabilities that go with the document's default policy, beside those that libvirt drops.
    pub(super) dropped: &'static [u32],
    /// System calls that are refused where nothing in the document lifts that.
    pub(super) refused: &'static [&'static Group],
    /// Parts of `/proc` and `/sys` that are empty.
    pub(super) masked: &'static [&'static str],
    /// The most processes where the document does not say, and the host has enough of them.
    pub(super) processes: u32,
    /// Whether an id map may have the host's root, or ids of another container that runs.
    pub(super) any_ids: bool,
}

/// libvirt's semantics. The masked paths have secrets of the host or stop it, and nothing runs
/// worse without them.
static COMPAT: Profile = Profile {
    dropped: &[],
    refused: &[&calls::KEXEC, &calls::MODULES, &calls::HANDLES],
    masked: &[
        "/proc/kcore",
        "/proc/keys",
        "/proc/kmsg",
        "/proc/sched_debug",
        "/proc/timer_list",
        "/sys/firmware",
    ],
    processes: 32768,
    any_ids: true,
};

static HARDENED: Profile = Profile {
    dropped: &[
        CAP_DAC_READ_SEARCH,
        CAP_SYS_RAWIO,
        CAP_SYS_PACCT,
        CAP_MAC_OVERRIDE,
        CAP_SYSLOG,
        CAP_WAKE_ALARM,
        CAP_BLOCK_SUSPEND,
        CAP_PERFMON,
        CAP_BPF,
    ],
    refused: &[
        &calls::KEXEC,
        &calls::MODULES,
        &calls::HANDLES,
        &calls::BPF,
        &calls::PERFORMANCE,
        &calls::PAGE_FAULTS,
        &calls::KEYRINGS,
        &calls::STORAGE,
        &calls::ACCOUNTING,
        &calls::PORTS,
        &calls::LOG,
        &calls::CLOCKS,
        &calls::WATCHES,
        &calls::OBSOLETE,
        &calls::TERMINAL_INPUT,
        &calls::SOCKETS,
        &calls::AUDIT,
        &calls::IO_URING,
    ],
    masked: &[
        "/proc/acpi",
        "/proc/asound",
        "/proc/config.gz",
        "/proc/driver",
        "/proc/interrupts",
        "/proc/iomem",
        "/proc/ioports",
        "/proc/kallsyms",
        "/proc/kcore",
        "/proc/key-users",
        "/proc/keys",
        "/proc/kmsg",
        "/proc/kpagecgroup",
        "/proc/kpagecount",
        "/proc/kpageflags",
        "/proc/latency_stats",
        "/proc/mtrr",
        "/proc/pagetypeinfo",
        "/proc/sched_debug",
        "/proc/scsi",
        "/proc/slabinfo",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/vmallocinfo",
        "/proc/vmcore",
        "/sys/devices/virtual/powercap",
        "/sys/firmware",
    ],
    processes: 16384,
    any_ids: false,
};

impl Profile {
    /// The profile of a domain: its own, or else the daemon's.
    pub(super) fn of(domain: &Domain, host: &Host) -> &'static Self {
        match domain.isolation.profile.unwrap_or(host.isolation) {
            IsolationProfile::Compat => &COMPAT,
            IsolationProfile::Hardened => &HARDENED,
        }
    }
}

/// Everything that some profile masks, for the daemon to see what of it the host has.
pub fn maskable() -> impl Iterator<Item = &'static str> {
    HARDENED.masked.iter().chain(COMPAT.masked).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compatible_is_a_part_of_what_is_hardened() {
        assert!(COMPAT.masked.iter().all(|path| HARDENED.masked.contains(path)));
        let is_there = |group: &&Group| HARDENED.refused.iter().any(|it| std::ptr::eq(*it, *group));
        assert!(COMPAT.refused.iter().all(is_there));
        assert!(HARDENED.masked.is_sorted() && COMPAT.masked.is_sorted());
        assert!(HARDENED.processes < COMPAT.processes);
    }
}
