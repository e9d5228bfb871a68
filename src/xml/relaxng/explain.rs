//! What is wrong, in a sentence that says what would be right.

use std::fmt;

use super::document::{Name, Resolved};
use super::pattern::{NameClass, Pattern};
use super::{Fault, Schema};

/// How many names or values a sentence lists: all of a domain, no more than a screen.
const LISTED: usize = 60;
/// How much of a value it repeats.
const QUOTED: usize = 60;

/// An attribute that is not allowed, or not with that value.
pub(super) fn attribute(
    pattern: &Pattern,
    node: &Resolved<'_>,
    name: &Name<'_>,
    value: &str,
) -> Fault {
    let mut names = Vec::new();
    let mut values = Vec::new();
    pattern.each(&mut |atom| {
        if let Pattern::Attribute(class, value) = atom {
            names.push(class.to_string());
            if class.matches(name) {
                value.each(&mut |atom| values.extend(value_of(atom)));
            }
        }
    });
    let element = &node.element.name;
    let (local, value) = (name.local, Quoted(value));
    let detail = match (values.is_empty(), names.is_empty()) {
        (false, _) => {
            format!("attribute {local} of <{element}> cannot be {value}: allowed is {}", or(values))
        }
        (true, false) => format!("<{element}> cannot have the attribute {local}: {}", and(names)),
        (true, true) => format!("<{element}> cannot have the attribute {local}, nor another one"),
    };
    Fault::new(node.element.line, detail)
}

/// Attributes that must be there and are not.
pub(super) fn missing_attribute(pattern: &Pattern, node: &Resolved<'_>) -> Fault {
    let names = demanded(pattern, &|atom| match atom {
        Pattern::Attribute(class, _) => Some(format!("{class}='...'")),
        _ => None,
    });
    let detail = format!("<{}> needs an attribute {}", node.element.name, and_only(names));
    Fault::new(node.element.line, detail)
}

/// An element that is not allowed where it is.
pub(super) fn element(
    schema: &Schema,
    pattern: &Pattern,
    parent: Option<&Resolved<'_>>,
    node: &Resolved<'_>,
) -> Fault {
    let mut names = Vec::new();
    pattern.each_next(&mut |atom| names.extend(element_of(schema, atom)));
    let name = &node.element.name;
    let detail = match (parent, names.is_empty()) {
        (None, _) => format!("the document is <{name}>, not {}", or(names)),
        (Some(parent), true) => {
            format!("<{name}> is not allowed in <{}>, nor another element", parent.element.name)
        }
        (Some(parent), false) => {
            format!("<{name}> is not allowed in <{}> here: {}", parent.element.name, and(names))
        }
    };
    Fault::new(node.element.line, detail)
}

/// Elements that must be there and are not.
pub(super) fn missing_element(schema: &Schema, pattern: &Pattern, node: &Resolved<'_>) -> Fault {
    let names = demanded(pattern, &|atom| element_of(schema, atom));
    let detail = format!("<{}> needs a child element {}", node.element.name, and_only(names));
    Fault::new(node.element.line, detail)
}

/// All the text of an element without children, which is not what it must be.
pub(super) fn text(schema: &Schema, pattern: &Pattern, node: &Resolved<'_>, text: &str) -> Fault {
    let mut values = Vec::new();
    pattern.each_next(&mut |atom| values.extend(value_of(atom)));
    if !values.is_empty() {
        let name = &node.element.name;
        let detail = format!("<{name}> cannot be {}: allowed is {}", Quoted(text), or(values));
        return Fault::new(node.element.line, detail);
    }
    match text.trim().is_empty() {
        true => missing_element(schema, pattern, node),
        false => stray_text(node, text),
    }
}

/// Text where none is allowed.
pub(super) fn stray_text(node: &Resolved<'_>, text: &str) -> Fault {
    let detail = format!("<{}> cannot have the text {}", node.element.name, Quoted(text.trim()));
    Fault::new(node.element.line, detail)
}

fn element_of(schema: &Schema, atom: &Pattern) -> Option<String> {
    match atom {
        Pattern::Element(number) => schema.definition(*number).map(|it| format!("<{}>", it.name)),
        _ => None,
    }
}

fn value_of(atom: &Pattern) -> Option<String> {
    match atom {
        Pattern::Value(value) => Some(format!("'{value}'")),
        Pattern::Data(datatype, _) => Some(datatype.to_string()),
        _ => None,
    }
}

/// What a pattern cannot do without. Of alternatives the one that demands least.
fn demanded(pattern: &Pattern, name: &dyn Fn(&Pattern) -> Option<String>) -> Vec<String> {
    match pattern {
        Pattern::Choice(a, b) => {
            let (a, b) = (demanded(a, name), demanded(b, name));
            if b.len() < a.len() { b } else { a }
        }
        Pattern::Group(a, b) | Pattern::Interleave(a, b) => {
            let mut names = demanded(a, name);
            names.extend(demanded(b, name));
            names
        }
        Pattern::OneOrMore(part) => demanded(part, name),
        _ => name(pattern).into_iter().collect(),
    }
}

/// `a, b or c`, sorted; the first dozen.
fn or(mut items: Vec<String>) -> String {
    items.sort_unstable();
    items.dedup();
    let more = items.len().saturating_sub(LISTED);
    items.truncate(LISTED);
    if more > 0 {
        items.push(format!("{more} others"));
    }
    match items.pop() {
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} or {last}", items.join(", ")),
        None => "nothing".to_owned(),
    }
}

fn and(items: Vec<String>) -> String {
    format!("allowed is {}", or(items))
}

fn and_only(items: Vec<String>) -> String {
    items.join(" and ")
}

/// A value, shortened.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(QUOTED) {
            Some((at, _)) => write!(f, "'{}...'", self.0.get(..at).unwrap_or_default()),
            None => write!(f, "'{}'", self.0),
        }
    }
}

impl fmt::Display for NameClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::One(_, local) => f.write_str(local),
        }
    }
}
