//! `<devices>`: what the container has, in the order libvirt writes it.
//!
//! What a container acts on is a type with a file of its own: disks, file systems, interfaces,
//! consoles, devices of the host. The other families describe machines; they are kept as they are,
//! normalised as libvirt does ([`DeviceFamily`]).
//!
//! A document is read in four steps: how many devices there are of a family (`checks`), each device
//! by itself, what they say of each other (`checks`), and what they get from each other (`attach`).

mod alias;
mod attach;
mod audio;
mod board;
mod change;
mod chardev;
mod checks;
mod console;
mod controller;
mod disk;
mod family;
mod filesystem;
mod graphics;
mod hostdev;
mod info;
mod interface;
mod label;
mod lease;
mod listen;
mod paravirtual;
mod ports;
mod spice;
mod storage;
mod tpm;
mod usb;
mod video;
mod virtio;

pub use change::{Changed, Device, DeviceChange, DeviceKind};
pub use chardev::CharacterSource;
pub use console::Console;
pub use controller::{Controller, ControllerKind};
pub use disk::{Disk, DiskBus, DiskDevice, DiskDriver, DiskSource};
pub use family::DeviceFamily;
pub use filesystem::{
    AccessMode, Filesystem, FilesystemDriver, FilesystemDriverKind, FilesystemSource,
};
pub use hostdev::{GuestReset, HostDevice, HostDeviceSource, StartupPolicy, Subsystem, UsbDevice};
pub use interface::{
    DirectMode, FilterReference, Interface, InterfaceAddress, InterfaceSocket, InterfaceSource,
    LinkBandwidth, LinkState, LiveInterface, Mac, MacAddress, MacOrigin, NativeMode, Rate, Route,
    SocketKind, VirtualPort, VirtualPortKind, Vlan, VlanTag,
};
pub use storage::StorageKind;

use crate::error::Result;
use crate::model::{View, shape};
use crate::xml::{Element, Writer};

/// The devices of a domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    /// The supervisor's program on the host; None until the host's is filled in. Documents name
    /// libvirt's here, so it is kept and not run.
    pub emulator: Option<String>,
    /// Block devices, in libvirt's order: those of a bus by their names.
    pub disks: Vec<Disk>,
    /// What drives and the like are attached to, in libvirt's order.
    pub controllers: Vec<Controller>,
    /// What is mounted, in this order.
    pub filesystems: Vec<Filesystem>,
    /// Network devices, in the order of the document.
    pub interfaces: Vec<Interface>,
    /// Consoles; their ports are their positions.
    pub consoles: Vec<Console>,
    /// Devices of the host, in the order of the document.
    pub host_devices: Vec<HostDevice>,
    /// Devices without effect on containers, family by family.
    pub kept: Vec<(DeviceFamily, Element)>,
}

