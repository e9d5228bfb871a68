//! What devices of any family may say about their place in a machine: boot order, ROM, ACPI
//! index, address. Containers have no such places; it is kept.
//!
//! Aliases are not among them: libvirt's driver for containers keeps none from a document.

use crate::error::Result;
use crate::model::digits::{c_number_attr, hexadecimal};
use crate::model::read::{bad_value, internal, missing_attr, number};
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
    /// Of what a machine can boot from.
    pub(super) const BOOT: Self = Self { boot: true, rom: false };
    /// Of what a machine can boot from, with code of its own.
    pub(super) const BOOTABLE: Self = Self { boot: true, rom: true };

    /// What is kept of a device's place, in the order it is written in.
    pub(super) fn read(self, device: &Element) -> Result<Vec<Element>> {
        const MASTER: Shape = Shape::new("master", &[attr("startport", Kind::Number).or("0")]);
        const ACPI: Shape = Shape::new("acpi", &[attr("index", Kind::Positive)]);
        let mut kept = Vec::new();
        if self.boot {
            kept.extend(boot(device)?);
        }
        kept.extend(MASTER.read_one(device)?);
        if self.rom {
            kept.extend(rom(device)?);
        }
        kept.extend(ACPI.read_one(device)?);
        if let Some(element) = device.child("address") {
            kept.push(address(element, &device.name)?);
        }
        Ok(kept)
    }
}

/// Code of the device's own for the machine's firmware.
fn rom(device: &Element) -> Result<Option<Element>> {
    const ROM: Shape = Shape::new(
        "rom",
        &[
            attr("enabled", Kind::Word(YES_NO)),
            attr("bar", Kind::Word(ON_OFF)),
            attr("file", Kind::Text),
        ],
    );
    let kept = ROM.read_one(device)?;
    match &kept {
        Some(rom) if rom.attr("enabled") == Some("no") && rom.attributes.len() > 1 => {
            Err(device.unsupported("ROM tuning is not supported when ROM is disabled"))
        }
        _ => Ok(kept),
    }
}

fn boot(device: &Element) -> Result<Option<Element>> {
    const BOOT: Shape = Shape::new("boot", &[attr("order", Kind::Positive).required()]);
    let Some(element) = device.child("boot") else { return Ok(None) };
    let mut kept = BOOT.read(element)?;
    if let (Some(kept), Some(word)) = (&mut kept, element.attr("loadparm")) {
        kept.attributes.push(("loadparm".to_owned(), load_parameter(element, word)?));
    }
    Ok(kept)
}

/// A parameter of a mainframe's boot loader.
fn load_parameter(element: &Element, word: &str) -> Result<String> {
    let word = word.to_ascii_uppercase();
    if word.trim().is_empty() || word.len() > 8 {
        return Err(internal(
            element,
            format_args!("loadparm value '{word}' must be between 1 and 8 characters"),
        ));
    }
    if !word.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == ' ') {
        let expected = "expecting chars in set of [a-zA-Z0-9.] and blank spaces";
        return Err(internal(element, format_args!("invalid loadparm value '{word}', {expected}")));
    }
    Ok(word)
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

/// Normalises an address as libvirt does.
fn address(element: &Element, device: &str) -> Result<Element> {
    let Some(kind) = element.attr("type") else {
        return Err(internal(element, "No type specified for device address"));
    };
    match kind {
        "pci" => pci(element),
        "usb" => usb(element),
        "ccw" => ccw(element),
        "drive" => Ok(Drive::read(element)?.element()),
        "virtio-serial" => on_controller(element, &["bus", "port"]),
        "ccid" => on_controller(element, &["slot"]),
        "spapr-vio" => hexadecimals(element, &[("reg", u64::MAX, 8)]),
        "isa" => hexadecimals(element, &[("iobase", MAX_32, 1), ("irq", MAX_32, 1)]),
        "dimm" => dimm(element),
        "virtio-mmio" => Ok(new(kind, Vec::new())),
        "unassigned" if device == "hostdev" => Ok(new(kind, Vec::new())),
        "unassigned" => {
            Err(element.unsupported("address of type 'unassigned' is supported only for hostdevs"))
        }
        "virtio-s390" => Err(element.error("virtio-s390 bus doesn't have an address")),
        other => {
            let kinds = KINDS.join(", ");
            Err(element.unsupported(format_args!(
                "unknown address type '{other}': expected one of {kinds}"
            )))
        }
    }
}

const MAX_32: u64 = u32::MAX as u64;

fn new(kind: &str, attributes: Vec<(&str, String)>) -> Element {
    let mut kept = shape::element("address", &[("type", kind.to_owned())], Vec::new());
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    kept.attributes.extend(attributes);
    kept
}

