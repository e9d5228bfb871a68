//! Interfaces: the parts that must fit to the type and to each other.

use nsvirt::xml::Element;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::super::adapt::{add, element, elements, remove, set};

/// The cards that libvirt knows for every driver, some of them.
const MODELS: &[&str] = &["virtio", "virtio-non-transitional", "e1000", "RTL8139", "vmxnet3"];

pub fn fit(interface: &mut Element, runner: &mut TestRunner) {
    source(interface);
    addresses(interface, runner);
    elements(interface).filter(|it| it.name == "source").for_each(|it| addresses(it, runner));
    limits(interface);
    elements(interface).filter(|it| it.name == "vlan").for_each(native_once);
    card(interface, runner);
    port(interface);
    let place = interface.child("address").and_then(|address| address.attr("type"));
    if place.is_some_and(|kind| kind != "pci" && kind != "ccw") || usb(interface) {
        remove(interface, "address");
    }
    // Newer than the libvirt this compares with, in its grammar for all types.
    elements(interface).filter(|it| it.name == "backend").for_each(|it| set(it, "type", None));
    if interface.attr("type") != Some("ethernet") {
        elements(interface)
            .filter(|it| it.name == "target")
            .for_each(|it| set(it, "managed", None));
    }
}

fn one_of(words: &'static [&'static str], runner: &mut TestRunner) -> &'static str {
    select(words).new_tree(runner).unwrap().current()
}

/// Whether it is a device of the host's USB.
fn usb(interface: &Element) -> bool {
    let source = interface.child("source");
    let place = source.and_then(|it| it.child("address")).and_then(|it| it.attr("type"));
    interface.attr("type") == Some("hostdev") && place != Some("pci")
}

/// Where the host's end is.
fn source(interface: &mut Element) {
    let kind = interface.attr("type").unwrap_or("user").to_owned();
    let needed = match kind.as_str() {
        "network" => "network",
        "bridge" => "bridge",
        "internal" => "name",
        "direct" | "vdpa" => "dev",
        _ => return,
    };
    if interface.child("source").is_none() {
        add(interface, element("source", ""));
    }
    for source in elements(interface).filter(|it| it.name == "source") {
        if source.attr(needed).is_none() {
            set(source, needed, Some("br0"));
        }
    }
}

/// Addresses and routes of one family, with prefixes that such addresses have.
fn addresses(parent: &mut Element, runner: &mut TestRunner) {
    for part in elements(parent).filter(|it| ["ip", "route"].contains(&it.name.as_str())) {
        let is_v6 = part.attr("family") == Some("ipv6");
        let end = runner.rng().random_range(0..=9);
        let address = |start: &str| Some(format!("{start}{end}"));
        let host = if is_v6 { address("2001:db8::") } else { address("192.0.2.") };
        if part.name == "ip" {
            set(part, "address", host.as_deref());
            if part.attr("peer").is_some() {
                set(part, "peer", host.as_deref());
            }
            shorten(part, if is_v6 { 129 } else { 33 }, 0);
            continue;
        }
        let is_default = part.attr("prefix").is_none() && part.attr("netmask").is_none();
        set(
            part,
            "address",
            Some(match (is_v6, is_default) {
                (true, true) => "::",
                (true, false) => "2001:db8::",
                (false, true) => "0.0.0.0",
                (false, false) => "10.0.0.0",
            }),
        );
        set(part, "gateway", host.as_deref());
        shorten(part, if is_v6 { 65 } else { 17 }, if is_v6 { 64 } else { 8 });
        if part.attr("netmask").is_some() {
            set(part, "netmask", Some("255.0.0.0").filter(|_| !is_v6));
            set(part, "prefix", Some("64").filter(|_| is_v6));
        }
        if part.attr("metric").is_some() {
            set(part, "metric", Some("7"));
        }
    }
}

/// Keeps a prefix from `least` on, and fewer than `count` above.
fn shorten(part: &mut Element, count: u64, least: u64) {
    let prefix = part.attr("prefix").map(|text| text.parse().unwrap_or(0));
    if let Some(prefix) = prefix {
        set(part, "prefix", Some(&(least + prefix % count).to_string()));
    }
}

/// Limits need an average; classes are another document's.
fn limits(interface: &mut Element) {
    for limits in elements(interface).filter(|it| it.name == "bandwidth") {
        set(limits, "classID", None);
        for limit in elements(limits) {
            set(limit, "floor", None);
            set(limit, "average", Some("1000"));
        }
    }
}

/// One tag at most is the native one.
fn native_once(vlan: &mut Element) {
    let many = vlan.elements().count() > 1;
    for tag in elements(vlan).skip(1) {
        set(tag, "nativeMode", None);
    }
    if many || vlan.elements().any(|tag| tag.attr("nativeMode").is_some()) {
        set(vlan, "trunk", Some("yes"));
    }
}

/// A card that the driver knows, one of virtio's where that is needed.
fn card(interface: &mut Element, runner: &mut TestRunner) {
    let kind = interface.attr("type").unwrap_or_default().to_owned();
    if kind == "hostdev" {
        elements(interface).filter(|it| it.name == "driver").for_each(|driver| {
            driver.attributes.clear();
            set(driver, "name", Some("vfio"));
        });
    }
    if kind != "hostdev" {
        for driver in elements(interface).filter(|it| it.name == "driver") {
            if !["qemu", "vhost"].contains(&driver.attr("name").unwrap_or_default()) {
                set(driver, "name", None);
            }
        }
    }
    let needs_virtio =
        kind == "vhostuser" || kind != "hostdev" && interface.child("driver").is_some();
    if needs_virtio && interface.child("model").is_none() {
        add(interface, element("model", ""));
    }
    for model in elements(interface).filter(|it| it.name == "model") {
        let chosen = one_of(if needs_virtio { &MODELS[..2] } else { MODELS }, runner);
        set(model, "type", Some(chosen));
    }
}

/// What a port of each kind needs, and where a port may be isolated.
fn port(interface: &mut Element) {
    const ID: &str = "9f0a9d0c-5c3a-4f0e-8a55-0e6a8f6a7f10";
    let kind = interface.attr("type").unwrap_or_default().to_owned();
    let on_bridge = ["network", "bridge"].contains(&kind.as_str());
    if !on_bridge || interface.child("virtualport").is_some() {
        remove(interface, "port");
    }
    for port in elements(interface).filter(|it| it.name == "virtualport") {
        let needed: &[(&str, &str)] = match port.attr("type") {
            Some("802.1Qbg") => {
                &[("managerid", "11"), ("typeid", "1193047"), ("typeidversion", "2")]
            }
            Some("802.1Qbh") => &[("profileid", "p")],
            Some("openvswitch") | Some("midonet") => &[("interfaceid", ID)],
            _ if kind == "network" => &[],
            _ => {
                set(port, "type", Some("openvswitch"));
                remove(port, "parameters");
                &[("interfaceid", ID)]
            }
        };
        if port.child("parameters").is_none() && !needed.is_empty() {
            add(port, element("parameters", ""));
        }
        for parameters in elements(port) {
            for (name, value) in needed {
                if parameters.attr(name).is_none() {
                    set(parameters, name, Some(value));
                }
            }
        }
    }
}
