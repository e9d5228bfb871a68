//! `<controller>`: what drives and other devices of a machine are attached to.

mod pci;

use super::info::Place;
use super::virtio;
use crate::error::Result;
use crate::model::read::{bad_value, number, words};
use crate::model::shape::{self, Kind, ON_OFF, Shape, attr};
use crate::xml::{Element, Node, Writer};

/// A controller; without effect on containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// What it controls.
    pub kind: ControllerKind,
    /// Its number among those of its kind. None only until the devices are complete.
    pub index: Option<u32>,
    /// Which product it looks like.
    pub model: Option<String>,
    /// Further attributes and elements, in the order they are written in.
    pub kept: Element,
}

words! {
    /// What controllers control.
    pub enum ControllerKind {
        /// IDE disks.
        Ide = "ide",
        /// Floppy disks.
        Fdc = "fdc",
        /// SCSI disks.
        Scsi = "scsi",
        /// SATA disks.
        Sata = "sata",
        /// Ports between host and guest.
        VirtioSerial = "virtio-serial",
        /// Smart cards.
        Ccid = "ccid",
        /// USB devices.
        Usb = "usb",
        /// PCI devices.
        Pci = "pci",
        /// Devices of Xen.
        Xenbus = "xenbus",
        /// ISA devices.
        Isa = "isa",
    }
}

impl ControllerKind {
    fn models(self) -> &'static [&'static str] {
        match self {
            Self::Ide => &["piix3", "piix4", "ich6"],
            Self::Scsi => &[
                "auto",
                "buslogic",
                "lsilogic",
                "lsisas1068",
                "vmpvscsi",
                "ibmvscsi",
                "virtio-scsi",
                "lsisas1078",
                "virtio-transitional",
                "virtio-non-transitional",
                "ncr53c90",
                "dc390",
                "am53c974",
            ],
            Self::VirtioSerial => &["virtio", "virtio-transitional", "virtio-non-transitional"],
            Self::Usb => &[
                "piix3-uhci",
                "piix4-uhci",
                "ehci",
                "ich9-ehci1",
                "ich9-uhci1",
                "ich9-uhci2",
                "ich9-uhci3",
                "vt82c686b-uhci",
                "pci-ohci",
                "nec-xhci",
                "qusb1",
                "qusb2",
                "qemu-xhci",
                "none",
            ],
            Self::Pci => &[
                "pci-root",
                "pcie-root",
                "pci-bridge",
                "dmi-to-pci-bridge",
                "pcie-to-pci-bridge",
                "pcie-root-port",
                "pcie-switch-upstream-port",
                "pcie-switch-downstream-port",
                "pci-expander-bus",
                "pcie-expander-bus",
            ],
            Self::Fdc | Self::Sata | Self::Ccid | Self::Xenbus | Self::Isa => &[],
        }
    }

    /// The attributes that count something.
    fn counts(self) -> &'static [&'static str] {
        match self {
            Self::VirtioSerial => &["ports", "vectors"],
            Self::Usb => &["ports"],
            Self::Xenbus => &["maxGrantFrames", "maxEventChannels"],
            _ => &[],
        }
    }
}

impl Controller {
    /// A controller without anything unusual.
    pub fn new(kind: ControllerKind, index: u32) -> Self {
        let kept = shape::element("controller", &[], Vec::new());
        Self { kind, index: Some(index), model: None, kept }
    }

    pub(super) fn parse(element: &Element) -> Result<Self> {
        let kind = ControllerKind::attr(element, "type")?.unwrap_or(ControllerKind::Ide);
        for name in ["model", "target"] {
            if let Some(second) = element.children_named(name).nth(1) {
                return Err(second.error(format_args!(
                    "Multiple <{name}> elements in controller definition not allowed"
                )));
            }
        }
        let model = element.attr("model").map(str::to_owned);
        if let Some(model) = model.as_deref().filter(|model| !kind.models().contains(model)) {
            let expected = match kind.models() {
                [] => format!("controllers of type '{}' have no model", kind.as_str()),
                models => format!("expected one of {}", models.join(", ")),
            };
            return Err(
                element.unsupported(format_args!("Unknown model type '{model}': {expected}"))
            );
        }
        let mut kept = shape::element("controller", &[], Vec::new());
        kept.line = element.line;
        for &name in kind.counts() {
            let count = integer(element, name, number::<i64>)?;
            kept.attributes.extend(count.map(|count| (name.to_owned(), count.to_string())));
        }
        let mut controller =
            Self { kind, index: integer(element, "index", number::<i64>)?, model, kept };
        let children = controller.children(element)?;
        controller.kept.children = children.into_iter().map(Node::Element).collect();
        Ok(controller)
    }

