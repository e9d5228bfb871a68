//! The documents that say what this host and this driver can do.

use std::path::Path;

use super::topology::{Cache, Cell, Topology};
use crate::error::{Error, ErrorCode, Result};
use crate::plan::guest_archs;
use crate::xml::Writer;

/// What the documents say beside the topology.
pub(in crate::driver) struct Facts<'a> {
    pub(in crate::driver) arch: &'a str,
    pub(in crate::driver) emulator: &'a str,
    pub(in crate::driver) uuid: Option<String>,
    pub(in crate::driver) iommu: bool,
}

/// `<capabilities>`, libvirt's document of host and guests.
pub(in crate::driver) fn capabilities(facts: &Facts<'_>, topology: &Topology) -> String {
    let mut w = Writer::new();
    w.open("capabilities", &[]);
    w.open("host", &[]);
    w.optional_leaf("uuid", facts.uuid.as_deref());
    w.open("cpu", &[]);
    w.leaf("arch", &[], facts.arch);
    for pages in topology.cells.first().map_or(&[][..], |cell| &cell.pages) {
        w.empty("pages", &[("unit", "KiB"), ("size", &pages.size.to_string())]);
    }
    w.close();
    w.empty("power_management", &[]);
    w.empty("iommu", &[("support", if facts.iommu { "yes" } else { "no" })]);
    format_cells(&mut w, &topology.cells);
    format_caches(&mut w, &topology.caches);
    w.open("secmodel", &[]);
    w.leaf("model", &[], "none");
    w.leaf("doi", &[], "0");
    w.close();
    w.close();
    for (arch, width) in guest_archs(facts.arch) {
        w.open("guest", &[]);
        w.leaf("os_type", &[], "exe");
        w.open("arch", &[("name", arch)]);
        w.leaf("wordsize", &[], &width.to_string());
        w.leaf("emulator", &[], facts.emulator);
        w.empty("domain", &[("type", "lxc")]);
        w.close();
        w.close();
    }
    w.close();
    w.finish()
}

fn format_cells(w: &mut Writer, cells: &[Cell]) {
    w.open("topology", &[]);
    w.open("cells", &[("num", &cells.len().to_string())]);
    for cell in cells {
        w.open("cell", &[("id", &cell.id.to_string())]);
        w.leaf("memory", &[("unit", "KiB")], &cell.memory.to_string());
        for pages in &cell.pages {
            let attributes = [("unit", "KiB"), ("size", &*pages.size.to_string())];
            w.leaf("pages", &attributes, &pages.count.to_string());
        }
        if !cell.distances.is_empty() {
            w.open("distances", &[]);
            for (id, value) in &cell.distances {
                w.empty("sibling", &[("id", &id.to_string()), ("value", &value.to_string())]);
            }
            w.close();
        }
        w.open("cpus", &[("num", &cell.cpus.len().to_string())]);
        for cpu in &cell.cpus {
            w.empty(
                "cpu",
                &[
                    ("id", &cpu.id.to_string()),
                    ("socket_id", &cpu.socket.to_string()),
                    ("die_id", &cpu.die.to_string()),
                    ("core_id", &cpu.core.to_string()),
                    ("siblings", &cpu.siblings),
                ],
            );
        }
        w.close();
        w.close();
    }
    w.close();
    w.close();
}

fn format_caches(w: &mut Writer, caches: &[Cache]) {
    if caches.is_empty() {
        return;
    }
    w.open("cache", &[]);
    for cache in caches {
        let (size, unit) = pretty(cache.size);
        w.empty(
            "bank",
            &[
                ("id", &cache.id.to_string()),
                ("level", &cache.level.to_string()),
                ("type", cache.kind),
                ("size", &size.to_string()),
                ("unit", unit),
                ("cpus", &cache.cpus),
            ],
        );
    }
    w.close();
}

/// A size of so many KiB in the largest unit that leaves no remainder.
fn pretty(kib: u64) -> (u64, &'static str) {
    const MIB: u64 = 1 << 10;
    const GIB: u64 = 1 << 20;
    match kib {
        0 => (0, "KiB"),
        kib if kib % GIB == 0 => (kib / GIB, "GiB"),
        kib if kib % MIB == 0 => (kib / MIB, "MiB"),
        kib => (kib, "KiB"),
    }
}

/// What a client may ask about a kind of domain; empty means whatever the driver has.
pub(in crate::driver) struct Wanted<'a> {
    pub(in crate::driver) emulator: &'a str,
    pub(in crate::driver) arch: &'a str,
    pub(in crate::driver) machine: &'a str,
    pub(in crate::driver) virttype: &'a str,
}

