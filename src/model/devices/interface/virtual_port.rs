//! `<virtualport>`: how a switch knows the link's port.

use uuid::Uuid;

use super::addresses::borrowed;
use crate::error::Result;
use crate::model::digits::c_number;
use crate::model::identity::read_uuid;
use crate::model::read::words;
use crate::xml::{Element, Writer};

words! {
    /// Kinds of ports.
    pub enum VirtualPortKind {
        /// Virtual Ethernet Port Aggregator.
        Ieee8021Qbg = "802.1Qbg",
        /// Bridge Port Extension.
        Ieee8021Qbh = "802.1Qbh",
        /// Of an Open vSwitch.
        OpenVSwitch = "openvswitch",
        /// Of a MidoNet.
        MidoNet = "midonet",
    }
}

/// A port of a switch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VirtualPort {
    /// Its kind; None, on networks only, leaves it to the network.
    pub kind: Option<VirtualPortKind>,
    /// Of 802.1Qbg: the database of types.
    pub manager_id: Option<u8>,
    /// Of 802.1Qbg: the type, 24 bits.
    pub type_id: Option<u32>,
    /// Of 802.1Qbg: the version of the type.
    pub type_id_version: Option<u8>,
    /// Of 802.1Qbg: the port; made up when a document has none.
    pub instance_id: Option<Uuid>,
    /// The port as switches in software know it; made up when a document has none.
    pub interface_id: Option<Uuid>,
    /// A set of settings the switch knows.
    pub profile_id: Option<String>,
}

/// What an interface demands of its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Demand {
    /// It has none.
    None,
    /// The network may have what is missing.
    Partial,
    /// All must be there.
    Complete,
}

/// The longest profile a switch takes.
const MAX_PROFILE_BYTES: usize = 39;

impl VirtualPort {
    /// Reads the port of an interface of type `interface_type`.
    pub(super) fn parse(
        interface: &Element,
        demand: Demand,
        interface_type: &str,
    ) -> Result<Option<Self>> {
        let Some(element) = interface.child("virtualport") else { return Ok(None) };
        if demand == Demand::None {
            return Err(element.unsupported(format_args!(
                "<virtualport> element unsupported for <interface type='{interface_type}'>: only \
                 network, bridge, direct and hostdev have it"
            )));
        }
        let kind = kind(element, demand)?;
        let empty = Element { name: "parameters".to_owned(), ..Element::default() };
        let parameters = element.child("parameters").unwrap_or(&empty);
        let mut port = Self::parameters(parameters)?;
        port.kind = kind;
        port.make_up();
        port.check(element, demand)?;
        Ok(Some(port))
    }

    fn parameters(element: &Element) -> Result<Self> {
        let profile_id = element.attr("profileid").filter(|profile| !profile.is_empty());
        if profile_id.is_some_and(|profile| profile.len() > MAX_PROFILE_BYTES) {
            return Err(element.error(format_args!(
                "profileid parameter too long: at most {MAX_PROFILE_BYTES} bytes are allowed"
            )));
        }
        let byte = |name: &str| {
            let value = numeric(element, name, 0xff)?;
            Ok::<_, crate::error::Error>(value.and_then(|value| u8::try_from(value).ok()))
        };
        Ok(Self {
            kind: None,
            manager_id: byte("managerid")?,
            type_id: numeric(element, "typeid", 0xff_ffff)?,
            type_id_version: byte("typeidversion")?,
            instance_id: id(element, "instanceid")?,
            interface_id: id(element, "interfaceid")?,
            profile_id: profile_id.map(str::to_owned),
        })
    }

    /// Names for the port that a document may leave out.
    fn make_up(&mut self) {
        use VirtualPortKind::{Ieee8021Qbg, MidoNet, OpenVSwitch};
        if matches!(self.kind, None | Some(Ieee8021Qbg)) {
            self.instance_id.get_or_insert_with(Uuid::new_v4);
        }
        if matches!(self.kind, None | Some(OpenVSwitch)) {
            self.interface_id.get_or_insert_with(Uuid::new_v4);
        }
        if self.kind == Some(MidoNet) {
            // The rest is read and forgotten, as in libvirt.
            let interface_id = self.interface_id;
            *self = Self { kind: self.kind, interface_id, ..Self::default() };
        }
    }

