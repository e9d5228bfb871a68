//! Where the container runs: processors, memory nodes, and how memory is taken from these.

use serde::{Deserialize, Serialize};

use super::Present;
use super::unsupported::cannot_start;
use crate::error::Result;
use crate::model::{Bitmap, Domain, NumaMode, VcpuPlacement};

/// How init and all below it take memory from nodes (`set_mempolicy(2)`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryPolicy {
    /// As the kernel does.
    #[default]
    Default,
    /// From these nodes in turn.
    Interleave(Vec<u32>),
    /// From this node first.
    Preferred(u32),
}

/// A memory node of the host, with its processors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its number.
    pub id: u32,
    /// Memory that is free there, in KiB.
    pub free: u64,
    /// Its processors that are online.
    pub cpus: Bitmap,
}

/// What a document's placement comes to on this host.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// The only processors, if not all.
    pub(super) cpus: Option<Bitmap>,
    /// The only memory nodes, if not all.
    pub(super) nodes: Option<Bitmap>,
    /// How memory is taken.
    pub(super) policy: MemoryPolicy,
}

/// Resolves `<vcpu>` and `<numatune>`.
pub(super) fn place(domain: &Domain, present: &Present) -> Result<Placed> {
    let mut placed = Placed { cpus: domain.vcpus.cpuset.clone(), ..Placed::default() };
    let memory = domain.numa_tune.memory.as_ref();
    let mut nodes = memory.and_then(|memory| memory.nodeset.clone());
    if domain.vcpus.placement == VcpuPlacement::Auto {
        placed.cpus = Some(advised(domain, present).flat_map(|node| node.cpus.iter()).collect());
    }
    if memory.is_some() && nodes.is_none() {
        nodes = Some(advised(domain, present).map(|node| node.id).collect());
    }
    if let Some(cpus) = &placed.cpus {
        check(domain, cpus, &present.cpus(), ("processor", "<vcpu>"))?;
    }
    if let Some((mode, nodes)) = memory.map(|memory| memory.mode).zip(nodes) {
        check(domain, &nodes, &present.node_ids(), ("memory node", "<numatune>"))?;
        match mode {
            NumaMode::Strict | NumaMode::Restrictive => placed.nodes = Some(nodes),
            NumaMode::Interleave => {
                placed.policy = MemoryPolicy::Interleave(nodes.iter().collect());
                placed.nodes = Some(nodes);
            }
            // Not confined as well: a preference that cannot be left is none.
            NumaMode::Preferred => placed.policy = preferred(domain, &nodes)?,
        }
    }
    Ok(placed)
}

fn preferred(domain: &Domain, nodes: &Bitmap) -> Result<MemoryPolicy> {
    let mut nodes = nodes.iter();
    match (nodes.next(), nodes.next()) {
        (Some(node), None) => Ok(MemoryPolicy::Preferred(node)),
        _ => Err(cannot_start(
            domain,
            "<numatune>: NUMA memory tuning in 'preferred' mode only supports single node",
        )),
    }
}

/// The nodes for a container that leaves them to a placement service: those with most free memory,
/// as many as it takes to hold its memory and its processors.
fn advised<'a>(domain: &Domain, present: &'a Present) -> impl Iterator<Item = &'a Node> {
    let mut nodes: Vec<&Node> = present.nodes.iter().filter(|it| !it.cpus.is_empty()).collect();
    nodes.sort_by_key(|node| (std::cmp::Reverse(node.free), node.id));
    let (memory, cpus) = (domain.memory, u64::from(domain.vcpus.maximum));
    nodes.into_iter().scan((0_u64, 0_u64), move |(free, count), node| {
        let enough = *count > 0 && *free >= memory && *count >= cpus;
        *free = free.saturating_add(node.free);
        *count = count.saturating_add(node.cpus.iter().count() as u64);
        (!enough).then_some(node)
    })
}

fn check(
    domain: &Domain,
    set: &Bitmap,
    there: &Bitmap,
    (what, element): (&str, &str),
) -> Result<()> {
    match set.iter().find(|&number| !there.contains(number)) {
        None => Ok(()),
        Some(missing) => Err(cannot_start(
            domain,
            format_args!("{element} names {what} {missing}, and this host has {there}"),
        )),
    }
}
