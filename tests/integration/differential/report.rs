//! What came of a run: how many documents, and where the two sides differ.

use std::collections::BTreeMap;
use std::fmt;

use super::compare::{Case, text_of};
use crate::support::libvirt::Answer;

/// The counts of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Of each family: documents, and those that libvirt takes.
    families: BTreeMap<&'static str, (usize, usize)>,
    documents: usize,
    accepted: usize,
    refused: usize,
    crashes: usize,
    listed: BTreeMap<&'static str, usize>,
    unlisted: usize,
}

impl Report {
    /// Counts a document.
    pub fn add(&mut self, case: &Case, families: &[&'static str]) {
        let taken = matches!(case.libvirt, Answer::Defined { .. });
        self.documents += 1;
        self.crashes += usize::from(case.libvirt == Answer::Crashed);
        self.accepted += usize::from(case.agrees() && taken);
        self.refused += usize::from(case.agrees() && !taken);
        for family in families {
            let (documents, accepted) = self.families.entry(family).or_default();
            *documents += 1;
            *accepted += usize::from(taken);
        }
    }

    /// Counts a difference that has a row.
    pub fn listed(&mut self, row: &'static str) {
        *self.listed.entry(row).or_default() += 1;
    }

    /// Counts and shows one that has none.
    pub fn unlisted(&mut self, case: &Case) {
        self.unlisted += 1;
        println!("\nNot the same:\n{}", text_of(&case.document));
        match (&case.libvirt, &case.ours) {
            (Answer::Defined { xml }, Ok(ours)) => print_difference(xml, ours),
            (libvirt, ours) => {
                println!("libvirt: {}", in_short(libvirt));
                match ours {
                    Ok(_) => println!("nsvirt:  defined"),
                    Err(error) => println!("nsvirt:  {}: {}", error.code as i32, error.message),
                }
            }
        }
    }

    /// How many have no row.
    pub fn failures(&self) -> usize {
        self.unlisted
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:6} documents", self.documents)?;
        writeln!(f, "{:6} the same, accepted", self.accepted)?;
        writeln!(f, "{:6} the same, refused with the same code", self.refused)?;
        for (row, count) in &self.listed {
            writeln!(f, "{count:6} listed: {row}")?;
        }
        writeln!(f, "{:6} not listed", self.unlisted)?;
        writeln!(f, "{:6} ended libvirt's daemon", self.crashes)?;
        for (family, (documents, accepted)) in &self.families {
            writeln!(f, "{documents:6} with {family}, libvirt takes {accepted}")?;
        }
        Ok(())
    }
}

fn in_short(answer: &Answer) -> String {
    match answer {
        Answer::Defined { .. } => "defined".to_owned(),
        Answer::Refused { code, message } => format!("{code}: {message}"),
        Answer::Crashed => "the daemon ended".to_owned(),
    }
}

/// The lines that only one side has.
fn print_difference(libvirt: &str, ours: &str) {
    let only = |these: &str, others: &str, who: &str| {
        let others: Vec<_> = others.lines().collect();
        for line in these.lines().filter(|line| !others.contains(line)) {
            println!("{who} {line}");
        }
    };
    only(libvirt, ours, "libvirt:");
    only(ours, libvirt, "nsvirt: ");
}
