//! `<devices>`: what the container has, in the order libvirt writes it.
//!
//! What a container acts on is a type with a file of its own. The other families describe machines;
//! they are kept as they are, normalised as libvirt does ([`DeviceFamily`]).

mod console;
mod digits;
mod family;
mod filesystem;
mod hostdev;
mod info;
mod interface;
mod usb;

pub use console::Console;
pub use family::DeviceFamily;
pub use filesystem::{AccessMode, Filesystem, FilesystemSource};
pub use hostdev::{GuestReset, HostDevice, HostDeviceSource, StartupPolicy, Subsystem, UsbDevice};
pub use interface::{
    DirectMode, FilterReference, Interface, InterfaceAddress, InterfaceSocket, InterfaceSource,
    LinkBandwidth, LinkState, LiveInterface, Mac, MacAddress, MacOrigin, NativeMode, Rate, Route,
    SocketKind, VirtualPort, VirtualPortKind, Vlan, VlanTag,
};

use crate::error::Result;
use crate::model::{View, shape};
use crate::xml::{Element, Writer};

/// The devices of a domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    /// The supervisor's program on the host; None until the host's is filled in. Documents name
    /// libvirt's here, so it is kept and not run.
    pub emulator: Option<String>,
    /// What is mounted, in this order.
    pub filesystems: Vec<Filesystem>,
    /// Network devices, in the order of the document.
    pub interfaces: Vec<Interface>,
    /// Consoles; their ports are their positions.
    pub consoles: Vec<Console>,
    /// Devices of the host, in the order of the document.
    pub host_devices: Vec<HostDevice>,
    /// Devices without effect on containers, in the order of the document.
    pub kept: Vec<(DeviceFamily, Element)>,
}

impl Devices {
    /// Several `<devices>` count as one, as in libvirt.
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let mut devices = Self::default();
        let elements: Vec<_> = root.children_named("devices").flat_map(Element::elements).collect();
        for device in &elements {
            devices.add(device)?;
        }
        usb::check_filters(&elements)?;
        usb::check_usb(&elements)?;
        let controllers = hostdev::place(&mut devices.host_devices).into_iter();
        devices.kept.extend(controllers.map(|controller| (DeviceFamily::Controller, controller)));
        Ok(devices)
    }

    fn add(&mut self, device: &Element) -> Result<()> {
        match device.name.as_str() {
            "emulator" if self.emulator.is_none() => {
                self.emulator = Some(device.text()).filter(|path| !path.is_empty());
            }
            "filesystem" => self.filesystems.push(Filesystem::parse(device)?),
            "interface" => {
                let interface = Interface::parse(device)?;
                let is_there = interface.source.on_bus().is_some_and(|it| self.has_on_bus(it));
                check_host_device(device, is_there)?;
                self.interfaces.push(interface);
            }
            "hostdev" => {
                let found = HostDevice::parse(device)?;
                let is_there = match found.source.on_bus() {
                    Some(on_bus) => self.has_on_bus(on_bus),
                    None => self.host_devices.iter().any(|it| it.source.is_same(&found.source)),
                };
                check_host_device(device, is_there)?;
                hostdev::check_placement(device, &self.host_devices, &found)?;
                self.host_devices.push(found);
            }
            "console" => {
                let port = u32::try_from(self.consoles.len()).unwrap_or(u32::MAX);
                self.consoles.push(Console::parse(device, port)?);
            }
            name => {
                let Some(family) = DeviceFamily::from_word(name) else { return Ok(()) };
                self.kept.extend(family.read(device)?.map(|kept| (family, kept)));
            }
        }
        Ok(())
    }

    /// Whether a device of the host is there, of an interface or by itself.
    fn has_on_bus(&self, device: &Subsystem) -> bool {
        let devices = self.host_devices.iter().filter_map(|device| device.source.on_bus());
        let interfaces = self.interfaces.iter().filter_map(|it| it.source.on_bus());
        devices.chain(interfaces).any(|earlier| earlier.is_same(device))
    }

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        use DeviceFamily as F;
        w.open("devices", &[]);
        w.optional_leaf("emulator", self.emulator.as_deref());
        self.format_kept(w, &[F::Controller, F::Lease]);
        self.filesystems.iter().for_each(|filesystem| filesystem.format(w));
        self.interfaces.iter().for_each(|interface| interface.format(w, view));
        self.format_kept(w, &[F::Smartcard, F::Serial, F::Parallel]);
        self.consoles.iter().for_each(|console| console.format(w, view));
        self.format_kept(w, &[F::Channel, F::Input, F::Tpm, F::Graphics, F::Sound, F::Audio]);
        self.format_kept(w, &[F::Video]);
        self.host_devices.iter().for_each(|device| device.format(w));
        self.format_kept(w, &[F::RedirectedDevice, F::RedirectFilter, F::Hub, F::Watchdog]);
        self.format_kept(w, &[F::MemoryBalloon, F::Nvram, F::Rng, F::Panic, F::SharedMemory]);
        self.format_kept(w, &[F::Memory, F::Crypto, F::Iommu, F::Vsock]);
        w.close();
    }

    fn format_kept(&self, w: &mut Writer, families: &[DeviceFamily]) {
        for family in families {
            let of_family = self.kept.iter().filter(|(it, _)| it == family);
            of_family.for_each(|(_, element)| shape::format(w, element));
        }
    }
}

fn check_host_device(element: &Element, is_there: bool) -> Result<()> {
    match is_there {
        true => Err(element.error("Hostdev already exists in the domain configuration")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{parse, printed};

    #[test]
    fn several_count_as_one_and_unknown_devices_are_dropped() {
        let text = "<devices><console type='pty'/><foo/><emulator>/a</emulator></devices>\
                    <devices><emulator>/b</emulator><console/></devices>";
        let devices = parse(text).devices;
        assert_eq!(devices.emulator.as_deref(), Some("/a"));
        assert_eq!(devices.consoles.len(), 2);
        assert_eq!(printed(text)[0], "    <emulator>/a</emulator>");
    }

    #[test]
    fn none_are_added() {
        assert_eq!(parse("").devices, super::Devices::default());
    }
}
