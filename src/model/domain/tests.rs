use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::samples::document;
use super::super::{AccessMode, Console, Filesystem, FilesystemSource};
use super::*;
use crate::xml::Node;

const FULL: &str = include_str!("../../../tests/data/full.xml");
const ALL: &str = include_str!("../../../tests/data/all.xml");
const ALL_PRINTED: &str = include_str!("../../../tests/data/all-printed.xml");
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
    let source = prop_oneof![
        text().prop_map(|dir| FilesystemSource::Mount { dir }),
        (0..=super::super::MAX_KIB).prop_map(|usage| FilesystemSource::Ram { usage }),
    ];
    let mode = proptest::sample::select(vec![
        AccessMode::Passthrough,
        AccessMode::Mapped,
        AccessMode::Squash,
    ]);
    (source, path(), any::<bool>(), mode).prop_map(|(source, target, readonly, access_mode)| {
        Filesystem { source, target, readonly, access_mode }
    })
}

fn devices() -> impl Strategy<Value = Devices> {
    (option::of(text()), vec(filesystem(), 0..4), 0..4_u32).prop_map(
        |(emulator, filesystems, consoles)| Devices {
            emulator,
            filesystems,
            consoles: (0..consoles).map(Console::new).collect(),
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
