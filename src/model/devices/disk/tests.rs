use super::*;
use crate::model::samples::{assert_faults, fault, parse, printed};

const LOCAL: &str = "<source file='/f'/><target dev='vda'/>";

fn devices(disks: &str) -> String {
    format!("<devices>\n{disks}</devices>")
}

/// The lines of a disk that is printed, without the controllers.
fn lines(disk: &str) -> Vec<String> {
    let lines = printed(&devices(disk)).into_iter();
    lines.filter(|line| !line.contains("<controller")).collect()
}

#[test]
fn names_of_xens_old_documents_are_shortened() {
    let text = "<disk><source file='/f'/><target dev='ioemu:xvda'/></disk>";
    assert!(lines(text).contains(&"      <target dev='xvda' bus='xen'/>".to_owned()));
}

/// All of it, out of order.
#[test]
fn everything_is_kept_in_libvirts_order() {
    let text = "<disk model='virtio' snapshot='external'><address type='pci' slot='3'/>\
        <serial>s</serial><wwn>5000c50015ea71ad</wwn><vendor>v</vendor><product>p</product>\
        <boot order='1'/><acpi index='1'/><transient shareBacking='yes'/><shareable/><readonly/>\
        <iotune><total_bytes_sec>3</total_bytes_sec><total_bytes_sec_max_length>1\
        </total_bytes_sec_max_length><group_name>g</group_name></iotune>\
        <geometry cyls='1' heads='2' secs='3' trans='lba'/><backenddomain name='b'/>\
        <blockio physical_block_size='2' logical_block_size='0'/>\
        <target dev='vda' rotation_rate='5'/><source file='/f' startupPolicy='optional'>\
        <encryption format='luks'><secret type='passphrase' usage='u'/></encryption>\
        <slices><slice type='storage' offset='1' size='2'/></slices>\
        <seclabel model='dac' relabel='no'/></source>\
        <backingStore type='block'><source dev='/b'/><format type='raw'/><backingStore/>\
        </backingStore><auth username='u'><secret type='ceph' usage='x'/></auth>\
        <driver name='q' type='aio' queues='0' iothread='2' cache='none' iommu='on' io='native'>\
        <metadata_cache><max_size unit='KiB'>5</max_size></metadata_cache></driver></disk>";
    assert_eq!(
        lines(&text.replace("1        </total", "1</total")),
        [
            "    <disk type='file' device='disk' model='virtio' snapshot='external'>",
            "      <driver name='q' type='raw' cache='none' io='native' iothread='2' iommu='on'>",
            "        <metadata_cache>",
            "          <max_size unit='bytes'>5120</max_size>",
            "        </metadata_cache>",
            "      </driver>",
            "      <auth username='u'>",
            "        <secret type='ceph' usage='x'/>",
            "      </auth>",
            "      <source file='/f' startupPolicy='optional'>",
            "        <slices>",
            "          <slice type='storage' offset='1' size='2'/>",
            "        </slices>",
            "        <seclabel model='dac' relabel='no'/>",
            "        <encryption format='luks'>",
            "          <secret type='passphrase' usage='u'/>",
            "        </encryption>",
            "      </source>",
            "      <backingStore type='block'>",
            "        <format type='raw'/>",
            "        <source dev='/b'/>",
            "        <backingStore/>",
            "      </backingStore>",
            "      <backenddomain name='b'/>",
            "      <geometry cyls='1' heads='2' secs='3' trans='lba'/>",
            "      <blockio physical_block_size='2'/>",
            "      <target dev='vda' bus='virtio' rotation_rate='5'/>",
            "      <iotune>",
            "        <total_bytes_sec>3</total_bytes_sec>",
            "        <group_name>g</group_name>",
            "        <total_bytes_sec_max_length>1</total_bytes_sec_max_length>",
            "      </iotune>",
            "      <readonly/>",
            "      <shareable/>",
            "      <transient shareBacking='yes'/>",
            "      <serial>s</serial>",
            "      <wwn>5000c50015ea71ad</wwn>",
            "      <vendor>v</vendor>",
            "      <product>p</product>",
            "      <boot order='1'/>",
            "      <acpi index='1'/>",
            "      <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>",
            "    </disk>",
        ]
    );
}

