//! The features of virtual machines, which libvirt keeps for containers as well.

use super::memory::{split_bytes, to_bytes, to_kib};
use super::read::{bad_value, number};
use super::shape::{self, Attr, Kind, ON_OFF, Shape, attr};
use crate::error::Result;
use crate::xml::{Element, Node};

/// All features, in the order they are written in.
pub(super) const ORDER: &[&str] = &[
    "acpi",
    "apic",
    "pae",
    "hap",
    "viridian",
    "privnet",
    "hyperv",
    "kvm",
    "pvspinlock",
    "capabilities",
    "pmu",
    "vmport",
    "gic",
    "smm",
    "ioapic",
    "hpt",
    "vmcoreinfo",
    "htm",
    "nested-hv",
    "msrs",
    "ccf-assist",
    "xen",
    "cfpc",
    "sbbc",
    "ibs",
    "tcg",
];

const STATE: &[Attr] = &[attr("state", Kind::Word(ON_OFF)).required()];
const ON: &[Attr] = &[attr("state", Kind::Word(ON_OFF)).or("on")];

/// The features that are no more than attributes.
const SIMPLE: &[Shape] = &[
    Shape::new("acpi", &[]).bare(),
    Shape::new("apic", &[attr("eoi", Kind::Word(ON_OFF))]).bare(),
    Shape::new("pae", &[]).bare(),
    Shape::new("hap", ON),
    Shape::new("viridian", &[]).bare(),
    Shape::new("pvspinlock", ON),
    Shape::new("pmu", ON),
    Shape::new("vmport", ON),
    Shape::new("gic", &[attr("version", Kind::Word(&["2", "3", "host"]))]).bare(),
    Shape::new("smm", ON),
    Shape::new("ioapic", &[attr("driver", Kind::Word(&["kvm", "qemu"]))]),
    Shape::new("hpt", &[attr("resizing", Kind::Word(&["enabled", "disabled", "required"]))]).bare(),
    Shape::new("vmcoreinfo", ON),
    Shape::new("htm", STATE),
    Shape::new("nested-hv", STATE),
    Shape::new("ccf-assist", STATE),
    Shape::new("msrs", &[attr("unknown", Kind::Word(&["ignore", "fault"])).required()]),
    Shape::new("cfpc", &[attr("value", Kind::Word(&["broken", "workaround", "fixed"]))]),
    Shape::new("sbbc", &[attr("value", Kind::Word(&["broken", "workaround", "fixed"]))]),
    Shape::new("ibs", &[attr("value", Kind::Word(MITIGATIONS))]),
    Shape::new("tcg", &[]).bare(),
];

const MITIGATIONS: &[&str] = &["broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"];

const HYPERV: &[&str] = &[
    "relaxed",
    "vapic",
    "spinlocks",
    "vpindex",
    "runtime",
    "synic",
    "stimer",
    "reset",
    "vendor_id",
    "frequencies",
    "reenlightenment",
    "tlbflush",
    "ipi",
    "evmcs",
    "avic",
];
const KVM: &[&str] = &["hidden", "hint-dedicated", "poll-control", "pv-ipi", "dirty-ring"];
const XEN: &[&str] = &["e820_host", "passthrough"];

/// What is kept of a feature that may have come before; None when that is nothing.
pub(super) fn read(element: &Element, before: Option<Element>) -> Result<Option<Element>> {
    let group = match element.name.as_str() {
        "hyperv" => Some((HYPERV, "unsupported HyperV Enlightenment feature")),
        "kvm" => Some((KVM, "unsupported KVM feature")),
        "xen" => Some((XEN, "unsupported Xen feature")),
        _ => None,
    };
    if let Some((names, unknown)) = group {
        // libvirt adds to the others; of these the last element counts alone.
        let before = before.filter(|_| element.name != "kvm");
        return read_group(element, before, names, unknown).map(Some);
    }
    let Some(shape) = SIMPLE.iter().find(|shape| shape.name() == element.name) else {
        return Ok(None);
    };
    let Some(mut kept) = shape.read(element)? else { return Ok(None) };
    let size = match element.name.as_str() {
        "smm" if kept.attr("state") == Some("on") => {
            let bytes = |child: &Element, size, unit: Option<&str>| {
                to_bytes(child, size, unit.unwrap_or("MiB")).map(split_bytes)
            };
            size(element, "tseg", bytes)?
        }
        "hpt" => {
            let kib = |child: &Element, size, unit: Option<&str>| {
                Ok((to_bytes(child, size, unit.unwrap_or("KiB"))?.div_ceil(1024), "KiB"))
            };
            let size = size(element, "maxpagesize", kib).map_err(|_| {
                element.unsupported("Unable to parse HPT maxpagesize setting: expected a size")
            })?;
            size.filter(is_not_zero)
        }
        "tcg" => {
            let kib =
                |child: &Element, size, unit: Option<&str>| Ok((to_kib(child, size, unit)?, "KiB"));
            size(element, "tb-cache", kib)?.filter(is_not_zero)
        }
        _ => None,
    };
    // An element without a size keeps that of the one before.
    let before =
        || before.filter(|_| kept.attr("state") != Some("off"))?.elements().next().cloned();
    let size = size.or_else(before);
    kept.children.extend(size.map(Node::Element));
    let is_nothing = kept.attributes.is_empty() && kept.children.is_empty();
    let needs_something = ["hpt", "tcg"].contains(&kept.name.as_str());
    Ok(Some(kept).filter(|_| !(is_nothing && needs_something)))
}

