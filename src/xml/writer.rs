//! From model to text, in the layout of libvirt's `dumpxml`: two spaces of indentation,
//! attributes in single quotes, text on the line of its tags.

use std::ops::Range;

use super::{Element, Node, is_allowed};

/// One step of indentation.
const INDENT: &str = "  ";

/// Writes a document piece by piece.
///
/// Names are written as they are; text and attribute values are escaped, and characters that XML
/// has no way to write are left out.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    /// Where the names of the open elements are in `out`, outermost first.
    open: Vec<Range<usize>>,
}

impl Writer {
    /// A writer of an empty document.
    pub fn new() -> Self {
        Self::default()
    }

    /// The start tag of an element with children.
    pub fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        // The indentation, '<', and the name.
        let start = self.out.len() + INDENT.len() * self.open.len() + 1;
        self.tag(name, attributes);
        self.out.push_str(">\n");
        self.open.push(start..start + name.len());
    }

    /// The end tag of the element opened last.
    pub fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.indent();
            self.out.push_str("</");
            self.out.extend_from_within(name);
            self.out.push_str(">\n");
        }
    }

    /// An element with text in one line; without text the same as [`Self::empty`].
    pub fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        match text.is_empty() {
            true => self.empty(name, attributes),
            false => self.text_leaf(name, attributes, text),
        }
    }

    /// An element with text in one line, which has an end tag of its own without text, too.
    pub fn text_leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.tag(name, attributes);
        self.out.push('>');
        escape(&mut self.out, text, Quoting::Text);
        self.end_tag(name);
        self.out.push('\n');
    }

    /// A leaf when there is a text, nothing otherwise.
    pub fn optional_leaf(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.leaf(name, &[], text);
        }
    }

    /// An element without content.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.tag(name, attributes);
        self.out.push_str("/>\n");
    }

    /// A kept element, in the layout libxml2 gives it inside libvirt's output: double quotes, and
    /// children on lines of their own unless there is text among them.
    pub fn element(&mut self, element: &Element) {
        self.indent();
        verbatim(&mut self.out, element, Some(self.open.len()));
        self.out.push('\n');
    }

    /// The text written so far.
    pub fn finish(self) -> String {
        self.out
    }

    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n(INDENT, self.open.len()));
    }

    fn tag(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.indent();
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in attributes {
            self.out.push(' ');
            self.out.push_str(key);
            self.out.push_str("='");
            escape(&mut self.out, value, Quoting::Single);
            self.out.push('\'');
        }
    }

    fn end_tag(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }
}

/// Writes a kept element. With an `indent` (in steps) the children go on lines of their own;
/// text among them turns that off for everything below, since there the space would be content.
fn verbatim(out: &mut String, element: &Element, indent: Option<usize>) {
    out.push('<');
    out.push_str(&element.name);
    for (key, value) in &element.attributes {
        out.push(' ');
        out.push_str(key);
        out.push_str("=\"");
        escape(out, value, Quoting::Double);
        out.push('"');
    }
    if element.children.is_empty() {
        return out.push_str("/>");
    }
    out.push('>');
    let has_text = element.children.iter().any(|node| matches!(node, Node::Text(_)))
        || element.attr("xml:space") == Some("preserve");
    let inner = indent.filter(|_| !has_text).map(|depth| depth + 1);
    for node in &element.children {
        line(out, inner);
        match node {
            Node::Element(child) => verbatim(out, child, inner),
            Node::Text(text) => escape(out, text, Quoting::Verbatim),
            Node::Comment(text) => out.extend(["<!--", text, "-->"]),
        }
    }
    line(out, inner.and(indent));
    out.extend(["</", &element.name, ">"]);
}

fn line(out: &mut String, indent: Option<usize>) {
    if let Some(depth) = indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(INDENT, depth));
    }
}

/// Where a text goes, which decides what must be escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoting {
    /// Between tags; libvirt escapes both quotes there as well.
    Text,
    /// In single quotes.
    Single,
    /// In double quotes of a kept element; libxml2 leaves the other quote alone.
    Double,
    /// Between tags of a kept element; libxml2 leaves both quotes alone.
    Verbatim,
}

fn escape(out: &mut String, text: &str, quoting: Quoting) {
    let mut rest = text;
    let next =
        |rest: &str| rest.char_indices().find_map(|(at, c)| Some((at, c, escaped(c, quoting)?)));
    while let Some((at, c, written)) = next(rest) {
        let (before, after) = rest.split_at(at);
        out.extend([before, written]);
        rest = after.strip_prefix(c).unwrap_or_default();
    }
    out.push_str(rest);
}

/// What is written for a character that cannot stay as it is.
fn escaped(c: char, quoting: Quoting) -> Option<&'static str> {
    let in_attribute = matches!(quoting, Quoting::Single | Quoting::Double);
    match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' if quoting != Quoting::Verbatim => Some("&quot;"),
        '\'' if matches!(quoting, Quoting::Text | Quoting::Single) => Some("&apos;"),
        // A reader turns these into other white space unless they are references.
        '\r' => Some("&#13;"),
        '\n' if in_attribute => Some("&#10;"),
        '\t' if in_attribute => Some("&#9;"),
        _ if is_allowed(c) => None,
        _ => Some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::parse;

    #[test]
    fn the_layout_is_libvirts() {
        let mut w = Writer::new();
        w.open("domain", &[("type", "lxc")]);
        w.leaf("name", &[], "a <b> & \"c\" 'd'");
        w.empty("clock", &[("offset", "it's"), ("x", "\"\n\t\r")]);
        w.leaf("title", &[], "");
        w.optional_leaf("a", None);
        w.optional_leaf("b", Some("x\r\u{1}\ny"));
        w.open("devices", &[]);
        w.close();
        w.close();
        w.close();
        assert_eq!(
            w.finish(),
            "<domain type='lxc'>\n  \
             <name>a &lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;</name>\n  \
             <clock offset='it&apos;s' x='&quot;&#10;&#9;&#13;'/>\n  \
             <title/>\n  <b>x&#13;\ny</b>\n  <devices>\n  </devices>\n</domain>\n"
        );
    }

    #[test]
    fn kept_elements_look_as_libxml2_prints_them() {
        let kept = "<m:a xmlns:m=\"u\" b=\"1'2&quot;\">\n    <m:c>x'\"</m:c>\n    \
                    <m:d>\n      <!--z-->\n    </m:d>\n    \
                    <m:e>text <m:f><m:g/></m:f>  </m:e>\n  </m:a>";
        let mut tree = parse(kept).unwrap();
        drop_blanks(&mut tree);
        let mut w = Writer::new();
        w.open("metadata", &[]);
        w.element(&tree);
        w.close();
        assert_eq!(w.finish(), format!("<metadata>\n  {kept}\n</metadata>\n"));
    }

    fn drop_blanks(element: &mut Element) {
        let has_elements = element.elements().next().is_some() || element.children.len() > 1;
        element.children.retain(
            |node| !matches!(node, Node::Text(text) if has_elements && text.starts_with('\n')),
        );
        for node in &mut element.children {
            if let Node::Element(child) = node {
                drop_blanks(child);
            }
        }
    }
}
