//! What PCI controllers have of their own.

use super::integer;
use crate::error::Result;
use crate::model::digits::c_number;
use crate::model::memory;
use crate::model::read::number;
use crate::model::shape::{self, Kind, ON_OFF, Shape, attr};
use crate::xml::{Element, Node};

/// Which product a PCI controller looks like.
pub(super) fn model(element: &Element) -> Result<Option<Element>> {
    const NAMES: &[&str] = &[
        "none",
        "pci-bridge",
        "i82801b11-bridge",
        "ioh3420",
        "x3130-upstream",
        "xio3130-downstream",
        "pxb",
        "pxb-pcie",
        "pcie-root-port",
        "spapr-pci-host-bridge",
        "pcie-pci-bridge",
    ];
    const MODEL: Shape = Shape::new("model", &[attr("name", Kind::Word(NAMES)).unless("none")]);
    MODEL.read_one(element)
}

/// Where a PCI controller is attached.
pub(super) fn target(controller: &Element) -> Result<Option<Element>> {
    const HOTPLUG: Shape = Shape::new("target", &[attr("hotplug", Kind::Word(ON_OFF))]);
    let Some(element) = controller.child("target") else { return Ok(None) };
    let mut kept = shape::element("target", &[], Vec::new());
    for (name, label, least, most) in [
        ("chassisNr", "chassisNr", 1, 255),
        ("chassis", "chassis", 0, 255),
        ("port", "port", 0, 255),
        ("busNr", "busNr", 1, 254),
        ("index", "target index", 0, 30),
    ] {
        let Some(value) = integer(element, name, c_number)? else { continue };
        if !(least..=most).contains(&value) {
            return Err(element.unsupported(format_args!(
                "PCI controller {label} '{value}' out of range - must be {least}-{most}"
            )));
        }
        let value = if name == "port" { format!("{value:#x}") } else { value.to_string() };
        kept.attributes.push((name.to_owned(), value));
    }
    kept.attributes.extend(HOTPLUG.read(element)?.unwrap_or_default().attributes);
    if let Some(node) = element.child("node") {
        let text = node.text();
        let value = number::<i32>(&text).filter(|value| *value >= 0);
        if let Some(value) = value {
            kept.children.push(Node::Element(shape::leaf("node", &[], value.to_string())));
        } else if !text.is_empty() {
            let text = format_args!("invalid NUMA node in target: '{text}', expected a number");
            return Err(node.error(text));
        }
    }
    Ok(Some(kept).filter(|kept| !kept.attributes.is_empty() || !kept.children.is_empty()))
}

/// The room for large windows of PCI devices, in KiB.
pub(super) fn hole(element: &Element) -> Result<Option<Element>> {
    let hole = memory::size_in(element.child("pcihole64"), "pcihole64")?;
    let unit = [("unit", "KiB".to_owned())];
    Ok(hole.map(|hole| shape::leaf("pcihole64", &unit, hole.to_string())))
}
