//! What libxml2 says of many documents, with few starts of its program.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Documents per start.
const BATCH: usize = 400;

/// Whether the program is there.
pub fn is_installed() -> bool {
    Command::new("xmllint").arg("--version").output().is_ok()
}

/// For each document whether it is valid.
pub fn verdicts(schema: &Path, documents: &[PathBuf]) -> Vec<bool> {
    documents.chunks(BATCH).flat_map(|batch| verdicts_of_batch(schema, batch)).collect()
}

fn verdicts_of_batch(schema: &Path, documents: &[PathBuf]) -> Vec<bool> {
    let output = Command::new("xmllint")
        .args(["--noout", "--huge", "--relaxng"])
        .arg(schema)
        .args(documents)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let mut verdicts = HashMap::new();
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(" validates") {
            verdicts.insert(name, true);
        } else if let Some(name) = line.strip_suffix(" fails to validate") {
            verdicts.insert(name, false);
        }
    }
    let of = |document: &PathBuf| {
        let name = document.to_str().unwrap();
        *verdicts.get(name).unwrap_or_else(|| panic!("no verdict on {name}:\n{text}"))
    };
    documents.iter().map(of).collect()
}
