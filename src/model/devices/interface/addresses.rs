//! `<ip>` and `<route>`: addresses of one end of a link and the ways out of it.

use std::net::{IpAddr, Ipv4Addr};

use super::ip_text::{parse_address, written};
use crate::error::{Error, ErrorCode, Result};
use crate::model::read::{number, number_attr, positive_attr};
use crate::xml::{Element, Writer};

/// An address of a network device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network; None leaves it to the kernel's classes of addresses, as in libvirt.
    pub prefix: Option<u8>,
    /// The other end of a point-to-point link; of the address's family.
    pub peer: Option<IpAddr>,
}

impl InterfaceAddress {
    /// All below an element.
    pub(in crate::model::devices) fn parse_all(parent: &Element) -> Result<Vec<Self>> {
        parent.children_named("ip").map(Self::parse).collect()
    }

    fn parse(element: &Element) -> Result<Self> {
        let Some(text) = element.attr("address") else {
            return Err(element.error("Missing required address in <ip>"));
        };
        let family = Family::of(element);
        let address = parse_address(text).filter(|address| family.is_none_or(|f| f.has(*address)));
        let Some(address) = address else {
            let expected = family.map_or("an IPv4 or IPv6", Family::article);
            return Err(element.error(format_args!(
                "Invalid address '{text}' in <ip>: expected {expected} address"
            )));
        };
        let bits = bits_of(address);
        let prefix = match element.attr("prefix") {
            None => None,
            Some(text) => Some(number(text).filter(|prefix| *prefix <= bits).ok_or_else(|| {
                element.error(format_args!(
                    "Invalid prefix value '{text}' in <ip>: expected 0 to {bits}"
                ))
            })?),
        };
        let peer = match element.attr("peer") {
            None => None,
            Some(text) => Some(peer(element, text, address)?),
        };
        Ok(Self { address, prefix: prefix.filter(|prefix| *prefix != 0), peer })
    }

    pub(in crate::model::devices) fn format(&self, w: &mut Writer) {
        let family = Family::from(self.address).as_str();
        let mut attributes =
            vec![("address", written(self.address)), ("family", family.to_owned())];
        attributes.extend(self.prefix.map(|prefix| ("prefix", prefix.to_string())));
        attributes.extend(self.peer.map(|peer| ("peer", written(peer))));
        w.empty("ip", &borrowed(&attributes));
    }
}

fn peer(element: &Element, text: &str, address: IpAddr) -> Result<IpAddr> {
    let family = Family::from(address);
    parse_address(text).filter(|peer| family.has(*peer)).ok_or_else(|| {
        let detail =
            format!("Invalid peer '{text}' in <ip>: expected {} address", family.article());
        Error::in_document(ErrorCode::InvalidArg, element.line, detail)
    })
}

/// A way to a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The first address of the network.
    pub network: IpAddr,
    /// Bits of the network; None is 0, and then the network is everything.
    pub prefix: Option<u8>,
    /// Where packets go; of the network's family.
    pub gateway: IpAddr,
    /// How far it is; never 0.
    pub metric: Option<u32>,
    /// Whether the document gives the network's bits as a mask.
    pub is_mask: bool,
    /// Whether the document says `family='ipv4'`; `family='ipv6'` is always said.
    pub says_ipv4: bool,
}

impl Route {
    /// All below an element, which errors call `place`.
    pub(in crate::model::devices) fn parse_all(parent: &Element, place: &str) -> Result<Vec<Self>> {
        parent.children_named("route").map(|element| Self::parse(element, place)).collect()
    }

    fn parse(element: &Element, place: &str) -> Result<Self> {
        let fault = |text: String| element.error(format_args!("{place}: {text}"));
        let family = match element.attr("family") {
            None => None,
            Some(word) => Some(Family::from_word(word).ok_or_else(|| {
                fault(format!(
                    "Unrecognized family '{word}' in route definition: expected ipv4 or ipv6"
                ))
            })?),
        };
        let address = |name: &str, kind: &str| match element.attr(name) {
            None => Err(fault(format!("Missing required {name} attribute in route definition"))),
            Some(text) => parse_address(text)
                .ok_or_else(|| fault(format!("Bad {kind} address '{text}' in route definition"))),
        };
        let network = address("address", "network")?;
        let gateway = address("gateway", "gateway")?;
        for (address, is_gateway) in [(network, false), (gateway, true)] {
            if let Some(text) = wrong_family(family, address, is_gateway) {
                return Err(fault(text));
            }
        }
        let (prefix, is_mask) = bits(element, network, &fault)?;
        if !is_network(network, prefix.unwrap_or(0)) {
            return Err(fault(format!(
                "Address '{}' in route definition is not a network address of prefix {}",
                written(network),
                prefix.unwrap_or(0)
            )));
        }
        let metric = positive_attr(element, "metric")?;
        let says_ipv4 = family == Some(Family::Ipv4);
        Ok(Self { network, prefix, gateway, metric, is_mask, says_ipv4 })
    }

