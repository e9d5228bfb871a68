//! The host in eight numbers (`virNodeInfo`), out of its topology.

use std::collections::BTreeSet;

use super::topology::{Cell, Cpu, Topology};

/// What `virNodeGetInfo` tells. The four counts multiply to `cpus`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// libvirt's name of the architecture.
    pub model: String,
    /// Memory, in KiB.
    pub memory: u64,
    /// Processors that are online.
    pub cpus: u32,
    /// Their clock, in MHz; 0 where the kernel does not say.
    pub mhz: u32,
    /// NUMA nodes.
    pub nodes: u32,
    /// Sockets per node.
    pub sockets: u32,
    /// Cores per socket.
    pub cores: u32,
    /// Threads per core.
    pub threads: u32,
}

impl NodeInfo {
    pub(in crate::driver) fn of(arch: &str, topology: &Topology) -> Self {
        let cpus = count(topology.cpus());
        let nodes = count(&topology.cells);
        let sockets = largest(topology.cells.iter().map(|cell| distinct(cell, |it| it.socket)));
        let all: BTreeSet<u32> = topology.cpus().map(|cpu| cpu.socket).collect();
        let cores = largest(all.iter().map(|socket| cores(topology, *socket)));
        let threads = largest(topology.cpus().map(|cpu| members(&cpu.siblings)));
        // A host that is not the same everywhere, or shows only a part of itself, is told as one
        // socket of so many cores, as in libvirt.
        let regular = [nodes, sockets, cores, threads].into_iter().try_fold(1, u32::checked_mul);
        let (nodes, sockets, cores, threads) = match regular {
            Some(product) if product == cpus && cpus > 0 => (nodes, sockets, cores, threads),
            _ => (1, 1, cpus, 1),
        };
        let (model, memory, mhz) = (arch.to_owned(), topology.memory(), topology.mhz);
        Self { model, memory, cpus, mhz, nodes, sockets, cores, threads }
    }
}

fn count<T>(all: impl IntoIterator<Item = T>) -> u32 {
    u32::try_from(all.into_iter().count()).unwrap_or(u32::MAX)
}

fn largest(all: impl Iterator<Item = u32>) -> u32 {
    all.max().unwrap_or(0)
}

fn distinct<T: Ord>(cell: &Cell, of: impl Fn(&Cpu) -> T) -> u32 {
    count(cell.cpus.iter().map(of).collect::<BTreeSet<_>>())
}

/// Cores of a socket, those of its dies together.
fn cores(topology: &Topology, socket: u32) -> u32 {
    let of_socket = topology.cpus().filter(|cpu| cpu.socket == socket);
    count(of_socket.map(|cpu| (cpu.die, cpu.core)).collect::<BTreeSet<_>>())
}

/// How many a list such as `0,2-3` names.
fn members(list: &str) -> u32 {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    list.split(',').filter_map(range).fold(0, u32::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(cells: &[&[(u32, u32, &str)]]) -> NodeInfo {
        let mut id = 0;
        let mut cpu = |&(socket, core, siblings): &(u32, u32, &str)| {
            id += 1;
            Cpu { id: id - 1, socket, die: 0, core, siblings: siblings.to_owned() }
        };
        let cells = cells.iter().map(|cpus| Cell {
            id: 0,
            memory: 1024,
            pages: Vec::new(),
            distances: Vec::new(),
            cpus: cpus.iter().map(&mut cpu).collect(),
        });
        let topology = Topology { cells: cells.collect(), caches: Vec::new(), mhz: 2445 };
        NodeInfo::of("x86_64", &topology)
    }

    fn counts(info: &NodeInfo) -> [u32; 5] {
        [info.cpus, info.nodes, info.sockets, info.cores, info.threads]
    }

    #[test]
    fn the_counts_multiply_to_the_processors() {
        let info = host(&[&[(0, 0, "0"), (0, 1, "1")]]);
        assert_eq!(counts(&info), [2, 1, 1, 2, 1]);
        assert_eq!((info.model.as_str(), info.memory, info.mhz), ("x86_64", 1024, 2445));
        let threads: &[_] = &[(0, 0, "0,2"), (0, 1, "1,3"), (0, 0, "0,2"), (0, 1, "1,3")];
        assert_eq!(counts(&host(&[threads])), [4, 1, 1, 2, 2]);
        assert_eq!(
            counts(&host(&[&[(0, 0, "0-1"), (0, 0, "0-1")], &[(1, 0, "2-3"); 2]])),
            [4, 2, 1, 1, 2]
        );
    }

    #[test]
    fn what_is_irregular_is_one_socket() {
        assert_eq!(counts(&host(&[&[(0, 0, "0"), (0, 1, "1"), (1, 0, "2")]])), [3, 1, 1, 3, 1]);
        assert_eq!(counts(&host(&[&[]])), [0, 1, 1, 0, 1]);
    }
}
