//! Devices of the host in a container: the nodes of disks and host devices, and what they open.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::libc;

use crate::support::loops::Loop;
use crate::support::{Document, Host};

/// For each of `NODES`: what it is, and what it opens for.
const SCRIPT: &str = "for node in $NODES; do \
    set -- $(stat -c '%F %t:%T %a %u:%g' $node); \
    echo \"node=$node $*\"; \
    if (: <$node) 2>/dev/null; then echo \"read=$node yes\"; else echo \"read=$node no\"; fi; \
    if (: >>$node) 2>/dev/null; then echo \"write=$node yes\"; else echo \"write=$node no\"; fi; \
    done; echo \"content=$(head -c 7 /dev/sda 2>/dev/null)\"; echo told; \
    while read line; do :; done";

/// The container's ids are the host's from 100000 on.
pub const IDS: &str = "<idmap><uid start='0' target='100000' count='65536'/>\
                   <gid start='0' target='200000' count='65536'/></idmap>";

/// The number of a device, as `stat` prints it.
pub fn number(path: &str) -> String {
    let number = fs::metadata(path).unwrap().rdev();
    format!("{:x}:{:x}", libc::major(number), libc::minor(number))
}

fn disk(source: &str, more: &str) -> String {
    format!("<disk type='block'><source dev='{source}'/><target dev='sda'/>{more}</disk>")
}

pub fn capability(kind: &str, name: &str, path: &str) -> String {
    format!(
        "<hostdev mode='capabilities' type='{kind}'><source><{name}>{path}</{name}></source>\
         </hostdev>"
    )
}

fn with_nodes(document: Document, nodes: &str) -> Document {
    document.script(SCRIPT).os(&format!("<initenv name='NODES'>{nodes}</initenv>"))
}

/// What the container says of its nodes, line by line.
fn tell(host: &Host, document: &Document) -> Vec<String> {
    let domain = host.run(document);
    let text = domain.console().wait_for("told\r\n");
    domain.destroy().unwrap();
    host.assert_idle();
    text.split_terminator("\r\n").map(str::to_owned).collect()
}

fn has(lines: &[String], line: &str) {
    assert!(lines.iter().any(|it| it == line), "no '{line}' in {lines:#?}");
}

#[test]
fn a_disk_is_a_node_with_its_targets_name() {
    let Some(host) = Host::new("a_disk_is_a_node_with_its_targets_name") else { return };
    let device = Loop::new("disk");
    let node = format!("node=/dev/sda block special file {} 700", number(device.path()));
    for (more, write) in [("", "yes"), ("<readonly/>", "no")] {
        let document = host.document("disk").device(&disk(device.path(), more));
        let lines = tell(&host, &with_nodes(document, "/dev/sda"));
        has(&lines, &format!("{node} 0:0"));
        has(&lines, "read=/dev/sda yes");
        has(&lines, &format!("write=/dev/sda {write}"));
        has(&lines, "content=content");
    }
}

#[test]
fn host_devices_are_where_they_are_on_the_host() {
    let Some(host) = Host::new("host_devices_are_where_they_are_on_the_host") else { return };
    let device = Loop::new("hostdev");
    let tun = "/dev/net/tun";
    let document = host
        .document("hostdev")
        .device(&capability("storage", "block", device.path()))
        .device(&capability("misc", "char", tun));
    let lines = tell(&host, &with_nodes(document, &format!("{} {tun}", device.path())));
    has(
        &lines,
        &format!("node={} block special file {} 700 0:0", device.path(), number(device.path())),
    );
    has(&lines, &format!("node={tun} character special file {} 700 0:0", number(tun)));
    for node in [device.path(), tun] {
        has(&lines, &format!("read={node} yes"));
        has(&lines, &format!("write={node} yes"));
    }
}

