//! Processors, memory and caches of the host, as the kernel shows them below `/sys`.
//!
//! What cannot be read is left out, as on a machine that does not have it; nothing of this decides
//! whether a container runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A processor that is online.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cpu {
    /// Its number.
    pub id: u32,
    /// The package it is in.
    pub socket: u32,
    /// The die within the package.
    pub die: u32,
    /// The core within the package.
    pub core: u32,
    /// The processors of the same core, itself included, as `0,2-3`.
    pub siblings: String,
}

/// Pages of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// Size of a page, in KiB.
    pub size: u64,
    /// How many there are.
    pub count: u64,
}

/// A NUMA node with memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Its number.
    pub id: u32,
    /// Its memory, in KiB.
    pub memory: u64,
    /// Its pages, smallest size first.
    pub pages: Vec<Pages>,
    /// Distances to all nodes, by number.
    pub distances: Vec<(u32, u32)>,
    /// Its processors that are online.
    pub cpus: Vec<Cpu>,
}

/// A cache that is shared by processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Its number among those of its level.
    pub id: u32,
    /// 3 and above.
    pub level: u32,
    /// `both`, `data` or `code`.
    pub kind: &'static str,
    /// In KiB.
    pub size: u64,
    /// Who shares it, as `0-1`.
    pub cpus: String,
}

/// Processors, memory and caches of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Topology {
    /// NUMA nodes by number; a host without NUMA has one.
    pub cells: Vec<Cell>,
    /// Caches of level 3 and above.
    pub caches: Vec<Cache>,
    /// Clock of the processors, in MHz; 0 where the kernel does not say.
    pub mhz: u32,
}

impl Topology {
    /// Reads it from `sys` (`/sys`) and `proc` (`/proc`).
    pub fn read(sys: &Path, proc: &Path) -> Self {
        let source = Source { sys, page_size: page_size() };
        let nodes = numbered(&sys.join("devices/system/node"), "node");
        let mut cells: Vec<Cell> =
            nodes.iter().filter_map(|(id, node)| source.cell(*id, node, &nodes)).collect();
        if cells.is_empty() {
            cells.push(source.only_cell(proc));
        }
        Self { caches: source.caches(), cells, mhz: mhz(proc) }
    }

    /// All processors that are online.
    pub fn cpus(&self) -> impl Iterator<Item = &Cpu> {
        self.cells.iter().flat_map(|cell| &cell.cpus)
    }

    /// Memory of all nodes, in KiB.
    pub fn memory(&self) -> u64 {
        self.cells.iter().map(|cell| cell.memory).sum()
    }
}

struct Source<'a> {
    sys: &'a Path,
    /// In KiB.
    page_size: u64,
}

impl Source<'_> {
    fn cell(&self, id: u32, node: &Path, nodes: &BTreeMap<u32, PathBuf>) -> Option<Cell> {
        let memory = meminfo(&fs::read_to_string(node.join("meminfo")).ok()?)?;
        let distances = fs::read_to_string(node.join("distance")).unwrap_or_default();
        let distances = distances.split_whitespace().filter_map(|it| it.parse().ok());
        let cpus = numbered(node, "cpu");
        Some(Cell {
            id,
            memory,
            pages: self.pages(memory, &node.join("hugepages")),
            distances: nodes.keys().copied().zip(distances).collect(),
            cpus: cpus.keys().filter_map(|id| self.cpu(*id)).collect(),
        })
    }

    /// All there is, on a kernel without NUMA.
    fn only_cell(&self, proc: &Path) -> Cell {
        let text = fs::read_to_string(proc.join("meminfo")).unwrap_or_default();
        let memory = meminfo(&text).unwrap_or(0);
        let cpus = numbered(&self.sys.join("devices/system/cpu"), "cpu");
        Cell {
            id: 0,
            memory,
            pages: self.pages(memory, &self.sys.join("kernel/mm/hugepages")),
            distances: Vec::new(),
            cpus: cpus.keys().filter_map(|id| self.cpu(*id)).collect(),
        }
    }

    /// Small pages are what the huge ones leave.
    fn pages(&self, memory: u64, hugepages: &Path) -> Vec<Pages> {
        let entries = fs::read_dir(hugepages).into_iter().flatten().flatten();
        let mut huge: Vec<Pages> = entries
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let size = name.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
                Some(Pages { size, count: number(&entry.path().join("nr_hugepages")).unwrap_or(0) })
            })
            .collect();
        huge.sort_by_key(|pages| pages.size);
        let taken: u64 = huge.iter().map(|pages| pages.size.saturating_mul(pages.count)).sum();
        let count = memory.saturating_sub(taken) / self.page_size.max(1);
        let mut pages = vec![Pages { size: self.page_size, count }];
        pages.extend(huge);
        pages
    }

    /// A processor that is offline has no topology.
    fn cpu(&self, id: u32) -> Option<Cpu> {
        let topology = self.sys.join(format!("devices/system/cpu/cpu{id}/topology"));
        let value = |name: &str| number(&topology.join(name));
        Some(Cpu {
            id,
            socket: value("physical_package_id")?,
            die: value("die_id").unwrap_or(0),
            core: value("core_id")?,
            siblings: line(&topology.join("thread_siblings_list"))?,
        })
    }

    /// Each processor names its caches; one that is shared is named by several.
    fn caches(&self) -> Vec<Cache> {
        const SHARED: u32 = 3;
        let cpus = numbered(&self.sys.join("devices/system/cpu"), "cpu");
        let all = cpus.values().flat_map(|cpu| numbered(&cpu.join("cache"), "index").into_values());
        let mut caches: Vec<Cache> =
            all.filter_map(|path| cache(&path)).filter(|it| it.level >= SHARED).collect();
        caches.sort_by_key(|it| (it.level, it.kind, it.id));
        caches.dedup();
        caches
    }
}

