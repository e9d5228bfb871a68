//! Devices that come and go: in definitions, and while containers run.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::links::{bridge, ip, on_bridge, remove};
use crate::nodes::{IDS, capability, number};
use crate::support::loops::Loop;
use crate::support::shell::{run, shell};
use crate::support::{Domain, Host, Step, until};

const LIVE: u32 = 1;
const CONFIG: u32 = 2;

fn block(source: &str, target: &str, more: &str) -> String {
    format!("<disk type='block'><source dev='{source}'/><target dev='{target}'/>{more}</disk>")
}

fn file(source: &Path, target: &str, more: &str) -> String {
    let source = source.display();
    format!("<disk type='file'><source file='{source}'/><target dev='{target}'/>{more}</disk>")
}

/// Whether a file of the container can be read and written.
fn access(domain: &Domain, path: &str) -> (bool, bool) {
    let said = run(
        domain,
        &format!(
            "[ -e {path} ] && {{ (: <{path}) && echo it reads; (: >>{path}) && echo it writes; }} \
             2>/dev/null"
        ),
    );
    (said.contains("it reads\r\n"), said.contains("it writes\r\n"))
}

/// A file of the host with a word in it, which is gone with the test's directory.
fn image(host: &Host, name: &str) -> PathBuf {
    let path = host.directory.join(name);
    let mut file = File::create(&path).unwrap();
    file.write_all(b"content").unwrap();
    file.set_len(1 << 20).unwrap();
    path
}

#[test]
fn nodes_come_and_go_with_what_they_open() {
    let Some(host) = Host::new("nodes_come_and_go_with_what_they_open") else { return };
    let device = Loop::new("hot");
    let tun = "/dev/net/tun";
    for (name, ids) in [("plain", ""), ("mapped", IDS)] {
        let events = host.bus().events();
        let domain = host.run(&shell(host.document(name)).element(ids));
        events.expect(&domain, &[Step::STARTED]);
        let start = domain.xml(0).unwrap();
        let cases = [
            (block(device.path(), "sdc", "<readonly/>"), "/dev/sdc", false, "disk-sdc"),
            (block(device.path(), "sdb", ""), "/dev/sdb", true, "disk-sdb"),
            (capability("misc", "char", tun), tun, true, "hostdev0"),
        ];
        for (device, node, writes, alias) in &cases {
            assert_eq!(access(&domain, node), (false, false), "{node} before");
            domain.attach(device, LIVE).unwrap();
            events.expect(&domain, &[Step::DeviceAdded((*alias).to_owned())]);
            assert_eq!(access(&domain, node), (true, *writes), "{node}");
            assert!(domain.xml(0).unwrap().contains(&format!("<alias name='{alias}'/>")));
            let again = domain.attach(device, LIVE).unwrap_err().text;
            assert!(again.contains("already exists"), "{again}");
        }
        let said = run(&domain, "stat -c '%F %t:%T %a %u:%g' /dev/sdb; head -c 7 /dev/sdc");
        let expected = format!("block special file {} 700 0:0\r\ncontent", number(device.path()));
        assert!(said.contains(&expected), "{said}");
        // Two names for one device: it stays what the other one says.
        assert_eq!(access(&domain, "/dev/sdc"), (true, true));
        for (device, node, _, alias) in cases.iter().rev() {
            domain.detach(device, LIVE).unwrap();
            events.expect(&domain, &[Step::DeviceRemoved((*alias).to_owned())]);
            assert_eq!(access(&domain, node), (false, false), "{node} after");
            let reads = *node != "/dev/sdc";
            assert_eq!(access(&domain, "/dev/sdc"), (reads, reads && *node == tun));
        }
        let (major, minor) = number(device.path())
            .split_once(':')
            .map(|(major, minor)| {
                let decimal = |hex| u32::from_str_radix(hex, 16).unwrap();
                (decimal(major), decimal(minor))
            })
            .unwrap();
        run(&domain, &format!("mknod /own b {major} {minor}"));
        assert!(!access(&domain, "/own").0, "nothing is left of its right");
        run(&domain, "rm -f /own");
        let controllers = |xml: &str| -> Vec<String> {
            xml.lines().filter(|line| !line.contains("<controller")).map(str::to_owned).collect()
        };
        assert_eq!(controllers(&domain.xml(0).unwrap()), controllers(&start));
        domain.destroy().unwrap();
        events.expect(&domain, &[Step::DESTROYED]);
    }
    host.assert_idle();
}