    pub(in crate::model::devices) fn format(&self, w: &mut Writer) {
        let mut attributes = Vec::new();
        let family = Family::from(self.network);
        if self.says_ipv4 || family == Family::Ipv6 {
            attributes.push(("family", family.as_str().to_owned()));
        }
        attributes.push(("address", written(self.network)));
        attributes.extend(self.prefix.map(|prefix| match self.is_mask {
            true => ("netmask", Ipv4Addr::from(mask(prefix)).to_string()),
            false => ("prefix", prefix.to_string()),
        }));
        attributes.push(("gateway", written(self.gateway)));
        attributes.extend(self.metric.map(|metric| ("metric", metric.to_string())));
        w.empty("route", &borrowed(&attributes));
    }
}

/// What is wrong with the family of a route's address or gateway, in libvirt's words.
fn wrong_family(family: Option<Family>, address: IpAddr, is_gateway: bool) -> Option<String> {
    let what = if is_gateway { "gateway" } else { "address" };
    let text = written(address);
    let (start, end) = match family {
        Some(family) if family.has(address) => return None,
        None if address.is_ipv4() => return None,
        Some(Family::Ipv6) if is_gateway => ("ipv6 specified for non-IPv6 gateway", ""),
        Some(Family::Ipv6) => ("ipv6 family specified for non-IPv6", ""),
        Some(Family::Ipv4) => ("IPv4 family specified for non-IPv4", ""),
        None => ("No family specified for non-IPv4", ": add family='ipv6'"),
    };
    let what = if start.ends_with(what) { "address" } else { what };
    Some(format!("{start} {what} '{text}' in route definition{end}"))
}

/// The bits of a route's network and whether they are given as a mask.
fn bits(
    element: &Element,
    network: IpAddr,
    fault: &impl Fn(String) -> Error,
) -> Result<(Option<u8>, bool)> {
    let prefix = number_attr::<u32>(element, "prefix")?;
    let Some(text) = element.attr("netmask") else {
        let most = bits_of(network);
        return match prefix.map(u8::try_from) {
            None => Ok((None, false)),
            Some(Ok(prefix)) if prefix <= most => Ok((Some(prefix), false)),
            Some(_) => Err(fault(format!(
                "Invalid prefix {} specified in route definition, must be 0 - {most}",
                prefix.unwrap_or_default()
            ))),
        };
    };
    if prefix.is_some() {
        return Err(fault("Route definition cannot have both a prefix and a netmask".to_owned()));
    }
    let address = written(network);
    if network.is_ipv6() {
        return Err(fault(format!(
            "Specifying netmask invalid for IPv6 address '{address}' in route definition: \
             use prefix"
        )));
    }
    match parse_address(text) {
        Some(IpAddr::V4(mask))
            if u32::from(mask).leading_ones() == u32::from(mask).count_ones() =>
        {
            let bits = u8::try_from(u32::from(mask).leading_ones()).ok();
            Ok((bits, true))
        }
        Some(IpAddr::V6(_)) => Err(fault(format!(
            "Invalid netmask '{text}' for address '{address}' (both must be IPv4)"
        ))),
        _ => Err(fault(format!(
            "Bad netmask address '{text}' in route definition: expected one as in 255.255.255.0"
        ))),
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

/// Whether no bit behind the prefix is set.
fn is_network(address: IpAddr, prefix: u8) -> bool {
    let zeros = match address {
        IpAddr::V4(address) => address.to_bits().trailing_zeros(),
        IpAddr::V6(address) => address.to_bits().trailing_zeros(),
    };
    u32::from(prefix) + zeros >= u32::from(bits_of(address))
}

fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// The family an `<ip>` names; what is no family counts as none, as in libvirt.
    fn of(element: &Element) -> Option<Self> {
        element.attr("family").and_then(Self::from_word)
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Ipv4, Self::Ipv6].into_iter().find(|family| family.as_str() == word)
    }

    fn from(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::Ipv4 } else { Self::Ipv6 }
    }

    fn has(self, address: IpAddr) -> bool {
        self == Self::from(address)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }

    fn article(self) -> &'static str {
        match self {
            Self::Ipv4 => "an IPv4",
            Self::Ipv6 => "an IPv6",
        }
    }
}

