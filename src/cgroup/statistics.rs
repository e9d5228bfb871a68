//! What a container has used, and which of its limits are in force.

use std::fs;
use std::path::PathBuf;

use super::group::{Group, PAYLOAD, read};
use super::{Hierarchy, Version};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};

/// What a container has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory in use, page cache included, in bytes.
    pub memory: u64,
    /// Processor time.
    pub cpu: CpuTime,
}

/// Processor time, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// All of it.
    pub total: u64,
    /// In programs.
    pub user: u64,
    /// In the kernel for them.
    pub system: u64,
}

/// What became of a container's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// In use, page cache included, in bytes.
    pub memory: u64,
    /// Swapped out, in bytes.
    pub swap: u64,
    /// Page cache, in bytes.
    pub cache: u64,
    /// Page faults that had to read.
    pub major_faults: u64,
    /// Page faults that had not.
    pub minor_faults: u64,
}

/// Input and output of block devices, all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlockUsage {
    /// Reads.
    pub read_operations: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Writes.
    pub write_operations: u64,
    /// Bytes written.
    pub write_bytes: u64,
}

/// Limits of memory in force, in bytes; None where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Memory.
    pub hard: Option<u64>,
    /// What is pushed back to, or protected.
    pub soft: Option<u64>,
    /// Memory and swap together.
    pub with_swap: Option<u64>,
}

/// Shares and limits of processor time in force, in the kernel's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuLimits {
    /// Shares of version 1, or weight of version 2.
    pub shares: u64,
    /// Microseconds.
    pub period: u64,
    /// Microseconds in a period; -1 for no limit.
    pub quota: i64,
}

/// Version 1 has no word for "no limit", but the largest number of pages, whatever their size.
const V1_UNLIMITED: u64 = i64::MAX as u64 / 65536 * 65536;

impl Group {
    /// The payload in the hierarchy that has a controller, and whether that is version 2.
    fn payload_with(&self, controller: &str) -> Option<(PathBuf, bool)> {
        let hierarchy: &Hierarchy = self.layout.with(controller)?;
        Some((self.directory(hierarchy, PAYLOAD), hierarchy.version == Version::V2))
    }

    fn payload_or_error(&self, controller: &str) -> Result<(PathBuf, bool)> {
        self.payload_with(controller).ok_or_else(|| {
            let text = format!("cgroup {controller} controller is not mounted");
            Error::new(ErrorCode::OperationInvalid, text).in_domain(ErrorDomain::Cgroup)
        })
    }

    /// What the container has used so far.
    pub fn usage(&self) -> Result<Usage> {
        let memory = match self.payload_with("memory") {
            Some((group, false)) => number(&read(&group.join("memory.usage_in_bytes"))?),
            Some((group, true)) => number(&read(&group.join("memory.current"))?),
            None => 0,
        };
        Ok(Usage { memory, cpu: self.cpu_time()? })
    }

    /// Processor time, which version 2 counts without any controller.
    pub fn cpu_time(&self) -> Result<CpuTime> {
        if let Some(group) = self.v1_with("cpuacct", PAYLOAD) {
            let text = read(&group.join("cpuacct.stat"))?;
            // In hundredths of a second (`USER_HZ`).
            let ticks = |name| field(&text, name).saturating_mul(10_000_000);
            let total = number(&read(&group.join("cpuacct.usage"))?);
            return Ok(CpuTime { total, user: ticks("user"), system: ticks("system") });
        }
        let Some(group) = self.v2(PAYLOAD) else { return Ok(CpuTime::default()) };
        let text = read(&group.join("cpu.stat"))?;
        let nanoseconds = |name| field(&text, name).saturating_mul(1000);
        Ok(CpuTime {
            total: nanoseconds("usage_usec"),
            user: nanoseconds("user_usec"),
            system: nanoseconds("system_usec"),
        })
    }

    /// Processor time by processor, in nanoseconds; None where only version 2 counts.
    pub fn cpu_time_by_processor(&self) -> Result<Option<Vec<u64>>> {
        let Some(group) = self.v1_with("cpuacct", PAYLOAD) else { return Ok(None) };
        let text = read(&group.join("cpuacct.usage_percpu"))?;
        Ok(Some(text.split_whitespace().map(number).collect()))
    }

    /// What became of the container's memory.
    pub fn memory_usage(&self) -> Result<MemoryUsage> {
        let (group, version2) = self.payload_or_error("memory")?;
        let text = read(&group.join("memory.stat"))?;
        let of = |v1: &str, v2: &str| field(&text, if version2 { v2 } else { v1 });
        let faults = of("total_pgfault", "pgfault");
        let major_faults = of("total_pgmajfault", "pgmajfault");
        let current = if version2 { "memory.current" } else { "memory.usage_in_bytes" };
        // Version 2 has a file of its own, unless the kernel has no swap.
        let swap = match version2 {
            false => field(&text, "total_swap"),
            true => fs::read_to_string(group.join("memory.swap.current"))
                .map_or(0, |text| number(&text)),
        };
        Ok(MemoryUsage {
            memory: number(&read(&group.join(current))?),
            swap,
            cache: of("total_cache", "file"),
            major_faults,
            minor_faults: faults.saturating_sub(major_faults),
        })
    }

