//! The same documents for libvirt's own LXC driver and for ours: do both say the same?
//!
//! Random documents over the whole grammar, most of them valid. What both write, whether they refuse
//! and with which code is compared; what differs on purpose is in [`differences`], and everything
//! else fails with the smallest document that shows it.
//!
//! `NSVIRT_DOCUMENTS` is how many, `NSVIRT_SEED` makes others, `NSVIRT_FAMILIES` takes only families
//! with one of these words, divided by commas, in their names.

mod adapt;
mod breakage;
mod compare;
mod device;
mod differences;
mod families;
mod grammar;
mod live;
mod report;
mod shrink;
mod values;

use std::path::Path;

use nsvirt::xml::Element;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::Host;
use crate::support::libvirt::{self, Definer};
use compare::{Case, text_of};
use families::Documents;
use grammar::Grammar;
use report::Report;

/// How many unlisted differences are shown before the run ends: one mistake makes many.
const SHOWN: usize = 20;

#[test]
fn documents_are_read_as_libvirt_reads_them() {
    if !libvirt::is_there("documents_are_read_as_libvirt_reads_them") {
        return;
    }
    differences::assert_documented();
    let (count, seed) = (setting("NSVIRT_DOCUMENTS", 2000), setting("NSVIRT_SEED", 1));
    let mut definer = Definer::start();
    let mut report = Report::default();
    for_documents(count, seed, |document, families| {
        let case = Case::ask(document, &mut definer);
        report.add(&case, families);
        if !case.agrees() {
            match explained(case, &mut definer) {
                Ok(row) => report.listed(row),
                Err(case) => report.unlisted(&case),
            }
        }
        report.failures() < SHOWN
    });
    libvirt::say(&format!("\n{report}seed {seed}"));
    assert_eq!(report.failures(), 0, "documents with differences that are not listed");
}

/// The daemon adds nothing to what the library makes of a document.
#[test]
fn the_daemon_reads_documents_as_the_library_does() {
    if !libvirt::is_there("the_daemon_reads_documents_as_the_library_does") {
        return;
    }
    let Some(host) = Host::new("the_daemon_reads_documents_as_the_library_does") else { return };
    let bus = host.bus();
    for_documents(200, setting("NSVIRT_SEED", 1), |document, _| {
        let text = text_of(&document);
        let daemon = bus.define(&text).map(|domain| {
            let xml = domain.xml(3).unwrap();
            domain.undefine().unwrap();
            // Which program that is depends on where the daemon is.
            xml.replace(env!("CARGO_BIN_EXE_nsvirt-lxc"), libvirt::EMULATOR)
        });
        let daemon = daemon.map_err(|failure| failure.text);
        let library = compare::parse(&text).map_err(|error| error.message);
        assert_eq!(
            daemon.map(|xml| compare::mask(&xml, &text)),
            library.map(|xml| compare::mask(&xml, &text)),
            "{text}"
        );
        true
    });
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Makes so many documents from a seed, until `next` has enough of them.
fn for_documents(count: u64, seed: u64, mut next: impl FnMut(Element, &[&'static str]) -> bool) {
    let grammar = Grammar::of_domains(Path::new(libvirt::SCHEMAS));
    let filter = std::env::var("NSVIRT_FAMILIES").unwrap_or_default();
    let documents = Documents::new(&grammar, &filter);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..count {
        let (document, families) = documents.next(&mut runner);
        if !next(document, &families) {
            return;
        }
    }
}

/// The row that explains a disagreement, or the smallest case of it.
fn explained(case: Case, definer: &mut Definer) -> Result<&'static str, Box<Case>> {
    if let Some(row) = differences::explain(&case, definer) {
        return Ok(row);
    }
    let smallest = shrink::shrink(case, definer);
    differences::explain(&smallest, definer).ok_or_else(|| Box::new(smallest))
}
