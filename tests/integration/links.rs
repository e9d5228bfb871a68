//! Network devices of containers, in the network namespace of each test's own host.

use std::process::Command;

use crate::support::process::Process;
use crate::support::shell::{run, shell};
use crate::support::{Host, until};

/// Runs `ip` on the test's host.
pub fn ip(host: &Host, arguments: &str) -> String {
    let output = host.network.within(|| {
        let arguments = arguments.split_whitespace();
        Command::new("ip").args(arguments).output().unwrap()
    });
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// A bridge without an address.
pub fn bridge(host: &Host) {
    ip(host, "link add br0 type bridge");
    ip(host, "link set br0 up");
}

/// Removes the one link that a test has made on its host, where no other is left.
pub fn remove(host: &Host, link: &str) {
    host.assert_only(&[link]);
    ip(host, &format!("link del {link}"));
}

pub fn on_bridge(address: &str, more: &str) -> String {
    format!(
        "<interface type='bridge'><source bridge='br0'/><ip address='{address}' prefix='24'/>\
         {more}</interface>"
    )
}

const ROUTES: &str = "<route address='0.0.0.0' gateway='10.7.0.1'/>\
     <route address='10.9.0.0' prefix='16' gateway='10.7.0.9' metric='7'/>";

#[test]
fn containers_on_a_bridge_reach_each_other() {
    let Some(host) = Host::new("containers_on_a_bridge_reach_each_other") else { return };
    bridge(&host);
    let mac = "<mac address='52:54:00:aa:bb:cc'/><mtu size='1400'/><target dev='web'/>";
    let first = host.run(
        &shell(host.document("first")).device(&on_bridge("10.7.0.2", &format!("{mac}{ROUTES}"))),
    );
    let ids = "<idmap><uid start='0' target='100000' count='65536'/>\
               <gid start='0' target='100000' count='65536'/></idmap>";
    let second =
        host.run(&shell(host.document("second")).element(ids).device(&on_bridge("10.7.0.3", "")));
    let pinged = run(&second, "ping -c 1 -w 20 10.7.0.2");
    assert!(pinged.contains("1 packets received"), "{pinged}");

    let link = run(&first, "ip address show eth0");
    for expected in ["52:54:00:aa:bb:cc", "mtu 1400", "UP", "10.7.0.2/24 brd 10.7.0.255"] {
        assert!(link.contains(expected), "{expected}: {link}");
    }
    let routes = run(&first, "ip route");
    for expected in ["default via 10.7.0.1 dev eth0", "10.9.0.0/16 via 10.7.0.9 dev eth0  metric 7"]
    {
        assert!(routes.contains(expected), "{expected}: {routes}");
    }
    let port = ip(&host, "link show web");
    for expected in ["master br0", "mtu 1400", "fe:54:00:aa:bb:cc", "UP"] {
        assert!(port.contains(expected), "{expected}: {port}");
    }
    let live = first.xml(0).unwrap();
    assert!(live.contains("<target dev='web'/>") && live.contains("<guest dev='eth0'/>"), "{live}");
    let live = second.xml(0).unwrap();
    assert!(live.contains("<target dev='vnet0'/>"), "{live}");
    first.destroy().unwrap();
    second.destroy().unwrap();
    remove(&host, "br0");
}

#[test]
fn links_come_again_after_a_reboot_and_a_restart_of_the_daemon() {
    let name = "links_come_again_after_a_reboot_and_a_restart_of_the_daemon";
    let Some(mut host) = Host::new(name) else { return };
    bridge(&host);
    let mut document = shell(host.document("again"));
    for (address, more) in [("10.7.0.2", ""), ("10.7.0.3", "<target dev='fixed'/>")] {
        document = document.device(&on_bridge(address, more));
    }
    let domain = host.run(&document);
    let path = domain.path.clone();
    let live = domain.xml(0).unwrap();
    let links = host.network.links();
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    console.type_line("reboot -f");
    console.wait_for("ready\r\n");
    drop(console);
    assert_eq!(host.network.links(), links);
    assert!(run(&domain, "ip address show eth1").contains("10.7.0.3/24"));
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().at(&path);
    assert_eq!(domain.xml(0).unwrap(), live);
    assert!(live.contains("<target dev='vnet0'/>") && live.contains("<target dev='fixed'/>"));
    domain.destroy().unwrap();
    remove(&host, "br0");
}

#[test]
fn a_link_without_an_address_is_down_unless_it_is_to_be_up() {
    let name = "a_link_without_an_address_is_down_unless_it_is_to_be_up";
    let Some(host) = Host::new(name) else { return };
    bridge(&host);
    let bare =
        |more: &str| format!("<interface type='bridge'><source bridge='br0'/>{more}</interface>");
    let document = shell(host.document("bare"))
        .device(&bare(""))
        .device(&bare("<link state='up'/><guest dev='lan'/>"))
        .device(&bare("<link state='down'/><port isolated='yes'/>"));
    let domain = host.run(&document);
    let state = |link: &str| run(&domain, &format!("ip link show {link}")).contains(",UP");
    assert_eq!(["eth0", "lan", "eth1"].map(state), [false, true, false]);
    let port = |link: &str| ip(&host, &format!("-d link show {link}"));
    assert!(port("vnet2").contains("isolated on"), "{}", port("vnet2"));
    assert!(port("vnet1").contains("isolated off"), "{}", port("vnet1"));
    domain.destroy().unwrap();
    remove(&host, "br0");
}

#[test]
fn what_is_not_there_or_taken_is_refused_before_anything_is_made() {
    let name = "what_is_not_there_or_taken_is_refused_before_anything_is_made";
    let Some(host) = Host::new(name) else { return };
    bridge(&host);
    let good = on_bridge("10.7.0.2", "");
    for (interface, expected) in [
        (
            "<interface type='bridge'><source bridge='no'/></interface>",
            "Unable to add bridge no port",
        ),
        ("<interface type='bridge'><source bridge='lo'/></interface>", "'lo' of interface"),
        (
            "<interface type='direct'><source dev='no'/></interface>",
            "Unable to get index for interface no",
        ),
        (&on_bridge("10.7.0.3", "<target dev='br0'/>"), "unable to create br0 <-> eth1 veth pair"),
        (&on_bridge("10.7.0.3", "<guest dev='eth0'/>"), "two network devices are called 'eth0'"),
        (&on_bridge("10.7.0.3", "<guest dev='a/b'/>"), "'a/b' in <guest dev> is no name"),
        (&on_bridge("10.7.0.3", "<vlan><tag id='3'/></vlan>"), "<vlan> of interface"),
        (&on_bridge("10.7.0.3", "<bandwidth><inbound average='9'/></bandwidth>"), "<bandwidth>"),
        (&on_bridge("10.7.0.3", "<virtualport type='openvswitch'/>"), "<virtualport>"),
        (&on_bridge("10.7.0.3", "<filterref filter='clean-traffic'/>"), "<filterref>"),
        (&on_bridge("10.7.0.3", "<script path='/x'/>"), "scripts are not supported on LXC"),
        ("<interface type='network'><source network='default'/></interface>", "'default' is not"),
        ("<interface type='user'/>", "Unsupported network type user"),
        (
            "<hostdev mode='capabilities' type='net'><source><interface>no</interface></source>\
             </hostdev>",
            "Cannot find device 'no'",
        ),
    ] {
        let document = host.document("bad").device(&good).device(interface);
        let failure = host.bus().create_xml(document).unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}, not {expected:?}");
    }
    // Half of it is made, then a gateway is out of reach; then the kernel refuses an address.
    let route = "<route address='0.0.0.0' gateway='10.99.0.1'/>";
    let twice = "<ip address='10.7.0.4' prefix='24'/><ip address='10.7.0.4' prefix='24'/>";
    for (more, expected) in
        [(route, "make the route to 0.0.0.0/0"), (twice, "give address 10.7.0.4")]
    {
        let document = host.document("half").device(&good).device(&on_bridge("10.7.0.3", more));
        let failure = host.bus().create_xml(document).unwrap_err();
        assert!(failure.text.contains(expected), "{failure:?}");
        host.assert_only(&["br0"]);
    }
    remove(&host, "br0");
}

