//! `<features>`: what the container gets of its own, and what virtual machines would get.

use super::Capabilities;
use super::{machine_features, shape};
use crate::error::Result;
use crate::xml::{Element, Writer};

/// The features that are on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    /// `<privnet/>`: a network name space of its own, even without interfaces.
    pub privnet: bool,
    /// The privileges of the container's processes.
    pub capabilities: Capabilities,
    /// Features of virtual machines, in libvirt's order; without effect on containers.
    pub machine: Vec<Element>,
}

impl Features {
    /// Several `<features>` count as one; of features that come twice the last one counts.
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let mut features = Self { capabilities: Capabilities::parse(root)?, ..Self::default() };
        for element in root.children_named("features").flat_map(Element::elements) {
            match element.name.as_str() {
                "privnet" => features.privnet = true,
                "capabilities" => {}
                name if !machine_features::ORDER.contains(&name) => {
                    return Err(element.unsupported(format_args!("unexpected feature '{name}'")));
                }
                name => {
                    let at = features.machine.iter().position(|other| other.name == name);
                    let before = at.map(|at| features.machine.remove(at));
                    features.machine.extend(machine_features::read(element, before)?);
                }
            }
        }
        let rank = |element: &Element| {
            machine_features::ORDER.iter().position(|name| *name == element.name)
        };
        features.machine.sort_by_key(rank);
        Ok(features)
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if *self == Self::default() {
            return;
        }
        w.open("features", &[]);
        for name in machine_features::ORDER {
            match *name {
                "privnet" if self.privnet => w.empty(name, &[]),
                "capabilities" => self.capabilities.format(w),
                name => {
                    let found = self.machine.iter().filter(|element| element.name == name);
                    found.for_each(|element| shape::format(w, element));
                }
            }
        }
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};

    fn lines(inside: &str) -> Vec<String> {
        printed(&format!("<features>{inside}</features>"))
    }

    #[test]
    fn presence_turns_it_on() {
        assert!(!parse("").features.privnet);
        assert!(parse("<features><privnet state='off'/></features>").features.privnet);
        assert_eq!(lines("<privnet/>"), ["  <features>", "    <privnet/>", "  </features>"]);
    }

    #[test]
    fn features_of_machines_are_kept_in_order() {
        assert_eq!(
            lines(
                "<xen/><pmu/><hyperv><stimer state='on'><direct state='on'/></stimer></hyperv>\
                 <privnet/><apic eoi='on'/><tcg/><ioapic/><smm><tseg unit='b'>1</tseg></smm>"
            )[1..],
            [
                "    <apic eoi='on'/>",
                "    <privnet/>",
                "    <hyperv mode='custom'>",
                "      <stimer state='on'>",
                "        <direct state='on'/>",
                "      </stimer>",
                "    </hyperv>",
                "    <pmu state='on'/>",
                "    <smm state='on'>",
                "      <tseg unit='B'>1</tseg>",
                "    </smm>",
                "    <xen>",
                "    </xen>",
                "  </features>",
            ]
        );
    }

    #[test]
    fn faults() {
        let unsupported = "unsupported configuration: line 2:";
        assert_faults(&[
            ("<features><foo/></features>", &format!("{unsupported} unexpected feature 'foo'")),
            (
                "<features><kvm><foo/></kvm></features>",
                &format!("{unsupported} unsupported KVM feature: foo"),
            ),
            (
                "<features><hyperv><spinlocks state='on' retries='4'/></hyperv></features>",
                "XML error: line 2: Invalid value for attribute 'retries' in element 'spinlocks': \
                 '4'. HyperV spinlock retry count must be at least 4095",
            ),
        ]);
    }
}
