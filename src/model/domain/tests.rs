use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::samples::document;
use super::super::{
    AccessMode, Controller, ControllerKind, DirectMode, Disk, Filesystem, FilesystemDriverKind,
    FilesystemSource, HostDevice, HostDeviceSource, Interface, InterfaceAddress, InterfaceSocket,
    InterfaceSource, LinkBandwidth, LinkState, NativeMode, Rate, Route, SocketKind, Subsystem,
    UsbDevice, Vlan, VlanTag,
};
use super::*;
use crate::xml::Node;

const FULL: &str = include_str!("../../../tests/data/full.xml");
const ALL: &str = include_str!("../../../tests/data/all.xml");
const ALL_PRINTED: &str = include_str!("../../../tests/data/all-printed.xml");
const MACHINE: &str = include_str!("../../../tests/data/machine.xml");
const MACHINE_PRINTED: &str = include_str!("../../../tests/data/machine-printed.xml");
const LIVE: &str = include_str!("../../../tests/data/full-live.xml");
const MINIMAL: &str = include_str!("../../../tests/data/minimal.xml");
const MINIMAL_PRINTED: &str = include_str!("../../../tests/data/minimal-printed.xml");

#[test]
fn a_document_of_libvirts_comes_back_unchanged() {
    assert_eq!(Domain::parse(FULL).unwrap().format(View::Inactive), FULL);
}

/// Every family outside the devices, out of order and before libvirt's normalisation.
#[test]
fn every_family_is_printed_as_libvirt_does() {
    let mut domain = Domain::parse(ALL).unwrap();
    domain.fill_host_defaults("x86_64", "/usr/lib/libvirt/libvirt_lxc");
    assert_eq!(domain.format(View::Inactive), ALL_PRINTED);
    assert_eq!(Domain::parse(ALL_PRINTED).unwrap(), domain);
}

/// Devices of machines, of each kind as many as may be or two, in the wrong order.
#[test]
fn devices_of_machines_are_printed_as_libvirt_does() {
    let mut domain = Domain::parse(MACHINE).unwrap();
    domain.fill_host_defaults("x86_64", "/usr/lib/libvirt/libvirt_lxc");
    assert_eq!(domain.format(View::Inactive), MACHINE_PRINTED);
    assert_eq!(Domain::parse(MACHINE_PRINTED).unwrap(), domain);
}

#[test]
fn defaults_are_filled_in_as_libvirt_does() {
    let mut domain = Domain::parse(MINIMAL).unwrap();
    domain.fill_host_defaults("x86_64", "/usr/lib/libvirt/libvirt_lxc");
    assert_eq!(domain.format(View::Inactive), MINIMAL_PRINTED);
    domain.fill_host_defaults("i686", "/other");
    assert_eq!(domain.format(View::Inactive), MINIMAL_PRINTED);
}

#[test]
fn what_only_a_running_container_has_is_not_read() {
    let mut domain = Domain::parse(LIVE).unwrap();
    assert_eq!(domain.format(View::Live), FULL);
    domain.id = Some(4711);
    for (console, tty) in domain.devices.consoles.iter_mut().zip(["/dev/pts/3", "/dev/pts/4"]) {
        console.tty = Some(tty.to_owned());
        console.alias = Some(format!("console{}", console.target_port));
    }
    assert_eq!(domain.format(View::Live), LIVE);
    assert_eq!(domain.format(View::Inactive), FULL);
}

