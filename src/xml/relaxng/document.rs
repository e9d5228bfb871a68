//! The document with its namespaces resolved, as a flat list.

use crate::xml::{Element, Node};

const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A name, apart from how it was written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<'d> {
    /// Empty for none.
    pub(super) namespace: &'d str,
    pub(super) local: &'d str,
}

/// An element.
#[derive(Debug)]
pub(super) struct Resolved<'d> {
    pub(super) name: Name<'d>,
    /// Without those that declare namespaces.
    pub(super) attributes: Vec<(Name<'d>, &'d str)>,
    pub(super) content: Vec<Item>,
    pub(super) element: &'d Element,
}

/// What is in an element; comments are nothing, also between two pieces of text.
#[derive(Debug)]
pub(super) enum Item {
    /// The number of an element.
    Element(usize),
    Text(String),
}

/// The elements of a document, the root last.
pub(super) fn resolve(root: &Element) -> Vec<Resolved<'_>> {
    let mut list = Vec::new();
    enter(root, &mut Vec::new(), &mut list);
    list
}

/// Prefixes and namespaces, innermost last.
type Scope<'d> = Vec<(&'d str, &'d str)>;

fn enter<'d>(element: &'d Element, scope: &mut Scope<'d>, list: &mut Vec<Resolved<'d>>) -> usize {
    let outside = scope.len();
    for (name, value) in &element.attributes {
        if let Some(prefix) = declared(name) {
            scope.push((prefix, value));
        }
    }
    let own = element.attributes.iter().filter(|(name, _)| declared(name).is_none());
    let attributes = own.map(|(name, value)| (resolved(name, scope, false), &**value)).collect();
    let name = resolved(&element.name, scope, true);
    let mut content = Vec::new();
    for node in &element.children {
        match (node, content.last_mut()) {
            (Node::Element(child), _) => content.push(Item::Element(enter(child, scope, list))),
            (Node::Text(text), Some(Item::Text(before))) => before.push_str(text),
            (Node::Text(text), _) => content.push(Item::Text(text.clone())),
            (Node::Comment(_), _) => {}
        }
    }
    scope.truncate(outside);
    list.push(Resolved { name, attributes, content, element });
    list.len() - 1
}

/// The prefix that an attribute declares, empty for the default namespace.
fn declared(attribute: &str) -> Option<&str> {
    match attribute.strip_prefix("xmlns")? {
        "" => Some(""),
        prefix => prefix.strip_prefix(':'),
    }
}

/// A prefix that nobody declared is a part of the name, as it is for libxml2.
fn resolved<'d>(written: &'d str, scope: &Scope<'d>, takes_default: bool) -> Name<'d> {
    let (prefix, local) = written.split_once(':').unwrap_or(("", written));
    let none = Name { namespace: "", local: written };
    match prefix {
        "" if !takes_default => none,
        "xml" => Name { namespace: XML, local },
        _ => match scope.iter().rev().find(|(known, _)| *known == prefix) {
            Some((_, namespace)) => Name { namespace, local },
            None => none,
        },
    }
}
