//! A grammar as files, and documents made of it: every alternative in turn, everything optional
//! sometimes there and sometimes not.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use nsvirt::xml::{self, Element, Node};

use super::random::Random;

/// Recursive patterns end at this depth of elements.
const DEPTH: usize = 9;

/// The definitions of a grammar and of what it includes. Each is known by its number.
pub struct Grammar {
    patterns: Vec<Pattern>,
    start: usize,
}

/// A pattern as it was written: its kind, and what the sampler needs.
struct Pattern {
    kind: String,
    /// Namespace and local name of an element or attribute; None is any name.
    name: Option<(String, String)>,
    /// The text of a value, or the name of a data type.
    text: String,
    params: BTreeMap<String, String>,
    children: Vec<usize>,
}

impl Pattern {
    fn is_place(&self) -> bool {
        matches!(self.kind.as_str(), "element" | "attribute" | "value" | "data")
    }
}

type Defines = HashMap<String, Vec<(Element, Scope)>>;

/// What an element of a grammar has from those around it.
#[derive(Clone, Default)]
struct Scope {
    prefixes: BTreeMap<String, String>,
    namespace: String,
}

impl Scope {
    fn enter(&self, element: &Element) -> Self {
        let mut scope = self.clone();
        for (key, value) in &element.attributes {
            if let Some(prefix) = key.strip_prefix("xmlns:") {
                scope.prefixes.insert(prefix.to_owned(), value.clone());
            } else if key == "ns" {
                scope.namespace.clone_from(value);
            }
        }
        scope
    }

    fn name(&self, element: &Element) -> Option<(String, String)> {
        let name = element.attr("name")?;
        Some(match name.split_once(':') {
            Some((prefix, local)) => (self.prefixes[prefix].clone(), local.to_owned()),
            None if element.name == "attribute" => (String::new(), name.to_owned()),
            None => (self.namespace.clone(), name.to_owned()),
        })
    }
}

impl Grammar {
    pub fn read(file: &Path) -> Self {
        let mut defines = Defines::new();
        collect(file, &mut defines);
        let mut grammar = Self { patterns: Vec::new(), start: 0 };
        let mut known = HashMap::new();
        grammar.start = grammar.definition("", &defines, &mut known);
        grammar
    }

    /// The pattern of a definition; several of one name are alternatives.
    fn definition(
        &mut self,
        name: &str,
        defines: &Defines,
        known: &mut HashMap<String, usize>,
    ) -> usize {
        if let Some(&number) = known.get(name) {
            return number;
        }
        let number = self.add("choice");
        known.insert(name.to_owned(), number);
        for (define, scope) in &defines[name] {
            let group = self.add("group");
            self.patterns[number].children.push(group);
            self.children(group, define, scope, defines, known);
        }
        number
    }

    fn add(&mut self, kind: &str) -> usize {
        self.patterns.push(Pattern {
            kind: kind.to_owned(),
            name: None,
            text: String::new(),
            params: BTreeMap::new(),
            children: Vec::new(),
        });
        self.patterns.len() - 1
    }

    fn children(
        &mut self,
        parent: usize,
        element: &Element,
        scope: &Scope,
        defines: &Defines,
        known: &mut HashMap<String, usize>,
    ) {
        for child in element.elements() {
            let scope = scope.enter(child);
            match child.name.as_str() {
                "param" => {
                    let name = child.attr("name").unwrap().to_owned();
                    self.patterns[parent].params.insert(name, child.text());
                }
                "ref" => {
                    let number = self.definition(child.attr("name").unwrap(), defines, known);
                    self.patterns[parent].children.push(number);
                }
                "anyName" | "except" => {}
                kind => {
                    let number = self.add(kind);
                    let pattern = &mut self.patterns[number];
                    pattern.name = scope.name(child);
                    pattern.text = child.attr("type").map_or_else(|| child.text(), str::to_owned);
                    self.patterns[parent].children.push(number);
                    self.children(number, child, &scope, defines, known);
                }
            }
        }
    }
}

fn collect(file: &Path, defines: &mut Defines) {
    let grammar = xml::parse(&fs::read_to_string(file).unwrap()).unwrap();
    let scope = Scope::default().enter(&grammar);
    for part in grammar.elements() {
        match part.name.as_str() {
            "include" => collect(&file.with_file_name(part.attr("href").unwrap()), defines),
            "start" | "define" => {
                let name = part.attr("name").unwrap_or_default().to_owned();
                defines.entry(name).or_default().push((part.clone(), scope.clone()));
            }
            other => panic!("{}: <{other}> is not understood", file.display()),
        }
    }
}

