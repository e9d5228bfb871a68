//! The smallest document with the same disagreement: parts go as long as it stays.

use nsvirt::xml::{Element, Node};

use super::compare::Case;
use crate::support::libvirt::Definer;

/// Drops attributes and nodes while the case remains `like` it is.
pub fn shrink(mut case: Case, definer: &mut Definer) -> Case {
    loop {
        let before = parts(&case.document);
        let mut part = 0;
        while let Some(smaller) = without(&case.document, part) {
            let smaller = Case::ask(smaller, definer);
            match smaller.is_like(&case) {
                true => case = smaller,
                false => part += 1,
            }
        }
        if parts(&case.document) == before {
            return case;
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
