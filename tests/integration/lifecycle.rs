//! Define, start, pause, stop: states, events and libvirt's words.

use crate::support::bus::CONNECT;
use crate::support::{Domain, Failure, Host, Step, until};

const UUID: &str = "2fd4a6c0-7d1e-4f0b-9c55-000000000001";
const OTHER_UUID: &str = "2fd4a6c0-7d1e-4f0b-9c55-000000000002";

const ACTIVE: u32 = 1;
const INACTIVE: u32 = 1 << 1;
const PERSISTENT: u32 = 1 << 2;
const TRANSIENT: u32 = 1 << 3;
const RUNNING: u32 = 1 << 4;
const PAUSED: u32 = 1 << 5;
const SHUTOFF: u32 = 1 << 6;
const OTHER: u32 = 1 << 7;
const AUTOSTART: u32 = 1 << 10;
const NO_AUTOSTART: u32 = 1 << 11;

/// libvirt's error for an operation that does not fit the state.
fn invalid(why: &str) -> Failure {
    libvirt(&format!("Requested operation is not valid: {why}"))
}

fn libvirt(text: &str) -> Failure {
    Failure { name: "org.libvirt.Error".to_owned(), text: text.to_owned() }
}

#[test]
fn a_defined_domain_starts_and_stops_again_and_again() {
    let name = "a_defined_domain_starts_and_stops_again_and_again";
    let Some(host) = Host::new(name) else { return };
    let events = host.bus().events();
    let domain = host.bus().define(host.document("twice").uuid(UUID)).unwrap();
    assert_eq!(domain.path, format!("{CONNECT}/domain/_{}", UUID.replace('-', "_")));
    events.expect(&domain, &[Step::ADDED]);
    for _ in 0..3 {
        assert_eq!(domain.state().0, 5);
        assert_eq!(domain.id(), u32::MAX);
        domain.create().unwrap();
        assert_eq!(domain.state(), (1, 1));
        domain.assert_answers();
        assert_eq!(domain.create().unwrap_err(), invalid("Domain is already running"));
        domain.destroy().unwrap();
        assert_eq!(domain.state(), (5, 2));
        assert_eq!(domain.destroy().unwrap_err(), invalid("domain is not running"));
        host.assert_idle();
        events.expect(&domain, &[Step::STARTED, Step::DESTROYED]);
    }
    domain.undefine().unwrap();
    events.expect(&domain, &[Step::UNDEFINED]);
    assert_eq!(host.bus().list(0).unwrap(), Vec::<String>::new());
    let gone = libvirt(&format!("Domain not found: No domain with matching uuid '{UUID}'"));
    assert_eq!(domain.create().unwrap_err(), gone);
    assert_eq!(domain.undefine().unwrap_err(), gone);
}

#[test]
fn a_definition_is_replaced_and_counts_from_the_next_start() {
    let name = "a_definition_is_replaced_and_counts_from_the_next_start";
    let Some(host) = Host::new(name) else { return };
    let bus = host.bus();
    let events = bus.events();
    let document = host.document("changed").uuid(UUID);
    let domain = bus.define(&document).unwrap();
    domain.create().unwrap();
    assert!(bus.define(document.clone().memory(32768)).unwrap() == domain);
    events.expect(&domain, &[Step::ADDED, Step::STARTED, Step::UPDATED]);
    // GetXMLDesc: what runs, and with VIR_DOMAIN_XML_INACTIVE what will run next.
    let (live, inactive) = (domain.xml(0).unwrap(), domain.xml(2).unwrap());
    assert!(live.starts_with(&format!("<domain type='lxc' id='{}' ", domain.id())), "{live}");
    assert!(live.contains("<memory unit='KiB'>65536</memory>"), "{live}");
    assert!(live.contains("<alias name='console0'/>"), "{live}");
    assert!(inactive.starts_with("<domain type='lxc'>"), "{inactive}");
    assert!(inactive.contains("<memory unit='KiB'>32768</memory>"), "{inactive}");
    assert!(!inactive.contains("<alias"), "{inactive}");
    domain.destroy().unwrap();
    assert!(domain.xml(0).unwrap().contains("<memory unit='KiB'>32768</memory>"));

    // One name, one UUID.
    let failure = bus.define(host.document("changed").uuid(OTHER_UUID)).unwrap_err();
    let text = format!("operation failed: domain 'changed' already exists with uuid {UUID}");
    assert_eq!(failure, libvirt(&text));
    let failure = bus.define(host.document("renamed").uuid(UUID)).unwrap_err();
    let text = format!("operation failed: domain 'changed' is already defined with uuid {UUID}");
    assert_eq!(failure, libvirt(&text));
    assert_eq!(bus.list(0).unwrap(), [domain.path]);
}

