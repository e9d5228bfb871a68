//! `<lease>`: a lock to hold while the domain runs.

use crate::error::Result;
use crate::model::read::missing_attr;
use crate::model::shape::{self, Kind, Shape, attr};
use crate::xml::Element;

/// What is kept of a lease.
pub(super) fn read(element: &Element) -> Result<Element> {
    const TARGET: Shape =
        Shape::new("target", &[attr("path", Kind::Text), attr("offset", Kind::Long).unless("0")])
            .bare();
    let text = |name| {
        element
            .child_text(name)
            .ok_or_else(|| element.error(format_args!("Missing '{name}' element for lease")))
    };
    let key = text("key")?;
    let Some(target) = element.child("target") else {
        return Err(element.error("Missing 'target' element for lease"));
    };
    if target.attr("path").is_none() {
        return Err(target.error("Missing 'path' attribute to 'target' element for lease"));
    }
    let lockspace = shape::leaf("lockspace", &[], text("lockspace")?);
    let target = TARGET.read(target)?.ok_or_else(|| missing_attr(target, "path"))?;
    let children = vec![lockspace, shape::leaf("key", &[], key), target];
    Ok(shape::element("lease", &[], children))
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_faults, printed};

    #[test]
    fn leases_are_kept() {
        let text = "<devices><lease><target path='/p' offset=' 5'/><key>k</key>\
                    <lockspace>s</lockspace></lease></devices>";
        assert_eq!(
            printed(text),
            [
                "    <lease>",
                "      <lockspace>s</lockspace>",
                "      <key>k</key>",
                "      <target path='/p' offset='5'/>",
                "    </lease>",
            ]
        );
    }

    #[test]
    fn faults() {
        let fault = |what: &str| format!("XML error: line 3: Missing {what} for lease");
        let lease = |inner: &str| format!("<devices>\n<lease>{inner}</lease></devices>");
        for (inner, what) in [
            ("", "'key' element"),
            ("<key>k</key>", "'target' element"),
            ("<key>k</key><target/>", "'path' attribute to 'target' element"),
            ("<key>k</key><target path='/p'/>", "'lockspace' element"),
        ] {
            assert_faults(&[(&lease(inner), &fault(what))]);
        }
    }
}
