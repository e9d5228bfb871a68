//! Filter expressions, `(E)[predicate]` and `(E)/path`, over an evaluator that has none.
//!
//! They are taken apart at the outermost level; whatever is inside goes to the evaluator. A
//! predicate is asked for one node at a time, so `position()` and `last()` are put in as numbers.

use std::collections::HashSet;

use uppsala::dom::{Document, NodeId};
use uppsala::{XPathEvaluator, XPathValue, XmlError};

/// How deep filter expressions may be nested, as deep as the evaluator allows parentheses.
const MAX_DEPTH: u32 = 32;

/// A document with an evaluator for it.
pub(super) struct Query<'a, 'd> {
    pub(super) doc: &'a Document<'d>,
    pub(super) evaluator: XPathEvaluator,
}

impl Query<'_, '_> {
    /// The value of an expression for a context node.
    pub(super) fn value(&self, context: NodeId, expression: &str) -> Result<XPathValue, XmlError> {
        self.nested(context, expression, 0)
    }

    fn nested(&self, context: NodeId, text: &str, depth: u32) -> Result<XPathValue, XmlError> {
        let parts: Vec<&str> = split_top(text, '|');
        if depth > MAX_DEPTH || !parts.iter().any(|part| Filter::parse(part).is_some()) {
            return self.evaluator.evaluate(self.doc, context, text);
        }
        let mut found = HashSet::new();
        for part in parts {
            let value = match Filter::parse(part) {
                Some(filter) => XPathValue::NodeSet(self.filter(context, &filter, depth + 1)?),
                None => self.evaluator.evaluate(self.doc, context, part)?,
            };
            match value {
                XPathValue::NodeSet(nodes) => found.extend(nodes),
                other => return Ok(other),
            }
        }
        self.ordered(&found).map(XPathValue::NodeSet)
    }

    /// Nodes in the order of the document.
    fn ordered(&self, found: &HashSet<NodeId>) -> Result<Vec<NodeId>, XmlError> {
        let all = "/ | //node() | //@*";
        let mut all = self.evaluator.select_nodes(self.doc, self.doc.root(), all)?;
        all.retain(|node| found.contains(node));
        Ok(all)
    }

    fn filter(
        &self,
        context: NodeId,
        filter: &Filter<'_>,
        depth: u32,
    ) -> Result<Vec<NodeId>, XmlError> {
        let XPathValue::NodeSet(mut nodes) = self.nested(context, filter.inner, depth)? else {
            // The evaluator says what is wrong with a filter on something else.
            return self.evaluator.select_nodes(self.doc, context, filter.inner);
        };
        for predicate in &filter.predicates {
            let size = nodes.len();
            let mut kept = Vec::new();
            for (position, node) in (1..).zip(nodes) {
                let question = with_numbers(predicate, position, size);
                let holds = match self.evaluator.evaluate(self.doc, node, &question)? {
                    XPathValue::Number(number) => number == position as f64,
                    other => other.to_boolean(),
                };
                kept.extend(holds.then_some(node));
            }
            nodes = kept;
        }
        if filter.path.is_empty() {
            return Ok(nodes);
        }
        let relative = format!(".{}", filter.path);
        let mut found = HashSet::new();
        for node in nodes {
            found.extend(self.evaluator.select_nodes(self.doc, node, &relative)?);
        }
        self.ordered(&found)
    }
}

/// `(inner)[predicate]...path`, with a predicate or a path.
#[derive(Debug, PartialEq, Eq)]
struct Filter<'a> {
    inner: &'a str,
    predicates: Vec<&'a str>,
    path: &'a str,
}

impl<'a> Filter<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (inner, mut rest) = enclosed(text.trim(), '(')?;
        let mut predicates = Vec::new();
        while let Some((predicate, after)) = enclosed(rest, '[') {
            predicates.push(predicate);
            rest = after;
        }
        let complete = rest.starts_with('/') || (rest.is_empty() && !predicates.is_empty());
        complete.then_some(Self { inner, predicates, path: rest })
    }
}

/// What a bracket at the beginning encloses, and what follows it.
fn enclosed(text: &str, open: char) -> Option<(&str, &str)> {
    let text = text.strip_prefix(open)?;
    let mut depth = Depth { level: 1, quote: None };
    let (at, c) = text.char_indices().find(|(_, c)| depth.after(*c) == 0)?;
    Some((text.get(..at)?, text.get(at + c.len_utf8()..)?.trim_start()))
}

/// Parts between separators that are in no bracket and no string.
fn split_top(text: &str, separator: char) -> Vec<&str> {
    let mut depth = Depth::default();
    text.split(|c| depth.after(c) == 0 && depth.quote.is_none() && c == separator).collect()
}

/// How many brackets are open.
#[derive(Default)]
struct Depth {
    level: usize,
    quote: Option<char>,
}

impl Depth {
    fn after(&mut self, c: char) -> usize {
        match (self.quote, c) {
            (Some(quote), c) if quote == c => self.quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => self.quote = Some(c),
            (None, '(' | '[') => self.level += 1,
            (None, ')' | ']') => self.level = self.level.saturating_sub(1),
            (None, _) => {}
        }
        self.level
    }
}

/// A predicate with its own `position()` and `last()` as numbers; those of a predicate inside
/// stay.
fn with_numbers(predicate: &str, position: usize, size: usize) -> String {
    let mut out = String::with_capacity(predicate.len());
    let (mut squares, mut quote) = (0_usize, None);
    let mut rest = predicate;
    while let Some(c) = rest.chars().next() {
        let in_name = out.ends_with(|c: char| c.is_alphanumeric() || "-_.:$@".contains(c));
        let call = if squares == 0 && quote.is_none() && !in_name { called(rest) } else { None };
        if let Some((name, after)) = call {
            out.push_str(&if name == "last" { size } else { position }.to_string());
            rest = after;
            continue;
        }
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => squares += 1,
            (None, ']') => squares = squares.saturating_sub(1),
            _ => {}
        }
        out.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    out
}

/// The one of the two functions that is called at the beginning, and what follows.
fn called(text: &str) -> Option<(&'static str, &str)> {
    ["position", "last"].into_iter().find_map(|name| {
        let arguments = text.strip_prefix(name)?.trim_start().strip_prefix('(')?;
        Some((name, arguments.trim_start().strip_prefix(')')?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_taken_apart() {
        let filter = |inner, predicates: &[&'static str], path| {
            Some(Filter { inner, predicates: predicates.to_vec(), path })
        };
        assert_eq!(Filter::parse("(//a)[1]"), filter("//a", &["1"], ""));
        assert_eq!(Filter::parse(" ( //a ) [1] /b "), filter(" //a ", &["1"], "/b"));
        assert_eq!(
            Filter::parse("(a[')']|(b))[x[1]][last()]//c"),
            filter("a[')']|(b)", &["x[1]", "last()"], "//c")
        );
        for text in ["//a[1]", "(//a)", "(//a)[1] = 2", "(1 + 2) * 3", "(//a", "(//a)[1", ""] {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
        assert_eq!(split_top("a|b[c|d]|'|'|(e|f)", '|'), ["a", "b[c|d]", "'|'", "(e|f)"]);
    }

    #[test]
    fn positions_are_numbers() {
        assert_eq!(with_numbers("position() = last() - 1", 2, 7), "2 = 7 - 1");
        assert_eq!(with_numbers("last ( )", 2, 7), "7");
        let untouched = "a[last()] and 'last()' and x-last() and last";
        assert_eq!(with_numbers(untouched, 2, 7), untouched);
    }
}