#[test]
fn nothing_is_left_of_links_when_everything_is_killed() {
    let name = "nothing_is_left_of_links_when_everything_is_killed";
    let Some(mut host) = Host::new(name) else { return };
    bridge(&host);
    let interface = on_bridge("10.7.0.2", "<target dev='web'/>");
    let document = shell(host.document("killed")).device(&interface);
    // A supervisor alone: the name is free when the end is told.
    let domain = host.bus().define(&document).unwrap();
    for _ in 0..3 {
        domain.create().unwrap();
        Process::open(domain.id()).unwrap().kill_and_wait();
        until("the domain is shut off", || domain.state().0 == 5);
    }
    domain.create().unwrap();
    let supervisor = Process::open(domain.id()).unwrap();
    host.kill_daemon();
    supervisor.kill_and_wait();
    until("the pair is gone", || !host.network.links().contains(&"web".to_owned()));
    host.start_daemon();
    host.bus().by_name("killed").unwrap().undefine().unwrap();
    remove(&host, "br0");
}

#[test]
fn the_hosts_end_of_a_pair_has_addresses_and_routes() {
    let Some(host) = Host::new("the_hosts_end_of_a_pair_has_addresses_and_routes") else { return };
    let interface = "<interface type='ethernet'><source><ip address='10.8.0.1' peer='10.8.0.2' \
         prefix='32'/><ip family='ipv6' address='fd00:8::1' prefix='64'/>\
         <route address='10.20.0.0' prefix='16' gateway='10.8.0.2'/></source>\
         <ip address='10.8.0.2' peer='10.8.0.1' prefix='32'/>\
         <ip family='ipv6' address='fd00:8::2' prefix='64'/>\
         <route address='0.0.0.0' gateway='10.8.0.1'/></interface>";
    let domain = host.run(&shell(host.document("pair")).device(interface));
    let pinged = run(&domain, "ping -c 1 -w 20 10.8.0.1");
    assert!(pinged.contains("1 packets received"), "{pinged}");
    assert!(run(&domain, "ip address show eth0").contains("fd00:8::2/64"));
    assert!(run(&domain, "ip route").contains("default via 10.8.0.1 dev eth0"));
    assert!(ip(&host, "address show vnet0").contains("inet 10.8.0.1 peer 10.8.0.2/32"));
    assert!(ip(&host, "address show vnet0").contains("inet6 fd00:8::1/64"));
    assert!(ip(&host, "route").contains("10.20.0.0/16 via 10.8.0.2 dev vnet0"));
    domain.destroy().unwrap();
    host.assert_only(&[]);
}

