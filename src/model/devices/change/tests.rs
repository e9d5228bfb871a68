use super::*;
use crate::model::samples::parse;

const DISK: &str = "<disk type='block'><source dev='/dev/loop0'/><target dev='sda'/></disk>";
const NET: &str = "<interface type='bridge'><mac address='52:54:00:00:00:01'/>\
                   <source bridge='br0'/></interface>";
const FUSE: &str = "<hostdev mode='capabilities' type='misc'><source><char>/dev/fuse</char>\
                    </source></hostdev>";
const USB: &str = "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='4'/>\
                   </source></hostdev>";
const SRV: &str = "<filesystem><source dir='/srv'/><target dir='/srv'/></filesystem>";

fn domain() -> Domain {
    parse(&format!("<devices>{DISK}{NET}{FUSE}{USB}{SRV}<console/></devices>"))
}

fn changed(change: DeviceChange, device: &str, view: View) -> Result<Changed> {
    domain().with_change(change, &Device::parse(device)?, view)
}

fn refusal(change: DeviceChange, device: &str, view: View) -> (ErrorCode, String) {
    let error = changed(change, device, view).unwrap_err();
    (error.code, error.message)
}

use DeviceChange::{Attach, Detach, Update};
use View::{Inactive, Live};

#[test]
fn what_is_there_does_not_come_again() {
    let another = "<disk type='file'><source file='/i'/><target dev='sda'/></disk>";
    for (device, view, code, text) in [
        (another, Inactive, ErrorCode::InvalidArg, "target sda already exists."),
        (another, Live, ErrorCode::OperationFailed, "target sda already exists"),
        (FUSE, Inactive, ErrorCode::InvalidArg, "device is already in the domain configuration"),
        (FUSE, Live, ErrorCode::OperationFailed, "host device already exists"),
        (USB, Live, ErrorCode::OperationFailed, "host USB device already exists"),
        (SRV, Inactive, ErrorCode::InvalidArg, "target /srv already exists."),
    ] {
        let expected = (code, format!("{}: {text}", code.phrase()));
        assert_eq!(refusal(Attach, device, view), expected, "{device}");
    }
    // Two may have one address, and then neither is found by it.
    let twice = changed(Attach, NET, Inactive).unwrap().domain;
    let error = twice.with_change(Detach, &Device::parse(NET).unwrap(), Inactive).unwrap_err();
    let text = "operation failed: multiple devices matching MAC address 52:54:00:00:00:01 found";
    assert_eq!(error.message, text);
    let unnamed = NET.replace("<mac address='52:54:00:00:00:01'/>", "");
    let error = twice.with_change(Detach, &Device::parse(&unnamed).unwrap(), Inactive).unwrap_err();
    assert_eq!(error.message, "operation failed: multiple matching devices found");
}

#[test]
fn what_is_not_there_does_not_go() {
    let disk = DISK.replace("sda", "sdz");
    let net = NET.replace("01'", "77'");
    let fuse = FUSE.replace("fuse", "zero");
    let usb = USB.replace("'4'", "'5'");
    let found = "device not found: no device found at address '(<null>)' matching MAC address \
                 '52:54:00:00:00:77' and alias '(<null>)'";
    let absent = "invalid argument: device not present in domain configuration";
    for (device, view, text) in [
        (&disk, Inactive, "invalid argument: no target device sdz"),
        (&disk, Live, "operation failed: disk sdz not found"),
        (&net, Inactive, found),
        (&fuse, Inactive, absent),
        (&fuse, Live, "operation failed: hostdev /dev/zero not found"),
        (&usb, Inactive, absent),
        (&usb, Live, "operation failed: usb device not found"),
    ] {
        assert_eq!(refusal(Detach, device, view).1, text);
    }
    let mut before = domain();
    for device in [DISK, NET, FUSE, USB, SRV, "<console/>"] {
        let device = Device::parse(device).unwrap();
        let after = before.with_change(Detach, &device, Inactive).unwrap();
        assert!(after.old.is_some() && after.new.is_none());
        before = after.domain;
    }
    let left = before.devices;
    assert!(left.disks.is_empty() && left.interfaces.is_empty() && left.host_devices.is_empty());
    assert!(left.filesystems.is_empty() && left.consoles.is_empty());
}

