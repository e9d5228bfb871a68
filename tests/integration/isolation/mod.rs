//! What root in a container can do, row by row, in each profile, with and without ids of its own.
//!
//! The tables in `tests/data/isolation` say what is expected. A row that opens fails, and so does
//! one that closes: somebody may need it. `docs/security.md` has what was measured beside what
//! other runtimes were measured to do.

mod probe;
mod table;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use crate::support::{Document, Host};
use probe::{Answers, Keyrings};
use table::{Column, Measured};

const IDS: &str = "<idmap><uid start='0' target='100000' count='65536'/>\
                   <gid start='0' target='100000' count='65536'/></idmap>\
                   <features><privnet/></features>";

/// Rows without which a measurement would say little.
const FEWEST: usize = 140;

pub fn isolation(profile: &str, content: &str) -> String {
    format!(
        "<n:isolation xmlns:n='urn:nsvirt:domain:1.0' profile='{profile}'>{content}</n:isolation>"
    )
}

/// What a container could reach of the host of the test, if it were not kept from it.
struct Reachable {
    _socket: UnixListener,
    _port: TcpListener,
    variables: Vec<(&'static str, String)>,
}

impl Reachable {
    fn make(host: &Host) -> Self {
        let name = host.directory.to_str().unwrap().to_owned();
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let (socket, port) = host.network.within(|| {
            nsvirt::sys::link::loopback_up().unwrap();
            let port = TcpListener::bind("127.0.0.1:0").unwrap();
            (UnixListener::bind_addr(&address).unwrap(), port)
        });
        let Keyrings { session, user } = Keyrings::of_host();
        let variables = vec![
            ("PROBE_ABSTRACT", name),
            ("PROBE_PORT", port.local_addr().unwrap().port().to_string()),
            ("PROBE_SESSION_KEYRING", session),
            ("PROBE_USER_KEYRING", user),
        ];
        Self { _socket: socket, _port: port, variables }
    }

    fn document(&self, host: &Host, name: &str) -> Document {
        let variable =
            |(name, value): &(&str, String)| format!("<initenv name='{name}'>{value}</initenv>");
        let variables: String = self.variables.iter().map(variable).collect();
        host.document(name).memory(256 << 10).init("/probe", &[]).os(&variables)
    }
}

fn measure(host: &Host) -> Measured {
    probe::install(&host.tree);
    let reachable = Reachable::make(host);
    let mut measured = Measured::default();
    for column in Column::ALL {
        let mut document =
            reachable.document(host, column.name).element(&isolation(column.profile, ""));
        if column.has_ids {
            document = document.element(IDS);
        }
        measured.insert(column, probe::ask(host, &document));
    }
    measured
}

#[test]
fn every_row_is_as_expected() {
    let Some(host) = Host::new("every_row_is_as_expected") else {
        return;
    };
    let measured = measure(&host);
    for column in Column::ALL {
        let decided = measured.of(column).0.values().filter(|it| it.as_str() != "na").count();
        assert!(decided >= FEWEST, "{}: only {decided} rows have an answer", column.name);
    }
    if std::env::var_os("NSVIRT_WRITE_TABLES").is_some() {
        measured.write();
    }
    let faults = measured.compare();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_document_has_what_is_expected() {
    let table = Measured::expected().table();
    assert_eq!(table::documented(), table, "docs/security.md is not what was measured");
}

#[test]
fn a_document_lifts_what_it_names_and_nothing_else() {
    let Some(host) = Host::new("a_document_lifts_what_it_names_and_nothing_else") else {
        return;
    };
    probe::install(&host.tree);
    let of = |name: &str, elements: &str| -> Answers {
        probe::ask(
            &host,
            &host.document(name).memory(256 << 10).init("/probe", &[]).element(elements),
        )
    };
    let plain = of("plain", "");
    let opened = |other: &Answers| -> Vec<String> {
        let is_new =
            |(row, answer): &(&String, &String)| *answer == "yes" && plain.0[*row] != "yes";
        other.0.iter().filter(is_new).map(|(row, _)| row.clone()).collect()
    };
    let allow = "<n:allow calls='keyrings'/><n:allow calls='userfaultfd'/>";
    let lifted = of("lifted", &isolation("hardened", allow));
    assert_eq!(opened(&lifted), ["add_key", "userfaultfd", "userfaultfd_user_only"]);
    let features = "<features><capabilities><syslog state='on'/></capabilities></features>";
    let log = of("log", features);
    assert_eq!(
        opened(&log),
        ["cap_syslog", "fresh_proc_kernel_addresses", "fresh_proc_read_kmsg", "syslog_read"]
    );
}

#[test]
fn nothing_gains_privileges_where_the_document_says_so() {
    let Some(host) = Host::new("nothing_gains_privileges_where_the_document_says_so") else {
        return;
    };
    probe::install(&host.tree);
    let element = "<n:isolation xmlns:n='urn:nsvirt:domain:1.0' noNewPrivs='on'/>";
    let document = host.document("fixed").memory(256 << 10).init("/probe", &[]).element(element);
    assert_eq!(probe::ask(&host, &document).0["gain_privileges"], "no");
}

#[test]
fn a_running_document_names_its_profile_and_the_definition_what_it_said() {
    let name = "a_running_document_names_its_profile_and_the_definition_what_it_said";
    let Some(host) = Host::new(name) else { return };
    let domain = host.bus().define(host.document("shown")).unwrap();
    assert!(!domain.xml(0).unwrap().contains("isolation"));
    domain.create().unwrap();
    let live = domain.xml(0).unwrap();
    assert!(live.contains("<nsvirt:isolation profile='hardened'/>"), "{live}");
    const INACTIVE: u32 = 2;
    assert!(!domain.xml(INACTIVE).unwrap().contains("isolation"));
    domain.destroy().unwrap();
    domain.undefine().unwrap();
    let soft = host.run(&host.document("soft").element(&isolation("compat", "")));
    assert!(soft.xml(0).unwrap().contains("<nsvirt:isolation profile='compat'/>"));
}

/// Rows by name.
pub type Rows = BTreeMap<String, String>;
