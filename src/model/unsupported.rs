//! What libvirt's driver honours and this version does not.
//!
//! Such elements are refused: a container that silently lacks its network or its limits is worse
//! than none. Everything else that is unknown is dropped, as libvirt does.

use crate::error::Result;
use crate::xml::Element;

/// Paths below `<domain>` (`@` marks an attribute), and what there is instead.
const REFUSED: &[(&str, &str)] = &[
    ("devices/disk", "supported devices are filesystem and console"),
    ("devices/filesystem/driver", "file systems are mounted by the kernel"),
    ("devices/filesystem/idmap", "containers run without a user name space"),
];

/// Fails at the first element that is not supported.
pub(super) fn check(root: &Element) -> Result<()> {
    for (path, instead) in REFUSED {
        check_path(root, path, instead)?;
    }
    Ok(())
}

fn check_path(element: &Element, path: &str, instead: &str) -> Result<()> {
    if let Some(attribute) = path.strip_prefix('@') {
        let name = &element.name;
        return match element.attr(attribute) {
            None => Ok(()),
            Some(_) => Err(element.unsupported(format_args!(
                "<{name} {attribute}='...'> is not supported: {instead}"
            ))),
        };
    }
    let (name, rest) = match path.split_once('/') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    for child in element.children_named(name) {
        match rest {
            Some(rest) => check_path(child, rest, instead)?,
            None => {
                let detail = format_args!("<{name}> is not supported: {instead}");
                return Err(child.unsupported(detail));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, fault, parse};
    use crate::error::ErrorCode;

    #[test]
    fn what_would_be_missing_is_refused() {
        let cases = [
            "<devices><disk/></devices>",
            "<devices><filesystem><driver type='loop'/></filesystem></devices>",
            "<devices><filesystem><idmap><uid/></idmap></filesystem></devices>",
        ];
        for text in cases {
            let error = fault(text);
            assert_eq!(error.code, ErrorCode::ConfigUnsupported, "{text}");
            assert!(error.message.contains("line 2: <"), "{}", error.message);
            assert!(error.message.contains("> is not supported: "), "{}", error.message);
        }
    }

    #[test]
    fn the_text_says_what_there_is() {
        assert_faults(&[(
            "<devices>\n<disk/></devices>",
            "unsupported configuration: line 3: <disk> is not supported: \
                 supported devices are filesystem and console",
        )]);
    }

    #[test]
    fn what_asks_for_nothing_and_what_libvirt_drops_is_dropped() {
        for text in
            ["<foo><bar/></foo><x:y/>", "<devices><crypto/><memballoon model='none'/></devices>"]
        {
            parse(text);
        }
    }
}
