//! `<features>`: what the container gets of its own.

use crate::xml::{Element, Writer};

/// The features that are on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features {
    /// `<privnet/>`: a network name space of its own, even without interfaces.
    pub privnet: bool,
}

impl Features {
    pub(super) fn parse(root: &Element) -> Self {
        let on = |name| root.children_named("features").any(|all| all.child(name).is_some());
        Self { privnet: on("privnet") }
    }

    pub(super) fn format(self, w: &mut Writer) {
        if self == Self::default() {
            return;
        }
        w.open("features", &[]);
        if self.privnet {
            w.empty("privnet", &[]);
        }
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{parse, printed};

    #[test]
    fn presence_turns_it_on() {
        assert!(!parse("").features.privnet);
        assert!(parse("<features><privnet state='off'/></features>").features.privnet);
        assert!(printed("<features><acpi/></features>").is_empty());
        assert_eq!(
            printed("<features><privnet/></features>"),
            ["  <features>", "    <privnet/>", "  </features>"]
        );
    }
}
