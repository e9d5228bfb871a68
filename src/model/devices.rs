//! `<devices>`: what the container has, in the order libvirt writes it.

use super::read::first;
use super::{Console, Filesystem, View};
use crate::error::Result;
use crate::xml::{Element, Writer};

/// The devices of a domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    /// The supervisor's program on the host; None until the host's is filled in. Documents name
    /// libvirt's here, so it is kept and not run.
    pub emulator: Option<String>,
    /// What is mounted, in this order.
    pub filesystems: Vec<Filesystem>,
    /// Consoles; their ports are their positions.
    pub consoles: Vec<Console>,
}

impl Devices {
    /// Several `<devices>` count as one, as in libvirt.
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let emulator = first(root, "devices", "emulator").map(Element::text);
        let emulator = emulator.filter(|path| !path.is_empty());
        let mut devices = Self { emulator, ..Self::default() };
        for device in root.children_named("devices").flat_map(Element::elements) {
            match device.name.as_str() {
                "filesystem" => devices.filesystems.push(Filesystem::parse(device)?),
                "console" => {
                    let port = u32::try_from(devices.consoles.len()).unwrap_or(u32::MAX);
                    devices.consoles.push(Console::parse(device, port)?);
                }
                _ => {}
            }
        }
        Ok(devices)
    }

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        w.open("devices", &[]);
        w.optional_leaf("emulator", self.emulator.as_deref());
        for filesystem in &self.filesystems {
            filesystem.format(w);
        }
        for console in &self.consoles {
            console.format(w, view);
        }
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{parse, printed};

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
        let text = "<devices><emulator/><emulator>/a</emulator></devices>";
        assert_eq!(parse(text).devices.emulator, None);
    }
}
