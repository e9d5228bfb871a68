use super::*;
use crate::model::samples::{assert_faults, fault, parse, printed};

fn devices(kind: &str, elements: &str) -> String {
    format!("<devices><interface type='{kind}'>{elements}</interface></devices>")
}

fn first(text: &str) -> Interface {
    parse(text).devices.interfaces[0].clone()
}

#[test]
fn parts_are_written_in_libvirts_order() {
    let given = [
        "<address type='pci' slot='5'/>",
        "<acpi index='3'/>",
        "<rom file='/r'/>",
        "<boot order='1'/>",
        "<alias name='ua-x'/>",
        "<coalesce><rx><frames max='3'/></rx></coalesce>",
        "<mtu size='1500'/>",
        "<link state='down'/>",
        "<teaming type='persistent'/>",
        "<tune><sndbuf>5</sndbuf></tune>",
        "<filterref filter='f'/>",
        "<backend tap='/t/' vhost='/v'/>",
        "<driver rss='on' queues='1' txmode='iothread' name='vhost'><guest csum='off'/></driver>",
        "<model type='VirtIO'/>",
        "<guest dev='g' actual='h'/>",
        "<target dev='t'/>",
        "<backenddomain name='d'/>",
        "<downscript path='/d'/>",
        "<script path='/s'/>",
        "<portForward proto='tcp' address='2001:DB8::1'><range to='3' start='1'/><range/></portForward>",
        "<route address='0.0.0.0' gateway='1.2.3.4'/>",
        "<ip address='1.2.3.4'/>",
        "<port isolated='no'/>",
        "<bandwidth><inbound average='1'/></bandwidth>",
        "<virtualport type='802.1Qbh'/>",
        "<vlan><tag id='3'/></vlan>",
        "<source network='n'/>",
        "<mac address='0:11:22:33:44:55'/>",
        "<actual type='direct'/>",
    ];
    let text = format!(
        "<devices><interface type='network' trustGuestRxFilters='yes' managed='yes'>{}</interface>\
         </devices>",
        given.concat()
    );
    let expected = "\
<interface type='network' trustGuestRxFilters='yes'>
  <mac address='00:11:22:33:44:55'/>
  <source network='n'/>
  <vlan>
    <tag id='3'/>
  </vlan>
  <virtualport type='802.1Qbh'/>
  <bandwidth>
    <inbound average='1'/>
  </bandwidth>
  <port isolated='no'/>
  <ip address='1.2.3.4' family='ipv4'/>
  <route address='0.0.0.0' gateway='1.2.3.4'/>
  <portForward proto='tcp' address='2001:db8::1'>
    <range start='1' to='3'/>
  </portForward>
  <script path='/s'/>
  <downscript path='/d'/>
  <backenddomain name='d'/>
  <target dev='t'/>
  <guest dev='g'/>
  <model type='virtio'/>
  <driver name='vhost' txmode='iothread' rss='on'>
    <guest csum='off'/>
  </driver>
  <backend tap='/t' vhost='/v'/>
  <filterref filter='f'/>
  <tune>
    <sndbuf>5</sndbuf>
  </tune>
  <teaming type='persistent'/>
  <link state='down'/>
  <mtu size='1500'/>
  <coalesce>
    <rx>
      <frames max='3'/>
    </rx>
  </coalesce>
  <boot order='1'/>
  <rom file='/r'/>
  <acpi index='3'/>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/>
</interface>";
    let lines = printed(&text);
    let lines: Vec<_> = lines.iter().map(|line| line.strip_prefix("    ").unwrap()).collect();
    assert_eq!(lines, expected.lines().collect::<Vec<_>>());
}

#[test]
fn what_says_nothing_is_dropped() {
    let empty = "<mac address='52:54:00:0:0:1'/><script path=''/><guest dev=''/><link state=''/>\
                 <mtu size='0'/><model type='unknown'/><driver name='x' queues='x'/><backend/>\
                 <filterref/><tune/><teaming/><coalesce/><backend vhost='/v'/><port/>";
    assert_eq!(printed(&devices("ethernet", empty)).len(), 3);
    let text = devices("user", "<link/><link state='up'/><script/><script path='/s'/>");
    assert_eq!(first(&text).link, Some(LinkState::Up));
    assert_eq!(first(&text).script.as_deref(), Some("/s"));
}

