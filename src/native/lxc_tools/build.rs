//! Making and printing element trees.

use crate::xml::{Element, Node, Writer};

/// An element without content.
pub(super) fn empty(name: &str, attributes: &[(&str, &str)]) -> Element {
    let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Element { name: name.to_owned(), attributes, ..Element::default() }
}

/// An element with text.
pub(super) fn leaf(name: &str, attributes: &[(&str, &str)], text: &str) -> Element {
    let mut element = empty(name, attributes);
    element.children.push(Node::Text(text.to_owned()));
    element
}

/// An element with children.
pub(super) fn parent(
    name: &str,
    attributes: &[(&str, &str)],
    children: impl IntoIterator<Item = Element>,
) -> Element {
    let mut element = empty(name, attributes);
    element.children.extend(children.into_iter().map(Node::Element));
    element
}

/// The text of a tree that was made here.
pub(super) fn print(element: &Element) -> String {
    let mut w = Writer::new();
    write(&mut w, element);
    w.finish()
}

fn write(w: &mut Writer, element: &Element) {
    let attributes: Vec<_> =
        element.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    if element.elements().next().is_none() {
        return w.leaf(&element.name, &attributes, &element.text());
    }
    w.open(&element.name, &attributes);
    for child in element.elements() {
        write(w, child);
    }
    w.close();
}