/// A child element with a size, which `convert` makes of a number and a unit.
fn size(
    element: &Element,
    name: &str,
    convert: impl Fn(&Element, u64, Option<&str>) -> Result<(u64, &'static str)>,
) -> Result<Option<Element>> {
    let Some(child) = element.child(name) else { return Ok(None) };
    let text = child.text();
    if text.is_empty() {
        return Ok(None);
    }
    let value = number::<u64>(&text).ok_or_else(|| {
        child.error(format_args!("Invalid value '{text}' of <{name}>: expected a number"))
    })?;
    let (value, unit) = convert(child, value, child.attr("unit").filter(|unit| !unit.is_empty()))?;
    Ok(Some(shape::leaf(name, &[("unit", unit.to_owned())], value.to_string())))
}

fn is_not_zero(size: &Element) -> bool {
    size.text() != "0"
}

/// A feature made of features of its own.
fn read_group(
    element: &Element,
    before: Option<Element>,
    names: &[&str],
    unknown: &str,
) -> Result<Element> {
    const MODE: Shape =
        Shape::new("hyperv", &[attr("mode", Kind::Word(&["custom", "passthrough"])).or("custom")]);
    let before = before.unwrap_or_default();
    let mut children: Vec<Element> = before.elements().cloned().collect();
    for child in element.elements() {
        if !names.contains(&child.name.as_str()) {
            return Err(child.unsupported(format_args!("{unknown}: {}", child.name)));
        }
        children.retain(|other| other.name != child.name);
        children.push(read_member(child)?);
    }
    children.sort_by_key(|child| names.iter().position(|name| *name == child.name));
    let attributes = match element.name.as_str() {
        "hyperv" => MODE.read(element)?.map(|kept| kept.attributes).unwrap_or_default(),
        _ => Vec::new(),
    };
    Ok(Element { attributes, ..shape::element(&element.name, &[], children) })
}

/// One of them; only what is on has more than its state.
fn read_member(element: &Element) -> Result<Element> {
    const RETRIES: &[Attr] = &[attr("retries", Kind::Number).required()];
    const SIZE: &[Attr] = &[attr("size", Kind::Number).required()];
    const MODE: &[Attr] = &[attr("mode", Kind::Word(&["sync_pt", "share_pt"]))];
    let [state] = STATE else { return Ok(Element::default()) };
    let state = state.read(element)?.unwrap_or_default();
    let mut kept = shape::element(&element.name, &[("state", state.clone())], Vec::new());
    if state != "on" {
        return Ok(kept);
    }
    let further = match element.name.as_str() {
        "spinlocks" => RETRIES,
        "dirty-ring" => SIZE,
        "passthrough" => MODE,
        "vendor_id" => &[],
        "stimer" => {
            kept.children.extend(direct(element)?.map(Node::Element));
            &[]
        }
        _ => &[],
    };
    for attribute in further {
        if let Some(value) = attribute.read(element)? {
            check_number(element, attribute.name(), &value)?;
            kept.attributes.push((attribute.name().to_owned(), value));
        }
    }
    if element.name == "vendor_id" {
        kept.attributes.push(("value".to_owned(), vendor_id(element)?));
    }
    Ok(kept)
}

fn check_number(element: &Element, name: &str, value: &str) -> Result<()> {
    let count: u32 = number(value).unwrap_or(0);
    match name {
        "retries" if count < 4095 => {
            let expected = "HyperV spinlock retry count must be at least 4095";
            Err(bad_value(element, name, value, expected))
        }
        "size" if !count.is_power_of_two() || !(1024..=65536).contains(&count) => {
            let expected = "dirty ring must be power of 2 and ranges [1024, 65536]";
            Err(bad_value(element, name, value, expected))
        }
        _ => Ok(()),
    }
}

fn vendor_id(element: &Element) -> Result<String> {
    let Some(value) = element.attr("value") else {
        return Err(element.error("missing 'value' attribute for HyperV feature 'vendor_id'"));
    };
    if value.len() > 12 {
        return Err(element.error(format_args!(
            "HyperV vendor_id value must not be more than 12 characters, unlike '{value}'"
        )));
    }
    match value.contains(',') {
        true => Err(element.error("HyperV vendor_id value is invalid: it contains a comma")),
        false => Ok(value.to_owned()),
    }
}

fn direct(element: &Element) -> Result<Option<Element>> {
    const DIRECT: Shape = Shape::new("direct", STATE);
    if let Some(other) = element.elements().find(|child| child.name != "direct") {
        let name = &other.name;
        return Err(other.unsupported(format_args!("unsupported Hyper-V stimer feature: {name}")));
    }
    Ok(DIRECT.read_one(element)?.filter(|kept| kept.attr("state") == Some("on")))
}
