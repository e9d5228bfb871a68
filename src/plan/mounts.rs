//! The order of mounts: kernel file systems, devices, control groups; then come the document's own.
//!
//! libvirt's order and flags, with its defects left out: control groups are seen through a
//! namespace of their own instead of the host's whole tree, and what the root brings along at
//! `/proc`, `/sys` and `/dev` is taken away, not only covered.

use std::path::Path;

use super::attributes::{NODEV, NOEXEC, NOSUID, RDONLY};
use super::isolation::Profile;
use super::nodes::HostNode;
use super::{Device, DeviceKind, DeviceRule, Hierarchy, HierarchyKind, Host, Source, Step};
use crate::model::Domain;

/// Character devices every container has.
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Devices that have no node of ours, and are used: /dev/ptmx and FUSE by number, all terminals of
/// devpts by major number.
const WITHOUT_NODE: [(u32, Option<u32>); 3] = [(5, Some(2)), (10, Some(229)), (136, None)];

/// The kernel's file systems on the host, which are not the container's.
const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Links every container has in `/dev`.
const LINKS: [(&str, &str); 4] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

/// The devices a container may use, libvirt's list.
pub(super) fn allowed_devices() -> Vec<DeviceRule> {
    let nodes = DEVICES.iter().map(|(_, major, minor)| (*major, Some(*minor)));
    let kind = DeviceKind::Char;
    let rule = |(major, minor)| DeviceRule { kind, major, minor, write: true };
    nodes.chain(WITHOUT_NODE).map(rule).collect()
}

/// The steps after the root is in place, and before control groups and the document's file systems.
pub(super) fn first_steps(domain: &Domain, host: &Host, nodes: &[HostNode]) -> Vec<Step> {
    let mut steps: Vec<Step> = KERNEL.map(clear).into();
    steps.extend(kernel(domain, host));
    steps.extend(devices(domain));
    steps.extend(nodes.iter().map(HostNode::step));
    steps
}

fn clear(path: impl Into<String>) -> Step {
    Step::Clear { path: path.into() }
}

/// A directory of the host without what it would bring along of the kernel's file systems: through
/// the host's `/proc` a process inside could reach everything outside.
///
/// The path has no symbolic links in it.
pub(super) fn of_host(dir: &Path) -> Source {
    let below = KERNEL.iter().filter_map(|path| Path::new(path).strip_prefix(dir).ok());
    let without = below.filter(|rest| !rest.as_os_str().is_empty()).map(Path::to_owned).collect();
    Source::Host { path: dir.into(), without }
}

pub(super) fn mount(source: Source, target: impl Into<String>, attributes: u64) -> Step {
    Step::Mount { source, target: target.into(), attributes }
}

pub(super) fn new(kind: &str, options: &[(&str, &str)]) -> Source {
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Source::New { kind: kind.to_owned(), options: options.collect() }
}

/// `/proc` with what acts on the host read-only, `/sys` read-only, and what the profile masks.
fn kernel(domain: &Domain, host: &Host) -> Vec<Step> {
    let hardened = NOSUID | NODEV | NOEXEC;
    let over_itself = |path: &String, access| {
        mount(Source::Inside(path.clone()), path.as_str(), hardened | access)
    };
    let mut steps = vec![mount(new("proc", &[]), "/proc", hardened)];
    steps.extend(host.protected_proc.iter().map(|path| over_itself(path, RDONLY)));
    if domain.features.privnet {
        steps.extend(host.network_settings.iter().map(|path| over_itself(path, 0)));
    }
    steps.push(mount(new("sysfs", &[]), "/sys", hardened | RDONLY));
    let masked = Profile::of(domain, host).masked;
    let is_masked = |path: &&String| masked.contains(&path.as_str());
    let paths: Vec<_> = host.maskable.iter().filter(is_masked).cloned().collect();
    if !paths.is_empty() {
        steps.push(Step::Mask { paths });
    }
    steps
}

/// The host's layout of control groups, each hierarchy rooted at the container's own group.
///
/// The container may manage what is its own: version 2 and the hierarchy systemd names its units
/// in. The version 1 controllers are read-only, they would let it lift its limits.
pub(super) fn cgroups(host: &Host) -> Vec<Step> {
    let hardened = NOSUID | NODEV | NOEXEC;
    let base = "/sys/fs/cgroup";
    if let [Hierarchy { directory, kind: HierarchyKind::V2 }] = host.cgroups.as_slice()
        && directory.is_empty()
    {
        return vec![mount(new("cgroup2", &[]), base, hardened)];
    }
    if host.cgroups.is_empty() {
        return Vec::new();
    }
    let mut steps =
        vec![mount(new("tmpfs", &[("mode", "755"), ("size", "65536")]), base, hardened)];
    for Hierarchy { directory, kind } in &host.cgroups {
        let target = format!("{base}/{directory}");
        steps.push(Step::Directory { path: target.clone() });
        steps.push(match kind {
            HierarchyKind::V2 => mount(new("cgroup2", &[]), target, hardened),
            HierarchyKind::V1(options) => {
                let named = options.iter().any(|(key, _)| key == "name");
                let access = if named { 0 } else { RDONLY };
                let source = Source::New { kind: "cgroup".to_owned(), options: options.clone() };
                mount(source, target, hardened | access)
            }
        });
    }
    steps.extend(host.cgroup_links.iter().map(|(name, target)| Step::Link {
        path: format!("{base}/{name}"),
        target: target.clone(),
    }));
    steps
}

/// `/dev`: a file system of its own with the few devices libvirt gives, terminals, links.
fn devices(domain: &Domain) -> Vec<Step> {
    let tmpfs = new("tmpfs", &[("mode", "755"), ("size", "65536")]);
    let mut steps = vec![mount(tmpfs, "/dev", NOSUID)];
    steps.extend(DEVICES.map(|(name, major, minor)| Step::Device {
        path: format!("/dev/{name}"),
        device: Device { kind: DeviceKind::Char, major, minor },
        mode: 0o666,
    }));
    steps.push(Step::Directory { path: "/dev/pts".to_owned() });
    steps.push(mount(Source::Terminals, "/dev/pts", NOSUID | NOEXEC));
    steps.push(mount(Source::Inside("/dev/pts/ptmx".to_owned()), "/dev/ptmx", 0));
    steps.extend(
        LINKS.map(|(path, target)| Step::Link { path: path.to_owned(), target: target.to_owned() }),
    );
    for number in 0..domain.devices.consoles.len() {
        steps.push(mount(Source::Console(number), format!("/dev/tty{}", number + 1), 0));
    }
    steps.push(mount(Source::Console(0), "/dev/console", 0));
    steps
}

/// Covers the daemon's own directories where a directory of the host, mounted at `target`, would
/// show them: with the sockets in there a process inside could command the daemon outside.
pub(super) fn masks(host: &Host, source: &Path, target: &str) -> Vec<Step> {
    let hidden = host.private_directories.iter().filter_map(|path| {
        let rest = path.strip_prefix(source).ok()?;
        Path::new(target).join(rest).into_os_string().into_string().ok()
    });
    let empty = || new("tmpfs", &[("mode", "0"), ("size", "0")]);
    hidden.map(|path| mount(empty(), path, NOSUID | NODEV | NOEXEC | RDONLY)).collect()
}
