//! The sockets themselves: whose they are, who else may have them, and what is left of them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;

use super::raw::{Client, REMOTE, message, socket, text, words};
use crate::support::{Host, Step};

#[test]
fn sockets_are_there_while_the_daemon_is() {
    let Some(mut host) = Host::new("sockets_are_there_while_the_daemon_is") else { return };
    let (write, read) = (socket(&host, false), socket(&host, true));
    let mode = |path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&write), mode(&read)), (0o660, 0o666));
    // What a daemon that was killed leaves is replaced.
    host.kill_daemon();
    assert!(fs::metadata(&write).unwrap().file_type().is_socket());
    host.start_daemon();
    Client::open(&write).assert_served();
    host.stop_daemon();
    assert!(!write.exists() && !read.exists());
    // What somebody else has stays.
    let other = UnixListener::bind(&write).unwrap();
    let failure = host.try_daemon().unwrap_err();
    assert!(failure.contains("another daemon answers there"), "{failure}");
    assert!(write.exists() && !read.exists());
    drop(other);
    host.start_daemon();
    Client::open(&write).assert_served();
    host.stop_daemon();
    fs::write(&write, "a file").unwrap();
    let failure = host.try_daemon().unwrap_err();
    assert!(failure.contains("it is no socket"), "{failure}");
    assert_eq!(fs::read_to_string(&write).unwrap(), "a file");
    fs::remove_file(&write).unwrap();
    host.start_daemon();
}

#[test]
fn both_front_ends_have_the_same_domains_and_events() {
    let test = "both_front_ends_have_the_same_domains_and_events";
    let Some(host) = Host::new(test) else { return };
    let events = host.bus().events();
    let mut client = Client::open(&socket(&host, false));
    let callback = client.call(316, &words(&[0, 0])).word(0);
    let domain = host.bus().define(host.document("both")).unwrap();
    let event = client.receive().unwrap().unwrap();
    assert_eq!((event.procedure, event.word(0)), (318, callback));
    assert!(event.payload.ends_with(&words(&[u32::MAX, 0, 0])), "{event:?}");
    let found = client.call(23, &text("both"));
    assert_eq!(found.status, 0);
    let undefined = client.call(35, &found.payload);
    assert_eq!(undefined.status, 0);
    events.expect(&domain, &[Step::ADDED, Step::UNDEFINED]);
    let gone = client.call(35, &found.payload).error();
    assert_eq!((gone.0, gone.1), (42, 17));
}

#[test]
fn a_client_is_asked_whether_it_is_there_only_if_it_wants_that() {
    let test = "a_client_is_asked_whether_it_is_there_only_if_it_wants_that";
    let Some(host) = Host::new(test) else { return };
    const KEEPALIVE: (u32, u32) = (0x6b65_6570, 1);
    let mut client = Client::connect(&socket(&host, false));
    client.send(&message(KEEPALIVE, [1, 2, 0, 0], &[]));
    let answer = client.receive().unwrap().unwrap();
    assert_eq!((answer.procedure, answer.kind), (2, 2));
    assert_eq!(client.call(60, &words(&[10])).word(0), 1);
    let question = client.receive().unwrap().unwrap();
    assert_eq!((question.procedure, question.kind), (1, 2));
    client.send(&message(KEEPALIVE, [2, 2, 0, 0], &[]));
    client.assert_served_unopened();
}

impl Client {
    /// The connection goes on; it was never opened.
    fn assert_served_unopened(&mut self) {
        let answer = self.ask(REMOTE, [59, 0, 0, 0], &[]);
        assert_eq!(answer.error().2, "internal error: hypervisor connection not open");
    }
}

#[test]
fn programs_that_know_libvirt_find_init_by_the_pid_file() {
    let test = "programs_that_know_libvirt_find_init_by_the_pid_file";
    let Some(host) = Host::new(test) else { return };
    let domain = host.run(&host.document("found"));
    let file = host.paths.libvirt.join("lxc/found.pid");
    let pid: u32 = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    assert_eq!(pid, domain.id());
    let init = crate::support::process::only_child(pid);
    let command = fs::read(format!("/proc/{init}/cmdline")).unwrap();
    assert!(command.starts_with(b"/bin/sh\0"), "{command:?}");
    domain.destroy().unwrap();
    assert!(!file.exists());
}

/// Starts a daemon as systemd does, with sockets of its own.
#[test]
fn sockets_of_systemd_are_taken_over_and_stay() {
    let test = "sockets_of_systemd_are_taken_over_and_stay";
    let Some(mut host) = Host::new(test) else { return };
    host.stop_daemon();
    let (write, read) = (socket(&host, false), socket(&host, true));
    let listeners = [&write, &read].map(|path| UnixListener::bind(path).unwrap());
    let script = format!(
        "exec env LISTEN_PID=$$ LISTEN_FDS=2 {} --prefix {} --bus embedded 3<&0 4<&1 0</dev/null 1>&2",
        env!("CARGO_BIN_EXE_nsvirtd"),
        host.prefix.display(),
    );
    let [first, second] = listeners;
    let log = fs::File::create(host.directory.join("activated.log")).unwrap();
    let mut child = std::process::Command::new("sh")
        .args(["-c", &script])
        .stdin(std::os::fd::OwnedFd::from(first))
        .stdout(std::os::fd::OwnedFd::from(second))
        .stderr(log)
        .spawn()
        .unwrap();
    // systemd's sockets answer when the daemon does.
    let mut client = Client::open(&write);
    client.assert_served();
    let refused = Client::open(&read).call(11, &text("<domain/>")).error();
    assert_eq!(refused.0, 29);
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(write.exists() && read.exists());
    fs::remove_file(&write).unwrap();
    fs::remove_file(&read).unwrap();
    host.start_daemon();
}
