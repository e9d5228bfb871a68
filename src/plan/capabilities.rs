//! Which capabilities go (`capabilities(7)`), from the document's policy and its exceptions.

use super::Host;
use super::isolation::Profile;
use crate::model::{Capabilities, CapabilityPolicy, Domain, Switch};

pub(super) const CAP_DAC_READ_SEARCH: u32 = 2;
pub(super) const CAP_SYS_MODULE: u32 = 16;
pub(super) const CAP_SYS_RAWIO: u32 = 17;
pub(super) const CAP_SYS_PTRACE: u32 = 19;
pub(super) const CAP_SYS_PACCT: u32 = 20;
pub(super) const CAP_SYS_ADMIN: u32 = 21;
pub(super) const CAP_SYS_BOOT: u32 = 22;
pub(super) const CAP_SYS_TIME: u32 = 25;
pub(super) const CAP_SYS_TTY_CONFIG: u32 = 26;
const CAP_MKNOD: u32 = 27;
pub(super) const CAP_AUDIT_WRITE: u32 = 29;
pub(super) const CAP_AUDIT_CONTROL: u32 = 30;
pub(super) const CAP_MAC_OVERRIDE: u32 = 32;
const CAP_MAC_ADMIN: u32 = 33;
pub(super) const CAP_SYSLOG: u32 = 34;
pub(super) const CAP_WAKE_ALARM: u32 = 35;
pub(super) const CAP_BLOCK_SUSPEND: u32 = 36;
pub(super) const CAP_AUDIT_READ: u32 = 37;
pub(super) const CAP_PERFMON: u32 = 38;
pub(super) const CAP_BPF: u32 = 39;

/// What libvirt's default policy takes from a container: they act on the host, not on anything
/// the container has a namespace for. Those newer than libvirt's list stay, as with libvirt.
const DEFAULT_DROP: [u32; 5] =
    [CAP_SYS_MODULE, CAP_SYS_TIME, CAP_MKNOD, CAP_AUDIT_CONTROL, CAP_MAC_ADMIN];

/// The capabilities to drop: bit N is capability N, also of those that only later kernels have.
pub(super) fn dropped(domain: &Domain, host: &Host) -> u64 {
    dropped_beside(&domain.features.capabilities, Profile::of(domain, host).dropped)
}

fn dropped_beside(capabilities: &Capabilities, more: &[u32]) -> u64 {
    let by_policy = match capabilities.policy {
        CapabilityPolicy::Default => {
            DEFAULT_DROP.iter().chain(more).fold(0, |mask, bit| mask | 1 << bit)
        }
        CapabilityPolicy::Allow => 0,
        CapabilityPolicy::Deny => u64::MAX,
    };
    capabilities.states.iter().fold(by_policy, |mask, (number, state)| match state {
        Switch::On => mask & !(1 << number),
        Switch::Off => mask | 1 << number,
    })
}

/// Whether the document gives a capability, by its name or with all others. What a container has
/// because nothing takes it away is not given.
pub(super) fn is_granted(capabilities: &Capabilities, number: u32) -> bool {
    match capabilities.states.get(&number) {
        Some(state) => *state == Switch::On,
        None => capabilities.policy == CapabilityPolicy::Allow,
    }
}

/// Whether device nodes may be made: the document says so, for any device. What they open is
/// another question.
pub(super) fn may_make_nodes(capabilities: &Capabilities) -> bool {
    capabilities.states.get(&CAP_MKNOD) == Some(&Switch::On)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(policy: CapabilityPolicy, states: &[(u32, Switch)]) -> u64 {
        dropped_beside(&Capabilities { policy, states: states.iter().copied().collect() }, &[])
    }

    #[test]
    fn policies_and_their_exceptions() {
        let default = of(CapabilityPolicy::Default, &[]);
        assert_eq!(default.count_ones(), 5);
        let more = dropped_beside(&Capabilities::default(), &[CAP_BPF]);
        assert_eq!(more, default | 1 << CAP_BPF);
        assert_eq!(of(CapabilityPolicy::Allow, &[]), 0);
        assert_eq!(of(CapabilityPolicy::Deny, &[]), u64::MAX);
        let on = [(CAP_MKNOD, Switch::On)];
        assert_eq!(of(CapabilityPolicy::Default, &on), default & !(1 << CAP_MKNOD));
        assert_eq!(of(CapabilityPolicy::Deny, &on), !(1 << CAP_MKNOD));
        let off = [(CAP_SYS_ADMIN, Switch::Off)];
        assert_eq!(of(CapabilityPolicy::Allow, &off), 1 << CAP_SYS_ADMIN);
        assert_eq!(of(CapabilityPolicy::Default, &off), default | 1 << CAP_SYS_ADMIN);
    }
}
