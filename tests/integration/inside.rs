//! What init finds: its process, its terminal, its environment.

use std::fs;

use crate::isolation::isolation;
use crate::support::{Facts, Host, probe};

const UUID: &str = "6e4b9b44-1111-4222-8333-0123456789ab";

#[test]
fn init_has_its_console_and_nothing_else_open() {
    let Some(host) = Host::new("init_has_its_console_and_nothing_else_open") else {
        return;
    };
    let (_domain, facts) = Facts::of(&host, &probe(host.document("fds")));
    assert_eq!(facts.all("fd"), ["0 /dev/console", "1 /dev/console", "2 /dev/console"]);
    assert_eq!(facts.one("tty"), "/dev/console");
    // pid (comm) state ppid pgrp session tty_nr tpgid
    let stat: Vec<_> = facts.one("stat").rsplit(") ").next().unwrap().split(' ').collect();
    assert_eq!(stat[1..4], ["0", "1", "1"], "parent, process group, session");
    assert_eq!(stat[4], (136 << 8).to_string(), "the controlling terminal is the first of its own");
    assert_eq!(stat[5], "1", "in the foreground");
    assert_eq!(facts.one("pid"), "1");
    assert_eq!(facts.one("cwd"), "/");
    assert_eq!(facts.one("umask"), "0022");
}

#[test]
fn init_has_exactly_libvirts_environment() {
    let Some(host) = Host::new("init_has_exactly_libvirts_environment") else {
        return;
    };
    let document = probe(host.document("envs").uuid(UUID));
    let (domain, facts) = Facts::of(&host, &document);
    let plain = [
        "PATH=/bin:/sbin".to_owned(),
        "TERM=linux".to_owned(),
        "container=lxc-libvirt".to_owned(),
        "HOME=/".to_owned(),
        format!("container_uuid={UUID}"),
        format!("LIBVIRT_LXC_UUID={UUID}"),
        "LIBVIRT_LXC_NAME=envs".to_owned(),
    ];
    assert_eq!(facts.all("env"), plain);
    domain.destroy().unwrap();

    let document = document
        .consoles(3)
        .os("<initenv name='TERM'>vt100</initenv><initenv name='A'>b &amp; c</initenv>");
    let (_domain, facts) = Facts::of(&host, &document);
    let mut own = plain.to_vec();
    own.remove(1);
    own.insert(4, "container_ttys=pts/1 pts/2".to_owned());
    own.extend(["TERM=vt100".to_owned(), "A=b & c".to_owned()]);
    assert_eq!(facts.all("env"), own);
}

#[test]
fn arguments_directory_and_host_name_are_the_documents() {
    let name = "arguments_directory_and_host_name_are_the_documents";
    let Some(host) = Host::new(name) else { return };
    let document = probe(host.document("web_1.example"))
        .os("<initarg>first</initarg><initarg>two words &lt;</initarg><initdir>/tmp</initdir>");
    let (_domain, facts) = Facts::of(&host, &document);
    assert_eq!(facts.all("arg"), ["first", "two words <"]);
    assert_eq!(facts.one("cwd"), "/tmp");
    assert_eq!(facts.one("hostname"), "web1example");
}

#[test]
fn signals_are_at_their_defaults() {
    let Some(host) = Host::new("signals_are_at_their_defaults") else {
        return;
    };
    // sed, a child of the shell: what it inherits is what the shell has not set for itself.
    let (_domain, facts) = Facts::of(&host, &probe(host.document("signals")));
    let none = "0000000000000000";
    for field in ["SigBlk", "SigIgn", "SigPnd"] {
        assert_eq!(facts.of_word("status", field), none, "{field}");
    }
}

