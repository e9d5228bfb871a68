//! Shutdown and reboot: how a container is asked, and what follows its end.

use crate::support::{Host, Step};

const UUID: &str = "2fd4a6c0-7d1e-4f0b-9c55-000000000003";

/// Has a handler for what asks init to end.
const TRAPS_TERM: &str = "trap 'echo bye; exit 0' TERM; echo ready; \
                          while :; do sleep 1000 & wait; done";
/// Reboots when it is asked to.
const TRAPS_HUP: &str = "trap 'reboot -f' HUP; echo ready; while :; do sleep 1000 & wait; done";
/// Reboots when it is told so on its console.
const REBOOTS: &str = "echo ready; while read line; do \
                       if [ \"$line\" = reboot ]; then reboot -f; fi; echo \"got $line\"; done";
const POWERS_OFF: &str = "echo ready; read line; poweroff -f";

#[test]
fn init_is_asked_to_shut_down() {
    let Some(host) = Host::new("init_is_asked_to_shut_down") else {
        return;
    };
    let events = host.bus().events();
    let domain = host.bus().define(host.document("polite").script(TRAPS_TERM)).unwrap();
    domain.create().unwrap();
    domain.console().wait_for("ready\r\n");
    domain.shutdown().unwrap();
    events.expect(&domain, &[Step::ADDED, Step::STARTED, Step::SHUT_DOWN]);
    assert_eq!(domain.state(), (5, 1));
    host.assert_idle();
}

#[test]
fn an_init_that_would_not_notice_is_an_error() {
    let Some(host) = Host::new("an_init_that_would_not_notice_is_an_error") else {
        return;
    };
    let domain = host.run(&host.document("deaf").init("/bin/sleep", &["1000"]));
    let failure = domain.shutdown().unwrap_err();
    let expected = "Operation not supported: the container's init has no handler for signal 15";
    assert!(failure.text.starts_with(expected), "{failure:?}");
    let failure = domain.reboot().unwrap_err();
    let expected = "Operation not supported: the container's init has no handler for signal 1,";
    assert!(failure.text.starts_with(expected), "{failure:?}");
    assert_eq!(domain.state(), (1, 1));
}

#[test]
fn a_reboot_inside_starts_the_container_anew() {
    let Some(host) = Host::new("a_reboot_inside_starts_the_container_anew") else {
        return;
    };
    let events = host.bus().events();
    let domain = host.run(&host.document("again").script(REBOOTS));
    events.expect(&domain, &[Step::STARTED]);
    let id = domain.id();
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    for _ in 0..3 {
        let init = crate::support::process::only_child(id);
        console.type_line("reboot");
        events.expect(&domain, &[Step::Reboot]);
        // A client that has had its console open has it still, and a new one gets one.
        console.wait_for("ready\r\n");
        console.type_line("on");
        console.wait_for("got on\r\n");
        domain.assert_answers();
        assert_eq!(domain.id(), id);
        assert_eq!(domain.state().0, 1);
        assert_ne!(crate::support::process::only_child(id), init);
    }
    domain.destroy().unwrap();
    events.expect(&domain, &[Step::DESTROYED]);
}

#[test]
fn init_is_asked_to_reboot() {
    let Some(host) = Host::new("init_is_asked_to_reboot") else {
        return;
    };
    let events = host.bus().events();
    let domain = host.run(&host.document("asked").script(TRAPS_HUP));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    domain.reboot().unwrap();
    console.wait_for("ready\r\n");
    // The new init is the one that is asked from now on.
    domain.reboot().unwrap();
    console.wait_for("ready\r\n");
    events.expect(&domain, &[Step::STARTED, Step::Reboot, Step::Reboot]);
}

#[test]
fn a_reboot_is_the_end_where_the_document_says_so() {
    let name = "a_reboot_is_the_end_where_the_document_says_so";
    let Some(host) = Host::new(name) else { return };
    let events = host.bus().events();
    let document = host.document("once").uuid(UUID).script(REBOOTS);
    let domain = host.run(&document.element("<on_reboot>destroy</on_reboot>"));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    console.type_line("reboot");
    events.expect(&domain, &[Step::STARTED, Step::SHUT_DOWN]);
    assert!(host.bus().by_uuid(UUID).is_err());
    host.assert_idle();
}

#[test]
fn poweroff_inside_is_the_end() {
    let Some(host) = Host::new("poweroff_inside_is_the_end") else {
        return;
    };
    let events = host.bus().events();
    let domain = host.run(&host.document("off").script(POWERS_OFF));
    domain.console().type_line("");
    events.expect(&domain, &[Step::STARTED, Step::SHUT_DOWN]);
    host.assert_idle();
}

#[test]
fn a_killed_supervisor_is_a_failure_and_leaves_nothing() {
    let name = "a_killed_supervisor_is_a_failure_and_leaves_nothing";
    let Some(host) = Host::new(name) else { return };
    let bystander = host.bystander();
    let before = host.inventory();
    let events = host.bus().events();
    let script = "sleep 1000 & setsid sleep 1000 & echo ready; wait";
    let domain = host.bus().define(host.document("orphan").script(script)).unwrap();
    events.expect(&domain, &[Step::ADDED]);
    for pause in [false, true] {
        domain.create().unwrap();
        domain.console().wait_for("ready\r\n");
        events.expect(&domain, &[Step::STARTED]);
        if pause {
            domain.suspend().unwrap();
            events.expect(&domain, &[Step::SUSPENDED]);
        }
        crate::support::process::Process::open(domain.id()).unwrap().kill();
        events.expect(&domain, &[Step::FAILED]);
        assert_eq!(domain.state(), (5, 6));
        before.assert_same(&host.inventory(), "after the death of a supervisor");
    }
    bystander.assert_answers();
}
