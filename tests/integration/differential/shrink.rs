//! The smallest document with the same disagreement: parts go as long as it stays.

use nsvirt::xml::{Element, Node};

use super::compare::Case;
use crate::support::libvirt::Definer;

/// The smallest case that is like this one.
pub fn shrink(case: Case, definer: &mut Definer) -> Case {
    let is_like = |smaller: &Element| {
        let smaller = case.ask_alike(smaller.clone(), definer);
        smaller.is_some_and(|smaller| smaller.is_like(&case))
    };
    let smallest = smallest(&case.document, is_like);
    Case::ask(smallest, definer)
}

/// The smallest document with what ours complains of in this case.
pub fn complaint(case: &Case) -> Element {
    smallest(&case.document, |smaller| case.is_alike(smaller))
}

/// Drops attributes and nodes while the document remains what it shall be.
fn smallest(document: &Element, mut remains: impl FnMut(&Element) -> bool) -> Element {
    let mut document = document.clone();
    loop {
        let before = parts(&document);
        let mut part = 0;
        while let Some(smaller) = without(&document, part) {
            match remains(&smaller) {
                true => document = smaller,
                false => part += 1,
            }
        }
        if parts(&document) == before {
            return document;
        }
    }
}

/// Every document that lacks one part of this.
pub fn without_one(root: &Element) -> impl Iterator<Item = Element> {
    (0..parts(root)).filter_map(|part| without(root, part))
}

/// How many attributes and nodes are in an element.
fn parts(element: &Element) -> usize {
    let inner: usize = element.elements().map(parts).sum();
    element.attributes.len() + element.children.len() + inner
}

/// The element without its attribute or node of that number; what contains others comes first.
fn without(root: &Element, mut part: usize) -> Option<Element> {
    let mut smaller = root.clone();
    if part < root.children.len() {
        smaller.children.remove(part);
        return Some(smaller);
    }
    part -= root.children.len();
    if part < root.attributes.len() {
        smaller.attributes.remove(part);
        return Some(smaller);
    }
    part -= root.attributes.len();
    for node in &mut smaller.children {
        if let Node::Element(child) = node {
            match parts(child) {
                count if part < count => {
                    *child = without(child, part)?;
                    return Some(smaller);
                }
                count => part -= count,
            }
        }
    }
    None
}
