//! Devices that come, go and change one by one: which one a document of a device means, and what
//! a domain is with or without it (libvirt's `virDomainAttachDeviceFlags` and its family).
//!
//! A device is found by what it is known by: a disk by its target, a file system by its place, an
//! interface by its hardware address, a device of the host by what it is there. The rest of the
//! document does not count. The texts are libvirt's, which has others for what runs.

use super::{
    Console, Controller, DeviceFamily, Disk, Filesystem, HostDevice, HostDeviceSource, Interface,
    Subsystem,
};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Domain, View};
use crate::xml::{self, Element, Limits};

/// A device as a document of its own, which a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device.
    pub kind: DeviceKind,
    /// As it was sent.
    element: Element,
}

/// The devices that come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one lives at a time, for the length of a call")]
pub enum DeviceKind {
    /// `<disk>`.
    Disk(Disk),
    /// `<interface>`.
    Interface(Interface),
    /// `<hostdev>`.
    Host(HostDevice),
    /// `<filesystem>`.
    Filesystem(Filesystem),
    /// `<console>`.
    Console(Console),
    /// One that is only ever described by the whole document.
    Fixed,
}

/// What is done to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceChange {
    /// It comes.
    Attach,
    /// It goes.
    Detach,
    /// It is to be another way.
    Update,
}

impl DeviceChange {
    fn word(self) -> &'static str {
        match self {
            Self::Attach => "attach",
            Self::Detach => "detach",
            Self::Update => "update",
        }
    }
}

/// A domain after a change, and the devices that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The domain, checked as a whole.
    pub domain: Domain,
    /// The device that is no more, as it was.
    pub old: Option<DeviceKind>,
    /// The device that is new, as it is.
    pub new: Option<DeviceKind>,
}

impl Device {
    /// Reads the document of a device.
    pub fn parse(text: &str) -> Result<Self> {
        let element = xml::parse(text).map_err(|error| error.in_domain(ErrorDomain::Domain))?;
        let kind = match element.name.as_str() {
            "disk" => DeviceKind::Disk(Disk::parse(&element)?),
            "interface" => DeviceKind::Interface(Interface::parse(&element)?),
            "hostdev" => DeviceKind::Host(HostDevice::parse(&element)?),
            "filesystem" => DeviceKind::Filesystem(Filesystem::parse(&element)?),
            "console" => DeviceKind::Console(Console::parse(&element, 0)?),
            "controller" => Controller::parse(&element).map(|_| DeviceKind::Fixed)?,
            name => match DeviceFamily::from_word(name) {
                Some(family) => family.read(&element).map(|_| DeviceKind::Fixed)?,
                None => {
                    let text = format!("unknown device type '{name}'");
                    return Err(Error::new(ErrorCode::ConfigUnsupported, text)
                        .in_domain(ErrorDomain::Domain));
                }
            },
        };
        Ok(Self { kind, element })
    }

    /// The attribute of a child element, as it was sent.
    fn attr(&self, child: &'static str, name: &'static str) -> Option<&str> {
        self.element.child(child)?.attr(name)
    }

    /// Its place on the guest's PCI bus, if it has one: `0000:00:03.0`.
    fn pci(&self) -> Option<String> {
        let address = self.element.child("address").filter(|it| it.attr("type") == Some("pci"))?;
        pci(address)
    }
}

/// A PCI address as libvirt prints it.
fn pci(address: &Element) -> Option<String> {
    let number = |name| {
        let text: &str = address.attr(name).unwrap_or("0");
        match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    };
    let (domain, bus) = (number("domain")?, number("bus")?);
    Some(format!("{domain:04x}:{bus:02x}:{:02x}.{}", number("slot")?, number("function")?))
}

impl DeviceKind {
    /// The name in events and calls; only a device of a container that runs has one.
    pub fn alias(&self) -> Option<&str> {
        match self {
            Self::Disk(disk) => disk.alias.as_deref(),
            Self::Interface(interface) => interface.live.as_ref()?.alias.as_deref(),
            Self::Host(device) => device.alias.as_deref(),
            Self::Filesystem(filesystem) => filesystem.alias.as_deref(),
            Self::Console(console) => console.alias.as_deref(),
            Self::Fixed => None,
        }
    }
}

