//! What domains use: the numbers of libvirt's calls.

use std::sync::Arc;

use super::domain::{Domain, Run};
use super::lifecycle::Operation;
use super::tuning::{Parameters, Value};
use super::{Driver, check_flags, links};
use crate::cgroup::{BlockUsage, CpuTime};
use crate::error::{Error, ErrorCode, Result};
use crate::network::Traffic;

/// `VIR_DOMAIN_MEMORY_STAT_*`, in KiB but for the faults.
mod memory_stat {
    pub(super) const SWAP_IN: i32 = 0;
    pub(super) const MAJOR_FAULT: i32 = 2;
    pub(super) const MINOR_FAULT: i32 = 3;
    pub(super) const ACTUAL: i32 = 6;
    pub(super) const RSS: i32 = 7;
    pub(super) const DISK_CACHES: i32 = 10;
}

/// `VIR_DOMAIN_STATS_*`, the groups a container has something to say about.
mod group {
    pub(super) const STATE: u32 = 1;
    pub(super) const CPU_TOTAL: u32 = 1 << 1;
    pub(super) const BALLOON: u32 = 1 << 2;
    pub(super) const VCPU: u32 = 1 << 3;
    pub(super) const INTERFACE: u32 = 1 << 4;
    pub(super) const BLOCK: u32 = 1 << 5;
    pub(super) const ALL: u32 = (1 << 6) - 1;
}

/// `VIR_CONNECT_GET_ALL_DOMAINS_STATS_*` beside the flags that choose domains.
const NOWAIT: u32 = 1 << 29;
const BACKING: u32 = 1 << 30;
const ENFORCE: u32 = 1 << 31;

impl Driver {
    /// Memory: what it is to have, what it uses, and what became of it, by libvirt's numbers.
    pub fn memory_stats(&self, domain: &Domain, flags: u32) -> Result<Vec<(i32, u64)>> {
        check_flags(flags, 0, "lxcDomainMemoryStats")?;
        let usage = running(domain)?.group.memory_usage()?;
        let actual = domain.snapshot().current().map_or(0, |document| document.current_memory);
        Ok(vec![
            (memory_stat::ACTUAL, actual),
            (memory_stat::SWAP_IN, usage.swap / 1024),
            (memory_stat::RSS, usage.memory / 1024),
            (memory_stat::MAJOR_FAULT, usage.major_faults),
            (memory_stat::MINOR_FAULT, usage.minor_faults),
            (memory_stat::DISK_CACHES, usage.cache / 1024),
        ])
    }

    /// Processor time of all processors together.
    pub fn cpu_stats(&self, domain: &Domain) -> Result<CpuTime> {
        running(domain)?.group.cpu_time()
    }

    /// Processor time by processor, in nanoseconds.
    pub fn cpu_stats_by_processor(&self, domain: &Domain) -> Result<Vec<u64>> {
        running(domain)?.group.cpu_time_by_processor()?.ok_or_else(|| {
            Error::new(
                ErrorCode::OperationUnsupported,
                "control groups of version 2 do not count processors one by one",
            )
        })
    }

    /// Input and output of block devices; the path is empty and means all of them.
    pub fn block_stats(&self, domain: &Domain, path: &str) -> Result<BlockUsage> {
        let run = running(domain)?;
        match path {
            "" => run.group.block_usage(),
            path => Err(Error::new(ErrorCode::InvalidArg, format!("invalid path: {path}"))),
        }
    }