#[test]
fn what_fails_leaves_everything_as_it_was() {
    let Some(host) = Host::new("what_fails_leaves_everything_as_it_was") else { return };
    bridge(&host);
    let device = Loop::new("fails");
    let domain = host
        .bus()
        .define(shell(host.document("fails")).device(&on_bridge("10.7.0.2", "")))
        .unwrap();
    domain.create().unwrap();
    run(&domain, "mkdir /dev/sdb; ip link add taken type veth peer name other");
    let (live, definition) = (domain.xml(0).unwrap(), domain.xml(2).unwrap());
    let inventory = host.inventory();
    let nowhere =
        "<filesystem type='bind'><source dir='/nowhere'/><target dir='/a/b'/></filesystem>";
    let route = "<route address='0.0.0.0' gateway='10.99.0.1'/>";
    for (attached, expected) in [
        (block(device.path(), "sdb", ""), "create device /dev/sdb: File exists"),
        (block("/dev/null-and-void", "sdc", ""), "Unable to access /dev/null-and-void"),
        (block("/etc/passwd", "sdc", ""), "must be a character/block device"),
        (file(Path::new("/nowhere.img"), "sdc", ""), "cannot open image /nowhere.img"),
        (on_bridge("10.7.0.3", "<guest dev='eth0'/>"), "is called 'eth0' in the container already"),
        (on_bridge("10.7.0.3", "<guest dev='taken'/>"), "File exists"),
        (on_bridge("10.7.0.3", route), "make the route to 0.0.0.0/0"),
        (on_bridge("10.7.0.3", "<target dev='br0'/>"), "unable to create br0"),
        (on_bridge("10.7.0.3", "<script path='/x'/>"), "scripts are not supported"),
        (nowhere.to_owned(), "mount on /a/b"),
        ("<console type='pty'/>".to_owned(), "live attach of device is not supported"),
        ("<controller type='scsi'/>".to_owned(), "of device is not supported"),
        ("<foo/>".to_owned(), "unknown device type 'foo'"),
    ] {
        let failure = domain.attach(&attached, LIVE | CONFIG).unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}, not {expected:?}");
        assert_eq!(domain.xml(0).unwrap(), live, "{attached}");
        assert_eq!(domain.xml(2).unwrap(), definition, "{attached}");
        inventory.assert_same(&host.inventory(), &attached);
    }
    let tree = run(&domain, "ls -d /a /dev/sdc; ip -o link | wc -l; cat /proc/mounts | grep /a");
    assert!(tree.contains("/a: No such file") && tree.contains("\n4\r\n"), "{tree}");
    let (code, flags) = (domain.attach("<disk/>", 4).unwrap_err(), 4);
    assert!(code.text.contains(&format!("unsupported flags (0x{flags})")), "{code:?}");
    domain.destroy().unwrap();
    assert!(domain.attach("<disk/>", LIVE).unwrap_err().text.contains("domain is not running"));
    domain.undefine().unwrap();
    remove(&host, "br0");
}

