//! `schemas/domain` against libvirt's grammar: the same verdict on every document.

mod grammar;
mod mutate;
mod random;
mod xmllint;

use std::fs;
use std::path::{Path, PathBuf};

use nsvirt::xml::relaxng::Schema;
use nsvirt::xml::{self, Element, Writer};

use grammar::{Grammar, Sampler};
use random::Random;

const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/domain/domain.rng");
const LIBVIRTS: &str = "/usr/share/libvirt/schemas/domain.rng";

/// Documents sampled from each grammar in order, and as many mixed; changes made to each document.
const SAMPLES: usize = 150;
const CHANGES: usize = 6;

fn schema(file: &str) -> Schema {
    let folder = Path::new(file).parent().unwrap();
    let mut texts = std::collections::BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        texts.insert(name, fs::read_to_string(path).unwrap());
    }
    Schema::compile("domain.rng", |name| texts.get(name).map(String::as_str)).unwrap()
}

#[test]
fn verdicts_are_libvirts() {
    let ours = Grammar::read(Path::new(OURS));
    let libvirts = Grammar::read(Path::new(LIBVIRTS));
    let mut documents = Vec::new();
    for (name, grammar) in [("ours", &ours), ("libvirts", &libvirts)] {
    for mixed in [false, true] {
        let mut sampler = Sampler::new(grammar, Random::new(1), mixed);
        for number in 0..SAMPLES {
            documents.push((format!("{name}-{mixed}-{number}"), sampler.document()));
        }
        let left = sampler.uncovered();
        println!("{name}: {} places, {} uncovered", grammar.places().len(), left.len());
        for it in left {
            println!("  uncovered {}", grammar.describe(it));
        }
    }
    }
    let mut random = Random::new(2);
    let mut changed = Vec::new();
    for (name, document) in &documents {
        for number in 0..CHANGES {
            let mut copy = document.clone();
            mutate::mutate(&mut copy, &mut random);
            if copy.attr("type") == Some("lxc") {
                changed.push((format!("{name}-change{number}"), copy));
            }
        }
    }
    documents.extend(changed);
    let folder = std::env::temp_dir().join(format!("nsvirt-schema-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let files: Vec<PathBuf> = documents
        .iter()
        .map(|(name, document)| {
            let path = folder.join(format!("{name}.xml"));
            fs::write(&path, print(document)).unwrap();
            path
        })
        .collect();
    let start = std::time::Instant::now();
    let own: Vec<Vec<_>> = [OURS, LIBVIRTS].iter().map(|s| {
        let s = schema(s);
        println!("compiled {:?}", start.elapsed());
        documents.iter().map(|(_, d)| s.validate(d)).collect()
    }).collect();
    println!("own {:?}", start.elapsed());
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| xmllint::verdicts(Path::new(OURS), &files));
        let b = scope.spawn(|| xmllint::verdicts(Path::new(LIBVIRTS), &files));
        (a.join().unwrap(), b.join().unwrap())
    });
    println!("all {:?}", start.elapsed());
    let mut counts = std::collections::BTreeMap::new();
    for (n, file) in files.iter().enumerate() {
        let v = (own[0][n].is_ok(), own[1][n].is_ok(), a[n], b[n], file.to_str().unwrap().contains("true"));
        *counts.entry(v).or_insert(0) += 1;
        if v.0 != v.1 || (!v.0 && (v.2 || v.3)) || (v.0 != v.2 && !v.4) {
            println!("{} {v:?} {:?} {:?}", file.display(), own[0][n].as_ref().err().map(|e| &e.message), own[1][n].as_ref().err().map(|e| &e.message));
        }
    }
    for c in counts { println!("{c:?}"); }
}

fn print(document: &Element) -> String {
    let mut writer = Writer::new();
    writer.element(document);
    let text = writer.finish();
    assert_eq!(&xml::parse(&text).unwrap().name, &document.name);
    text
}