#[test]
fn undefined_while_it_runs_a_domain_becomes_transient() {
    let name = "undefined_while_it_runs_a_domain_becomes_transient";
    let Some(host) = Host::new(name) else { return };
    let events = host.bus().events();
    let domain = host.bus().define(host.document("fading").uuid(UUID)).unwrap();
    domain.create().unwrap();
    assert!(domain.property::<bool>("Persistent"));
    domain.undefine().unwrap();
    assert!(!domain.property::<bool>("Persistent"));
    domain.assert_answers();
    assert_eq!(domain.undefine().unwrap_err(), invalid("Cannot undefine transient domain"));
    let failure = domain.set("Autostart", true).unwrap_err();
    assert_eq!(failure, invalid("Cannot set autostart for transient domain"));
    domain.destroy().unwrap();
    let steps = [Step::ADDED, Step::STARTED, Step::UNDEFINED, Step::DESTROYED];
    events.expect(&domain, &steps);
    let failure = host.bus().by_name("fading").unwrap_err();
    assert_eq!(failure, libvirt("Domain not found: No domain with matching name 'fading'"));
}

#[test]
fn a_transient_domain_is_no_more_when_init_ends() {
    let name = "a_transient_domain_is_no_more_when_init_ends";
    let Some(host) = Host::new(name) else { return };
    let bus = host.bus();
    let events = bus.events();
    let domain = host.run(&host.document("brief").uuid(UUID).script("read line; exit 3"));
    let id = i32::try_from(domain.id()).unwrap();
    assert!(bus.by_id(id).unwrap() == domain);
    assert!(bus.by_name("brief").unwrap() == domain);
    assert!(bus.by_uuid(UUID).unwrap() == domain);
    domain.console().type_line("");
    events.expect(&domain, &[Step::STARTED, Step::SHUT_DOWN]);
    let not_found =
        |what: &str| libvirt(&format!("Domain not found: No domain with matching {what}"));
    assert_eq!(bus.by_id(id).unwrap_err(), not_found(&format!("id {id}")));
    assert_eq!(bus.by_name("brief").unwrap_err(), not_found("name 'brief'"));
    assert_eq!(bus.by_uuid(UUID).unwrap_err(), not_found(&format!("uuid '{UUID}'")));
    host.assert_idle();
}

#[test]
fn a_defined_domain_is_shut_off_when_init_ends() {
    let Some(host) = Host::new("a_defined_domain_is_shut_off_when_init_ends") else {
        return;
    };
    let events = host.bus().events();
    let document = host.document("ends").init("/bin/true", &[]);
    let domain = host.bus().define(&document).unwrap();
    events.expect(&domain, &[Step::ADDED]);
    for _ in 0..5 {
        domain.create().unwrap();
        events.expect(&domain, &[Step::STARTED, Step::SHUT_DOWN]);
        assert_eq!(domain.state(), (5, 1));
        host.assert_idle();
    }
}

#[test]
fn a_paused_container_stands_still() {
    let Some(host) = Host::new("a_paused_container_stands_still") else {
        return;
    };
    let events = host.bus().events();
    host.tree.write("/count", "");
    let domain = host.run(&host.document("paused").script("while :; do echo . >>/count; done"));
    until("it counts", || !host.tree.read("/count").is_empty());
    domain.suspend().unwrap();
    assert_eq!(domain.state(), (3, 1));
    let counted = host.tree.read("/count").len();
    // Suspending twice is allowed, as in libvirt, and is no event.
    domain.suspend().unwrap();
    let states = [("unified", "cgroup.events", "frozen 1"), ("freezer", "freezer.state", "FROZEN")];
    let frozen = states.iter().find_map(|(hierarchy, file, expected)| {
        let file = host.group(hierarchy, "paused", "payload").join(file);
        Some(std::fs::read_to_string(file).ok()?.contains(expected))
    });
    assert_eq!(frozen, Some(true));
    assert_eq!(host.tree.read("/count").len(), counted);
    domain.resume().unwrap();
    assert_eq!(domain.state(), (1, 5));
    assert_eq!(domain.resume().unwrap_err(), invalid("domain is already running"));
    // It counts on, if there is anything to this test.
    until("it counts on", || host.tree.read("/count").len() > counted);
    domain.suspend().unwrap();
    domain.destroy().unwrap();
    let steps = [Step::STARTED, Step::SUSPENDED, Step::RESUMED, Step::SUSPENDED, Step::DESTROYED];
    events.expect(&domain, &steps);
}

