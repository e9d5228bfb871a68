//! `<metadata>`: what other programs keep with the domain.
//!
//! Each program owns the element of its own XML name space, so, as in libvirt, elements without
//! one and further ones of the same are dropped. White space between elements is dropped as
//! well: the writer indents them, and they must not drift at every round trip.

mod piece;

pub use piece::{NewPiece, Piece};

use std::collections::HashSet;

use crate::xml::{Element, Node};

/// The element as it is kept, with the declarations of `<domain>` that it uses.
pub(super) fn parse(root: &Element) -> Option<Element> {
    let metadata = root.child("metadata")?;
    let mut kept = shallow(metadata);
    let mut seen = HashSet::new();
    for child in metadata.elements() {
        let uri = namespace(&child.name, &[child, metadata, root]);
        if uri.is_some_and(|uri| seen.insert(uri)) {
            kept.children.push(Node::Element(tidy(child, metadata.preserves_space(false))));
        }
    }
    let mut prefixes = Vec::new();
    used_prefixes(&kept, &mut prefixes, &mut HashSet::new());
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

/// A copy without the white space that only lays out elements: blank text that is neither all
/// there is nor follows other text.
fn tidy(element: &Element, inherited: bool) -> Element {
    let preserve = element.preserves_space(inherited);
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
    let mut copy = Element { children, ..shallow(element) };
    declarations_first(&mut copy);
    copy
}

fn shallow(element: &Element) -> Element {
    let Element { name, attributes, line, .. } = element;
    Element { name: name.clone(), attributes: attributes.clone(), children: vec![], line: *line }
}

/// libxml2 writes declarations before the other attributes.
fn declarations_first(element: &mut Element) {
    element.attributes.sort_by_key(|(name, _)| name != "xmlns" && !name.starts_with("xmlns:"));
}

/// The prefixes in names of elements and attributes, in the order of their first use. `seen`
/// keeps this linear: a document may have a great many.
fn used_prefixes<'a>(
    element: &'a Element,
    prefixes: &mut Vec<&'a str>,
    seen: &mut HashSet<&'a str>,
) {
    let attributes = element.attributes.iter().map(|(name, _)| name);
    for name in std::iter::once(&element.name).chain(attributes) {
        if let Some((prefix, _)) = name.split_once(':')
            && prefix != "xmlns"
            && seen.insert(prefix)
        {
            prefixes.push(prefix);
        }
    }
    for child in element.elements() {
        used_prefixes(child, prefixes, seen);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{document, parse};
    use super::super::{Domain, View};
    use super::*;

    fn kept(domain: &Domain) -> String {
        let text = domain.format(View::Inactive);
        let start = text.find("  <metadata").unwrap();
        let end = text.find("  <memory").unwrap();
        text[start..end].to_owned()
    }

    #[test]
    fn declarations_of_the_domain_come_along() {
        let text = document(
            "<metadata k='v'>\n<a:x b='1' c:d='\"'><e:y xmlns:e='urn:e'/></a:x>\n</metadata>",
        )
        .replacen("'lxc'", "'lxc' xmlns:z='urn:z' xmlns:a='urn:a' xmlns:c='urn:c'", 1);
        let domain = Domain::parse(&text).unwrap();
        let expected = "  <metadata xmlns:a=\"urn:a\" xmlns:c=\"urn:c\" k=\"v\">\n    \
                        <a:x b=\"1\" c:d=\"&quot;\">\n      <e:y xmlns:e=\"urn:e\"/>\n    \
                        </a:x>\n  </metadata>\n";
        assert_eq!(kept(&domain), expected);
        assert_eq!(Domain::parse(&domain.format(View::Inactive)), Ok(domain));
    }

    #[test]
    fn one_element_per_name_space_is_kept() {
        let domain = parse(
            "<metadata>text<a/><!-- c --><b:b/><c xmlns='u'/><d:d xmlns:d='u'/>\
             <e:e xmlns:e='v'/></metadata>",
        );
        let names: Vec<_> =
            domain.metadata.iter().flat_map(Element::elements).map(|e| &e.name).collect();
        assert_eq!(names, ["c", "e:e"]);
        assert_eq!(kept(&parse("<metadata/>")), "  <metadata/>\n");
    }

    #[test]
    fn only_layout_is_dropped() {
        let cases = [
            ("<a:b>  </a:b>", "<a:b>  </a:b>"),
            ("<a:b> <a:c/> text <a:d/>  </a:b>", "<a:b><a:c/> text <a:d/>  </a:b>"),
            ("<a:b>x<a:c> <a:d> </a:d> </a:c> </a:b>", "<a:b>x<a:c><a:d> </a:d></a:c> </a:b>"),
            (
                "<a:b xml:space='preserve'> <a:c><a:d/></a:c> </a:b>",
                "<a:b xml:space=\"preserve\"> <a:c><a:d/></a:c> </a:b>",
            ),
            ("<a:b xml:space='preserve'><a:c/></a:b>", "<a:b xml:space=\"preserve\"><a:c/></a:b>"),
            ("<a:b> <!--z--> </a:b>", "<a:b>\n      <!--z-->\n    </a:b>"),
        ];
        for (text, expected) in cases {
            let domain = parse(&format!("<metadata xmlns:a='u'>{text}</metadata>"));
            let expected = format!("  <metadata xmlns:a=\"u\">\n    {expected}\n  </metadata>\n");
            assert_eq!(kept(&domain), expected);
            assert_eq!(Domain::parse(&domain.format(View::Inactive)), Ok(domain));
        }
    }
}
