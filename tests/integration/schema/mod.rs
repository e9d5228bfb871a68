//! `schemas/domain` against libvirt's grammar: the same verdict on every document.

mod grammar;
mod mutate;
mod random;
mod xmllint;

use std::fs;
use std::path::{Path, PathBuf};

use nsvirt::xml::{self, Element, Writer};

use grammar::{Grammar, Sampler};
use random::Random;

const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/domain/domain.rng");
const LIBVIRTS: &str = "/usr/share/libvirt/schemas/domain.rng";

/// Documents sampled from each grammar, and changes made to each document.
const SAMPLES: usize = 400;
const CHANGES: usize = 8;

#[test]
fn verdicts_are_libvirts() {
    let ours = Grammar::read(Path::new(OURS));
    let libvirts = Grammar::read(Path::new(LIBVIRTS));
    let mut documents = Vec::new();
    for (name, grammar) in [("ours", &ours), ("libvirts", &libvirts)] {
        let mut sampler = Sampler::new(grammar, Random::new(1));
        for number in 0..SAMPLES {
            documents.push((format!("{name}-{number}"), sampler.document()));
        }
        let left = sampler.uncovered();
        println!("{name}: {} places, {} uncovered", grammar.places().len(), left.len());
        for it in left {
            println!("  uncovered {}", grammar.describe(it));
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
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| xmllint::verdicts(Path::new(OURS), &files));
        let b = scope.spawn(|| xmllint::verdicts(Path::new(LIBVIRTS), &files));
        (a.join().unwrap(), b.join().unwrap())
    });
    let mut differ = 0;
    for ((file, a), b) in files.iter().zip(&a).zip(&b) {
        if a != b {
            differ += 1;
            println!("{}: ours {a}, libvirt's {b}", file.display());
        }
    }
    let valid = b.iter().filter(|it| **it).count();
    println!("{} documents, {valid} valid, {differ} differ", files.len());
    assert_eq!(differ, 0);
}

fn print(document: &Element) -> String {
    let mut writer = Writer::new();
    writer.element(document);
    let text = writer.finish();
    assert_eq!(&xml::parse(&text).unwrap().name, &document.name);
    text
}