#[test]
fn what_needs_a_running_domain_says_so() {
    let Some(host) = Host::new("what_needs_a_running_domain_says_so") else {
        return;
    };
    let domain = host.bus().define(host.document("off")).unwrap();
    let refused = invalid("domain is not running");
    for act in [Domain::destroy, Domain::shutdown, Domain::reboot, Domain::suspend, Domain::resume]
    {
        assert_eq!(act(&domain).unwrap_err(), refused);
    }
    assert_eq!(domain.open_console("").unwrap_err(), refused);
    domain.create().unwrap();
    let failure = domain.open_console("console7").unwrap_err();
    assert_eq!(failure, libvirt("internal error: cannot find console device 'console7'"));
}

#[test]
fn lists_are_narrowed_by_their_flags() {
    let Some(host) = Host::new("lists_are_narrowed_by_their_flags") else {
        return;
    };
    let bus = host.bus();
    let defined = |name: &str| bus.define(host.document(name)).unwrap();
    let (off, on, paused) = (defined("a-off"), defined("b-on"), defined("c-paused"));
    let transient = host.run(&host.document("d-transient"));
    on.create().unwrap();
    paused.create().unwrap();
    paused.suspend().unwrap();
    off.set("Autostart", true).unwrap();
    let cases: [(u32, &[&Domain]); 14] = [
        (0, &[&off, &on, &paused, &transient]),
        (ACTIVE | INACTIVE, &[&off, &on, &paused, &transient]),
        (ACTIVE, &[&on, &paused, &transient]),
        (INACTIVE, &[&off]),
        (PERSISTENT, &[&off, &on, &paused]),
        (TRANSIENT, &[&transient]),
        (RUNNING, &[&on, &transient]),
        (PAUSED, &[&paused]),
        (SHUTOFF, &[&off]),
        (OTHER, &[]),
        (AUTOSTART, &[&off]),
        (NO_AUTOSTART, &[&on, &paused, &transient]),
        (ACTIVE | PERSISTENT, &[&on, &paused]),
        (RUNNING | SHUTOFF | TRANSIENT, &[&transient]),
    ];
    for (flags, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|it| it.path.clone()).collect();
        assert_eq!(bus.list(flags).unwrap(), expected, "flags {flags:#x}");
    }
    let failure = bus.list(1 << 20).unwrap_err();
    assert_eq!(
        failure,
        libvirt("unsupported flags (0x100000) in function lxcConnectListAllDomains")
    );
}

#[test]
fn properties_tell_what_is() {
    let Some(host) = Host::new("properties_tell_what_is") else {
        return;
    };
    let domain = host.bus().define(host.document("props").uuid(UUID)).unwrap();
    let flags = |name| domain.property::<bool>(name);
    assert_eq!((flags("Active"), flags("Persistent"), flags("Autostart")), (false, true, false));
    assert_eq!(domain.property::<String>("Name"), "props");
    assert_eq!(domain.property::<String>("UUID"), UUID);
    assert_eq!(domain.property::<String>("OSType"), "exe");
    domain.create().unwrap();
    domain.set("Autostart", true).unwrap();
    assert_eq!((flags("Active"), flags("Persistent"), flags("Autostart")), (true, true, true));
    let supervisor = std::fs::read_to_string(format!("/proc/{}/comm", domain.id())).unwrap();
    assert_eq!(supervisor.trim(), "nsvirt-lxc");
    let version: u64 = host
        .bus()
        .property(CONNECT, "org.libvirt.Connect", "LibVersion")
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(version, 10_000_000);
}
