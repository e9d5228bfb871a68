//! `<vcpu>`: how many processors the document names, and on which the container runs.
//!
//! Containers see the host's processors: the counts are kept for the user.

use super::Bitmap;
use super::read::{number, number_attr, words};
use super::shape::{Kind, Shape, YES_NO, attr};
use crate::error::Result;
use crate::xml::{Element, Writer};

words! {
    /// Who chooses the processors of the host.
    pub enum VcpuPlacement {
        /// The document.
        Static = "static",
        /// A placement service.
        Auto = "auto",
    }
}

/// The processors of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vcpus {
    /// How many the document names; at least 1.
    pub maximum: u32,
    /// How many of them are on; at most `maximum`.
    pub current: u32,
    /// Who chooses the host's.
    pub placement: VcpuPlacement,
    /// The host's that the container may use; None for all.
    pub cpuset: Option<Bitmap>,
}

impl Default for Vcpus {
    fn default() -> Self {
        Self { maximum: 1, current: 1, placement: VcpuPlacement::Static, cpuset: None }
    }
}

impl Vcpus {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let vcpus = match root.child("vcpu") {
            Some(element) => Self::parse_element(element)?,
            None => Self::default(),
        };
        for single in root.children_named("vcpus").flat_map(|all| all.children_named("vcpu")) {
            check_single(single, vcpus.maximum)?;
        }
        Ok(vcpus)
    }

    fn parse_element(element: &Element) -> Result<Self> {
        let text = element.text();
        let maximum = match number(&text) {
            Some(0) => return Err(element.error("maximum vcpus count must be at least 1")),
            Some(count) => count,
            None => {
                return Err(element
                    .error(format_args!("maximum vcpus count must be an integer, not '{text}'")));
            }
        };
        let current = number_attr(element, "current")?.unwrap_or(maximum);
        if current > maximum {
            return Err(element.unsupported(format_args!(
                "maximum vCPU count {maximum} must not be less than current vCPU count {current}"
            )));
        }
        let placement = VcpuPlacement::attr(element, "placement")?.unwrap_or(VcpuPlacement::Static);
        let cpuset = match placement {
            VcpuPlacement::Static => Bitmap::filled_attr(element, "cpuset")?,
            VcpuPlacement::Auto => None,
        };
        Ok(Self { maximum, current, placement, cpuset })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let cpuset = self.cpuset.as_ref().map(ToString::to_string);
        let current = Some(self.current.to_string()).filter(|_| self.current != self.maximum);
        let mut attributes = vec![("placement", self.placement.as_str())];
        attributes.extend(cpuset.as_ref().map(|set| ("cpuset", set.as_str())));
        attributes.extend(current.as_ref().map(|count| ("current", count.as_str())));
        w.leaf("vcpu", &attributes, &self.maximum.to_string());
    }
}

/// `<vcpus><vcpu>`: checked as libvirt does, then refused, since single processors have no state.
fn check_single(element: &Element, maximum: u32) -> Result<()> {
    const SINGLE: Shape = Shape::new(
        "vcpu",
        &[
            attr("id", Kind::Number).required(),
            attr("enabled", Kind::Word(YES_NO)).required(),
            attr("hotpluggable", Kind::Word(YES_NO)),
            attr("order", Kind::Number),
        ],
    );
    let Some(kept) = SINGLE.read(element)? else { return Ok(()) };
    let id = kept.attr("id").unwrap_or_default();
    if number::<u32>(id).is_none_or(|id| id >= maximum) {
        return Err(element.error(format_args!(
            "vcpu id '{id}' is out of range of maximum vcpu count {maximum}"
        )));
    }
    if kept.attr("enabled") == Some("no") && kept.attr("hotpluggable") == Some("no") {
        let detail = format_args!("vcpu '{id}' is both offline and not hotpluggable");
        return Err(element.unsupported(detail));
    }
    Err(element.unsupported(
        "individual CPU state configuration is not supported: use <vcpu current='...'>",
    ))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};

    #[test]
    fn one_unless_told() {
        assert_eq!(parse("").vcpus, super::Vcpus::default());
        assert_eq!(parse("<vcpu placement='static'>4</vcpu>").vcpus.maximum, 4);
        assert_eq!(
            printed("<vcpu cpuset='3,1,0' current='2'>4</vcpu>"),
            ["  <vcpu placement='static' cpuset='0-1,3' current='2'>4</vcpu>"]
        );
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
                "<vcpu placement='x'>1</vcpu>",
                "XML error: line 2: Invalid value for attribute 'placement' in element 'vcpu': \
                 'x'. Expected one of static, auto",
            ),
            (
                "<vcpu current='5'>4</vcpu>",
                "unsupported configuration: line 2: maximum vCPU count 4 must not be less than \
                 current vCPU count 5",
            ),
            (
                "<vcpu cpuset='0,^0'>4</vcpu>",
                "unsupported configuration: line 2: Invalid value of 'cpuset': 0,^0 leaves \
                 nothing in the set",
            ),
            (
                "<vcpus>\n<vcpu id='0' enabled='yes'/></vcpus>",
                "unsupported configuration: line 3: individual CPU state configuration is not \
                 supported: use <vcpu current='...'>",
            ),
        ]);
    }
}
