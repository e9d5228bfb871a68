//! `<serial>`, `<parallel>`, `<channel>`, `<smartcard>` and `<redirdev>`: what machines have to
//! talk to the outside. Containers have none of them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::chardev::{CharacterSource, Rules};
use super::family::DeviceFamily;
use super::info::Place;
use crate::error::{Error, ErrorCode, Result};
use crate::model::read::{bad_word, internal, known_word, missing_attr, number, unknown_word};
use crate::model::shape;
use crate::xml::{Element, Node};

/// The largest number of a port.
const MAX_PORT: u32 = i32::MAX as u32;

/// The number a `<target>` asks for; -1 is none.
pub(super) fn number_of(target: &Element) -> Result<Option<u32>> {
    match target.attr("port") {
        None => Ok(None),
        Some(text) if number::<i64>(text) == Some(-1) => Ok(None),
        Some(text) => number(text)
            .filter(|port| *port <= MAX_PORT)
            .map(Some)
            .ok_or_else(|| target.error(format_args!("Invalid port number: {text}"))),
    }
}

pub(super) fn not_for_spice(device: &Element) -> Error {
    device.unsupported("spicevmc device type only supports virtio")
}

/// A device with its source, target and place.
fn port(
    device: &Element,
    source: CharacterSource,
    target: Element,
    rules: Rules,
) -> Result<Element> {
    if source == CharacterSource::SpiceVmc && target.attr("type") != Some("virtio") {
        return Err(not_for_spice(device));
    }
    let mut children = rules.read(device, source)?;
    children.push(Element { line: device.line, ..target });
    children.extend(Place::PLAIN.read(device)?);
    Ok(shape::element(&device.name, &[("type", source.as_str().to_owned())], children))
}

pub(super) fn parallel(device: &Element) -> Result<Element> {
    let source = CharacterSource::of(device)?;
    let port_number = device.child("target").map_or(Ok(None), number_of)?;
    let attributes = port_number.map(|number| ("port", number.to_string()));
    let target = shape::element("target", attributes.as_slice(), Vec::new());
    port(device, source, target, Rules::DEVICE)
}

pub(super) fn serial(device: &Element) -> Result<Element> {
    const TYPES: &[&str] = &[
        "none",
        "isa-serial",
        "usb-serial",
        "pci-serial",
        "spapr-vio-serial",
        "system-serial",
        "sclp-serial",
        "isa-debug",
    ];
    const MODELS: &[&str] = &[
        "none",
        "isa-serial",
        "usb-serial",
        "pci-serial",
        "spapr-vty",
        "pl011",
        "16550a",
        "sclpconsole",
        "sclplmconsole",
        "isa-debugcon",
    ];
    let behind = " specified for character device";
    let source = CharacterSource::of(device)?;
    let mut attributes = Vec::new();
    let mut children = Vec::new();
    if let Some(target) = device.child("target") {
        let kind = target.attr("type").unwrap_or("none");
        if !TYPES.contains(&kind) {
            return Err(unknown_word(target, "target type", kind, behind, TYPES));
        }
        attributes.extend(Some(("type", kind.to_owned())).filter(|_| kind != "none"));
        attributes.extend(number_of(target)?.map(|number| ("port", number.to_string())));
        let model = target.child("model").and_then(|model| model.attr("name"));
        if let Some(model) = model.filter(|model| !["", "none"].contains(model)) {
            if !MODELS.contains(&model) {
                return Err(unknown_word(target, "target model", model, behind, MODELS));
            }
            children.push(shape::element("model", &[("name", model.to_owned())], Vec::new()));
        }
        let address = device.child("address").and_then(|address| address.attr("type"));
        if kind == "usb-serial" && address.is_some_and(|address| address != "usb") {
            return Err(device.unsupported("usb-serial requires address of usb type"));
        }
    }
    let target = shape::element("target", &attributes, children);
    port(device, source, target, Rules::DEVICE)
}

