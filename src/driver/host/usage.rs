//! What the host uses, and has left: the numbers of libvirt's calls about the node.

use std::fs;
use std::path::{Path, PathBuf};

use crate::driver::tuning::{Parameters, Value};
use crate::driver::{Driver, check_flags};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::Bitmap;

/// Means all processors, or all nodes.
const ALL: i32 = -1;
/// Nanoseconds of a tick of `/proc/stat`, of which all architectures that Linux has now count 100
/// a second (`proc(5)`, `sysconf(_SC_CLK_TCK)`).
const TICK: u64 = 10_000_000;

/// Which processors there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuMap {
    /// A bit for each processor that is online, the first in the lowest bit of the first byte.
    pub online: Vec<u8>,
    /// How many are online.
    pub online_count: u32,
    /// How many there are.
    pub present_count: u32,
}

impl Driver {
    /// Time of one processor, or (-1) of all, in nanoseconds since the host started.
    pub fn node_cpu_stats(&self, cpu: i32, flags: u32) -> Result<Vec<(&'static str, u64)>> {
        check_flags(flags, 0, "virHostCPUGetStats")?;
        let text = read("/proc/stat")?;
        let name = if cpu == ALL { "cpu".to_owned() } else { format!("cpu{cpu}") };
        cpu_times(&text, &name).ok_or_else(|| {
            let text = "Invalid cpuNum in virHostCPUGetStatsLinux";
            Error::bare(ErrorCode::InvalidArg, text).in_domain(ErrorDomain::None)
        })
    }

    /// Memory of one node, or (-1) of all, in KiB.
    pub fn node_memory_stats(&self, cell: i32, flags: u32) -> Result<Vec<(&'static str, u64)>> {
        const TOTAL_AND_FREE: [(&str, &str); 2] = [("total", "MemTotal"), ("free", "MemFree")];
        const REST: [(&str, &str); 2] = [("buffers", "Buffers"), ("cached", "Cached")];
        check_flags(flags, 0, "virHostMemGetStats")?;
        if cell == ALL {
            let text = read("/proc/meminfo")?;
            return Ok(memory(&text, TOTAL_AND_FREE.into_iter().chain(REST)));
        }
        let last = self.topology().cells.len().saturating_sub(1);
        let path = node(cell, "meminfo");
        if !path.exists() {
            let text =
                format!("cellNum in virHostMemGetStats must be less than or equal to {last}");
            return Err(Error::bare(ErrorCode::InvalidArg, text).in_domain(ErrorDomain::None));
        }
        Ok(memory(&read(path)?, TOTAL_AND_FREE.into_iter()))
    }

    /// Memory that nothing uses, in bytes.
    pub fn node_free_memory(&self) -> Result<u64> {
        let free = memory(&read("/proc/meminfo")?, std::iter::once(("free", "MemFree")));
        Ok(free.first().map_or(0, |(_, kib)| kib.saturating_mul(1024)))
    }

    /// The same for each of some nodes.
    pub fn node_cells_free_memory(&self, first: i32, most: usize) -> Result<Vec<u64>> {
        let cells = self.cells_from(first)?.into_iter().take(most);
        let free = |cell| {
            let stats = self.node_memory_stats(cell, 0)?;
            let free = stats.iter().find(|(name, _)| *name == "free");
            Ok(free.map_or(0, |(_, kib)| kib.saturating_mul(1024)))
        };
        cells.map(free).collect()
    }

    /// How many pages of each size (KiB) are free on each of some nodes.
    pub fn node_free_pages(&self, sizes: &[u32], first: i32, most: usize) -> Result<Vec<u64>> {
        let mut counts = Vec::new();
        for cell in self.cells_from(first)?.into_iter().take(most) {
            for size in sizes {
                counts.push(self.free_pages(cell, *size)?);
            }
        }
        Ok(counts)
    }

