use super::*;

fn from(config: &str) -> Imported {
    import(config, |name| panic!("no include {name}")).unwrap()
}

/// The outside samples, when they are beside the project.
#[test]
fn samples_come_out_as_libvirt_writes_them_but_for_the_listed_differences() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");
    let corpus = std::env::var("NSVIRT_CORPUS").unwrap_or_else(|_| beside.to_owned());
    let folder = std::path::Path::new(&corpus).join("lxcconf2xml");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    };
    let mut compared = 0;
    for entry in entries {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "config") {
            continue;
        }
        let config = std::fs::read_to_string(&path).unwrap();
        if stem.contains("-fstab") {
            let error = import(&config, |_| Ok(String::new())).unwrap_err();
            assert!(error.message.contains("lxc.mount.entry"), "{error}");
            continue;
        }
        let expected = folder.join(format!("{}.xml", stem.trim_end_matches("-v3")));
        let expected = std::fs::read_to_string(expected).unwrap();
        let ours = from(&config).xml();
        assert_eq!(comparable(&ours), comparable(&expected), "{stem}");
        compared += 1;
    }
    assert!(compared > 0);
}

/// Without what differs on purpose: the uuid and the path of libvirt's supervisor are given when
/// the domain is defined, and there is always a console.
fn comparable(xml: &str) -> String {
    let mut root = crate::xml::parse(xml).unwrap();
    drop_blanks(&mut root);
    root.children.retain(|node| !is(node, "uuid"));
    for node in &mut root.children {
        if let crate::xml::Node::Element(devices) = node {
            devices.children.retain(|node| !is(node, "emulator"));
            if devices.children_named("console").count() <= 1 {
                devices.children.retain(|node| !is(node, "console"));
            }
        }
    }
    build::print(&root)
}

fn is(node: &crate::xml::Node, name: &str) -> bool {
    matches!(node, crate::xml::Node::Element(element) if element.name == name)
}

fn drop_blanks(element: &mut Element) {
    let has_elements = element.elements().next().is_some();
    element.children.retain(|node| !matches!(node, crate::xml::Node::Text(_) if has_elements));
    for node in &mut element.children {
        if let crate::xml::Node::Element(child) = node {
            drop_blanks(child);
        }
    }
}

pub(crate) const BASE: &str = "lxc.uts.name = web\nlxc.rootfs.path = /srv/web\n";

/// The lines of the document that `config` adds to that of [`BASE`].
fn added(config: &str) -> Vec<String> {
    let plain = from(BASE).xml();
    let xml = from(&format!("{BASE}{config}")).xml();
    let plain: Vec<_> = plain.lines().collect();
    xml.lines().filter(|line| !plain.contains(line)).map(|line| line.trim().to_owned()).collect()
}

fn notes(config: &str) -> Vec<String> {
    let mut notes = from(&format!("{BASE}lxc.cgroup2.memory.max = 1G\n{config}")).notes;
    notes.sort();
    notes
}

fn fault(config: &str) -> String {
    import(&format!("{BASE}{config}"), |_| Ok(String::new())).unwrap_err().message
}

#[test]
fn keys_libvirt_ignores_are_read() {
    assert_eq!(
        added("lxc.init.cmd = /bin/init --name 'a b'\nlxc.init.cwd = /srv\nlxc.init.uid = 5\n"),
        [
            "<init>/bin/init</init>",
            "<initarg>--name</initarg>",
            "<initarg>a b</initarg>",
            "<initdir>/srv</initdir>",
            "<inituser>5</inituser>",
            "<initgroup>0</initgroup>"
        ]
    );
    assert_eq!(
        added("lxc.environment = A=1 2\nlxc.environment = \"B='x'\"\n"),
        ["<initenv name='A'>1 2</initenv>", "<initenv name='B'>&apos;x&apos;</initenv>"]
    );
    assert_eq!(
        added("lxc.cap.keep = chown\nlxc.cap.keep = KILL 38 \n"),
        [
            "<capabilities policy='deny'>",
            "<chown state='on'/>",
            "<kill state='on'/>",
            "<perfmon state='on'/>",
            "</capabilities>"
        ]
    );
    assert_eq!(
        added("lxc.namespace.share.net = /run/netns/red\nlxc.namespace.share.uts = 12\n"),
        [
            "<domain type='lxc' xmlns:lxc='http://libvirt.org/schemas/domain/lxc/1.0'>",
            "<lxc:namespace>",
            "<lxc:sharenet type='netns' value='red'/>",
            "<lxc:shareuts type='pid' value='12'/>",
            "</lxc:namespace>"
        ]
    );
    assert!(from(&format!("{BASE}lxc.start.auto = 1\n")).autostart);
    assert_eq!(added("lxc.rootfs.path = dir:/x\n"), ["<source dir='/x'/>"]);
}