#[test]
fn names_that_the_driver_chose_are_dropped() {
    let target = |attributes: &str| {
        let interface = first(&devices("ethernet", &format!("<target {attributes}/>")));
        interface.target
    };
    for name in ["vnet5", "vnetx", "macvtap0", "macvlan0"] {
        assert_eq!(target(&format!("dev='{name}'")), None);
        assert_eq!(target(&format!("dev='{name}' managed='yes'")), None);
        assert_eq!(target(&format!("dev='{name}' managed='no'")).as_deref(), Some(name));
    }
    assert_eq!(target("dev='veth5'").as_deref(), Some("veth5"));
}

#[test]
fn live_parts_are_written_for_the_live_view_only() {
    let mut domain =
        parse(&devices("network", "<source network='n'/><guest dev='g'/><boot order='1'/>"));
    domain.devices.interfaces[0].live = Some(LiveInterface {
        target: Some("vnet0".to_owned()),
        guest: Some("eth0".to_owned()),
        port_id: Some(Uuid::nil()),
        bridge: Some("virbr0".to_owned()),
        alias: Some("net0".to_owned()),
    });
    let live = domain.format(View::Live);
    for line in [
        "<source network='n' portid='00000000-0000-0000-0000-000000000000' bridge='virbr0'/>\n",
        "<target dev='vnet0'/>\n      <guest dev='g' actual='eth0'/>\n",
        "<boot order='1'/>\n      <alias name='net0'/>\n",
    ] {
        assert!(live.contains(line), "{live}");
    }
    let inactive = domain.format(View::Inactive);
    for word in ["vnet0", "eth0", "virbr0", "portid", "alias"] {
        assert!(!inactive.contains(word));
    }
    domain.devices.interfaces[0].live = None;
    assert_eq!(parse_again(&live), domain.devices);
}

fn parse_again(text: &str) -> crate::model::Devices {
    crate::model::Domain::parse(text).unwrap().devices
}

#[test]
fn slashes_are_written_once() {
    let backend = |path: &str| {
        let text = format!("<model type='virtio'/><backend tap='{path}'/>");
        let line = printed(&devices("user", &text)).remove(3);
        line.trim().trim_start_matches("<backend tap='").trim_end_matches("'/>").to_owned()
    };
    for (given, expected) in [
        ("//t//x/", "//t/x"),
        ("///v/./x", "/v/./x"),
        ("/", "/"),
        ("//", "//"),
        ("a/", "a"),
        ("", ""),
    ] {
        assert_eq!(backend(given), expected);
    }
}

#[test]
fn faults() {
    let unsupported = "unsupported configuration: line 2: ";
    let xml = "XML error: line 2: ";
    for (kind, elements, start, expected) in [
        (
            "user",
            "<target managed='no'/>",
            unsupported,
            "unmanaged target dev is not supported on interfaces of type 'user': only on those of \
             type 'ethernet'",
        ),
        (
            "user",
            "<mac address='52:54:00:0:0:1'/><port isolated='yes'/>",
            unsupported,
            "interface 52:54:00:00:00:01 - <port isolated='yes'/> is not supported for network \
             interfaces with type='user': only ports of the host's bridges are isolated",
        ),
        (
            "user",
            "<link state='x'/>",
            unsupported,
            "unknown interface link state 'x': expected up or down",
        ),
        ("user", "<mtu size='x'/>", xml, "malformed mtu size 'x': expected a number"),
        (
            "user",
            "<driver packed='on'/>",
            unsupported,
            "packed driver option is only supported for virtio devices",
        ),
        (
            "user",
            "<backend type='passt'/>",
            xml,
            "Invalid value for attribute 'type' in element 'backend': 'passt'. Expected no type",
        ),
        (
            "user",
            "<teaming type='transient'/>",
            unsupported,
            "teaming persistent attribute must be set if teaming type is 'transient'",
        ),
        (
            "user",
            "<tune><sndbuf>-1</sndbuf></tune>",
            xml,
            "sndbuf must be a positive integer, not '-1'",
        ),
        (
            "user",
            "<coalesce><rx><frames max='x'/></rx></coalesce>",
            "line 2: ",
            "cannot parse value 'x' for coalesce parameter: expected a number",
        ),
        (
            "user",
            "<portForward proto='tcp' address='x'/>",
            xml,
            "Invalid address 'x' in <portForward>",
        ),
    ] {
        assert_faults(&[(&devices(kind, elements), &format!("{start}{expected}"))]);
    }
    let vhost = devices("vhostuser", "<source type='unix' path='/p' mode='client'/>");
    assert!(fault(&vhost).message.contains("vhostuser requires the virtio-net* frontend"));
    let model = devices("user", "<model type='foo'/>");
    assert!(fault(&model).message.contains("driver does not support net model 'foo'"));
    let model = devices("user", "<model type='a b'/>");
    assert!(fault(&model).message.starts_with("invalid argument: line 2: Model name contains"));
}