#[test]
fn definitions_and_running_domains_change_together_or_alone() {
    let name = "definitions_and_running_domains_change_together_or_alone";
    let Some(mut host) = Host::new(name) else { return };
    let device = Loop::new("both");
    let domain = host.bus().define(shell(host.document("both"))).unwrap();
    let disk = |target: &str| block(device.path(), target, "");
    domain.attach(&disk("sda"), 0).unwrap();
    domain.create().unwrap();
    assert!(access(&domain, "/dev/sda").0);
    domain.attach(&disk("sdb"), 0).unwrap();
    domain.attach(&disk("sdc"), CONFIG).unwrap();
    domain.attach(&disk("sdd"), LIVE | CONFIG).unwrap();
    let has = |flags: u32| {
        let xml = domain.xml(flags).unwrap();
        ["sda", "sdb", "sdc", "sdd"].map(|it| xml.contains(&format!("<target dev='{it}'")))
    };
    assert_eq!(has(0), [true, true, false, true]);
    assert_eq!(has(2), [true, false, true, true]);
    let nodes = run(&domain, "echo /dev/sd*");
    assert!(nodes.contains("/dev/sda /dev/sdb /dev/sdd\r\n"), "{nodes}");
    // The container starts itself again, and the daemon as well: it keeps what it had.
    let mut console = domain.console();
    console.type_line("reboot -f");
    console.wait_for("ready\r\n");
    drop(console);
    let nodes = run(&domain, "echo /dev/sd*");
    assert!(nodes.contains("/dev/sda /dev/sdb /dev/sdd\r\n"), "{nodes}");
    let (path, live) = (domain.path.clone(), domain.xml(0).unwrap());
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().at(&path);
    assert_eq!(domain.xml(0).unwrap(), live);
    domain.detach(&disk("sdb"), LIVE).unwrap();
    domain.detach(&disk("sda"), LIVE | CONFIG).unwrap();
    let nodes = run(&domain, "echo /dev/sd*");
    assert!(nodes.contains("\n/dev/sdd\r\n") || nodes.starts_with("/dev/sdd\r\n"), "{nodes}");
    let missing = domain.detach(&disk("sda"), LIVE).unwrap_err().text;
    assert_eq!(missing, "operation failed: disk sda not found");
    let missing = domain.detach(&disk("sda"), CONFIG).unwrap_err().text;
    assert_eq!(missing, "invalid argument: no target device sda");
    domain.destroy().unwrap();
    domain.create().unwrap();
    let nodes = run(&domain, "echo /dev/sd*");
    assert!(nodes.contains("/dev/sdc /dev/sdd\r\n"), "{nodes}");
    domain.destroy().unwrap();
    domain.undefine().unwrap();
    host.assert_idle();
}

#[test]
fn disks_are_files_as_long_as_their_container_runs() {
    let Some(mut host) = Host::new("disks_are_files_as_long_as_their_container_runs") else {
        return;
    };
    let (first, second) = (image(&host, "first.img"), image(&host, "second.img"));
    let before = host.inventory();
    let document = shell(host.document("files")).device(&file(&first, "sda", "<readonly/>"));
    let domain = host.run(&document);
    assert_eq!(access(&domain, "/dev/sda"), (true, false));
    domain.attach(&file(&second, "sdb", ""), LIVE).unwrap();
    let said = run(&domain, "head -c 7 /dev/sdb; printf written >/dev/sdb");
    assert!(said.contains("content"), "{said}");
    run(&domain, "sync");
    assert!(fs::read(&second).unwrap().starts_with(b"written"));
    // A file that one writes is nobody else's.
    let other = shell(host.document("other")).device(&file(&second, "sda", ""));
    let taken = host.bus().create_xml(other).unwrap_err().text;
    assert!(taken.contains("another container or program has it locked"), "{taken}");
    let format = "<driver name='loop' type='qcow2'/>";
    let refused = domain.attach(&file(&second, "sdc", format), LIVE).unwrap_err().text;
    assert!(refused.contains("disk format qcow2 is not supported"), "{refused}");
    domain.detach(&file(&second, "sdb", ""), LIVE).unwrap();
    let free = Command::new("losetup").arg("--associated").arg(&second).output().unwrap();
    assert!(free.stdout.is_empty(), "{}", String::from_utf8_lossy(&free.stdout));
    domain.attach(&file(&second, "sdb", "<readonly/>"), LIVE).unwrap();
    let mut console = domain.console();
    console.type_line("reboot -f");
    console.wait_for("ready\r\n");
    drop(console);
    assert_eq!(access(&domain, "/dev/sdb"), (true, false));
    domain.destroy().unwrap();
    until("the loop devices are gone", || host.inventory() == before);

    // Nothing is left either when the daemon and the supervisor are killed.
    let domain = host.run(&document);
    domain.attach(&file(&second, "sdb", ""), LIVE).unwrap();
    let supervisor = crate::support::process::Process::open(domain.id()).unwrap();
    host.kill_daemon();
    supervisor.kill_and_wait();
    host.start_daemon();
    until("the loop devices are gone", || {
        let all = Command::new("losetup").args(["--list", "--noheadings"]).output().unwrap();
        !String::from_utf8_lossy(&all.stdout).contains(&*host.directory.to_string_lossy())
    });
    assert!(host.bus().by_name("files").is_err());
}

