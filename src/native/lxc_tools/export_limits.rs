//! Memory, processors and disks of a domain as `lxc.cgroup.*` and `lxc.cgroup2.*`.

use super::config::Excerpt;
use super::export::Output;
use super::limits::{DEFAULT_KIB, weight_of_shares};
use super::number;
use crate::xml::Element;

/// `<memory>`, `<currentMemory>` and `<memtune>`.
pub(super) fn memory(root: &Element, out: &mut Output) {
    let memory = root.child("memory").and_then(|element| kib(element, out));
    let current = root.child("currentMemory").and_then(|element| kib(element, out));
    if let Some(element) = root.child("memory") {
        out.only(element, &["unit"], &[]);
    }
    if current.is_some() && current != memory {
        out.note("<currentMemory>: a container has one limit, that of <memory>");
    }
    let empty = Element::default();
    let tune = root.child("memtune").unwrap_or(&empty);
    out.only(tune, &[], &["hard_limit", "soft_limit", "swap_hard_limit"]);
    let mut limit = |name| tune.child(name).and_then(|element| kib(element, out));
    let (hard, soft) = (limit("hard_limit"), limit("soft_limit"));
    let together = limit("swap_hard_limit");
    match (hard, memory) {
        (Some(hard), memory) => {
            if memory.is_some_and(|memory| memory != hard) {
                out.note("<memory> is not <hard_limit>, and a container has one limit: the latter");
            }
            out.set("lxc.cgroup.memory.limit_in_bytes", &bytes(hard));
            out.set("lxc.cgroup2.memory.max", &bytes(hard));
        }
        // What an import takes without a limit.
        (None, Some(DEFAULT_KIB) | None) => {
            out.set("lxc.cgroup2.memory.max", &bytes(DEFAULT_KIB));
        }
        // <memory> alone is the limit of a container, and v1's key would be <hard_limit> as well.
        (None, Some(memory)) => out.set("lxc.cgroup2.memory.max", &bytes(memory)),
    }
    if let Some(soft) = soft {
        out.set("lxc.cgroup.memory.soft_limit_in_bytes", &bytes(soft));
        out.set("lxc.cgroup2.memory.high", &bytes(soft));
    }
    if let Some(together) = together {
        out.set("lxc.cgroup.memory.memsw.limit_in_bytes", &bytes(together));
        match hard.or(memory).and_then(|limit| together.checked_sub(limit)) {
            Some(swap) => out.set("lxc.cgroup2.memory.swap.max", &bytes(swap)),
            None => out.note("<swap_hard_limit> counts memory too, and is less than its limit"),
        }
    }
}

/// `<vcpu>`, `<cputune>`, `<numatune>` and `<blkiotune>`.
pub(super) fn limits(root: &Element, out: &mut Output) {
    if let Some(vcpu) = root.child("vcpu") {
        out.only(vcpu, &["placement", "cpuset"], &[]);
        if vcpu.text().trim() != "1" {
            out.note("<vcpu>: a container has no number of processors but those of cpuset");
        }
        if vcpu.attr("placement") == Some("auto") {
            out.note("<vcpu>: placement='auto' has no equivalent");
        }
        if let Some(cpus) = vcpu.attr("cpuset") {
            list("cpuset.cpus", cpus, out);
        }
    }
    if let Some(cputune) = root.child("cputune") {
        processors(cputune, out);
    }
    if let Some(numatune) = root.child("numatune") {
        out.only(numatune, &[], &["memory"]);
        let memory = numatune.child("memory");
        if let Some(memory) = memory {
            out.only(memory, &["mode", "nodeset"], &[]);
            if memory.attr("mode").is_some_and(|mode| mode != "strict") {
                out.note("<numatune>: memory is allowed from nodes or not, which is mode='strict'");
            }
        }
        if let Some(nodes) = memory.and_then(|memory| memory.attr("nodeset")) {
            list("cpuset.mems", nodes, out);
        }
    }
    if let Some(blkiotune) = root.child("blkiotune") {
        disks(blkiotune, out);
    }
}

