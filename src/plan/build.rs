//! From model to plan: the one function, and what it refuses.

use std::path::PathBuf;

use super::arch::guest_archs;
use super::limits::limits;
use super::placement::place;
use super::{
    Host, Namespace, Placement, Plan, Present, Root, RunFiles, capabilities, consoles, ids, init,
    links, mounts, namespaces,
};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain, Filesystem, FilesystemSource, LifecycleAction};

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
    let root = root(domain, host)?;
    let placed = place(domain, present)?;
    let links = links::links(domain, present)?;
    let shared: Vec<_> = namespaces::shared(domain).into_iter().map(|(kind, _)| kind).collect();
    let own_name = !shared.contains(&Namespace::Uts);
    Ok(Plan {
        name: domain.name.clone(),
        files,
        placement,
        limits: limits(domain, host, present, &placed)?,
        memory_policy: placed.policy,
        id_maps: ids::id_maps(domain, host)?,
        private_network: domain.features.privnet || !links.is_empty(),
        links,
        shared_namespaces: shared,
        steps: mounts::steps(domain, host, &root),
        root,
        hostname: own_name.then(|| init::hostname(&domain.name)),
        consoles: consoles::consoles(domain)?,
        drop_capabilities: capabilities::dropped(&domain.features.capabilities),
        linux32,
        init: init::init(domain),
        restart_on_reboot: matches!(
            domain.on_reboot,
            LifecycleAction::Restart | LifecycleAction::RenameRestart
        ),
    })
}

/// The file system for `/`. libvirt takes the host's own, writable, when there is none; nobody
/// wants that by accident, so it has to be asked for.
fn root(domain: &Domain, host: &Host) -> Result<Root> {
    match domain.devices.filesystems.iter().find(|filesystem| filesystem.target == "/") {
        Some(Filesystem { source: FilesystemSource::Mount { dir }, readonly, .. }) => {
            Ok(Root { source: PathBuf::from(dir), readonly: *readonly })
        }
        Some(_) => Err(unsupported("the file system for '/' must be of type 'mount'")),
        None if host.allow_host_root => Ok(Root { source: PathBuf::from("/"), readonly: false }),
        None => Err(unsupported(format!(
            "domain '{}' has no file system for '/': add <filesystem type='mount'> with \
             <source dir='...'/> and <target dir='/'/> (source '/' means the host's own root), \
             or set allow_host_root in the daemon's configuration",
            domain.name
        ))),
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