/// `<domainCapabilities>`: what a container on this host can have. libvirt's driver has no such
/// document; the elements are those that its other drivers use.
pub(in crate::driver) fn domain_capabilities(
    facts: &Facts<'_>,
    topology: &Topology,
    wanted: &Wanted<'_>,
) -> Result<String> {
    let arch = if wanted.arch.is_empty() { facts.arch } else { wanted.arch };
    check(wanted.virttype, &["", "lxc"], "virttype")?;
    check(wanted.emulator, &["", facts.emulator], "emulator")?;
    check(wanted.machine, &[""], "machine")?;
    let archs = guest_archs(facts.arch);
    let known: Vec<&str> = archs.iter().map(|(arch, _)| *arch).collect();
    check(arch, &known, "architecture")?;
    let mut w = Writer::new();
    w.open("domainCapabilities", &[]);
    w.leaf("path", &[], facts.emulator);
    w.leaf("domain", &[], "lxc");
    w.leaf("arch", &[], arch);
    w.empty("vcpu", &[("max", &topology.cpus().count().max(1).to_string())]);
    w.empty("os", &[("supported", "yes")]);
    w.open("devices", &[]);
    w.open("filesystem", &[("supported", "yes")]);
    enumeration(&mut w, "type", &["mount", "bind", "block", "file", "ram", "template"]);
    w.close();
    w.open("console", &[("supported", "yes")]);
    enumeration(&mut w, "type", &["pty"]);
    w.close();
    for device in ["disk", "interface", "hostdev"] {
        w.empty(device, &[("supported", "no")]);
    }
    w.close();
    w.open("features", &[]);
    w.empty("privnet", &[("supported", "yes")]);
    w.close();
    w.close();
    Ok(w.finish())
}

fn enumeration(w: &mut Writer, name: &str, values: &[&str]) {
    w.open("enum", &[("name", name)]);
    for value in values {
        w.leaf("value", &[], value);
    }
    w.close();
}

fn check(value: &str, allowed: &[&str], what: &str) -> Result<()> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let allowed: Vec<&str> = allowed.iter().filter(|it| !it.is_empty()).copied().collect();
    let instead = if allowed.is_empty() {
        "containers have none".to_owned()
    } else {
        format!("allowed is {}", allowed.join(", "))
    };
    Err(Error::new(ErrorCode::InvalidArg, format!("unknown {what} '{value}': {instead}")))
}

/// The host's identity: what the firmware says, else the machine ID of the operating system.
pub(in crate::driver) fn host_uuid() -> Option<String> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let text = read("/sys/class/dmi/id/product_uuid").or_else(|| read("/etc/machine-id"))?;
    Some(uuid::Uuid::parse_str(text.trim()).ok()?.to_string())
}

/// Whether devices are behind an IOMMU.
pub(in crate::driver) fn has_iommu() -> bool {
    let groups = std::fs::read_dir(Path::new("/sys/kernel/iommu_groups"));
    groups.is_ok_and(|mut groups| groups.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::super::topology::{Cpu, Pages};
    use super::*;

    fn facts() -> Facts<'static> {
        Facts { arch: "x86_64", emulator: "/usr/libexec/nsvirt-lxc", uuid: None, iommu: false }
    }

    fn topology() -> Topology {
        let cpu = Cpu { id: 0, socket: 0, die: 0, core: 0, siblings: "0".to_owned() };
        let cell = Cell {
            id: 0,
            memory: 4096,
            pages: vec![Pages { size: 4, count: 1024 }],
            distances: vec![(0, 10)],
            cpus: vec![cpu],
        };
        let cache = Cache { id: 0, level: 3, kind: "both", size: 32768, cpus: "0".to_owned() };
        Topology { cells: vec![cell], caches: vec![cache], mhz: 0 }
    }

    #[test]
    fn sizes_are_in_the_largest_whole_unit() {
        assert_eq!(pretty(32768), (32, "MiB"));
        assert_eq!(pretty(1536), (1536, "KiB"));
        assert_eq!(pretty(1 << 20), (1, "GiB"));
    }

    #[test]
    fn the_document_is_a_document() {
        let text = capabilities(&facts(), &topology());
        let root = crate::xml::parse(&text).unwrap();
        assert_eq!(root.children_named("guest").count(), 2);
        assert!(
            text.contains("<bank id='0' level='3' type='both' size='32' unit='MiB' cpus='0'/>")
        );
        assert!(text.contains("<pages unit='KiB' size='4'>1024</pages>"));
    }

    #[test]
    fn what_containers_cannot_be_is_refused() {
        let ask = |virttype, arch| {
            let wanted = Wanted { emulator: "", arch, machine: "", virttype };
            domain_capabilities(&facts(), &topology(), &wanted)
        };
        assert!(ask("lxc", "i686").unwrap().contains("<arch>i686</arch>"));
        assert_eq!(ask("kvm", "").unwrap_err().code, ErrorCode::InvalidArg);
        let text = ask("", "sparc").unwrap_err().message;
        assert!(text.contains("allowed is x86_64, i686"), "{text}");
    }
}
