//! What a schema cannot say of devices.

use nsvirt::xml::{Element, Node};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::adapt::{add, element, elements, remove, set};

/// Makes most devices fit to themselves.
pub fn fit(device: &mut Element, runner: &mut TestRunner) {
    if runner.rng().random_ratio(1, 6) {
        return;
    }
    // Most addresses are of places that a container does not have.
    if runner.rng().random_ratio(3, 4) {
        remove(device, "address");
    }
    numbers(device);
    match device.name.as_str() {
        "serial" | "parallel" | "console" | "channel" | "redirdev" | "smartcard" => {
            only_first(device, "source");
        }
        "video" if device.child("model").is_none() => {
            let mut model = element("model", "");
            set(&mut model, "type", Some("vga"));
            add(device, model);
        }
        "audio" => set(device, "id", Some("1")),
        "interface" => bandwidth(device),
        "hostdev" => {
            set(device, "sgio", None);
            if device.attr("type") != Some("usb") {
                elements(device).for_each(|source| set(source, "startupPolicy", None));
            }
        }
        "shmem" if device.child("server").is_none() => remove(device, "msi"),
        _ => {}
    }
    if device.child("rom").is_some_and(|rom| rom.attr("enabled") == Some("no")) {
        remove(device, "rom");
    }
}

/// Numbers that count from one, and ports, which the schema lets be any text.
fn numbers(device: &mut Element) {
    for (name, value) in &mut device.attributes {
        match name.as_str() {
            "order" | "index" | "start" if value == "0" => "1".clone_into(value),
            "service" | "tlsPort" => "5900".clone_into(value),
            _ => {}
        }
    }
    elements(device).for_each(numbers);
}

fn only_first(device: &mut Element, name: &str) {
    let mut seen = false;
    device.children.retain(|node| match node {
        Node::Element(child) if child.name == name => !std::mem::replace(&mut seen, true),
        _ => true,
    });
}

/// Limits need an average; classes are another document's.
fn bandwidth(interface: &mut Element) {
    for limits in elements(interface).filter(|it| it.name == "bandwidth") {
        set(limits, "classID", None);
        for limit in elements(limits) {
            set(limit, "floor", None);
            set(limit, "average", Some("1000"));
        }
    }
}