#[test]
fn nodes_are_the_mapped_roots() {
    let Some(host) = Host::new("nodes_are_the_mapped_roots") else { return };
    let device = Loop::new("mapped");
    let document = host.document("mapped").element(IDS).device(&disk(device.path(), "<readonly/>"));
    let lines = tell(&host, &with_nodes(document, "/dev/sda"));
    has(&lines, &format!("node=/dev/sda block special file {} 700 0:0", number(device.path())));
    has(&lines, "write=/dev/sda no");
    has(&lines, "content=content");
}

#[test]
fn a_node_does_not_open_what_another_containers_does() {
    let name = "a_node_does_not_open_what_another_containers_does";
    let Some(host) = Host::new(name) else { return };
    let (own, other) = (Loop::new("own"), Loop::new("other"));
    let minor = fs::metadata(other.path()).unwrap().rdev();
    let script = format!(
        "mknod /tmp/other b 7 {}; head -c 7 /tmp/other || echo shut; rm -f /tmp/other; echo told; \
         while read line; do :; done",
        libc::minor(minor)
    );
    let features = "<features><capabilities><mknod state='on'/></capabilities></features>";
    let document =
        host.document("other").script(&script).element(features).device(&disk(own.path(), ""));
    let domain = host.run(&document);
    let printed = domain.console().wait_for("told\r\n");
    assert!(printed.contains("shut") && !printed.contains("content"), "{printed}");
}

#[test]
fn what_is_no_device_or_has_no_place_is_refused_and_leaves_nothing() {
    let name = "what_is_no_device_or_has_no_place_is_refused_and_leaves_nothing";
    let Some(host) = Host::new(name) else { return };
    let no_block = "Storage source /dev/null must be a block device";
    let usb = "<hostdev type='usb'><source><vendor id='0xfffe'/><product id='0xfffe'/></source>\
               </hostdev>";
    let pci = "<hostdev type='pci'><source><address domain='0' bus='0' slot='1' function='0'/>\
               </source></hostdev>";
    for (device, text) in [
        (usb.to_owned(), "Did not find USB device fffe:fffe"),
        (pci.to_owned(), "Unsupported hostdev type pci"),
        (disk("/nowhere", ""), "Unable to access /nowhere: No such file or directory"),
        (disk("/etc/passwd", ""), "Disk source /etc/passwd must be a character/block device"),
        (capability("storage", "block", "/dev/null"), no_block),
        (capability("misc", "char", "/dev/null"), "cannot create device /dev/null: File exists"),
        (capability("misc", "char", "/dev/../dev/full"), "cannot start: the path"),
    ] {
        let document = host.document("refused").device(&device);
        let error = host.bus().create_xml(&document).unwrap_err();
        assert!(error.text.contains(text), "{error:?}");
        host.assert_idle();
    }
}

#[test]
fn what_may_be_missing_is_left_out_and_other_timers_are_refused() {
    let name = "what_may_be_missing_is_left_out_and_other_timers_are_refused";
    let Some(host) = Host::new(name) else { return };
    let usb = "<hostdev type='usb'><source startupPolicy='optional'><vendor id='0xfffe'/>\
               <product id='0xfffe'/></source></hostdev>";
    let clock = |timer: &str| format!("<clock offset='localtime'><timer name='{timer}'/></clock>");
    let domain = host.run(&host.document("optional").device(usb));
    domain.assert_answers();
    domain.destroy().unwrap();
    let error = host.bus().create_xml(host.document("pit").element(&clock("pit"))).unwrap_err();
    assert!(error.text.contains("unsupported timer type (name) 'pit'"), "{error:?}");
    let rtc = with_nodes(host.document("rtc").element(&clock("rtc")), "/dev/rtc");
    if Path::new("/dev/rtc0").exists() {
        let node = format!("node=/dev/rtc character special file {} 700 0:0", number("/dev/rtc0"));
        has(&tell(&host, &rtc), &node);
    } else {
        let error = host.bus().create_xml(&rtc).unwrap_err();
        assert!(error.text.contains("Unable to access /dev/rtc0"), "{error:?}");
    }
    host.assert_idle();
}
