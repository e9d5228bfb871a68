//! From text to a tree, for text that anybody may have written.
//!
//! quick-xml finds the markup; the rest of well-formedness that matters here (names, allowed
//! characters, one root) and the limits are checked in this file. The tree is built with a stack
//! of open elements, and neither depth nor size is left to the author of the document.

use std::borrow::Cow;

use quick_xml::events::attributes::{AttrError, Attribute};
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion, errors::IllFormedError};

use super::{Element, Node, is_allowed};
use crate::error::{Error, Result};

/// The longest document read, in bytes: 4 MiB. Real domains take a few KiB.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How deep elements may be nested, the root included.
pub const MAX_DEPTH: usize = 64;
/// How many attributes one element may have.
pub const MAX_ATTRIBUTES: usize = 256;
/// How many elements a document may have; comments count as well.
pub const MAX_ELEMENTS: usize = 10_000;

/// How much a document may have.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    bytes: usize,
    depth: usize,
    attributes: usize,
    elements: usize,
}

impl Limits {
    /// Of documents that anybody may have written.
    pub const SENT: Self = Self {
        bytes: MAX_BYTES,
        depth: MAX_DEPTH,
        attributes: MAX_ATTRIBUTES,
        elements: MAX_ELEMENTS,
    };
    /// Of what was made of a document within those: defaults are filled in, characters are
    /// escaped, lines are indented, declarations of name spaces are repeated.
    pub const STORED: Self = Self {
        bytes: 16 * MAX_BYTES,
        depth: MAX_DEPTH + 8,
        attributes: 4 * MAX_ATTRIBUTES,
        elements: 16 * MAX_ELEMENTS,
    };
}

/// Reads a document from bytes, which must be UTF-8.
pub fn parse_bytes(bytes: &[u8]) -> Result<Element> {
    check_length(bytes.len(), MAX_BYTES)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text),
        Err(error) => {
            let offset = error.valid_up_to();
            let before = bytes.get(..offset).unwrap_or_default();
            let detail = format!("the document is not UTF-8: invalid byte at offset {offset}");
            Err(Error::xml(1 + newlines(before), detail))
        }
    }
}

/// Reads a document.
///
/// DOCTYPE is refused, so there are no entities but the five predefined ones and character
/// references.
pub fn parse(text: &str) -> Result<Element> {
    parse_within(text, Limits::SENT)
}

