//! Hooks: when they are called, with what, and what they can refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::support::bus::wait;
use crate::support::{Domain, Host, Step, until};

/// Writes the call into a file beside it, with the document's first line.
const NOTES: &str = "echo \"${0##*/} $* $(head -n 1)\" >>\"${0%/*}/calls\"";

pub fn hook(host: &Host, name: &str, script: &str) {
    let path = host.paths.hooks().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Replaced as a whole: the one before may be running.
    let new = host.directory.join("hook");
    fs::write(&new, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, &path).unwrap();
}

/// The calls since this was asked last.
fn calls(host: &Host) -> Vec<String> {
    let path = host.paths.hooks().join("calls");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(&path);
    text.lines().map(str::to_owned).collect()
}

fn call(domain: &str, operation: &str, id: Option<u32>) -> String {
    let id = id.map_or_else(String::new, |id| format!(" id='{id}'"));
    let scope = "xmlns:nsvirt='urn:nsvirt:domain:1.0'";
    format!("lxc {domain} {operation} - <domain type='lxc'{id} {scope}>")
}

#[test]
fn hooks_are_called_as_libvirt_calls_them() {
    let Some(mut host) = Host::new("hooks_are_called_as_libvirt_calls_them") else { return };
    hook(&host, "lxc", NOTES);
    let domain = host.bus().define(host.document("web")).unwrap();
    domain.create().unwrap();
    let id = domain.id();
    let begin = |operation, id| call("web", operation, id);
    let started = [
        begin("prepare begin", None),
        begin("start begin", None),
        begin("started begin", Some(id)),
    ];
    assert_eq!(calls(&host), started);
    domain.suspend().unwrap();
    domain.resume().unwrap();
    assert_eq!(calls(&host), Vec::<String>::new());
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().at(&domain.path);
    until("the hook is called", || host.paths.hooks().join("calls").exists());
    // It has the domain's turn: this comes after it.
    domain.destroy().unwrap();
    let ended = ["reconnect begin", "stopped end", "release end"].map(|it| begin(it, Some(id)));
    assert_eq!(calls(&host), ended);

    // By itself, and with programs of a directory, in the order of their names.
    hook(&host, "lxc.d/b", &NOTES.replace("/calls", "/../calls"));
    hook(&host, "lxc.d/a", &NOTES.replace("/calls", "/../calls"));
    fs::write(host.paths.hooks().join("lxc.d/README"), "not a program").unwrap();
    let events = host.bus().events();
    let brief = host.bus().create_xml(host.document("brief").script("exit 0")).unwrap();
    events.expect(&brief, &[Step::STARTED, Step::SHUT_DOWN]);
    let called = calls(&host);
    let names: Vec<_> = called.iter().map(|it| it.split_once(" - ").unwrap().0).collect();
    let operations =
        ["prepare begin", "start begin", "started begin", "stopped end", "release end"];
    let all =
        operations.iter().flat_map(|it| ["lxc", "a", "b"].map(|name| format!("{name} brief {it}")));
    assert_eq!(names, all.collect::<Vec<_>>());
}

#[test]
fn what_a_hook_refuses_leaves_nothing() {
    let Some(host) = Host::new("what_a_hook_refuses_leaves_nothing") else { return };
    let events = host.bus().events();
    let domain = host.bus().define(host.document("refused")).unwrap();
    events.expect(&domain, &[Step::ADDED]);
    let before = ["prepare", "start", "started"];
    for (number, operation) in before.iter().enumerate() {
        hook(
            &host,
            "lxc",
            &format!("{NOTES}\nif [ $2 = {operation} ]; then echo no way; exit 3; fi"),
        );
        hook(&host, "lxc.d/more", &NOTES.replace("/calls", "/../calls"));
        let failure = domain.create().unwrap_err();
        let program = host.paths.hooks().join("lxc");
        let expected = format!(
            "Hook script execution failed: {} refused {operation} begin failed \
             (exit status: 3): no way",
            program.display()
        );
        assert_eq!(failure.text, expected);
        assert_eq!(domain.state(), (5, 6));
        host.assert_idle();
        let called = calls(&host);
        let names: Vec<_> = called.iter().map(|it| it.split(' ').nth(2).unwrap()).collect();
        // The other program is called whatever the first says, and both for the end.
        let expected = before[..=number].iter().chain(&["stopped", "release"]);
        assert_eq!(names, expected.flat_map(|it| [*it, *it]).collect::<Vec<_>>());
    }
    fs::remove_file(host.paths.hooks().join("lxc")).unwrap();
    domain.create().unwrap();
    domain.assert_answers();
    domain.destroy().unwrap();
    // None of the failed starts was an event, and of the one that worked there are two.
    events.expect(&domain, &[Step::STARTED, Step::DESTROYED]);

    // What runs is ended when the reconnecting daemon's hook fails.
    domain.create().unwrap();
    let mut host = host;
    host.kill_daemon();
    hook(&host, "lxc", "[ $2 != reconnect ]");
    host.start_daemon();
    let domain = host.bus().at(&domain.path);
    until("it is ended", || domain.state() == (5, 6));
    host.assert_idle();
}

#[test]
fn a_hook_may_make_what_the_document_names() {
    let Some(host) = Host::new("a_hook_may_make_what_the_document_names") else { return };
    let source = host.directory.join("made");
    hook(
        &host,
        "lxc",
        &format!("case $2 in prepare) mkdir {0};; release) rmdir {0};; esac", source.display()),
    );
    let domain = host.run(&host.document("made").mount(&source, "/mnt", false));
    domain.assert_answers();
    assert!(source.is_dir());
    domain.destroy().unwrap();
    assert!(!source.exists());
}

#[test]
fn a_hook_that_waits_keeps_nobody_else() {
    let Some(host) = Host::new("a_hook_that_waits_keeps_nobody_else") else { return };
    let bystander = host.bystander();
    let fifo = host.paths.hooks().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let waits =
        format!("if [ $1$2 = slowprepare ]; then read line <{}; fi; exit 0", fifo.display());
    hook(&host, "lxc", &waits);
    let slow = host.bus().define(host.document("slow")).unwrap();
    let starting = start(&slow);
    // The hook has opened it: it is called, and waits.
    let gate = open_for_writing(&fifo);
    bystander.assert_answers();
    let other = host.run(&host.document("other"));
    other.destroy().unwrap();
    assert_eq!(slow.state().0, 5);
    assert!(slow.xml(0).unwrap().contains("<name>slow</name>"));
    drop(gate);
    wait("the start", starting).unwrap();
    slow.assert_answers();
}

/// Starts a domain meanwhile.
fn start(domain: &Domain) -> tokio::task::JoinHandle<()> {
    let domain = domain.clone();
    crate::support::bus::runtime().spawn(async move {
        let interface = Some("org.libvirt.Domain");
        let service = Some("org.libvirt");
        domain
            .bus
            .0
            .call_method(service, &*domain.path, interface, "Create", &0_u32)
            .await
            .unwrap();
    })
}

/// Waits until somebody reads.
fn open_for_writing(fifo: &Path) -> fs::File {
    fs::File::options().write(true).open(fifo).unwrap()
}
