//! Documents for the tests of the element families.

use super::{Domain, View};
use crate::error::Error;

/// The smallest document, with `extra` in front of its elements on line 2. The first element of a
/// name wins, so that `extra` may also replace one; of `<os>`, several would count as one.
pub(super) fn document(extra: &str) -> String {
    let os = match extra.contains("<os") {
        true => "",
        false => "<os><type>exe</type><init>/bin/sh</init></os>",
    };
    format!(
        "<domain type='lxc'>\n{extra}\n<name>web</name>\n<memory>1024</memory>\n{os}\n</domain>"
    )
}

pub(super) fn parse(extra: &str) -> Domain {
    Domain::parse(&document(extra)).unwrap()
}

pub(super) fn fault(extra: &str) -> Error {
    Domain::parse(&document(extra)).unwrap_err()
}

/// Checks texts of XML errors, phrase and all.
pub(super) fn assert_faults(cases: &[(&str, &str)]) {
    for (extra, expected) in cases {
        assert_eq!(fault(extra).message, *expected, "{extra}");
    }
}

/// A device as it is printed, in one line.
pub(super) fn printed_device(device: &str) -> String {
    let lines = printed(&format!("<devices>{device}</devices>"));
    lines.iter().map(|line| line.trim()).collect()
}

/// Checks texts of errors in devices.
pub(super) fn assert_device_faults(cases: &[(&str, &str)]) {
    for (device, expected) in cases {
        let error = fault(&format!("<devices>{device}</devices>"));
        let message = error.message.replacen("line 2: ", "", 1);
        assert_eq!(message, *expected, "{device}");
    }
}

/// The lines of the document printed for `extra` that it is not printed with otherwise.
pub(super) fn printed(extra: &str) -> Vec<String> {
    let plain = parse("").format(View::Inactive);
    let plain: Vec<_> = plain.lines().collect();
    let lines = parse(extra).format(View::Inactive);
    let is_new = |line: &&str| !plain.contains(line) && !line.contains("<uuid>");
    lines.lines().filter(is_new).map(str::to_owned).collect()
}
