//! Where in a machine SCSI devices of the host are: each has a drive's address.

use std::collections::BTreeSet;

use super::{HostDevice, Subsystem};
use crate::error::Result;
use crate::model::devices::attach::MAX_IMPLIED;
use crate::model::devices::info::Drive;
use crate::xml::Element;

/// Units of a controller.
const UNITS: u32 = 7;

/// Fails when another SCSI device of the host has the address of a new one.
pub(in crate::model::devices) fn check(
    element: &Element,
    devices: &[HostDevice],
    new: &HostDevice,
) -> Result<()> {
    let Some(drive) = drive(new) else { return Ok(()) };
    let Drive { controller, bus, target, unit } = drive;
    if controller >= MAX_IMPLIED {
        return Err(element.unsupported(format_args!(
            "the SCSI host device is on controller {controller}: at most {MAX_IMPLIED} \
             controllers are supported"
        )));
    }
    if devices.iter().any(|device| self::drive(device) == Some(drive)) {
        return Err(element.unsupported(format_args!(
            "SCSI host address controller='{controller}' bus='{bus}' target='{target}' \
             unit='{unit}' in use by another SCSI host device"
        )));
    }
    Ok(())
}

/// Gives every SCSI device without an address the first that is free, with those of the disks
/// taken. Returns the last controller that must be there.
pub(in crate::model::devices) fn place(
    devices: &mut [HostDevice],
    disks: impl Iterator<Item = Drive>,
) -> Option<u32> {
    let mut last = devices.iter().filter_map(drive).map(|drive| drive.controller).max();
    let mut taken: BTreeSet<_> = devices.iter().filter_map(drive).chain(disks).collect();
    let mut free = (0..).flat_map(|controller| {
        (0..UNITS).map(move |unit| Drive { controller, bus: 0, target: 0, unit })
    });
    for device in devices.iter_mut().filter(|device| is_scsi(device)) {
        if drive(device).is_some() {
            continue;
        }
        let Some(place) = free.find(|it| !taken.contains(it)) else { break };
        taken.insert(place);
        last = last.max(Some(place.controller));
        device.kept.push(place.element());
    }
    last
}

fn is_scsi(device: &HostDevice) -> bool {
    matches!(device.source.on_bus(), Some(Subsystem::Scsi(_)))
}

/// The address of a SCSI device, if it has one.
pub(in crate::model::devices) fn drive(device: &HostDevice) -> Option<Drive> {
    let address = device.kept.iter().find(|kept| kept.name == "address")?;
    Drive::read(address).ok().filter(|_| is_scsi(device))
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{fault, printed};

    fn devices(addresses: &[&str]) -> String {
        let device = |(at, address): (usize, &&str)| {
            format!(
                "<hostdev type='scsi'><source><adapter name='a{at}'/>\
                 <address bus='1' target='2' unit='3'/></source>{address}</hostdev>"
            )
        };
        let devices: String = addresses.iter().enumerate().map(device).collect();
        format!("<devices>{devices}</devices>")
    }

    #[test]
    fn the_first_free_unit_is_taken() {
        let given = "<address type='drive' controller='2' unit='1'/>";
        let first = "<address type='drive'/>";
        let lines = printed(&devices(&["", given, first, "", "", "", "", "", "", ""]));
        let places: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("type='drive'"))
            .map(|line| line.trim().trim_start_matches("<address type='drive' controller="))
            .collect();
        let on = |controller, unit| format!("'{controller}' bus='0' target='0' unit='{unit}'/>");
        let expected =
            [(0, 1), (2, 1), (0, 0), (0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (1, 0), (1, 1)];
        assert_eq!(places, expected.map(|(controller, unit)| on(controller, unit)));
        let controllers: Vec<_> = lines.iter().filter(|it| it.contains("<controller")).collect();
        assert_eq!(controllers.len(), 3);
        assert_eq!(*controllers[2], "    <controller type='scsi' index='2'/>");
    }

    #[test]
    fn faults() {
        let first = "<address type='drive'/>";
        let error = fault(&devices(&[first, first]));
        assert!(error.message.contains("unit='0' in use by another SCSI host device"), "{error}");
        let error = fault(&devices(&["<address type='drive' controller='1024'/>"]));
        assert!(error.message.contains("at most 1024 controllers are supported"), "{error}");
    }
}
