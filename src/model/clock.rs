//! `<clock>`: kept for the user; a container has the host's clock.

use crate::error::Result;
use crate::xml::{Element, Writer};

const OFFSETS: [&str; 5] = ["utc", "localtime", "variable", "timezone", "absolute"];

/// The clock. Of the attributes only the offset is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// What the clock follows: one of libvirt's offsets.
    pub offset: String,
}

impl Default for Clock {
    fn default() -> Self {
        Self { offset: "utc".to_owned() }
    }
}

impl Clock {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let Some(element) = root.child("clock") else {
            return Ok(Self::default());
        };
        let Some(offset) = element.attr("offset").filter(|offset| !offset.is_empty()) else {
            return Ok(Self::default());
        };
        if !OFFSETS.contains(&offset) {
            return Err(element.unsupported(format_args!(
                "unknown clock offset '{offset}': expected one of {}",
                OFFSETS.join(", ")
            )));
        }
        // Only then does libvirt make device nodes for timers; otherwise they do nothing.
        if let Some(timer) = element.child("timer").filter(|_| offset == "localtime") {
            return Err(timer.unsupported(
                "<timer> is not supported in <clock offset='localtime'>: \
                 no clock devices are made",
            ));
        }
        Ok(Self { offset: offset.to_owned() })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        w.empty("clock", &[("offset", &self.offset)]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};

    #[test]
    fn utc_unless_told() {
        for text in ["", "<clock/>", "<clock offset=''/>", "<clock offset='utc'><timer/></clock>"] {
            assert_eq!(parse(text).clock.offset, "utc", "{text}");
        }
        assert_eq!(printed("<clock offset='localtime'/>"), ["  <clock offset='localtime'/>"]);
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<clock offset='foo'/>",
                "unsupported configuration: line 2: unknown clock offset 'foo': \
                 expected one of utc, localtime, variable, timezone, absolute",
            ),
            (
                "<clock offset='localtime'>\n<timer name='rtc'/></clock>",
                "unsupported configuration: line 3: <timer> is not supported in \
                 <clock offset='localtime'>: no clock devices are made",
            ),
        ]);
    }
}