#[test]
fn the_root_must_be_a_domain_of_type_lxc() {
    let cases = [
        ("\n<network/>", "XML error: line 2: expecting root element of 'domain', not 'network'"),
        ("<domain/>", "internal error: line 1: missing domain type attribute, expected type='lxc'"),
        (
            "<domain type='qemu'/>",
            "invalid argument: line 1: invalid domain type qemu: \
             only type='lxc' is supported",
        ),
        (
            "<domain type='lxc' xmlns='u'/>",
            "XML error: line 1: <domain> must not be in a name space: remove xmlns='...'",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(Domain::parse(text).unwrap_err().message, expected);
    }
}

fn character() -> impl Strategy<Value = char> {
    let special =
        proptest::sample::select("<>&'\" \t\r\n/.=:é\u{85}\u{10FFFF}".chars().collect::<Vec<_>>());
    prop_oneof![special, proptest::char::range('a', 'z'), any::<char>()]
        .prop_filter("XML's characters", |&c| xml::is_allowed(c))
}

fn text() -> impl Strategy<Value = String> {
    vec(character(), 1..12).prop_map(String::from_iter)
}

/// Text made acceptable rather than filtered, since most would be rejected.
fn path() -> impl Strategy<Value = String> {
    let clean = |text: String| text.replace(char::is_control, "").replace("..", "x");
    text().prop_map(move |text| format!("/{}", clean(text)))
}

fn name() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("n{}", text.replace(|c: char| c == '/' || c.is_control(), "")))
}

fn os() -> impl Strategy<Value = Os> {
    let key = text().prop_map(|key| format!("K{}", key.replace('=', "")));
    let initenv = vec((key, text()), 0..3);
    (option::of(Just(())), text(), vec(text(), 0..3), initenv, option::of(text())).prop_map(
        |(arch, init, initarg, initenv, initdir)| Os {
            arch: arch.map(|()| "x86_64".to_owned()),
            init,
            initarg,
            initenv,
            initdir,
            ..Os::default()
        },
    )
}

fn filesystem() -> impl Strategy<Value = Filesystem> {
    use FilesystemSource as S;
    let source = prop_oneof![
        text().prop_map(|dir| S::Mount { dir }),
        text().prop_map(|dir| S::Bind { dir }),
        text().prop_map(|dev| S::Block { dev }),
        text().prop_map(|file| S::File { file }),
        text().prop_map(|name| S::Template { name }),
        text().prop_map(|path| S::Socket { path }),
        (text(), text()).prop_map(|(pool, volume)| S::Volume { pool, volume }),
        (0..=super::super::MAX_KIB).prop_map(|usage| S::Ram { usage }),
    ];
    let mode = option::of(proptest::sample::select(AccessMode::ALL));
    let kind = proptest::sample::select(FilesystemDriverKind::ALL);
    let driver = option::of((kind, option::of(Just("raw".to_owned()))));
    (source, text(), any::<bool>(), mode, driver).prop_map(
        |(source, target, readonly, access_mode, driver)| {
            let is_socket = matches!(source, S::Socket { .. });
            let mut filesystem = Filesystem { readonly, ..Filesystem::new(source, target) };
            if access_mode.is_some() || is_socket {
                filesystem.access_mode = access_mode;
            }
            if let Some((kind, format)) = driver {
                filesystem.driver.kind = Some(kind);
                filesystem.driver.format = format;
            }
            filesystem
        },
    )
}

/// Disks of one bus with places of their own, as they are after reading.
fn disks() -> impl Strategy<Value = Vec<Disk>> {
    let disk = (text(), any::<bool>(), option::of(text()), option::of(text()));
    vec(disk, 0..4).prop_map(|disks| {
        let named = disks.into_iter().zip('a'..='z');
        let disk = named.map(|((path, readonly, name, serial), letter)| {
            let text = format!("<disk><source file='/'/><target dev='vd{letter}'/></disk>");
            let parsed = Domain::parse(&document(&format!("<devices>{text}</devices>"))).unwrap();
            let mut disk = parsed.devices.disks.into_iter().next().unwrap();
            disk.source.element = Some(shape::element("source", &[("file", path)], Vec::new()));
            disk.readonly = readonly;
            disk.driver.name = name;
            disk.kept.extend(serial.map(|serial: String| shape::leaf("serial", &[], serial)));
            disk
        });
        disk.collect()
    })
}

/// Controllers of the kinds that nothing else here asks for.
fn controllers() -> impl Strategy<Value = Vec<Controller>> {
    let kinds = ControllerKind::ALL.iter().copied();
    let free = |kind: &ControllerKind| {
        !matches!(kind, ControllerKind::VirtioSerial | ControllerKind::Ccid)
    };
    let kind = proptest::sample::select(kinds.filter(free).collect::<Vec<_>>());
    proptest::collection::btree_set((kind, 0..9_u32), 0..5)
        .prop_map(|set| set.into_iter().map(|(kind, index)| Controller::new(kind, index)).collect())
}

