//! Inputs that fuzzing found, or that are like them: what must hold for any input holds for these.

use std::fs;
use std::path::Path;

#[path = "../fuzz/properties.rs"]
pub mod properties;

fn replay(target: &str, property: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fuzz").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        // Shown when the test fails.
        println!("{}", file.display());
        property(&fs::read(&file).unwrap());
    }
}

#[test]
fn documents_that_fuzzing_found() {
    replay("document", properties::document);
}

#[test]
fn lxc_configurations_that_fuzzing_found() {
    replay("lxc_config", properties::lxc_config);
}

#[test]
fn messages_that_are_like_what_fuzzing_finds() {
    replay("message", properties::message);
}