fn processors(cputune: &Element, out: &mut Output) {
    out.only(cputune, &[], &["shares", "period", "quota"]);
    let field = |name| cputune.child_text(name).map(|text: String| text.trim().to_owned());
    let (period, quota) = (field("period"), field("quota"));
    if let Some(shares) = field("shares") {
        out.set("lxc.cgroup.cpu.shares", &shares);
        if let Ok(shares) = number::unsigned(&shares) {
            out.set("lxc.cgroup2.cpu.weight", &weight_of_shares(shares).to_string());
        }
    }
    if let Some(period) = &period {
        out.set("lxc.cgroup.cpu.cfs_period_us", period);
    }
    if let Some(quota) = &quota {
        out.set("lxc.cgroup.cpu.cfs_quota_us", quota);
    }
    let limit = quota.as_deref().filter(|quota| !quota.starts_with('-'));
    match (limit, &period) {
        (None, None) => {}
        (limit, Some(period)) => {
            out.set("lxc.cgroup2.cpu.max", &format!("{} {period}", limit.unwrap_or("max")));
        }
        // Its period would come back as a second element.
        (Some(limit), None) => {
            out.note(
                "<quota> without <period>: the kernel's period is written, which an import says",
            );
            out.set("lxc.cgroup2.cpu.max", &format!("{limit} 100000"));
        }
    }
}

fn disks(blkiotune: &Element, out: &mut Output) {
    out.only(blkiotune, &[], &["weight", "device"]);
    if let Some(weight) = blkiotune.child_text("weight") {
        out.set("lxc.cgroup.blkio.weight", weight.trim());
        out.set("lxc.cgroup2.io.weight", weight.trim());
    }
    // Element, file of v1, word of v2.
    const LIMITS: [(&str, &str, &str); 4] = [
        ("read_iops_sec", "read_iops", "riops"),
        ("write_iops_sec", "write_iops", "wiops"),
        ("read_bytes_sec", "read_bps", "rbps"),
        ("write_bytes_sec", "write_bps", "wbps"),
    ];
    for device in blkiotune.children_named("device") {
        let names = LIMITS.map(|(name, ..)| name);
        let known: Vec<_> = names.into_iter().chain(["path", "weight"]).collect();
        out.only(device, &[], &known);
        let path = device.child_text("path").unwrap_or_default();
        let Some(disk) = path.strip_prefix("/dev/block/").filter(|disk| disk.contains(':')) else {
            out.note(format_args!(
                "<device> of <blkiotune>: {} must be written as /dev/block/MAJOR:MINOR",
                Excerpt(&path)
            ));
            continue;
        };
        if let Some(weight) = device.child_text("weight") {
            out.set("lxc.cgroup.blkio.weight_device", &format!("{disk} {}", weight.trim()));
            out.set("lxc.cgroup2.io.weight", &format!("{disk} {}", weight.trim()));
        }
        let mut words = String::new();
        for (name, file, word) in LIMITS {
            let Some(value) = device.child_text(name) else { continue };
            let value = value.trim();
            let key = format!("lxc.cgroup.blkio.throttle.{file}_device");
            out.set(&key, &format!("{disk} {value}"));
            words.extend([" ", word, "=", value]);
        }
        if !words.is_empty() {
            out.set("lxc.cgroup2.io.max", &format!("{disk}{words}"));
        }
    }
}

fn list(file: &str, value: &str, out: &mut Output) {
    match number::bitmap(value) {
        Ok(list) => {
            out.set(&format!("lxc.cgroup.{file}"), &list);
            out.set(&format!("lxc.cgroup2.{file}"), &list);
        }
        Err(reason) => out.note(format_args!("'{}' is {reason}", Excerpt(value))),
    }
}

fn bytes(kib: u64) -> String {
    // In KiB when it is beyond what counts bytes.
    kib.checked_mul(1_024).map_or_else(|| format!("{kib}k"), |bytes| bytes.to_string())
}

/// A number with the unit of its element, in KiB.
fn kib(element: &Element, out: &mut Output) -> Option<u64> {
    let text = element.text();
    let unit = element.attr("unit").unwrap_or("KiB");
    let factor: u128 = match unit {
        "b" | "bytes" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "k" | "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        _ => 0,
    };
    let number = number::unsigned(text.trim()).map(u128::from).unwrap_or(0);
    let kib = number.checked_mul(factor).map(|bytes| bytes.div_ceil(1_024));
    let kib = kib.and_then(|kib| u64::try_from(kib).ok()).filter(|kib| *kib > 0);
    if kib.is_none() {
        let name = Excerpt(&element.name);
        out.note(format_args!("<{name}>: '{}' {unit} is no size", Excerpt(&text)));
    }
    kib
}
