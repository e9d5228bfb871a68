//! Elements that are kept as they are, apart from libvirt's normalisation.
//!
//! Of many families of the document a container honours nothing: they describe virtual machines.
//! Such an element needs no types, only a table of what libvirt reads in it: the attributes with
//! what they may be and the child elements, both in the order they are written in.

use super::read::{bad_value, bad_word, missing_attr, number, zero};
use crate::error::Result;
use crate::xml::{Element, Node, Writer};

/// What an element of a name may contain.
pub(super) struct Shape {
    name: &'static str,
    attrs: &'static [Attr],
    children: &'static [Shape],
    /// Whether all elements of the name count, not only the first.
    many: bool,
    /// Whether an element with nothing in it is kept.
    bare: bool,
}

/// An attribute.
pub(super) struct Attr {
    name: &'static str,
    kind: Kind,
    need: Need,
    /// A value that says the same as no attribute.
    idle: Option<&'static str>,
}

/// What a value may be.
pub(super) enum Kind {
    /// Anything, the empty string too.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number of 32 bits.
    Number,
    /// A number of 64 bits.
    Long,
    /// A number of 32 bits other than 0.
    Positive,
    /// A number of 32 bits with a sign.
    Signed,
}

enum Need {
    Optional,
    Required,
    Default(&'static str),
}

pub(super) const YES_NO: &[&str] = &["yes", "no"];
pub(super) const ON_OFF: &[&str] = &["on", "off"];

/// An attribute that may be absent.
pub(super) const fn attr(name: &'static str, kind: Kind) -> Attr {
    Attr { name, kind, need: Need::Optional, idle: None }
}

impl Attr {
    /// Its absence is an error.
    pub(super) const fn required(self) -> Self {
        Self { need: Need::Required, ..self }
    }

    /// Its absence means this value.
    pub(super) const fn or(self, value: &'static str) -> Self {
        Self { need: Need::Default(value), ..self }
    }

    /// This value is not kept, since it says the same as no attribute.
    pub(super) const fn unless(self, idle: &'static str) -> Self {
        Self { idle: Some(idle), ..self }
    }

    /// Its name.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Its value in an element, as it is written.
    pub(super) fn read(&self, element: &Element) -> Result<Option<String>> {
        let Some(value) = element.attr(self.name) else {
            return match self.need {
                Need::Optional => Ok(None),
                Need::Required => Err(missing_attr(element, self.name)),
                Need::Default(value) => Ok(Some(value.to_owned())),
            };
        };
        let expected = match self.kind {
            Kind::Signed => "Expected integer value",
            _ => "Expected non-negative integer value",
        };
        let normal = match self.kind {
            Kind::Text => Some(value.to_owned()),
            Kind::Word(words) if words.contains(&value) => Some(value.to_owned()),
            Kind::Word(words) => return Err(bad_word(element, self.name, value, words)),
            Kind::Number => number::<u32>(value).map(|number| number.to_string()),
            Kind::Long => number::<u64>(value).map(|number| number.to_string()),
            Kind::Positive if number::<u32>(value) == Some(0) => {
                return Err(zero(element, self.name));
            }
            Kind::Positive => number::<u32>(value).map(|number| number.to_string()),
            Kind::Signed => number::<i32>(value).map(|number| number.to_string()),
        };
        let normal = normal.ok_or_else(|| bad_value(element, self.name, value, expected))?;
        Ok(Some(normal).filter(|normal| self.idle != Some(normal.as_str())))
    }
}

impl Shape {
    /// An element with attributes, of which the first counts.
    pub(super) const fn new(name: &'static str, attrs: &'static [Attr]) -> Self {
        Self { name, attrs, children: &[], many: false, bare: false }
    }

    /// The name of its elements.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// The child elements it may have.
    pub(super) const fn with(self, children: &'static [Self]) -> Self {
        Self { children, ..self }
    }

    /// All elements of the name are kept.
    pub(super) const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    /// It is kept with nothing in it, too.
    pub(super) const fn bare(self) -> Self {
        Self { bare: true, ..self }
    }

    /// What is kept of the elements of this name below `parent`.
    pub(super) fn read_in(&self, parent: &Element) -> Result<Vec<Element>> {
        let count = if self.many { usize::MAX } else { 1 };
        let found = parent.children_named(self.name).take(count);
        found.filter_map(|element| self.read(element).transpose()).collect()
    }

    /// What is kept of the first element of this name.
    pub(super) fn read_one(&self, parent: &Element) -> Result<Option<Element>> {
        parent.child(self.name).map_or(Ok(None), |element| self.read(element))
    }

    /// What is kept of an element; None when that is nothing.
    pub(super) fn read(&self, element: &Element) -> Result<Option<Element>> {
        let mut kept = Element { name: self.name.to_owned(), ..Element::default() };
        for attr in self.attrs {
            if let Some(value) = attr.read(element)? {
                kept.attributes.push((attr.name.to_owned(), value));
            }
        }
        for shape in self.children {
            kept.children.extend(shape.read_in(element)?.into_iter().map(Node::Element));
        }
        let nothing = kept.attributes.is_empty() && kept.children.is_empty();
        Ok(Some(kept).filter(|_| self.bare || !nothing))
    }
}

/// Writes a kept element as libvirt writes its own.
pub(super) fn format(w: &mut Writer, element: &Element) {
    let attributes: Vec<_> =
        element.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let text = element.text();
    if element.name == "entry" && attributes.is_empty() {
        // libvirt's strings of a manufacturer: it writes them as texts even when empty.
        return w.text_leaf("entry", &[], &text);
    }
    // These have an end tag of their own even when empty.
    let always_open = ["hyperv", "kvm", "xen", "nvram", "redirdev"]
        .contains(&element.name.as_str())
        || element.name == "backend" && element.attr("model") == Some("egd")
        || element.name == "encryption" && element.attr("format").is_some();
    if !always_open && element.elements().next().is_none() {
        return w.leaf(&element.name, &attributes, &text);
    }
    w.open(&element.name, &attributes);
    element.elements().for_each(|child| format(w, child));
    w.close();
}

/// A new element.
pub(super) fn element(
    name: &str,
    attributes: &[(&str, String)],
    children: Vec<Element>,
) -> Element {
    let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    Element {
        name: name.to_owned(),
        attributes: attributes.collect(),
        children: children.into_iter().map(Node::Element).collect(),
        line: 0,
    }
}

/// A new element with text.
pub(super) fn leaf(name: &str, attributes: &[(&str, String)], text: String) -> Element {
    Element { children: vec![Node::Text(text)], ..element(name, attributes, Vec::new()) }
}
