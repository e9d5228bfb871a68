//! `<redirfilter>` and `<hub>`: USB of machines.

use crate::error::Result;
use crate::model::devices::digits::c_number;
use crate::model::devices::info::Place;
use crate::model::read::{bad_value, internal, number};
use crate::model::shape::{self, Kind, Shape, YES_NO, attr};
use crate::xml::Element;

/// `<hub>`: a hub for USB devices.
pub(super) fn hub(device: &Element) -> Result<Option<Element>> {
    match device.attr("type") {
        Some("usb") => {}
        None => return Err(internal(device, "missing hub device type: expected usb")),
        Some(other) => {
            return Err(
                device.unsupported(format_args!("unknown hub device type '{other}': expected usb"))
            );
        }
    }
    let place = Place::PLAIN.read(device)?;
    Ok(Some(shape::element("hub", &[("type", "usb".to_owned())], place)))
}

/// `<redirfilter>`: which USB devices clients may redirect.
pub(super) fn filter(device: &Element) -> Result<Option<Element>> {
    let mut rules = Vec::new();
    for rule in device.children_named("usbdev") {
        rules.push(self::rule(rule)?);
    }
    Ok((!rules.is_empty()).then(|| shape::element("redirfilter", &[], rules)))
}

fn rule(element: &Element) -> Result<Element> {
    const RULE: Shape = Shape::new("usbdev", &[attr("allow", Kind::Word(YES_NO)).required()]);
    let mut attributes = Vec::new();
    if let Some(class) = id(element, "class")? {
        if class > 0xff {
            let text = format!("Invalid USB Class code 0x{class:x}: expected at most 0xff");
            return Err(internal(element, text));
        }
        attributes.push(("class", format!("0x{class:02X}")));
    }
    for name in ["vendor", "product"] {
        attributes.extend(id(element, name)?.map(|id| (name, format!("0x{id:04X}"))));
    }
    attributes.extend(version(element)?.map(|version| ("version", version)));
    let mut kept = shape::element("usbdev", &attributes, Vec::new());
    kept.attributes.extend(RULE.read(element)?.unwrap_or_default().attributes);
    Ok(kept)
}

/// A number; -1 stands for any.
fn id(element: &Element, name: &str) -> Result<Option<u32>> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    if text.trim_ascii_start() == "-1" {
        return Ok(None);
    }
    let most = u64::from(i32::MAX.unsigned_abs());
    let value = c_number(text).filter(|value| *value <= most);
    match value.and_then(|value| u32::try_from(value).ok()) {
        Some(value) => Ok(Some(value)),
        None => Err(bad_value(element, name, text, "Expected integer value")),
    }
}

/// A version of USB: two numbers of at most two digits, the second filled up behind.
fn version(element: &Element) -> Result<Option<String>> {
    let Some(text) = element.attr("version").filter(|text| *text != "-1") else { return Ok(None) };
    let digits = |digits: &str| {
        (1..=2).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit())
    };
    match text.trim_ascii_start().split_once('.') {
        Some((major, minor)) if digits(major) && digits(minor) => {
            let major: u32 = number(major).unwrap_or_default();
            Ok(Some(format!("{major}.{minor:0<2}")))
        }
        _ => Err(element.error(format_args!(
            "Cannot parse USB device version {text}: expected one as in 2.0, or -1"
        ))),
    }
}

/// Fails at a second set of rules. `devices` are those of the document.
pub(super) fn check_filters(devices: &[&Element]) -> Result<()> {
    let mut filters = devices.iter().filter(|device| device.name == "redirfilter");
    match filters.nth(1) {
        None => Ok(()),
        Some(second) => {
            Err(internal(second, "only one set of redirection filter rule is supported"))
        }
    }
}

/// Fails at the first USB device when the machine has no USB. `devices` are those of the document.
pub(super) fn check_usb(devices: &[&Element]) -> Result<()> {
    let controllers = devices.iter().filter(|device| device.name == "controller");
    let usb: Vec<_> = controllers.filter(|it| it.attr("type") == Some("usb")).collect();
    let is_off = usb.iter().any(|controller| controller.attr("model") == Some("none"));
    for device in devices {
        let text = match device.name.as_str() {
            "hub" if is_off => "Can't add USB hub: USB is disabled for this domain",
            "hostdev" if is_off && device.attr("type") == Some("usb") => {
                "Can't add host USB device: USB is disabled in this host"
            }
            _ => continue,
        };
        return Err(device.unsupported(format_args!(
            "{text}: a <controller type='usb'> with another model than 'none' enables it"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_faults, fault, parse, printed};

    fn rule(attributes: &str) -> String {
        let filter = format!("<redirfilter><usbdev {attributes} allow='yes'/></redirfilter>");
        format!("<devices>{filter}</devices>")
    }

    #[test]
    fn rules_are_normalised() {
        for (given, expected) in [
            (
                "class='8' vendor='12' product='0xbeef'",
                "class='0x08' vendor='0x000C' product='0xBEEF' ",
            ),
            ("class='-1' vendor='-1' product='-1' version='-1'", ""),
            ("version='1.1'", "version='1.10' "),
            ("version='25.05'", "version='25.05' "),
        ] {
            let expected = format!("      <usbdev {expected}allow='yes'/>");
            assert_eq!(printed(&rule(given))[1], expected);
        }
        assert!(parse("<devices><redirfilter/></devices>").devices.kept.is_empty());
    }

    #[test]
    fn faults() {
        for (given, expected) in [
            ("class='0x100'", "Invalid USB Class code 0x100: expected at most 0xff"),
            ("vendor='x'", "'vendor' in element 'usbdev': 'x'. Expected integer value"),
            ("product='0xffffffff'", "Expected integer value"),
            ("version='1'", "Cannot parse USB device version 1: expected one as in 2.0, or -1"),
            ("version='1.100'", "Cannot parse USB device version 1.100"),
            ("version='+1.1'", "Cannot parse USB device version +1.1"),
        ] {
            let error = fault(&rule(given));
            assert!(error.message.contains(expected), "{error}");
        }
        assert_faults(&[
            (
                "<devices><redirfilter/><redirfilter/></devices>",
                "internal error: line 2: only one set of redirection filter rule is supported",
            ),
            (
                "<devices><hub/></devices>",
                "internal error: line 2: missing hub device type: expected usb",
            ),
            (
                "<devices><hub type='x'/></devices>",
                "unsupported configuration: line 2: unknown hub device type 'x': expected usb",
            ),
        ]);
    }

    #[test]
    fn hubs_have_a_place() {
        let text = "<devices><hub type='usb'><boot order='1'/>\
                    <address type='usb' bus='0' port='1'/></hub></devices>";
        assert_eq!(printed(text)[1], "      <address type='usb' bus='0' port='1'/>");
        assert_eq!(printed("<devices><hub type='usb'/></devices>"), ["    <hub type='usb'/>"]);
    }

    #[test]
    fn usb_devices_need_usb() {
        let off = "<controller type='usb' model='none'/>";
        let usb = "<hostdev mode='subsystem' type='usb'><source><vendor id='1'/><product id='2'/>\
                   </source></hostdev>";
        for (device, expected) in [
            ("<hub type='usb'/>", "Can't add USB hub: USB is disabled for this domain"),
            (usb, "Can't add host USB device: USB is disabled in this host"),
        ] {
            parse(&format!("<devices>{device}</devices>"));
            let error = fault(&format!("<devices>{device}{off}</devices>"));
            assert!(error.message.contains(expected), "{error}");
        }
    }
}
