//! How a container ended, and what the document has follow.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::bus::Parameters;
use crate::support::process::{Process, only_child};
use crate::support::{Document, Domain, Host, Said, Step, until};

const UUID: &str = "2fd4a6c0-7d1e-4f0b-9c55-000000000013";

/// Prints `ready`, and then does what is typed.
const OBEYS: &str = "echo ready; while read line; do eval \"$line\"; done";

fn ended(text: &str) -> Step {
    Step::Ended(text.to_owned())
}

/// Names and values that are there, but for the sentence.
fn facts(end: &Parameters) -> String {
    let facts = end.0.iter().filter(|(name, _)| *name != "text");
    let mut facts: Vec<_> = facts.map(|(name, value)| format!("{name}={:?}", **value)).collect();
    facts.sort();
    facts.join(" ")
}

/// A program that executes what is no instruction.
fn crash(host: &Host) {
    let code: &[u8] = if cfg!(target_arch = "x86_64") { &[0x0f, 0x0b] } else { &[0; 4] };
    let machine: u16 = if cfg!(target_arch = "x86_64") { 62 } else { 183 };
    let base: u64 = 0x40_0000;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    for half in [2, machine] {
        file.extend(half.to_le_bytes());
    }
    file.extend(1_u32.to_le_bytes());
    for word in [base + 120, 64, 0] {
        file.extend(word.to_le_bytes());
    }
    file.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes());
    }
    for word in [1_u32, 5] {
        file.extend(word.to_le_bytes());
    }
    let size = 120 + code.len() as u64;
    for word in [0, base, base, size, size, 4096] {
        file.extend(word.to_le_bytes());
    }
    file.extend(code);
    let path = host.tree.path.join("crash");
    fs::write(&path, file).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Starts a defined domain and types a line on its console.
fn start_and_type(domain: &Domain, line: &str) {
    domain.create().unwrap();
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    console.type_line(line);
}

#[test]
fn each_end_is_told_as_what_it_was() {
    let Some(mut host) = Host::new("each_end_is_told_as_what_it_was") else { return };
    let document = host.document("ends").memory(32768).script(OBEYS);
    let (events, ends) = (host.bus().events(), host.bus().ends());
    let domain = host.bus().define(&document).unwrap();
    events.expect(&domain, &[Step::ADDED]);
    let said = |host: &Host| host.nsvirsh().run(&["domstate", "--reason", "ends"]);
    assert_eq!(facts(&domain.end()), "");

    let killed = "init was killed by signal 9 (SIGKILL)";
    let plain = (Step::SHUT_DOWN, (5, 1));
    let cases = [
        ("exit 0", "init exited with status 0", plain.clone(), "status=I32(0)", false),
        ("exit 3", "init exited with status 3", plain.clone(), "status=I32(3)", true),
        ("poweroff -f", "the container powered off", plain, "", false),
        (
            "exec tail /dev/zero",
            "init was killed by signal 9 (SIGKILL), out of memory",
            (Step::CRASHED, (5, 3)),
            "out-of-memory=Bool(true) signal=I32(9)",
            true,
        ),
    ];
    for (line, text, (step, state), expected, is_said) in cases {
        start_and_type(&domain, line);
        events.expect(&domain, &[Step::STARTED, step]);
        ends.expect(&domain, &[ended(text)]);
        assert_eq!(domain.state(), state, "{line}");
        assert_eq!(facts(&domain.end()), expected, "{line}");
        let reason = if state == (5, 3) { "crashed" } else { "shutdown" };
        let how = if is_said { format!(": {text}") } else { String::new() };
        assert_eq!(said(&host), Said::good(&format!("shut off ({reason}{how})\n")), "{line}");
        host.assert_idle();
    }
    // Killed from outside, with nothing amiss inside: nobody ran out of memory.
    domain.create().unwrap();
    assert_eq!(facts(&domain.end()), "", "it is forgotten when it is started");
    Process::open(only_child(domain.id())).unwrap().kill();
    events.expect(&domain, &[Step::STARTED, Step::CRASHED]);
    assert_eq!(facts(&domain.end()), "signal=I32(9)");
    domain.create().unwrap();
    domain.destroy().unwrap();
    assert_eq!((domain.state(), facts(&domain.end())), ((5, 2), String::new()));
    assert_eq!(said(&host), Said::good("shut off (destroyed)\n"));

    // It is known to later daemons as well, and in the domain's log.
    start_and_type(&domain, "exit 3");
    events.expect(&domain, &[Step::STARTED, Step::DESTROYED, Step::STARTED, Step::SHUT_DOWN]);
    host.stop_daemon();
    host.start_daemon();
    let domain = host.bus().at(&domain.path);
    assert_eq!(domain.state(), (5, 1));
    assert_eq!(domain.end().get::<String>("text"), "init exited with status 3");
    let log = fs::read_to_string(host.paths.logs().join("ends.log")).unwrap();
    for line in ["starting up: /bin/sh -c echo ready;", "init exited with status 3", killed] {
        assert!(log.contains(&format!("+0000: {line}")), "{line}: {log}");
    }
    domain.undefine().unwrap();
    assert_eq!(fs::read_dir(host.paths.endings()).unwrap().count(), 0);
}