/// Consoles and devices that are only kept, each document with the text somewhere.
fn kept_devices() -> impl Strategy<Value = Devices> {
    const DEVICES: &[&str] = &[
        "<console type='unix'><source mode='bind' path='@'/></console>",
        "<console type='pty'><log file='@' append='off'/><target type='virtio'/></console>",
        "<console><address type='virtio-serial' controller='3'/></console>",
        "<serial type='tcp'><source host='@' service='@'/></serial>",
        "<serial><target type='usb-serial' port='7'/><address type='usb' port='1.2'/></serial>",
        "<parallel type='dev'><source path='/'><seclabel model='@' relabel='no'/></source>\
         </parallel>",
        "<channel type='unix'><source path='@'/><target type='virtio' name='@'/>\
         <address type='virtio-serial' controller='2'/></channel>",
        "<smartcard mode='host-certificates'><certificate>@</certificate>\
         <certificate>@</certificate><certificate/></smartcard>",
        "<smartcard mode='host'><address type='ccid' controller='1' slot='4'/></smartcard>",
        "<graphics type='vnc' port='0' passwd='@' keymap='@'/><video><model type='xen'/></video>",
        "<graphics type='rdp' listen='@'/><video><model type='vga' heads='0'/></video>",
        "<graphics type='spice'><listen type='network' network='@'/></graphics>\
         <video><model type='qxl' ram='3'/></video>",
        "<sound model='ich6'><codec type='micro'/></sound>",
        "<rng model='virtio'><backend model='random'>@</backend></rng>",
        "<rng model='virtio'><backend model='egd' type='null'/></rng>",
        "<shmem name='a'><server path='@'/><size unit='k'>1025</size></shmem>",
        "<tpm><backend type='external'><source type='unix' path='@'/></backend></tpm>",
    ];
    (proptest::sample::subsequence(DEVICES, 0..=DEVICES.len()).prop_shuffle(), text()).prop_map(
        |(devices, text)| {
            let mut w = xml::Writer::new();
            w.leaf("x", &[], &text);
            let written = w.finish();
            let text = written.trim_end().trim_start_matches("<x>").trim_end_matches("</x>");
            let devices = devices.concat().replace('@', text);
            Domain::parse(&document(&format!("<devices>{devices}</devices>"))).unwrap().devices
        },
    )
}

fn ip() -> impl Strategy<Value = InterfaceAddress> {
    prop_oneof![
        (any::<Ipv4Addr>(), option::of(1..=32_u8), option::of(any::<Ipv4Addr>())).prop_map(
            |(address, prefix, peer)| InterfaceAddress {
                address: address.into(),
                prefix,
                peer: peer.map(Into::into),
            }
        ),
        (any::<Ipv6Addr>(), option::of(1..=128_u8)).prop_map(|(address, prefix)| {
            InterfaceAddress { address: address.into(), prefix, peer: None }
        }),
    ]
}

fn route() -> impl Strategy<Value = Route> {
    let v4 = (any::<u32>(), 0..=32_u32, any::<Ipv4Addr>(), any::<(bool, bool)>());
    let v6 = (any::<u128>(), 0..=128_u32, any::<Ipv6Addr>());
    let v4 = v4.prop_map(|(bits, prefix, gateway, (is_mask, says_ipv4))| Route {
        network: Ipv4Addr::from(bits & u32::MAX.checked_shl(32 - prefix).unwrap_or(0)).into(),
        prefix: u8::try_from(prefix).ok(),
        gateway: gateway.into(),
        metric: None,
        is_mask,
        says_ipv4,
    });
    let v6 = v6.prop_map(|(bits, prefix, gateway)| Route {
        network: Ipv6Addr::from(bits & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)).into(),
        prefix: u8::try_from(prefix).ok(),
        gateway: gateway.into(),
        metric: Some(prefix + 1),
        is_mask: false,
        says_ipv4: false,
    });
    prop_oneof![v4, v6]
}

