//! `<mac>`: the hardware address of the container's end of a link.

use std::fmt;

use crate::error::Result;
use crate::model::read::{bad_word, words};
use crate::model::shape::YES_NO;
use crate::xml::{Element, Writer};

/// Six bytes, never a group's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress([u8; 6]);

impl MacAddress {
    /// The bytes, in the order they go over the wire.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }

    /// An address that no card has: the prefix libvirt uses and random bytes.
    fn random() -> Self {
        let [a, b, c, ..] = *uuid::Uuid::new_v4().as_bytes();
        Self([0x52, 0x54, 0x00, a, b, c])
    }

    /// Six bytes in hexadecimal with one or two digits; white space may follow.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.trim_ascii_end().split(':');
        let mut octets = [0; 6];
        for octet in &mut octets {
            let digits = parts.next().filter(|digits| (1..=2).contains(&digits.len()))?;
            // No sign, which from_str_radix would take.
            if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
                return None;
            }
            *octet = u8::from_str_radix(digits, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(octets))
    }

    fn is_group(self) -> bool {
        self.0.first().is_some_and(|first| first & 1 != 0)
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

words! {
    /// Where an address comes from; without effect on containers.
    pub enum MacOrigin {
        /// From the hypervisor.
        Generated = "generated",
        /// From the user.
        Static = "static",
    }
}

/// A hardware address and what a document says about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mac {
    /// The address; made up when a document has none, and then part of the definition.
    pub address: MacAddress,
    /// Where it comes from; without effect on containers.
    pub origin: Option<MacOrigin>,
    /// Whether its prefix is checked; without effect on containers.
    pub check: Option<bool>,
}

impl Mac {
    pub(super) fn parse(interface: &Element) -> Result<Self> {
        let found = interface.child("mac").and_then(|mac| Some((mac, mac.attr("address")?)));
        let Some((element, text)) = found else {
            return Ok(Self { address: MacAddress::random(), origin: None, check: None });
        };
        let Some(address) = MacAddress::from_text(text) else {
            return Err(element.error(format_args!(
                "unable to parse mac address '{text}': expected one as in 52:54:00:12:34:56"
            )));
        };
        if address.is_group() {
            return Err(element.error(format_args!(
                "expected unicast mac address, found multicast '{address}': the first byte must \
                 be even"
            )));
        }
        Ok(Self {
            address,
            origin: MacOrigin::attr(element, "type")?,
            check: yes_no(element, "check")?,
        })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let address = self.address.to_string();
        let mut attributes = vec![("address", address.as_str())];
        attributes.extend(self.origin.map(|origin| ("type", origin.as_str())));
        attributes.extend(self.check.map(|check| ("check", word(check))));
        w.empty("mac", &attributes);
    }
}

/// An attribute that says yes or no.
pub(in crate::model::devices) fn yes_no(element: &Element, name: &str) -> Result<Option<bool>> {
    match element.attr(name) {
        None => Ok(None),
        Some("yes") => Ok(Some(true)),
        Some("no") => Ok(Some(false)),
        Some(other) => Err(bad_word(element, name, other, YES_NO)),
    }
}

/// The word for it.
pub(in crate::model::devices) fn word(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_faults, parse, printed};

    fn devices(mac: &str) -> String {
        format!("<devices><interface type='user'>{mac}</interface></devices>")
    }

    #[test]
    fn addresses_are_normalised() {
        let text = devices("<mac address='A:bB:0:22:33:44 ' type='static' check='no'/>");
        let expected = "      <mac address='0a:bb:00:22:33:44' type='static' check='no'/>";
        assert_eq!(printed(&text)[1], expected);
    }

    #[test]
    fn an_address_is_made_up_when_there_is_none() {
        let mac = |text: &str| parse(&devices(text)).devices.interfaces[0].mac;
        let (one, two) = (mac(""), mac("<mac type='static'/>"));
        assert!(one.address.to_string().starts_with("52:54:00:"));
        assert_ne!(one.address, two.address);
        assert_eq!(two.origin, None);
    }

    #[test]
    fn faults() {
        let texts = [
            "",
            "001122334455",
            "00-11-22-33-44-55",
            " 00:11:22:33:44:55",
            "00:11:22:33:44:055",
            "00:+1:22:33:44:55",
            "00:11:22:33:44:55:66",
            "0:1:2:3:4",
        ];
        for text in texts {
            let expected = format!(
                "XML error: line 2: unable to parse mac address '{text}': expected one as in \
                 52:54:00:12:34:56"
            );
            assert_faults(&[(&devices(&format!("<mac address='{text}'/>")), &expected)]);
        }
        assert_faults(&[(
            &devices("<mac address='01:11:22:33:44:55'/>"),
            "XML error: line 2: expected unicast mac address, found multicast \
             '01:11:22:33:44:55': the first byte must be even",
        )]);
    }
}