    fn free_pages(&self, cell: i32, size: u32) -> Result<u64> {
        if u64::from(size) * 1024 == page_size() {
            let free = self.node_memory_stats(cell, 0)?;
            let free = free.iter().find(|(name, _)| *name == "free").map_or(0, |(_, kib)| *kib);
            return Ok(free / u64::from(size));
        }
        let path = node(cell, &format!("hugepages/hugepages-{size}kB/free_hugepages"));
        if !path.exists() {
            let text = format!("page size {size} is not available on node {cell}");
            let error = Error::new(ErrorCode::OperationFailed, text);
            return Err(error.in_domain(ErrorDomain::None));
        }
        let text = read(&path)?;
        text.trim().parse().map_err(|_| unreadable(&path, &text))
    }

    fn cells_from(&self, first: i32) -> Result<Vec<i32>> {
        let cells: Vec<i32> =
            self.topology().cells.iter().filter_map(|cell| cell.id.try_into().ok()).collect();
        let last = cells.last().copied().unwrap_or(0);
        if !(0..=last).contains(&first) {
            let text = format!("start cell {first} out of range (0-{last})");
            return Err(Error::new(ErrorCode::InternalError, text).in_domain(ErrorDomain::None));
        }
        Ok(cells.into_iter().filter(|cell| *cell >= first).collect())
    }

    /// Which processors there are.
    pub fn node_cpu_map(&self, flags: u32) -> Result<CpuMap> {
        check_flags(flags, 0, "virHostCPUGetMap")?;
        let list = |file: &str| {
            let path = Path::new("/sys/devices/system/cpu").join(file);
            let text = read(&path)?;
            Bitmap::parse(text.trim()).ok_or_else(|| unreadable(&path, &text))
        };
        let (present, online) = (list("present")?, list("online")?);
        let present_count = present.iter().last().map_or(0, |last| last + 1);
        Ok(CpuMap {
            online: bits(&online, present_count),
            online_count: u32::try_from(online.iter().count()).unwrap_or(u32::MAX),
            present_count,
        })
    }

    /// Sharing of pages with the same content (KSM).
    pub fn node_memory_parameters(&self, flags: u32) -> Result<Parameters> {
        check_flags(flags, crate::driver::tuning::STRINGS, "virHostMemGetParameters")?;
        let mut parameters = Vec::new();
        for (name, file, is_wide) in SHARED_PAGES {
            let path = Path::new(KSM).join(file);
            if !path.exists() {
                continue;
            }
            let text = read(&path)?;
            let number: u64 = text.trim().parse().map_err(|_| unreadable(&path, &text))?;
            let narrow = || Value::UInt(u32::try_from(number).unwrap_or(u32::MAX));
            parameters.push((name.into(), if is_wide { Value::ULong(number) } else { narrow() }));
        }
        Ok(parameters)
    }

    /// Sets how pages are shared: all that is given, or after an error nothing.
    pub fn set_node_memory_parameters(
        &self,
        parameters: &[(String, Value)],
        flags: u32,
    ) -> Result<()> {
        const KNOWN: [(&str, &str); 3] = [
            ("shm_pages_to_scan", "uint"),
            ("shm_sleep_millisecs", "uint"),
            ("shm_merge_across_nodes", "uint"),
        ];
        let set =
            crate::driver::tuning::Set::check(parameters, &KNOWN, "virNodeSetMemoryParameters")?;
        check_flags(flags, 0, "virHostMemSetParameters")?;
        let mut done: Vec<(PathBuf, String)> = Vec::new();
        for (name, file, _) in SHARED_PAGES {
            let Some(number) = set.uint(name) else { continue };
            let path = Path::new(KSM).join(file);
            let before = read(&path)?;
            if let Err(error) = fs::write(&path, number.to_string()) {
                for (path, before) in done.iter().rev() {
                    if let Err(error) = fs::write(path, before) {
                        tracing::error!("cannot put {} back: {error}", path.display());
                    }
                }
                return Err(Error::system(format!("cannot set {name} to {number}"), error));
            }
            done.push((path, before));
        }
        Ok(())
    }
}

