//! `<vcpu>`: how many processors the document names. Containers see the host's.

use crate::error::Result;
use crate::xml::{Element, Writer};

pub(super) fn parse(root: &Element) -> Result<u32> {
    let Some(element) = root.child("vcpu") else {
        return Ok(1);
    };
    match element.attr("placement") {
        None | Some("static") => {}
        Some("auto") => {
            let detail = "<vcpu placement='auto'> is not supported, only 'static' is";
            return Err(element.unsupported(detail));
        }
        Some(other) => {
            return Err(element.error(format_args!(
                "Invalid value for attribute 'placement' in element 'vcpu': '{other}'."
            )));
        }
    }
    let text = element.text();
    match text.parse() {
        Ok(0) => Err(element.error("maximum vcpus count must be at least 1")),
        Ok(count) => Ok(count),
        Err(_) => {
            Err(element.error(format_args!("maximum vcpus count must be an integer, not '{text}'")))
        }
    }
}

pub(super) fn format(w: &mut Writer, count: u32) {
    w.leaf("vcpu", &[("placement", "static")], &count.to_string());
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse};

    #[test]
    fn one_unless_told() {
        assert_eq!(parse("").vcpu, 1);
        assert_eq!(parse("<vcpu placement='static'>4</vcpu>").vcpu, 4);
    }

    #[test]
    fn faults() {
        let integer = "XML error: line 2: maximum vcpus count must be an integer, not";
        assert_faults(&[
            ("<vcpu>0</vcpu>", "XML error: line 2: maximum vcpus count must be at least 1"),
            ("<vcpu/>", &format!("{integer} ''")),
            ("<vcpu>-1</vcpu>", &format!("{integer} '-1'")),
            ("<vcpu>4294967296</vcpu>", &format!("{integer} '4294967296'")),
            (
                "<vcpu placement='auto'>1</vcpu>",
                "unsupported configuration: line 2: <vcpu placement='auto'> is not supported, \
                 only 'static' is",
            ),
            (
                "<vcpu placement='x'>1</vcpu>",
                "XML error: line 2: Invalid value for attribute 'placement' in element 'vcpu': \
                 'x'.",
            ),
        ]);
    }
}
