//! Injected faults: what fails, and who dies when. Each time the error is a sentence, nothing is
//! left, nobody else is harmed, and the next start works. `docs/reliability.md` has the promises.

mod kills;
mod limits;
mod records;
mod starts;

use std::process::Command;

use crate::support::{Domain, Host};

const UUID: &str = "5c0e9a4e-31f4-4a8f-8a4c-0000000000fa";

fn sh(script: &str) {
    let status = Command::new("/bin/sh").args(["-ec", script]).status().unwrap();
    assert!(status.success(), "{script}: {status}");
}

/// Starts a domain that works again, and ends it.
fn assert_starts(domain: &Domain) {
    domain.create().unwrap();
    domain.assert_answers();
    domain.destroy().unwrap();
}

/// The domain that things are done to; and one that only has to go on.
fn with_bystander(test: &str) -> Option<(Host, Domain, Domain)> {
    let host = Host::new(test)?;
    let bystander = host.bystander();
    let domain = host.bus().define(host.document("faulty").uuid(UUID)).unwrap();
    Some((host, domain, bystander))
}

/// A promise without its test is none.
#[test]
fn every_test_that_the_promises_name_is_there() {
    let integration = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration");
    let promises = include_str!("../../../docs/reliability.md");
    // Between backticks is every second piece.
    let quoted = promises.split('`').skip(1).step_by(2);
    let mut found = 0;
    for (module, test) in quoted.filter_map(|text| text.rsplit_once("::")) {
        let file = integration.join(module.replace("::", "/")).with_extension("rs");
        let Ok(source) = std::fs::read_to_string(&file) else {
            assert_eq!((module, test), ("faults", ""), "no {}", file.display());
            continue;
        };
        assert!(source.contains(&format!("fn {test}")), "no {module}::{test}");
        found += 1;
    }
    assert!(found > 40, "only {found} tests are named");
}
