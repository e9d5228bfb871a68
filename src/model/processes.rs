//! `<nsvirt:pids>`: how many processes the container may have. libvirt has no element for it, so
//! this one is in a name space of nsvirt's own; libvirt drops it.

use super::extensions;
use super::read::{bad_value, number, required};
use crate::error::Result;
use crate::xml::{Element, Writer};

/// The most the kernel can have (`PID_MAX_LIMIT`).
const MOST: u32 = 4_194_304;

/// A limit of processes, threads included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessLimit {
    /// So many.
    Max(u32),
    /// As many as the host can have.
    Unlimited,
}

impl ProcessLimit {
    pub(super) fn parse(root: &Element) -> Result<Option<Self>> {
        extensions::find(root, "pids")?.map(Self::parse_max).transpose()
    }

    fn parse_max(element: &Element) -> Result<Self> {
        let text = required(element, "max", element.attr("max"))?;
        match number(text) {
            Some(max @ 1..=MOST) => Ok(Self::Max(max)),
            _ if text == "unlimited" => Ok(Self::Unlimited),
            _ => {
                let expected = format!("Expected a number from 1 to {MOST}, or unlimited");
                Err(bad_value(element, "max", text, &expected))
            }
        }
    }

    pub(super) fn format(self, w: &mut Writer) {
        let max = match self {
            Self::Max(max) => max.to_string(),
            Self::Unlimited => "unlimited".to_owned(),
        };
        w.empty("nsvirt:pids", &[("max", &max)]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{fault, parse, printed};
    use super::extensions::URI;
    use super::*;

    fn pids(attributes: &str) -> String {
        format!("<n:pids xmlns:n='{URI}' {attributes}/>")
    }

    #[test]
    fn a_limit_is_kept_under_our_prefix() {
        assert_eq!(
            printed(&pids("max='100'")),
            [
                "<domain type='lxc' xmlns:nsvirt='urn:nsvirt:domain:1.0'>",
                "  <nsvirt:pids max='100'/>",
            ]
        );
        assert_eq!(parse(&pids("max='unlimited'")).processes, Some(ProcessLimit::Unlimited));
        assert_eq!(parse("<pids max='1'/><x:pids xmlns:x='y' max='1'/>").processes, None);
    }

    #[test]
    fn faults() {
        for wrong in ["", "max='0'", "max='-1'", "max='4194305'", "max='many'"] {
            let message = fault(&pids(wrong)).message;
            assert!(message.contains("'max'"), "{message}");
        }
        let twice = format!("{}{}", pids("max='1'"), pids("max='2'"));
        assert!(fault(&twice).message.contains("only one pids element"));
        let other = fault(&format!("<n:pid xmlns:n='{URI}'/>")).message;
        assert!(other.contains("unknown element <pid>"), "{other}");
    }
}
