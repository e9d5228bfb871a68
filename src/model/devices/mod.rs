//! `<devices>`: what the container has, in the order libvirt writes it.
//!
//! What a container acts on is a type with a file of its own. The other families describe machines;
//! they are kept as they are, normalised as libvirt does ([`DeviceFamily`]).

mod console;
mod controller;
mod disk;
mod family;
mod filesystem;
mod implicit;
mod info;
mod lease;
mod storage;

pub use console::Console;
pub use controller::{Controller, ControllerKind};
pub use disk::{Disk, DiskBus, DiskDevice, DiskDriver, DiskSource};
pub use family::DeviceFamily;
pub use filesystem::{
    AccessMode, Filesystem, FilesystemDriver, FilesystemDriverKind, FilesystemSource,
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
    /// Consoles; their ports are their positions.
    pub consoles: Vec<Console>,
    /// Devices without effect on containers, in the order of the document.
    pub kept: Vec<(DeviceFamily, Element)>,
}

impl Devices {
    /// Several `<devices>` count as one, as in libvirt.
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let mut devices = Self::default();
        for device in root.children_named("devices").flat_map(Element::elements) {
            devices.add(device)?;
        }
        devices.complete()?;
        Ok(devices)
    }

    fn add(&mut self, device: &Element) -> Result<()> {
        match device.name.as_str() {
            "emulator" if self.emulator.is_none() => {
                self.emulator = Some(device.text()).filter(|path| !path.is_empty());
            }
            "disk" => self.insert_disk(Disk::parse(device)?),
            "controller" => self.insert_controller(Controller::parse(device)?),
            "filesystem" => self.filesystems.push(Filesystem::parse(device)?),
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

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        use DeviceFamily as F;
        w.open("devices", &[]);
        w.optional_leaf("emulator", self.emulator.as_deref());
        self.disks.iter().for_each(|disk| disk.format(w));
        self.controllers.iter().for_each(|controller| controller.format(w));
        self.format_kept(w, &[F::Lease]);
        self.filesystems.iter().for_each(|filesystem| filesystem.format(w));
        self.format_kept(w, &[F::Smartcard, F::Serial, F::Parallel]);
        self.consoles.iter().for_each(|console| console.format(w, view));
        self.format_kept(w, &[F::Channel, F::Input, F::Tpm, F::Graphics, F::Sound, F::Audio]);
        self.format_kept(w, &[F::Video]);
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