/// Makes documents, and knows what of the grammar they had.
pub struct Sampler<'a> {
    grammar: &'a Grammar,
    random: Random,
    /// Whether the parts of an interleave alternate, or come one after the other.
    mixed: bool,
    /// How often each pattern was used.
    used: Vec<u32>,
    /// Whether there is something in a pattern that no document has had.
    open: Vec<bool>,
}

/// What a pattern adds to an element.
#[derive(Default)]
struct Content {
    attributes: Vec<(String, String)>,
    nodes: Vec<Node>,
}

impl<'a> Sampler<'a> {
    pub fn new(grammar: &'a Grammar, random: Random) -> Self {
        Self {
            grammar,
            random,
            mixed: false,
            used: vec![0; grammar.patterns.len()],
            open: Vec::new(),
        }
    }

    /// The next document, its interleaves mixed or in order.
    pub fn document(&mut self, mixed: bool) -> Element {
        self.mixed = mixed;
        self.find_open();
        let content = self.sample(self.grammar.start, 0).unwrap();
        let Some(Node::Element(mut root)) = content.nodes.into_iter().next() else {
            panic!("the grammar starts with no element");
        };
        for (name, value) in &mut root.attributes {
            if name == "type" {
                "lxc".clone_into(value);
            }
        }
        root
    }

    /// The elements, attributes and values that no document has had.
    pub fn uncovered(&self) -> Vec<String> {
        let used = self.grammar.patterns.iter().zip(&self.used);
        used.filter(|(pattern, used)| **used == 0 && pattern.is_place())
            .map(|(Pattern { kind, name, text, .. }, _)| format!("{kind} {name:?} {text}"))
            .collect()
    }

    /// What the pattern allows, or None when it allows nothing.
    fn sample(&mut self, number: usize, depth: usize) -> Option<Content> {
        let grammar = self.grammar;
        let pattern = &grammar.patterns[number];
        let content = match pattern.kind.as_str() {
            "element" => self.element(pattern, depth)?,
            "attribute" => self.attribute(pattern, depth)?,
            "choice" => self.choice(pattern, depth)?,
            "optional" if depth > DEPTH || self.is_left_out(pattern) => Content::default(),
            "optional" => self.group(pattern, depth).unwrap_or_default(),
            "zeroOrMore" | "oneOrMore" => self.repeated(pattern, depth)?,
            "interleave" => self.interleave(pattern, depth)?,
            "value" => Content::text(pattern.text.trim().to_owned()),
            "data" => Content::text(self.data(pattern)),
            "text" => Content::text(self.random.pick(&["text", "a b", ""]).to_string()),
            "empty" => Content::default(),
            "notAllowed" => return None,
            _ => self.group(pattern, depth)?,
        };
        self.used[number] += 1;
        Some(content)
    }

    fn group(&mut self, pattern: &Pattern, depth: usize) -> Option<Content> {
        let mut all = Content::default();
        for &child in &pattern.children {
            let content = self.sample(child, depth)?;
            all.attributes.extend(content.attributes);
            all.nodes.extend(content.nodes);
        }
        Some(all)
    }

    /// What no document has had yet is left out less often.
    fn is_left_out(&mut self, optional: &Pattern) -> bool {
        let open = optional.children.iter().any(|&it| self.open[it]);
        self.random.one_in(if open { 4 } else { 2 })
    }

    fn find_open(&mut self) {
        let patterns = &self.grammar.patterns;
        let new = |(pattern, used): (&Pattern, &u32)| *used == 0 && pattern.is_place();
        self.open = patterns.iter().zip(&self.used).map(new).collect();
        // Definitions may contain each other: until nothing changes.
        loop {
            let mut changed = false;
            for number in (0..patterns.len()).rev() {
                let inside = patterns[number].children.iter().any(|&it| self.open[it]);
                changed |= inside && !self.open[number];
                self.open[number] |= inside;
            }
            if !changed {
                return;
            }
        }
    }

    /// One that has something new, or was used least; deep down the last, which does not recurse.
    fn choice(&mut self, pattern: &Pattern, depth: usize) -> Option<Content> {
        let mut order = pattern.children.clone();
        if depth > DEPTH {
            order.reverse();
        } else {
            self.random.shuffle(&mut order);
            order.sort_by_key(|&it| (!self.open[it], self.used[it]));
        }
        order.into_iter().find_map(|it| self.sample(it, depth))
    }