#[test]
fn network_devices_come_and_go() {
    let Some(mut host) = Host::new("network_devices_come_and_go") else { return };
    bridge(&host);
    ip(&host, "link add parent type veth peer name wire");
    ip(&host, "link set wire up");
    ip(&host, "link set parent up");
    ip(&host, "link add card address 52:54:00:00:09:09 type veth peer name cable");
    ip(&host, "link set cable up");
    let made = host.network.links();
    let domain =
        host.run(&shell(host.document("nets")).element("").device(&on_bridge("10.7.0.2", "")));
    let route = "<route address='10.9.0.0' prefix='16' gateway='10.7.1.9' metric='7'/>";
    let net = on_bridge(
        "10.7.1.3",
        &format!("<mac address='52:54:00:00:00:33'/><mtu size='1400'/>{route}"),
    );
    let pair = "<interface type='ethernet'><mac address='52:54:00:00:00:44'/><target dev='mine'/>\
                <guest dev='lan'/><source><ip address='10.8.0.1' prefix='24'/></source>\
                <ip address='10.8.0.2' prefix='24'/></interface>";
    let share = "<interface type='direct'><mac address='52:54:00:00:00:55'/>\
                 <source dev='parent' mode='bridge'/><ip address='10.6.0.2' prefix='24'/></interface>";
    let card = "<hostdev mode='capabilities' type='net'><source><interface>card</interface></source>\
                <ip address='10.5.0.2' prefix='24'/></hostdev>";
    for device in [card, &net, pair, share] {
        domain.attach(device, LIVE).unwrap();
    }
    let check = |domain: &Domain| {
        for (link, expected) in [
            ("eth0", &["10.7.0.2/24"][..]),
            ("eth1", &["10.7.1.3/24", "52:54:00:00:00:33", "mtu 1400", ",UP"]),
            ("lan", &["10.8.0.2/24", ",UP"]),
            ("eth2", &["10.6.0.2/24", "52:54:00:00:00:55", ",UP"]),
            ("card", &["10.5.0.2/24", "52:54:00:00:09:09", ",UP"]),
        ] {
            let found = run(domain, &format!("ip address show {link}"));
            assert!(expected.iter().all(|it| found.contains(it)), "{link}: {found}");
        }
        let routes = run(domain, "ip route");
        assert!(routes.contains("10.9.0.0/16 via 10.7.1.9 dev eth1  metric 7"), "{routes}");
    };
    check(&domain);
    assert!(ip(&host, "link show vnet1").contains("master br0"));
    assert!(ip(&host, "address show mine").contains("10.8.0.1/24"));
    let pinged = run(&domain, "ping -c 1 -w 20 10.8.0.1");
    assert!(pinged.contains("1 packets received"), "{pinged}");
    let live = domain.xml(0).unwrap();
    for expected in ["<target dev='vnet1'/>", "<guest dev='eth1'/>", "<alias name='net1'/>"] {
        assert!(live.contains(expected), "{expected}: {live}");
    }
    let mut console = domain.console();
    console.type_line("reboot -f");
    console.wait_for("ready\r\n");
    drop(console);
    check(&domain);
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().at(&domain.path);
    assert_eq!(domain.xml(0).unwrap(), live);
    check(&domain);

    // By another name inside it is the same device.
    run(&domain, "ip link set eth2 down; ip link set eth2 name other");
    for device in [&net, pair, share, card] {
        domain.detach(device, LIVE).unwrap();
    }
    let left = run(&domain, "ip -o link");
    assert!(left.contains("eth0") && !left.contains("eth1"), "{left}");
    assert!(!left.contains("lan") && !left.contains("other") && !left.contains("card"), "{left}");
    let missing = domain.detach(pair, LIVE).unwrap_err().text;
    assert!(missing.contains("matching MAC address '52:54:00:00:00:44'"), "{missing}");
    for device in [card, &net, share] {
        domain.attach(device, LIVE).unwrap();
    }
    domain.destroy().unwrap();
    assert_eq!(host.network.links(), made);
    for link in ["card", "parent"] {
        ip(&host, &format!("link del {link}"));
    }
    remove(&host, "br0");
}