impl Domain {
    /// The domain after a change of one device; `view` says which of its documents this is.
    pub fn with_change(
        &self,
        change: DeviceChange,
        device: &Device,
        view: View,
    ) -> Result<Changed> {
        let mut domain = self.clone();
        let (old, new) = match change {
            DeviceChange::Attach => (None, Some(domain.attach(device, view)?)),
            DeviceChange::Detach => (Some(domain.detach(device, view)?), None),
            DeviceChange::Update => domain.update(device, view)?,
        };
        domain.complete_devices(view)?;
        Ok(Changed { domain, old, new })
    }

    /// What the whole says of its parts, as when it is defined. What is only known of a container
    /// that runs is no part of that, and stays.
    fn complete_devices(&mut self, view: View) -> Result<()> {
        let whole = xml::parse_within(&self.format(View::Inactive), Limits::STORED)?;
        let whole = Self::parse_element(&whole)?;
        match view {
            View::Inactive => *self = whole,
            View::Live => self.devices.controllers = whole.devices.controllers,
        }
        Ok(())
    }

    fn attach(&mut self, device: &Device, view: View) -> Result<DeviceKind> {
        let devices = &mut self.devices;
        let taken = |target: &str| match view {
            View::Inactive => invalid(format!("target {target} already exists.")),
            View::Live => failed(format!("target {target} already exists")),
        };
        match &device.kind {
            DeviceKind::Disk(disk) => {
                if devices.disks.iter().any(|it| it.target == disk.target) {
                    return Err(taken(&disk.target));
                }
                devices.insert_disk(disk.clone());
            }
            DeviceKind::Filesystem(filesystem) => {
                if devices.filesystems.iter().any(|it| it.target == filesystem.target) {
                    return Err(taken(&filesystem.target));
                }
                devices.filesystems.push(filesystem.clone());
            }
            DeviceKind::Interface(interface) => devices.interfaces.push(interface.clone()),
            DeviceKind::Host(found) => {
                if self.host_device(found).is_some() {
                    return Err(match (view, found.source.on_bus()) {
                        (View::Inactive, _) => {
                            invalid("device is already in the domain configuration")
                        }
                        (View::Live, Some(_)) => failed("host USB device already exists"),
                        (View::Live, None) => failed("host device already exists"),
                    });
                }
                self.devices.host_devices.push(found.clone());
            }
            DeviceKind::Console(console) => {
                let target_port = u32::try_from(devices.consoles.len()).unwrap_or(u32::MAX);
                devices.consoles.push(Console { target_port, ..console.clone() });
            }
            DeviceKind::Fixed => return Err(fixed(DeviceChange::Attach, view)),
        }
        Ok(device.kind.clone())
    }

    fn detach(&mut self, device: &Device, view: View) -> Result<DeviceKind> {
        let missing = |target: &str, live: String| match view {
            View::Inactive => invalid(format!("no target device {target}")),
            View::Live => failed(live),
        };
        let devices = &mut self.devices;
        Ok(match &device.kind {
            DeviceKind::Disk(Disk { target, .. }) => {
                let at = devices.disks.iter().position(|it| it.target == *target);
                let at = at.ok_or_else(|| missing(target, format!("disk {target} not found")))?;
                DeviceKind::Disk(devices.disks.remove(at))
            }
            DeviceKind::Filesystem(Filesystem { target, .. }) => {
                let at = devices.filesystems.iter().position(|it| it.target == *target);
                let text = || missing(target, format!("file system at {target} not found"));
                DeviceKind::Filesystem(devices.filesystems.remove(at.ok_or_else(text)?))
            }
            DeviceKind::Interface(_) => {
                let at = self.interface(device)?;
                DeviceKind::Interface(self.devices.interfaces.remove(at))
            }
            DeviceKind::Host(found) => {
                let at = self.host_device(found).ok_or_else(|| no_host_device(found, view))?;
                DeviceKind::Host(self.devices.host_devices.remove(at))
            }
            DeviceKind::Console(_) => {
                let at = self.console(device)?;
                DeviceKind::Console(self.devices.consoles.remove(at))
            }
            DeviceKind::Fixed => return Err(fixed(DeviceChange::Detach, view)),
        })
    }

    fn update(
        &mut self,
        device: &Device,
        view: View,
    ) -> Result<(Option<DeviceKind>, Option<DeviceKind>)> {
        let DeviceKind::Interface(interface) = &device.kind else {
            return Err(fixed(DeviceChange::Update, view));
        };
        let at = self.interface(device)?;
        let mut new = interface.clone();
        let Some(place) = self.devices.interfaces.get_mut(at) else {
            return Err(fixed(DeviceChange::Update, view));
        };
        if device.attr("mac", "address").is_none() {
            new.mac = place.mac;
        }
        new.live.clone_from(&place.live);
        if view == View::Live && new.guest.is_none() {
            new.guest.clone_from(&place.guest);
        }
        let old = std::mem::replace(place, new.clone());
        Ok((Some(DeviceKind::Interface(old)), Some(DeviceKind::Interface(new))))
    }