#[test]
fn maps_are_read_as_lxc_means_them() {
    assert_eq!(
        added("lxc.idmap = u 0 100000 65536\nlxc.id_map = g 0 200000 65536\n"),
        [
            "<idmap>",
            "<uid start='0' target='100000' count='65536'/>",
            "<gid start='0' target='200000' count='65536'/>",
            "</idmap>"
        ]
    );
    assert_eq!(notes("lxc.idmap = u 1 2 3\n").len(), 2);
}

#[test]
fn limits_of_either_kind_of_cgroups_are_one() {
    let v2 = "lxc.cgroup2.memory.max = 1G\nlxc.cgroup2.memory.high = 512m\n\
              lxc.cgroup2.memory.swap.max = 1G\nlxc.cgroup2.cpu.weight = 200\n\
              lxc.cgroup2.cpu.max = 50000 200000\nlxc.cgroup2.cpuset.cpus = 0,1,4\n\
              lxc.cgroup2.io.weight = default 300\nlxc.cgroup2.io.max = 8:0 rbps=1000 wiops=max\n";
    assert_eq!(
        added(v2),
        [
            "<memory unit='KiB'>1048576</memory>",
            "<currentMemory unit='KiB'>1048576</currentMemory>",
            "<blkiotune>",
            "<weight>300</weight>",
            "<device>",
            "<path>/dev/block/8:0</path>",
            "<read_bytes_sec>1000</read_bytes_sec>",
            "</device>",
            "</blkiotune>",
            "<memtune>",
            "<soft_limit unit='KiB'>524288</soft_limit>",
            "<swap_hard_limit unit='KiB'>2097152</swap_hard_limit>",
            "</memtune>",
            "<vcpu placement='static' cpuset='0-1,4'>1</vcpu>",
            "<cputune>",
            "<shares>2048</shares>",
            "<period>200000</period>",
            "<quota>50000</quota>",
            "</cputune>"
        ]
    );
    let both = "lxc.cgroup.cpu.shares = 1000\nlxc.cgroup2.cpu.weight = 500\n";
    assert_eq!(notes(both).len(), 1);
    assert_eq!(notes("lxc.cgroup2.pids.max = 100\n").len(), 1);
}

#[test]
fn networks_are_not_the_hosts_by_accident() {
    assert_eq!(added("lxc.net.0.type = empty\n"), Vec::<String>::new());
    let host = from(&format!("{BASE}lxc.net.0.type = none\n")).xml();
    assert!(!host.contains("privnet"));
    let unknown = from(&format!("{BASE}lxc.net.0.type = ipvlan\n"));
    assert!(unknown.xml().contains("<privnet/>"));
    assert!(unknown.notes.iter().any(|note| note.contains("ipvlan")), "{:?}", unknown.notes);
    assert_eq!(
        added("lxc.net.0.type = veth\nlxc.net.0.hwaddr = 00:16:3e:xx:xx:xx\n"),
        ["<interface type='ethernet'>", "<link state='down'/>", "</interface>"]
    );
}

#[test]
fn mounts_keep_what_a_domain_can_say() {
    assert_eq!(
        added("lxc.mount.entry = /a\\040b srv/web none bind,ro,create=dir 0 0\n"),
        ["<source dir='/a b'/>", "<target dir='/srv/web'/>", "<readonly/>"]
    );
    assert_eq!(
        added("lxc.mount.entry = /a /srv/web/mnt none bind 0 0\n"),
        ["<source dir='/a'/>", "<target dir='/mnt'/>"]
    );
    assert_eq!(notes("lxc.mount.entry = tmpfs tmp tmpfs rw 0 0\n").len(), 1);
    assert_eq!(notes("lxc.mount.entry = /a b none rbind,noexec 0 0\n").len(), 2);
    assert!(fault("lxc.rootfs.path = overlay:/a:/b").contains("'overlay'"));
    assert!(fault("lxc.mount.entry = a b").contains("SOURCE TARGET"));
}

#[test]
fn what_has_no_equivalent_is_told() {
    for config in [
        "lxc.hook.start = /bin/true",
        "lxc.seccomp.profile = /x",
        "lxc.mount.auto = cgroup:rw",
        "lxc.made.up = 1",
        "lxc.cap.drop = fly",
        "lxc.environment = NAME",
        "lxc.cgroup.devices.allow = c 10:229 rwm",
        "lxc.arch = z80",
        "lxc.apparmor.profile = generated",
    ] {
        let notes = notes(config);
        assert_eq!(notes.len(), 1, "{config}: {notes:?}");
        assert!(notes[0].starts_with("line 4: lxc."), "{notes:?}");
    }
    assert_eq!(notes("lxc.autodev = 1\nlxc.cgroup.devices.deny = a\n"), Vec::<String>::new());
}