    fn children(&self, element: &Element) -> Result<Vec<Element>> {
        let mut kept = Vec::new();
        let is_root = self.is_one_of(ControllerKind::Pci, &["pci-root", "pcie-root"]);
        if self.kind == ControllerKind::Pci {
            kept.extend(pci::model(element)?);
            kept.extend(pci::target(element)?);
        }
        kept.extend(self.driver(element)?);
        let mut place =
            if self.disables_usb() { Vec::new() } else { Place::PLAIN.read(element)? };
        if is_root && let Some(address) = element.child("address") {
            return Err(address
                .unsupported("pci-root and pcie-root controllers should not have an address"));
        }
        if let Some(port) = self.companion_port()
            && element.child("master").is_none()
        {
            let port = [("startport", port.to_owned())];
            place.insert(0, shape::element("master", &port, Vec::new()));
        }
        kept.extend(place);
        if is_root {
            kept.extend(pci::hole(element)?);
        }
        Ok(kept)
    }

    fn driver(&self, element: &Element) -> Result<Option<Element>> {
        const DRIVER: Shape = Shape::new(
            "driver",
            &[
                attr("queues", Kind::Number).unless("0"),
                attr("cmd_per_lun", Kind::Number).unless("0"),
                attr("max_sectors", Kind::Number).unless("0"),
                attr("ioeventfd", Kind::Word(ON_OFF)),
                attr("iothread", Kind::Number).unless("0"),
            ],
        )
        .bare();
        let Some(element) = element.child("driver") else { return Ok(None) };
        let Some(mut kept) = DRIVER.read(element)? else { return Ok(None) };
        let virtio = ["virtio-scsi", "virtio-transitional", "virtio-non-transitional"];
        if kept.attr("iothread").is_some() && !self.is_one_of(ControllerKind::Scsi, &virtio) {
            let text = "'iothread' attribute only supported for virtio scsi controllers";
            return Err(element.error(text));
        }
        kept.attributes.extend(virtio::options(element)?);
        Ok(Some(kept).filter(|kept| !kept.attributes.is_empty()))
    }

    fn is_one_of(&self, kind: ControllerKind, models: &[&str]) -> bool {
        self.kind == kind && self.model.as_deref().is_some_and(|model| models.contains(&model))
    }

    /// Whether there is to be no USB at all.
    pub(super) fn disables_usb(&self) -> bool {
        self.is_one_of(ControllerKind::Usb, &["none"])
    }

    /// Whether it serves the slow devices at the ports of another controller.
    pub(super) fn is_companion(&self) -> bool {
        self.kept.child("master").is_some()
    }

    /// The first port such a controller has by default.
    fn companion_port(&self) -> Option<&'static str> {
        match self.model.as_deref().filter(|_| self.kind == ControllerKind::Usb)? {
            "ich9-uhci1" => Some("0"),
            "ich9-uhci2" => Some("2"),
            "ich9-uhci3" => Some("4"),
            _ => None,
        }
    }

    /// Whether it is one of a group that shares an index.
    pub(super) fn is_usb2(&self) -> bool {
        self.companion_port().is_some() || self.is_one_of(ControllerKind::Usb, &["ich9-ehci1"])
    }

    /// What the number says of a PCI controller: the first has target index 0, if any, and no other
    /// has; it has no memory node.
    pub(super) fn check_number(&self) -> Result<()> {
        const LAST: u32 = 255;
        if self.kind != ControllerKind::Pci {
            return Ok(());
        }
        if let Some(index) = self.index.filter(|index| *index > LAST) {
            return Err(self.kept.unsupported(format_args!(
                "PCI controller index {index} too high, maximum is {LAST}"
            )));
        }
        let target = self.kept.child("target");
        if self.index == Some(0) && target.is_some_and(|target| target.child("node").is_some()) {
            return Err(self.kept.unsupported(
                "The PCI controller with index=0 can't be associated with a NUMA node",
            ));
        }
        match target.and_then(|target| target.attr("index")) {
            Some(target) if (target == "0") != (self.index == Some(0)) => {
                Err(self.kept.unsupported(
                    "Only the PCI controller with index 0 can have target index 0, and vice versa",
                ))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let mut element = self.kept.clone();
        let index = self.index.map(|index| ("index", index.to_string()));
        let model = self.model.clone().map(|model| ("model", model));
        let typed = [("type", self.kind.as_str().to_owned())].into_iter().chain(index).chain(model);
        element.attributes.splice(0..0, typed.map(|(name, value)| (name.to_owned(), value)));
        shape::format(w, &element);
    }
}

/// A number that is not negative, in an attribute; `read` says in which notation.
fn integer<T>(element: &Element, name: &str, read: fn(&str) -> Option<T>) -> Result<Option<u32>>
where
    i32: TryFrom<T>,
{
    let Some(text) = element.attr(name) else { return Ok(None) };
    let value = read(text).and_then(|value| i32::try_from(value).ok());
    let expected = match value {
        Some(value) => match u32::try_from(value) {
            Ok(value) => return Ok(Some(value)),
            Err(_) => "Expected non-negative value",
        },
        None if text.trim_ascii_start().starts_with('-') => "Expected non-negative value",
        None => "Expected integer value",
    };
    Err(bad_value(element, name, text, expected))
}

#[cfg(test)]
mod tests;
