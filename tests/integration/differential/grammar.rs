//! The grammar of domain documents, read from the RELAX NG schemas that libvirt installs, and random
//! walks through it.
//!
//! The schema says what may be written, by libvirt's authors and not by ours: what a test made from
//! it does not find is not something that both forgot. A walk takes each choice by chance; the
//! values are those of the schema's patterns, tamed by [`values`](super::values).

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use nsvirt::xml::{self, Element, Node};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::values;

/// All definitions of a schema and of those it includes.
#[derive(Debug, Default)]
pub struct Grammar {
    defines: HashMap<String, Vec<Element>>,
    read: Vec<String>,
}

/// How deep a walk goes; beyond, nothing optional is taken.
const DEEP: usize = 8;

impl Grammar {
    /// The grammar of domain documents.
    pub fn of_domains(schemas: &Path) -> Self {
        let mut grammar = Self::default();
        grammar.include(schemas, "domain.rng");
        grammar
    }

    fn include(&mut self, schemas: &Path, file: &str) {
        if self.read.iter().any(|read| read == file) {
            return;
        }
        self.read.push(file.to_owned());
        let text = fs::read_to_string(schemas.join(file)).unwrap();
        for element in xml::parse(&text).unwrap().elements() {
            match element.name.as_str() {
                "include" => self.include(schemas, element.attr("href").unwrap()),
                "define" => {
                    let name = element.attr("name").unwrap().to_owned();
                    self.defines.entry(name).or_default().push(element.clone());
                }
                _ => {}
            }
        }
    }

    fn defined(&self, reference: &Element) -> &[Element] {
        &self.defines[reference.attr("name").unwrap()]
    }

    /// The patterns of the elements that may be children of any `parent`.
    pub fn children(&self, parent: &str) -> Vec<&Element> {
        let mut parents = Vec::new();
        for define in self.defines.values().flatten() {
            find(define, &mut |pattern| {
                if pattern.name == "element" && pattern.attr("name") == Some(parent) {
                    parents.push(pattern);
                }
            });
        }
        let mut found = Vec::new();
        let mut seen = Vec::new();
        parents.iter().for_each(|parent| self.below(parent, &mut found, &mut seen));
        found
    }

    /// The element patterns below a pattern and not below another element.
    fn below<'g>(
        &'g self,
        pattern: &'g Element,
        found: &mut Vec<&'g Element>,
        seen: &mut Vec<&'g str>,
    ) {
        for inner in pattern.elements() {
            match inner.name.as_str() {
                "element" => found.push(inner),
                "attribute" => {}
                "ref" => {
                    let name = inner.attr("name").unwrap();
                    if !seen.contains(&name) {
                        seen.push(name);
                        self.defined(inner).iter().for_each(|it| self.below(it, found, seen));
                    }
                }
                _ => self.below(inner, found, seen),
            }
        }
    }

    /// An element of a pattern.
    pub fn element(&self, pattern: &Element, runner: &mut TestRunner) -> Element {
        let root = Element::default();
        let mut walk = Walk { grammar: self, runner, open: vec![root], text: String::new() };
        walk.pattern(pattern);
        walk.open.remove(0).elements().next().cloned().unwrap()
    }
}

fn find<'a>(element: &'a Element, visit: &mut impl FnMut(&'a Element)) {
    visit(element);
    element.elements().for_each(|child| find(child, visit));
}

/// A walk: the elements it is in, outermost first, and the text so far of the innermost value.
struct Walk<'g, 'r> {
    grammar: &'g Grammar,
    runner: &'r mut TestRunner,
    open: Vec<Element>,
    text: String,
}

impl Walk<'_, '_> {
    fn all(&mut self, pattern: &Element) {
        pattern.elements().for_each(|inner| self.pattern(inner));
    }

    fn pattern(&mut self, pattern: &Element) {
        match pattern.name.as_str() {
            "element" => self.open_element(pattern),
            "attribute" => self.attribute(pattern),
            "ref" => {
                let grammar = self.grammar;
                let defines = grammar.defined(pattern);
                let chosen = self.runner.rng().random_range(0..defines.len());
                self.all(&defines[chosen]);
            }
            "choice" => {
                let choices: Vec<_> = pattern.elements().collect();
                let chosen = self.runner.rng().random_range(0..choices.len());
                self.pattern(choices[chosen]);
            }
            "interleave" => {
                let mut inner: Vec<_> = pattern.elements().collect();
                // Mostly in the schema's order, as people write.
                if self.runner.rng().random_ratio(1, 3) {
                    inner = Just(inner).prop_shuffle().new_tree(self.runner).unwrap().current();
                }
                inner.into_iter().for_each(|inner| self.pattern(inner));
            }
            "optional" if self.goes_on() => self.all(pattern),
            "zeroOrMore" => {
                while self.goes_on() {
                    self.all(pattern);
                }
            }
            "oneOrMore" => {
                self.all(pattern);
                while self.goes_on() {
                    self.all(pattern);
                }
            }
            "value" => self.text.push_str(&pattern.text()),
            "data" | "text" => self.text += &values::of_type(pattern, self.runner),
            "optional" | "empty" | "notAllowed" => {}
            _ => self.all(pattern),
        }
    }

    fn goes_on(&mut self) -> bool {
        let likely = if self.open.len() < DEEP { 9 } else { 0 };
        self.runner.rng().random_ratio(likely, 20)
    }

    fn name(&mut self, pattern: &Element) -> String {
        let any = || select(&["any", "x:any"][..]);
        pattern.attr("name").map_or_else(
            || any().new_tree(self.runner).unwrap().current().to_owned(),
            str::to_owned,
        )
    }

    fn open_element(&mut self, pattern: &Element) {
        let name = self.name(pattern);
        let outer = std::mem::take(&mut self.text);
        self.open.push(Element { name, ..Element::default() });
        self.all(pattern);
        let mut element = self.open.pop().unwrap();
        let text = std::mem::replace(&mut self.text, outer);
        if !text.is_empty() {
            element.children.insert(0, Node::Text(text));
        }
        self.open.last_mut().unwrap().children.push(Node::Element(element));
    }

    fn attribute(&mut self, pattern: &Element) {
        let name = self.name(pattern);
        let outer = std::mem::take(&mut self.text);
        match pattern.elements().next() {
            Some(_) => self.all(pattern),
            None => self.text = values::word(self.runner),
        }
        let value = std::mem::replace(&mut self.text, outer);
        let attributes = &mut self.open.last_mut().unwrap().attributes;
        // A choice inside an interleaved pattern may come to the same name twice.
        if attributes.iter().all(|(known, _)| *known != name) {
            attributes.push((name, value));
        }
    }
}
