//! `lxc.cgroup.*` and `lxc.cgroup2.*`: memory, processor and disk limits.
//!
//! A configuration may name the files of cgroup v1, of v2, or both, of which a host uses one kind.
//! A domain has one number: that of v1 where both are given, since libvirt's numbers are v1's.

use super::config::{Excerpt, Setting};
use super::{build, number};
use crate::error::Result;
use crate::xml::Element;

/// What a domain without a memory limit gets, as from libvirt: 64 MiB.
pub(super) const DEFAULT_KIB: u64 = 64 * 1024;
/// libvirt's "no limit", in KiB; the kernel's own is a little more or less.
const UNLIMITED_KIB: u64 = 9_007_199_254_740_991;
/// The most disks with limits of their own.
const MAX_DEVICES: usize = 1_000;

/// A number from either kind of cgroups.
#[derive(Debug, Default, Clone, Copy)]
struct Both {
    v1: Option<u64>,
    v2: Option<u64>,
}

impl Both {
    fn value(self) -> Option<u64> {
        self.v1.or(self.v2)
    }
}

/// A limit as a value of a file says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    Unlimited,
    Kib(u64),
}

/// What the configuration limits.
#[derive(Debug, Default)]
pub(super) struct Limits {
    hard: Option<Amount>,
    hard_v2: Option<Amount>,
    soft: Option<Amount>,
    soft_v2: Option<Amount>,
    memory_and_swap: Option<Amount>,
    swap_v2: Option<Amount>,
    shares: Both,
    period: Both,
    /// -1 for no limit.
    quota: Option<i64>,
    quota_v2: Option<i64>,
    cpus: Option<String>,
    nodes: Option<String>,
    weight: Both,
    disks: Vec<(String, Disk)>,
}

/// The limits of one disk, in the order of the document.
#[derive(Debug, Default)]
struct Disk([Both; 5]);

const DISK_LIMITS: [&str; 5] =
    ["weight", "read_iops_sec", "write_iops_sec", "read_bytes_sec", "write_bytes_sec"];

impl Limits {
    /// One `lxc.cgroup.FILE`.
    pub(super) fn v1(
        &mut self,
        file: &str,
        setting: &Setting,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        match file {
            "memory.limit_in_bytes" => self.hard = amount(setting)?,
            "memory.soft_limit_in_bytes" => self.soft = amount(setting)?,
            "memory.memsw.limit_in_bytes" => self.memory_and_swap = amount(setting)?,
            "cpu.shares" => self.shares.v1 = scalar(setting, 2, 262_144)?,
            "cpu.cfs_period_us" => self.period.v1 = scalar(setting, 1_000, 1_000_000)?,
            "cpu.cfs_quota_us" => self.quota = quota(setting, &setting.value)?,
            "cpuset.cpus" | "cpuset.mems" => self.cpuset(file, setting)?,
            "blkio.weight" => self.weight.v1 = scalar(setting, 10, 1_000)?,
            "blkio.weight_device" | "blkio.device_weight" => self.v1_disk(0, setting, notes)?,
            "blkio.throttle.read_iops_device" => self.v1_disk(1, setting, notes)?,
            "blkio.throttle.write_iops_device" => self.v1_disk(2, setting, notes)?,
            "blkio.throttle.read_bps_device" => self.v1_disk(3, setting, notes)?,
            "blkio.throttle.write_bps_device" => self.v1_disk(4, setting, notes)?,
            _ => other(file, setting, notes),
        }
        Ok(())
    }

    /// One `lxc.cgroup2.FILE`.
    pub(super) fn v2(
        &mut self,
        file: &str,
        setting: &Setting,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        match file {
            "memory.max" => self.hard_v2 = amount(setting)?,
            "memory.high" => self.soft_v2 = amount(setting)?,
            "memory.swap.max" => self.swap_v2 = amount(setting)?,
            "cpu.weight" => {
                self.shares.v2 = scalar(setting, 1, 10_000)?.map(shares_of_weight);
            }
            "cpu.max" => self.cpu_max(setting)?,
            "cpuset.cpus" | "cpuset.mems" => self.cpuset(file, setting)?,
            "io.weight" | "io.bfq.weight" => self.v2_weight(setting, notes)?,
            "io.max" => self.v2_disk(setting, notes)?,
            _ => other(file, setting, notes),
        }
        Ok(())
    }

