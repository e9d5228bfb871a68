//! The host's USB devices, as sysfs has them.

use std::fs;
use std::path::Path;

use crate::plan::{Device, DeviceKind, HostUsb};

/// All that are there now; a host without USB has none.
pub(super) fn devices(directory: &Path) -> Vec<HostUsb> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    // One that is pulled out meanwhile is not there, and interfaces have no number.
    entries.flatten().filter_map(|entry| device(&entry.path())).collect()
}

fn device(directory: &Path) -> Option<HostUsb> {
    let text = |file: &str| fs::read_to_string(directory.join(file)).ok();
    let number = |file: &str, radix| u32::from_str_radix(text(file)?.trim(), radix).ok();
    let node = text("dev")?;
    let (major, minor) = node.trim().split_once(':')?;
    Some(HostUsb {
        ids: (number("idVendor", 16)?, number("idProduct", 16)?),
        address: (number("busnum", 10)?, number("devnum", 10)?),
        device: Device {
            kind: DeviceKind::Char,
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_ids_an_address_and_a_number_and_interfaces_do_not() {
        let top = std::env::temp_dir().join(format!("nsvirt-usb-{}", std::process::id()));
        let (stick, interface) = (top.join("1-2"), top.join("1-2:1.0"));
        fs::create_dir_all(&stick).unwrap();
        fs::create_dir_all(&interface).unwrap();
        let files = [
            ("idVendor", "0781"),
            ("idProduct", "5567"),
            ("busnum", "1"),
            ("devnum", "17"),
            ("dev", "189:16"),
        ];
        for (name, text) in files {
            fs::write(stick.join(name), format!("{text}\n")).unwrap();
        }
        let device = Device { kind: DeviceKind::Char, major: 189, minor: 16 };
        let expected = HostUsb { ids: (0x781, 0x5567), address: (1, 17), device };
        assert_eq!(devices(&top), [expected]);
        fs::remove_dir_all(&top).unwrap();
        assert_eq!(devices(&top), []);
    }
}
