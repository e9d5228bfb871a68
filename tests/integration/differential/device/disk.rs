//! Disks: names that fit to the kind, sources that say something, secrets that are named once.

use nsvirt::xml::{Element, Node};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::super::adapt::{add, element, elements, remove, set};

pub fn fit(disk: &mut Element, runner: &mut TestRunner) {
    if disk.attr("device") == Some("lun") {
        let protocol = disk.child("source").and_then(|source| source.attr("protocol"));
        if protocol.is_some_and(|protocol| protocol != "iscsi") {
            set(disk, "device", None);
        }
    }
    if disk.attr("device") == Some("floppy") {
        set(disk, "model", None);
    }
    if disk.child("address").is_some_and(|address| address.attr("type") != Some("drive")) {
        remove(disk, "address");
    }
    set(disk, "sgio", None);
    if disk.attr("device") != Some("lun") {
        set(disk, "rawio", None);
    }
    if disk.attr("type") == Some("vhostuser") {
        set(disk, "device", None);
    }
    target(disk, runner);
    images(disk);
    numbers(disk);
    if disk.child("encryption").is_some() || disk.child("auth").is_some() {
        for source in elements(disk).filter(|it| it.name == "source") {
            ["encryption", "auth"].into_iter().for_each(|name| remove(source, name));
        }
    }
    for name in ["wwn", "mirror"] {
        remove(disk, name);
    }
    match disk.attr("type").unwrap_or("file").to_owned().as_str() {
        "vhostuser" => {
            set(disk, "snapshot", None);
            disk.children.retain(|node| {
                let kept = ["source", "target", "boot", "address", "acpi"];
                matches!(node, Node::Element(it) if kept.contains(&it.name.as_str()))
            });
        }
        "network" | "nvme" => elements(disk).for_each(|it| set(it, "startupPolicy", None)),
        _ => {}
    }
    let is_removable = matches!(disk.attr("device"), Some("cdrom" | "floppy"));
    for source in elements(disk).filter(|it| it.name == "source") {
        set(source, "fdgroup", None);
        if !is_removable && source.attr("startupPolicy") == Some("requisite") {
            set(source, "startupPolicy", Some("optional"));
        }
    }
    if disk.attr("device") == Some("lun") {
        set(disk, "snapshot", None);
        ["encryption", "driver"].into_iter().for_each(|name| remove(disk, name));
        for source in elements(disk).filter(|it| it.name == "source") {
            ["encryption", "slices"].into_iter().for_each(|name| remove(source, name));
        }
    }
}

/// A name of the kind, and mostly no bus but the one that follows from the name.
fn target(disk: &mut Element, runner: &mut TestRunner) {
    let kinds = match disk.attr("device") {
        Some("floppy") => &["fd"][..],
        _ if disk.attr("model").is_some() || disk.attr("type") == Some("vhostuser") => &["vd"],
        Some("cdrom") => &["hd", "sd"],
        _ => &["vd", "sd", "hd", "xvd", "ubd"],
    };
    let kind = kinds[runner.rng().random_range(0..kinds.len())];
    let letter = |runner: &mut TestRunner| char::from(runner.rng().random_range(b'a'..=b'z'));
    let name = match kind {
        "fd" => format!("{kind}{}", letter(runner)),
        _ => format!("{kind}{}{}", if runner.rng().random() { "a" } else { "" }, letter(runner)),
    };
    let is_vhost = disk.attr("type") == Some("vhostuser");
    let is_odd = !is_vhost && runner.rng().random_ratio(1, 8);
    if disk.child("target").is_none() {
        add(disk, element("target", ""));
    }
    let of_cdrom = matches!(disk.attr("device"), Some("cdrom" | "floppy"));
    for target in elements(disk).filter(|it| it.name == "target") {
        set(target, "dev", Some(&name));
        if !of_cdrom {
            set(target, "tray", None);
        }
        if !is_odd || target.attr("bus") == Some("fdc") {
            ["bus", "removable"].into_iter().for_each(|it| set(target, it, None));
        }
    }
    let is_virtio = kind == "vd";
    for driver in elements(disk).filter(|it| it.name == "driver") {
        if driver.attr("rerror_policy") == Some("enospace") {
            set(driver, "rerror_policy", Some("stop"));
        }
        if driver.attr("iothread") == Some("0") {
            set(driver, "iothread", Some("1"));
        }
        if ["luks", "auto"].contains(&driver.attr("type").unwrap_or_default()) {
            set(driver, "type", Some("raw"));
        }
        if !is_virtio {
            for name in
                ["ioeventfd", "event_idx", "queues", "iommu", "ats", "packed", "page_per_vq", "io"]
            {
                set(driver, name, None);
            }
        }
    }
}

