//! `<seclabel>`: how security modules of the host confine the container.

use super::View;
use super::read::{detail, words};
use crate::error::Result;
use crate::xml::{Element, Writer};

words! {
    /// Who makes the label.
    pub enum LabelKind {
        /// Nobody: the container is not confined.
        None = "none",
        /// The host, at the start.
        Dynamic = "dynamic",
        /// The document.
        Static = "static",
    }
}

words! {
    /// Whether the container's files get the label.
    pub enum Relabel {
        /// They do.
        Yes = "yes",
        /// They do not.
        No = "no",
    }
}

/// The label of one module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityLabel {
    /// Who makes the label; None when the document leaves it to the host.
    pub kind: Option<LabelKind>,
    /// The module, as in `selinux`; `none` for all. May be empty, as in libvirt.
    pub model: String,
    /// Whether the container's files get the label.
    pub relabel: bool,
    /// The label of a static one; of a dynamic one what was made, live only.
    pub label: Option<String>,
    /// What a dynamic label is made from.
    pub baselabel: Option<String>,
    /// The label of the container's files. Live only.
    pub imagelabel: Option<String>,
}

/// Reads all labels; each module has one at most.
pub(super) fn parse(root: &Element) -> Result<Vec<SecurityLabel>> {
    let several = root.children_named("seclabel").count() > 1;
    let mut labels: Vec<SecurityLabel> = Vec::new();
    for element in root.children_named("seclabel") {
        let label = SecurityLabel::parse(element)?;
        if several && label.model.is_empty() && element.attr("model").is_none() {
            return Err(element.error("missing security model when using multiple labels"));
        }
        if labels.iter().any(|other| other.model == label.model) {
            let model = &label.model;
            return Err(detail(
                element,
                format_args!("seclabel for model {model} is already provided"),
            ));
        }
        labels.push(label);
    }
    if let ([label], Some(element)) = (labels.as_mut_slice(), root.child("seclabel")) {
        name_single(label, element)?;
    }
    for label in labels.iter_mut().filter(|label| label.model == "none") {
        *label = SecurityLabel::unconfined();
    }
    Ok(labels)
}

/// A single label may leave its module out where none is needed.
fn name_single(label: &mut SecurityLabel, element: &Element) -> Result<()> {
    if element.attr("model").is_some() {
        return Ok(());
    }
    match label.kind {
        Some(LabelKind::None) => *label = SecurityLabel::unconfined(),
        Some(LabelKind::Dynamic) if label.baselabel.is_none() => {
            *label = SecurityLabel::unconfined();
        }
        _ => return Err(element.error("missing security model in domain seclabel")),
    }
    Ok(())
}

impl SecurityLabel {
    fn unconfined() -> Self {
        Self { kind: Some(LabelKind::None), model: "none".to_owned(), ..Self::default() }
    }

    fn parse(element: &Element) -> Result<Self> {
        let kind = LabelKind::attr(element, "type")?;
        let relabel = Relabel::attr(element, "relabel")?.map(|relabel| relabel == Relabel::Yes);
        let conflict = match (kind, relabel) {
            (Some(LabelKind::None), Some(true)) => {
                Some("resource relabeling is not compatible with 'none' label type")
            }
            (Some(LabelKind::Dynamic), Some(false)) => {
                Some("dynamic label type must use resource relabeling")
            }
            _ => None,
        };
        if let Some(conflict) = conflict {
            return Err(element.unsupported(conflict));
        }
        let label = element.child_text("label").filter(|_| kind == Some(LabelKind::Static));
        if kind == Some(LabelKind::Static) && label.is_none() {
            return Err(element.error("security label is missing: <seclabel> needs a <label>"));
        }
        let is_dynamic = kind == Some(LabelKind::Dynamic);
        Ok(Self {
            kind,
            model: element.attr("model").unwrap_or_default().to_owned(),
            relabel: relabel.unwrap_or(is_dynamic),
            label,
            baselabel: element.child_text("baselabel").filter(|_| is_dynamic),
            imagelabel: None,
        })
    }

    /// Writes it; one that is left to the host is not written.
    pub(super) fn format(&self, w: &mut Writer, view: View) {
        let Some(kind) = self.kind else { return };
        let mut attributes = vec![("type", kind.as_str()), ("model", self.model.as_str())];
        if kind == LabelKind::None {
            return w.empty("seclabel", &attributes);
        }
        attributes.push(("relabel", if self.relabel { "yes" } else { "no" }));
        let is_live = view == View::Live;
        let label = self.label.as_deref().filter(|_| is_live || kind == LabelKind::Static);
        let imagelabel = self.imagelabel.as_deref().filter(|_| is_live && self.relabel);
        if label.or(imagelabel).or(self.baselabel.as_deref()).is_none() {
            return w.empty("seclabel", &attributes);
        }
        w.open("seclabel", &attributes);
        w.optional_leaf("label", label);
        w.optional_leaf("imagelabel", imagelabel);
        w.optional_leaf("baselabel", self.baselabel.as_deref());
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};
    use super::*;

    #[test]
    fn labels_are_normalised_as_libvirt_does() {
        let none = "  <seclabel type='none' model='none'/>";
        for (text, expected) in [
            ("<seclabel type='none'/>", none),
            ("<seclabel type='dynamic'/>", none),
            ("<seclabel type='static' model='none'><label>x</label></seclabel>", none),
            ("<seclabel type='none' model='dac'/>", "  <seclabel type='none' model='dac'/>"),
            (
                "<seclabel type='dynamic' model='a'><label>x</label></seclabel>",
                "  <seclabel type='dynamic' model='a' relabel='yes'/>",
            ),
        ] {
            assert_eq!(printed(text), [expected], "{text}");
        }
        assert!(printed("<seclabel model='apparmor'/>").is_empty());
        assert_eq!(
            printed("<seclabel type='static' model='a'><label>b</label></seclabel>"),
            [
                "  <seclabel type='static' model='a' relabel='no'>",
                "    <label>b</label>",
                "  </seclabel>",
            ]
        );
    }

    #[test]
    fn what_was_made_is_written_for_the_live_view_only() {
        let mut domain = parse("<seclabel type='dynamic' model='a'/>");
        domain.security_labels[0].label = Some("made".to_owned());
        domain.security_labels[0].imagelabel = Some("files".to_owned());
        assert!(!domain.format(View::Inactive).contains("made"));
        let live = domain.format(View::Live);
        assert!(live.contains("    <label>made</label>\n    <imagelabel>files</imagelabel>\n"));
    }

    #[test]
    fn faults() {
        let several = "<seclabel type='none'/><seclabel type='dynamic' model='a'/>";
        assert_faults(&[
            ("<seclabel/>", "XML error: line 2: missing security model in domain seclabel"),
            (several, "XML error: line 2: missing security model when using multiple labels"),
            (
                "<seclabel model='a'/><seclabel type='dynamic' model='a'/>",
                "line 2: seclabel for model a is already provided",
            ),
            (
                "<seclabel type='static' model='a'/>",
                "XML error: line 2: security label is missing: <seclabel> needs a <label>",
            ),
        ]);
    }
}