    /// Which parameters a kind has, and whether all are there.
    fn check(&self, element: &Element, demand: Demand) -> Result<()> {
        use VirtualPortKind::{Ieee8021Qbg, Ieee8021Qbh, MidoNet, OpenVSwitch};
        let Some(kind) = self.kind else { return Ok(()) };
        let (allowed, needed): (&[&str], &[&str]) = match kind {
            Ieee8021Qbg => (
                &["managerid", "typeid", "typeidversion", "instanceid"],
                &["managerid", "typeid", "typeidversion", "instanceid"],
            ),
            Ieee8021Qbh => (&["profileid"], &["profileid"]),
            OpenVSwitch => (&["interfaceid", "profileid"], &["interfaceid"]),
            MidoNet => (&["interfaceid"], &["interfaceid"]),
        };
        let kind = kind.as_str();
        let given: Vec<_> = self.attributes().into_iter().map(|(name, _)| name).collect();
        if let Some(extra) = given.iter().find(|name| !allowed.contains(name)) {
            return Err(element.error(format_args!(
                "extra {extra} unsupported in <virtualport type='{kind}'>: it has {}",
                allowed.join(", ")
            )));
        }
        let missing = needed.iter().find(|name| !given.contains(name));
        match missing {
            Some(missing) if demand == Demand::Complete => {
                Err(element.error(format_args!("missing {missing} in <virtualport type='{kind}'>")))
            }
            _ => Ok(()),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, String)> {
        let attributes = [
            ("managerid", self.manager_id.map(|id| id.to_string())),
            ("typeid", self.type_id.map(|id| id.to_string())),
            ("typeidversion", self.type_id_version.map(|version| version.to_string())),
            ("instanceid", self.instance_id.map(|id| id.to_string())),
            ("interfaceid", self.interface_id.map(|id| id.to_string())),
            ("profileid", self.profile_id.clone()),
        ];
        attributes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let kind: Vec<_> = self.kind.iter().map(|kind| ("type", kind.as_str())).collect();
        let attributes = self.attributes();
        if attributes.is_empty() {
            return w.empty("virtualport", &kind);
        }
        w.open("virtualport", &kind);
        w.empty("parameters", &borrowed(&attributes));
        w.close();
    }
}

fn kind(element: &Element, demand: Demand) -> Result<Option<VirtualPortKind>> {
    let kinds =
        VirtualPortKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    match element.attr("type") {
        None if demand == Demand::Partial => Ok(None),
        None => Err(element
            .error(format_args!("missing required virtualport type: expected one of {kinds}"))),
        Some(word) => VirtualPortKind::from_word(word).map(Some).ok_or_else(|| {
            element.unsupported(format_args!(
                "unknown virtualport type {word}: expected one of {kinds}"
            ))
        }),
    }
}

fn numeric(element: &Element, name: &str, most: u32) -> Result<Option<u32>> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    match c_number(text) {
        None => Err(element.error(format_args!(
            "cannot parse value of {name} parameter '{text}': expected a number up to {most}"
        ))),
        Some(value) => match u32::try_from(value) {
            Ok(value) if value <= most => Ok(Some(value)),
            _ => Err(element
                .error(format_args!("value of {name} out of range: '{text}' is more than {most}"))),
        },
    }
}

fn id(element: &Element, name: &str) -> Result<Option<Uuid>> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    read_uuid(text).map(Some).ok_or_else(|| {
        element.error(format_args!("cannot parse {name} parameter as a uuid: '{text}'"))
    })
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_faults, fault, parse, printed};

    const ID: &str = "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f";

    fn network(port: &str) -> String {
        format!(
            "<devices><interface type='network'><mac address='52:54:00:0:0:1'/>\
             <source network='n'/>{port}</interface></devices>"
        )
    }

    fn bridge(port: &str) -> String {
        format!(
            "<devices><interface type='bridge'><source bridge='b'/>{port}</interface></devices>"
        )
    }

    #[test]
    fn numbers_are_normalised_and_ids_made_up() {
        let text = network(&format!(
            "<virtualport type='802.1Qbg'><parameters managerid='0xB' typeid='010' \
             instanceid='{}'/></virtualport>",
            ID.replace('-', "")
        ));
        assert_eq!(
            printed(&text)[4],
            format!("        <parameters managerid='11' typeid='8' instanceid='{ID}'/>")
        );
        let port = |text: &str| parse(text).devices.interfaces[0].virtual_port.clone().unwrap();
        let open = port(&network("<virtualport type='openvswitch'/>"));
        assert!(open.interface_id.is_some() && open.instance_id.is_none());
        let any = port(&network("<virtualport/>"));
        assert!(any.interface_id.is_some() && any.instance_id.is_some());
        let text = network("<virtualport type='midonet'><parameters profileid='p'/></virtualport>");
        assert_eq!(printed(&text)[3], "      <virtualport type='midonet'/>");
    }

    #[test]
    fn faults() {
        let parameters = |kind: &str, parameters: &str| {
            format!("<virtualport type='{kind}'><parameters {parameters}/></virtualport>")
        };
        for (text, expected) in [
            (
                network(&parameters("openvswitch", "managerid='1'")),
                "extra managerid unsupported in <virtualport type='openvswitch'>: it has \
                 interfaceid, profileid",
            ),
            (
                bridge("<virtualport type='midonet'/>"),
                "missing interfaceid in <virtualport type='midonet'>",
            ),
            (
                bridge("<virtualport/>"),
                "missing required virtualport type: expected one of 802.1Qbg, 802.1Qbh, \
                 openvswitch, midonet",
            ),
            (
                network(&parameters("802.1Qbg", "managerid='x'")),
                "cannot parse value of managerid parameter 'x': expected a number up to 255",
            ),
            (
                network(&parameters("802.1Qbg", "typeid='0x1000000'")),
                "value of typeid out of range: '0x1000000' is more than 16777215",
            ),
            (
                network(&parameters("802.1Qbg", "instanceid='x'")),
                "cannot parse instanceid parameter as a uuid: 'x'",
            ),
            (
                network(&parameters("802.1Qbh", &format!("profileid='{}'", "x".repeat(40)))),
                "profileid parameter too long: at most 39 bytes are allowed",
            ),
        ] {
            assert_faults(&[(&text, &format!("XML error: line 2: {expected}"))]);
        }
        let text = "<devices><interface type='user'><virtualport/></interface></devices>";
        assert!(fault(text).message.contains("<virtualport> element unsupported for <interface"));
        let text = bridge("<virtualport type='none'/>");
        assert!(fault(&text).message.contains("unknown virtualport type none"));
    }
}