/// As [`parse`], with other limits.
pub fn parse_within(text: &str, limits: Limits) -> Result<Element> {
    check_length(text.len(), limits.bytes)?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let mut builder = Builder::new(limits);
    builder.check_characters(text)?;
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let mut at = 0;
    loop {
        let event = reader.read_event();
        // A broken end tag is where the reader says; everything else is where it began.
        let start = if event.is_err() { position(reader.error_position()) } else { at };
        builder.advance(text, start);
        match event.map_err(|error| builder.malformed(&error))? {
            Event::Eof => return builder.finish(),
            event => builder.event(event, start)?,
        }
        at = position(reader.buffer_position());
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

fn check_length(length: usize, most: usize) -> Result<()> {
    if length > most {
        let detail =
            format!("the document has {length} bytes, more than the limit of {most} bytes");
        return Err(Error::xml(1, detail));
    }
    Ok(())
}

fn newlines(bytes: &[u8]) -> u32 {
    let count = bytes.iter().filter(|&&byte| byte == b'\n').count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The tree so far.
struct Builder {
    limits: Limits,
    /// Elements whose end tag has not come yet, outermost first.
    open: Vec<Open>,
    /// What is in the open elements so far; an element takes its own when it ends, in one piece.
    children: Vec<Node>,
    /// Text since the last tag or comment.
    text: String,
    root: Option<Element>,
    /// Elements and comments seen.
    nodes: usize,
    /// The line of what is being read, and the offset it was counted at.
    line: u32,
    counted: usize,
}

/// An element whose end tag has not come yet.
struct Open {
    element: Element,
    /// Where its children begin among those of all open elements.
    first: usize,
    /// Whether text was in it that is not blank.
    has_text: bool,
    preserves_space: bool,
}

impl Builder {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            open: Vec::new(),
            children: Vec::new(),
            text: String::new(),
            root: None,
            nodes: 0,
            line: 1,
            counted: 0,
        }
    }

    fn error(&self, detail: impl std::fmt::Display) -> Error {
        Error::xml(self.line, detail)
    }

    fn advance(&mut self, text: &str, offset: usize) {
        self.line += newlines(text.as_bytes().get(self.counted..offset).unwrap_or_default());
        self.counted = self.counted.max(offset);
    }

    /// Raw control characters; those written as references are checked where they are resolved.
    fn check_characters(&self, text: &str) -> Result<()> {
        // Without a branch for each byte: most documents have none that could begin a character
        // that is not allowed.
        let is_suspect = |byte: u8| byte == 0xEF || byte < b' ' && !b"\t\n\r".contains(&byte);
        if !text.bytes().fold(false, |found, byte| found | is_suspect(byte)) {
            return Ok(());
        }
        let Some((offset, c)) = text.char_indices().find(|&(_, c)| !is_allowed(c)) else {
            return Ok(());
        };
        let line = 1 + newlines(text.as_bytes().get(..offset).unwrap_or_default());
        Err(Error::xml(line, format_args!("the character {} is not allowed in XML", code(c))))
    }

    fn event(&mut self, event: Event<'_>, start: usize) -> Result<()> {
        match event {
            Event::Start(tag) => {
                self.end_text(false);
                let element = self.element(&tag)?;
                let inherited = self.open.last().is_some_and(|parent| parent.preserves_space);
                let preserves_space = element.preserves_space(inherited);
                let first = self.children.len();
                self.open.push(Open { element, first, has_text: false, preserves_space });
                Ok(())
            }
            Event::Empty(tag) => {
                self.end_text(false);
                let element = self.element(&tag)?;
                self.add(element);
                Ok(())
            }
            Event::End(_) => {
                self.end_text(true);
                if let Some(Open { mut element, first, .. }) = self.open.pop() {
                    element.children = self.children.drain(first..).collect();
                    self.add(element);
                }
                Ok(())
            }
            Event::Text(text) if self.open.is_empty() => self.text_outside(&text),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(text) if !self.open.is_empty() => self.text(&text.xml10_content()),
            Event::CData(_) => Err(self.outside("a CDATA section")),
            Event::GeneralRef(reference) => {
                let c = self.resolve(&reference)?;
                self.reference(c)
            }
            Event::Comment(text) => {
                self.count()?;
                self.end_text(false);
                if !self.open.is_empty() {
                    self.children.push(Node::Comment(text.xml10_content().into_owned()));
                }
                Ok(())
            }
            Event::Decl(declaration) => self.declaration(&declaration, start),
            Event::DocType(_) => Err(self.error("<!DOCTYPE> is not accepted")),
            Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn count(&mut self) -> Result<()> {
        self.nodes += 1;
        let most = self.limits.elements;
        if self.nodes > most {
            let detail = format!("the document has more than the limit of {most} elements");
            return Err(self.error(detail));
        }
        Ok(())
    }

    fn element(&mut self, tag: &BytesStart<'_>) -> Result<Element> {
        self.count()?;
        let name = tag.name().as_ref().to_owned();
        if !is_name(&name) {
            return Err(self.error(format_args!("'{name}' is not a name of an element")));
        }
        if self.root.is_some() {
            return Err(self.error(format_args!(
                "<{name}> after the end of the document: only one root element is allowed"
            )));
        }
        let deepest = self.limits.depth;
        if self.open.len() >= deepest {
            return Err(self.error(format_args!(
                "<{name}> is nested deeper than the limit of {deepest} elements"
            )));
        }
        let attributes = self.attributes(&name, tag)?;
        Ok(Element { name, attributes, children: Vec::new(), line: self.line })
    }

    fn attributes(&self, element: &str, tag: &BytesStart<'_>) -> Result<Vec<(String, String)>> {
        let most = self.limits.attributes;
        let mut attributes: Vec<(String, String)> = Vec::new();
        for attribute in tag.attributes() {
            if attributes.len() == most {
                return Err(self.error(format_args!(
                    "<{element}> has more than the limit of {most} attributes"
                )));
            }
            let attribute = attribute
                .map_err(|error| self.bad_attribute(element, tag.attributes_raw(), &error))?;
            let name = attribute.key.as_ref();
            if !is_name(name) {
                return Err(self
                    .error(format_args!("'{name}' is not a name of an attribute of <{element}>")));
            }
            let value = value(&attribute).map_err(|fault| {
                self.error(format_args!("attribute {name} of <{element}>: {fault}"))
            })?;
            attributes.push((name.to_owned(), value));
        }
        Ok(attributes)
    }

    fn bad_attribute(&self, element: &str, raw: &str, error: &AttrError) -> Error {
        match error {
            AttrError::Duplicated(_, previous) => {
                // Offsets count from the start of the tag's name.
                let raw = previous.checked_sub(element.len()).and_then(|at| raw.get(at..));
                let name = raw.and_then(|raw| raw.split(['=', ' ', '\t', '\n', '\r']).next());
                let name = name.unwrap_or_default();
                self.error(format_args!("<{element}> has the attribute '{name}' twice"))
            }
            _ => self.error(format_args!(
                "<{element}> has an attribute that is not written as name='value'"
            )),
        }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        if self.open.is_empty() {
            return self.text_outside(text);
        }
        self.text.push_str(text);
        Ok(())
    }

    /// Makes a child of the text before a tag or comment, unless it only lays these out. As
    /// libxml2 has it, blank text is content when it is all there is, follows other text, or
    /// `xml:space` says so.
    fn end_text(&mut self, is_last: bool) {
        let Some(parent) = self.open.last_mut().filter(|_| !self.text.is_empty()) else { return };
        parent.has_text |= !self.text.trim_ascii().is_empty();
        let is_all = is_last && self.children.len() == parent.first;
        if parent.has_text || parent.preserves_space || is_all {
            self.children.push(Node::Text(self.text.clone()));
        }
        self.text.clear();
    }

    /// Text, as it is written, around the root element: only white space may be there.
    fn text_outside(&mut self, text: &str) -> Result<()> {
        if text.trim().is_empty() {
            return Ok(());
        }
        // The text begins with the line end before it.
        let blank = text.len() - text.trim_start().len();
        self.line += newlines(text.as_bytes().get(..blank).unwrap_or_default());
        Err(self.outside("text"))
    }

    fn reference(&mut self, c: char) -> Result<()> {
        match self.open.is_empty() {
            true => Err(self.outside("text")),
            false => self.text(c.encode_utf8(&mut [0; 4])),
        }
    }

    fn resolve(&self, reference: &BytesRef<'_>) -> Result<char> {
        let within = || {
            self.open.last().map_or(String::new(), |parent| format!("<{}>: ", parent.element.name))
        };
        let c = match reference.as_ref() {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "apos" => Some('\''),
            "quot" => Some('"'),
            _ => reference.resolve_char_ref().ok().flatten(),
        };
        match c {
            Some(c) if is_allowed(c) => Ok(c),
            Some(c) => {
                Err(self.error(format_args!("{}{} is not allowed in XML", within(), code(c))))
            }
            None => Err(self.error(format_args!("{}{BAD_REFERENCE}", within()))),
        }
    }

    fn add(&mut self, element: Element) {
        match self.open.is_empty() {
            true => self.root = Some(element),
            false => self.children.push(Node::Element(element)),
        }
    }

    fn declaration(&self, declaration: &BytesDecl<'_>, start: usize) -> Result<()> {
        if start != 0 {
            return Err(self.error("<?xml ...?> is allowed only at the start of the document"));
        }
        let encoding = match declaration.encoding() {
            None => return Ok(()),
            Some(Ok(encoding)) => encoding,
            Some(Err(_)) => return Err(self.error("<?xml ...?> has a malformed attribute")),
        };
        let accepted = ["UTF-8", "UTF8", "US-ASCII", "ASCII"];
        if accepted.iter().any(|name| encoding.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        Err(self.error(format_args!(
            "the encoding '{encoding}' is not accepted: write the document in UTF-8"
        )))
    }

    fn outside(&self, what: &str) -> Error {
        let place = if self.root.is_some() { "after the end of" } else { "before" };
        self.error(format_args!("{what} {place} the root element"))
    }

    /// What the reader found wrong, in the words of the author of the document.
    fn malformed(&self, error: &quick_xml::Error) -> Error {
        match error {
            quick_xml::Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
                let opened = self.open.last().map_or(0, |open| open.element.line);
                self.error(format_args!(
                    "expected </{expected}> for the element opened in line {opened}, found </{found}>"
                ))
            }
            quick_xml::Error::IllFormed(IllFormedError::UnmatchedEndTag(found)) => {
                self.error(format_args!("</{found}> ends an element that was not opened"))
            }
            quick_xml::Error::IllFormed(IllFormedError::UnclosedReference) => {
                self.error("'&' must be written as &amp;")
            }
            other => self.error(other),
        }
    }

    fn finish(mut self) -> Result<Element> {
        if let Some(Open { element, .. }) = self.open.pop() {
            return Err(self.error(format_args!(
                "the document ends before </{}> for the element opened in line {}",
                element.name, element.line
            )));
        }
        self.root.take().ok_or_else(|| self.error("the document has no root element"))
    }
}

/// The value of an attribute, or what is wrong with it.
fn value(attribute: &Attribute<'_>) -> std::result::Result<String, Cow<'static, str>> {
    if attribute.value.contains('<') {
        return Err("'<' must be written as &lt;".into());
    }
    let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| BAD_REFERENCE)?;
    // What is as it was written has been checked with the whole text.
    let resolved = match &value {
        Cow::Borrowed(_) => "",
        Cow::Owned(resolved) => resolved,
    };
    match resolved.chars().find(|&c| !is_allowed(c)) {
        Some(c) => Err(format!("{} is not allowed in XML", code(c)).into()),
        None => Ok(value.into_owned()),
    }
}

const BAD_REFERENCE: &str = "after '&' only lt; gt; amp; apos; quot; or a character reference \
                             may follow";

fn code(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

/// XML's names, a little wider beyond ASCII.
pub(crate) fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':' || c >= '\u{C0}';
    let rest = |c: char| first(c) || c.is_ascii_digit() || c == '-' || c == '.' || c == '\u{B7}';
    name.starts_with(first) && name.chars().all(rest)
}

#[cfg(test)]
mod tests;
