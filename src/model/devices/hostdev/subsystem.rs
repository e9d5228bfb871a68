//! Devices by the bus they are on.

use super::scsi;
use crate::error::Result;
use crate::model::devices::info::pci_of_host;
use crate::model::digits::c_number_attr;
use crate::model::identity::read_uuid;
use crate::model::read::{bad_value, internal, required, words};
use crate::model::shape::{self, Kind, ON_OFF, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

/// A device of a bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subsystem {
    /// A USB device.
    Usb(UsbDevice),
    /// A PCI device, its source as it is written; not for containers.
    Pci(Element),
    /// A SCSI device; not for containers.
    Scsi(Element),
    /// A SCSI host adapter; not for containers.
    ScsiHost(Element),
    /// A mediated device; not for containers.
    Mediated(Element),
}

/// A USB device; its address or its makers' ids are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsbDevice {
    /// The ids of vendor and product.
    pub ids: Option<(u32, u32)>,
    /// The numbers of the bus and of the device on it; with ids, too, this decides.
    pub address: Option<(u32, u32)>,
    /// What happens at start without it; None is `mandatory`.
    pub startup_policy: Option<StartupPolicy>,
    /// How machines may reset it; without effect on containers.
    pub guest_reset: Option<GuestReset>,
}

words! {
    /// What happens at start when a device is missing.
    pub enum StartupPolicy {
        /// The start fails.
        Mandatory = "mandatory",
        /// The start fails; after a migration the container goes without.
        Requisite = "requisite",
        /// The container goes without.
        Optional = "optional",
    }
}

words! {
    /// How machines may reset a device.
    pub enum GuestReset {
        /// Not at all.
        Off = "off",
        /// While they have not used it.
        Uninitialized = "uninitialized",
        /// Always.
        On = "on",
    }
}

impl Subsystem {
    /// The words in the document.
    pub(super) const KINDS: &'static [&'static str] = &["usb", "pci", "scsi", "scsi_host", "mdev"];

    pub(in crate::model::devices) fn parse(kind: &str, source: &Element) -> Result<Self> {
        if kind != "usb" && source.attr("startupPolicy").is_some() {
            return Err(source.unsupported("Setting startupPolicy is only allowed for USB devices"));
        }
        match kind {
            "usb" => UsbDevice::parse(source).map(Self::Usb),
            "pci" => pci(source).map(Self::Pci),
            "scsi" => scsi::device(source).map(Self::Scsi),
            "scsi_host" => scsi::host(source).map(Self::ScsiHost),
            _ => mediated(source).map(Self::Mediated),
        }
    }

    /// The word in the document.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Usb(_) => "usb",
            Self::Pci(_) => "pci",
            Self::Scsi(_) => "scsi",
            Self::ScsiHost(_) => "scsi_host",
            Self::Mediated(_) => "mdev",
        }
    }

    /// The source as it is written; of an interface its address has a type.
    pub(in crate::model::devices) fn source(&self, of_interface: bool) -> Element {
        let mut source = match self {
            Self::Usb(device) => device.source(),
            Self::Pci(source)
            | Self::Scsi(source)
            | Self::ScsiHost(source)
            | Self::Mediated(source) => source.clone(),
        };
        if of_interface {
            for node in &mut source.children {
                if let Node::Element(address) = node
                    && address.name == "address"
                {
                    address.attributes.insert(0, ("type".to_owned(), self.kind().to_owned()));
                }
            }
        }
        source
    }

    /// What the element of the device must not say of it.
    pub(in crate::model::devices) fn check(&self, element: &Element) -> Result<()> {
        let is_scsi = matches!(self, Subsystem::Scsi(_));
        let has_model = matches!(self, Subsystem::ScsiHost(_) | Subsystem::Mediated(_));
        for name in ["sgio", "rawio"] {
            if !is_scsi && element.attr(name).is_some() {
                return Err(
                    element.error(format_args!("{name} is only supported for scsi host device"))
                );
            }
        }
        if !has_model && element.attr("model").is_some() {
            return Err(element.error(
                "'model' attribute in <hostdev> is only supported when type='scsi_host' or 'mdev'",
            ));
        }
        if element.attr("sgio") == Some("unfiltered") {
            return Err(
                element.unsupported("unfiltered sgio is no longer supported: expected filtered")
            );
        }
        match element.child("address").and_then(|address| address.attr("type")) {
            Some(address) => self.check_address(element, address),
            None => Ok(()),
        }
    }

    /// Where in a machine a device may be.
    fn check_address(&self, element: &Element, address: &str) -> Result<()> {
        let model = element.attr("model").unwrap_or_default();
        match (self, address) {
            (Self::Usb(_), "usb")
            | (Self::Pci(_), "pci" | "unassigned")
            | (Self::Scsi(_), "drive")
            | (Self::ScsiHost(_), "pci" | "ccw") => Ok(()),
            (Self::Usb(_), _) => {
                Err(element.unsupported("USB host device must use 'usb' address type"))
            }
            (Self::Pci(_), _) => {
                let text = "PCI host devices must use 'pci' or 'unassigned' address type";
                Err(internal(element, text))
            }
            (Self::Scsi(_), _) => {
                Err(element.unsupported("SCSI host device must use 'drive' address type"))
            }
            (Self::ScsiHost(_), _) => {
                Err(element
                    .unsupported("SCSI_host host device must use 'pci' or 'ccw' address type"))
            }
            (Self::Mediated(_), _) => match (model, address) {
                ("vfio-pci", "pci") | ("vfio-ccw", "ccw") | ("vfio-ap", _) => Ok(()),
                _ => Err(element.error(format_args!(
                    "Unsupported address type '{address}' with mediated device model '{model}'"
                ))),
            },
        }
    }

    /// Whether a device that comes later is this one.
    pub(in crate::model::devices) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Usb(device), Self::Usb(other)) => match device.address {
                Some(address) => other.address == Some(address),
                None => other.ids == device.ids,
            },
            (Self::Pci(source), Self::Pci(other))
            | (Self::Mediated(source), Self::Mediated(other)) => {
                source.child("address") == other.child("address")
            }
            (Self::Scsi(source), Self::Scsi(other)) => {
                source.attr("name") == other.attr("name")
                    && ["adapter", "address", "host"]
                        .iter()
                        .all(|name| source.child(name) == other.child(name))
            }
            (Self::ScsiHost(source), Self::ScsiHost(other)) => source == other,
            _ => false,
        }
    }
}

