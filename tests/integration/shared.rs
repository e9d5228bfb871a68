//! Namespaces that a container takes from elsewhere.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::network::Network;
use crate::support::{Document, Facts, Host, probe};

fn shared(document: Document, inside: &str) -> Document {
    let uri = "http://libvirt.org/schemas/domain/lxc/1.0";
    document.element(&format!("<lxc:namespace xmlns:lxc='{uri}'>{inside}</lxc:namespace>"))
}

fn namespace(process: u32, kind: &str) -> String {
    let link = fs::read_link(format!("/proc/{process}/ns/{kind}")).unwrap();
    link.into_os_string().into_string().unwrap()
}

#[test]
fn namespaces_of_another_container_and_of_a_process_are_shared() {
    let name = "namespaces_of_another_container_and_of_a_process_are_shared";
    let Some(host) = Host::new(name) else { return };
    let private = "<features><privnet/></features>";
    let (_first, first) = Facts::of(&host, &probe(host.document("first")).element(private));
    let by_name = "<lxc:sharenet type='name' value='first'/>\
                   <lxc:shareuts type='name' value='first'/>";
    let document = shared(probe(host.document("second")), by_name);
    let (_second, second) = Facts::of(&host, &document);
    for kind in ["net", "uts"] {
        assert_eq!(second.of_word("ns", kind), first.of_word("ns", kind), "{kind}");
    }
    for kind in ["ipc", "pid", "mnt"] {
        assert_ne!(second.of_word("ns", kind), first.of_word("ns", kind), "{kind}");
    }
    assert_eq!(second.one("hostname"), "first", "the name is its owner's");

    let by_pid = format!("<lxc:shareipc type='pid' value='{}'/>", host.daemon_pid());
    let (_third, third) = Facts::of(&host, &shared(probe(host.document("third")), &by_pid));
    assert_eq!(third.of_word("ns", "ipc"), namespace(host.daemon_pid(), "ipc"));
    assert_eq!(third.one("hostname"), "third");
}

#[test]
fn a_named_network_is_shared_over_reboots_and_with_ids_of_its_own() {
    let name = "a_named_network_is_shared_over_reboots_and_with_ids_of_its_own";
    let Some(mut host) = Host::new(name) else { return };
    host.stop_daemon();
    let names = host.directory.join("netns");
    fs::create_dir(&names).unwrap();
    let network = Network::new();
    symlink(network.path(), names.join("red")).unwrap();
    symlink("/dev/null", names.join("none")).unwrap();
    let configuration = format!("netns_directory = '{}'\n", names.display());
    fs::write(host.prefix.join("etc/nsvirtd.toml"), configuration).unwrap();
    host.start_daemon();
    let expected = network.within(|| fs::read_link("/proc/thread-self/ns/net").unwrap());
    let expected = expected.to_str().unwrap();
    let red = "<lxc:sharenet type='netns' value='red'/>";
    let script = "echo \"in $(readlink /proc/1/ns/net)\"; \
                  while read line; do if [ \"$line\" = reboot ]; then reboot -f; fi; done";
    let document = shared(host.document("red").script(script), red);
    let ids = "<idmap><uid start='0' target='100000' count='9'/>\
               <gid start='0' target='100000' count='9'/></idmap>";
    for document in [document.clone(), document.element(ids)] {
        let domain = host.run(&document);
        let mut console = domain.console();
        for _ in 0..2 {
            console.wait_for(&format!("in {expected}\r\n"));
            console.type_line("reboot");
        }
        console.wait_for(&format!("in {expected}\r\n"));
        domain.destroy().unwrap();
    }
    for (value, expected) in [
        ("none", "no network name space"),
        ("missing", "No such file or directory"),
        ("../red", "no name of a network name space"),
    ] {
        let share = format!("<lxc:sharenet type='netns' value='{value}'/>");
        let failure = host.bus().create_xml(shared(host.document("bad"), &share)).unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}");
    }
    host.assert_idle();
}

#[test]
fn what_cannot_be_shared_is_an_error() {
    let Some(host) = Host::new("what_cannot_be_shared_is_an_error") else {
        return;
    };
    host.bus().define(host.document("off")).unwrap();
    let private = "<features><privnet/></features>";
    let refused = |document: Document, inside: &str, expected: &str| {
        let failure = host.bus().create_xml(shared(document, inside)).unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}, not {expected:?}");
        host.assert_idle();
    };
    let document = || host.document("self");
    let share = |kind: &str, value: &str| format!("<lxc:sharenet type='{kind}' value='{value}'/>");
    refused(document(), &share("name", "self"), "cannot share a name space with itself");
    refused(document(), &share("name", "off"), "Init pid is not yet available");
    refused(document(), &share("name", "nobody"), "Domain not found");
    refused(document(), &share("pid", "0"), "is no process ID");
    refused(document(), &share("pid", "-1"), "is no process ID");
    refused(document(), &share("pid", "4194305"), "No such process");
    refused(document().element(private), &share("pid", "1"), "Config asks for inherit net");
    host.bus().by_name("off").unwrap().undefine().unwrap();
}