const KSM: &str = "/sys/kernel/mm/ksm";
/// libvirt's names, the kernel's, and whether it is a number of 64 bits.
const SHARED_PAGES: [(&str, &str, bool); 8] = [
    ("shm_pages_to_scan", "pages_to_scan", false),
    ("shm_sleep_millisecs", "sleep_millisecs", false),
    ("shm_pages_shared", "pages_shared", true),
    ("shm_pages_sharing", "pages_sharing", true),
    ("shm_pages_unshared", "pages_unshared", true),
    ("shm_pages_volatile", "pages_volatile", true),
    ("shm_full_scans", "full_scans", true),
    ("shm_merge_across_nodes", "merge_across_nodes", false),
];

/// A bit for each processor, so many bytes as there are processors for.
pub(in crate::driver) fn bits(set: &Bitmap, count: u32) -> Vec<u8> {
    let length = usize::try_from(count.div_ceil(8)).unwrap_or(0);
    let mut bytes = vec![0; length];
    for index in set.iter() {
        let byte = usize::try_from(index / 8).ok().and_then(|at| bytes.get_mut(at));
        if let Some(byte) = byte {
            *byte |= 1 << (index % 8);
        }
    }
    bytes
}

fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

fn node(cell: i32, file: &str) -> PathBuf {
    format!("/sys/devices/system/node/node{cell}/{file}").into()
}

fn read(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    fs::read_to_string(path)
        .map_err(|e| Error::system(format!("cannot read {}", path.display()), e))
}

fn unreadable(path: &Path, text: &str) -> Error {
    let text = format!("cannot make sense of {}: '{}'", path.display(), text.trim());
    Error::new(ErrorCode::InternalError, text)
}

/// The line of `/proc/stat` with that name: interrupts are the kernel's, what has low priority is
/// the user's.
fn cpu_times(text: &str, name: &str) -> Option<Vec<(&'static str, u64)>> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    let ticks: Vec<u64> = line.split_whitespace().filter_map(|it| it.parse().ok()).collect();
    let [user, nice, system, idle, iowait, irq, softirq] = *ticks.first_chunk()?;
    let times = [
        ("kernel", system + irq + softirq),
        ("user", user + nice),
        ("idle", idle),
        ("iowait", iowait),
    ];
    Some(times.map(|(name, ticks)| (name, ticks.saturating_mul(TICK))).into())
}

/// Some lines of a `meminfo`, which begin with `Node 0` for one node.
fn memory(
    text: &str,
    names: impl Iterator<Item = (&'static str, &'static str)>,
) -> Vec<(&'static str, u64)> {
    let kib = |wanted: &str| {
        text.lines().find_map(|line| {
            let mut words = line.split_whitespace().skip_while(|word| !word.ends_with(':'));
            (words.next()?.strip_suffix(':')? == wanted).then_some(())?;
            words.next()?.parse().ok()
        })
    };
    names.filter_map(|(name, line)| Some((name, kib(line)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let stat = "cpu  10 1 5 100 7 2 3 0 0 0\ncpu0 10 1 5 100 7 2 3 0 0 0\nintr 1\n";
        let times = cpu_times(stat, "cpu").unwrap();
        let expected = [("kernel", 10), ("user", 11), ("idle", 100), ("iowait", 7)];
        assert_eq!(times, expected.map(|(name, ticks)| (name, ticks * TICK)));
        assert_eq!(cpu_times(stat, "cpu1"), None);
        let names = || [("total", "MemTotal"), ("free", "MemFree")].into_iter();
        let host = "MemTotal:  100 kB\nMemFree:   40 kB\n";
        let node = "Node 0 MemTotal:  100 kB\nNode 0 MemFree:   40 kB\n";
        assert_eq!(memory(host, names()), [("total", 100), ("free", 40)]);
        assert_eq!(memory(host, names()), memory(node, names()));
    }

    #[test]
    fn maps_have_the_first_processor_first() {
        assert_eq!(bits(&Bitmap::parse("0-1,9").unwrap(), 10), [3, 2]);
        assert_eq!(bits(&Bitmap::parse("0,20").unwrap(), 8), [1]);
    }
}