    fn cpuset(&mut self, file: &str, setting: &Setting) -> Result<()> {
        let list = match setting.value.is_empty() {
            true => None,
            false => Some(number::bitmap(&setting.value).map_err(|e| setting.invalid(e))?),
        };
        match file {
            "cpuset.cpus" => self.cpus = list,
            _ => self.nodes = list,
        }
        Ok(())
    }

    fn cpu_max(&mut self, setting: &Setting) -> Result<()> {
        let mut words = setting.value.split_whitespace();
        let (first, second) = (words.next(), words.next());
        self.quota_v2 = match first {
            None | Some("max") => None,
            Some(word) => quota(setting, word)?,
        };
        self.period.v2 = match second {
            // Without a limit the kernel's own period says nothing.
            None if self.quota_v2.is_none() => None,
            None => Some(100_000),
            Some(word) => {
                Some(number::within(word, 1_000, 1_000_000).map_err(|e| setting.invalid(e))?)
            }
        };
        Ok(())
    }

    fn v1_disk(&mut self, limit: usize, setting: &Setting, notes: &mut Vec<String>) -> Result<()> {
        if setting.value.is_empty() {
            return Ok(());
        }
        let mut words = setting.value.split_whitespace();
        let (Some(disk), Some(value), None) = (words.next(), words.next(), words.next()) else {
            return Err(setting.invalid("not of the form MAJOR:MINOR NUMBER"));
        };
        let value = number::unsigned(value).map_err(|e| setting.invalid(e))?;
        self.disk_limit(disk, limit, setting, notes, |both| both.v1 = Some(value))
    }

    fn v2_weight(&mut self, setting: &Setting, notes: &mut Vec<String>) -> Result<()> {
        let words: Vec<_> = setting.value.split_whitespace().collect();
        let weight = |word| number::within(word, 1, 10_000).map_err(|e| setting.invalid(e));
        match words.as_slice() {
            [] => self.weight.v2 = None,
            [word] | ["default", word] => self.weight.v2 = Some(weight(word)?),
            [disk, word] => {
                let value = weight(word)?;
                self.disk_limit(disk, 0, setting, notes, |both| both.v2 = Some(value))?;
            }
            _ => return Err(setting.invalid("not of the form [MAJOR:MINOR] NUMBER")),
        }
        Ok(())
    }

    fn v2_disk(&mut self, setting: &Setting, notes: &mut Vec<String>) -> Result<()> {
        let mut words = setting.value.split_whitespace();
        let Some(disk) = words.next() else { return Ok(()) };
        for word in words {
            let limit = match word.split_once('=') {
                Some(("riops", value)) => (1, value),
                Some(("wiops", value)) => (2, value),
                Some(("rbps", value)) => (3, value),
                Some(("wbps", value)) => (4, value),
                _ => return Err(setting.invalid(format_args!("no limit '{}'", Excerpt(word)))),
            };
            if limit.1 == "max" {
                continue;
            }
            let value = number::unsigned(limit.1).map_err(|e| setting.invalid(e))?;
            self.disk_limit(disk, limit.0, setting, notes, |both| both.v2 = Some(value))?;
        }
        Ok(())
    }

    fn disk_limit(
        &mut self,
        disk: &str,
        limit: usize,
        setting: &Setting,
        notes: &mut Vec<String>,
        set: impl FnOnce(&mut Both),
    ) -> Result<()> {
        let numbers = disk.split_once(':');
        let is_device = numbers.is_some_and(|(major, minor)| {
            number::within(major, 0, 4_095).is_ok() && number::within(minor, 0, 1_048_575).is_ok()
        });
        if !is_device {
            return Err(setting.invalid("a disk is named by MAJOR:MINOR"));
        }
        let at = match self.disks.iter().position(|(name, _)| name == disk) {
            Some(at) => at,
            None if self.disks.len() == MAX_DEVICES => {
                notes.push(setting.note(format_args!("more than {MAX_DEVICES} disks")));
                return Ok(());
            }
            None => {
                self.disks.push((disk.to_owned(), Disk::default()));
                self.disks.len() - 1
            }
        };
        if let Some(both) = self.disks.get_mut(at).and_then(|(_, disk)| disk.0.get_mut(limit)) {
            set(both);
        }
        Ok(())
    }