impl UsbDevice {
    fn parse(source: &Element) -> Result<Self> {
        let ids = match (source.child("vendor"), source.child("product")) {
            (Some(vendor), Some(product)) => Some((id(vendor)?, id(product)?)),
            (None, None) => None,
            (None, _) => {
                return Err(internal(source, "missing vendor: expected <vendor id='...'/>"));
            }
            (_, None) => {
                return Err(internal(source, "missing product: expected <product id='...'/>"));
            }
        };
        if let (Some((0, _)), Some(vendor)) = (ids, source.child("vendor")) {
            return Err(bad_value(vendor, "id", "0", "Zero is not permitted"));
        }
        let address = match source.child("address") {
            Some(address) => {
                let number = |name| required(address, name, c_number_attr(address, name)?);
                Some((number("bus")?, number("device")?)).filter(|address| *address != (0, 0))
            }
            None => None,
        };
        if ids.is_none() && address.is_none() {
            return Err(source.error(
                "missing USB device: expected <vendor> and <product>, or <address> with bus and \
                 device",
            ));
        }
        Ok(Self {
            ids,
            address,
            startup_policy: StartupPolicy::attr(source, "startupPolicy")?,
            guest_reset: GuestReset::attr(source, "guestReset")?,
        })
    }

    fn source(&self) -> Element {
        let mut attributes = Vec::new();
        let policy = self.startup_policy.map(|policy| policy.as_str().to_owned());
        attributes.extend(policy.map(|policy| ("startupPolicy", policy)));
        let reset = self.guest_reset.map(|reset| reset.as_str().to_owned());
        attributes.extend(reset.map(|reset| ("guestReset", reset)));
        let mut children = Vec::new();
        if let Some((vendor, product)) = self.ids {
            for (name, id) in [("vendor", vendor), ("product", product)] {
                children.push(shape::element(name, &[("id", format!("0x{id:04x}"))], Vec::new()));
            }
        }
        if let Some((bus, device)) = self.address {
            let numbers = [("bus", bus.to_string()), ("device", device.to_string())];
            children.push(shape::element("address", &numbers, Vec::new()));
        }
        shape::element("source", &attributes, children)
    }
}

fn id(element: &Element) -> Result<u32> {
    required(element, "id", c_number_attr(element, "id")?)
}

fn pci(source: &Element) -> Result<Element> {
    const SOURCE: Shape =
        Shape::new("source", &[attr("writeFiltering", Kind::Word(YES_NO))]).bare();
    let none = Element::default();
    let mut kept = SOURCE.read(source)?.unwrap_or_default();
    let address = pci_of_host(source.child("address").unwrap_or(&none))?;
    kept.children.push(Node::Element(address));
    Ok(kept)
}

fn mediated(source: &Element) -> Result<Element> {
    let Some(address) = source.child("address") else {
        return Err(source.unsupported("Missing <address> element: expected <address uuid='...'/>"));
    };
    let Some(text) = address.attr("uuid") else {
        return Err(address.unsupported("Missing 'uuid' attribute for element <address>"));
    };
    let uuid = read_uuid(text).ok_or_else(|| {
        let text = format!("Cannot parse uuid attribute of element <address>: '{text}'");
        internal(address, text)
    })?;
    let address = shape::element("address", &[("uuid", uuid.to_string())], Vec::new());
    Ok(shape::element("source", &[], vec![address]))
}

/// The driver of a PCI device on the host.
pub(in crate::model::devices) fn pci_driver(element: &Element) -> Result<Option<String>> {
    const DRIVER: Shape =
        Shape::new("driver", &[attr("name", Kind::Word(&["kvm", "vfio", "xen"]))]);
    let driver = DRIVER.read_one(element)?;
    Ok(driver.and_then(|driver| driver.attr("name").map(str::to_owned)))
}

/// The attributes that some kinds have, in the order they are written in.
pub(super) fn attributes(element: &Element, device: &Subsystem) -> Result<Vec<(String, String)>> {
    const SCSI: Shape = Shape::new(
        "hostdev",
        &[attr("sgio", Kind::Word(&["filtered"])), attr("rawio", Kind::Word(YES_NO))],
    );
    const SCSI_HOST: Shape = Shape::new(
        "hostdev",
        &[attr("model", Kind::Word(&["virtio", "virtio-transitional", "virtio-non-transitional"]))],
    );
    const MEDIATED: Shape = Shape::new(
        "hostdev",
        &[
            attr("model", Kind::Word(&["vfio-pci", "vfio-ccw", "vfio-ap"])).required(),
            attr("display", Kind::Word(ON_OFF)),
            attr("ramfb", Kind::Word(ON_OFF)),
        ],
    );
    let shape = match device {
        Subsystem::Scsi(_) => SCSI,
        Subsystem::ScsiHost(_) => SCSI_HOST,
        Subsystem::Mediated(_) => MEDIATED,
        Subsystem::Usb(_) | Subsystem::Pci(_) => return Ok(Vec::new()),
    };
    Ok(shape.read(element)?.unwrap_or_default().attributes)
}