#[test]
fn the_link_of_an_interface_goes_down_and_up() {
    let Some(host) = Host::new("the_link_of_an_interface_goes_down_and_up") else { return };
    bridge(&host);
    let route = "<route address='10.9.0.0' prefix='16' gateway='10.7.0.9'/>";
    let net = |more: &str| {
        on_bridge("10.7.0.2", &format!("<mac address='52:54:00:00:00:11'/>{route}{more}"))
    };
    let domain = host.run(&shell(host.document("turn")).device(&net("")));
    let is_up = || run(&domain, "ip link show eth0").contains(",UP");
    let has_route = || run(&domain, "ip route").contains("10.9.0.0/16");
    assert!(is_up() && has_route());
    domain.update(&net("<link state='down'/>"), LIVE).unwrap();
    assert!(!is_up() && !has_route());
    assert!(domain.xml(0).unwrap().contains("<link state='down'/>"));
    domain.update(&net("<link state='up'/>"), 0).unwrap();
    assert!(is_up() && has_route());
    let refused = domain.update(&net("<mtu size='1400'/>"), LIVE).unwrap_err().text;
    assert!(refused.contains("Unable to modify live devices"), "{refused}");
    let refused = domain.update(&block("/dev/x", "sda", ""), LIVE).unwrap_err().text;
    assert_eq!(refused, "Operation not supported: Unable to modify live devices");
    domain.destroy().unwrap();
    remove(&host, "br0");
}

#[test]
fn a_container_on_the_hosts_network_gets_no_device() {
    let Some(host) = Host::new("a_container_on_the_hosts_network_gets_no_device") else { return };
    bridge(&host);
    let domain = host.run(&shell(host.document("open")));
    let refused = domain.attach(&on_bridge("10.7.0.2", ""), LIVE).unwrap_err().text;
    assert!(refused.contains("has no network of its own"), "{refused}");
    domain.destroy().unwrap();
    remove(&host, "br0");
}

fn filesystem(kind: &str, source: &str, target: &str, more: &str) -> String {
    format!(
        "<filesystem type='{kind}'><source {source}/><target dir='{target}'/>{more}</filesystem>"
    )
}