fn cache(path: &Path) -> Option<Cache> {
    let size = line(&path.join("size"))?;
    let kind = match line(&path.join("type"))?.as_str() {
        "Unified" => "both",
        "Data" => "data",
        "Instruction" => "code",
        _ => return None,
    };
    Some(Cache {
        id: number(&path.join("id")).unwrap_or(0),
        level: number(&path.join("level"))?,
        kind,
        size: size.strip_suffix('K')?.parse().ok()?,
        cpus: line(&path.join("shared_cpu_list"))?,
    })
}

/// Entries `PREFIXn` of a directory, by number.
fn numbered(directory: &Path, prefix: &str) -> BTreeMap<u32, PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let number = |name: &str| name.strip_prefix(prefix)?.parse().ok();
    entries.filter_map(|entry| Some((number(entry.file_name().to_str()?)?, entry.path()))).collect()
}

/// `MemTotal` in KiB, of the host or of a node.
fn meminfo(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("MemTotal:")?;
    rest.split_whitespace().next()?.parse().ok()
}

fn mhz(proc: &Path) -> u32 {
    let text = fs::read_to_string(proc.join("cpuinfo")).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix("cpu MHz")?.split_once(':'));
    let whole = value.and_then(|(_, mhz)| mhz.trim().split('.').next()?.parse().ok());
    whole.unwrap_or(0)
}

fn page_size() -> u64 {
    let bytes = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    bytes.and_then(|it| u64::try_from(it).ok()).map_or(4, |bytes| bytes / 1024)
}

fn line(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn number<T: std::str::FromStr>(path: &Path) -> Option<T> {
    line(path)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_processors_and_memory() {
        let topology = Topology::read(Path::new("/sys"), Path::new("/proc"));
        assert!(topology.cpus().count() > 0);
        assert!(topology.memory() > 0);
        for cell in &topology.cells {
            let pages: u64 = cell.pages.iter().map(|it| it.size * it.count).sum();
            assert!(pages <= cell.memory && cell.memory - pages < cell.pages[0].size);
        }
    }

    #[test]
    fn a_host_that_shows_nothing_has_one_empty_cell() {
        let nowhere = Path::new("/nonexistent");
        let topology = Topology::read(nowhere, nowhere);
        assert_eq!(topology.cells.len(), 1);
        assert_eq!((topology.memory(), topology.cpus().count()), (0, 0));
    }

    #[test]
    fn memory_is_found_in_both_notations() {
        assert_eq!(meminfo("MemTotal:       13854924 kB\n"), Some(13_854_924));
        assert_eq!(meminfo("Node 0 MemTotal:       13854924 kB\n"), Some(13_854_924));
        assert_eq!(meminfo("MemFree: 1 kB\n"), None);
    }
}