#[test]
fn a_fault_in_init_is_a_crash_and_its_dump_is_told() {
    let Some(host) = Host::new("a_fault_in_init_is_a_crash_and_its_dump_is_told") else { return };
    crash(&host);
    let events = host.bus().events();
    let domain = host.bus().define(host.document("faulty").script(OBEYS)).unwrap();
    events.expect(&domain, &[Step::ADDED]);
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let is_file = !pattern.contains(['|', '/', '@']);
    for limit in ["0", "unlimited"] {
        start_and_type(&domain, &format!("ulimit -c {limit}; exec /crash"));
        events.expect(&domain, &[Step::STARTED, Step::CRASHED]);
        let end = domain.end();
        assert_eq!(end.get::<i32>("signal"), 4);
        let dumped = end.0.contains_key("core-dumped");
        let text = "init was killed by signal 4 (SIGILL)";
        let expected = if dumped { format!("{text}, core dumped") } else { text.to_owned() };
        assert_eq!(end.get::<String>("text"), expected);
        let is_core = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b"core");
        let entries = fs::read_dir(&host.tree.path).unwrap();
        let found = entries.filter(|it| is_core(&it.as_ref().unwrap().file_name())).count();
        if is_file {
            assert_eq!(dumped, found == 1, "{found} dumps");
        }
    }
}

#[test]
fn the_document_says_what_follows() {
    let Some(host) = Host::new("the_document_says_what_follows") else { return };
    let bus = host.bus();
    let restart = "<on_poweroff>restart</on_poweroff><on_reboot>destroy</on_reboot>\
                   <on_crash>restart</on_crash>";
    let (events, ends) = (bus.events(), bus.ends());
    let domain = host.run(&host.document("follows").uuid(UUID).script(OBEYS).element(restart));
    events.expect(&domain, &[Step::STARTED]);
    let id = domain.id();
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    console.type_line("exit 7");
    console.wait_for("ready\r\n");
    events.expect(&domain, &[Step::SHUT_DOWN, Step::STARTED]);
    ends.expect(&domain, &[ended("init exited with status 7")]);
    console.type_line("poweroff -f");
    console.wait_for("ready\r\n");
    events.expect(&domain, &[Step::SHUT_DOWN, Step::STARTED]);
    Process::open(only_child(id)).unwrap().kill();
    console.wait_for("ready\r\n");
    events.expect(&domain, &[Step::CRASHED, Step::STARTED]);
    assert_eq!((domain.state(), domain.id()), ((1, 1), id));
    assert_eq!(domain.end().get::<i32>("signal"), 9);
    // Whatever the document says, this is the end.
    domain.destroy().unwrap();
    events.expect(&domain, &[Step::DESTROYED]);
    assert!(bus.by_uuid(UUID).is_err());
    host.assert_idle();
    let domain = host.run(&host.document("follows").uuid(UUID).script(OBEYS).element(restart));
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    console.type_line("reboot -f");
    events.expect(&domain, &[Step::STARTED, Step::SHUT_DOWN]);
    assert!(bus.by_uuid(UUID).is_err());
    host.assert_idle();
}

#[test]
fn the_words_that_mean_the_same_do_the_same() {
    let Some(host) = Host::new("the_words_that_mean_the_same_do_the_same") else { return };
    let events = host.bus().events();
    for (word, restarts) in [
        ("destroy", false),
        ("preserve", false),
        ("coredump-destroy", false),
        ("restart", true),
        ("rename-restart", true),
        ("coredump-restart", true),
    ] {
        let element = format!("<on_crash>{word}</on_crash>");
        let domain = host.run(&host.document(word).script(OBEYS).element(&element));
        let mut console = domain.console();
        console.wait_for("ready\r\n");
        Process::open(only_child(domain.id())).unwrap().kill();
        events.expect(&domain, &[Step::STARTED, Step::CRASHED]);
        if restarts {
            console.wait_for("ready\r\n");
            events.expect(&domain, &[Step::STARTED]);
            assert_eq!(host.bus().by_name(word).unwrap(), domain);
            domain.destroy().unwrap();
            events.expect(&domain, &[Step::DESTROYED]);
        }
        host.assert_idle();
    }
}