#[test]
fn every_kind_of_source_comes_back() {
    for (kind, source, expected) in [
        ("block", "<source dev='/b' index='1'/>", "<source dev='/b'/>"),
        ("dir", "<source dir='/d' file='/f'/>", "<source dir='/d'/>"),
        (
            "volume",
            "<source volume='v' pool='p' mode='host'/>",
            "<source pool='p' volume='v' mode='host'/>",
        ),
        ("network", "<source protocol='nbd'/>", "<source protocol='nbd'/>"),
        (
            "network",
            "<source protocol='iscsi' name='iqn'/>",
            "<source protocol='iscsi' name='iqn/0'/>",
        ),
        (
            "network",
            "<source protocol='https' tls='yes' query='q' name='a'><cookies/></source>",
            "<source protocol='https' name='a' query='q' tls='yes'/>",
        ),
        ("vhostuser", "<source type='unix' path='/s'/>", "<source type='unix' path='/s'/>"),
    ] {
        let text = format!("<disk type='{kind}'>{source}<target dev='vda'/></disk>");
        assert_eq!(lines(&text)[1], format!("      {expected}"), "{text}");
    }
    let text = "<disk type='nvme'><source type='pci' namespace='1'><address bus='1'/></source>\
                <target dev='vda'/></disk>";
    assert_eq!(
        lines(text)[1..4],
        [
            "      <source type='pci' managed='yes' namespace='1'>",
            "        <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>",
            "      </source>",
        ]
    );
}

#[test]
fn hosts_have_the_port_of_the_protocol() {
    let text = "<disk type='network'><source protocol='gluster' name='a/b'><host name='h'/>\
                <host transport='unix' socket='/s' port='x'/>\
                <host transport='rdma' name='i' port='1'/></source><target dev='vda'/></disk>";
    assert_eq!(
        lines(text)[2..5],
        [
            "        <host name='h' port='24007'/>",
            "        <host transport='unix' socket='/s'/>",
            "        <host name='i' port='1' transport='rdma'/>",
        ]
    );
}

#[test]
fn what_the_runtime_needs_is_typed() {
    let text = "<disk type='block' device='cdrom'><source dev='/d'/><target dev='sdb'/>\
                <driver name='nbd' type='qcow2' cache='writeback'/></disk>";
    let disks = parse(&devices(text)).devices.disks;
    let [disk] = disks.as_slice() else { panic!("{disks:?}") };
    assert_eq!(disk.source.path(), Some("/d"));
    assert_eq!((disk.target.as_str(), disk.bus, disk.readonly), ("sdb", DiskBus::Scsi, true));
    assert_eq!(disk.driver.name.as_deref(), Some("nbd"));
    assert_eq!(disk.driver.format.as_deref(), Some("qcow2"));
    assert_eq!(disk.driver.cache.as_deref(), Some("writeback"));
    let text = "<disk type='block' device='floppy'><target dev='fda'/></disk>";
    let empty = &parse(&devices(text)).devices.disks[0].source;
    assert_eq!((empty.kind, empty.path()), (StorageKind::File, None));
}

#[test]
fn a_source_and_a_target_are_needed() {
    let code = |text: &str| fault(&devices(text)).code;
    assert_eq!(code("<disk><target dev='vda'/></disk>"), ErrorCode::NoSource);
    assert_eq!(
        code("<disk type='volume'><source/><target dev='vda'/></disk>"),
        ErrorCode::NoSource
    );
    assert_eq!(code("<disk><source file='/f'/></disk>"), ErrorCode::NoTarget);
    assert_faults(&[(
        &devices("<disk><source file='/f'/><target/></disk>"),
        "missing target information for device /f: line 3: <disk> needs a child element \
         <target dev='...'>",
    )]);
}

