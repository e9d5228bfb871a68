//! What libvirt refuses in a disk: combinations that make no sense, names that say nothing.

use super::{Disk, DiskBus, DiskDevice, StorageKind, name_index};
use crate::error::Result;
use crate::model::read::internal;
use crate::xml::Element;

/// Checks a disk that is read; `element` is the one to name in errors.
pub(super) fn check(disk: &Disk, element: &Element) -> Result<()> {
    let bus = disk.bus;
    check_place(disk, bus, element)?;
    check_secrets(disk, element)?;
    if disk.device == DiskDevice::Lun {
        check_lun(disk, element)?;
    } else {
        check_no_lun(disk, element)?;
    }
    if disk.source.kind == StorageKind::VhostUser {
        check_vhost_user(disk, bus, element)?;
    }
    if bus != DiskBus::Virtio {
        check_no_virtio(disk, bus, element)?;
    }
    check_driver(disk, element)?;
    check_startup(disk, element)?;
    check_bus(disk, bus, element)
}

/// The name or an address says where the disk is.
fn check_place(disk: &Disk, bus: DiskBus, element: &Element) -> Result<()> {
    let target = &disk.target;
    let Some(address) = disk.kept("address") else {
        return match name_index(target) {
            Some(_) => Ok(()),
            None => Err(element.error(format_args!(
                "Unknown disk name '{target}' and no address specified: expected a name like vda"
            ))),
        };
    };
    let kind = address.attr("type").unwrap_or_default();
    if bus.has_drives() && kind != "drive" {
        return Err(element.unsupported(format_args!(
            "Invalid address type '{kind}' for the disk '{target}' with the bus type '{}': \
             expected drive",
            bus.as_str()
        )));
    }
    Ok(())
}

fn check_bus(disk: &Disk, bus: DiskBus, element: &Element) -> Result<()> {
    let target = disk.target.as_str();
    let has_prefix = |prefixes: &[&str]| prefixes.iter().any(|prefix| target.starts_with(prefix));
    let harddisk = ["hd", "sd", "vd", "xvd", "ubd"];
    match disk.device {
        DiskDevice::Floppy if !has_prefix(&["fd"]) => Err(internal(
            element,
            format_args!("Invalid floppy device name: {target}, expected a name like fda"),
        )),
        DiskDevice::Floppy if bus != DiskBus::Fdc => Err(internal(
            element,
            format_args!("Invalid bus type '{}' for floppy disk, expected fdc", bus.as_str()),
        )),
        DiskDevice::Floppy => Ok(()),
        _ if bus == DiskBus::Fdc => {
            Err(internal(element, "Invalid bus type 'fdc' for disk, only floppies have it"))
        }
        DiskDevice::Disk | DiskDevice::Lun if !has_prefix(&harddisk) => Err(internal(
            element,
            format_args!("Invalid harddisk device name: {target}, expected a name like vda"),
        )),
        _ => Ok(()),
    }
}

fn check_startup(disk: &Disk, element: &Element) -> Result<()> {
    let source = disk.source.element.as_ref();
    let Some(policy) = source.and_then(|source| source.attr("startupPolicy")) else {
        return Ok(());
    };
    let kind = disk.source.kind;
    if kind == StorageKind::Network {
        return Err(element.error(format_args!(
            "disk startupPolicy '{policy}' is not allowed for disk of '{}' type",
            kind.as_str()
        )));
    }
    if policy == "requisite" && !matches!(disk.device, DiskDevice::Cdrom | DiskDevice::Floppy) {
        return Err(
            element.error("disk startupPolicy 'requisite' is allowed only for cdrom or floppy")
        );
    }
    Ok(())
}

/// Secrets are named once, with the disk or with its source.
fn check_secrets(disk: &Disk, element: &Element) -> Result<()> {
    let source = disk.source.element.as_ref();
    for name in ["auth", "encryption"] {
        if disk.kept(name).is_some() && source.is_some_and(|source| source.child(name).is_some()) {
            return Err(element.unsupported(format_args!(
                "an <{name}> definition already found for disk source"
            )));
        }
    }
    Ok(())
}

fn check_lun(disk: &Disk, element: &Element) -> Result<()> {
    let source = disk.source.element.as_ref();
    let kind = disk.source.kind;
    match (kind, source.and_then(|source| source.attr("protocol"))) {
        (StorageKind::Block | StorageKind::Volume, _) | (StorageKind::Network, Some("iscsi")) => (),
        (StorageKind::Network, protocol) => {
            return Err(element.unsupported(format_args!(
                "disk device='lun' is not supported for protocol='{}'",
                protocol.unwrap_or_default()
            )));
        }
        _ => {
            return Err(
                element.unsupported("disk device='lun' is only valid for block type disk source")
            );
        }
    }
    if disk.driver.format.as_deref().is_some_and(|format| format != "raw") {
        return Err(element.unsupported("disk device 'lun' must use 'raw' format"));
    }
    if source.is_some_and(|source| source.child("slices").is_some()) {
        return Err(element.unsupported("disk device 'lun' doesn't support storage slice"));
    }
    let in_source = source.and_then(|source| source.child("encryption"));
    let encryption = disk.kept("encryption").or(in_source);
    if encryption.is_some_and(|it| it.attr("format") != Some("default")) {
        return Err(element.unsupported("disk device 'lun' doesn't support encryption"));
    }
    check_sgio(disk, element)
}