#[test]
fn includes_stand_in_their_place_and_end() {
    let files = |name: &str| {
        Ok(match name {
            "a" => "lxc.tty.max = 2\nlxc.include = b\n".to_owned(),
            "b" => "lxc.tty.max = 3\n".to_owned(),
            "loop" => "lxc.include = loop2\n".to_owned(),
            "loop2" => "lxc.include = loop\n".to_owned(),
            "wide" => "lxc.include = wide1\n".repeat(200),
            "wide1" => "lxc.include = wide2\n".repeat(200),
            "wide2" => String::new(),
            deep => format!("lxc.include = {deep}x\n"),
        })
    };
    let with = |name| import(&format!("{BASE}lxc.include = {name}\n"), files);
    assert_eq!(with("a").unwrap().xml().matches("<console").count(), 3);
    assert!(with("loop").unwrap_err().message.contains("includes itself"));
    assert!(with("deep").unwrap_err().message.contains("nested deeper"));
    assert!(with("wide").unwrap_err().message.contains("more than the limit"));
}

#[test]
fn hostile_text_ends_in_a_short_error() {
    let long = format!("lxc.uts.name = {}", "x".repeat(10 * 1024 * 1024));
    let line = format!("lxc.uts.name = {}", "x".repeat(MAX_LINE));
    let many = "lxc.cap.drop = chown\n".repeat(MAX_SETTINGS + 1);
    let huge = "9".repeat(4_000);
    for config in [
        "lxc.uts.name = a\0b".to_owned(),
        "lxc.uts.name = a\u{1b}b".to_owned(),
        "no assignment".to_owned(),
        long,
        line,
        many,
        format!("lxc.tty.max = {huge}"),
        "lxc.tty.max = 4000000000".to_owned(),
        "lxc.tty.max = -1".to_owned(),
        format!("lxc.cgroup.memory.limit_in_bytes = {huge}"),
        "lxc.cgroup.memory.limit_in_bytes = 99999999999999999P".to_owned(),
        "lxc.cgroup.cpuset.cpus = 0-4000000000".to_owned(),
        format!("lxc.net.{huge}.type = veth"),
        "lxc.net.0.ipv4.address = 1.2.3.4/33".to_owned(),
        "lxc.idmap = u 0 0".to_owned(),
        "lxc.uts.name = ../x".to_owned(),
    ] {
        let message = fault(&config);
        assert!(message.len() < 400, "{message}");
        assert!(message.contains("line ") || message.contains("limit"), "{message}");
    }
    let bare = |config| import(config, |_| Ok(String::new())).unwrap_err().message;
    assert!(bare("").contains("lxc.uts.name"));
    assert!(bare("lxc.uts.name=a").contains("lxc.rootfs.path"));
}

#[test]
fn an_export_says_what_it_cannot() {
    let document = "<domain type='lxc'><name>a</name><memory>1024</memory><vcpu>2</vcpu>\
        <title>t</title><os><type>exe</type><init>/i</init><inituser>web</inituser></os>\
        <devices><filesystem><source dir='/r'/><target dir='/'/></filesystem>\
        <interface type='network'><source network='n'/></interface><graphics/></devices></domain>";
    let exported = export(&crate::xml::parse(document).unwrap()).unwrap();
    for told in ["<vcpu>", "<title>", "<inituser>", "'network'", "<graphics>", "<capabilities>"] {
        let count = exported.notes.iter().filter(|note| note.contains(told)).count();
        assert_eq!(count, 1, "{told}: {:?}", exported.notes);
    }
    let kvm = crate::xml::parse("<domain type='kvm'><name>a</name></domain>").unwrap();
    assert!(export(&kvm).is_err());
}