    /// Input and output of all block devices.
    pub fn block_usage(&self) -> Result<BlockUsage> {
        let (group, version2) = self.payload_or_error("blkio")?;
        if version2 {
            return Ok(BlockUsage::of_v2(&read(&group.join("io.stat"))?));
        }
        let sums = |name: &str| {
            let text = read(&group.join(format!("blkio.throttle.{name}_recursive")))?;
            Ok::<_, Error>((sum_of_v1(&text, "Read"), sum_of_v1(&text, "Write")))
        };
        let (read_bytes, write_bytes) = sums("io_service_bytes")?;
        let (read_operations, write_operations) = sums("io_serviced")?;
        Ok(BlockUsage { read_operations, read_bytes, write_operations, write_bytes })
    }

    /// Limits of memory in force.
    pub fn memory_limits(&self) -> Result<MemoryLimits> {
        let (group, version2) = self.payload_or_error("memory")?;
        if !version2 {
            let limit = |name: &str| {
                let text = fs::read_to_string(group.join(name)).ok()?;
                Some(number(&text)).filter(|&limit| limit < V1_UNLIMITED)
            };
            return Ok(MemoryLimits {
                hard: limit("memory.limit_in_bytes"),
                soft: limit("memory.soft_limit_in_bytes"),
                with_swap: limit("memory.memsw.limit_in_bytes"),
            });
        }
        let limit = |name: &str| fs::read_to_string(group.join(name)).ok()?.trim().parse().ok();
        let hard: Option<u64> = limit("memory.max");
        let with_swap =
            hard.zip(limit("memory.swap.max")).map(|(a, b): (u64, u64)| a.saturating_add(b));
        Ok(MemoryLimits { hard, soft: limit("memory.low").filter(|&it| it != 0), with_swap })
    }

    /// Shares and limits of processor time in force.
    pub fn cpu_limits(&self) -> Result<CpuLimits> {
        let (group, version2) = self.payload_or_error("cpu")?;
        if !version2 {
            let quota = read(&group.join("cpu.cfs_quota_us"))?;
            return Ok(CpuLimits {
                shares: number(&read(&group.join("cpu.shares"))?),
                period: number(&read(&group.join("cpu.cfs_period_us"))?),
                quota: quota.trim().parse().unwrap_or(-1),
            });
        }
        let bandwidth = read(&group.join("cpu.max"))?;
        let (quota, period) = bandwidth.trim().split_once(' ').unwrap_or(("max", "100000"));
        Ok(CpuLimits {
            shares: number(&read(&group.join("cpu.weight"))?),
            period: number(period),
            quota: quota.parse().unwrap_or(-1),
        })
    }

    /// The share of block devices in force; None where the kernel has none.
    pub fn block_weight(&self) -> Result<Option<u64>> {
        let (group, _) = self.payload_or_error("blkio")?;
        let files = ["io.weight", "io.bfq.weight", "blkio.bfq.weight", "blkio.weight"];
        let text = files.iter().find_map(|name| fs::read_to_string(group.join(name)).ok());
        Ok(text.map(|text| {
            let line = text.lines().next().unwrap_or_default();
            number(line.strip_prefix("default ").unwrap_or(line))
        }))
    }
}

impl BlockUsage {
    /// `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`
    fn of_v2(text: &str) -> Self {
        let sum = |key: &str| {
            let fields = text.split_whitespace();
            fields.filter_map(|field| field.strip_prefix(key)?.strip_prefix('=')).map(number).sum()
        };
        Self {
            read_operations: sum("rios"),
            read_bytes: sum("rbytes"),
            write_operations: sum("wios"),
            write_bytes: sum("wbytes"),
        }
    }
}

/// `8:0 Read 4096`
fn sum_of_v1(text: &str, kind: &str) -> u64 {
    let number_of = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        (words.next() == Some(kind)).then(|| words.next().map_or(0, number))
    };
    text.lines().filter_map(number_of).sum()
}

/// The number of a line `NAME NUMBER`.
fn field(text: &str, name: &str) -> u64 {
    let value = |line: &str| Some(number(line.strip_prefix(name)?.strip_prefix(' ')?));
    text.lines().find_map(value).unwrap_or(0)
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_summed_up() {
        let text = "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=5 dios=1\n8:16 rbytes=5 rios=1\n";
        let usage = BlockUsage::of_v2(text);
        assert_eq!((usage.read_bytes, usage.read_operations), (15, 2));
        assert_eq!((usage.write_bytes, usage.write_operations), (20, 2));
        let text = "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\n8:16 Read 5\nTotal 35\n";
        assert_eq!((sum_of_v1(text, "Read"), sum_of_v1(text, "Write")), (15, 20));
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "pgfault 7\npgfaults 8\nuser 9\n";
        assert_eq!((field(text, "pgfault"), field(text, "user"), field(text, "pgf")), (7, 9, 0));
    }
}
