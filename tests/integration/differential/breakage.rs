//! What breaks a document slightly: a part too few, too many, elsewhere, or with another value.

use nsvirt::xml::{Element, Node};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::values;

/// Makes one change somewhere in an element.
pub fn break_slightly(root: &mut Element, runner: &mut TestRunner) {
    let count = count(root);
    let at_root = count == 1 || runner.rng().random_ratio(1, 20);
    let chosen = if at_root { 0 } else { runner.rng().random_range(1..count) };
    if let Some(element) = nth(root, &mut { chosen }) {
        change(element, runner);
    }
}

/// The element and all below it.
fn count(element: &Element) -> usize {
    1 + element.elements().map(count).sum::<usize>()
}

fn nth<'a>(element: &'a mut Element, left: &mut usize) -> Option<&'a mut Element> {
    if *left == 0 {
        return Some(element);
    }
    *left -= 1;
    element.children.iter_mut().find_map(|node| match node {
        Node::Element(child) => nth(child, left),
        Node::Text(_) | Node::Comment(_) => None,
    })
}

fn change(element: &mut Element, runner: &mut TestRunner) {
    let attribute = index(element.attributes.len(), runner);
    let child = index(element.children.len(), runner);
    match (runner.rng().random_range(0..10), attribute, child) {
        (0, Some(attribute), _) => {
            element.attributes.remove(attribute);
        }
        (1..=3, Some(attribute), _) => element.attributes[attribute].1 = values::odd(runner),
        (4, _, Some(child)) => {
            element.children.remove(child);
        }
        (5, _, Some(child)) => twice(element, child, runner),
        (6, _, Some(child)) => {
            let moved = element.children.remove(child);
            element.children.insert(0, moved);
        }
        (7, ..) if !element.children.iter().any(|it| matches!(it, Node::Element(_))) => {
            element.children = vec![Node::Text(values::odd(runner))];
        }
        (9, Some(attribute), _) => prefixed(element, attribute, runner),
        (8, ..) => element.children.insert(0, Node::Comment("a comment".to_owned())),
        _ => element
            .children
            .push(Node::Element(Element { name: "unknown".to_owned(), ..Element::default() })),
    }
}

/// Adds a child again, in half of the cases with another value, before or after the others.
fn twice(element: &mut Element, child: usize, runner: &mut TestRunner) {
    let mut second = element.children[child].clone();
    if let (Node::Element(second), true) = (&mut second, runner.rng().random()) {
        match index(second.attributes.len(), runner) {
            Some(attribute) => second.attributes[attribute].1 = values::odd(runner),
            None => second.children = vec![Node::Text(values::odd(runner))],
        }
    }
    let at = if runner.rng().random() { 0 } else { element.children.len() };
    element.children.insert(at, second);
}

/// Puts an attribute into another name space, in half of the cases beside the one without.
fn prefixed(element: &mut Element, attribute: usize, runner: &mut TestRunner) {
    let (name, value) = element.attributes[attribute].clone();
    if name.contains(':') || name == "xmlns" {
        return;
    }
    let foreign =
        (format!("x:{name}"), if runner.rng().random() { value } else { values::odd(runner) });
    match runner.rng().random() {
        true => element.attributes[attribute] = foreign,
        false => element.attributes.push(foreign),
    }
    element.attributes.push(("xmlns:x".to_owned(), "urn:x".to_owned()));
}

fn index(length: usize, runner: &mut TestRunner) -> Option<usize> {
    (length > 0).then(|| runner.rng().random_range(0..length))
}
