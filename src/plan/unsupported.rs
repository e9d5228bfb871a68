//! What documents may ask for and containers do not get yet.
//!
//! The model keeps such elements as libvirt does, so that a definition survives; a container that
//! silently lacks its limits is worse than none, so the start is refused.

use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain, VcpuPlacement};

/// Fails at the first element that is not honoured, naming it and what there is instead.
pub(super) fn check(domain: &Domain) -> Result<()> {
    match limits(domain) {
        None => Ok(()),
        Some((element, instead)) => Err(Error::new(
            ErrorCode::ConfigUnsupported,
            format!("domain '{}' cannot start: {element} is not supported: {instead}", domain.name),
        )),
    }
}

/// An element, and what there is instead of it.
type Refusal = (&'static str, &'static str);

fn limits(domain: &Domain) -> Option<Refusal> {
    let (vcpus, tune) = (&domain.vcpus, &domain.cpu_tune);
    let refused = [
        (
            tune.shares.is_some() || tune.bandwidth != Default::default(),
            "<cputune> with shares, period or quota",
            "the only limit is <memory>",
        ),
        (
            domain.numa_tune.memory.as_ref().is_some_and(|memory| memory.nodeset.is_some()),
            "<numatune>",
            "memory comes from all nodes",
        ),
        (
            vcpus.cpuset.is_some() || vcpus.placement == VcpuPlacement::Auto,
            "<vcpu> with cpuset or placement='auto'",
            "containers run on all processors",
        ),
        (domain.memory_tune != Default::default(), "<memtune>", "the only limit is <memory>"),
        (
            domain.block_tune.weight != 0
                || domain.block_tune.devices.iter().any(|device| device.is_set()),
            "<blkiotune>",
            "the only limit is <memory>",
        ),
    ];
    refused.into_iter().find_map(|(is_set, element, instead)| is_set.then_some((element, instead)))
}
