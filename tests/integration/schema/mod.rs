//! `schemas/domain` against libvirt's grammar: the same verdict on every document.
//!
//! The documents are those that are there (of the project, and of a corpus beside it), and samples
//! of both grammars that have every element, attribute and value of ours; and copies of each with
//! one change. Each is judged four times: by the daemon's validator and by libxml2's, with either
//! grammar.

mod grammar;
mod mutate;
mod random;
mod xmllint;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use nsvirt::xml::relaxng::Schema;
use nsvirt::xml::{self, Element, Node, Writer};

use grammar::{Grammar, Sampler};
use random::Random;

const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/domain/domain.rng");
const LIBVIRTS: &str = "/usr/share/libvirt/schemas/domain.rng";

/// Documents sampled from each grammar.
const SAMPLES: usize = 130;
/// What our grammar has and libvirt's has not.
const ADDITIONS: [&str; 7] =
    ["pids", "isolation", "allow", "audit_read", "bpf", "checkpoint_restore", "perfmon"];

/// Changed copies of each document; those that were not sampled have more.
const CHANGES: usize = 4;
const CHANGES_OF_FILES: usize = 40;

struct Document {
    name: String,
    root: Element,
    /// Whether parts that may be mixed are. libxml2 refuses some valid documents then.
    mixed: bool,
}

#[test]
fn verdicts_are_libvirts() {
    if !is_installed() {
        return;
    }
    let documents = documents();
    let folder = std::env::temp_dir().join(format!("nsvirt-schema-{}", std::process::id()));
    let files = write(&folder, &documents);
    let (ours, libvirts, lint_ours, lint_libvirts) = thread::scope(|scope| {
        let ours = scope.spawn(|| verdicts(OURS, &documents));
        let libvirts = scope.spawn(|| verdicts(LIBVIRTS, &documents));
        let lint_ours = scope.spawn(|| xmllint::verdicts(Path::new(OURS), &files));
        let lint_libvirts = xmllint::verdicts(Path::new(LIBVIRTS), &files);
        (ours.join().unwrap(), libvirts.join().unwrap(), lint_ours.join().unwrap(), lint_libvirts)
    });
    let mut valid = 0;
    let mut with_additions = 0;
    let mut lint_alone = 0;
    let mut differences = Vec::new();
    for (number, document) in documents.iter().enumerate() {
        let (own, lint) = (&ours[number], lint_ours[number]);
        valid += usize::from(own.is_ok());
        // What libxml2 accepts is valid. What it refuses may have only the wrong order.
        let refused_for_its_order = own.is_ok() && !lint && document.mixed;
        lint_alone += usize::from(refused_for_its_order);
        let has_additions = has_additions(&document.root);
        with_additions += usize::from(has_additions);
        let same_as_libvirts = match has_additions {
            true => libvirts[number].is_err() && !lint_libvirts[number],
            false => {
                own.is_ok() == libvirts[number].is_ok() && (own.is_ok() || !lint_libvirts[number])
            }
        };
        let same = same_as_libvirts && (own.is_ok() == lint || refused_for_its_order);
        if !same {
            let (name, theirs) = (&document.name, &libvirts[number]);
            let lints = (lint, lint_libvirts[number]);
            differences.push(format!("{name}: {own:?}; libvirt's: {theirs:?}; xmllint: {lints:?}"));
        }
    }
    println!(
        "{} documents, {valid} valid, {lint_alone} of them not for xmllint, {with_additions} with \
         what libvirt does not know; {} differences",
        documents.len(),
        differences.len()
    );
    assert!(differences.is_empty(), "in {}:\n{}", folder.display(), differences.join("\n"));
    assert!(valid > documents.len() / 4, "most documents are refused: nothing is compared");
    fs::remove_dir_all(folder).unwrap();
}

fn is_addition(element: &Element) -> bool {
    let local = element.name.rsplit(':').next();
    local.is_some_and(|name| ADDITIONS.contains(&name))
}

fn has_additions(element: &Element) -> bool {
    is_addition(element) || element.elements().any(has_additions)
}

