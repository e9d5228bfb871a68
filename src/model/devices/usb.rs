//! `<redirfilter>` and `<hub>`: USB of machines.

use crate::error::Result;
use crate::model::devices::info::Place;
use crate::model::digits::c_number;
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
}