/// The place of a drive: which controller, and where on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Drive {
    pub(super) controller: u32,
    pub(super) bus: u32,
    pub(super) target: u32,
    pub(super) unit: u32,
}

impl Drive {
    /// The numbers in an address of type `drive`.
    pub(super) fn read(element: &Element) -> Result<Self> {
        Ok(Self {
            controller: decimal(element, "controller")?,
            bus: decimal(element, "bus")?,
            target: decimal(element, "target")?,
            unit: decimal(element, "unit")?,
        })
    }

    /// The address.
    pub(super) fn element(self) -> Element {
        let Self { controller, bus, target, unit } = self;
        let numbers =
            [("controller", controller), ("bus", bus), ("target", target), ("unit", unit)];
        new("drive", numbers.map(|(name, number)| (name, number.to_string())).into())
    }
}

/// A place on a controller, which has a number that controllers can have, and the parts that
/// say where on it; 0 when absent.
fn on_controller(element: &Element, parts: &[&'static str]) -> Result<Element> {
    const MOST: u32 = i32::MAX.unsigned_abs();
    let controller = decimal(element, "controller")?;
    if controller > MOST {
        let expected = format!("Expected at most {MOST}");
        return Err(bad_value(element, "controller", &controller.to_string(), &expected));
    }
    let mut numbers = vec![("controller", controller.to_string())];
    for &name in parts {
        numbers.push((name, decimal(element, name)?.to_string()));
    }
    Ok(new(element.attr("type").unwrap_or_default(), numbers))
}

/// A decimal number, 0 when it is absent.
pub(super) fn decimal(element: &Element, name: &str) -> Result<u32> {
    let Some(text) = element.attr(name) else { return Ok(0) };
    number(text).ok_or_else(|| not_a_number(element, name, text))
}

/// The parts of an address in hexadecimal digits, with the most they may be and at least how many
/// digits they are written with; left out when 0 or absent.
fn hexadecimals(element: &Element, parts: &[(&'static str, u64, usize)]) -> Result<Element> {
    let mut numbers = Vec::new();
    for &(name, most, width) in parts {
        let Some(text) = element.attr(name) else { continue };
        let value = hexadecimal(text).filter(|value| *value <= most);
        match value.ok_or_else(|| not_a_number(element, name, text))? {
            0 if name != "reg" => (),
            value => numbers.push((name, hex(value, width))),
        }
    }
    Ok(new(element.attr("type").unwrap_or_default(), numbers))
}

fn hex(value: u64, width: usize) -> String {
    format!("0x{value:0width$x}")
}

fn not_a_number(element: &Element, name: &str, text: &str) -> crate::error::Error {
    bad_value(element, name, text, "Expected non-negative integer value")
}

/// A number of 32 bits in any notation of C.
fn number_of(element: &Element, name: &str) -> Result<Option<u64>> {
    Ok(c_number_attr::<u32>(element, name)?.map(u64::from))
}

fn dimm(element: &Element) -> Result<Element> {
    let Some(_) = element.attr("slot") else { return Err(missing_attr(element, "slot")) };
    let slot = decimal(element, "slot")?.to_string();
    let mut kept = new("dimm", vec![("slot", slot)]);
    let base = hexadecimals(element, &[("base", u64::MAX, 1)])?;
    kept.attributes.extend(base.attributes.into_iter().filter(|(name, _)| name == "base"));
    Ok(kept)
}

/// The address of a mainframe's device: all of it or nothing.
fn ccw(element: &Element) -> Result<Element> {
    let mut numbers = Vec::new();
    for name in ["cssid", "ssid", "devno"] {
        numbers.extend(number_of(element, name)?);
    }
    let (cssid, ssid, devno) = match numbers[..] {
        [] => (0, 0, 0),
        [cssid, ssid, devno] => (cssid, ssid, devno),
        _ => {
            let text = "Invalid partial specification for virtio ccw address: \
                        expected cssid, ssid and devno";
            return Err(internal(element, text));
        }
    };
    if cssid > 0xfe || ssid > 3 || devno > 0xffff {
        return Err(internal(
            element,
            format_args!(
                "Invalid specification for virtio ccw address: cssid='{cssid:#x}' \
                 ssid='{ssid:#x}' devno='0x{devno:04x}', expected at most 0xfe, 0x3 and 0xffff"
            ),
        ));
    }
    let numbers = vec![("cssid", hex(cssid, 1)), ("ssid", hex(ssid, 1)), ("devno", hex(devno, 4))];
    Ok(new("ccw", numbers))
}

/// The numbers of a PCI address.
const PCI: [(&str, u64, usize); 4] =
    [("domain", MAX_32, 4), ("bus", 0xff, 2), ("slot", 0x1f, 2), ("function", 7, 1)];

fn pci(element: &Element) -> Result<Element> {
    let mut values = Vec::new();
    for (name, ..) in PCI {
        values.push(number_of(element, name)?.unwrap_or(0));
    }
    // All zero is no address, but a wish to get one. The function alone does not count.
    let is_empty = values.iter().take(3).all(|value| *value == 0);
    let mut numbers = Vec::new();
    for ((name, most, width), value) in PCI.into_iter().zip(values).filter(|_| !is_empty) {
        if value > most {
            return Err(element.error(format_args!(
                "Invalid PCI address {name}='0x{value:x}', must be <= 0x{most:X}"
            )));
        }
        numbers.push((name, hex(value, width)));
    }
    const MULTIFUNCTION: Shape =
        Shape::new("address", &[attr("multifunction", Kind::Word(ON_OFF))]);
    let mut kept = new("pci", numbers);
    kept.attributes.extend(MULTIFUNCTION.read(element)?.unwrap_or_default().attributes);
    if let Some(zpci) = element.child("zpci") {
        let (uid, fid) = (number_of(zpci, "uid")?, number_of(zpci, "fid")?);
        if uid.is_some() || fid.is_some() {
            let ids = [("uid", hex(uid.unwrap_or(0), 4)), ("fid", hex(fid.unwrap_or(0), 8))];
            kept.children.push(Node::Element(shape::element("zpci", &ids, Vec::new())));
        }
    }
    Ok(kept)
}

fn usb(element: &Element) -> Result<Element> {
    let bus = decimal(element, "bus")?;
    let mut parts = vec![("bus", bus.to_string())];
    if let Some(port) = element.attr("port") {
        // At most four hubs deep; a 0 ends the way.
        let numbers: Option<Vec<u32>> = port.split('.').map(number).collect();
        let Some(numbers) = numbers.filter(|numbers| numbers.len() <= 4) else {
            let text = format!("Cannot parse <address> 'port' attribute '{port}'");
            return Err(internal(element, format_args!("{text}: expected a port like 1.2.3.4")));
        };
        let way = numbers.iter().take_while(|number| **number != 0).map(u32::to_string);
        let way = way.collect::<Vec<_>>().join(".");
        parts.extend(Some(("port", way)).filter(|(_, way)| !way.is_empty()));
    }
    Ok(new("usb", parts))
}

/// The address of a PCI device of the host: no type, all numbers.
pub(super) fn pci_of_host(element: &Element) -> Result<Element> {
    let mut kept = shape::element("address", &[], Vec::new());
    pci(element)?;
    for (name, _, width) in PCI {
        let value = number_of(element, name)?.unwrap_or(0);
        kept.attributes.push((name.to_owned(), hex(value, width)));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_device_faults, printed_device};

    #[test]
    fn numbers_of_addresses_are_c_s() {
        let rng = |address: &str| {
            format!("<rng model='virtio'><backend model='random'/><address {address}/></rng>")
        };
        for (given, expected) in [
            (
                "type='pci' domain='010' bus=' 0x2' slot='+0x1F' function='7'",
                "type='pci' domain='0x0008' bus='0x02' slot='0x1f' function='0x7'",
            ),
            ("type='isa' iobase='08' irq='+1f'", "type='isa' iobase='0x8' irq='0x1f'"),
        ] {
            let printed = printed_device(&rng(given));
            assert!(printed.contains(&format!("<address {expected}/>")), "{printed}");
        }
        let expected = "'slot' in element 'address': '0x+1'. Expected non-negative integer value";
        let expected = format!("XML error: Invalid value for attribute {expected}");
        assert_device_faults(&[(&rng("type='pci' slot='0x+1'"), &expected)]);
    }

    #[test]
    fn faults() {
        let rom = "unsupported configuration: ROM tuning is not supported when ROM is disabled";
        let number = "XML error: Invalid value for attribute 'controller' in element 'address': \
                      '2147483648'. Expected at most 2147483647";
        assert_device_faults(&[
            ("<interface type='user'><rom enabled='no' bar='on'/></interface>", rom),
            ("<interface type='user'><rom enabled='no' file=''/></interface>", rom),
            (
                "<channel><target type='virtio'/>\
                 <address type='virtio-serial' controller='2147483648'/></channel>",
                number,
            ),
            (
                "<smartcard mode='host'><address type='ccid' controller='2147483648'/></smartcard>",
                number,
            ),
        ]);
        printed_device("<interface type='user'><rom enabled='no'/></interface>");
    }
}