#[test]
fn a_device_of_the_host_is_shared_in_every_mode() {
    let Some(host) = Host::new("a_device_of_the_host_is_shared_in_every_mode") else { return };
    ip(&host, "link add parent address 52:54:00:00:00:01 type veth peer name wire");
    ip(&host, "link set wire up");
    ip(&host, "link set parent up");
    let direct = |mode: &str, last: u8| {
        format!(
            "<interface type='direct'><source dev='parent' mode='{mode}'/>\
             <mac address='52:54:00:00:01:0{last}'/><ip address='10.6.0.{last}' prefix='24'/>\
             </interface>"
        )
    };
    let document = |name: &str, mode, last| shell(host.document(name)).device(&direct(mode, last));
    let first = host.run(&document("first", "bridge", 1));
    let second = host.run(&document("second", "bridge", 2));
    let pinged = run(&second, "ping -c 1 -w 20 10.6.0.1");
    assert!(pinged.contains("1 packets received"), "{pinged}");
    let live = second.xml(0).unwrap();
    assert!(live.contains("<guest dev='eth0'/>") && !live.contains("<target dev"), "{live}");
    let others =
        [host.run(&document("third", "private", 3)), host.run(&document("fourth", "vepa", 4))];
    for (domain, last) in others.iter().zip([3, 4]) {
        assert!(run(domain, "ip link show eth0").contains(&format!("52:54:00:00:01:0{last}")));
    }
    let failure = host.bus().create_xml(document("fifth", "passthrough", 5)).unwrap_err();
    assert!(failure.text.contains("make a share of link parent called eth0"), "{failure:?}");
    for domain in others.iter().chain([&first, &second]) {
        domain.destroy().unwrap();
    }
    // The device can be had at once by the next, and by itself again.
    for _ in 0..3 {
        let domain = host.run(&document("sole", "passthrough", 5));
        assert!(run(&domain, "ip link show eth0").contains("52:54:00:00:01:05"));
        domain.destroy().unwrap();
    }
    assert!(ip(&host, "link show parent").contains("52:54:00:00:00:01"));
    ip(&host, "link del parent");
}

#[test]
fn a_device_of_the_host_comes_back_under_its_name() {
    let Some(host) = Host::new("a_device_of_the_host_comes_back_under_its_name") else { return };
    ip(&host, "link add card type veth peer name wire");
    let with = |more: &str| {
        let device = format!(
            "<hostdev mode='capabilities' type='net'><source><interface>card</interface></source>\
             <ip address='10.5.0.2' prefix='24'/>{more}</hostdev>"
        );
        shell(host.document("owner")).device(&device)
    };
    let route = "<route address='0.0.0.0' gateway='10.5.0.1'/>";
    let domain = host.run(&with(route));
    host.assert_only(&["wire"]);
    assert!(run(&domain, "ip address show card").contains("10.5.0.2/24"));
    assert!(run(&domain, "ip route").contains("default via 10.5.0.1 dev card"));
    run(&domain, "ip link set card down; ip link set card name mine");
    let mut console = domain.console();
    console.type_line("reboot -f");
    console.wait_for("ready\r\n");
    drop(console);
    assert!(run(&domain, "ip address show card").contains("10.5.0.2/24"));
    domain.destroy().unwrap();
    host.assert_only(&["wire", "card"]);
    // It comes back from a container that fails to start as well.
    let failure = host.bus().create_xml(with("<route address='0.0.0.0' gateway='10.1.0.1'/>"));
    assert!(failure.is_err());
    let shared = "<lxc:namespace xmlns:lxc='http://libvirt.org/schemas/domain/lxc/1.0'>\
                  <lxc:sharenet type='pid' value='1'/></lxc:namespace>";
    let failure = host.bus().create_xml(with("").element(shared)).unwrap_err();
    assert!(failure.text.contains("Config asks for inherit net"), "{failure:?}");
    ip(&host, "link del card");
}
