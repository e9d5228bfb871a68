//! The documents of running containers, side by side: what a start adds.

use crate::support::libvirt::{self, Answer, Definer};
use crate::support::{Document, Host};

/// What stands before a value, what behind it, and what it must look like.
type Value = (&'static str, &'static str, fn(&str) -> bool);

/// Values that are each side's own.
const OWN: &[Value] = &[
    ("<domain type='lxc' id='", "'", is_number),
    ("<uuid>", "</uuid>", is_uuid),
    ("<partition>", "</partition>", is_path),
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

/// The document with the values of [`OWN`] masked, after a look at them.
fn masked(document: &str) -> String {
    let mut masked = document.to_owned();
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

#[test]
fn running_containers_are_described_as_libvirt_describes_them() {
    let test = "running_containers_are_described_as_libvirt_describes_them";
    if !libvirt::is_there(test) {
        return;
    }
    let Some(host) = Host::new(test) else { return };
    let document = |name: &str| host.document(&libvirt::container(name));
    let documents: [Document; 4] = [
        document("plain"),
        document("consoles").consoles(3),
        document("private").element("<features><privnet/></features>"),
        document("kept").element(
            "<title>t</title><vcpu>2</vcpu><clock offset='utc'/><on_crash>restart</on_crash>",
        ),
    ];
    let mut libvirt = Definer::live();
    for document in documents {
        let theirs = match libvirt.ask(&document.to_string()) {
            Answer::Defined { xml } => masked(&xml),
            answer => panic!("{answer:?}: {document}"),
        };
        let domain = host.run(&document);
        let ours = domain.xml(0).unwrap();
        // What nsvirt adds to it.
        let profile = "  <nsvirt:isolation profile='hardened'/>\n";
        let scope = " xmlns:nsvirt='urn:nsvirt:domain:1.0'";
        assert!(ours.contains(profile) && ours.contains(scope), "{ours}");
        let ours = masked(&ours.replace(profile, "").replace(scope, ""));
        domain.destroy().unwrap();
        assert_eq!(ours, theirs);
    }
}
