//! The host's facts, probed once.

pub(super) mod capabilities;
mod node;
mod present;
mod sysinfo;
mod topology;
mod usage;
mod usb;

use std::collections::BTreeSet;
use std::path::Path;

pub use node::NodeInfo;
pub(super) use present::{block_devices, present};
pub use topology::{Cache, Cell, Cpu, Pages, Topology};
pub use usage::CpuMap;
pub(super) use usage::bits;

use super::config::{Config, Paths};
use crate::cgroup::{Hierarchy, Layout, Version};
use crate::error::{Error, ErrorCode, Result};
use crate::plan;

/// What acts on the host through `/proc`, and stays read-only in containers.
const PROTECTED: [&str; 5] =
    ["/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs"];

/// What a network namespace has for itself there.
const NETWORK: [&str; 2] = ["/proc/sys/net/ipv4", "/proc/sys/net/ipv6"];

pub(super) fn probe(config: &Config, paths: &Paths, layout: &Layout) -> Result<plan::Host> {
    let uname = nix::sys::utsname::uname().map_err(|e| Error::system("cannot ask uname", e))?;
    let private = [&paths.etc, &paths.run, &paths.log, &paths.lib];
    let private = private.into_iter().map(|path| present::place(path));
    Ok(plan::Host {
        arch: uname.machine().to_string_lossy().into_owned(),
        cgroups: layout.hierarchies.iter().map(|it| hierarchy(it, layout)).collect(),
        controllers: controllers(layout),
        process_share: process_share()?,
        isolation: config.isolation.0,
        cgroup_links: layout.links.clone(),
        protected_proc: existing(PROTECTED),
        maskable: existing(plan::maskable()),
        network_settings: existing(NETWORK),
        allow_host_root: config.allow_host_root,
        user_namespaces: has_user_namespaces(),
        templates: config.templates.clone().unwrap_or_else(|| paths.lib.join("templates")),
        overlays: paths.overlays(),
        private_directories: private.collect::<Result<_>>()?,
    })
}

fn has_user_namespaces() -> bool {
    let most = std::fs::read_to_string("/proc/sys/user/max_user_namespaces");
    Path::new("/proc/self/ns/user").exists() && most.is_ok_and(|most| most.trim() != "0")
}

/// The controllers a document can need, where there are any.
fn controllers(layout: &Layout) -> Vec<(String, plan::CgroupVersion)> {
    let version = |name: &str| {
        Some(match layout.with(name)?.version {
            Version::V1(_) => plan::CgroupVersion::V1,
            Version::V2 => plan::CgroupVersion::V2,
        })
    };
    let names = ["memory", "cpu", "cpuset", "pids", "blkio"];
    names.into_iter().filter_map(|name| Some((name.to_owned(), version(name)?))).collect()
}

/// The part of the host's process IDs that systemd gives a service.
fn process_share() -> Result<u32> {
    const PATH: &str = "/proc/sys/kernel/pid_max";
    let most = std::fs::read_to_string(PATH)
        .and_then(|text| text.trim().parse::<u32>().map_err(std::io::Error::other))
        .map_err(|e| Error::system(format!("cannot read {PATH}"), e))?;
    Ok((most / 100).saturating_mul(15).max(1))
}

/// Those that are there, in order and each once.
fn existing(paths: impl IntoIterator<Item = &'static str>) -> Vec<String> {
    let there: BTreeSet<_> =
        paths.into_iter().filter(|path| Path::new(path).exists()).map(str::to_owned).collect();
    there.into_iter().collect()
}

fn hierarchy(hierarchy: &Hierarchy, layout: &Layout) -> plan::Hierarchy {
    let alone = layout.hierarchies.len() == 1;
    let name = hierarchy.mount.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match &hierarchy.version {
        Version::V2 => plan::Hierarchy {
            directory: if alone { String::new() } else { name },
            kind: plan::HierarchyKind::V2,
        },
        Version::V1(options) => {
            let named = options.iter().any(|option| option.starts_with("name="));
            let none = named.then(|| ("none".to_owned(), String::new()));
            let options = options.iter().map(|option| {
                let (key, value) = option.split_once('=').unwrap_or((option, ""));
                (key.to_owned(), value.to_owned())
            });
            plan::Hierarchy {
                directory: name,
                kind: plan::HierarchyKind::V1(none.into_iter().chain(options).collect()),
            }
        }
    }
}

/// The release of the running kernel as libvirt encodes versions: major * 1,000,000 + minor *
/// 1,000 + patch. libvirt's driver reports it as the version of the hypervisor.
pub(super) fn kernel_version() -> Result<u64> {
    let uname = nix::sys::utsname::uname().map_err(|e| Error::system("cannot ask uname", e))?;
    encode(&uname.release().to_string_lossy())
}

fn encode(release: &str) -> Result<u64> {
    let unknown =
        || Error::new(ErrorCode::InternalError, format!("cannot read kernel release '{release}'"));
    let numbers = release.split(|c: char| !c.is_ascii_digit() && c != '.').next();
    let mut numbers = numbers.unwrap_or_default().split('.').map(str::parse::<u64>);
    let major = numbers.next().and_then(Result::ok).ok_or_else(unknown)?;
    let minor = numbers.next().and_then(Result::ok).ok_or_else(unknown)?;
    let patch = numbers.next().and_then(Result::ok).unwrap_or(0);
    Ok(major.saturating_mul(1_000_000) + minor.saturating_mul(1000) + patch)
}

/// The host's name, qualified if `/etc/hosts` or the name itself says how.
pub(super) fn hostname() -> Result<String> {
    let name =
        nix::unistd::gethostname().map_err(|e| Error::system("cannot ask gethostname", e))?;
    Ok(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_encoded_as_libvirt_does() {
        assert_eq!(encode("6.18.5").unwrap(), 6_018_005);
        assert_eq!(encode("6.1.0-28-amd64").unwrap(), 6_001_000);
        assert_eq!(encode("5.10").unwrap(), 5_010_000);
        assert!(encode("next").is_err());
    }
}
