//! Clients that lie, stop in the middle, ask without end and do not listen. One of them is gone
//! after that; nobody else notices, and the daemon does not grow.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;

use super::raw::{Client, HOSTNAME, REMOTE, message, socket, text, words};
use crate::support::{Host, until};

/// Procedures that change something, by what libvirt's own daemon refuses a read-only client.
const CHANGES: &[i32] = &[
    8, 9, 10, 11, 12, 13, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 39, 40, 41, 42, 48, 49, 53, 54,
    55, 58, 61, 62, 63, 75, 76, 77, 78, 79, 80, 81, 82, 83, 90, 93, 94, 103, 104, 108, 109, 118,
    119, 120, 123, 124, 125, 131, 132, 133, 134, 135, 136, 142, 144, 145, 146, 148, 160, 161, 164,
    165, 166, 174, 180, 181, 182, 184, 185, 192, 193, 196, 197, 199, 201, 204, 205, 207, 208, 209,
    210, 211, 213, 214, 215, 216, 217, 218, 219, 220, 221, 222, 225, 226, 231, 232, 233, 234, 235,
    236, 237, 239, 240, 242, 245, 250, 251, 252, 254, 256, 258, 259, 260, 261, 264, 266, 267, 277,
    279, 288, 290, 291, 294, 295, 296, 300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 310, 334,
    335, 336, 337, 338, 342, 343, 345, 347, 349, 350, 352, 355, 356, 357, 364, 366, 371, 372, 384,
    386, 389, 390, 392, 393, 395, 396, 399, 400, 402, 406, 408, 410, 411, 417, 418, 420, 421, 424,
    425, 427, 428, 429, 430, 431, 432, 433, 434, 437, 440, 441, 442,
];

/// A host with a container and a client that must be served whatever others do.
struct Watched {
    host: Host,
    other: Client,
}

impl Watched {
    fn new(test: &str) -> Option<Self> {
        let host = Host::new(test)?;
        let other = Client::open(&socket(&host, false));
        Some(Self { host, other })
    }

    fn client(&self) -> Client {
        Client::open(&socket(&self.host, false))
    }

    /// Memory of the daemon, in KiB.
    fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.host.daemon_pid());
        let text = fs::read_to_string(path).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.host.daemon_pid())).unwrap().count()
    }
}

#[test]
fn lengths_that_no_message_has_end_the_connection() {
    let test = "lengths_that_no_message_has_end_the_connection";
    let Some(mut watched) = Watched::new(test) else { return };
    let before = watched.memory();
    for length in [0, 4, 27, 33_554_437, u32::MAX] {
        let mut client = watched.client();
        client.send(&words(&[length, REMOTE.0, REMOTE.1, 59, 0, 1, 0]));
        client.assert_closed();
        watched.other.assert_served();
    }
    // The longest there is, of which little comes: nothing is set aside for the rest.
    let mut halves: Vec<Client> = (0..20).map(|_| watched.client()).collect();
    for client in &mut halves {
        client.send(&words(&[33_554_436, REMOTE.0, REMOTE.1, 11, 0, 1, 0, 0]));
    }
    watched.other.assert_served();
    assert!(watched.memory() < before + 20 * 1024, "{} KiB", watched.memory() - before);
    for client in &mut halves {
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        client.assert_closed();
    }
    watched.other.assert_served();
}

#[test]
fn arguments_that_are_none_are_refused_and_the_connection_goes_on() {
    let test = "arguments_that_are_none_are_refused_and_the_connection_goes_on";
    let Some(mut watched) = Watched::new(test) else { return };
    let mut client = watched.client();
    let refused = (39, 7, "Unable to decode message payload".to_owned());
    let domain = [text("web"), vec![0; 16], words(&[u32::MAX])].concat();
    let cases = [
        (14, vec![0; 8]),
        (11, words(&[u32::MAX])),
        (11, words(&[4 << 20, 0])),
        (344, words(&[u32::MAX, 0, 0])),
        (58, [domain.clone(), words(&[17])].concat()),
        (58, [domain.clone(), words(&[1]), text("cpu_shares"), words(&[99, 0, 0])].concat()),
        (340, words(&[1 << 31, 0, 0, 0])),
    ];
    for (procedure, payload) in cases {
        assert_eq!(client.call(procedure, &payload).error(), refused, "{procedure}");
    }
    let mut error = |program, head| client.ask(program, head, &[]).error().2;
    assert_eq!(error(REMOTE, [9999, 0, 0, 0]), "unknown procedure: 9999");
    assert_eq!(error(REMOTE, [318, 0, 0, 0]), "unknown procedure: 318");
    assert_eq!(error(REMOTE, [-1, 0, 0, 0]), "unknown procedure: -1");
    assert_eq!(error((0x1234, 7), [1, 0, 0, 0]), "Cannot find program 4660 version 7");
    assert_eq!(error((REMOTE.0, 2), [1, 0, 0, 0]), "Cannot find program 536903814 version 2");
    assert_eq!(error(REMOTE, [59, 0, 0, 1]), "Unexpected message status 1");
    // Answers, events and streams that nobody waits for are nothing.
    for kind in [1, 2, 3, 5, 99] {
        client.send(&message(REMOTE, [59, kind, 77, 2], &[1; 100]));
    }
    client.assert_served();
    watched.other.assert_served();
}

