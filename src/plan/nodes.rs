//! Nodes in `/dev` for devices of the host: disks, host devices, clocks.
//!
//! A node is a name for a number. What it opens is decided by the list of devices that the
//! container's group may use, so each node brings its rule.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::unsupported::cannot_start;
use super::{Present, Step, usb};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{
    Clock, ClockBasis, ClockOffset, Disk, Domain, HostDeviceSource, StorageKind, Subsystem,
};

/// Only who owns it may use it.
const MODE: u32 = 0o700;

/// Timers that are devices: their names in documents, on the host and in the container.
const CLOCKS: [(&str, &str, &str); 2] =
    [("rtc", "/dev/rtc0", "/dev/rtc"), ("hpet", "/dev/hpet", "/dev/hpet")];

/// Which of the two name spaces of device numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceKind {
    /// Block devices.
    Block,
    /// Character devices.
    Char,
}

/// A device of the host, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Block or character.
    pub kind: DeviceKind,
    /// Which driver.
    pub major: u32,
    /// Which of its devices.
    pub minor: u32,
}

/// Devices that a container may read, and make nodes for where it may do that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceRule {
    /// Block or character.
    pub kind: DeviceKind,
    /// Which driver.
    pub major: u32,
    /// Which of its devices; None for all of them.
    pub minor: Option<u32>,
    /// Whether it may write them, too.
    pub write: bool,
}

/// A node that a document asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostNode {
    /// The document's name of the device it is for; empty for those that have none.
    pub alias: String,
    /// Where it is in the container.
    pub path: String,
    /// What it is a name for.
    pub device: Device,
    /// Whether the container may write.
    pub write: bool,
}

impl HostNode {
    /// How it is made.
    pub fn step(&self) -> Step {
        Step::Device { path: self.path.clone(), device: self.device, mode: MODE }
    }

    pub(super) fn rule(&self) -> DeviceRule {
        let Device { kind, major, minor } = self.device;
        DeviceRule { kind, major, minor: Some(minor), write: self.write }
    }
}

/// The paths of devices that a document names.
pub fn device_paths(domain: &Domain) -> Vec<&str> {
    let blocks = domain.devices.disks.iter().filter(|disk| disk.source.kind == StorageKind::Block);
    let disks = blocks.filter_map(|disk| disk.source.path());
    let others = domain.devices.host_devices.iter().filter_map(|device| match &device.source {
        HostDeviceSource::Storage { block: path } | HostDeviceSource::Misc { char: path } => {
            Some(path.as_str())
        }
        HostDeviceSource::Subsystem { .. } | HostDeviceSource::Net { .. } => None,
    });
    let clocks = timers(&domain.clock).into_iter().filter_map(clock).map(|(on_host, _)| on_host);
    disks.chain(others).chain(clocks).collect()
}

/// Whether a document names USB devices.
pub fn has_usb(domain: &Domain) -> bool {
    let is_usb = |source: &HostDeviceSource| {
        matches!(source, HostDeviceSource::Subsystem { device: Subsystem::Usb(_), .. })
    };
    domain.devices.host_devices.iter().any(|device| is_usb(&device.source))
}

/// The names of the timers that a document makes devices of: with libvirt those of a clock that
/// follows the local time.
fn timers(clock: &Clock) -> Vec<&str> {
    if !matches!(clock.offset, ClockOffset::Fixed { basis: ClockBasis::Localtime, .. }) {
        return Vec::new();
    }
    let wanted = clock.timers.iter().filter(|timer| timer.attr("present") != Some("no"));
    wanted.filter_map(|timer| timer.attr("name")).collect()
}

/// Where a timer's device is, on the host and in the container.
fn clock(timer: &str) -> Option<(&'static str, &'static str)> {
    let known = CLOCKS.iter().find(|(name, ..)| *name == timer);
    known.map(|(_, on_host, inside)| (*on_host, *inside))
}

/// All nodes of a document, or why one cannot be had.
pub(super) fn nodes(domain: &Domain, present: &Present) -> Result<Vec<HostNode>> {
    let mut nodes = of_devices(domain, present)?;
    let timers = timers(&domain.clock).into_iter().map(|name| timer(name, present));
    nodes.extend(timers.collect::<Result<Vec<_>>>()?);
    Ok(nodes)
}

/// The nodes of disks and host devices.
pub(super) fn of_devices(domain: &Domain, present: &Present) -> Result<Vec<HostNode>> {
    let devices = &domain.devices;
    let disks = devices.disks.iter().map(|disk| self::disk(domain, disk, present).map(Some));
    let others = devices.host_devices.iter().map(|device| {
        let alias = device.alias.clone().unwrap_or_default();
        let node = host_device(domain, &device.source, present)?;
        Ok(node.map(|node| HostNode { alias, ..node }))
    });
    let nodes: Result<Vec<_>> = disks.chain(others).collect();
    Ok(nodes?.into_iter().flatten().collect())
}