#[test]
fn file_systems_come_and_go() {
    let Some(mut host) = Host::new("file_systems_come_and_go") else { return };
    let shared = host.directory.join("shared");
    fs::create_dir_all(&shared).unwrap();
    fs::write(shared.join("file"), "content").unwrap();
    let ext4 = host.directory.join("ext4.img");
    File::create(&ext4).unwrap().set_len(8 << 20).unwrap();
    assert!(
        Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&ext4).status().unwrap().success()
    );
    for (name, ids) in [("plain", ""), ("mapped", IDS)] {
        let domain = host.run(&shell(host.document(name)).element(ids));
        let mounted = format!("dir='{}'", shared.display());
        let all = [
            filesystem("mount", &mounted, "/hot/read", "<readonly/>"),
            filesystem("mount", &mounted, "/hot/write", ""),
            filesystem("ram", "usage='64'", "/hot/ram", ""),
            filesystem("file", &format!("file='{}'", ext4.display()), "/hot/image", ""),
            filesystem("bind", "dir='/hot/read'", "/hot/bound", ""),
        ];
        for device in &all {
            domain.attach(device, LIVE).unwrap();
        }
        let check = |domain: &Domain| {
            assert_eq!(access(domain, "/hot/read/file"), (true, false));
            assert!(access(domain, "/hot/bound/file").0);
            let mounts = run(domain, "cat /proc/mounts");
            assert!(
                mounts.contains("/hot/ram tmpfs") && mounts.contains("/hot/image ext4"),
                "{mounts}"
            );
        };
        check(&domain);
        if ids.is_empty() {
            assert_eq!(access(&domain, "/hot/write/file"), (true, true));
        }
        let mut console = domain.console();
        console.type_line("reboot -f");
        console.wait_for("ready\r\n");
        drop(console);
        check(&domain);
        let again = domain.attach(&all[2], LIVE).unwrap_err().text;
        assert_eq!(again, "operation failed: target /hot/ram already exists");
        if ids.is_empty() {
            // What is in use stays, all of it.
            run(&domain, "mkdir /hot/ram/below; mount -t tmpfs none /hot/ram/below; cd /hot/ram");
            let busy = domain.detach(&all[2], LIVE).unwrap_err().text;
            assert!(busy.contains("the container uses it"), "{busy}");
            let mounts = run(&domain, "cat /proc/mounts; cd /");
            assert!(mounts.contains("/hot/ram/below tmpfs"), "{mounts}");
            assert!(domain.xml(0).unwrap().contains("<target dir='/hot/ram'/>"));
            host.kill_daemon();
            host.start_daemon();
        } else {
            // Since the restart they are the user namespace's, which holds them where they are.
            let locked = domain.detach(&all[2], LIVE).unwrap_err().text;
            assert!(locked.contains("locked in the container's user namespace"), "{locked}");
        }
        let domain = host.bus().at(&domain.path);
        if ids.is_empty() {
            for device in all.iter().rev() {
                domain.detach(device, LIVE).unwrap();
            }
            let mounts = run(&domain, "cat /proc/mounts");
            assert!(!mounts.contains("/hot"), "{mounts}");
        }
        let root = filesystem("mount", "dir='/'", "/", "");
        let refused = domain.detach(&root, LIVE).unwrap_err().text;
        assert!(refused.contains("the root file system cannot be detached"), "{refused}");
        domain.destroy().unwrap();
    }
    until("the loop device is gone", || {
        let all = Command::new("losetup").arg("--associated").arg(&ext4).output().unwrap();
        all.stdout.is_empty()
    });
}

#[test]
fn a_path_of_the_containers_leads_to_no_guard() {
    let Some(host) = Host::new("a_path_of_the_containers_leads_to_no_guard") else { return };
    let ram = filesystem("ram", "usage='64'", "/away/sys", "");
    let domain = host.run(&shell(host.document("away")));
    let outside = host.directory.join("outside");
    fs::create_dir_all(&outside).unwrap();
    domain.attach(&ram, LIVE).unwrap();
    run(&domain, "umount /away/sys; rmdir /away/sys /away; ln -s /proc /away");
    let guards = || run(&domain, "grep -c /proc /proc/mounts");
    let before = guards();
    let refused = domain.detach(&ram, LIVE).unwrap_err().text;
    assert!(refused.contains("is /proc/sys, which is in /proc"), "{refused}");
    assert_eq!(guards(), before);
    // Nor out of the container.
    run(&domain, &format!("rm /away; ln -s {} /away", outside.display()));
    domain.detach(&ram, LIVE).unwrap();
    let refused = domain.attach(&filesystem("ram", "usage='64'", "/away/x", ""), LIVE);
    assert!(refused.unwrap_err().text.contains("cannot open mount point /away/x"));
    assert!(!outside.join("x").exists());
    domain.destroy().unwrap();
    host.assert_idle();
}

