use super::*;
use crate::error::ErrorCode;
use crate::model::samples::{assert_faults, fault, parse, printed};

const ID: &str = "c7a5fdbd-edaf-9455-926a-d65c16db1809";

fn subsystem(kind: &str, attributes: &str, elements: &str) -> String {
    format!(
        "<devices><hostdev mode='subsystem' type='{kind}' {attributes}>{elements}</hostdev></devices>"
    )
}

fn capability(kind: &str, elements: &str) -> String {
    format!("<devices><hostdev mode='capabilities' type='{kind}'>{elements}</hostdev></devices>")
}

/// The lines of the device.
fn device(text: &str) -> Vec<String> {
    printed(text).into_iter().skip_while(|line| !line.contains("<hostdev ")).collect()
}

/// The lines between the tags of the device, without indentation.
fn inner(text: &str) -> Vec<String> {
    let lines = device(text);
    lines[1..lines.len() - 1].iter().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn usb_devices_are_normalised() {
    let text = subsystem(
        "usb",
        "managed='yes'",
        "<source guestReset='off' startupPolicy='optional'><foo/><address device='012' bus='0x1'/>\
         <product id='0xABC'/><vendor id='4660'/></source><readonly/><alias name='ua-x'/>\
         <address type='usb' bus='1' port='2'/>",
    );
    assert_eq!(printed(&text)[0], "    <hostdev mode='subsystem' type='usb' managed='yes'>");
    assert_eq!(
        inner(&text),
        [
            "<source startupPolicy='optional' guestReset='off'>",
            "<vendor id='0x1234'/>",
            "<product id='0x0abc'/>",
            "<address bus='1' device='10'/>",
            "</source>",
            "<address type='usb' bus='1' port='2'/>",
        ]
    );
    let device = UsbDevice {
        ids: Some((0x1234, 0xabc)),
        address: Some((1, 10)),
        startup_policy: Some(StartupPolicy::Optional),
        guest_reset: Some(GuestReset::Off),
    };
    let devices = parse(&text).devices.host_devices;
    assert_eq!(devices[0].source.on_bus(), Some(&Subsystem::Usb(device)));
}

#[test]
fn capabilities_are_kept_as_they_are() {
    let text = capability(
        "net",
        "<route address='0.0.0.0' gateway='1.2.3.4'/><ip address='1.2.3.4' prefix='24'/>\
         <source><interface>eth7</interface></source><boot order='1'/>",
    );
    assert_eq!(printed(&text)[0], "    <hostdev mode='capabilities' type='net'>");
    assert_eq!(
        inner(&text),
        [
            "<source>",
            "<interface>eth7</interface>",
            "</source>",
            "<ip address='1.2.3.4' family='ipv4' prefix='24'/>",
            "<route address='0.0.0.0' gateway='1.2.3.4'/>",
            "<boot order='1'/>",
        ]
    );
    let text =
        capability("storage", "<source><block> /dev//sda/ </block></source><ip address='x'/>");
    assert_eq!(inner(&text)[1], "<block> /dev//sda/ </block>");
    let text = capability("misc", "<source><char>/dev/fuse</char></source>");
    assert_eq!(inner(&text)[1], "<char>/dev/fuse</char>");
}

#[test]
fn devices_of_machines_are_kept() {
    let pci = "<driver name='vfio'/><source writeFiltering='no'><address bus='6'/></source>\
               <teaming type='transient' persistent='ua-x'/><address type='unassigned'/>";
    assert_eq!(
        inner(&subsystem("pci", "", pci)),
        [
            "<driver name='vfio'/>",
            "<source writeFiltering='no'>",
            "<address domain='0x0000' bus='0x06' slot='0x00' function='0x0'/>",
            "</source>",
            "<teaming type='transient' persistent='ua-x'/>",
            "<address type='unassigned'/>",
        ]
    );
    let scsi = "<source protocol='adapter'><address bus='1' target='010' unit='0x10'/>\
                <adapter name='a'/></source><shareable/><readonly/><address type='drive'/>";
    assert_eq!(
        inner(&subsystem("scsi", "sgio='filtered'", scsi))[1..5],
        [
            "<adapter name='a'/>",
            "<address bus='1' target='8' unit='16'/>",
            "</source>",
            "<readonly/>"
        ]
    );
    let iscsi = "<source protocol='iscsi' name='iqn'><initiator><iqn name='i'/></initiator>\
                 <auth username='u'><secret type='iscsi' usage='x'/></auth>\
                 <host name='h' port='3260'/></source>";
    let lines = inner(&subsystem("scsi", "", iscsi));
    assert_eq!(
        lines[..2],
        ["<source protocol='iscsi' name='iqn/0'>", "<host name='h' port='3260'/>"]
    );
    assert_eq!(lines[3], "<secret type='iscsi' usage='x'/>");
    assert_eq!(lines[6], "<iqn name='i'/>");
    let host = "<source protocol='vhost' wwpn='naa.5123456789ABCDE0'/>";
    assert_eq!(inner(&subsystem("scsi_host", "model='virtio'", host)), [host]);
    let mediated = format!("<source><address uuid='{}'/></source>", ID.replace('-', ""));
    let text = subsystem("mdev", "ramfb='on' display='off' model='vfio-ap'", &mediated);
    assert_eq!(inner(&text)[1], format!("<address uuid='{ID}'/>"));
    assert!(printed(&text)[0].ends_with(" model='vfio-ap' display='off' ramfb='on'>"));
}

#[test]
fn a_device_is_there_once() {
    let usb = |source: &str| {
        format!("<hostdev mode='subsystem' type='usb'><source>{source}</source></hostdev>")
    };
    let (ids, address) = ("<vendor id='1'/><product id='2'/>", "<address bus='3' device='4'/>");
    let both = format!("{ids}{address}");
    let storage = "<hostdev mode='capabilities' type='storage'><source><block>/d</block></source>\
                   </hostdev>";
    let interface = "<interface type='hostdev'><source><address type='usb' bus='3' device='4'/>\
                     </source></interface>";
    for (one, other, is_refused) in [
        (usb(ids), usb(ids), true),
        (usb(&both), usb(ids), false),
        (usb(&both), usb(address), true),
        (usb(ids), usb(&both), true),
        (usb(address), usb(&both), true),
        (storage.to_owned(), storage.to_owned(), true),
        (storage.to_owned(), storage.replace("/d", "/e"), false),
        (interface.to_owned(), usb(address), true),
        (usb(address), interface.to_owned(), true),
    ] {
        let text = format!("<devices>{one}\n{other}</devices>");
        match is_refused {
            true => assert_faults(&[(
                &text,
                "XML error: line 3: Hostdev already exists in the domain configuration",
            )]),
            false => drop(parse(&text)),
        }
    }
}

#[test]
fn faults() {
    use ErrorCode::{ConfigUnsupported, InternalError, InvalidArg, XmlError};
    let usb = "<source><vendor id='1'/><product id='2'/></source>";
    let pci = "<source><address bus='6'/></source>";
    let iscsi = |elements: &str| {
        subsystem("scsi", "", &format!("<source protocol='iscsi' name='i'>{elements}</source>"))
    };
    for (text, code, expected) in [
        ("<devices><hostdev/></devices>".to_owned(), XmlError, "missing source address type"),
        (
            "<devices><hostdev mode='x'/></devices>".to_owned(),
            ConfigUnsupported,
            "unknown hostdev mode 'x'",
        ),
        (subsystem("x", "", ""), ConfigUnsupported, "unknown host device source address type 'x'"),
        (subsystem("usb", "", ""), XmlError, "Missing <source> element in hostdev device"),
        (subsystem("usb", "", "<source/>"), XmlError, "missing USB device: expected <vendor>"),
        (
            subsystem("usb", "", "<source><address bus='0' device='0'/></source>"),
            XmlError,
            "missing USB device",
        ),
        (
            subsystem("usb", "", "<source><vendor id='1'/></source>"),
            InternalError,
            "missing product",
        ),
        (
            subsystem("usb", "", "<source><vendor id='0'/><product id='1'/></source>"),
            XmlError,
            "Zero is not permitted",
        ),
        (
            subsystem("usb", "", &format!("{usb}<address type='drive'/>")),
            ConfigUnsupported,
            "USB host device must use 'usb' address type",
        ),
        (subsystem("usb", "sgio='filtered'", usb), XmlError, "sgio is only supported for scsi"),
        (subsystem("usb", "model='x'", usb), XmlError, "'model' attribute in <hostdev> is only"),
        (
            subsystem("pci", "", &format!("{pci}<teaming type='persistent'/>")),
            ConfigUnsupported,
            "teaming hostdev devices must have type='transient'",
        ),
        (
            subsystem("usb", "", &format!("{usb}<teaming type='transient' persistent='a'/>")),
            ConfigUnsupported,
            "teaming is only supported for pci hostdev devices",
        ),
        (
            subsystem("pci", "", &format!("{pci}<address type='drive'/>")),
            InternalError,
            "PCI host devices must use 'pci' or 'unassigned' address type",
        ),
        (
            subsystem("pci", "", "<source startupPolicy='optional'/>"),
            ConfigUnsupported,
            "Setting startupPolicy is only allowed for USB devices",
        ),
        (subsystem("scsi", "", "<source/>"), XmlError, "'address' must be specified for scsi"),
        (iscsi(""), XmlError, "missing the host address for the iSCSI hostdev"),
        (iscsi("<host name='h'/><host name='g'/>"), XmlError, "only one source host address"),
        (iscsi("<host name='h' port='x'/>"), InvalidArg, "failed to parse port number 'x'"),
        (iscsi("<host transport='unix'/>"), ConfigUnsupported, "unknown protocol transport type"),
        (
            iscsi("<host name='h'/><auth username='u'><secret type='ceph' usage='x'/></auth>"),
            InternalError,
            "hostdev invalid secret type 'ceph'",
        ),
        (
            subsystem("scsi_host", "", "<source protocol='vhost' wwpn='naa.5'/>"),
            XmlError,
            "malformed 'wwpn' value 'naa.5'",
        ),
        (
            subsystem("mdev", "", &format!("<source><address uuid='{ID}'/></source>")),
            XmlError,
            "Missing required attribute 'model' in element 'hostdev'",
        ),
        (
            subsystem("mdev", "model='vfio-pci'", "<source><address uuid='x'/></source>"),
            InternalError,
            "Cannot parse uuid attribute of element <address>",
        ),
        (
            subsystem(
                "mdev",
                "model='vfio-ccw'",
                &format!("<source><address uuid='{ID}'/></source><address type='pci'/>"),
            ),
            XmlError,
            "Unsupported address type 'pci' with mediated device model 'vfio-ccw'",
        ),
        (
            capability("storage", "<source/>"),
            XmlError,
            "Missing <block> element in hostdev storage device",
        ),
        (
            capability("misc", "<source><char/></source>"),
            XmlError,
            "Missing <char> element in hostdev character device",
        ),
        (
            capability("net", "<source><interface>e</interface></source><route/>"),
            XmlError,
            "Domain hostdev device: Missing required address attribute in route definition",
        ),
    ] {
        let error = fault(&text);
        assert!(error.code == code && error.message.contains(expected), "{text}: {error}");
    }
}