fn check_no_lun(disk: &Disk, element: &Element) -> Result<()> {
    check_sgio(disk, element)?;
    for name in ["rawio", "sgio"] {
        if disk.has_attribute(name) {
            let text = format_args!("{name} can be used only with device='lun'");
            return Err(element.unsupported(text));
        }
    }
    let source = disk.source.element.as_ref();
    if source.is_some_and(|source| source.child("reservations").is_some()) {
        return Err(element.unsupported("<reservations/> allowed only for lun devices"));
    }
    Ok(())
}

fn check_sgio(disk: &Disk, element: &Element) -> Result<()> {
    let is_unfiltered = |(name, value): &(String, String)| name == "sgio" && value == "unfiltered";
    match disk.kept_attributes.iter().any(is_unfiltered) {
        true => Err(element.unsupported("unfiltered sgio is no longer supported")),
        false => Ok(()),
    }
}

/// What a server of the host decides itself.
fn check_vhost_user(disk: &Disk, bus: DiskBus, element: &Element) -> Result<()> {
    if bus != DiskBus::Virtio {
        return Err(element.unsupported("vhostuser disk supports only virtio bus"));
    }
    let snapshot = disk.kept_attributes.iter().find(|(name, _)| name == "snapshot");
    if snapshot.is_some_and(|(_, value)| value != "no") {
        return Err(element.unsupported("only snapshot=no is supported with vhostuser disk"));
    }
    let source = disk.source.element.as_ref();
    let has_secret = |name| {
        disk.kept(name).is_some() || source.is_some_and(|source| source.child(name).is_some())
    };
    let has_element = |name: &&str| disk.kept(name).is_some();
    let has_attribute = |name: &&str| disk.driver.kept(name).is_some();
    let elements = [
        "backingStore",
        "shareable",
        "transient",
        "serial",
        "wwn",
        "vendor",
        "product",
        "geometry",
        "blockio",
        "iotune",
    ];
    let attributes = ["io", "ioeventfd", "copy_on_read", "discard", "iothread", "detect_zeroes"];
    let unsupported = elements
        .into_iter()
        .find(has_element)
        .or_else(|| attributes.into_iter().find(has_attribute))
        .or_else(|| ["auth", "encryption"].into_iter().find(|name| has_secret(*name)))
        .or_else(|| disk.readonly.then_some("readonly"))
        .or_else(|| disk.driver.cache.is_some().then_some("cache"))
        .or_else(|| disk.driver.metadata_cache.is_some().then_some("metadata_cache"))
        .or_else(|| {
            let policies = ["error_policy", "rerror_policy"];
            policies.iter().any(has_attribute).then_some("error_policy")
        });
    match unsupported {
        Some(what) => {
            Err(element.unsupported(format_args!("{what} is not supported with vhostuser disk")))
        }
        None => Ok(()),
    }
}

fn check_no_virtio(disk: &Disk, bus: DiskBus, element: &Element) -> Result<()> {
    if let Some((_, model)) = disk.kept_attributes.iter().find(|(name, _)| name == "model") {
        return Err(element.unsupported(format_args!(
            "disk model '{model}' not supported for bus '{}'",
            bus.as_str()
        )));
    }
    for (name, text) in [
        ("ioeventfd", "disk ioeventfd mode supported only for virtio bus"),
        ("event_idx", "disk event_idx mode supported only for virtio bus"),
        ("queues", "queues attribute in disk driver element is only supported by virtio-blk"),
        ("iommu", "iommu driver option is only supported for virtio devices"),
        ("ats", "ats driver option is only supported for virtio devices"),
        ("packed", "packed driver option is only supported for virtio devices"),
        ("page_per_vq", "page_per_vq option is only supported for virtio devices"),
    ] {
        if disk.driver.kept(name).is_some() {
            return Err(element.unsupported(text));
        }
    }
    Ok(())
}

fn check_driver(disk: &Disk, element: &Element) -> Result<()> {
    if disk.driver.kept("rerror_policy") == Some("enospace") {
        return Err(element.unsupported(
            "Invalid disk read error policy: 'enospace', expected one of stop, report, ignore",
        ));
    }
    let has = |name: &str| disk.target_kept.attr(name).is_some();
    if has("tray") && !matches!(disk.device, DiskDevice::Cdrom | DiskDevice::Floppy) {
        return Err(element.unsupported("tray is only valid for cdrom and floppy"));
    }
    if has("removable") && disk.bus != DiskBus::Usb {
        return Err(element.error("removable is only valid for usb disks"));
    }
    if element.child("source").is_some_and(|source| source.attr("fdgroup").is_some()) {
        let target = &disk.target;
        let text = format_args!("driver does not support FD passing for disk '{target}'");
        return Err(element.unsupported(text));
    }
    Ok(())
}
