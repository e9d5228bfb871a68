//! What devices of any family may say about their place in a machine: boot order, ROM, ACPI
//! index, address. Containers have no such places; it is kept.
//!
//! Aliases are not among them: libvirt's driver for containers keeps none from a document.

use crate::error::Result;
use crate::model::read::{bad_value, internal, number};
use crate::model::shape::{self, Kind, ON_OFF, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

/// What of it a family may have besides an address and an ACPI index.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// `<boot order>`.
    pub(super) boot: bool,
    /// `<rom>`.
    pub(super) rom: bool,
}

impl Place {
    /// An address only.
    pub(super) const PLAIN: Self = Self { boot: false, rom: false };
    /// Of what a machine can boot from, with code of its own.
    pub(super) const BOOTABLE: Self = Self { boot: true, rom: true };

    /// What is kept of a device's place, in the order it is written in.
    pub(super) fn read(self, device: &Element) -> Result<Vec<Element>> {
        const BOOT: Shape = Shape::new(
            "boot",
            &[attr("order", Kind::Positive).required(), attr("loadparm", Kind::Text)],
        );
        const MASTER: Shape = Shape::new("master", &[attr("startport", Kind::Number).required()]);
        const ROM: Shape = Shape::new(
            "rom",
            &[
                attr("enabled", Kind::Word(YES_NO)),
                attr("bar", Kind::Word(ON_OFF)),
                attr("file", Kind::Text),
            ],
        );
        const ACPI: Shape = Shape::new("acpi", &[attr("index", Kind::Positive)]);
        let mut kept = Vec::new();
        if self.boot {
            kept.extend(BOOT.read_one(device)?);
        }
        kept.extend(MASTER.read_one(device)?);
        if self.rom {
            kept.extend(ROM.read_one(device)?);
        }
        kept.extend(ACPI.read_one(device)?);
        if let Some(element) = device.child("address") {
            kept.push(address(element, &device.name)?);
        }
        Ok(kept)
    }
}

/// libvirt's kinds of addresses.
const KINDS: &[&str] = &[
    "pci",
    "drive",
    "virtio-serial",
    "ccid",
    "usb",
    "spapr-vio",
    "virtio-s390",
    "ccw",
    "virtio-mmio",
    "isa",
    "dimm",
    "unassigned",
];

/// How the number of an attribute is written.
#[derive(Debug, Clone, Copy)]
enum Digits {
    Decimal,
    /// With `0x` and at least so many digits.
    Hex(usize),
}

/// An attribute of an address, its default (None: it is left out) and how it is written.
type Part = (&'static str, Option<u64>, Digits);

/// Normalises an address as libvirt does.
fn address(element: &Element, device: &str) -> Result<Element> {
    use Digits::{Decimal, Hex};
    let kind = element.attr("type").filter(|kind| !kind.is_empty());
    let Some(kind) = kind else {
        return Err(internal(element, "No type specified for device address"));
    };
    let parts: &[Part] = match kind {
        "pci" => return pci(element),
        "usb" => return usb(element),
        "drive" => &[
            ("controller", Some(0), Decimal),
            ("bus", Some(0), Decimal),
            ("target", Some(0), Decimal),
            ("unit", Some(0), Decimal),
        ],
        "virtio-serial" => &[
            ("controller", Some(0), Decimal),
            ("bus", Some(0), Decimal),
            ("port", Some(0), Decimal),
        ],
        "ccid" => &[("controller", Some(0), Decimal), ("slot", Some(0), Decimal)],
        "ccw" => {
            &[("cssid", Some(0), Hex(1)), ("ssid", Some(0), Hex(1)), ("devno", Some(0), Hex(4))]
        }
        "spapr-vio" => &[("reg", None, Hex(8))],
        "isa" => &[("iobase", None, Hex(1)), ("irq", None, Hex(1))],
        "dimm" => &[("slot", Some(0), Decimal), ("base", None, Hex(1))],
        "virtio-mmio" => &[],
        "unassigned" if device == "hostdev" => &[],
        "unassigned" => {
            return Err(
                element.unsupported("address of type 'unassigned' is supported only for hostdevs")
            );
        }
        "virtio-s390" => return Err(element.error("virtio-s390 bus doesn't have an address")),
        other => {
            let kinds = KINDS.join(", ");
            return Err(element.unsupported(format_args!(
                "unknown address type '{other}': expected one of {kinds}"
            )));
        }
    };
    let mut attributes = vec![("type", kind.to_owned())];
    for &(name, default, digits) in parts {
        let value = number_of(element, name)?.or(default);
        attributes.extend(value.map(|value| (name, written(value, digits))));
    }
    Ok(shape::element("address", &attributes, Vec::new()))
}

fn written(value: u64, digits: Digits) -> String {
    match digits {
        Digits::Decimal => value.to_string(),
        Digits::Hex(width) => format!("0x{value:0width$x}"),
    }
}

/// A number, hexadecimal with `0x` and octal with `0` in front, as C reads it.
fn number_of(element: &Element, name: &str) -> Result<Option<u64>> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    let digits = text.trim_ascii_start();
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => match digits.strip_prefix('0').filter(|octal| !octal.is_empty()) {
            Some(octal) => u64::from_str_radix(octal, 8).ok(),
            None => number(digits),
        },
    };
    let expected = "Expected non-negative integer value";
    value.map(Some).ok_or_else(|| bad_value(element, name, text, expected))
}