#[test]
fn what_comes_is_part_of_the_whole() {
    let disk = DISK.replace("sda", "sdy");
    let after = changed(Attach, &disk, Inactive).unwrap().domain;
    // With the controllers that its place is on.
    let scsi = after.devices.controllers.len();
    assert_eq!((scsi, after.devices.disks.len()), (4, 2));
    let fixed = "<address type='drive' controller='0' bus='0' target='0' unit='0'/>";
    let twin = DISK.replace("sda", "sdb").replace("</disk>", &format!("{fixed}</disk>"));
    let (code, text) = refusal(Attach, &twin, Inactive);
    assert_eq!(code, ErrorCode::ConfigUnsupported);
    assert!(text.contains("Found duplicate drive address"), "{text}");
    assert_eq!(domain().devices.disks.len(), 1);
}

#[test]
fn only_interfaces_are_updated() {
    let other = NET.replace("br0", "br1");
    let Changed { domain, old, new } = changed(Update, &other, Inactive).unwrap();
    assert!(old.is_some() && old != new);
    assert!(domain.format(Inactive).contains("<source bridge='br1'/>"));
    // Without an address it is the only one there is, and keeps its own.
    let unnamed = other.replace("<mac address='52:54:00:00:00:01'/>", "");
    let domain = changed(Update, &unnamed, Inactive).unwrap().domain;
    assert!(domain.format(Inactive).contains("<mac address='52:54:00:00:00:01'/>"));
    for (device, view, text) in [
        (DISK, Inactive, "unsupported configuration: persistent update of device is not supported"),
        (DISK, Live, "Operation not supported: Unable to modify live devices"),
    ] {
        assert_eq!(refusal(Update, device, view).1, text);
    }
}

#[test]
fn devices_that_do_not_come_and_go_are_named_by_libvirts_texts() {
    let error = Device::parse("<foo/>").unwrap_err();
    assert_eq!(error.message, "unsupported configuration: unknown device type 'foo'");
    assert_eq!((error.code, error.domain), (ErrorCode::ConfigUnsupported, ErrorDomain::Domain));
    assert!(Device::parse("<").is_err() && Device::parse("").is_err());
    assert_eq!(Device::parse("<disk/>").unwrap_err().code, ErrorCode::NoTarget);
    for device in ["<controller type='scsi'/>", "<serial type='pty'/>", "<watchdog model='ib700'/>"]
    {
        let (code, text) = refusal(Attach, device, Inactive);
        assert_eq!(code, ErrorCode::ConfigUnsupported);
        assert!(text.ends_with("persistent attach of device is not supported"), "{text}");
    }
    let (_, text) = refusal(Detach, "<controller type='scsi'/>", Live);
    assert!(text.ends_with("live detach of device is not supported"), "{text}");
}

#[test]
fn names_are_given_once_and_come_back_from_a_record() {
    let mut live = domain();
    live.devices.name_all();
    let second = NET.replace("01'", "02'");
    let attach = |live: &Domain, device: &str| {
        let mut changed =
            live.with_change(Attach, &Device::parse(device).unwrap(), Live).unwrap().domain;
        changed.devices.name_all();
        changed
    };
    let live = attach(&live, &second);
    let gone = live.with_change(Detach, &Device::parse(NET).unwrap(), Live).unwrap();
    assert_eq!(gone.old.unwrap().alias(), Some("net0"));
    let text = gone.domain.format(Live);
    for name in ["net1", "disk-sda", "fs0", "hostdev0", "hostdev1", "console0"] {
        assert!(text.contains(&format!("<alias name='{name}'/>")), "{name}: {text}");
    }
    assert!(!text.contains("net0") && !gone.domain.format(Inactive).contains("<alias"));
    let root = crate::xml::parse(&text).unwrap();
    let mut read = Domain::parse_element(&root).unwrap();
    read.take_aliases(&root);
    assert_eq!(read.format(Live), text);
}
