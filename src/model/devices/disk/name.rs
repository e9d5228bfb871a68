//! What the name of a disk tells: the bus, and the place on it.

use super::{DiskBus, DiskDevice};
use crate::model::devices::info::Drive;

const PREFIXES: [&str; 6] = ["fd", "hd", "vd", "sd", "xvd", "ubd"];

/// Which of its kind a disk is: 0 for `vda`, 25 for `vdz`, 26 for `vdaa`. A number of a partition
/// may follow.
pub(in crate::model::devices) fn name_index(name: &str) -> Option<u32> {
    let rest = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix))?;
    let letters = rest.trim_end_matches(|c: char| c.is_ascii_digit());
    if letters.is_empty() || !letters.bytes().all(|c| c.is_ascii_lowercase()) {
        return None;
    }
    let mut count: u32 = 0;
    for letter in letters.bytes() {
        count = count.checked_mul(26)?.checked_add(u32::from(letter - b'a') + 1)?;
    }
    (count <= i32::MAX.unsigned_abs()).then_some(count - 1)
}

impl DiskBus {
    /// The bus a name is usual on.
    pub(in crate::model::devices) fn of_name(name: &str, device: DiskDevice) -> Self {
        let buses = [
            ("hd", Self::Ide),
            ("sd", Self::Scsi),
            ("vd", Self::Virtio),
            ("xvd", Self::Xen),
            ("ubd", Self::Uml),
        ];
        let usual = buses.into_iter().find(|(prefix, _)| name.starts_with(prefix));
        match (device, usual) {
            (DiskDevice::Floppy, _) => Self::Fdc,
            (_, Some((_, bus))) => bus,
            (_, None) => Self::Ide,
        }
    }

    /// Whether disks on it are drives of controllers.
    pub(in crate::model::devices) fn has_drives(self) -> bool {
        matches!(self, Self::Ide | Self::Fdc | Self::Scsi | Self::Sata)
    }

    /// The place of the disk of an index, on a bus that has drives.
    pub(in crate::model::devices) fn drive(self, index: u32) -> Option<Drive> {
        let (buses, units) = match self {
            Self::Ide => (2, 2),
            Self::Fdc => (1, 2),
            // One of eight is the controller itself.
            Self::Scsi => (1, 7),
            Self::Sata => (1, 6),
            Self::Virtio | Self::Xen | Self::Usb | Self::Uml | Self::Sd => return None,
        };
        let on_controller = index % (buses * units);
        Some(Drive {
            controller: index / (buses * units),
            bus: on_controller / units,
            target: 0,
            unit: on_controller % units,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_of_letters() {
        for (name, expected) in [
            ("hda", Some(0)),
            ("vdz1", Some(25)),
            ("sdaa", Some(26)),
            ("xvdzz", Some(701)),
            ("fdaaa00", Some(702)),
            ("vdzzzzzz", Some(321_272_405)),
            ("hdzzzzzzz", None),
            ("sd", None),
            ("sd1", None),
            ("hdA", None),
            ("hda1b", None),
            ("foo", None),
            ("", None),
        ] {
            assert_eq!(name_index(name), expected, "{name}");
        }
    }

    #[test]
    fn places_follow_from_the_index() {
        let place = |bus: DiskBus, index| {
            let drive = bus.drive(index).unwrap();
            (drive.controller, drive.bus, drive.target, drive.unit)
        };
        assert_eq!(place(DiskBus::Ide, 25), (6, 0, 0, 1));
        assert_eq!(place(DiskBus::Ide, 7), (1, 1, 0, 1));
        assert_eq!(place(DiskBus::Scsi, 6), (0, 0, 0, 6));
        assert_eq!(place(DiskBus::Scsi, 7), (1, 0, 0, 0));
        assert_eq!(place(DiskBus::Sata, 14), (2, 0, 0, 2));
        assert_eq!(place(DiskBus::Fdc, 3), (1, 0, 0, 1));
        assert_eq!(DiskBus::Virtio.drive(0), None);
    }
}
