//! `<metadata>`: what other programs keep with the domain.
//!
//! Each program owns the element of its own XML name space, so, as in libvirt, elements without
//! one and further ones of the same are dropped. White space between elements is dropped as
//! well: the writer indents them, and they must not drift at every round trip.

use crate::xml::{Element, Node};

/// The element as it is kept, with the declarations of `<domain>` that it uses.
pub(super) fn parse(root: &Element) -> Option<Element> {
    let metadata = root.child("metadata")?;
    let mut kept = Element {
        children: Vec::new(),
        ..metadata.clone()
    };
    let mut seen = Vec::new();
    for child in metadata.elements() {
        let Some(uri) = namespace(&child.name, &[child, metadata, root]) else {
            continue;
        };
        if seen.contains(&uri) {
            continue;
        }
        seen.push(uri);
        kept.children
            .push(Node::Element(tidy(child, preserves(metadata, false))));
    }
    let mut prefixes = Vec::new();
    used_prefixes(&kept, &mut prefixes);
    let declarations: Vec<_> = prefixes
        .iter()
        .map(|prefix| format!("xmlns:{prefix}"))
        .filter(|name| metadata.attr(name).is_none())
        .filter_map(|name| root.attr(&name).map(|uri| (name.clone(), uri.to_owned())))
        .collect();
    kept.attributes.extend(declarations);
    declarations_first(&mut kept);
    Some(kept)
}

/// The name space of a name, declared by the innermost of `scopes` (innermost first).
pub(super) fn namespace<'a>(name: &str, scopes: &[&'a Element]) -> Option<&'a str> {
    let attribute = match name.split_once(':') {
        Some((prefix, _)) => format!("xmlns:{prefix}"),
        None => "xmlns".to_owned(),
    };
    let declared = scopes.iter().find_map(|scope| scope.attr(&attribute));
    declared.filter(|uri| !uri.is_empty())
}

/// Whether white space below an element is content.
fn preserves(element: &Element, inherited: bool) -> bool {
    element
        .attr("xml:space")
        .map_or(inherited, |value| value == "preserve")
}

/// A copy without the white space that only lays out elements: blank text that is neither all
/// there is nor follows other text.
fn tidy(element: &Element, inherited: bool) -> Element {
    let preserve = preserves(element, inherited);
    let mut keep_blanks = preserve || element.children.len() == 1;
    let mut children = Vec::with_capacity(element.children.len());
    for node in &element.children {
        match node {
            Node::Element(child) => children.push(Node::Element(tidy(child, preserve))),
            Node::Text(text) => {
                keep_blanks |= !text.chars().all(|c| c.is_ascii_whitespace());
                if keep_blanks {
                    children.push(node.clone());
                }
            }
            Node::Comment(_) => children.push(node.clone()),
        }
    }
    let mut copy = Element {
        children,
        ..shallow(element)
    };
    declarations_first(&mut copy);
    copy
}

fn shallow(element: &Element) -> Element {
    let Element {
        name,
        attributes,
        line,
        ..
    } = element;
    Element {
        name: name.clone(),
        attributes: attributes.clone(),
        children: vec![],
        line: *line,
    }
}

/// libxml2 writes declarations before the other attributes.
fn declarations_first(element: &mut Element) {
    element
        .attributes
        .sort_by_key(|(name, _)| name != "xmlns" && !name.starts_with("xmlns:"));
}

/// The prefixes in names of elements and attributes, in the order of their first use.
fn used_prefixes<'a>(element: &'a Element, prefixes: &mut Vec<&'a str>) {
    let attributes = element.attributes.iter().map(|(name, _)| name);
    for name in std::iter::once(&element.name).chain(attributes) {
        if let Some((prefix, _)) = name.split_once(':')
            && prefix != "xmlns"
            && !prefixes.contains(&prefix)
        {
            prefixes.push(prefix);
        }
    }
    for child in element.elements() {
        used_prefixes(child, prefixes);
    }
}