    /// `<memory>` and `<currentMemory>`.
    pub(super) fn memory(&self, notes: &mut Vec<String>) -> [Element; 2] {
        let limit = [self.hard_v2, self.hard].into_iter().flatten().find_map(Amount::kib);
        let limit = self.hard.and_then(Amount::kib).or(limit);
        if limit.is_none() {
            notes.push(format!(
                "the configuration does not limit memory, and a domain must: <memory> is \
                 {DEFAULT_KIB} KiB, as libvirt sets it"
            ));
        }
        let kib = limit.unwrap_or(DEFAULT_KIB).max(1);
        ["memory", "currentMemory"].map(|name| kib_leaf(name, kib))
    }

    /// `<blkiotune>` and `<memtune>`, as far as there is something to say.
    pub(super) fn tuning(&self, notes: &mut Vec<String>) -> Vec<Element> {
        let mut elements = Vec::new();
        let mut blkio = Vec::new();
        if let Some(weight) = self.weight.value() {
            blkio.push(decimal("weight", weight));
        }
        for (disk, limits) in &self.disks {
            let path = build::leaf("path", &[], &format!("/dev/block/{disk}"));
            let limits = DISK_LIMITS.iter().zip(limits.0);
            let limits =
                limits.filter_map(|(name, both)| both.value().map(|value| decimal(name, value)));
            blkio.push(build::parent("device", &[], std::iter::once(path).chain(limits)));
        }
        elements.push(build::parent("blkiotune", &[], blkio));
        elements.push(build::parent("memtune", &[], self.memtune(notes)));
        elements.retain(|element| !element.children.is_empty());
        elements
    }

    fn memtune(&self, notes: &mut Vec<String>) -> Vec<Element> {
        differing("memory.limit_in_bytes", "memory.max", self.hard, self.hard_v2, notes);
        differing("memory.soft_limit_in_bytes", "memory.high", self.soft, self.soft_v2, notes);
        // v2 counts swap alone, v1 and libvirt memory and swap together.
        let hard = self.hard.or(self.hard_v2).and_then(Amount::kib);
        let together = match (hard, self.swap_v2) {
            (Some(hard), Some(Amount::Kib(swap))) => Some(Amount::Kib(hard.saturating_add(swap))),
            (None, Some(Amount::Kib(_))) if self.memory_and_swap.is_none() => {
                notes.push(
                    "lxc.cgroup2.memory.swap.max: without lxc.cgroup2.memory.max a domain has no \
                     way to limit swap"
                        .to_owned(),
                );
                None
            }
            _ => None,
        };
        let (v1, v2) = ("memory.memsw.limit_in_bytes", "memory.swap.max");
        differing(v1, v2, self.memory_and_swap, together, notes);
        let limits = [
            ("hard_limit", self.hard),
            ("soft_limit", self.soft.or(self.soft_v2)),
            ("swap_hard_limit", self.memory_and_swap.or(together)),
        ];
        let limits = limits.into_iter();
        limits
            .filter_map(|(name, amount)| Some(kib_leaf(name, amount.and_then(Amount::kib)?)))
            .collect()
    }

    /// `<vcpu>`, `<cputune>` and `<numatune>`.
    pub(super) fn processors(&self, notes: &mut Vec<String>) -> Vec<Element> {
        let mut vcpu = build::leaf("vcpu", &[("placement", "static")], "1");
        if let Some(cpus) = &self.cpus {
            vcpu.attributes.push(("cpuset".to_owned(), cpus.clone()));
        }
        if let Both { v1: Some(v1), v2: Some(v2) } = self.shares
            && weight_of_shares(v1) != weight_of_shares(v2)
        {
            notes.push(disagree("cpu.shares", "cpu.weight"));
        }
        let quota_v1 = self.quota.filter(|&quota| quota >= 0);
        if self.quota.is_some() && self.quota_v2.is_some() && quota_v1 != self.quota_v2 {
            notes.push(disagree("cpu.cfs_quota_us", "cpu.max"));
        }
        let mut cputune = Vec::new();
        cputune.extend(self.shares.value().map(|shares| decimal("shares", shares)));
        cputune.extend(self.period.value().map(|period| decimal("period", period)));
        let quota = self.quota.or(self.quota_v2);
        cputune.extend(quota.map(|quota| build::leaf("quota", &[], &quota.to_string())));
        let mut elements = vec![vcpu];
        if !cputune.is_empty() {
            elements.push(build::parent("cputune", &[], cputune));
        }
        if let Some(nodes) = &self.nodes {
            let memory = build::empty("memory", &[("mode", "strict"), ("nodeset", nodes)]);
            elements.push(build::parent("numatune", &[], [memory]));
        }
        elements
    }
}

