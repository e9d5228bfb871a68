//! Values of attributes and texts: those a schema's types allow, and those that ask for trouble.

use nsvirt::xml::Element;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;

const WORDS: &[&str] =
    &["a", "b", "foo", "eth0", "/dev/null", "/srv/x", "x y", "4", "a&<'\">b", "é"];

/// What somebody might write where something else belongs.
const ODD: &[&str] = &[
    "",
    " ",
    "0",
    "1",
    "-1",
    "+1",
    " 1",
    "1 ",
    "01",
    "0x1",
    "1.5",
    "1e3",
    "2147483648",
    "4294967295",
    "4294967296",
    "-4294967295",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "yes",
    "no",
    "on",
    "off",
    "default",
    "none",
    "auto",
    "YES",
    "x",
    "0-3,^1",
    "1-",
    "^0",
    "00:11:22:33:44:55",
    "01:11:22:33:44:55",
    "127.0.0.1",
    "::1",
    "1.2.3.4.5",
    "/a/../b",
    "KiB",
    "B",
];

fn one_of(words: &'static [&'static str], runner: &mut TestRunner) -> String {
    select(words).new_tree(runner).unwrap().current().to_owned()
}

/// A text where any is allowed.
pub fn word(runner: &mut TestRunner) -> String {
    one_of(WORDS, runner)
}

/// A text for where it does not belong.
pub fn odd(runner: &mut TestRunner) -> String {
    one_of(ODD, runner)
}

/// A value of `<data>` or `<text>` in a schema.
pub fn of_type(pattern: &Element, runner: &mut TestRunner) -> String {
    let limits: Vec<_> = pattern.children_named("param").collect();
    let parameter =
        |name: &str| limits.iter().find(|it| it.attr("name") == Some(name)).map(|it| it.text());
    if let Some(pattern) = parameter("pattern") {
        return of_pattern(&pattern, runner);
    }
    let bound = |name: &str, default: i64| {
        parameter(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    match pattern.attr("type") {
        Some("int" | "integer" | "long" | "short") => {
            number(bound("minInclusive", -2), bound("maxInclusive", 1 << 40), runner)
        }
        Some("unsignedInt" | "unsignedLong" | "unsignedShort" | "positiveInteger") => {
            number(bound("minInclusive", 0), bound("maxInclusive", 1 << 40), runner)
        }
        Some("dateTime") => "2020-01-02T03:04:05".to_owned(),
        _ => word(runner),
    }
}

/// Small most of the time: numbers of processors, nodes and slots must fit to others.
fn number(min: i64, max: i64, runner: &mut TestRunner) -> String {
    let small = min..=max.min(min.saturating_add(8));
    prop_oneof![12 => small, 2 => min..=max.min(min.saturating_add(5000)), 1 => min..=max]
        .new_tree(runner)
        .unwrap()
        .current()
        .to_string()
}

fn of_pattern(pattern: &str, runner: &mut TestRunner) -> String {
    if [".+", "[^\\n]+", "/.*", "[^/]*"].contains(&pattern) && runner.rng().random_bool(0.7) {
        return if pattern.starts_with('/') { "/srv/y".to_owned() } else { word(runner) };
    }
    // Up to 32 repetitions, as proptest makes of these, would be long and seldom right.
    let brief = pattern.replace("]+", "]{1,6}").replace(")*", "){0,2}").replace("]*", "]{0,6}");
    let any = string_regex(&brief).unwrap().new_tree(runner).unwrap().current();
    tame(&any, pattern.contains("[0-9]+") || pattern.contains("{1,20}"), runner)
}

/// Random text is long, far from ASCII and seldom a number that fits: mostly, it is made plainer.
fn tame(text: &str, numbers: bool, runner: &mut TestRunner) -> String {
    if runner.rng().random_ratio(1, 12) {
        return text.chars().filter(|&c| (' '..'\u{D000}').contains(&c)).collect();
    }
    let mut plain = String::new();
    let mut digits = 0;
    for c in text.chars() {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        match c {
            '0'..='9' if numbers && digits > 1 => {}
            ' '..='~' => plain.push(c),
            _ => plain.push('x'),
        }
    }
    plain
}