fn disk(domain: &Domain, disk: &Disk, present: &Present) -> Result<HostNode> {
    let target = &disk.target;
    if target.contains('/') {
        let why = format_args!("the target '{target}' of a <disk> is no name of a file in /dev");
        return Err(cannot_start(domain, why));
    }
    if disk.source.element.is_none() {
        return Err(refused(format!("Can't setup disk without media: <disk> '{target}'")));
    }
    let alias = disk.alias.clone().unwrap_or_default();
    let image = present.images.iter().find(|(name, _)| name == target);
    if let Some((_, device)) = image {
        let path = format!("/dev/{target}");
        return Ok(HostNode { alias, path, device: *device, write: !disk.readonly });
    }
    let Some(path) = disk.source.path().filter(|_| disk.source.kind == StorageKind::Block) else {
        return Err(refused(format!(
            "Can't setup disk for non-block device: <disk> '{target}' is of type '{}', expected \
             block or file",
            disk.source.kind.as_str()
        )));
    };
    let device = present
        .device(path)
        .ok_or_else(|| refused(format!("Disk source {path} must be a character/block device")))?;
    Ok(HostNode { alias, path: format!("/dev/{target}"), device, write: !disk.readonly })
}

/// The node of a timer, which is read.
fn timer(name: &str, present: &Present) -> Result<HostNode> {
    let Some((on_host, path)) = clock(name) else {
        return Err(refused(format!(
            "unsupported timer type (name) '{name}': a <clock offset='localtime'> has timers rtc \
             and hpet"
        )));
    };
    let device = present.device(on_host).filter(|device| device.kind == DeviceKind::Char);
    let device = device
        .ok_or_else(|| refused(format!("{on_host} of <timer name='{name}'> is no clock device")))?;
    Ok(HostNode { alias: String::new(), path: path.to_owned(), device, write: false })
}

/// The node of a host device; None for those that need none.
fn host_device(
    domain: &Domain,
    source: &HostDeviceSource,
    present: &Present,
) -> Result<Option<HostNode>> {
    let (path, kind, what) = match source {
        HostDeviceSource::Storage { block } => (block, DeviceKind::Block, "block"),
        HostDeviceSource::Misc { char } => (char, DeviceKind::Char, "character"),
        HostDeviceSource::Subsystem { device: Subsystem::Usb(wanted), .. } => {
            let found = usb::find(wanted, &present.usb)?;
            return Ok(found.map(|usb| HostNode {
                alias: String::new(),
                path: usb.path(),
                device: usb.device,
                write: true,
            }));
        }
        HostDeviceSource::Subsystem { device, .. } => {
            let kind = device.kind();
            return Err(refused(format!(
                "Unsupported hostdev type {kind}: expected usb, or mode='capabilities' of type \
                 storage or misc"
            )));
        }
        HostDeviceSource::Net { .. } => return Ok(None),
    };
    let device = present.device(path).filter(|device| device.kind == kind);
    let device =
        device.ok_or_else(|| refused(format!("Storage source {path} must be a {what} device")))?;
    let path = below_dev(path).ok_or_else(|| {
        let why = "expected an absolute path of two or more names without '..', as /dev/fuse";
        cannot_start(domain, format_args!("the path '{path}' of a <hostdev>: {why}"))
    })?;
    Ok(Some(HostNode { alias: String::new(), path, device, write: true }))
}

/// Where in the container a path of the host is: the first name, usually `dev`, is `/dev`.
fn below_dev(path: &str) -> Option<String> {
    let names = Path::new(path).strip_prefix("/").ok()?;
    if !names.components().all(|name| matches!(name, Component::Normal(_))) {
        return None;
    }
    let rest: PathBuf = names.components().skip(1).collect();
    rest.file_name()?;
    Path::new("/dev").join(rest).into_os_string().into_string().ok()
}

fn refused(detail: String) -> Error {
    Error::new(ErrorCode::ConfigUnsupported, detail)
}

#[cfg(test)]
mod tests {
    use super::super::HostUsb;
    use super::super::tests::domain_with;
    use super::*;

    const DISK: Device = Device { kind: DeviceKind::Block, major: 7, minor: 3 };
    const FUSE: Device = Device { kind: DeviceKind::Char, major: 10, minor: 229 };

    fn planned(devices: &str) -> Result<Vec<HostNode>> {
        let domain = domain_with(&format!("<devices>{devices}</devices>"));
        let on_host = |path: &str| match path {
            "/dev/loop3" => Some(DISK),
            "/etc/passwd" => None,
            _ => Some(FUSE),
        };
        let devices = device_paths(&domain).into_iter().map(|it| (it.to_owned(), on_host(it)));
        let present = Present { devices: devices.collect(), ..Present::default() };
        nodes(&domain, &present)
    }

    fn capability(kind: &str, name: &str, path: &str) -> String {
        format!(
            "<hostdev mode='capabilities' type='{kind}'><source><{name}>{path}</{name}></source>\
             </hostdev>"
        )
    }

    fn block(source: &str, more: &str) -> String {
        format!("<disk type='block'><source dev='{source}'/><target dev='sda'/>{more}</disk>")
    }