/// Lines of which any selection is a configuration.
pub(crate) const LINES: &[&str] = &[
    "lxc.arch = amd64",
    "lxc.init.cmd = /bin/sh -c \"echo 'a b'\" 'x\"y z'",
    "lxc.init.cwd = /srv/a b",
    "lxc.init.uid = 1\nlxc.init.gid = 2",
    "lxc.environment = A=b c",
    "lxc.environment = Q=\"quoted\"",
    "lxc.cap.drop = sys_admin mknod",
    "lxc.idmap = u 0 1000 10\nlxc.idmap = g 0 1000 10\nlxc.idmap = u 10 5 1",
    "lxc.tty.max = 4",
    "lxc.rootfs.options = ro",
    "lxc.mount.entry = /a\\040b\\134 c none bind,ro 0 0",
    "lxc.mount.entry = /dev/sdb1 d ext4 rw 0 0",
    "lxc.mount.entry = tmpfs run tmpfs size=10m 0 0",
    "lxc.net.3.type = veth\nlxc.net.3.link = br0\nlxc.net.3.flags = up\nlxc.net.3.mtu = 1400",
    "lxc.net.4.type = macvlan\nlxc.net.4.link = e0\nlxc.net.4.macvlan.mode = passthru",
    "lxc.net.5.type = veth\nlxc.net.5.veth.pair = v5\nlxc.net.5.veth.vlan.id = 12\n\
     lxc.net.5.ipv4.address = 10.0.0.2/8\nlxc.net.5.ipv4.gateway = 10.0.0.1\n\
     lxc.net.5.ipv6.address = fd00::2/64\nlxc.net.5.ipv6.gateway = fd00::1",
    "lxc.net.6.type = phys\nlxc.net.6.link = eth7",
    "lxc.net.7.type = empty",
    "lxc.net.8.type = none",
    "lxc.cgroup.memory.limit_in_bytes = 1G",
    "lxc.cgroup2.memory.max = 2G",
    "lxc.cgroup2.memory.high = 500M",
    "lxc.cgroup.memory.memsw.limit_in_bytes = 3G",
    "lxc.cgroup.cpu.shares = 777",
    "lxc.cgroup2.cpu.weight = 33",
    "lxc.cgroup2.cpu.max = 5000 20000",
    "lxc.cgroup.cpu.cfs_period_us = 30000",
    "lxc.cgroup2.cpuset.cpus = 0-3",
    "lxc.cgroup.cpuset.mems = 0",
    "lxc.cgroup.blkio.weight = 400",
    "lxc.cgroup2.io.max = 8:16 rbps=100 wbps=200 riops=3 wiops=4",
    "lxc.cgroup.blkio.weight_device = 8:16 200",
    "lxc.apparmor.profile = unconfined",
    "lxc.selinux.context = system_u:system_r:lxc_t:s0",
    "lxc.namespace.share.ipc = other",
    "lxc.namespace.share.uts = /proc/12/ns/uts",
];

mod properties {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{select, subsequence};

    use super::*;

    fn piece() -> impl Strategy<Value = String> {
        let words: &[&str] = &[
            "lxc.",
            "net.",
            "0.",
            "type",
            "ipv4",
            "network.",
            "uts.name",
            "rootfs",
            "rootfs.path",
            "mount.entry",
            "cgroup.",
            "cgroup2.",
            "io.max",
            "cpu.max",
            "memory.max",
            "cap.keep",
            "idmap",
            "include",
            "=",
            " = ",
            "\n",
            "/",
            "a",
            "u",
            "-1",
            "0",
            "18446744073709551615",
            "1-",
            ",",
            "\"",
            "'",
            "\\",
            "\\04",
            ":",
            "é",
            "\t",
            "\0",
            "k",
        ];
        select(words.to_vec()).prop_map(str::to_owned)
    }

    proptest! {
        #[test]
        fn import_of_the_export_gives_the_same(lines in subsequence(LINES, 0..LINES.len())) {
            let config = format!("{BASE}{}\n", lines.join("\n"));
            let first = from(&config);
            let exported = export(&first.domain).unwrap();
            // A period that only cgroup v2 implies, and swap below the limit, are told.
            let expected = exported.notes.iter().all(|note| note.contains("<swap_hard_limit>"));
            prop_assert!(expected, "{:?}\n{}", exported.notes, first.xml());
            let second = from(&exported.config);
            prop_assert_eq!(first.xml(), second.xml(), "{}", exported.config);
        }

        #[test]
        fn no_text_makes_the_import_panic(pieces in vec(piece(), 0..40)) {
            let text = pieces.concat();
            for text in [format!("{BASE}{text}"), text] {
                if let Ok(imported) = import(&text, |_| Ok("lxc.tty.max = 1\n".to_owned())) {
                    let tree = crate::xml::parse(&imported.xml()).unwrap();
                    prop_assert!(export(&tree).is_ok());
                }
            }
        }

        #[test]
        fn no_document_makes_the_export_panic(
            names in vec(select(vec![
                "memory", "devices", "interface", "filesystem", "source", "target", "os", "init",
                "initarg", "idmap", "uid", "features", "capabilities", "memtune", "hard_limit",
                "blkiotune", "device", "path", "cputune", "quota", "ip", "route", "vlan", "tag",
            ]), 0..30),
            values in vec(select(vec!["", "/", "-1", "lxc", "99999999999999999999", "a b", "'\"", "\n"]), 30),
        ) {
            let mut domain = build::parent("domain", &[("type", "lxc")], [build::leaf("name", &[], "n")]);
            for (name, value) in names.iter().zip(&values) {
                let leaf = build::leaf(name, &[("dir", value), ("type", value), ("unit", value)], value);
                let whole = build::parent(name, &[("type", "bridge")], [leaf.clone()]);
                domain.children.push(crate::xml::Node::Element(leaf));
                domain.children.push(crate::xml::Node::Element(whole));
            }
            let exported = export(&domain).unwrap();
            let _ = import(&exported.config, |_| Ok(String::new()));
        }
    }
}
