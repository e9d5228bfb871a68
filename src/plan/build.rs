//! From model to plan: the one function, and what it refuses.

use super::arch::guest_archs;
use super::filesystems::{Filesystems, filesystems};
use super::limits::limits;
use super::nodes::HostNode;
use super::placement::place;
use super::{
    Host, Namespace, Placement, Plan, Present, Restart, RunFiles, calls, capabilities, consoles,
    ids, init, links, mounts, namespaces, nodes,
};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain, LifecycleAction};

/// Plans one start of a domain.
///
/// Fails with `ConfigUnsupported` when the document asks for something that cannot be had here:
/// no root file system, no console, an architecture the host does not run.
pub fn build(
    domain: &Domain,
    host: &Host,
    present: &Present,
    placement: Placement,
    files: RunFiles,
) -> Result<Plan> {
    namespaces::check(domain)?;
    super::unsupported::check(domain)?;
    let linux32 = is_linux32(domain, host)?;
    let Filesystems { root, steps, volumes } = filesystems(domain, host, present)?;
    let placed = place(domain, present)?;
    let links = links::links(domain, present)?;
    let shared: Vec<_> = namespaces::shared(domain).into_iter().map(|(kind, _)| kind).collect();
    let nodes = nodes::nodes(domain, present)?;
    let mut limits = limits(domain, host, present, &placed)?;
    limits.devices.extend(nodes.iter().map(HostNode::rule));
    let own_name = !shared.contains(&Namespace::Uts);
    Ok(Plan {
        name: domain.name.clone(),
        files,
        placement,
        limits,
        memory_policy: placed.policy,
        id_maps: ids::id_maps(domain, host, present)?,
        private_network: domain.features.privnet || !links.is_empty(),
        links,
        shared_namespaces: shared,
        root,
        first_steps: mounts::first_steps(domain, host, &nodes),
        steps: mounts::cgroups(host).into_iter().chain(steps).collect(),
        nodes,
        loops: present.images.iter().map(|(name, _)| name.clone()).collect(),
        volumes,
        hostname: own_name.then(|| init::hostname(&domain.name)),
        consoles: consoles::consoles(domain)?,
        drop_capabilities: capabilities::dropped(domain, host),
        calls: calls::filter(domain, host)?,
        no_new_privs: domain.isolation.no_new_privs,
        linux32,
        init: init::init(domain),
        restart: Restart {
            poweroff: restarts(domain.on_poweroff),
            reboot: restarts(domain.on_reboot),
            crash: restarts(domain.on_crash),
        },
    })
}

/// Nothing of a container's processes outlives its init: there is nothing to preserve, and the old
/// name is free again. A dump of init's memory is the kernel's to make (`core(5)`).
fn restarts(action: LifecycleAction) -> bool {
    use LifecycleAction as Action;
    match action {
        Action::Restart | Action::RenameRestart | Action::CoredumpRestart => true,
        Action::Destroy | Action::Preserve | Action::CoredumpDestroy => false,
    }
}

/// Whether the container is of the host's 32-bit alternative; any other than these two is refused.
fn is_linux32(domain: &Domain, host: &Host) -> Result<bool> {
    let archs = guest_archs(&host.arch);
    let wanted = domain.os.arch.as_deref().unwrap_or(&host.arch);
    if archs.iter().any(|(arch, _)| *arch == wanted) {
        return Ok(wanted != host.arch);
    }
    let known: Vec<&str> = archs.iter().map(|(arch, _)| *arch).collect();
    Err(unsupported(format!(
        "domain '{}' is for architecture '{wanted}', this host runs {}",
        domain.name,
        known.join(" and ")
    )))
}

pub(super) fn unsupported(detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, detail)
}
