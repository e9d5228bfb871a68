//! Small changes to a document, of the kinds that people and programs make by mistake.
//!
//! The names of namespaces stay what they are: an empty one would be no XML.

use nsvirt::xml::{Element, Node};

use super::random::Random;

/// Values at the edges of what types allow.
const VALUES: [&str; 32] = [
    "",
    " ",
    "0",
    "1",
    "-1",
    "+1",
    "-0",
    "00",
    "007",
    "1.5",
    "10",
    "11",
    "99",
    "100",
    "255",
    "256",
    "1000",
    "4095",
    "4096",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "yes",
    "on",
    "default",
    "none",
    "/",
    "0xff",
    "unknown",
];

/// Makes one change somewhere. Whether it has to do with the order of elements.
pub fn mutate(root: &mut Element, random: &mut Random) -> bool {
    let count = count(root);
    let source = nth(root, random.below(count)).clone();
    let target = nth(root, random.below(count));
    let kind = random.below(12);
    match kind {
        0 | 1 => change_value(target, random),
        2 => drop(remove(&mut target.attributes, random)),
        3 => rename_attribute(target, &source, random),
        4 => add_attribute(target, &source, random),
        5 => change_text(target, random),
        6 => drop(remove(&mut target.children, random)),
        7 => {
            if !target.children.is_empty() {
                let copy = random.pick(&target.children).clone();
                target.children.push(copy);
            }
        }
        8 => {
            if let Some(node) = remove(&mut target.children, random) {
                let at = random.below(target.children.len() + 1);
                target.children.insert(at, node);
            }
        }
        9 => {
            target.name = match random.below(3) {
                0 => "unknown".to_owned(),
                1 => format!("{}s", target.name),
                _ => source.name,
            };
        }
        10 => {
            let at = random.below(target.children.len() + 1);
            let name = if random.one_in(2) { "unknown".to_owned() } else { source.name };
            target.children.insert(at, Node::Element(Element { name, ..Element::default() }));
        }
        _ => target.children.push(Node::Element(source)),
    }
    kind > 6
}

fn remove<T>(items: &mut Vec<T>, random: &mut Random) -> Option<T> {
    (!items.is_empty()).then(|| items.remove(random.below(items.len())))
}

fn value(before: &str, random: &mut Random) -> String {
    match random.below(8) {
        0 => format!(" {before} "),
        1 => format!("{before}x"),
        2 => format!("{before}0"),
        3 => before.to_uppercase(),
        4 => before.chars().skip(1).collect(),
        _ => (*random.pick(&VALUES)).to_owned(),
    }
}

fn change_value(target: &mut Element, random: &mut Random) {
    if target.attributes.is_empty() {
        return change_text(target, random);
    }
    let at = random.below(target.attributes.len());
    let (name, before) = &mut target.attributes[at];
    if !name.starts_with("xmlns") {
        *before = value(before, random);
    }
}

fn change_text(target: &mut Element, random: &mut Random) {
    let text = value(&target.text(), random);
    target.children.retain(|node| matches!(node, Node::Element(_)));
    let at = random.below(target.children.len() + 1);
    target.children.insert(at, Node::Text(text));
}

fn rename_attribute(target: &mut Element, source: &Element, random: &mut Random) {
    if let Some((_, value)) = remove(&mut target.attributes, random) {
        add_attribute(target, source, random);
        match target.attributes.last_mut() {
            Some((name, last)) if !name.starts_with("xmlns") => *last = value,
            _ => {}
        }
    }
}

fn add_attribute(target: &mut Element, source: &Element, random: &mut Random) {
    let unknown = ("unknown".to_owned(), "1".to_owned());
    let new = if source.attributes.is_empty() || random.one_in(2) {
        unknown
    } else {
        random.pick(&source.attributes).clone()
    };
    target.attributes.retain(|(name, _)| *name != new.0);
    target.attributes.push(new);
}

fn count(element: &Element) -> usize {
    1 + element.elements().map(count).sum::<usize>()
}

/// The element of a number, in the order of the document.
fn nth(element: &mut Element, number: usize) -> &mut Element {
    fn find<'a>(element: &'a mut Element, left: &mut usize) -> Option<&'a mut Element> {
        if *left == 0 {
            return Some(element);
        }
        *left -= 1;
        element.children.iter_mut().find_map(|node| match node {
            Node::Element(child) => find(child, left),
            Node::Text(_) | Node::Comment(_) => None,
        })
    }
    let mut left = number;
    find(element, &mut left).unwrap()
}