/// Attributes as the writer takes them.
pub(in crate::model::devices) fn borrowed<'a>(
    attributes: &'a [(&'a str, String)],
) -> Vec<(&'a str, &'a str)> {
    attributes.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{assert_faults, fault, parse, printed};

    fn devices(elements: &str) -> String {
        format!("<devices><interface type='ethernet'>{elements}</interface></devices>")
    }

    fn line_of(element: &str) -> String {
        let name = element.split([' ', '/']).next().unwrap();
        let lines = printed(&devices(element));
        lines.into_iter().find(|line| line.contains(name)).unwrap().trim().to_owned()
    }

    #[test]
    fn addresses_are_normalised() {
        for (given, expected) in [
            ("address='1.2.3'", "address='1.2.0.3' family='ipv4'"),
            ("address='16909060'", "address='1.2.3.4' family='ipv4'"),
            ("address='0X10.02.3.010'", "address='16.2.3.8' family='ipv4'"),
            ("address='1.2.3.4' prefix='0'", "address='1.2.3.4' family='ipv4'"),
            (
                "peer='1.2.3.5' address='1.2.3.4' prefix=' 24' family='foo'",
                "address='1.2.3.4' family='ipv4' prefix='24' peer='1.2.3.5'",
            ),
            ("address='2001:DB8:0:0::1'", "address='2001:db8::1' family='ipv6'"),
            ("address='::1.2.3.4'", "address='::1.2.3.4' family='ipv6'"),
            ("address='::0.0.0.1'", "address='::1' family='ipv6'"),
            ("address='::ffff:1.2.3.4'", "address='::ffff:1.2.3.4' family='ipv6'"),
        ] {
            assert_eq!(line_of(&format!("<ip {given}/>")), format!("<ip {expected}/>"));
        }
    }

    #[test]
    fn routes_are_normalised() {
        for (given, expected) in [
            ("address='1.2.3.0' netmask='255.255.255.0' gateway='1.2.3.4' metric='2'", None),
            ("address='1.2.3.0' prefix='24' gateway='1.2.3.4'", None),
            ("address='0.0.0.0' gateway='1.2.3.4'", None),
            ("address='0.0.0.0' netmask='0.0.0.0' gateway='1.2.3.4'", None),
            ("family='ipv4' address='1.2.3.4' prefix='32' gateway='1.2.3.4'", None),
            (
                "family='ipv6' address='2001:DB8::' prefix='64' gateway='FE80::1'",
                Some("family='ipv6' address='2001:db8::' prefix='64' gateway='fe80::1'"),
            ),
        ] {
            let expected = expected.unwrap_or(given);
            assert_eq!(line_of(&format!("<route {given}/>")), format!("<route {expected}/>"));
        }
        let text = devices("<route address='10.0.0.0' netmask='255.0.0.0' gateway='10.0.0.1'/>");
        assert_eq!(parse(&text).devices.interfaces[0].routes[0].prefix, Some(8));
    }

    #[test]
    fn faults_of_addresses() {
        let xml = "XML error: line 2:";
        for (given, expected) in [
            ("", "Missing required address in <ip>"),
            ("address=''", "Invalid address '' in <ip>: expected an IPv4 or IPv6 address"),
            (
                "address='1.2.3.4' family='ipv6'",
                "Invalid address '1.2.3.4' in <ip>: expected an IPv6 address",
            ),
            (
                "address='1.2.65536'",
                "Invalid address '1.2.65536' in <ip>: expected an IPv4 or IPv6 address",
            ),
            (
                "address='1.2.3.4' prefix='33'",
                "Invalid prefix value '33' in <ip>: expected 0 to 32",
            ),
        ] {
            assert_faults(&[(&devices(&format!("<ip {given}/>")), &format!("{xml} {expected}"))]);
        }
        let error = fault(&devices("<ip address='1.2.3.4' peer='::1'/>"));
        assert_eq!(error.code, ErrorCode::InvalidArg);
        let expected =
            "invalid argument: line 2: Invalid peer '::1' in <ip>: expected an IPv4 address";
        assert_eq!(error.message, expected);
    }

    #[test]
    fn faults_of_routes() {
        let start = "XML error: line 2: guest interface: ";
        let gateway = "gateway='1.2.3.4'";
        for (given, expected) in [
            ("", "Missing required address attribute in route definition"),
            ("address='0.0.0.0'", "Missing required gateway attribute in route definition"),
            (
                "address='1.2.3.4' prefix='24' gateway='1.2.3.4'",
                "Address '1.2.3.4' in route definition is not a network address of prefix 24",
            ),
            (
                "address='1.2.3.0' netmask='255.0.255.0' gateway='1.2.3.4'",
                "Bad netmask address '255.0.255.0' in route definition: expected one as in \
                 255.255.255.0",
            ),
            (
                "address='1.2.3.0' prefix='33' gateway='1.2.3.4'",
                "Invalid prefix 33 specified in route definition, must be 0 - 32",
            ),
            (
                "address='1.2.3.0' prefix='300' gateway='1.2.3.4'",
                "Invalid prefix 300 specified in route definition, must be 0 - 32",
            ),
            (
                "address='2001:db8::' gateway='::1'",
                "No family specified for non-IPv4 address '2001:db8::' in route definition: add \
                 family='ipv6'",
            ),
            (
                "family='ipv4' address='1.2.3.0' prefix='24' gateway='::1'",
                "IPv4 family specified for non-IPv4 gateway '::1' in route definition",
            ),
        ] {
            let text = devices(&format!("<route {given}/>"));
            assert_faults(&[(&text, &format!("{start}{expected}"))]);
        }
        let zero = devices(&format!("<route address='0.0.0.0' {gateway} metric='0'/>"));
        assert!(fault(&zero).message.contains("Zero is not permitted"));
    }
}
