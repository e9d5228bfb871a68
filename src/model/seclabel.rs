//! `<seclabel>`: how security modules of the host confine the container.

use std::collections::HashSet;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityLabel {
    /// Who makes the label.
    pub kind: LabelKind,
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

/// Reads all labels; each module has one at most. Those without a type are left to the host and
/// not kept, as in libvirt.
pub(super) fn parse(root: &Element) -> Result<Vec<SecurityLabel>> {
    let is_single = root.children_named("seclabel").nth(1).is_none();
    let mut models = HashSet::new();
    let mut labels = Vec::new();
    for element in root.children_named("seclabel") {
        let model = element.attr("model");
        labels.extend(SecurityLabel::parse(element, model.or((!is_single).then_some("")))?);
        if !models.insert(model) {
            let model = model.unwrap_or("(none)");
            let text = format_args!("seclabel for model {model} is already provided");
            return Err(detail(element, text));
        }
    }
    let without = root.children_named("seclabel").find(|label| label.attr("model").is_none());
    match without.filter(|_| !is_single) {
        None => Ok(labels),
        Some(label) => Err(label.error("missing security model when using multiple labels")),
    }
}

impl SecurityLabel {
    fn new(kind: LabelKind, model: &str) -> Self {
        let model = model.to_owned();
        Self { kind, model, relabel: false, label: None, baselabel: None, imagelabel: None }
    }

    /// None for a label that is left to the host.
    fn parse(element: &Element, model: Option<&str>) -> Result<Option<Self>> {
        let kind = LabelKind::attr(element, "type")?;
        let relabel = Relabel::attr(element, "relabel")?.map(|relabel| relabel == Relabel::Yes);
        check_relabel(element, kind, relabel)?;
        let of = |wanted, name| element.child_text(name).filter(|_| kind == Some(wanted));
        let label = of(LabelKind::Static, "label");
        let baselabel = of(LabelKind::Dynamic, "baselabel");
        if kind == Some(LabelKind::Static) && label.is_none() {
            return Err(element.error("security label is missing: <seclabel> needs a <label>"));
        }
        let model = match (model, kind) {
            (Some(model), _) => model,
            (None, Some(LabelKind::None)) => "none",
            (None, Some(LabelKind::Dynamic)) if baselabel.is_none() => "none",
            (None, _) => return Err(element.error("missing security model in domain seclabel")),
        };
        if model == "none" {
            return Ok(Some(Self::new(LabelKind::None, model)));
        }
        let Some(kind) = kind else { return Ok(None) };
        let relabel = relabel.unwrap_or(kind == LabelKind::Dynamic);
        Ok(Some(Self { relabel, label, baselabel, ..Self::new(kind, model) }))
    }

    /// Writes it; what was made at the start for the live view only.
    pub(super) fn format(&self, w: &mut Writer, view: View) {
        let kind = self.kind;
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

fn check_relabel(element: &Element, kind: Option<LabelKind>, relabel: Option<bool>) -> Result<()> {
    match (kind, relabel) {
        (Some(LabelKind::None), Some(true)) => {
            Err(element.unsupported("resource relabeling is not compatible with 'none' label type"))
        }
        (Some(LabelKind::Dynamic), Some(false)) => {
            Err(element.unsupported("dynamic label type must use resource relabeling"))
        }
        _ => Ok(()),
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