#[test]
fn whoever_only_asks_is_not_read_from() {
    let Some(mut watched) = Watched::new("whoever_only_asks_is_not_read_from") else { return };
    let before = watched.memory();
    let capabilities = message(REMOTE, [7, 0, 1, 0], &[]);
    let ping = message((0x6b65_6570, 1), [1, 2, 0, 0], &[]);
    assert_eq!(capabilities.len(), ping.len());
    let most = 10 << 20;
    for calls in [capabilities.repeat(1000), ping.repeat(1000)] {
        let mut client = watched.client();
        client.stream.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while sent < most {
            let rest = &calls[sent % ping.len()..];
            match client.stream.write(rest) {
                Ok(length) => sent += length,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    // What the daemon reads it has read when it answers somebody who asks later.
                    watched.other.assert_served();
                    match client.stream.write(rest) {
                        Ok(length) => sent += length,
                        Err(_) => break,
                    }
                }
            }
        }
        assert!(sent < most, "all was read");
        assert!(watched.memory() < before + 16 * 1024, "{} KiB more", watched.memory() - before);
        watched.other.assert_served();
    }
}

#[test]
fn whoever_does_not_read_events_is_cut_off() {
    let Some(mut watched) = Watched::new("whoever_does_not_read_events_is_cut_off") else { return };
    let (mut deaf, mut listener) = (watched.client(), watched.client());
    for client in [&mut deaf, &mut listener] {
        assert_eq!(client.call(316, &words(&[23, 0])).status, 0);
    }
    let domain = watched.host.run(&watched.host.document("loud"));
    let before = watched.memory();
    let space = format!("http://example.org/{}", "x".repeat(60_000));
    for number in 0..40 {
        domain.set_metadata((2, &format!("<a n='{number}'/>"), "k", &space), 1).unwrap();
        let event = listener.receive().unwrap().unwrap();
        assert_eq!((event.procedure, event.kind), (379, 2));
    }
    assert!(watched.memory() < before + 16 * 1024, "{} KiB more", watched.memory() - before);
    deaf.assert_closed();
    listener.assert_served();
    watched.other.assert_served();
    assert!(watched.host.log().contains("it does not read its events"));
}

#[test]
fn descriptors_are_taken_only_where_they_belong() {
    let test = "descriptors_are_taken_only_where_they_belong";
    let Some(mut watched) = Watched::new(test) else { return };
    let null = File::open("/dev/null").unwrap();
    let mut client = watched.client();
    let before = watched.descriptors();
    for serial in 100..110 {
        let call = message(REMOTE, [HOSTNAME, 0, serial, 0], &[]);
        nsvirt::sys::fd::send(client.stream.as_fd(), &call, &[null.as_fd()]).unwrap();
        assert_eq!(client.receive().unwrap().unwrap().serial, serial);
    }
    // As many as it says, each with a byte; and they are closed with the call.
    let mut payload = words(&[2]);
    payload.extend([text("nowhere"), vec![0; 16], words(&[u32::MAX, 0])].concat());
    client.send(&message(REMOTE, [310, 4, 7, 0], &payload));
    for _ in 0..2 {
        nsvirt::sys::fd::send(client.stream.as_fd(), &[0], &[null.as_fd()]).unwrap();
    }
    let (code, ..) = client.receive().unwrap().unwrap().error();
    assert_eq!(code, 42);
    assert_eq!(watched.descriptors(), before);
    for number in [33, u32::MAX] {
        let mut client = watched.client();
        client.send(&message(REMOTE, [310, 4, 7, 0], &words(&[number])));
        client.assert_closed();
    }
    let mut client = watched.client();
    client.send(&message(REMOTE, [310, 4, 7, 0], &words(&[1])));
    client.send(&[0]);
    client.assert_closed();
    watched.other.assert_served();
}

#[test]
fn streams_that_are_abandoned_are_gone() {
    let Some(mut watched) = Watched::new("streams_that_are_abandoned_are_gone") else { return };
    let document = watched.host.document("flood").script("while :; do echo line; done");
    let flood = watched.host.run(&document);
    let uuid: String = flood.property("UUID");
    let uuid = uuid::Uuid::parse_str(&uuid).unwrap();
    let arguments = [text("flood"), uuid.as_bytes().to_vec(), words(&[0, 0, 0])].concat();
    let before = (watched.memory(), watched.descriptors());
    for _ in 0..5 {
        let mut client = watched.client();
        assert_eq!(client.call(201, &arguments).status, 0);
        // Data without end is there; only some of it is read.
        let data = client.receive().unwrap().unwrap();
        assert_eq!((data.kind, data.status), (3, 2));
        watched.other.assert_served();
    }
    until("the consoles are closed", || watched.descriptors() <= before.1);
    assert!(watched.memory() < before.0 + 16 * 1024);
    watched.other.assert_served();
}

#[test]
fn whoever_may_only_look_changes_nothing() {
    let Some(watched) = Watched::new("whoever_may_only_look_changes_nothing") else { return };
    let mut client = Client::open(&socket(&watched.host, true));
    let payload = [0; 512];
    for procedure in 3..=443 {
        let answer = client.call(procedure, &payload);
        let is_refused = answer.status == 1 && answer.error().0 == 29;
        let changes = CHANGES.contains(&procedure);
        assert_eq!(is_refused, changes, "procedure {procedure}: {answer:?}");
    }
    let namespaces = client.ask((0x0006_8000, 1), [1, 0, 0, 0], &payload);
    let text = "operation forbidden: read only access prevents virDomainLxcOpenNamespace";
    assert_eq!(namespaces.error().2, text);
    // Long calls are for those that may change something.
    client.send(&words(&[2 << 20, REMOTE.0, REMOTE.1, 344, 0, 1, 0]));
    client.assert_closed();
}
