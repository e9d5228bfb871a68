//! The same documents for libvirt's own LXC driver and for ours: do both say the same?
//!
//! Random documents over the whole grammar, a good half of them valid. What both write, whether they
//! refuse, and with which code is compared; what differs on purpose is in [`differences`], and
//! everything else fails.

mod adapt;
mod breakage;
mod compare;
mod differences;
mod families;
mod grammar;
mod shrink;
mod values;

use std::collections::BTreeMap;
use std::path::Path;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::support::libvirt::{self, Answer, Definer};
use compare::{Case, text_of};
use families::Documents;
use grammar::Grammar;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn documents_are_read_as_libvirt_reads_them() {
    if !libvirt::is_there("documents_are_read_as_libvirt_reads_them") {
        return;
    }
    let count = setting("NSVIRT_DOCUMENTS", 1000);
    let seed = setting("NSVIRT_SEED", 1);
    let grammar = Grammar::of_domains(Path::new(libvirt::SCHEMAS));
    let filter = std::env::var("NSVIRT_FAMILIES").unwrap_or_default();
    let documents = Documents::new(&grammar, &filter);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut definer = Definer::start();
    let mut accepted: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut shown = 0;
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    differences::assert_documented();
    let mut explained: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..count {
        let (document, families) = documents.next(&mut runner);
        let case = Case::ask(document, &mut definer);
        for family in families {
            let entry = accepted.entry(family).or_default();
            entry.0 += 1;
            entry.1 += u32::from(matches!(case.libvirt, Answer::Defined { .. }));
        }
        if let Answer::Refused { message, .. } = &case.libvirt {
            *reasons.entry(message.replace(|c: char| c.is_ascii_digit(), "")).or_insert(0) += 1;
        }
        if case.agrees() {
            continue;
        }
        if let Some(row) = differences::explain(&case, &mut definer) {
            *explained.entry(row).or_insert(0) += 1;
            continue;
        }
        let case = shrink::shrink(case, &mut definer);
        if let Some(row) = differences::explain(&case, &mut definer) {
            *explained.entry(row).or_insert(0) += 1;
            continue;
        }
        shown += 1;
        eprintln!("--- {}", text_of(&case.document));
        match (&case.libvirt, &case.ours) {
            (Answer::Defined { xml }, Ok(ours)) => {
                let lines: Vec<_> = ours.lines().collect();
                let theirs: Vec<_> = xml.lines().collect();
                theirs.iter().filter(|l| !lines.contains(l)).for_each(|l| eprintln!("< {l}"));
                lines.iter().filter(|l| !theirs.contains(l)).for_each(|l| eprintln!("> {l}"));
            }
            (Answer::Defined { .. }, Err(e)) => eprintln!("DEFINED\nREFUSED {e:?}"),
            (l, Ok(_)) => eprintln!("{l:?}\nDEFINED"),
            (l, Err(e)) => eprintln!("{l:?}\n{e:?}"),
        }
        if shown > 60 {
            break;
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|it| std::cmp::Reverse(it.1));
    for (m, n) in reasons.iter().take(60) {
        eprintln!("{n} {m}");
    }
    eprintln!("{accepted:?} {explained:?}");
}
