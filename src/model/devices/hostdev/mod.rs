//! `<hostdev>`: a device of the host that the container gets.

mod placement;
mod scsi;
mod subsystem;

pub(super) use placement::{check as check_placement, drive, place};
pub(super) use subsystem::pci_driver;
pub use subsystem::{GuestReset, StartupPolicy, Subsystem, UsbDevice};

use super::alias;
use super::info::Place;
use super::interface::{InterfaceAddress, Route, teaming, word};
use crate::error::Result;
use crate::model::{View, shape};
use crate::xml::{Element, Writer};

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDevice {
    /// Which.
    pub source: HostDeviceSource,
    /// What else is written of it, without effect on containers.
    kept: Vec<Element>,
    /// The name in events and calls, as in `hostdev0`. Live only.
    pub alias: Option<String>,
}

/// Which device of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostDeviceSource {
    /// A device of a bus.
    Subsystem {
        /// Whether it is taken from the host's driver at start; without effect on containers.
        managed: bool,
        /// The device.
        device: Subsystem,
        /// The driver of a PCI device on the host; without effect on containers.
        driver: Option<String>,
        /// Attributes of devices of machines; without effect on containers.
        attributes: Vec<(String, String)>,
    },
    /// A block device, by its path below `/dev`.
    Storage {
        /// The path on the host, and in the container.
        block: String,
    },
    /// A character device, by its path below `/dev`.
    Misc {
        /// The path on the host, and in the container.
        char: String,
    },
    /// A network device, which moves into the container.
    Net {
        /// Its name.
        interface: String,
        /// Addresses in the container.
        ips: Vec<InterfaceAddress>,
        /// Routes in the container.
        routes: Vec<Route>,
    },
}

impl HostDevice {
    pub(super) fn parse(element: &Element) -> Result<Self> {
        let source = match element.attr("mode") {
            None | Some("subsystem") => HostDeviceSource::subsystem(element)?,
            Some("capabilities") => HostDeviceSource::capabilities(element)?,
            Some(other) => {
                return Err(element.unsupported(format_args!(
                    "unknown hostdev mode '{other}': expected subsystem or capabilities"
                )));
            }
        };
        let mut kept = Vec::new();
        if let Some(Subsystem::Scsi(_)) = source.on_bus() {
            for name in ["readonly", "shareable"] {
                let found = element.child(name);
                kept.extend(found.map(|_| shape::element(name, &[], Vec::new())));
            }
        }
        kept.extend(teaming(element)?);
        kept.extend(Place::BOOTABLE.read(element)?);
        source.on_bus().map_or(Ok(()), |device| device.check(element))?;
        let device = Self { source, kept, alias: None };
        device.check_teaming(element)?;
        Ok(device)
    }

    /// A PCI device may stand in for another card, no other may.
    fn check_teaming(&self, element: &Element) -> Result<()> {
        if let Some(teaming) = self.kept.iter().find(|kept| kept.name == "teaming") {
            if teaming.attr("type") != Some("transient") {
                return Err(
                    element.unsupported("teaming hostdev devices must have type='transient'")
                );
            }
            if !matches!(self.source.on_bus(), Some(Subsystem::Pci(_))) {
                return Err(
                    element.unsupported("teaming is only supported for pci hostdev devices")
                );
            }
        }
        Ok(())
    }

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        match &self.source {
            HostDeviceSource::Subsystem { managed, device, driver, attributes } => {
                let mut all = vec![("mode", "subsystem"), ("type", device.kind())];
                all.push(("managed", word(*managed)));
                let kept = attributes.iter();
                all.extend(kept.map(|(name, value)| (name.as_str(), value.as_str())));
                w.open("hostdev", &all);
                if let Some(driver) = driver {
                    w.empty("driver", &[("name", driver)]);
                }
                shape::format(w, &device.source(false));
            }
            HostDeviceSource::Storage { block } => capability(w, "storage", "block", block),
            HostDeviceSource::Misc { char } => capability(w, "misc", "char", char),
            HostDeviceSource::Net { interface, ips, routes } => {
                capability(w, "net", "interface", interface);
                ips.iter().for_each(|ip| ip.format(w));
                routes.iter().for_each(|route| route.format(w));
            }
        }
        alias::format(w, self.alias.as_deref(), view);
        self.kept.iter().for_each(|kept| shape::format(w, kept));
        w.close();
    }
}

fn capability(w: &mut Writer, kind: &str, name: &str, value: &str) {
    w.open("hostdev", &[("mode", "capabilities"), ("type", kind)]);
    w.open("source", &[]);
    w.leaf(name, &[], value);
    w.close();
}

impl HostDeviceSource {
    /// The device of a bus.
    pub(super) fn on_bus(&self) -> Option<&Subsystem> {
        match self {
            Self::Subsystem { device, .. } => Some(device),
            _ => None,
        }
    }

    /// Whether it is the device by a path or name that another one is.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Storage { block }, Self::Storage { block: other }) => block == other,
            (Self::Misc { char }, Self::Misc { char: other }) => char == other,
            (Self::Net { interface, .. }, Self::Net { interface: other, .. }) => interface == other,
            _ => false,
        }
    }

    fn subsystem(element: &Element) -> Result<Self> {
        let (kind, source) = kind_and_source(element, Subsystem::KINDS)?;
        let device = Subsystem::parse(kind, source)?;
        let driver = match device {
            Subsystem::Pci(_) => pci_driver(element)?,
            _ => None,
        };
        Ok(Self::Subsystem {
            managed: element.attr("managed") == Some("yes"),
            driver,
            attributes: subsystem::attributes(element, &device)?,
            device,
        })
    }

    fn capabilities(element: &Element) -> Result<Self> {
        let (kind, source) = kind_and_source(element, &["storage", "misc", "net"])?;
        let text = |name: &str, what: &str| {
            let text = source.child_text(name);
            let missing =
                || source.error(format_args!("Missing <{name}> element in hostdev {what} device"));
            text.filter(|text| !text.is_empty()).ok_or_else(missing)
        };
        Ok(match kind {
            "storage" => Self::Storage { block: text("block", "storage")? },
            "misc" => Self::Misc { char: text("char", "character")? },
            _ => Self::Net {
                interface: text("interface", "net")?,
                ips: InterfaceAddress::parse_all(element)?,
                routes: Route::parse_all(element, "Domain hostdev device")?,
            },
        })
    }
}

/// The type of a device, one of `kinds`, and its source.
fn kind_and_source<'a>(
    element: &'a Element,
    kinds: &[&'static str],
) -> Result<(&'static str, &'a Element)> {
    let Some(kind) = element.attr("type") else {
        return Err(element.error(format_args!(
            "missing source address type: expected type='...', one of {}",
            kinds.join(", ")
        )));
    };
    let Some(known) = kinds.iter().find(|known| **known == kind) else {
        return Err(element.unsupported(format_args!(
            "unknown host device source address type '{kind}': expected one of {}",
            kinds.join(", ")
        )));
    };
    match element.child("source") {
        Some(source) => Ok((known, source)),
        None => Err(element.error("Missing <source> element in hostdev device")),
    }
}

#[cfg(test)]
mod tests;
