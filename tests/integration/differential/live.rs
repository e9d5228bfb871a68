//! The documents of running containers, side by side: what a start adds.

use std::fs;

use crate::filesystems::image;
use crate::support::libvirt::{self, Answer, Definer};
use crate::support::{Document, Host};

/// What stands before a value, what behind it, and what it must look like.
type Value = (&'static str, &'static str, fn(&str) -> bool);

/// Values that are each side's own.
const OWN: &[Value] = &[
    ("<domain type='lxc' id='", "'", is_number),
    ("<uuid>", "</uuid>", is_uuid),
    ("<emulator>", "</emulator>", is_path),
    (" tty='", "'", is_terminal),
    ("<source path='", "'", is_terminal),
];

fn is_number(value: &str) -> bool {
    value.parse::<u32>().is_ok()
}

fn is_uuid(value: &str) -> bool {
    value.len() == 36
}

fn is_path(value: &str) -> bool {
    value.starts_with('/')
}

fn is_terminal(value: &str) -> bool {
    value.strip_prefix("/dev/pts/").is_some_and(is_number)
}

/// The document with the values of [`OWN`] masked, after a look at them, and the partition, which
/// must be that one.
fn masked(document: &str, partition: &str) -> String {
    let named = format!("<partition>{partition}</partition>");
    assert!(document.contains(&named), "{named}: {document}");
    let mut masked = document.replace(&named, "<partition>(own)</partition>");
    for (before, after, is_right) in OWN {
        let mut rest = std::mem::take(&mut masked);
        while let Some((head, tail)) = rest.split_once(before) {
            let (value, tail) = tail.split_once(after).unwrap();
            assert!(is_right(value), "{before}{value}{after}: {document}");
            masked += &format!("{head}{before}(own){after}");
            rest = tail.to_owned();
        }
        masked += &rest;
    }
    masked
}

/// libvirt's partition where a document names none.
const PARTITION: &str = "/machine";

/// What a document has beside the least.
#[derive(Default)]
struct Addition {
    domain: String,
    devices: String,
}

fn domain(elements: &str) -> Addition {
    Addition { domain: elements.to_owned(), ..Addition::default() }
}

fn devices(devices: &[&str]) -> Addition {
    Addition { devices: devices.concat(), ..Addition::default() }
}

impl Addition {
    fn to(&self, document: Document) -> Document {
        document.element(&self.domain).device(&self.devices)
    }
}

const IDS: &str = "<features><privnet/></features>\
    <idmap><gid start='0' target='200000' count='65536'/>\
    <uid start='0' target='100000' count='1000'/>\
    <uid start='1000' target='300000' count='64536'/></idmap>";

const KEPT: &str = "<title>t &amp; u</title><description>d</description><vcpu>2</vcpu>\
    <genid>7c2e5f80-13d4-4b6e-8a55-92f0c3b1d764</genid>\
    <clock offset='localtime'><timer name='rtc' present='no'/></clock>\
    <on_poweroff>preserve</on_poweroff><on_crash>restart</on_crash>\
    <pm><suspend-to-mem enabled='no'/></pm><perf><event name='cmt' enabled='no'/></perf>";

const METADATA: &str = "<metadata><a:x xmlns:a='urn:a' k='1'>t<a:y/><!-- c --></a:x>\
    <z xmlns='urn:z'/></metadata>";

const FEATURES: &str = "<features><acpi/><pae/><apic eoi='on'/><capabilities policy='default'>\
    <mknod state='on'/><sys_time state='off'/></capabilities></features>";

const LIMITS: &str = "<memtune><hard_limit unit='MiB'>128</hard_limit>\
    <soft_limit unit='KiB'>65536</soft_limit></memtune>\
    <cputune><shares>512</shares><period>100000</period><quota>50000</quota></cputune>";

const CONSOLES: &[&str] = &[
    "<console type='pty' tty='/dev/pts/99'><target type='serial' port='3'/></console>",
    "<console type='pty'><target type='lxc' port='7'/></console>",
    "<console type='pty'><target type='virtio'/><alias name='ua-mine'/></console>",
    "<console type='pty'><log file='/tmp/log' append='on'/></console>",
];

const LINKS: &[&str] = &[
    "<interface type='ethernet'><mac address='52:54:00:11:22:33'/><guest dev='lan0'/>\
     <ip address='192.0.2.3' prefix='24'/><link state='up'/></interface>",
    "<interface type='ethernet'><mac address='52:54:00:11:22:34'/><target dev='nsvtlive0'/>\
     </interface>",
];

/// Containers that both start, by their names.
fn started(host: &Host) -> Vec<(&'static str, Addition)> {
    let serial = ["<serial type='pty'/>", "<channel type='pty'><target type='virtio'/></channel>"];
    let node = "<hostdev mode='capabilities' type='misc'><source><char>/dev/fuse</char></source>\
                </hostdev>";
    vec![
        ("plain", Addition::default()),
        ("private", domain("<features><privnet/></features>")),
        ("kept", domain(KEPT)),
        ("metadata", domain(METADATA)),
        ("features", domain(FEATURES)),
        ("unlabelled", domain("<seclabel type='none'/>")),
        ("unlabelled-model", domain("<seclabel type='none' model='none'/>")),
        ("ids", domain(IDS)),
        ("limits", domain(LIMITS)),
        ("filesystems", filesystems(host)),
        ("consoles", devices(CONSOLES)),
        ("serial", devices(&serial)),
        ("node", devices(&[node])),
        ("links", devices(LINKS)),
    ]
}