#[test]
fn what_ends_at_once_again_and_again_can_be_destroyed_while_it_waits() {
    let name = "what_ends_at_once_again_and_again_can_be_destroyed_while_it_waits";
    let Some(host) = Host::new(name) else { return };
    let always = "<on_poweroff>restart</on_poweroff>";
    let document = host.document("loop").script("echo . >>/starts; exit 1").element(always);
    let domain = host.bus().define(&document).unwrap();
    let starts = || fs::read_to_string(host.tree.path.join("starts")).unwrap_or_default().len() / 2;
    for times in 1..=3 {
        domain.create().unwrap();
        until("it waits", || starts() >= 7 * times);
        assert_eq!(domain.state(), (1, 1));
        domain.destroy().unwrap();
        assert_eq!(domain.state(), (5, 2));
        host.assert_idle();
    }
}

#[test]
fn a_restart_that_cannot_be_is_a_failure_that_says_why() {
    let Some(host) = Host::new("a_restart_that_cannot_be_is_a_failure_that_says_why") else {
        return;
    };
    let source = host.directory.join("volatile");
    fs::create_dir(&source).unwrap();
    let document = host.document("stuck").script(OBEYS).mount(&source, "/mnt", false);
    let events = host.bus().events();
    let domain = host.bus().define(document).unwrap();
    events.expect(&domain, &[Step::ADDED]);
    domain.create().unwrap();
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    fs::remove_dir(&source).unwrap();
    console.type_line("reboot -f");
    events.expect(&domain, &[Step::STARTED, Step::FAILED]);
    assert_eq!(domain.state(), (5, 6));
    let text: String = domain.end().get("text");
    let expected = "the container rebooted; it was not started anew: cannot ";
    assert!(text.starts_with(expected) && text.ends_with("No such file or directory"), "{text}");
    host.assert_idle();
}

#[test]
fn a_reboot_keeps_what_it_was_started_with_whoever_is_there() {
    let name = "a_reboot_keeps_what_it_was_started_with_whoever_is_there";
    let Some(mut host) = Host::new(name) else { return };
    let script = |word: &str| format!("echo {word} ready; {}", OBEYS.split_once(';').unwrap().1);
    let document = |word: &str| host.document("kept").uuid(UUID).script(&script(word));
    let (old, new): (Document, Document) = (document("old"), document("new"));
    let domain = host.bus().define(&old).unwrap();
    domain.create().unwrap();
    let mut console = domain.console();
    console.wait_for("old ready\r\n");
    host.bus().define(&new).unwrap();
    console.type_line("reboot -f");
    console.wait_for("old ready\r\n");
    host.kill_daemon();
    console.type_line("reboot -f");
    console.wait_for("old ready\r\n");
    host.start_daemon();
    let domain = host.bus().at(&domain.path);
    assert!(domain.xml(0).unwrap().contains("echo old"), "what runs");
    assert!(domain.xml(2).unwrap().contains("echo new"), "what will run");
    console.type_line("reboot -f");
    console.wait_for("old ready\r\n");
    domain.destroy().unwrap();
    domain.create().unwrap();
    domain.console().wait_for("new ready\r\n");
}

#[test]
fn the_log_is_bounded() {
    let Some(host) = Host::new("the_log_is_bounded") else { return };
    let log = host.paths.logs().join("noisy.log");
    let kept = |number: u32| host.paths.logs().join(format!("noisy.log.{number}"));
    let domain = host.bus().define(host.document("noisy").script(OBEYS)).unwrap();
    let large = || fs::File::options().append(true).create(true).open(&log).unwrap();
    for _ in 1..=6 {
        large().set_len(3 << 20).unwrap();
        domain.create().unwrap();
        assert_eq!(fs::metadata(kept(1)).unwrap().len(), 3 << 20);
        assert!(fs::metadata(&log).unwrap().len() < 4096);
        domain.destroy().unwrap();
    }
    assert!(kept(4).exists() && !kept(5).exists());
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    // A run that goes on and on is bounded too.
    domain.create().unwrap();
    let mut console = domain.console();
    console.wait_for("ready\r\n");
    large().set_len(3 << 20).unwrap();
    console.type_line("reboot -f");
    console.wait_for("ready\r\n");
    let text = fs::read_to_string(&log).unwrap();
    assert!(text.len() < 4096 && text.contains(": starting up anew\n"), "{text}");
}
