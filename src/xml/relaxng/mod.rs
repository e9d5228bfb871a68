//! RELAX NG: whether a document is what a grammar allows, and if not, where and why.
//!
//! An own validator since the daemon must say *which line* is wrong and *what may stand there*, and stay
//! bounded with any document; the crates there were when this was written are first releases.
//!
//! A grammar is compiled once into [`Pattern`]s. To validate an element means to go through its
//! attributes and its children, and to take after each the *derivative* of the pattern: what the
//! pattern still demands. What is left at the end must be satisfied by nothing (Brzozowski's idea,
//! James Clark's algorithm). Where several definitions of one element name are possible, each is
//! tried once per element, so no ambiguity of a grammar multiplies:
//!
//! **the work is at most (elements of the document) × (definitions of one name in the grammar) ×
//! (size of a definition)**, and the depth of calls is that of the document, which the reader limits.
//!
//! Understood is the part of RELAX NG that the project's grammars and libvirt's are written in: the
//! XML syntax with `include`, the data types of [`datatype`], and no lists, no external references.
//!
//! White space around a number is no part of it, except where the type has a pattern: libxml2 then
//! wants the bare number, and so does this.

mod compile;
mod datatype;
mod document;
mod explain;
mod pattern;
mod validate;

use std::fmt;
use std::sync::Arc;

use super::Element;
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use pattern::{Definition, Pattern};

/// A compiled grammar.
#[derive(Debug)]
pub struct Schema {
    start: Arc<Pattern>,
    definitions: Vec<Definition>,
}

impl Schema {
    /// Compiles a grammar and what it includes; `read` gives the text of a file by the name that
    /// includes use.
    pub fn compile<'a>(name: &str, read: impl Fn(&str) -> Option<&'a str>) -> Result<Self> {
        compile::compile(name, &read)
    }

    /// Checks a document.
    pub fn validate(&self, root: &Element) -> Result<()> {
        validate::validate(self, root).map_err(|fault| {
            let detail = format!("line {}: {}", fault.line, fault.detail);
            Error::new(ErrorCode::XmlInvalidSchema, detail).in_domain(ErrorDomain::Xml)
        })
    }

    fn definition(&self, number: usize) -> Option<&Definition> {
        self.definitions.get(number)
    }
}

/// What is wrong with a document, and where.
#[derive(Debug, Clone)]
struct Fault {
    line: u32,
    detail: String,
    /// How far the definition had come that found it: of several that fail, the one that came
    /// furthest is most likely the one that was meant.
    progress: usize,
}

impl Fault {
    fn new(line: u32, detail: impl fmt::Display) -> Self {
        Self { line, detail: detail.to_string(), progress: 0 }
    }
}

#[cfg(test)]
mod tests;