    fn repeated(&mut self, pattern: &Pattern, depth: usize) -> Option<Content> {
        let least = usize::from(pattern.kind == "oneOrMore");
        let alternatives = |&it: &usize| self.grammar.patterns[it].children.len();
        let most = 2 + pattern.children.iter().map(alternatives).max().unwrap_or(0) / 4;
        let more = if depth > DEPTH { 0 } else { self.random.below(most + 1) };
        let mut all = Content::default();
        for _ in 0..least + more {
            let content = self.group(pattern, depth)?;
            let new = |all: &Content, name: &str| all.attributes.iter().all(|it| it.0 != name);
            for (name, value) in content.attributes {
                if new(&all, &name) {
                    all.attributes.push((name, value));
                }
            }
            all.nodes.extend(content.nodes);
        }
        Some(all)
    }

    /// The parts, mixed; each keeps its own order.
    fn interleave(&mut self, pattern: &Pattern, depth: usize) -> Option<Content> {
        let mut all = Content::default();
        let mut queues = Vec::new();
        for &child in &pattern.children {
            let content = self.sample(child, depth)?;
            all.attributes.extend(content.attributes);
            queues.push(content.nodes.into_iter());
        }
        while !queues.is_empty() {
            let at = if self.mixed { self.random.below(queues.len()) } else { 0 };
            match queues[at].next() {
                Some(node) => all.nodes.push(node),
                None => drop(queues.remove(at)),
            }
        }
        Some(all)
    }

    fn element(&mut self, pattern: &Pattern, depth: usize) -> Option<Content> {
        let content = self.group(pattern, depth + 1)?;
        let (namespace, local) =
            pattern.name.clone().unwrap_or_else(|| ("urn:any".to_owned(), "any".to_owned()));
        let mut element = Element { name: local, children: content.nodes, ..Element::default() };
        if !namespace.is_empty() {
            element.name = format!("n:{}", element.name);
            element.attributes.push(("xmlns:n".to_owned(), namespace));
        }
        element.attributes.extend(content.attributes);
        Some(Content { attributes: Vec::new(), nodes: vec![Node::Element(element)] })
    }

    fn attribute(&mut self, pattern: &Pattern, depth: usize) -> Option<Content> {
        let content = self.group(pattern, depth)?;
        let text = content.nodes.iter().map(|node| match node {
            Node::Text(text) => text.as_str(),
            Node::Element(_) | Node::Comment(_) => "",
        });
        let name = pattern.name.as_ref().map_or("any", |(_, name)| name.as_str());
        Some(Content { attributes: vec![(name.to_owned(), text.collect())], nodes: Vec::new() })
    }

    fn data(&mut self, data: &Pattern) -> String {
        let limit = |name: &str| data.params.get(name).and_then(|it| it.parse::<i128>().ok());
        match (data.text.as_str(), data.params.get("pattern").map(String::as_str)) {
            ("dateTime", _) => "2026-01-31T12:00:00".to_owned(),
            ("NCName", _) => "name-1".to_owned(),
            ("string", None) => self.random.pick(&["some text", "x"]).to_string(),
            (kind, Some(pattern))
                if kind == "string" || !matches!(pattern, "[0-9]+" | "-?[0-9]+") =>
            {
                self.random.matching(pattern)
            }
            (kind, _) => {
                let (low, high) = integer_range(kind);
                let low = limit("minInclusive").unwrap_or(low);
                let high = limit("maxInclusive").unwrap_or(high);
                let middle = low + (high - low) / 3;
                self.random.pick(&[low, low + 1, middle, high - 1, high]).to_string()
            }
        }
    }
}

impl Content {
    fn text(text: String) -> Self {
        Self { attributes: Vec::new(), nodes: vec![Node::Text(text)] }
    }
}

fn integer_range(kind: &str) -> (i128, i128) {
    match kind {
        "short" => (i16::MIN.into(), i16::MAX.into()),
        "int" => (i32::MIN.into(), i32::MAX.into()),
        "long" => (i64::MIN.into(), i64::MAX.into()),
        "integer" => (-5, 1 << 70),
        "unsignedShort" => (0, u16::MAX.into()),
        "unsignedInt" => (0, u32::MAX.into()),
        "unsignedLong" => (0, u64::MAX.into()),
        "positiveInteger" => (1, 1 << 70),
        other => panic!("the sampler does not know the type {other}"),
    }
}
