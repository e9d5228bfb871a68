//! Text and tree: a small element tree with line numbers, its reader and its writer.
//!
//! A tree rather than a derived deserialiser, since an error must say in which line which element
//! lacks what, and `<metadata>` must come back as it was written. Namespaces are not resolved:
//! names keep their prefixes.

mod reader;
pub mod relaxng;
mod writer;

pub(crate) use reader::is_name;
pub use reader::{
    Limits, MAX_ATTRIBUTES, MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, parse, parse_bytes, parse_within,
};
pub use writer::Writer;

use crate::error::{Error, ErrorCode, Result};

/// One element and all below it.
#[derive(Debug, Clone, Default)]
pub struct Element {
    /// The name as written, prefix included: `name`, `lxc:namespace`.
    pub name: String,
    /// Names (prefix included) and values, in the order of the document.
    pub attributes: Vec<(String, String)>,
    /// What is between the tags, in the order of the document.
    pub children: Vec<Node>,
    /// The line (1-based) the start tag begins in; 0 when the element was not read from text.
    pub line: u32,
}

/// What an element may contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text with its references resolved; adjacent pieces and CDATA sections are joined. The reader
    /// drops what only lays out elements.
    Text(String),
    /// A comment, without its `<!--` and `-->`.
    Comment(String),
}

/// Equal in content: the line says where an element stood, not what it says.
impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.attributes == other.attributes
            && self.children == other.children
    }
}

impl Eq for Element {}

impl Element {
    /// The value of an attribute.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of an attribute; an absent or empty one is an error.
    pub fn required_attr(&self, name: &str) -> Result<&str> {
        self.attr(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            self.error(format_args!("<{}> needs an attribute {name}='...'", self.name))
        })
    }

    /// The child elements.
    pub fn elements(&self) -> impl Iterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Comment(_) => None,
        })
    }

    /// The child elements of a name, but for those that have put themselves into a name space.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        let is_plain = |element: &Element| element.attr("xmlns").is_none_or(str::is_empty);
        self.elements().filter(move |element| element.name == name && is_plain(element))
    }

    /// The first child element of a name; libvirt, too, reads the first and drops the others.
    pub fn child<'a>(&'a self, name: &'a str) -> Option<&'a Element> {
        self.children_named(name).next()
    }

    /// As [`Self::child`], to be changed.
    pub fn child_mut<'a>(&'a mut self, name: &str) -> Option<&'a mut Element> {
        self.children.iter_mut().find_map(|node| match node {
            Node::Element(element) if element.name == name => Some(element),
            _ => None,
        })
    }

    /// The first child element of a name; none is an error.
    pub fn required_child<'a>(&'a self, name: &'a str) -> Result<&'a Element> {
        self.child(name).ok_or_else(|| self.needs_child(name))
    }

    /// The text of the first child of a name, None when there is no such child or no text.
    pub fn child_text(&self, name: &str) -> Option<String> {
        self.child(name).map(Element::text).filter(|text| !text.is_empty())
    }

    /// The text of the element and of all below it, not trimmed, as XPath has it. White space
    /// around elements and comments is layout and no text, unless text comes first.
    pub fn text(&self) -> String {
        let mut joined = String::new();
        self.add_text(&mut joined);
        joined
    }

    fn add_text(&self, joined: &mut String) {
        let is_blank = |text: &str| text.trim_ascii().is_empty();
        let begins = matches!(self.children.first(), Some(Node::Text(text)) if !is_blank(text));
        let keeps_blanks = begins || self.children.len() == 1;
        for node in &self.children {
            match node {
                Node::Text(text) if !keeps_blanks && is_blank(text) => {}
                Node::Text(text) => joined.push_str(text),
                Node::Element(element) => element.add_text(joined),
                Node::Comment(_) => {}
            }
        }
    }

    /// Whether white space in it is content: by its own word, else as in its parent.
    pub fn preserves_space(&self, inherited: bool) -> bool {
        self.attr("xml:space").map_or(inherited, |value| value == "preserve")
    }

    /// An error at this element's line.
    pub fn error(&self, detail: impl std::fmt::Display) -> Error {
        Error::xml(self.line, detail)
    }

    /// An error at this element's line for something that is understood and not supported.
    pub fn unsupported(&self, detail: impl std::fmt::Display) -> Error {
        Error::in_document(ErrorCode::ConfigUnsupported, self.line, detail)
    }

    /// The error for a child element that is not there: `child` is what belongs between `<` and
    /// `>`, as in `target dir='...'`.
    pub fn needs_child(&self, child: &str) -> Error {
        self.error(format_args!("<{}> needs a child element <{child}>", self.name))
    }
}

/// Whether XML 1.0 allows the character in a document at all.
pub(crate) fn is_allowed(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        _ => c >= ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filesystem() -> Element {
        let text = "<!-- first -->\n\n<fs a='1' b=''>x<t d='2'/>y<!-- c --><t d='3'/></fs>\n";
        parse(text).unwrap()
    }

    #[test]
    fn accessors_find_what_is_there() {
        let element = filesystem();
        assert_eq!(element.line, 3);
        assert_eq!(element.attr("a"), Some("1"));
        assert_eq!(element.required_attr("a").unwrap(), "1");
        assert_eq!(element.text(), "xy");
        let texts =
            ["<a> <b/> </a>", "<a> </a>", "<a>1<b>2</b> </a>", "<a> <b>1</b>2 <!-- --> </a>"];
        let texts = texts.map(|text| parse(text).unwrap().text());
        assert_eq!(texts, ["", " ", "12 ", "12 "]);
        assert_eq!(element.required_child("t").unwrap().attr("d"), Some("2"));
        assert_eq!(element.children_named("t").count(), 2);
        assert_eq!(element.elements().count(), 2);
        let other = parse("<a><b xmlns='u'/><b xmlns=''>1</b></a>").unwrap();
        assert_eq!(other.child_text("b").as_deref(), Some("1"));
        assert_eq!(element.child_text("t"), None);
    }

    #[test]
    fn missing_things_are_named_with_their_line() {
        let element = filesystem();
        let message = |error: Error| error.message;
        assert_eq!(
            element.required_attr("b").map_err(message),
            Err("XML error: line 3: <fs> needs an attribute b='...'".to_owned())
        );
        assert_eq!(
            element.required_child("source").map_err(message),
            Err("XML error: line 3: <fs> needs a child element <source>".to_owned())
        );
        assert_eq!(
            element.needs_child("target dir='...'").message,
            "XML error: line 3: <fs> needs a child element <target dir='...'>"
        );
    }

    #[test]
    fn the_line_is_no_part_of_equality() {
        assert_eq!(parse("<a><b/></a>").unwrap(), parse("\n<a><b\n/></a>").unwrap());
        assert_ne!(parse("<a><b/></a>").unwrap(), parse("<a><c/></a>").unwrap());
    }
}
