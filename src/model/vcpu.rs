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
        Err(_) => Err(element.error(format_args!(
            "maximum vcpus count must be an integer, not '{text}'"
        ))),
    }
}

pub(super) fn format(w: &mut Writer, count: u32) {
    w.leaf("vcpu", &[("placement", "static")], &count.to_string());
}
