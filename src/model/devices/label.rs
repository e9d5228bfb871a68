//! `<seclabel>` of a device's source: how it is labelled, apart from the domain's labels.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::model::read::detail;
use crate::model::shape::{self, Kind, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

/// What is kept of the labels of a source: those that say something.
pub(super) fn read(source: &Element) -> Result<Vec<Element>> {
    const LABEL: Shape = Shape::new(
        "seclabel",
        &[attr("model", Kind::Text), attr("relabel", Kind::Word(YES_NO)).or("yes")],
    );
    let mut models = BTreeSet::new();
    let mut labels = Vec::new();
    for element in source.children_named("seclabel") {
        let mut kept = LABEL.read(element)?.unwrap_or_default();
        let model = element.attr("model");
        if let Some(model) = model
            && !models.insert(model)
        {
            let text = format_args!("seclabel for model {model} is already provided");
            return Err(detail(element, text));
        }
        let is_off = kept.attr("relabel") == Some("no");
        match element.child_text("label") {
            Some(_) if is_off => {
                return Err(element.error(format_args!(
                    "Cannot specify a label if relabelling is turned off. model={}",
                    model.unwrap_or("none")
                )));
            }
            Some(label) => {
                kept.children.push(Node::Element(shape::leaf("label", &[], label)));
            }
            None if is_off => {}
            // The default is to label, and to make the label up.
            None => continue,
        }
        labels.push(kept);
    }
    Ok(labels)
}