#[test]
fn what_acts_on_the_host_is_dropped_for_good() {
    let Some(host) = Host::new("what_acts_on_the_host_is_dropped_for_good") else {
        return;
    };
    let last: u32 =
        fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap().trim().parse().unwrap();
    let all = (1_u64 << (last + 1)) - 1;
    // CAP_SYS_MODULE, CAP_SYS_TIME, CAP_MKNOD, CAP_AUDIT_CONTROL, CAP_MAC_ADMIN; then
    // CAP_DAC_READ_SEARCH, CAP_SYS_RAWIO, CAP_SYS_PACCT, CAP_MAC_OVERRIDE, CAP_SYSLOG,
    // CAP_WAKE_ALARM, CAP_BLOCK_SUSPEND, CAP_PERFMON, CAP_BPF.
    let compat = vec![16, 25, 27, 30, 33];
    let hardened = [&compat[..], &[2, 17, 20, 32, 34, 35, 36, 38, 39]].concat();
    let own = fs::read_to_string("/proc/self/status").unwrap();
    let own = own.lines().find_map(|it| it.strip_prefix("CapBnd:\t")).unwrap();
    let own = u64::from_str_radix(own, 16).unwrap();
    for (profile, dropped) in [("compat", compat), ("hardened", hardened)] {
        let dropped = dropped.iter().fold(0_u64, |mask, bit| mask | 1 << bit);
        let kept = own & all & !dropped;
        let document = probe(host.document(profile)).element(&isolation(profile, ""));
        let (_domain, facts) = Facts::of(&host, &document);
        let set = |name| u64::from_str_radix(facts.of_word("status", name), 16).unwrap();
        for name in ["CapBnd", "CapEff", "CapPrm"] {
            assert_eq!(set(name), kept, "{name}: {:x}, not {kept:x}", set(name));
        }
        assert_eq!((set("CapInh"), set("CapAmb")), (0, 0));
    }
}

#[test]
fn a_document_says_which_capabilities_are_left() {
    let Some(host) = Host::new("a_document_says_which_capabilities_are_left") else {
        return;
    };
    let features = "<features><capabilities policy='deny'><chown state='on'/><kill/>\
                    </capabilities></features>";
    let (_domain, facts) = Facts::of(&host, &probe(host.document("few").element(features)));
    for name in ["CapBnd", "CapEff", "CapPrm"] {
        assert_eq!(facts.of_word("status", name).trim_start_matches('0'), "21", "{name}");
    }
}

#[test]
fn device_nodes_are_made_where_the_document_says_so_and_do_not_open() {
    let name = "device_nodes_are_made_where_the_document_says_so_and_do_not_open";
    let Some(host) = Host::new(name) else { return };
    let script = "mknod /tmp/kmsg c 1 11 && echo made; \
                  (: < /tmp/kmsg) 2>/dev/null || echo shut; echo tried; \
                  while read line; do :; done";
    for (state, made) in [("on", true), ("off", false)] {
        let features =
            format!("<features><capabilities><mknod state='{state}'/></capabilities></features>");
        let document = host.document("mknod").script(script).element(&features);
        let domain = host.run(&document);
        let printed = domain.console().wait_for("tried\r\n");
        assert_eq!(printed.contains("made"), made, "{printed}");
        assert!(printed.contains("shut"), "{printed}");
        domain.destroy().unwrap();
        let _ = fs::remove_file(host.tree.path.join("tmp/kmsg"));
    }
}

#[test]
fn namespaces_are_its_own_and_the_network_is_if_asked() {
    let name = "namespaces_are_its_own_and_the_network_is_if_asked";
    let Some(host) = Host::new(name) else { return };
    let daemon = |name: &str| {
        let link = fs::read_link(format!("/proc/{}/ns/{name}", host.daemon_pid())).unwrap();
        link.to_str().unwrap().to_owned()
    };
    let (_shared, shared) = Facts::of(&host, &probe(host.document("shared")));
    let (_own, own) =
        Facts::of(&host, &probe(host.document("own")).element("<features><privnet/></features>"));
    for name in ["mnt", "pid", "uts", "ipc", "cgroup"] {
        assert_ne!(shared.of_word("ns", name), daemon(name), "{name}");
        assert_ne!(own.of_word("ns", name), daemon(name), "{name}");
        assert_ne!(own.of_word("ns", name), shared.of_word("ns", name), "{name}");
    }
    assert_eq!(shared.of_word("ns", "net"), daemon("net"));
    assert_eq!(shared.one("lo"), "0", "nobody has set the daemon's link up");
    assert_ne!(own.of_word("ns", "net"), daemon("net"));
    assert_eq!(own.all("link-name"), ["lo"]);
    assert_eq!(own.one("lo"), "1");
    // Its own processes, among them those that print this, and no others.
    let processes: u32 = own.one("processes").parse().unwrap();
    assert!((1..=5).contains(&processes), "{processes}");
}

#[test]
fn a_32_bit_container_is_told_so() {
    let Some(host) = Host::new("a_32_bit_container_is_told_so") else {
        return;
    };
    if std::env::consts::ARCH != "x86_64" {
        return;
    }
    let script = "uname -m; echo told; while read line; do :; done";
    let text = host.document("narrow").script(script).to_string();
    let narrow = text.replace("<type>exe</type>", "<type arch='i686'>exe</type>");
    assert_ne!(text, narrow);
    let domain = host.bus().create_xml(&narrow).unwrap();
    assert!(domain.console().wait_for("told\r\n").contains("i686"));
    domain.destroy().unwrap();
}
