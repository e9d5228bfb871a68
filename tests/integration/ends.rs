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
    let expected =
        "Operation not supported: the container's init has no handler for signal 15 or 1,";
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

#[test]
fn a_program_that_only_ends_is_started_anew_when_it_is_to_reboot() {
    let name = "a_program_that_only_ends_is_started_anew_when_it_is_to_reboot";
    let Some(host) = Host::new(name) else { return };
    let events = host.bus().events();
    let domain = host.run(&host.document("plain").script(TRAPS_TERM));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    for _ in 0..2 {
        domain.reboot().unwrap();
        console.wait_for("bye\r\nready\r\n");
    }
    events.expect(&domain, &[Step::STARTED, Step::Reboot, Step::Reboot]);
    domain.shutdown().unwrap();
    events.expect(&domain, &[Step::SHUT_DOWN]);
    host.assert_idle();
    // What was asked for last counts.
    let script = "trap 'n=$((n + 1)); [ $n -lt 2 ] || exit 0; echo once' TERM; echo ready; \
                  while :; do sleep 1000 & wait; done";
    let domain = host.run(&host.document("plain").script(script));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    domain.reboot().unwrap();
    console.wait_for("once\r\n");
    domain.shutdown().unwrap();
    events.expect(&domain, &[Step::STARTED, Step::SHUT_DOWN]);
    host.assert_idle();
}

/// Says which signal it got.
const SAYS_SIGNALS: &str = "for it in 1 2 10 12 15 38 39; do trap \"echo got $it\" $it; done; \
                            echo ready; while :; do sleep 1000 & wait; done";

#[test]
fn systemd_is_asked_in_its_own_words() {
    let Some(host) = Host::new("systemd_is_asked_in_its_own_words") else {
        return;
    };
    // What counts is the program that was executed; this one only has the name.
    let lib = host.tree.path.join("lib/systemd");
    std::fs::create_dir_all(&lib).unwrap();
    std::fs::copy(host.tree.path.join("bin/busybox"), lib.join("systemd")).unwrap();
    let script = format!("exec -a busybox /lib/systemd/systemd sh -c '{SAYS_SIGNALS}'");
    let domain = host.run(&host.document("named").script(&script));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    domain.shutdown().unwrap();
    console.wait_for("got 38\r\n");
    domain.reboot().unwrap();
    console.wait_for("got 39\r\n");
    // The same, when only signals are wanted.
    domain.shutdown_flags(VIA_SIGNAL).unwrap();
    console.wait_for("got 38\r\n");
    let failure = domain.shutdown_flags(VIA_INITCTL).unwrap_err();
    let expected = "Operation not supported: the container has no initctl FIFO";
    assert!(failure.text.starts_with(expected), "{failure:?}");
    assert_eq!(domain.state(), (1, 1));
}

const VIA_INITCTL: u32 = 4;
const VIA_SIGNAL: u32 = 8;

#[test]
fn initctl_is_asked_where_there_is_one() {
    let Some(host) = Host::new("initctl_is_asked_where_there_is_one") else {
        return;
    };
    // Magic, command, run level: 0 or 6 as a character.
    let script = format!(
        "mkdir -p /run; mkfifo /run/initctl; exec 9<>/run/initctl; \
         (while dd bs=384 count=1 <&9 2>/dev/null | od -An -tx4 -N12; do :; done) & {SAYS_SIGNALS}"
    );
    let domain = host.run(&host.document("sysv").script(&script));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    for flags in [0, VIA_INITCTL, VIA_INITCTL | VIA_SIGNAL] {
        domain.shutdown_flags(flags).unwrap();
        console.wait_for("03091969 00000001 00000030\r\n");
    }
    domain.reboot().unwrap();
    console.wait_for("03091969 00000001 00000036\r\n");
    domain.shutdown_flags(VIA_SIGNAL).unwrap();
    console.wait_for("got 15\r\n");
    let failure = domain.shutdown_flags(2).unwrap_err();
    assert_eq!(failure.text, "unsupported flags (0x2) in function lxcDomainShutdownFlags");
    // A link out of the tree is followed inside; what is no FIFO is none.
    let script = "mkdir -p /run; rm -f /run/initctl; echo >/file; ln -s /file /run/initctl; \
                  echo ready; exec sleep 1000";
    let domain = host.run(&host.document("link").script(script));
    domain.console().wait_for("ready\r\n");
    let failure = domain.shutdown_flags(VIA_INITCTL).unwrap_err();
    assert!(failure.text.contains("no initctl FIFO"), "{failure:?}");
}