/// Numbers the ports of a family that have no number yet, upwards from the largest there is.
pub(super) fn number_ports(
    devices: &mut [(DeviceFamily, Element)],
    family: DeviceFamily,
) -> Result<()> {
    /// A machine has so many of the old kind.
    const ISA_PORTS: u32 = 4;
    let of_family = devices.iter_mut().filter(|(it, _)| *it == family);
    let mut targets: Vec<_> =
        of_family.filter_map(|(_, device)| device.child_mut("target")).collect();
    let number_of = |target: &Element| target.attr("port").and_then(number::<u32>);
    let behind = |target: &Element| number_of(target).map_or(0, |port| port.saturating_add(1));
    // Serial ports are behind all that have a number, parallel ones behind those before them.
    let all = targets.iter().map(|target| behind(target)).max().unwrap_or(0);
    let mut next = if family == DeviceFamily::Serial { all } else { 0 };
    for target in &mut targets {
        if target.attr("port").is_none() {
            target.attributes.push(("port".to_owned(), next.min(MAX_PORT).to_string()));
        }
        next = next.max(behind(target));
    }
    let is_isa = |target: &Element| target.attr("type") == Some("isa-serial");
    let is_beyond = |target: &Element| number_of(target).is_some_and(|port| port >= ISA_PORTS);
    match targets.iter().find(|target| is_isa(target) && is_beyond(target)) {
        None => Ok(()),
        Some(target) => Err(internal(
            target,
            format_args!("Maximum supported number of ISA serial ports is '{ISA_PORTS}'"),
        )),
    }
}

pub(super) fn channel(device: &Element) -> Result<Element> {
    const TYPES: &[&str] = &["none", "guestfwd", "virtio", "xen"];
    let source = CharacterSource::of(device)?;
    let Some(target) = device.child("target") else {
        return Err(device.error("target type must be specified for channel device"));
    };
    let kind = target.attr("type").unwrap_or("(null)");
    if !TYPES.contains(&kind) {
        let behind = " specified for character device";
        return Err(unknown_word(target, "target type", kind, behind, TYPES));
    }
    let mut attributes = vec![("type", kind.to_owned())];
    match kind {
        "guestfwd" => attributes.extend(forwarded(target)?),
        // What the agent of a running guest says is no part of a document.
        "virtio" | "xen" => {
            attributes.extend(target.attr("name").map(|name| ("name", name.to_owned())));
        }
        _ => {}
    }
    let rules = Rules { path_is_optional: matches!(kind, "virtio" | "xen"), ..Rules::DEVICE };
    port(device, source, shape::element("target", &attributes, Vec::new()), rules)
}