    /// The interface that is meant: by its hardware address, its place and its alias, as far as the
    /// document has them.
    fn interface(&self, device: &Device) -> Result<usize> {
        let (mac, pci_place) = (device.attr("mac", "address"), device.pci());
        let alias = device.attr("alias", "name");
        let is_meant = |it: &Interface| {
            let own_alias = it.live.as_ref().and_then(|live| live.alias.as_deref());
            let place = it.pci_place().and_then(pci);
            matches!(&device.kind, DeviceKind::Interface(wanted)
                if mac.is_none() || it.mac.address == wanted.mac.address)
                && (pci_place.is_none() || place == pci_place)
                && (own_alias.is_none() || alias.is_none() || alias == own_alias)
        };
        let all = self.devices.interfaces.iter().enumerate();
        let mut meant = all.filter(|(_, it)| is_meant(it)).map(|(at, _)| at);
        match (meant.next(), meant.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => Err(failed(match mac {
                Some(mac) => format!("multiple devices matching MAC address {mac} found"),
                None => "multiple matching devices found".to_owned(),
            })
            .in_domain(ErrorDomain::Domain)),
            (None, _) => {
                let place = pci_place.as_deref().unwrap_or("(<null>)");
                let mac = mac.unwrap_or("(<null>)");
                let text = format!(
                    "no device found at address '{place}' matching MAC address '{mac}' and alias \
                     '{}'",
                    alias.unwrap_or("(<null>)")
                );
                Err(Error::new(ErrorCode::DeviceMissing, text).in_domain(ErrorDomain::Domain))
            }
        }
    }

    fn host_device(&self, wanted: &HostDevice) -> Option<usize> {
        let is_it = |it: &HostDevice| match (it.source.on_bus(), wanted.source.on_bus()) {
            (Some(there), Some(wanted)) => wanted.is_same(there),
            _ => it.source.is_same(&wanted.source),
        };
        self.devices.host_devices.iter().position(is_it)
    }

    /// The console that is meant: by its alias or its port, else the last one.
    fn console(&self, device: &Device) -> Result<usize> {
        let consoles = &self.devices.consoles;
        let at = match (device.attr("alias", "name"), device.attr("target", "port")) {
            (Some(alias), _) => consoles.iter().position(|it| it.alias.as_deref() == Some(alias)),
            (None, Some(port)) => consoles.iter().position(|it| it.target_port.to_string() == port),
            (None, None) => consoles.len().checked_sub(1),
        };
        at.ok_or_else(|| invalid("no such console in the domain configuration"))
    }
}

fn no_host_device(wanted: &HostDevice, view: View) -> Error {
    match (view, &wanted.source) {
        (View::Inactive, _) => invalid("device not present in domain configuration"),
        (View::Live, HostDeviceSource::Subsystem { device: Subsystem::Usb(_), .. }) => {
            failed("usb device not found")
        }
        (View::Live, HostDeviceSource::Storage { block: name })
        | (View::Live, HostDeviceSource::Misc { char: name })
        | (View::Live, HostDeviceSource::Net { interface: name, .. }) => {
            failed(format!("hostdev {name} not found"))
        }
        (View::Live, HostDeviceSource::Subsystem { device, .. }) => {
            failed(format!("hostdev of type {} not found", device.kind()))
        }
    }
}

/// The error for devices that libvirt's driver does not change.
fn fixed(change: DeviceChange, view: View) -> Error {
    match (view, change) {
        (View::Live, DeviceChange::Update) => {
            Error::new(ErrorCode::OperationUnsupported, "Unable to modify live devices")
        }
        (View::Live, _) => {
            let text = format!("live {} of device is not supported", change.word());
            Error::new(ErrorCode::ConfigUnsupported, text)
        }
        (View::Inactive, _) => {
            let text = format!("persistent {} of device is not supported", change.word());
            Error::new(ErrorCode::ConfigUnsupported, text)
        }
    }
}

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::InvalidArg, text)
}

fn failed(text: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::OperationFailed, text)
}

#[cfg(test)]
mod tests;