#[test]
fn addresses_and_traffic_are_the_containers() {
    let Some(host) = Host::new("addresses_and_traffic_are_the_containers") else { return };
    ip(&host, "link add parent type veth peer name wire");
    ip(&host, "link set parent up");
    let pair = "<interface type='ethernet'><mac address='52:54:00:00:00:44'/><target dev='mine'/>\
                <source><ip address='10.8.0.1' prefix='24'/></source>\
                <ip address='10.8.0.2' prefix='24'/></interface>";
    let share = "<interface type='direct'><mac address='52:54:00:00:00:55'/>\
                 <source dev='parent' mode='bridge'/><ip address='10.6.0.2' prefix='24'/>\
                 </interface>";
    let domain = host.run(&shell(host.document("known")).device(pair).device(share));
    let pinged = run(&domain, "ping -c 3 -w 20 10.8.0.1");
    assert!(pinged.contains("3 packets received"), "{pinged}");
    let addresses = |source: u32| domain.interface_addresses(source, 0).unwrap();
    let inside = addresses(1);
    let of = |name: &str| inside.iter().find(|(link, ..)| link == name).unwrap().clone();
    let (_, mac, known) = of("eth0");
    assert_eq!(mac, "52:54:00:00:00:44");
    assert!(known.contains(&(0, "10.8.0.2".to_owned(), 24)), "{known:?}");
    assert!(of("eth1").2.contains(&(0, "10.6.0.2".to_owned(), 24)), "{inside:?}");
    assert!(!inside.iter().any(|(link, ..)| link == "lo"));
    assert_eq!(addresses(0), []);
    let expected = [("mine".to_owned(), mac, vec![(0, "10.8.0.2".to_owned(), 0)])];
    let mut learnt = addresses(2);
    // What it said of version 6 by itself comes when it comes.
    learnt.iter_mut().for_each(|(.., known)| known.retain(|(kind, ..)| *kind == 0));
    assert_eq!(learnt, expected);
    let refused = domain.interface_addresses(9, 0).unwrap_err().text;
    assert_eq!(refused, "argument unsupported: Unsupported IP address data source 9");

    let stats = domain.stats(1 << 4);
    assert_eq!(stats.get::<String>("net.0.name"), "mine");
    assert_eq!(stats.get::<u32>("net.count"), 1);
    // Three requests and their answers, and who asks whom.
    assert!(stats.get::<u64>("net.0.tx.pkts") >= 3 && stats.get::<u64>("net.0.rx.pkts") >= 3);
    let text = run(&domain, "cat /sys/class/net/eth0/statistics/tx_dropped");
    assert!(text.starts_with(&format!("{}\r\n", stats.get::<u64>("net.0.tx.drop"))), "{text}");
    domain.destroy().unwrap();
    ip(&host, "link del parent");
    host.assert_only(&[]);
}

#[test]
fn what_comes_of_the_host_hides_the_daemon_and_the_kernels_file_systems() {
    let name = "what_comes_of_the_host_hides_the_daemon_and_the_kernels_file_systems";
    let Some(host) = Host::new(name) else { return };
    let domain = host.run(&shell(host.document("hidden")));
    domain.attach(&filesystem("mount", "dir='/'", "/host", "<readonly/>"), LIVE).unwrap();
    let directory = host.directory.display();
    let said = run(&domain, &format!("ls -d /host{directory}"));
    assert!(said.contains(&format!("/host{directory}\r\n")), "{said}");
    let mounts = run(&domain, "grep -c -E ' /host/(proc|sys) ' /proc/mounts");
    assert!(mounts.starts_with("0\r\n"), "{mounts}");
    let own = host.paths.run.display();
    let hidden = run(&domain, &format!("ls -A /host{own} | wc -l"));
    assert!(hidden.starts_with("0\r\n"), "{hidden}");
    domain.detach(&filesystem("mount", "dir='/'", "/host", ""), LIVE).unwrap();
    let mounts = run(&domain, "grep -c /host /proc/mounts");
    assert!(mounts.starts_with("0\r\n"), "{mounts}");
    domain.destroy().unwrap();
}