/// Sources of a disk and of what is below it.
fn images(owner: &mut Element) {
    let says_nothing = owner.child("source").is_none_or(|source| source.attributes.is_empty());
    if owner.name == "backingStore" && says_nothing && owner.attr("type").is_some() {
        set(owner, "type", Some("file"));
    }
    let kind = owner.attr("type").unwrap_or("file").to_owned();
    let needs_source = !matches!(owner.attr("device"), Some("cdrom" | "floppy"));
    if needs_source && owner.child("source").is_none() && owner.attr("type") != Some("vhostuser") {
        owner.children.push(Node::Element(element("source", "")));
    }
    for part in elements(owner) {
        match part.name.as_str() {
            "source" => source(part, &kind),
            "backingStore" if part.attr("type").is_some() => images(part),
            "format" if ["luks", "auto"].contains(&part.attr("type").unwrap_or_default()) => {
                set(part, "type", Some("qcow2"));
            }
            "auth" => secret_of(part, ""),
            "encryption" => without_cipher(part),
            _ => {}
        }
    }
    if kind == "network" {
        let source = owner.child("source");
        let protocol = source.and_then(|it| it.attr("protocol")).unwrap_or_default().to_owned();
        elements(owner).filter(|it| it.name == "auth").for_each(|it| secret_of(it, &protocol));
        if !["iscsi", "rbd", "ssh", "http", "https"].contains(&protocol.as_str()) {
            remove(owner, "auth");
        }
    }
}

fn source(source: &mut Element, kind: &str) {
    let path = match kind {
        "file" => "file",
        "block" => "dev",
        "dir" => "dir",
        _ => "",
    };
    if !path.is_empty() && source.attr(path).is_none() {
        set(source, path, Some("/srv/a"));
    }
    if kind == "volume" && source.attr("pool").is_none() {
        set(source, "pool", Some("p"));
        set(source, "volume", Some("v"));
    }
    if kind == "nvme" {
        set(source, "type", Some("pci"));
        set(source, "namespace", Some("1"));
        if source.child("address").is_none() {
            add(source, element("address", ""));
        }
        for address in elements(source).filter(|it| it.name == "address") {
            address.attributes.clear();
            set(address, "slot", Some("0x03"));
        }
    }
    remove(source, "reservations");
    let protocol = source.attr("protocol").unwrap_or_default().to_owned();
    match protocol.as_str() {
        "rbd" | "gluster" => set(source, "name", Some("pool/image")),
        "" => {}
        "nbd" => {}
        _ if source.attr("name").is_none_or(str::is_empty) => set(source, "name", Some("n")),
        _ => {}
    }
    remove(source, "cookies");
    for part in elements(source) {
        match part.name.as_str() {
            "auth" => secret_of(part, &protocol),
            "encryption" => without_cipher(part),
            _ => {}
        }
    }
    if !["iscsi", "rbd", "ssh", "http", "https"].contains(&protocol.as_str()) {
        remove(source, "auth");
    }
}

/// The kind of secret that a protocol has.
fn secret_of(auth: &mut Element, protocol: &str) {
    let kind = match protocol {
        "iscsi" => "iscsi",
        "rbd" => "ceph",
        _ => return,
    };
    elements(auth).for_each(|secret| set(secret, "type", Some(kind)));
}

fn without_cipher(encryption: &mut Element) {
    ["cipher", "ivgen"].into_iter().for_each(|name| remove(encryption, name));
}

/// The schema lets counts be negative.
fn numbers(disk: &mut Element) {
    for part in elements(disk).filter(|it| ["geometry", "blockio"].contains(&it.name.as_str())) {
        for (name, value) in &mut part.attributes {
            if name != "trans" {
                "16".clone_into(value);
            }
        }
    }
}