/// What a disk says besides its source and target, and the fault.
#[test]
fn faults() {
    let unsupported = "unsupported configuration: line 3: ";
    for (inner, expected) in [
        ("<driver queues='1'/>", None),
        ("<wwn>1</wwn>", Some("internal error: line 3: Malformed wwn: 1, expected 16")),
        ("<vendor>123456789</vendor>", Some("disk vendor is more than 8 characters")),
        ("<product>\u{e9}</product>", Some("XML error: line 3: disk product is not printable")),
        ("<iotune><total_iops_sec>x</total_iops_sec></iotune>", Some("'total_iops_sec' must be")),
        (
            "<iotune><total_bytes_sec>1</total_bytes_sec><read_bytes_sec>1</read_bytes_sec>\
             </iotune>",
            Some("total and read/write bytes_sec cannot be set at the same time"),
        ),
        ("<driver rerror_policy='enospace'/>", Some("Invalid disk read error policy: 'enospace'")),
        ("<encryption format='x'/>", Some("unknown volume encryption format type x")),
        ("<auth username='u'/>", Some("XML error: line 3: Missing <secret> element in auth")),
        ("<backingStore type='file'/>", Some("missing disk backing store format")),
        ("<address type='foo'/>", Some("unknown address type 'foo'")),
    ] {
        let text = devices(&format!("<disk>{LOCAL}{inner}</disk>"));
        let Some(expected) = expected else {
            parse(&text);
            continue;
        };
        let message = fault(&text).message;
        assert!(message.contains(expected), "{message}");
    }
    for (attributes, expected) in [
        ("rawio='yes'", "rawio can be used only with device='lun'"),
        ("sgio='unfiltered'", "unfiltered sgio is no longer supported"),
        ("device='lun'", "disk device='lun' is only valid for block type disk source"),
    ] {
        let text = devices(&format!("<disk {attributes}>{LOCAL}</disk>"));
        assert_faults(&[(&text, &format!("{unsupported}{expected}"))]);
    }
}

#[test]
fn names_fit_the_device_and_the_bus() {
    let text = |device: &str, name: &str, bus: &str| {
        let inner = format!("<source file='/f'/><target dev='{name}'{bus}/>");
        devices(&format!("<disk device='{device}'>{inner}</disk>"))
    };
    for (device, name, bus, expected) in [
        ("disk", "foo", "", "XML error: line 3: Unknown disk name 'foo' and no address specified"),
        ("disk", "fda", "", "internal error: line 3: Invalid harddisk device name: fda"),
        ("floppy", "hda", "", "internal error: line 3: Invalid floppy device name: hda"),
        ("disk", "vda", " bus='fdc'", "internal error: line 3: Invalid bus type 'fdc' for disk"),
        ("disk", "vda", " tray='open'", "tray is only valid for cdrom and floppy"),
        ("disk", "vda", " removable='on'", "removable is only valid for usb disks"),
    ] {
        let message = fault(&text(device, name, bus)).message;
        assert!(message.contains(expected), "{message}");
    }
    parse(&text("cdrom", "fda", ""));
    let address = "<source file='/f'/><target dev='sd-1'/>";
    let drive = "<address type='drive' unit='3'/>";
    parse(&devices(&format!("<disk>{address}{drive}</disk>")));
    let pci = "<address type='pci' slot='3'/>";
    let message = fault(&devices(&format!("<disk>{address}{pci}</disk>"))).message;
    assert!(message.contains("Invalid address type 'pci' for the disk 'sd-1' with the bus type"));
}

#[test]
fn a_server_of_the_host_decides_itself() {
    let with = |inner: &str| {
        let source = "<source type='unix' path='/s'/><target dev='vda'/>";
        devices(&format!("<disk type='vhostuser'>{source}{inner}</disk>"))
    };
    assert!(printed(&with(""))[0].contains("snapshot='no'"));
    for (inner, what) in [
        ("<readonly/>", "readonly"),
        ("<serial>s</serial>", "serial"),
        ("<driver cache='none'/>", "cache"),
        ("<driver rerror_policy='stop'/>", "error_policy"),
        ("<backingStore/>", "backingStore"),
        ("<auth username='v'><secret type='ceph' usage='y'/></auth>", "auth"),
    ] {
        let expected = format!(
            "unsupported configuration: line 3: {what} is not supported with vhostuser disk"
        );
        assert_faults(&[(&with(inner), &expected)]);
    }
}
