//! `lxc.cap.drop` and `lxc.cap.keep`.

use std::collections::BTreeSet;

use super::build;
use super::config::{Excerpt, Setting};
use crate::xml::Element;

/// The kernel's capabilities; the place in the list is the number.
pub(super) const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// What a domain with `policy='default'` does not have.
pub(super) const DROPPED_BY_DEFAULT: [&str; 5] =
    ["sys_module", "sys_time", "mknod", "audit_control", "mac_admin"];

/// What the configuration says about capabilities.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    drop: BTreeSet<&'static str>,
    keep: Option<BTreeSet<&'static str>>,
}

impl Capabilities {
    /// One `lxc.cap.drop`: adds to those before it; without a value it empties the list.
    pub(super) fn drop(&mut self, setting: &Setting, notes: &mut Vec<String>) {
        if setting.value.is_empty() {
            self.drop.clear();
        }
        self.drop.extend(known(setting, notes));
    }

    /// One `lxc.cap.keep`; `none` forgets those before it and keeps nothing.
    pub(super) fn keep(&mut self, setting: &Setting, notes: &mut Vec<String>) {
        if setting.value.is_empty() {
            self.keep = None;
            return;
        }
        let keep = self.keep.get_or_insert_default();
        if setting.value.split_whitespace().any(|word| word == "none") {
            keep.clear();
        }
        keep.extend(known(setting, notes));
    }

    /// The element below `<features>`.
    pub(super) fn element(&self, notes: &mut Vec<String>) -> Element {
        let (policy, state, mut names) = match &self.keep {
            Some(keep) => ("deny", "on", keep.clone()),
            None => ("allow", "off", self.drop.clone()),
        };
        if self.keep.is_some() && !self.drop.is_empty() {
            names.retain(|name| !self.drop.contains(name));
            notes.push(
                "lxc.cap.keep and lxc.cap.drop exclude each other in LXC: the domain keeps what \
                 is kept and not dropped"
                    .to_owned(),
            );
        }
        let children = names.into_iter().map(|name| build::empty(name, &[("state", state)]));
        build::parent("capabilities", &[("policy", policy)], children)
    }
}

/// The capabilities a value names, by name or number.
fn known(setting: &Setting, notes: &mut Vec<String>) -> Vec<&'static str> {
    let mut found = Vec::new();
    for word in setting.value.split_whitespace().filter(|&word| word != "none") {
        let number = word.parse::<usize>().ok();
        let lower = word.to_ascii_lowercase();
        let name = match number {
            Some(number) => NAMES.get(number),
            None => NAMES.iter().find(|&&name| name == lower),
        };
        match name {
            Some(name) => found.push(*name),
            None => notes.push(setting.note(format_args!("no capability '{}'", Excerpt(word)))),
        }
    }
    found
}