fn interface_source() -> impl Strategy<Value = InterfaceSource> {
    let mode = proptest::sample::select(DirectMode::ALL);
    let local = (text(), any::<i32>());
    prop_oneof![
        (text(), option::of(text()))
            .prop_map(|(network, portgroup)| InterfaceSource::Network { network, portgroup }),
        text().prop_map(|bridge| InterfaceSource::Bridge { bridge }),
        (text(), mode).prop_map(|(dev, mode)| InterfaceSource::Direct { dev, mode }),
        (vec(ip(), 0..3), vec(route(), 0..3))
            .prop_map(|(ips, routes)| InterfaceSource::Ethernet { ips, routes }),
        (option::of(text()), any::<i32>()).prop_map(|remote| InterfaceSource::Socket(
            InterfaceSocket { kind: SocketKind::Server, remote, local: None }
        )),
        (text(), any::<i32>(), local).prop_map(|(address, port, local)| InterfaceSource::Socket(
            InterfaceSocket {
                kind: SocketKind::Udp,
                remote: (Some(address), port),
                local: Some(local),
            }
        )),
        Just(InterfaceSource::User),
    ]
}

fn vlan() -> impl Strategy<Value = Vlan> {
    let native = proptest::sample::select(NativeMode::ALL);
    (any::<bool>(), vec(0..4096_u16, 1..4), option::of(native)).prop_map(|(trunk, ids, native)| {
        let tag = |(at, id)| VlanTag { id, native: native.filter(|_| at == 0) };
        let tags: Vec<_> = ids.into_iter().enumerate().map(tag).collect();
        Vlan { trunk: trunk || tags.len() > 1, tags }
    })
}

fn interface() -> impl Strategy<Value = Interface> {
    let plain = Domain::parse(&document("<devices><interface type='user'/></devices>"));
    let plain = plain.unwrap().devices.interfaces.remove(0);
    let guest = option::of((vec(ip(), 0..3), vec(route(), 0..3), text()));
    let rate = option::of(1..=u64::MAX);
    let limits = (rate, 1..=u64::MAX).prop_map(|(burst, average)| Rate {
        average: Some(average),
        burst,
        ..Rate::default()
    });
    let link = option::of(proptest::sample::select(LinkState::ALL));
    let traffic = (option::of(limits.clone()), option::of(limits), option::of(vlan()));
    (interface_source(), guest, traffic, link, option::of(1..=u32::MAX), any::<[bool; 2]>())
        .prop_map(move |(source, guest, (inbound, outbound, vlan), link, mtu, [trusts, checks])| {
            let mut interface = plain.clone();
            interface.source = source;
            if let Some((ips, routes, name)) = guest {
                (interface.ips, interface.routes) = (ips, routes);
                interface.guest = Some(name);
            }
            interface.bandwidth = LinkBandwidth { inbound, outbound };
            (interface.vlan, interface.link, interface.mtu) = (vlan, link, mtu);
            interface.trust_guest_rx_filters = Some(trusts);
            interface.mac.check = Some(checks);
            interface
        })
}

/// Of each kind one at most, since a device is there once.
fn host_devices() -> impl Strategy<Value = Vec<HostDevice>> {
    const DEVICES: &str = "<devices>\
        <hostdev mode='subsystem' type='usb'><source><vendor id='1'/><product id='2'/></source>\
        <boot order='1'/></hostdev>\
        <hostdev mode='capabilities' type='storage'><source><block>/b</block></source></hostdev>\
        <hostdev mode='capabilities' type='net'><source><interface>e</interface></source></hostdev>\
        </devices>";
    let plain = Domain::parse(&document(DEVICES)).unwrap().devices.host_devices;
    let address = option::of((1..=u32::MAX, any::<u32>()));
    (any::<(u32, u32)>(), address, text(), vec(ip(), 0..3), vec(route(), 0..3)).prop_map(
        move |((vendor, product), address, name, ips, routes)| {
            let mut devices = plain.clone();
            let usb = UsbDevice {
                ids: (vendor != 0).then_some((vendor, product)),
                address: address.or_else(|| (vendor == 0).then_some((1, 2))),
                startup_policy: None,
                guest_reset: None,
            };
            if let HostDeviceSource::Subsystem { device, .. } = &mut devices[0].source {
                *device = Subsystem::Usb(usb);
            }
            devices[1].source = HostDeviceSource::Storage { block: name.clone() };
            devices[2].source = HostDeviceSource::Net { interface: name, ips, routes };
            devices
        },
    )
}