/// Where in the guest's network connections are taken.
fn forwarded(target: &Element) -> Result<[(&'static str, String); 2]> {
    let Some(address) = target.attr("address") else {
        return Err(target.error("guestfwd channel does not define a target address"));
    };
    let Ok(ip) = address.parse::<Ipv4Addr>() else {
        if address.parse::<Ipv6Addr>().is_ok() {
            return Err(target.unsupported("guestfwd channel only supports IPv4 addresses"));
        }
        let detail = format_args!("Cannot parse socket address '{address}': expected IPv4");
        return Err(Error::in_document(ErrorCode::SystemError, target.line, detail));
    };
    let Some(text) = target.attr("port") else { return Err(missing_attr(target, "port")) };
    let port: u16 = number(text).ok_or_else(|| {
        target.error(format_args!(
            "Invalid value for attribute 'port' in element 'target': '{text}'. \
             Expected non-negative integer value up to 65535"
        ))
    })?;
    Ok([("address", ip.to_string()), ("port", port.to_string())])
}

pub(super) fn smartcard(device: &Element) -> Result<Element> {
    const MODES: &[&str] = &["host", "host-certificates", "passthrough"];
    let Some(mode) = device.attr("mode") else { return Err(missing_attr(device, "mode")) };
    let mut attributes = vec![("mode", mode.to_owned())];
    let mut children = match mode {
        "host" => Vec::new(),
        "host-certificates" => certificates(device)?,
        "passthrough" => {
            let Some(word) = device.attr("type") else {
                let detail = "passthrough mode requires a character device type attribute";
                return Err(device.error(detail));
            };
            let source = CharacterSource::named(device, word)?;
            attributes.push(("type", word.to_owned()));
            Rules::BACKEND.read(device, source)?
        }
        _ => return Err(bad_word(device, "mode", mode, MODES)),
    };
    let place = Place::PLAIN.read(device)?;
    let mut addresses = place.iter().filter(|element| element.name == "address");
    if addresses.any(|address| address.attr("type") != Some("ccid")) {
        return Err(device.unsupported("Controllers must use the 'ccid' address type"));
    }
    children.extend(place);
    Ok(shape::element("smartcard", &attributes, children))
}

fn certificates(device: &Element) -> Result<Vec<Element>> {
    let names = device.children_named("certificate");
    let mut kept: Vec<_> = names.map(|name| shape::leaf("certificate", &[], name.text())).collect();
    if kept.len() != 3 {
        return Err(device.error("host-certificates mode needs exactly three certificates"));
    }
    if let Some(database) = device.child("database") {
        let path = database.text();
        if !path.starts_with('/') {
            return Err(database.error(format_args!("expecting absolute path: {path}")));
        }
        kept.push(shape::leaf("database", &[], path));
    }
    Ok(kept)
}

/// Gives smart cards a slot of the first reader when they have none, behind those that are taken.
pub(super) fn place_smartcards(devices: &mut [(DeviceFamily, Element)]) {
    let cards = devices.iter_mut().filter(|(family, _)| *family == DeviceFamily::Smartcard);
    let mut cards: Vec<_> = cards.map(|(_, card)| card).collect();
    let taken = cards.iter().filter_map(|card| card.child("address")).filter_map(|address| {
        (address.attr("controller") == Some("0")).then(|| address.attr("slot"))?
    });
    let mut next = taken.filter_map(number::<u32>).max().map_or(0, |slot| slot.saturating_add(1));
    for card in cards.iter_mut().filter(|card| card.child("address").is_none()) {
        let attributes = [
            ("type", "ccid".to_owned()),
            ("controller", "0".to_owned()),
            ("slot", next.to_string()),
        ];
        card.children.push(Node::Element(shape::element("address", &attributes, Vec::new())));
        next = next.saturating_add(1);
    }
}

pub(super) fn redirected(device: &Element) -> Result<Element> {
    let bus = known_word(device, "bus", "redirdev bus", &["usb"])?.unwrap_or("usb");
    let Some(word) = device.attr("type") else {
        return Err(internal(device, "missing type in redirdev"));
    };
    let what = "redirdev character device type";
    let source = CharacterSource::required(device, word, what, "")?;
    let mut children = Rules::BACKEND.read(device, source)?;
    let not_usb = || device.error("Invalid address for a USB device");
    let address = device.child("address").and_then(|address| address.attr("type"));
    if address == Some("unassigned") {
        return Err(not_usb());
    }
    let place = Place { boot: true, ..Place::PLAIN }.read(device)?;
    let mut addresses = place.iter().filter(|element| element.name == "address");
    if addresses.any(|address| address.attr("type") != Some("usb")) {
        return Err(not_usb());
    }
    children.extend(place);
    let attributes = [("bus", bus.to_owned()), ("type", word.to_owned())];
    Ok(shape::element("redirdev", &attributes, children))
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_device_faults, printed_device};

    #[test]
    fn a_bus_that_redirects_has_its_channel() {
        let usb = "<controller type='usb' index='0'/>";
        assert_eq!(
            printed_device(&format!("{usb}<redirdev type='dbus'/>")),
            format!(
                "{usb}<redirdev bus='usb' type='dbus'><source channel='org.qemu.usbredir'/>\
                 </redirdev>"
            )
        );
    }

    #[test]
    fn ports_are_numbered_upwards_from_the_largest() {
        let text = "<serial/><serial><target type='none' port='3'/></serial>\
                    <serial><target type='pci-serial' port='-1'><model name='isa-serial'/>\
                    </target></serial><parallel><target type='x'/></parallel>";
        assert_eq!(
            printed_device(text),
            "<serial type='pty'><target port='4'/></serial>\
             <serial type='pty'><target port='3'/></serial>\
             <serial type='pty'><target type='pci-serial' port='5'><model name='isa-serial'/>\
             </target></serial><parallel type='pty'><target port='0'/></parallel>"
        );
        let text = "<parallel/><parallel><target port='3'/></parallel><parallel/>";
        let ports = ["0", "3", "4"]
            .map(|port| format!("<parallel type='pty'><target port='{port}'/></parallel>"));
        assert_eq!(printed_device(text), ports.concat());
    }

    #[test]
    fn channels_say_what_they_are_for() {
        let text = "<channel type='unix'><source mode='bind'/>\
                    <target type='virtio' name='a' state='connected'/></channel>\
                    <channel><target type='guestfwd' address='10.0.2.1' port='4600'/></channel>\
                    <channel type='spicevmc'><target type='virtio'/>\
                    <address type='virtio-serial' controller='2'/></channel>";
        assert_eq!(
            printed_device(text),
            "<controller type='virtio-serial' index='0'/>\
             <controller type='virtio-serial' index='2'/>\
             <channel type='unix'><target type='virtio' name='a'/></channel>\
             <channel type='pty'><target type='guestfwd' address='10.0.2.1' port='4600'/></channel>\
             <channel type='spicevmc'><target type='virtio'/>\
             <address type='virtio-serial' controller='2' bus='0' port='0'/></channel>"
        );
    }

    #[test]
    fn controllers_are_those_of_the_addresses() {
        let port = |number: u32| {
            format!("<target type='virtio'/><address type='virtio-serial' controller='{number}'/>")
        };
        let text = format!("<console>{}</console><channel>{}</channel>", port(2), port(3));
        let printed = printed_device(&text);
        let controllers = "<controller type='virtio-serial' index='2'/>\
                           <controller type='virtio-serial' index='3'/><console";
        assert!(printed.starts_with(controllers), "{printed}");
    }

    #[test]
    fn smart_cards_get_a_reader_and_a_slot() {
        let text = "<smartcard mode='passthrough' type='pty'/><smartcard mode='host'>\
                    <address type='ccid' controller='0' slot='4'/></smartcard>\
                    <smartcard mode='host-certificates'><certificate>a</certificate>\
                    <certificate>b</certificate><certificate>c</certificate>\
                    <database>/d</database></smartcard>";
        assert_eq!(
            printed_device(text),
            "<controller type='ccid' index='0'/><smartcard mode='passthrough' type='pty'>\
             <address type='ccid' controller='0' slot='5'/></smartcard><smartcard mode='host'>\
             <address type='ccid' controller='0' slot='4'/></smartcard>\
             <smartcard mode='host-certificates'><certificate>a</certificate>\
             <certificate>b</certificate><certificate>c</certificate><database>/d</database>\
             <address type='ccid' controller='0' slot='6'/></smartcard>"
        );
    }

    #[test]
    fn faults() {
        let usb = "unsupported configuration: usb-serial requires address of usb type";
        let ccid = "unsupported configuration: Controllers must use the 'ccid' address type";
        let three = "XML error: host-certificates mode needs exactly three certificates";
        assert_device_faults(&[
            ("<serial><target port='-2'/></serial>", "XML error: Invalid port number: -2"),
            ("<serial><target type='usb-serial'/><address type='pci'/></serial>", usb),
            (
                "<serial><target port='3'/></serial><serial><target type='isa-serial'/></serial>",
                "internal error: Maximum supported number of ISA serial ports is '4'",
            ),
            (
                "<serial><target type='x'/></serial>",
                "unsupported configuration: unknown target type 'x' specified for character \
                 device: expected one of none, isa-serial, usb-serial, pci-serial, \
                 spapr-vio-serial, system-serial, sclp-serial, isa-debug",
            ),
            ("<channel/>", "XML error: target type must be specified for channel device"),
            (
                "<channel type='spicevmc'><target type='xen'/></channel>",
                "unsupported configuration: spicevmc device type only supports virtio",
            ),
            (
                "<channel><target type='guestfwd' address='::1' port='1'/></channel>",
                "unsupported configuration: guestfwd channel only supports IPv4 addresses",
            ),
            (
                "<channel><target type='guestfwd' address='x' port='1'/></channel>",
                "Cannot parse socket address 'x': expected IPv4",
            ),
            ("<smartcard mode='host'><address type='usb'/></smartcard>", ccid),
            ("<smartcard mode='host-certificates'/>", three),
            (
                "<smartcard mode='passthrough'/>",
                "XML error: passthrough mode requires a character device type attribute",
            ),
            ("<redirdev/>", "internal error: missing type in redirdev"),
            (
                "<redirdev type='pty'/>",
                "unsupported configuration: cannot add redirected USB device: USB is disabled \
                 for this domain: a <controller type='usb'> with another model than 'none' \
                 enables it",
            ),
        ]);
    }
}
