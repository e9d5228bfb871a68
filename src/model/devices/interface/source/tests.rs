use crate::model::samples::{assert_faults, fault, parse, printed};

const ID: &str = "c7a5fdbd-edaf-9455-926a-d65c16db1809";

fn devices(interface: &str) -> String {
    format!("<devices>{interface}</devices>")
}

/// The lines between the hardware address and the end, without indentation.
fn inner(interface: &str) -> Vec<String> {
    let lines = printed(&devices(interface));
    let inner = lines.iter().skip(2).take(lines.len() - 3);
    inner.map(|line| line.trim().to_owned()).collect()
}

#[test]
fn sources_are_normalised() {
    let vds = format!("<source switchid='{ID}' portid='1' portgroupid='g' connectionid='-3'/>");
    for (kind, source, expected) in [
        (
            "network",
            "<source network='n' portgroup='' portid='x'/>",
            "<source network='n' portgroup=''/>",
        ),
        ("bridge", "<source bridge='b' dev='x'/>", "<source bridge='b'/>"),
        ("direct", "<source dev='e'/>", "<source dev='e' mode='vepa'/>"),
        ("internal", "<source name='i'/>", "<source name='i'/>"),
        ("vdpa", "<source dev='/d'/>", "<source dev='/d'/>"),
        ("vds", &vds.replace("'1'", "'01'"), &vds),
    ] {
        let text = format!("<interface type='{kind}'>{source}</interface>");
        assert_eq!(inner(&text), [expected]);
        assert_eq!(parse(&devices(&text)).devices.interfaces[0].source.kind(), kind);
    }
    for kind in ["user", "null", "ethernet"] {
        let text = format!("<interface type='{kind}'><source dev='x'/></interface>");
        assert!(inner(&text).is_empty(), "{kind}");
    }
}

#[test]
fn sources_with_children() {
    let host = "<interface type='ethernet'><source><route address='0.0.0.0' gateway='1.2.3.4'/>\
                <ip address='1.2.3.4'/></source></interface>";
    assert_eq!(
        inner(host)[1..3],
        ["<ip address='1.2.3.4' family='ipv4'/>", "<route address='0.0.0.0' gateway='1.2.3.4'/>"]
    );
    let vhost = "<interface type='vhostuser'><model type='virtio'/>\
                 <source type='unix' path='/p' mode='client'>\
                 <reconnect enabled='yes' timeout='5'/></source></interface>";
    assert_eq!(inner(vhost)[1], "<reconnect enabled='yes' timeout='5'/>");
    let pci = "<interface type='hostdev' managed='yes'><driver name='vfio'/><source>\
               <address type='pci' slot='7'/></source></interface>";
    let lines = printed(&devices(pci));
    assert_eq!(lines[0], "    <interface type='hostdev' managed='yes'>");
    assert_eq!(lines[2], "      <driver name='vfio'/>");
    let address = "<address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/>";
    assert_eq!(lines[4].trim(), address);
}

#[test]
fn faults() {
    let interface = |kind: &str, source: &str| {
        devices(&format!("<interface type='{kind}'>{source}</interface>"))
    };
    for (kind, source, expected) in [
        ("bridge", "", "interface type='bridge' requires a 'source' element"),
        ("bridge", "<source/>", "Missing required attribute 'bridge' in element 'source'"),
        ("network", "<source/>", "Missing required attribute 'network' in element 'source'"),
        (
            "direct",
            "<source dev='e' mode='x'/>",
            "Invalid value for attribute 'mode' in element 'source': 'x'. Expected one of \
             vepa, private, bridge, passthrough",
        ),
        ("hostdev", "<source/>", "missing source address type: expected pci or usb"),
        (
            "hostdev",
            "<source><address type='pci' bus='0x101'/></source>",
            "Invalid PCI address bus='0x101', must be <= 0xFF",
        ),
    ] {
        assert_faults(&[(&interface(kind, source), &format!("XML error: line 2: {expected}"))]);
    }
    let text = interface("foo", "");
    assert!(fault(&text).message.contains("attribute 'type' in element 'interface': 'foo'."));
    let text = interface("bridge", "<source bridge='b'><ip address='1.2.3.4'/></source>");
    assert!(fault(&text).message.contains("only supported on interfaces of type 'ethernet'"));
}