fn pci(element: &Element) -> Result<Element> {
    let mut attributes = vec![("type", "pci".to_owned())];
    let mut numbers = Vec::new();
    for (name, most, width) in [
        ("domain", u64::from(u32::MAX), 4),
        ("bus", 0xff, 2),
        ("slot", 0x1f, 2),
        ("function", 7, 1),
    ] {
        let value = number_of(element, name)?.unwrap_or(0);
        if value > most {
            return Err(element.error(format_args!(
                "Invalid PCI address {name}='0x{value:x}', must be <= 0x{most:X}"
            )));
        }
        numbers.push((name, value, width));
    }
    // All zero is no address, but a wish to get one.
    if numbers.iter().any(|(_, value, _)| *value != 0) {
        let numbers = numbers.into_iter();
        attributes
            .extend(numbers.map(|(name, value, width)| (name, written(value, Digits::Hex(width)))));
    }
    const MULTIFUNCTION: Shape =
        Shape::new("address", &[attr("multifunction", Kind::Word(ON_OFF))]);
    let mut kept = shape::element("address", &attributes, Vec::new());
    kept.attributes.extend(MULTIFUNCTION.read(element)?.unwrap_or_default().attributes);
    if let Some(zpci) = element.child("zpci") {
        let mut ids = Vec::new();
        for (name, width) in [("uid", 4), ("fid", 8)] {
            let id = number_of(zpci, name)?;
            ids.extend(id.map(|id| (name, written(id, Digits::Hex(width)))));
        }
        kept.children.push(Node::Element(shape::element("zpci", &ids, Vec::new())));
    }
    Ok(kept)
}

/// The address of a PCI device of the host: no type, all numbers.
pub(super) fn pci_of_host(element: &Element) -> Result<Element> {
    let address = pci(element)?;
    let mut kept = shape::element("address", &[], Vec::new());
    for (name, zero) in
        [("domain", "0x0000"), ("bus", "0x00"), ("slot", "0x00"), ("function", "0x0")]
    {
        kept.attributes.push((name.to_owned(), address.attr(name).unwrap_or(zero).to_owned()));
    }
    Ok(kept)
}

fn usb(element: &Element) -> Result<Element> {
    let bus = number_of(element, "bus")?.unwrap_or(0);
    let mut attributes = vec![("type", "usb".to_owned()), ("bus", bus.to_string())];
    if let Some(port) = element.attr("port") {
        // At most four hubs deep.
        let numbers: Option<Vec<u32>> = port.split('.').map(number).collect();
        if numbers.is_none_or(|numbers| numbers.len() > 4) {
            return Err(internal(element, "Cannot parse <address> 'port' attribute"));
        }
        attributes.push(("port", port.to_owned()));
    }
    Ok(shape::element("address", &attributes, Vec::new()))
}