impl Amount {
    fn kib(self) -> Option<u64> {
        match self {
            Self::Kib(kib) => Some(kib),
            Self::Unlimited => None,
        }
    }
}

/// The proportion of cpu.shares (1024 by default) to cpu.weight (100 by default).
pub(super) fn weight_of_shares(shares: u64) -> u64 {
    (shares.saturating_mul(100) / 1_024).clamp(1, 10_000)
}

fn shares_of_weight(weight: u64) -> u64 {
    // Rounded up, so that the way back gives the same weight.
    (weight.saturating_mul(1_024).div_ceil(100)).clamp(2, 262_144)
}

fn amount(setting: &Setting) -> Result<Option<Amount>> {
    match setting.value.as_str() {
        "" => Ok(None),
        "-1" | "max" => Ok(Some(Amount::Unlimited)),
        value => {
            let kib = number::bytes(value).map_err(|e| setting.invalid(e))?.div_ceil(1_024);
            Ok(Some(if kib >= UNLIMITED_KIB { Amount::Unlimited } else { Amount::Kib(kib) }))
        }
    }
}

fn scalar(setting: &Setting, least: u64, most: u64) -> Result<Option<u64>> {
    if setting.value.is_empty() {
        return Ok(None);
    }
    number::within(&setting.value, least, most).map(Some).map_err(|e| setting.invalid(e))
}

fn quota(setting: &Setting, word: &str) -> Result<Option<i64>> {
    if word.is_empty() {
        return Ok(None);
    }
    if let Some(rest) = word.strip_prefix('-') {
        number::unsigned(rest).map_err(|e| setting.invalid(e))?;
        return Ok(Some(-1));
    }
    // What fits libvirt's type for it.
    let quota = number::within(word, 1_000, 18_446_744_073_709_551).map_err(|e| setting.invalid(e));
    Ok(i64::try_from(quota?).ok())
}

fn differing(
    v1: &str,
    v2: &str,
    first: Option<Amount>,
    second: Option<Amount>,
    notes: &mut Vec<String>,
) {
    if first.is_some() && second.is_some() && first != second {
        notes.push(disagree(v1, v2));
    }
}

fn disagree(v1: &str, v2: &str) -> String {
    format!("lxc.cgroup.{v1} and lxc.cgroup2.{v2} disagree: the domain has the first")
}

/// Device nodes every container has.
const USUAL_DEVICES: [&str; 12] = [
    "c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 4:0", "c 4:1", "c 5:0", "c 5:1", "c 5:2",
    "c 136:*", "c *:*",
];

/// What a domain has no number for.
fn other(file: &str, setting: &Setting, notes: &mut Vec<String>) {
    let value = setting.value.as_str();
    let is_usual = match file {
        // The rest is denied to every container.
        "devices.deny" => value == "a",
        "devices.allow" => USUAL_DEVICES.iter().any(|usual| value.starts_with(usual)),
        _ => false,
    };
    let reason = match file {
        _ if is_usual => return,
        "devices.allow" | "devices.deny" => {
            "access to devices follows the devices of the domain, and no rule can be added"
        }
        "pids.max" => "a domain has no limit for the number of processes",
        "memory.min" | "memory.low" => "a domain has no protection of memory",
        _ => "a domain has no element for this file",
    };
    notes.push(setting.note(reason));
}

fn decimal(name: &str, value: u64) -> Element {
    build::leaf(name, &[], &value.to_string())
}

fn kib_leaf(name: &str, kib: u64) -> Element {
    build::leaf(name, &[("unit", "KiB")], &kib.to_string())
}
