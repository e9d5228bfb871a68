//! What of a running container's limits a changed document changes.

use super::limits::{block, cpu, memory};
use super::{CgroupVersion, DeviceLimit, Host, Limit, Present, Setting};
use crate::error::Result;
use crate::model::Domain;

/// Limits of memory that are different after a change. No limit may pass the one of memory and
/// swap on the way, so it goes first where memory grows.
pub fn memory_changes(before: &Domain, after: &Domain, host: &Host) -> Result<Vec<Setting>> {
    let (old, new) = (memory(before, host)?, memory(after, host)?);
    let mut changes = changes(&old, &new, host);
    if hard(&new) > hard(&old) {
        changes.reverse();
    }
    Ok(changes)
}

fn hard(settings: &[Setting]) -> Option<u64> {
    settings.iter().find_map(|setting| match setting.limit {
        Limit::Memory(bytes) => Some(bytes),
        _ => None,
    })
}

/// Limits of processor time that are different after a change.
pub fn cpu_changes(before: &Domain, after: &Domain, host: &Host) -> Vec<Setting> {
    changes(&cpu(before, host), &cpu(after, host), host)
}

/// Limits of block devices that are different after a change.
pub fn block_changes(
    before: &Domain,
    after: &Domain,
    host: &Host,
    present: &Present,
) -> Result<Vec<Setting>> {
    Ok(changes(&block(before, present)?, &block(after, present)?, host))
}

/// What is new or different, and the lifting of what is no more.
fn changes(old: &[Setting], new: &[Setting], host: &Host) -> Vec<Setting> {
    let gone = old.iter().filter(|old| !new.iter().any(|new| new.limit.is_same_kind(&old.limit)));
    let lifted = gone.map(|setting| Setting {
        element: setting.element.clone(),
        limit: lifted(&setting.limit, host),
    });
    let set = new.iter().filter(|setting| !old.contains(setting)).cloned();
    set.chain(lifted).collect()
}

/// A limit that limits nothing: what a new group has.
fn lifted(limit: &Limit, host: &Host) -> Limit {
    let is_v2 = host.version(limit.controller()) == Some(CgroupVersion::V2);
    match limit {
        Limit::Memory(_) => Limit::Memory(u64::MAX),
        // Version 1 has a limit that pushes back, version 2 one that protects.
        Limit::SoftMemory(_) => Limit::SoftMemory(if is_v2 { 0 } else { u64::MAX }),
        Limit::Swap(_) => Limit::Swap(u64::MAX),
        Limit::CpuShares(_) => Limit::CpuShares(if is_v2 { 100 } else { 1024 }),
        Limit::CpuPeriod(_) => Limit::CpuPeriod(100_000),
        Limit::CpuQuota(_) => Limit::CpuQuota(-1),
        Limit::BlockWeight(_) => Limit::BlockWeight(100),
        Limit::Device(device, DeviceLimit::Weight(_)) => {
            Limit::Device(*device, DeviceLimit::Weight(0))
        }
        Limit::Device(device, limit) => Limit::Device(*device, limit.with(u64::MAX)),
        // These do not change while a container runs.
        Limit::Cpus(_) | Limit::MemoryNodes(_) | Limit::Processes(_) => limit.clone(),
    }
}

impl Limit {
    /// Whether both limit the same, to whatever number.
    fn is_same_kind(&self, other: &Self) -> bool {
        use std::mem::discriminant;
        match (self, other) {
            (Self::Device(one, limit), Self::Device(two, other)) => {
                one == two && discriminant(limit) == discriminant(other)
            }
            _ => discriminant(self) == discriminant(other),
        }
    }
}

impl DeviceLimit {
    fn with(self, number: u64) -> Self {
        match self {
            Self::Weight(_) => self,
            Self::ReadOperations(_) => Self::ReadOperations(number),
            Self::WriteOperations(_) => Self::WriteOperations(number),
            Self::ReadBytes(_) => Self::ReadBytes(number),
            Self::WriteBytes(_) => Self::WriteBytes(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{domain_with, host_with};
    use super::*;

    fn memory_from(before: &str, after: &str) -> Vec<Limit> {
        let tune = |text: &str| domain_with(&format!("<memtune>{text}</memtune>"));
        let host = host_with(CgroupVersion::V1);
        let changes = memory_changes(&tune(before), &tune(after), &host).unwrap();
        changes.into_iter().map(|setting| setting.limit).collect()
    }

    #[test]
    fn memory_grows_after_its_sum_with_swap_and_shrinks_before_it() {
        let (hard, swap) = (
            |n| format!("<hard_limit>{n}</hard_limit>"),
            |n| format!("<swap_hard_limit>{n}</swap_hard_limit>"),
        );
        let small = format!("{}{}", hard(1), swap(2));
        let large = format!("{}{}", hard(3), swap(4));
        assert_eq!(memory_from(&small, &large), [Limit::Swap(4096), Limit::Memory(3072)]);
        assert_eq!(memory_from(&large, &small), [Limit::Memory(1024), Limit::Swap(2048)]);
        assert_eq!(memory_from(&large, &hard(3)), [Limit::Swap(u64::MAX)]);
        assert_eq!(memory_from(&large, &large), []);
    }

    #[test]
    fn what_is_no_more_is_as_in_a_new_group() {
        let device = |limit: &str| {
            let device = format!("<device><path>/dev/a</path>{limit}</device>");
            domain_with(&format!("<blkiotune>{device}</blkiotune>"))
        };
        let number = super::super::BlockDevice { major: 1, minor: 2 };
        let present =
            Present { block_devices: vec![("/dev/a".to_owned(), number)], ..Present::default() };
        let read = device("<read_bytes_sec>7</read_bytes_sec><weight>5</weight>");
        let write = device("<write_bytes_sec>8</write_bytes_sec>");
        let host = host_with(CgroupVersion::V2);
        let changes = block_changes(&read, &write, &host, &present).unwrap();
        let limits: Vec<_> = changes.into_iter().map(|setting| setting.limit).collect();
        let expected =
            [DeviceLimit::WriteBytes(8), DeviceLimit::Weight(0), DeviceLimit::ReadBytes(u64::MAX)];
        assert_eq!(limits, expected.map(|limit| Limit::Device(number, limit)));
        let tuned = domain_with("<cputune><shares>9</shares><quota>1000</quota></cputune>");
        let changes = cpu_changes(&tuned, &domain_with(""), &host);
        let limits: Vec<_> = changes.into_iter().map(|setting| setting.limit).collect();
        assert_eq!(limits, [Limit::CpuShares(100), Limit::CpuQuota(-1)]);
    }
}
