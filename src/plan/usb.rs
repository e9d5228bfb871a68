//! Which of the host's USB devices a document means.

use super::Device;
use crate::error::{Error, ErrorCode, Result};
use crate::model::{StartupPolicy, UsbDevice};

/// A USB device of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostUsb {
    /// The ids of vendor and product.
    pub ids: (u32, u32),
    /// The numbers of the bus and of the device on it.
    pub address: (u32, u32),
    /// The number of its node.
    pub device: Device,
}

impl HostUsb {
    /// Where its node is, on the host and in the container.
    pub(super) fn path(&self) -> String {
        let (bus, device) = self.address;
        format!("/dev/bus/usb/{bus:03}/{device:03}")
    }
}

/// The device that is meant; None for an optional one that is not there.
pub(super) fn find<'a>(wanted: &UsbDevice, present: &'a [HostUsb]) -> Result<Option<&'a HostUsb>> {
    let is_meant = |usb: &&HostUsb| {
        wanted.ids.is_none_or(|ids| ids == usb.ids)
            && wanted.address.is_none_or(|address| address == usb.address)
    };
    let mut found = present.iter().filter(is_meant);
    match (found.next(), found.next()) {
        (Some(usb), None) => Ok(Some(usb)),
        (Some(usb), Some(_)) => {
            let (vendor, product) = usb.ids;
            let detail = format!(
                "Multiple USB devices for {vendor:x}:{product:x}, use <address> to specify one"
            );
            Err(Error::new(ErrorCode::OperationFailed, detail))
        }
        (None, _) if wanted.startup_policy == Some(StartupPolicy::Optional) => Ok(None),
        (None, _) => {
            let detail = format!("Did not find USB device{}", describe(wanted));
            Err(Error::new(ErrorCode::InternalError, detail))
        }
    }
}

fn describe(wanted: &UsbDevice) -> String {
    let ids = wanted.ids.map(|(vendor, product)| format!(" {vendor:04x}:{product:04x}"));
    let address = wanted.address.map(|(bus, device)| format!(" bus:{bus} device:{device}"));
    ids.unwrap_or_default() + &address.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::DeviceKind;

    const STICK: HostUsb = HostUsb {
        ids: (0x781, 0x5567),
        address: (1, 4),
        device: Device { kind: DeviceKind::Char, major: 189, minor: 3 },
    };
    const TWIN: HostUsb = HostUsb { address: (2, 17), ..STICK };

    const NOTHING: UsbDevice =
        UsbDevice { ids: None, address: None, startup_policy: None, guest_reset: None };

    #[test]
    fn ids_and_address_have_to_agree() {
        let by = |ids, address| find(&UsbDevice { ids, address, ..NOTHING }, &[STICK, TWIN]);
        let (ids, other) = (Some(STICK.ids), Some((1, 2)));
        assert_eq!(by(None, Some((2, 17))).unwrap(), Some(&TWIN));
        assert_eq!(by(ids, Some((1, 4))).unwrap(), Some(&STICK));
        assert_eq!(STICK.path(), "/dev/bus/usb/001/004");
        let twins = by(ids, None).unwrap_err();
        assert_eq!(twins.code, ErrorCode::OperationFailed);
        assert!(twins.message.contains("Multiple USB devices for 781:5567"), "{twins}");
        for (ids, address, text) in [
            (other, None, "Did not find USB device 0001:0002"),
            (None, other, "Did not find USB device bus:1 device:2"),
            (ids, other, "Did not find USB device 0781:5567 bus:1 device:2"),
        ] {
            let error = by(ids, address).unwrap_err();
            assert_eq!(error.code, ErrorCode::InternalError);
            assert!(error.message.ends_with(text), "{error}");
        }
    }

    #[test]
    fn an_optional_device_may_be_missing() {
        let of = |policy| {
            let wanted = UsbDevice { ids: Some((1, 2)), startup_policy: Some(policy), ..NOTHING };
            find(&wanted, &[STICK]).map(|found| found.copied())
        };
        assert_eq!(of(StartupPolicy::Optional).unwrap(), None);
        assert!(of(StartupPolicy::Requisite).is_err() && of(StartupPolicy::Mandatory).is_err());
    }
}
