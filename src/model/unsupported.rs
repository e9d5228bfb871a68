//! What libvirt's driver honours and this version does not.
//!
//! Such elements are refused: a container that silently lacks its network or its limits is worse
//! than none. Everything else that is unknown is dropped, as libvirt does.

use super::metadata::namespace;
use crate::error::Result;
use crate::xml::Element;

const LXC_NAMESPACE: &str = "http://libvirt.org/schemas/domain/lxc/1.0";

/// Paths below `<domain>` (`@` marks an attribute), and what there is instead.
const REFUSED: &[(&str, &str)] = &[
    ("idmap", "containers run without a user name space"),
    ("seclabel", "only type='none' is"),
    ("os/inituser", "init runs as root"),
    ("os/initgroup", "init runs as root"),
    ("os/cmdline", "arguments are given with <initarg>"),
    ("features/capabilities", "only policy='default' without changes is"),
    ("devices/interface", "there are only the host's network and <privnet/>"),
    ("devices/disk", "supported devices are filesystem and console"),
    ("devices/hostdev", "supported devices are filesystem and console"),
    ("devices/filesystem/driver", "file systems are mounted by the kernel"),
    ("devices/filesystem/idmap", "containers run without a user name space"),
];

/// Attribute values that ask for nothing: element, attribute, value.
const NEUTRAL: &[(&str, &str, &str)] = &[
    ("seclabel", "type", "none"),
    ("seclabel", "model", "none"),
    ("capabilities", "policy", "default"),
];

/// Fails at the first element that is not supported.
pub(super) fn check(root: &Element) -> Result<()> {
    for (path, instead) in REFUSED {
        check_path(root, path, instead)?;
    }
    for element in root.elements() {
        let is_lxc = namespace(&element.name, &[element, root]) == Some(LXC_NAMESPACE);
        if is_lxc && element.elements().next().is_some() {
            let name = &element.name;
            let detail = "the container has its own network (<privnet/>) or the host's";
            return Err(element.unsupported(format_args!("<{name}> is not supported: {detail}")));
        }
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
            None if element.name != "devices" && asks_for_nothing(child) => {}
            None => {
                let detail = format_args!("<{name}> is not supported: {instead}");
                return Err(child.unsupported(detail));
            }
        }
    }
    Ok(())
}

fn asks_for_nothing(element: &Element) -> bool {
    let is_neutral = |(attribute, value): &(String, String)| {
        NEUTRAL.contains(&(element.name.as_str(), attribute.as_str(), value.as_str()))
    };
    element.elements().next().is_none()
        && element.text().trim().is_empty()
        && element.attributes.iter().all(is_neutral)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, document, fault, parse};
    use crate::error::ErrorCode;
    use crate::model::Domain;

    #[test]
    fn what_would_be_missing_is_refused() {
        let cases = [
            "<idmap><uid start='0' target='1' count='1'/></idmap>",
            "<seclabel type='dynamic' model='selinux'/>",
            "<os><inituser>a</inituser></os>",
            "<os><initgroup>a</initgroup></os>",
            "<os><cmdline>a</cmdline></os>",
            "<features><capabilities policy='deny'/></features>",
            "<features><capabilities><mknod/></capabilities></features>",
            "<devices><interface/></devices>",
            "<devices><disk/></devices>",
            "<devices><hostdev mode='capabilities'/></devices>",
            "<devices><filesystem><driver type='loop'/></filesystem></devices>",
            "<devices><filesystem><idmap><uid/></idmap></filesystem></devices>",
            "<l:namespace xmlns:l='http://libvirt.org/schemas/domain/lxc/1.0'><l:sharenet/>\
             </l:namespace>",
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
            "<devices>\n<interface type='bridge'/></devices>",
            "unsupported configuration: line 3: <interface> is not supported: \
                 there are only the host's network and <privnet/>",
        )]);
        let declared = document("<lxc:namespace>\n<lxc:shareipc/></lxc:namespace>").replacen(
            "'lxc'>",
            "'lxc' xmlns:lxc='http://libvirt.org/schemas/domain/lxc/1.0'>",
            1,
        );
        assert_eq!(
            Domain::parse(&declared).unwrap_err().message,
            "unsupported configuration: line 2: <lxc:namespace> is not supported: \
             the container has its own network (<privnet/>) or the host's"
        );
    }

    #[test]
    fn what_asks_for_nothing_and_what_libvirt_drops_is_dropped() {
        for text in [
            "<seclabel type='none' model='none'/>",
            "<features><capabilities policy='default'/></features>",
            "<cputune/><memtune>\n</memtune><idmap/>",
            "<foo><bar/></foo><x:y/>",
            "<l:namespace xmlns:l='http://libvirt.org/schemas/domain/lxc/1.0'/>",
            "<devices><video/><memballoon model='none'/></devices>",
        ] {
            parse(text);
        }
    }
}