fn remove_additions(element: &mut Element) {
    element.children.retain(|node| !matches!(node, Node::Element(it) if is_addition(it)));
    for child in &mut element.children {
        if let Node::Element(child) = child {
            remove_additions(child);
        }
    }
}

/// Whether there is something to compare with. `scripts/check.sh` installs it, and does not accept
/// less.
fn is_installed() -> bool {
    let mut missing = Vec::new();
    if !xmllint::is_installed() {
        missing.push("xmllint (Debian: libxml2-utils)");
    }
    if !Path::new(LIBVIRTS).exists() {
        missing.push("libvirt's schema (Debian: libvirt0)");
    }
    let all = std::env::var_os("NSVIRT_CHECK_ALL").is_some();
    assert!(!all || missing.is_empty(), "missing: {}", missing.join(", "));
    for it in &missing {
        eprintln!("missing: {it}: verdicts_are_libvirts has compared nothing");
    }
    missing.is_empty()
}

fn verdicts(grammar: &str, documents: &[Document]) -> Vec<Result<(), String>> {
    let folder = Path::new(grammar).parent().unwrap();
    let mut texts = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        texts.insert(name, fs::read_to_string(path).unwrap());
    }
    let schema = Schema::compile("domain.rng", |name| texts.get(name).map(String::as_str)).unwrap();
    let judge = |it: &Document| schema.validate(&it.root).map_err(|error| error.message);
    documents.iter().map(judge).collect()
}

fn documents() -> Vec<Document> {
    let mut documents = Vec::new();
    let mut random = Random::new(2);
    for (name, root) in files() {
        add(&mut documents, &Document { name, root, mixed: false }, CHANGES_OF_FILES, &mut random);
    }
    for (origin, file) in [("ours", OURS), ("libvirts", LIBVIRTS)] {
        let grammar = Grammar::read(Path::new(file));
        let mut sampler = Sampler::new(&grammar, Random::new(1));
        for number in 0..SAMPLES {
            let mixed = number % 2 == 1;
            let (name, mut root) = (format!("{origin}{number}"), sampler.document(mixed));
            // Enough of them have additions; the others are compared with libvirt's.
            if number % 8 > 0 {
                remove_additions(&mut root);
            }
            add(&mut documents, &Document { name, root, mixed }, CHANGES, &mut random);
        }
        if origin == "ours" {
            assert_eq!(sampler.uncovered(), Vec::<String>::new(), "no sample has these");
        }
    }
    documents
}

/// The documents of the project, and of a corpus if there is one.
fn files() -> Vec<(String, Element)> {
    let project = env!("CARGO_MANIFEST_DIR");
    let corpus =
        std::env::var("NSVIRT_CORPUS").unwrap_or_else(|_| format!("{project}/../shared/corpus"));
    let folders = [
        format!("{project}/tests/data"),
        format!("{project}/examples"),
        format!("{corpus}/lxcxml2xml"),
        format!("{corpus}/lxcconf2xml"),
    ];
    let mut found = Vec::new();
    for entry in folders.iter().filter_map(|it| fs::read_dir(it).ok()).flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "xml") {
            let root = xml::parse(&fs::read_to_string(&path).unwrap()).unwrap();
            found.push((path.file_stem().unwrap().to_str().unwrap().to_owned(), root));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Adds a document and changed copies. Other types of domains are not for our grammar.
fn add(documents: &mut Vec<Document>, first: &Document, changes: usize, random: &mut Random) {
    for number in 0..=changes {
        let mut root = first.root.clone();
        let moved = number > 0 && mutate::mutate(&mut root, random);
        if root.attr("type").is_some_and(|it| it.trim() == "lxc") {
            let name = format!("{}-{number}", first.name);
            documents.push(Document { name, root, mixed: first.mixed || moved });
        }
    }
}

fn write(folder: &Path, documents: &[Document]) -> Vec<PathBuf> {
    fs::create_dir_all(folder).unwrap();
    let write = |document: &Document| {
        let path = folder.join(format!("{}.xml", document.name));
        let mut writer = Writer::new();
        writer.element(&document.root);
        fs::write(&path, writer.finish()).unwrap();
        path
    };
    documents.iter().map(write).collect()
}
