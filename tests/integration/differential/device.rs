//! What a schema cannot say of devices.

mod disk;
mod interface;

use nsvirt::xml::{Element, Node};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::adapt::{add, element, elements, remove, set};

/// Makes most devices fit to themselves.
pub fn fit(device: &mut Element, runner: &mut TestRunner) {
    if runner.rng().random_ratio(1, 12) {
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
        "disk" => disk::fit(device, runner),
        "interface" => interface::fit(device, runner),
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

/// Numbers that count from one, ports, which the schema lets be any text, and numbers to the base of
/// 16, which it lets be without a mark.
fn numbers(device: &mut Element) {
    let is_place = ["address", "vendor", "product"].contains(&device.name.as_str());
    for (name, value) in &mut device.attributes {
        match name.as_str() {
            "order" | "index" | "start" | "end" | "to" if value == "0" => "1".clone_into(value),
            "start" | "end" | "to" if value.starts_with('-') => "2".clone_into(value),
            "service" | "tlsPort" => "5900".clone_into(value),
            "loadparm" => "A1".clone_into(value),
            "id" | "domain" | "bus" | "slot" | "device" if is_place && is_bare(value) => {
                "0x1f".clone_into(value);
            }
            _ => {}
        }
    }
    if device.attr("type") == Some("pci") && device.attr("slot").is_none() && is_place {
        set(device, "slot", Some("3"));
    }
    if device.name == "reconnect" && device.attr("timeout").is_none() {
        set(device, "timeout", Some("1"));
    }
    elements(device).for_each(numbers);
}

/// Digits to the base of 16 that are none to the base of 10.
fn is_bare(text: &str) -> bool {
    let is_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn only_first(device: &mut Element, name: &str) {
    let mut seen = false;
    device.children.retain(|node| match node {
        Node::Element(child) if child.name == name => !std::mem::replace(&mut seen, true),
        _ => true,
    });
}