fn filesystems(host: &Host) -> Addition {
    let shared = host.directory.join("shared");
    fs::create_dir(&shared).unwrap();
    let image = image(host, "live.img", &shared);
    let (shared, image) = (shared.display(), image.display());
    devices(&[
        "<filesystem type='ram'><source usage='4' units='MiB'/><target dir='/tmp'/></filesystem>",
        &format!(
            "<filesystem type='mount' accessmode='mapped'><source dir='{shared}'/>\
             <target dir='/mnt'/><readonly/></filesystem>"
        ),
        &format!("<filesystem><source dir='{shared}'/><target dir='/srv'/></filesystem>"),
        "<filesystem type='bind'><source dir='/tmp'/><target dir='/opt/bound'/></filesystem>",
        &format!(
            "<filesystem type='file'><driver type='loop' format='raw'/><source file='{image}'/>\
             <target dir='/image'/></filesystem>"
        ),
    ])
}

/// What neither starts, with libvirt's reason.
fn refused() -> Vec<(&'static str, Addition)> {
    let pty = "<console type='pty'/>";
    let file = "<console type='file'><source path='/tmp/x'/></console>";
    let second = "<console type='pty'><target type='serial'/></console>";
    let scsi = "<hostdev type='scsi'><source><adapter name='scsi_host0'/>\
                <address bus='0' target='0' unit='0'/></source></hostdev>";
    let vdpa = "<interface type='vdpa'><source dev='/dev/x'/></interface>";
    let script = "<interface type='ethernet'><script path='/x'/></interface>";
    let nowhere = "<hostdev mode='capabilities' type='misc'><source><char>/dev/nowhere</char>\
                   </source></hostdev>";
    vec![
        ("second-serial", devices(&[pty, second])),
        ("no-terminal", devices(&[file])),
        ("later-no-terminal", devices(&[pty, "<console type='null'/>"])),
        ("user", devices(&["<interface type='user'/>"])),
        ("vdpa", devices(&[vdpa])),
        ("script", devices(&[script])),
        ("scsi", devices(&[scsi])),
        ("nowhere", devices(&[nowhere])),
        ("partition", domain("<resource><partition>x</partition></resource>")),
    ]
}

#[test]
fn running_containers_are_described_as_libvirt_describes_them() {
    let test = "running_containers_are_described_as_libvirt_describes_them";
    if !libvirt::is_there(test) {
        return;
    }
    let Some(host) = Host::new(test) else { return };
    let mut libvirt = Definer::live();
    let mut compare = |document: &Document, partition: &str, ours: &str| {
        let asked = with_partition(document, partition);
        // On a busy machine libvirt gives up waiting for what it started, and may be asked again.
        let gave_up = |answer: &Answer| match answer {
            Answer::Refused { message, .. } => message.contains("Timed out while reading log"),
            _ => false,
        };
        let mut answer = libvirt.ask(&asked);
        for _ in 0..2 {
            if gave_up(&answer) {
                answer = libvirt.ask(&asked);
            }
        }
        let theirs = match answer {
            Answer::Defined { xml } => masked(&xml, PARTITION),
            answer => panic!("{answer:?}: {document}"),
        };
        let domain = host.bus().create_xml(with_partition(document, ours)).unwrap();
        // libvirt's driver names consoles only.
        let is_more = |line: &&str| line.contains("<alias") && !line.contains("'console");
        let xml = domain.xml(0).unwrap();
        let ours: String = xml.split_inclusive('\n').filter(|line| !is_more(line)).collect();
        // What nsvirt adds to it.
        let profile = "  <nsvirt:isolation profile='hardened'/>\n";
        let scope = " xmlns:nsvirt='urn:nsvirt:domain:1.0'";
        assert!(ours.contains(profile) && ours.contains(scope), "{ours}");
        let ours = masked(&ours.replace(profile, "").replace(scope, ""), &host.paths.partition);
        domain.destroy().unwrap();
        assert_eq!(ours, theirs);
    };
    for (name, addition) in started(&host) {
        let document = addition.to(host.document(&libvirt::container(name)));
        compare(&document, "", "");
    }
    // One that the document names, too.
    let document = host.document(&libvirt::container("named"));
    compare(&document, PARTITION, &host.paths.partition);
    host.assert_idle();
}

/// The document with a partition, if that is not empty.
fn with_partition(document: &Document, partition: &str) -> String {
    let resource = format!("<resource><partition>{partition}</partition></resource>");
    let addition = if partition.is_empty() { "" } else { &resource };
    document.clone().element(addition).to_string()
}

#[test]
fn what_libvirt_does_not_start_is_refused_as_libvirt_refuses_it() {
    let test = "what_libvirt_does_not_start_is_refused_as_libvirt_refuses_it";
    if !libvirt::is_there(test) {
        return;
    }
    let Some(host) = Host::new(test) else { return };
    let mut libvirt = Definer::live();
    for (name, addition) in refused() {
        let document = addition.to(host.document(&libvirt::container(name)));
        let reason = match libvirt.ask(&document.to_string()) {
            Answer::Refused { message, .. } => message,
            answer => panic!("{answer:?}: {document}"),
        };
        // What the supervisor noticed is at the end of what it has logged.
        let reason = reason.rsplit("libvirt_lxc startup: ").next().unwrap().trim();
        let failure = host.bus().create_xml(&document).err();
        let text = failure.unwrap_or_else(|| panic!("started: {document}")).text;
        let text = text.replace("line 1: ", "");
        assert!(text.starts_with(reason), "{text}\n{reason}");
        host.assert_idle();
    }
}