impl Devices {
    /// Several `<devices>` count as one, as in libvirt.
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let elements: Vec<_> = root.children_named("devices").flat_map(Element::elements).collect();
        checks::check_counts(&elements)?;
        // The first counts, even when it is empty.
        let emulator = elements.iter().find(|device| device.name == "emulator");
        let emulator = emulator.map(|device| device.text()).filter(|path| !path.is_empty());
        let mut devices = Self { emulator, ..Self::default() };
        for device in &elements {
            devices.add(device)?;
        }
        devices.order_disks(&elements);
        checks::check_together(root, &elements)?;
        devices.complete()?;
        let disks = elements.iter().filter(|device| device.name == "disk");
        disks.copied().try_for_each(storage::check_secrets)?;
        Ok(devices)
    }

    /// Reads a device and puts it with those of its family; unknown ones are nothing to libvirt.
    fn add(&mut self, device: &Element) -> Result<()> {
        match device.name.as_str() {
            "disk" => self.disks.push(Disk::parse(device)?),
            "controller" => self.insert_controller(Controller::parse(device)?),
            "filesystem" => self.filesystems.push(Filesystem::parse(device)?),
            "interface" => self.add_interface(device)?,
            "hostdev" => self.add_host_device(device)?,
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

    fn add_interface(&mut self, device: &Element) -> Result<()> {
        let interface = Interface::parse(device)?;
        let is_there = interface.source.on_bus().is_some_and(|it| self.has_on_bus(it));
        check_new(device, is_there)?;
        self.interfaces.push(interface);
        Ok(())
    }

    fn add_host_device(&mut self, device: &Element) -> Result<()> {
        let found = HostDevice::parse(device)?;
        let is_there = match found.source.on_bus() {
            Some(on_bus) => self.has_on_bus(on_bus),
            None => self.host_devices.iter().any(|it| it.source.is_same(&found.source)),
        };
        check_new(device, is_there)?;
        hostdev::check_placement(device, &self.host_devices, &found)?;
        self.host_devices.push(found);
        Ok(())
    }

    /// Whether a device of the host is there, of an interface or by itself.
    fn has_on_bus(&self, device: &Subsystem) -> bool {
        let devices = self.host_devices.iter().filter_map(|device| device.source.on_bus());
        let interfaces = self.interfaces.iter().filter_map(|it| it.source.on_bus());
        devices.chain(interfaces).any(|earlier| earlier.is_same(device))
    }

    /// Fills in what devices get from each other, as libvirt does: numbers, then places, then the
    /// controllers that these places are on.
    fn complete(&mut self) -> Result<()> {
        ports::number_ports(&mut self.kept, DeviceFamily::Serial)?;
        ports::number_ports(&mut self.kept, DeviceFamily::Parallel)?;
        self.number_controllers()?;
        self.check_usb_controllers()?;

        self.check_disks()?;
        self.share_limits();
        let last_of_host = self.place_host_devices()?;
        ports::place_smartcards(&mut self.kept);

        self.add_drive_controllers(last_of_host)?;
        self.add_port_controllers();

        self.order_controllers();
        video::order(&mut self.kept);
        self.kept.sort_by_key(|(family, _)| *family);
        Ok(())
    }

    /// Removes what only those may see who may see secrets.
    pub fn drop_secrets(&mut self) {
        let graphics = self.kept.iter_mut().filter(|(it, _)| *it == DeviceFamily::Graphics);
        graphics.for_each(|(_, element)| graphics::drop_secrets(element));
    }

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        use DeviceFamily as F;
        w.open("devices", &[]);
        w.optional_leaf("emulator", self.emulator.as_deref());
        self.disks.iter().for_each(|disk| disk.format(w, view));
        self.controllers.iter().for_each(|controller| controller.format(w));
        self.format_kept(w, F::Lease, F::Lease);
        self.filesystems.iter().for_each(|filesystem| filesystem.format(w, view));
        self.interfaces.iter().for_each(|interface| interface.format(w, view));
        self.format_kept(w, F::Smartcard, F::Parallel);
        self.consoles.iter().for_each(|console| console.format(w, view));
        self.format_kept(w, F::Channel, F::Video);
        self.host_devices.iter().for_each(|device| device.format(w, view));
        self.format_kept(w, F::RedirectedDevice, F::Vsock);
        w.close();
    }

    /// Writes the families between two, which are included.
    fn format_kept(&self, w: &mut Writer, first: DeviceFamily, last: DeviceFamily) {
        let between = self.kept.iter().filter(|(it, _)| (first..=last).contains(it));
        between.for_each(|(_, element)| shape::format(w, element));
    }
}

/// A container has a device of the host once.
fn check_new(element: &Element, is_there: bool) -> Result<()> {
    match is_there {
        true => Err(element.error("Hostdev already exists in the domain configuration")),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{parse, printed};

    #[test]
    fn several_count_as_one_and_unknown_devices_are_dropped() {
        let text = "<devices><console type='pty'/><foo/><emulator>/a</emulator></devices>\
                    <devices><emulator>/b</emulator><console/></devices>";
        let devices = parse(text).devices;
        assert_eq!(devices.emulator.as_deref(), Some("/a"));
        assert_eq!(devices.consoles.len(), 2);
        assert_eq!(printed(text)[0], "    <emulator>/a</emulator>");
        let text = "<devices><emulator/><emulator>/a</emulator></devices>";
        assert_eq!(parse(text).devices.emulator, None);
    }

    #[test]
    fn passwords_are_secrets() {
        let mut devices = parse("").devices;
        let screen = shape::element(
            "graphics",
            &[("type", "vnc".to_owned()), ("passwd", "x".to_owned())],
            Vec::new(),
        );
        devices.kept.push((DeviceFamily::Graphics, screen));
        devices.drop_secrets();
        let left = &devices.kept[0].1.attributes;
        assert_eq!(*left, [("type".to_owned(), "vnc".to_owned())]);
    }

    #[test]
    fn none_are_added() {
        assert_eq!(parse("").devices, super::Devices::default());
    }
}