    /// The statistics of the groups asked for, 0 meaning all there are.
    pub fn stats(&self, domain: &Domain, groups: u32, flags: u32) -> Result<Parameters> {
        check_flags(flags, 0, "lxcConnectGetAllDomainStats")?;
        let wanted = |group| groups == 0 || groups & group != 0;
        let info = self.info(domain)?;
        let run = domain.run().ok();
        let mut stats: Vec<(&'static str, Value)> = Vec::new();
        if wanted(group::STATE) {
            let (state, reason) = domain.snapshot().state_numbers();
            stats
                .extend([("state.state", Value::Int(state)), ("state.reason", Value::Int(reason))]);
        }
        if let Some(run) = run.as_ref().filter(|_| wanted(group::CPU_TOTAL)) {
            let time = run.group.cpu_time()?;
            stats.push(("cpu.time", Value::ULong(time.total)));
            stats.push(("cpu.user", Value::ULong(time.user)));
            stats.push(("cpu.system", Value::ULong(time.system)));
        }
        if wanted(group::BALLOON) {
            let current = domain.snapshot().current().map_or(0, |document| document.current_memory);
            stats.push(("balloon.current", Value::ULong(current)));
            stats.push(("balloon.maximum", Value::ULong(info.max_memory)));
            stats.extend(run.as_ref().map(|_| ("balloon.rss", Value::ULong(info.memory))));
        }
        if wanted(group::VCPU) {
            stats.push(("vcpu.current", Value::UInt(info.vcpus)));
            stats.push(("vcpu.maximum", Value::UInt(self.most_vcpus(domain))));
        }
        if let Some(run) = run.as_ref().filter(|_| wanted(group::BLOCK)) {
            stats.extend(block(run)?);
        }
        let mut stats: Parameters =
            stats.into_iter().map(|(name, value)| (name.into(), value)).collect();
        if run.is_some() && wanted(group::INTERFACE) {
            stats.extend(interfaces(&links::traffic(domain)?));
        }
        Ok(stats)
    }

    /// The same of several domains: those given, or (none) all that flags admit, as in
    /// [`Driver::list`]. Flag 2^31: the groups asked for must all be known.
    pub fn all_stats(
        &self,
        domains: Vec<Arc<Domain>>,
        groups: u32,
        flags: u32,
    ) -> Result<Vec<(Arc<Domain>, Parameters)>> {
        let unknown = groups & !group::ALL;
        if flags & ENFORCE != 0 && unknown != 0 {
            let text = format!("Stats types bits 0x{unknown:x} are not supported by this daemon");
            return Err(Error::new(ErrorCode::ArgumentUnsupported, text));
        }
        let domains = match domains.is_empty() {
            true => self.list(flags & !(ENFORCE | BACKING | NOWAIT))?,
            false => domains,
        };
        // Of groups that are all unknown there is nothing to say.
        let groups = if groups == 0 { group::ALL } else { groups };
        let stats = |domain: Arc<Domain>| match self.stats(&domain, groups, 0) {
            // It has ended meanwhile.
            Err(_) if !domain.exists() => None,
            stats => Some(stats.map(|stats| (domain, stats))),
        };
        domains.into_iter().filter_map(stats).collect()
    }

    fn most_vcpus(&self, domain: &Domain) -> u32 {
        domain.snapshot().current().map_or(0, |document| document.vcpus.maximum)
    }
}

/// All block devices count as one without a name. A host without the controller counts none.
fn block(run: &Run) -> Result<Vec<(&'static str, Value)>> {
    let usage = match run.group.block_usage() {
        Err(error) if error.code == ErrorCode::OperationInvalid => return Ok(Vec::new()),
        usage => usage?,
    };
    Ok(vec![
        ("block.count", Value::UInt(1)),
        ("block.0.name", Value::Text(String::new())),
        ("block.0.rd.reqs", Value::ULong(usage.read_operations)),
        ("block.0.rd.bytes", Value::ULong(usage.read_bytes)),
        ("block.0.wr.reqs", Value::ULong(usage.write_operations)),
        ("block.0.wr.bytes", Value::ULong(usage.write_bytes)),
    ])
}

/// Network devices by their names on the host, as the container sees their traffic.
fn interfaces(traffic: &[(String, Traffic)]) -> Parameters {
    const COUNTERS: [&str; 4] = ["bytes", "pkts", "errs", "drop"];
    let count = u32::try_from(traffic.len()).unwrap_or(u32::MAX);
    let mut stats: Parameters = vec![("net.count".into(), Value::UInt(count))];
    for (number, (name, Traffic { received, sent })) in traffic.iter().enumerate() {
        stats.push((format!("net.{number}.name").into(), Value::Text(name.clone())));
        for (side, counted) in [("rx", received), ("tx", sent)] {
            stats.extend(COUNTERS.iter().zip(counted).map(|(counter, value)| {
                (format!("net.{number}.{side}.{counter}").into(), Value::ULong(*value))
            }));
        }
    }
    stats
}

fn running(domain: &Domain) -> Result<Arc<Run>> {
    domain.admit(Operation::UseLive)?;
    domain.run()
}
