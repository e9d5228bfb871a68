//! Sockets between hypervisors; not for containers.

use super::addresses::borrowed;
use super::source::text;
use crate::error::Result;
use crate::model::read::{bad_value, missing_attr, number, words};
use crate::xml::{Element, Writer};

words! {
    /// Kinds of sockets.
    pub enum SocketKind {
        /// Listens.
        Server = "server",
        /// Connects.
        Client = "client",
        /// A multicast group.
        Multicast = "mcast",
        /// Datagrams from one address to another.
        Udp = "udp",
    }
}

/// A socket between hypervisors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceSocket {
    /// What it is.
    pub kind: SocketKind,
    /// Host or address and port; a server may leave out the address.
    pub remote: (Option<String>, i32),
    /// Of datagrams: address and port at this end.
    pub local: Option<(String, i32)>,
}

impl InterfaceSocket {
    pub(super) fn parse(source: &Element, kind: &str) -> Result<Self> {
        let kind = SocketKind::from_word(kind).unwrap_or(SocketKind::Udp);
        let port = port(source)?;
        let address = match source.attr("address") {
            None if kind != SocketKind::Server => return Err(missing_attr(source, "address")),
            address => address.map(str::to_owned),
        };
        let local = match source.child("local") {
            _ if kind != SocketKind::Udp => None,
            None => {
                return Err(source.error("'<local>' element missing for 'udp' socket interface"));
            }
            Some(local) => Some((text(local, "address")?, self::port(local)?)),
        };
        Ok(Self { kind, remote: (address, port), local })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let (address, port) = &self.remote;
        let mut attributes = Vec::new();
        attributes.extend(address.clone().map(|address| ("address", address)));
        attributes.push(("port", port.to_string()));
        let Some((address, port)) = &self.local else {
            return w.empty("source", &borrowed(&attributes));
        };
        w.open("source", &borrowed(&attributes));
        w.empty("local", &[("address", address), ("port", &port.to_string())]);
        w.close();
    }
}

fn port(element: &Element) -> Result<i32> {
    let text = text(element, "port")?;
    number(&text).ok_or_else(|| bad_value(element, "port", &text, "Expected integer value"))
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_faults, printed};

    fn devices(kind: &str, source: &str) -> String {
        format!("<devices><interface type='{kind}'>{source}</interface></devices>")
    }

    #[test]
    fn sockets_are_normalised() {
        for (kind, source, expected) in [
            ("server", "<source port='-5'/>", "<source port='-5'/>"),
            (
                "mcast",
                "<source port='5' address='1'><local/></source>",
                "<source address='1' port='5'/>",
            ),
            ("client", "<source port='05' address=''/>", "<source address='' port='5'/>"),
        ] {
            assert_eq!(printed(&devices(kind, source))[2].trim(), expected);
        }
        let udp = "<source address='1.2.3.4' port='5'><local address='1.1.1.1' port='2'/></source>";
        let lines = printed(&devices("udp", udp));
        assert_eq!(lines[3], "        <local address='1.1.1.1' port='2'/>");
    }

    #[test]
    fn faults() {
        for (kind, source, expected) in [
            (
                "client",
                "<source port='1'/>",
                "Missing required attribute 'address' in element 'source'",
            ),
            (
                "server",
                "<source port='x'/>",
                "Invalid value for attribute 'port' in element 'source': 'x'. Expected integer \
                 value",
            ),
            (
                "udp",
                "<source address='a' port='1'/>",
                "'<local>' element missing for 'udp' socket interface",
            ),
        ] {
            let text = devices(kind, source);
            assert_faults(&[(&text, &format!("XML error: line 2: {expected}"))]);
        }
    }
}
