//! `<features><capabilities>`: which privileges the container's processes may have.

use std::collections::BTreeMap;

use super::read::{all, words};
use crate::error::Result;
use crate::xml::{Element, Writer};

words! {
    /// What processes have that the document does not name.
    pub enum CapabilityPolicy {
        /// What is safe with the container's name spaces.
        Default = "default",
        /// Everything.
        Allow = "allow",
        /// Nothing.
        Deny = "deny",
    }
}

words! {
    /// A state of a feature.
    pub enum Switch {
        /// On.
        On = "on",
        /// Off.
        Off = "off",
    }
}

/// The names of `capabilities(7)` without `CAP_`, with the kernel's numbers; libvirt lacks
/// `audit_read`, `bpf`, `checkpoint_restore` and `perfmon`. The order is the one of the output.
pub const CAPABILITIES: &[(&str, u32)] = &[
    ("audit_control", 30),
    ("audit_read", 37),
    ("audit_write", 29),
    ("block_suspend", 36),
    ("bpf", 39),
    ("checkpoint_restore", 40),
    ("chown", 0),
    ("dac_override", 1),
    ("dac_read_search", 2),
    ("fowner", 3),
    ("fsetid", 4),
    ("ipc_lock", 14),
    ("ipc_owner", 15),
    ("kill", 5),
    ("lease", 28),
    ("linux_immutable", 9),
    ("mac_admin", 33),
    ("mac_override", 32),
    ("mknod", 27),
    ("net_admin", 12),
    ("net_bind_service", 10),
    ("net_broadcast", 11),
    ("net_raw", 13),
    ("perfmon", 38),
    ("setgid", 6),
    ("setfcap", 31),
    ("setpcap", 8),
    ("setuid", 7),
    ("sys_admin", 21),
    ("sys_boot", 22),
    ("sys_chroot", 18),
    ("sys_module", 16),
    ("sys_nice", 23),
    ("sys_pacct", 20),
    ("sys_ptrace", 19),
    ("sys_rawio", 17),
    ("sys_resource", 24),
    ("sys_time", 25),
    ("sys_tty_config", 26),
    ("syslog", 34),
    ("wake_alarm", 35),
];

/// The privileges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// What processes have that is not in `states`.
    pub policy: CapabilityPolicy,
    /// What is on or off whatever the policy says, by the kernel's number.
    pub states: BTreeMap<u32, Switch>,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self { policy: CapabilityPolicy::Default, states: BTreeMap::new() }
    }
}

impl Capabilities {
    /// The policy of the last element, the states of all.
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let mut capabilities = Self::default();
        for element in all(root, "features", "capabilities") {
            capabilities.policy =
                CapabilityPolicy::attr(element, "policy")?.unwrap_or(CapabilityPolicy::Default);
            for child in element.elements() {
                let name = child.name.as_str();
                let Some((_, number)) = CAPABILITIES.iter().find(|(known, _)| *known == name)
                else {
                    return Err(child.unsupported(format_args!(
                        "unexpected capability feature '{name}': expected one of capabilities(7) \
                         in small letters and without 'cap_'"
                    )));
                };
                let state = Switch::attr(child, "state")?.unwrap_or(Switch::On);
                capabilities.states.insert(*number, state);
            }
        }
        Ok(capabilities)
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let policy = [("policy", self.policy.as_str())];
        if *self == Self::default() {
            return;
        }
        if self.states.is_empty() {
            return w.empty("capabilities", &policy);
        }
        w.open("capabilities", &policy);
        for (name, number) in CAPABILITIES {
            if let Some(state) = self.states.get(number) {
                w.empty(name, &[("state", state.as_str())]);
            }
        }
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, printed};

    fn capabilities(inside: &str) -> String {
        format!("<features><capabilities{inside}</features>")
    }

    #[test]
    fn states_are_kept_in_libvirts_order() {
        let text = " policy='deny'><mknod state='off'/><chown/><bpf/><mknod/></capabilities>";
        assert_eq!(
            printed(&capabilities(text))[1..5],
            [
                "    <capabilities policy='deny'>",
                "      <bpf state='on'/>",
                "      <chown state='on'/>",
                "      <mknod state='on'/>",
            ]
        );
        assert_eq!(
            printed(&capabilities(" policy='allow'/>"))[1],
            "    <capabilities policy='allow'/>"
        );
        assert!(printed(&capabilities("/>")).is_empty());
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                &capabilities("><foo/></capabilities>"),
                "unsupported configuration: line 2: unexpected capability feature 'foo': expected \
                 one of capabilities(7) in small letters and without 'cap_'",
            ),
            (
                &capabilities(" policy='x'/>"),
                "XML error: line 2: Invalid value for attribute 'policy' in element \
                 'capabilities': 'x'. Expected one of default, allow, deny",
            ),
        ]);
    }
}
