//! Which capabilities go (`capabilities(7)`), from the document's policy and its exceptions.

use crate::model::{Capabilities, CapabilityPolicy, Switch};

/// What libvirt's default policy takes from a container: they act on the host, not on anything
/// the container has a namespace for. Those newer than libvirt's list stay, as with libvirt.
const DEFAULT_DROP: [u32; 5] =
    [CAP_SYS_MODULE, CAP_SYS_TIME, CAP_MKNOD, CAP_AUDIT_CONTROL, CAP_MAC_ADMIN];
const CAP_SYS_MODULE: u32 = 16;
const CAP_SYS_TIME: u32 = 25;
const CAP_MKNOD: u32 = 27;
const CAP_AUDIT_CONTROL: u32 = 30;
const CAP_MAC_ADMIN: u32 = 33;

/// The capabilities to drop: bit N is capability N, also of those that only later kernels have.
pub(super) fn dropped(capabilities: &Capabilities) -> u64 {
    let by_policy = match capabilities.policy {
        CapabilityPolicy::Default => DEFAULT_DROP.iter().fold(0, |mask, bit| mask | 1 << bit),
        CapabilityPolicy::Allow => 0,
        CapabilityPolicy::Deny => u64::MAX,
    };
    capabilities.states.iter().fold(by_policy, |mask, (number, state)| match state {
        Switch::On => mask & !(1 << number),
        Switch::Off => mask | 1 << number,
    })
}

/// Whether device nodes may be made: the document says so, for any device. What they open is
/// another question.
pub(super) fn may_make_nodes(capabilities: &Capabilities) -> bool {
    capabilities.states.get(&CAP_MKNOD) == Some(&Switch::On)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP_SYS_ADMIN: u32 = 21;

    fn of(policy: CapabilityPolicy, states: &[(u32, Switch)]) -> u64 {
        dropped(&Capabilities { policy, states: states.iter().copied().collect() })
    }

    #[test]
    fn policies_and_their_exceptions() {
        let default = of(CapabilityPolicy::Default, &[]);
        assert_eq!(default.count_ones(), 5);
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
