//! The layers: which module may know which, read from the sources. Needs no root.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may use. `protocol` is `container::protocol`: messages, not the executor.
const ARROWS: [(&str, &[&str]); 14] = [
    ("dbus", &["driver", "error"]),
    ("rpc", &["driver", "sys", "error"]),
    (
        "driver",
        &[
            "plan", "model", "native", "xml", "cgroup", "network", "security", "protocol", "sys",
            "error",
        ],
    ),
    ("plan", &["model", "error"]),
    ("model", &["xml", "error"]),
    ("native", &["xml", "error"]),
    ("xml", &["error"]),
    ("container", &["plan", "network", "security", "sys", "error"]),
    ("cgroup", &["plan", "sys", "error"]),
    ("network", &["plan", "sys", "error"]),
    ("security", &["plan", "sys", "error"]),
    ("sys", &[]),
    ("error", &[]),
    // The library's root lists its modules; the programs put them together.
    ("lib", &["error"]),
];

/// Finds every arrow of a source file that is not in the table.
fn bad_arrows(layer: &str, source: &str) -> Vec<String> {
    let (_, allowed) = ARROWS
        .iter()
        .find(|(name, _)| *name == layer)
        .unwrap_or_else(|| panic!("layer '{layer}' is not in the table: say what it may use"));
    let used = used_layers(source);
    let bad = used.into_iter().filter(|it| it != layer && !allowed.contains(&it.as_str()));
    bad.map(|it| format!("{layer} -> {it}")).collect()
}

/// The layers that code names as `crate::...`, in `use` lines, braces and paths alike.
fn used_layers(source: &str) -> BTreeSet<String> {
    let code = without_comments(source);
    let mut layers = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            layers.extend(group_members(group).iter().map(|it| layer_of(it)));
        } else {
            layers.insert(layer_of(rest));
        }
    }
    layers.remove("");
    layers
}

/// The first level of `a::b, c::{d, e}}`.
fn group_members(text: &str) -> Vec<String> {
    let mut members = vec![String::new()];
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => members.push(String::new()),
            _ => {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                members.last_mut().unwrap().push(c);
            }
        }
    }
    members
}

/// `container::protocol::X` is `protocol`; what the crate re-exports is of `error`.
fn layer_of(path: &str) -> String {
    let path: String = path.chars().filter(|c| !c.is_whitespace()).collect();
    let mut parts = path.split("::").map(|part| {
        let end = part.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(part.len());
        &part[..end]
    });
    match (parts.next().unwrap_or_default(), parts.next()) {
        ("container", Some("protocol")) => "protocol".to_owned(),
        (first, _) if first.starts_with(char::is_uppercase) => "error".to_owned(),
        (first, _) => first.to_owned(),
    }
}

/// Comments gone, line by line; the sources have no block comments and no `//` in code before
/// `crate::`.
fn without_comments(source: &str) -> String {
    source
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The first part of a path below `src`, without extension.
fn layer(path: &Path) -> String {
    let first = path.strip_prefix(src()).unwrap().components().next().unwrap();
    let name = Path::new(first.as_os_str());
    name.file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn arrows_go_downwards_only() {
    let mut bad = Vec::new();
    let mut arrows = 0;
    for path in sources(&src()) {
        let layer = layer(&path);
        let source = fs::read_to_string(&path).unwrap();
        if layer == "main" || layer == "bin" {
            continue;
        }
        arrows += used_layers(&source).len();
        bad.extend(
            bad_arrows(&layer, &source).iter().map(|it| format!("{}: {it}", path.display())),
        );
    }
    assert!(bad.is_empty(), "arrows that the architecture does not have: {bad:#?}");
    assert!(arrows > 50, "only {arrows} arrows: is this the source?");
}

#[test]
fn front_ends_do_not_know_each_other_and_neither_do_the_programs_know_the_executor() {
    let supervisor = fs::read_to_string(src().join("bin/nsvirt-lxc.rs")).unwrap();
    let main = fs::read_to_string(src().join("main.rs")).unwrap();
    let used = |source: &str| used_layers(&source.replace("nsvirt::", "crate::"));
    assert_eq!(used(&supervisor), BTreeSet::from(["container".to_owned()]));
    assert!(!used(&main).contains("container"), "{:?}", used(&main));
}

#[test]
fn a_bad_arrow_is_found_however_it_is_written() {
    let bad: [(&str, &str); 8] = [
        ("model", "use crate::driver::Driver;"),
        ("xml", "    let x = crate::model::Domain::default();"),
        ("driver", "use crate::container::supervisor;"),
        ("driver", "use crate::{container, error};"),
        ("plan", "use crate::{error::{Error, Result}, sys};"),
        ("sys", "pub(crate) fn f() -> crate::Error"),
        ("dbus", "use crate::\n    plan::Plan;"),
        ("cgroup", "pub(in crate::driver) use crate::driver::x;"),
    ];
    for (layer, source) in bad {
        assert_eq!(bad_arrows(layer, source).len(), 1, "{layer}: {source}");
    }
    let good = [
        ("driver", "use crate::container::protocol::{Message, Request};"),
        ("driver", "use crate::{container::protocol, error::Error};"),
        ("model", "// as crate::driver does\nuse crate::xml::{Element, Writer};"),
        ("plan", "use crate::{Error, model::Domain};"),
        ("sys", "use mycrate::driver; use self::fd; use crate::sys::fd;"),
    ];
    for (layer, source) in good {
        assert_eq!(bad_arrows(layer, source), Vec::<String>::new(), "{source}");
    }
}

/// Whether code (comments and strings aside) has the word `unsafe`.
fn has_unsafe(source: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let code = without_comments(source);
    // Every other piece between quotes is a string, as long as no string of the line has one in it.
    let outside = code.lines().flat_map(|line| line.split('"').step_by(2));
    outside.flat_map(|code| code.split(|c| !is_word(c))).any(|word| word == "unsafe")
}

#[test]
fn unsafe_code_is_in_one_place() {
    assert!(has_unsafe("let x = unsafe { y() };"));
    assert!(has_unsafe("f(\"a\", unsafe { y() });"));
    assert!(!has_unsafe("f(\"unsafe\"); // unsafe\n#![allow(unsafe_code)]"));
    let (inside, outside): (Vec<_>, Vec<_>) = sources(&src())
        .into_iter()
        .filter(|path| has_unsafe(&fs::read_to_string(path).unwrap()))
        .partition(|path| layer(path) == "sys");
    assert!(outside.is_empty(), "unsafe outside of src/sys: {outside:?}");
    assert!(!inside.is_empty());
}