    #[test]
    fn disks_have_the_name_of_their_target_and_host_devices_that_of_the_host() {
        let devices = block("/dev/loop3", "<readonly/>")
            + &capability("storage", "block", "/dev/loop3")
            + &capability("misc", "char", "/dev/net//tun")
            + &capability("misc", "char", "/srv/fuse");
        let nodes = planned(&devices).unwrap();
        let node = |path: &str, device, write| HostNode {
            alias: String::new(),
            path: path.to_owned(),
            device,
            write,
        };
        let expected = [
            node("/dev/sda", DISK, false),
            node("/dev/loop3", DISK, true),
            node("/dev/net/tun", FUSE, true),
            node("/dev/fuse", FUSE, true),
        ];
        assert_eq!(nodes, expected);
        let rule = DeviceRule { kind: DeviceKind::Block, major: 7, minor: Some(3), write: false };
        assert_eq!(nodes[0].rule(), rule);
        assert_eq!(planned(&block("/dev/fuse", "")).unwrap(), [node("/dev/sda", FUSE, true)]);
    }

    #[test]
    fn what_is_no_such_device_is_refused_in_libvirts_words() {
        let usual = "<target dev='sda'/></disk>";
        let pci = "<hostdev type='pci'><source><address domain='0' bus='1' slot='1' function='0'/>\
                   </source></hostdev>";
        let cases = [
            (block("/etc/passwd", ""), "Disk source /etc/passwd must be a character/block device"),
            (
                capability("storage", "block", "/dev/fuse"),
                "Storage source /dev/fuse must be a block device",
            ),
            (
                capability("misc", "char", "/dev/loop3"),
                "Storage source /dev/loop3 must be a character device",
            ),
            (
                format!("<disk type='volume'><source pool='p' volume='v'/>{usual}"),
                "Can't setup disk for non-block device",
            ),
            (format!("<disk device='cdrom'>{usual}"), "Can't setup disk without media"),
            (pci.to_owned(), "Unsupported hostdev type pci"),
        ];
        for (devices, start) in cases {
            let error = planned(&devices).unwrap_err();
            assert_eq!(error.code, ErrorCode::ConfigUnsupported);
            let start = format!("unsupported configuration: {start}");
            assert!(error.message.starts_with(&start), "{error}");
        }
    }

    #[test]
    fn timers_are_devices_where_the_clock_follows_the_local_time() {
        let planned = |offset: &str, timer: &str| {
            let domain = domain_with(&format!("<clock offset='{offset}'>{timer}</clock>"));
            let rtc = device_paths(&domain).into_iter().map(|path| (path.to_owned(), Some(FUSE)));
            let present = Present { devices: rtc.collect(), ..Present::default() };
            nodes(&domain, &present)
        };
        let rtc = "<timer name='rtc'/><timer name='hpet' present='no'/>";
        let node = HostNode {
            alias: String::new(),
            path: "/dev/rtc".to_owned(),
            device: FUSE,
            write: false,
        };
        assert_eq!(planned("localtime", rtc).unwrap(), [node]);
        assert_eq!(planned("utc", "<timer name='pit'/>").unwrap(), []);
        let error = planned("localtime", "<timer name='pit'/>").unwrap_err();
        assert_eq!(error.code, ErrorCode::ConfigUnsupported);
        assert!(error.message.contains("unsupported timer type (name) 'pit'"), "{error}");
    }

    #[test]
    fn usb_devices_are_found_by_what_they_are() {
        let usb = |policy: &str| {
            let text = format!(
                "<devices><hostdev type='usb'><source {policy}><vendor id='0x0781'/>\
                 <product id='0x5567'/></source></hostdev></devices>"
            );
            domain_with(&text)
        };
        let stick = HostUsb { ids: (0x781, 0x5567), address: (1, 4), device: FUSE };
        let present = Present { usb: vec![stick], ..Present::default() };
        assert!(has_usb(&usb("")));
        let [node] = &nodes(&usb(""), &present).unwrap()[..] else { panic!() };
        assert_eq!((node.path.as_str(), node.write), ("/dev/bus/usb/001/004", true));
        let optional = nodes(&usb("startupPolicy='optional'"), &Present::default()).unwrap();
        assert_eq!(optional, []);
        assert!(nodes(&usb(""), &Present::default()).is_err());
    }

    #[test]
    fn nodes_are_below_dev() {
        for path in ["/dev/../etc/x", "/../dev/x", "/dev", "/dev/", "/", "dev/x", "/dev/x/.."] {
            assert_eq!(below_dev(path), None, "{path}");
            let error = planned(&capability("misc", "char", path)).unwrap_err();
            assert!(error.message.contains("cannot start: the path"), "{error}");
        }
        let disk = "<disk type='block'><source dev='/dev/loop3'/><target dev='sda/../../x' \
                    bus='scsi'/><address type='drive'/></disk>";
        let error = planned(disk).unwrap_err();
        assert!(error.message.contains("'sda/../../x' of a <disk> is no name"), "{error}");
    }
}
