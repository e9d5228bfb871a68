use super::*;
use crate::parse::parse;

fn made(line: &str) -> Result<String, String> {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let args = parse(&words).unwrap();
    let make = if line.starts_with("attach-disk") { disk_xml } else { interface_xml };
    make(&args).map_err(|failure| failure.lines.join("\n"))
}

#[test]
fn disks_are_what_virsh_makes_of_the_same_options() {
    let xml = made(
        "attach-disk d /x.img sdd --sourcetype file --driver loop --subdriver raw --cache none \
         --io native --iothread 1 --type cdrom --mode readonly --serial s --wwn \
         5000c50015ea71aa --alias ua-d --rawio --targetbus scsi --address scsi:0.0.1",
    );
    let expected = "<disk type='file' device='cdrom' rawio='yes'>\n  \
        <driver name='loop' type='raw' iothread='1' cache='none' io='native'/>\n  \
        <source file='/x.img'/>\n  <target dev='sdd' bus='scsi'/>\n  <readonly/>\n  \
        <serial>s</serial>\n  <alias name='ua-d'/>\n  <wwn>5000c50015ea71aa</wwn>\n  \
        <address type='drive' controller='0' bus='0' unit='1'/>\n</disk>\n";
    assert_eq!(xml.as_deref(), Ok(expected));
    let xml = made(
        "attach-disk d vol/x vdd --source-protocol rbd --source-host-name h:99 \
         --source-host-transport tcp --address pci:0000.00.03.0 --multifunction",
    );
    let expected = "<disk type='network'>\n  <source protocol='rbd' name='vol/x'>\n    \
        <host transport='tcp' name='h' port='99'/>\n  </source>\n  <target dev='vdd'/>\n  \
        <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0' \
        multifunction='on'/>\n</disk>\n";
    assert_eq!(xml.as_deref(), Ok(expected));
    for (options, expected) in [
        ("/x sdd --mode foo", "No support for foo in command 'attach-disk'"),
        ("/x sdd --sourcetype volume", "Unknown source type: 'volume'"),
        ("/x sdd --sourcetype network", "--source-protocol option requires --sourcetype network"),
        ("/x hdd --address foo", "Invalid address."),
        ("/x sdd --address scsi:0.0", "Invalid address."),
        ("/x hdd --address scsi:0.0.1", "expecting an ide:00.00.00 address."),
        ("/x vdd --address usb:1.2", "expecting a pci:0000.00.00.00 or ccw:00.0.0000 address."),
    ] {
        assert_eq!(made(&format!("attach-disk d {options}")), Err(expected.to_owned()));
    }
}

#[test]
fn interfaces_are_what_virsh_makes_of_the_same_options() {
    let xml = made(
        "attach-interface d network n --mac 52:54:00:11:22:33 --target t0 --script /s --model \
         virtio --alias ua-x --inbound 1,,3,4 --outbound 5",
    );
    let expected = "<interface type='network'>\n  <source network='n'/>\n  \
        <target dev='t0'/>\n  <mac address='52:54:00:11:22:33'/>\n  <script path='/s'/>\n  \
        <model type='virtio'/>\n  <alias name='ua-x'/>\n  <bandwidth>\n    \
        <inbound average='1' burst='3' floor='4'/>\n    <outbound average='5'/>\n  \
        </bandwidth>\n</interface>\n";
    assert_eq!(xml.as_deref(), Ok(expected));
    let card = made("attach-interface d hostdev 0000:00:03.0 --managed").unwrap();
    assert!(card.starts_with("<interface type='hostdev' managed='yes'>\n  <source>\n    <addr"));
    for (options, expected) in [
        ("user x", "No support for user in command 'attach-interface'"),
        ("vhostuser /s", "source-mode is mandatory"),
        ("direct x --source-mode bridge", "Invalid source mode: bridge"),
        ("hostdev foo", "cannot parse pci address 'foo' for network interface"),
        ("bridge b --inbound x", "field 'average' is malformed"),
        ("bridge b --inbound 1,2,3,4,5", "Rate string '1,2,3,4,5' has too many fields"),
        ("bridge b --inbound 0,1", "either inbound average or floor is mandatory"),
        ("bridge b --outbound 0", "outbound average is mandatory"),
        ("bridge b --outbound 1,2,3,4", "outbound floor is unsupported yet"),
    ] {
        assert_eq!(made(&format!("attach-interface d {options}")), Err(expected.to_owned()));
    }
    let quoted = made("attach-interface d bridge a'b<").unwrap();
    assert!(quoted.contains("bridge='a&apos;b&lt;'"), "{quoted}");
}
