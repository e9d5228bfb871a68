//! The families of elements that a document is made of, and random documents of some of them.

use nsvirt::xml::{Element, Node};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::adapt::{self, element};
use super::breakage::break_slightly;
use super::device;
use super::grammar::Grammar;

/// Elements that are compared together, or not at all.
pub struct Family {
    /// What it is called in the output.
    pub name: &'static str,
    /// `domain`, or `devices`.
    parent: &'static str,
    elements: &'static [&'static str],
}

const fn domain(name: &'static str, elements: &'static [&'static str]) -> Family {
    Family { name, parent: "domain", elements }
}

const fn devices(name: &'static str, elements: &'static [&'static str]) -> Family {
    Family { name, parent: "devices", elements }
}

/// All that may stand in a domain.
pub const FAMILIES: &[Family] = &[
    domain("identity", &["name", "uuid", "genid", "title", "description", "metadata"]),
    domain("memory", &["memory", "currentMemory", "maxMemory"]),
    domain("memory tuning", &["memtune", "memoryBacking"]),
    domain("block tuning", &["blkiotune"]),
    domain(
        "processors",
        &["vcpu", "vcpus", "cputune", "iothreads", "iothreadids", "defaultiothread"],
    ),
    domain("memory nodes", &["numatune"]),
    domain("resource", &["resource"]),
    domain("system", &["os", "sysinfo", "bootloader", "bootloader_args"]),
    domain("user name space", &["idmap"]),
    domain("features", &["features"]),
    domain("processor", &["cpu"]),
    domain("clock", &["clock"]),
    domain("life cycle", &["on_poweroff", "on_reboot", "on_crash", "on_lockfailure"]),
    domain("power", &["pm", "perf"]),
    domain("security", &["seclabel", "keywrap", "launchSecurity"]),
    domain("name spaces", &["lxc:namespace", "namespace"]),
    devices("emulator", &["emulator"]),
    devices("file systems", &["filesystem"]),
    devices("disks", &["disk"]),
    devices("interfaces", &["interface"]),
    devices("character devices", &["console", "serial", "parallel", "channel"]),
    devices("host devices", &["hostdev"]),
    devices("controllers", &["controller", "lease"]),
    devices("screens", &["input", "graphics", "video", "sound", "audio", "hub"]),
    devices("redirection", &["redirdev", "redirfilter", "smartcard"]),
    devices(
        "small devices",
        &["memballoon", "watchdog", "rng", "tpm", "vsock", "panic", "nvram", "crypto"],
    ),
    devices("memory devices", &["shmem", "memory", "iommu"]),
];

/// Elements of other drivers, which the schema allows in any domain.
const FOREIGN: &[&str] =
    &["commandline", "capabilities", "deprecation", "override", "datacenterpath"];

/// Elements of a domain that may come several times.
const MANY: &[&str] = &["sysinfo", "seclabel"];

/// Devices that may come once.
const SINGLE: &[&str] = &["watchdog", "memballoon", "vsock", "nvram", "iommu", "redirfilter"];

/// Makes documents.
pub struct Documents<'g> {
    grammar: &'g Grammar,
    /// Each family that is compared, with the patterns of its elements.
    families: Vec<(&'static Family, Vec<&'g Element>)>,
}

impl<'g> Documents<'g> {
    /// Documents of the families with a part of `filter`, which commas divide, in their names; all the
    /// schema has must be in one.
    pub fn new(grammar: &'g Grammar, filter: &str) -> Self {
        let mut families = Vec::new();
        for parent in ["domain", "devices"] {
            let patterns = grammar.children(parent);
            for pattern in &patterns {
                let name = pattern.attr("name").unwrap();
                let known =
                    |family: &Family| family.parent == parent && family.elements.contains(&name);
                let container = name == "devices" || FOREIGN.contains(&name);
                assert!(container || FAMILIES.iter().any(known), "<{name}> is in no family");
            }
            for family in FAMILIES.iter().filter(|it| it.parent == parent) {
                let named = |it: &&&Element| family.elements.contains(&it.attr("name").unwrap());
                let patterns: Vec<_> = patterns.iter().filter(named).copied().collect();
                assert!(!patterns.is_empty(), "the schema has nothing of '{}'", family.name);
                if filter.split(',').any(|part| family.name.contains(part)) {
                    families.push((family, patterns));
                }
            }
        }
        Self { grammar, families }
    }

    /// A document of one to three families, and their names; in two of five something is broken.
    pub fn next(&self, runner: &mut TestRunner) -> (Element, Vec<&'static str>) {
        let mut root = element("domain", "");
        root.attributes.push(("type".to_owned(), "lxc".to_owned()));
        let mut devices = element("devices", "");
        let mut names = Vec::new();
        for _ in 0..runner.rng().random_range(1..=3) {
            let (family, patterns) =
                &self.families[runner.rng().random_range(0..self.families.len())];
            names.push(family.name);
            for _ in 0..runner.rng().random_range(1..=3) {
                let pattern = patterns[runner.rng().random_range(0..patterns.len())];
                let name = pattern.attr("name").unwrap();
                let parent = if family.parent == "devices" { &devices } else { &root };
                // Most elements of a domain count once. What libvirt makes of several is of no use.
                let counts_once = match family.parent {
                    "domain" => !MANY.contains(&name),
                    _ => SINGLE.contains(&name),
                };
                if counts_once && parent.child(name).is_some() {
                    continue;
                }
                let mut made = self.grammar.element(pattern, runner);
                adapt::within(&mut made, runner);
                if family.parent == "devices" {
                    device::fit(&mut made, runner);
                }
                let parent = if family.parent == "devices" { &mut devices } else { &mut root };
                parent.children.push(Node::Element(made));
            }
        }
        if devices.elements().next().is_some() {
            root.children.push(Node::Element(devices));
        }
        adapt::between(&mut root, runner);
        if runner.rng().random_bool(0.4) {
            break_slightly(&mut root, runner);
        }
        adapt::complete(&mut root);
        (root, names)
    }
}