fn devices() -> impl Strategy<Value = Devices> {
    let network = (vec(interface(), 0..3), option::of(host_devices()));
    let storage = (disks(), controllers(), vec(filesystem(), 0..4));
    (option::of(text()), storage, network, kept_devices()).prop_map(
        |(emulator, (disks, controllers, filesystems), (interfaces, host_devices), mut kept)| {
            kept.controllers.extend(controllers);
            Devices {
                emulator,
                disks,
                filesystems,
                interfaces,
                host_devices: host_devices.unwrap_or_default(),
                ..kept
            }
        },
    )
}

fn kept(depth: u32) -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        text().prop_map(Node::Text),
        "[ \n]{1,3}".prop_map(Node::Text),
        "[a-z ]{0,3}".prop_map(Node::Comment),
    ];
    leaf.prop_recursive(depth, 24, 4, |inner| {
        let attributes = option::of(text());
        let space = option::of(proptest::sample::select(vec!["preserve", "default"]));
        ("[a-z]{1,3}", attributes, space, vec(inner, 0..4)).prop_map(
            |(name, value, space, children)| {
                let value = value.map(|value| ("a:b".to_owned(), value));
                let space = space.map(|space| ("xml:space".to_owned(), space.to_owned()));
                let attributes = value.into_iter().chain(space).collect();
                let name = format!("a:{name}");
                Node::Element(Element { name, attributes, children, line: 0 })
            },
        )
    })
}

fn domain() -> impl Strategy<Value = Domain> {
    let title = text().prop_map(|title| format!("T{}", title.replace('\n', "")));
    let texts = (name(), option::of(title), option::of(text()), option::of(path()));
    let sizes = (1..=super::super::MAX_KIB, any::<u64>(), 1..=u32::MAX, any::<u128>());
    let on = proptest::sample::select(vec![
        LifecycleAction::Destroy,
        LifecycleAction::Restart,
        LifecycleAction::Preserve,
        LifecycleAction::RenameRestart,
    ]);
    (texts, sizes, os(), any::<bool>(), on, devices()).prop_map(
        |((name, title, description, partition), sizes, os, privnet, on, devices)| {
            let (memory, current, vcpu, uuid) = sizes;
            Domain {
                name,
                uuid: Uuid::from_u128(uuid),
                title,
                description,
                memory,
                current_memory: 1 + current % memory,
                vcpus: Vcpus { maximum: vcpu, current: vcpu, ..Vcpus::default() },
                partition,
                os,
                features: Features { privnet, ..Features::default() },
                clock: Clock::default(),
                on_poweroff: on,
                on_reboot: on,
                on_crash: LifecycleAction::CoredumpDestroy,
                devices,
                ..Domain::parse(&document("")).unwrap()
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(domain in domain(), live in any::<bool>()) {
        let view = if live { View::Live } else { View::Inactive };
        let text = domain.format(view);
        prop_assert_eq!(Domain::parse(&text), Ok(domain));
    }

    #[test]
    fn metadata_does_not_drift(nodes in vec(kept(4), 0..4)) {
        let root = Element { name: "a:root".to_owned(), children: nodes, ..Element::default() };
        let mut w = Writer::new();
        w.element(&root);
        let extra = format!("<metadata xmlns:a='u'>{}</metadata>", w.finish());
        let once = Domain::parse(&document(&extra)).unwrap();
        prop_assert!(once.metadata.as_ref().is_some_and(|kept| kept.child("a:root").is_some()));
        let text = once.format(View::Inactive);
        let twice = Domain::parse(&text).unwrap();
        prop_assert_eq!(&twice, &once);
        prop_assert_eq!(twice.format(View::Inactive), text);
    }
}
