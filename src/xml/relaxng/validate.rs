//! Documents against patterns.

use std::collections::HashMap;
use std::sync::Arc;

use super::datatype::{collapsed, is_space};
use super::document::{Item, Name, Resolved, resolve};
use super::pattern::{Pattern, choice, group, interleave, optional};
use super::{Fault, Schema, explain};
use crate::xml::Element;

pub(super) fn validate(schema: &Schema, root: &Element) -> Result<(), Fault> {
    let nodes = resolve(root);
    let mut validator = Validator { schema, nodes: &nodes, tried: HashMap::new() };
    let root = nodes.len() - 1;
    validator.child(&schema.start, None, root).map(drop)
}

struct Validator<'s> {
    schema: &'s Schema,
    nodes: &'s [Resolved<'s>],
    /// Elements of the document, by number, that were tried as a definition, by number.
    tried: HashMap<(usize, usize), Result<(), Fault>>,
}

impl<'s> Validator<'s> {
    /// What is left of a pattern after a child element.
    fn child(
        &mut self,
        pattern: &Arc<Pattern>,
        parent: Option<&Resolved<'_>>,
        child: usize,
    ) -> Result<Arc<Pattern>, Fault> {
        let Some(node) = self.nodes.get(child) else {
            return Ok(pattern.clone());
        };
        let candidates = self.candidates(pattern, &node.name);
        let mut accepted = Vec::new();
        let mut fault: Option<Fault> = None;
        for candidate in candidates {
            match self.is(child, node, candidate) {
                Ok(()) => accepted.push(candidate),
                Err(new) => {
                    if fault.as_ref().is_none_or(|old| old.progress < new.progress) {
                        fault = Some(new);
                    }
                }
            }
        }
        let left = derivative(pattern, Order::Kept, &|atom| match &**atom {
            Pattern::Element(number) => satisfied(accepted.contains(number)),
            _ => None,
        });
        left.ok_or_else(|| {
            fault.unwrap_or_else(|| explain::element(self.schema, pattern, parent, node))
        })
    }

    /// The definitions that an element of that name may have next.
    fn candidates(&self, pattern: &Pattern, name: &Name<'_>) -> Vec<usize> {
        let mut candidates = Vec::new();
        pattern.each_next(&mut |atom| {
            if let Pattern::Element(number) = atom {
                let definition = self.schema.definition(*number);
                let matches = definition.is_some_and(|it| it.name.matches(name));
                if matches && !candidates.contains(number) {
                    candidates.push(*number);
                }
            }
        });
        candidates
    }

    /// Whether an element is what a definition says.
    fn is(
        &mut self,
        number: usize,
        node: &'s Resolved<'s>,
        definition: usize,
    ) -> Result<(), Fault> {
        if let Some(known) = self.tried.get(&(number, definition)) {
            return known.clone();
        }
        let outcome = match self.schema.definition(definition) {
            Some(definition) => self.check(node, &definition.content),
            None => Ok(()),
        };
        self.tried.insert((number, definition), outcome.clone());
        outcome
    }

    fn check(&mut self, node: &'s Resolved<'s>, content: &Arc<Pattern>) -> Result<(), Fault> {
        let mut left = content.clone();
        let mut progress = 0;
        for (name, value) in &node.attributes {
            let next = derivative(&left, Order::Any, &|atom| match &**atom {
                Pattern::Attribute(names, pattern) => {
                    satisfied(names.matches(name) && is_value(pattern, value))
                }
                _ => None,
            });
            let fault = || explain::attribute(&left, node, name, value).after(progress);
            left = next.ok_or_else(fault)?;
            progress += 1;
        }
        let closed = without_attributes(&left);
        if closed.is_not_allowed() {
            return Err(explain::missing_attribute(&left, node).after(progress));
        }
        self.check_content(node, closed, progress)
    }

    fn check_content(
        &mut self,
        node: &'s Resolved<'s>,
        mut left: Arc<Pattern>,
        mut progress: usize,
    ) -> Result<(), Fault> {
        match &*node.content {
            [] if is_value(&left, "") => return Ok(()),
            [Item::Text(text)] if is_value(&left, text) => return Ok(()),
            [] => return Err(explain::text(self.schema, &left, node, "").after(progress)),
            [Item::Text(text)] => {
                return Err(explain::text(self.schema, &left, node, text).after(progress));
            }
            _ => {}
        }
        for item in &node.content {
            let next = match item {
                Item::Text(text) if is_blank(text) => continue,
                Item::Text(text) => {
                    after_text(&left, text).ok_or_else(|| explain::stray_text(node, text))
                }
                Item::Element(child) => self.child(&left, Some(node), *child),
            };
            left = next.map_err(|fault| fault.after(progress))?;
            progress += 1;
        }
        if left.is_nullable() {
            return Ok(());
        }
        Err(explain::missing_element(self.schema, &left, node).after(progress))
    }
}

impl Fault {
    /// The same, found after so many other things.
    fn after(self, progress: usize) -> Self {
        Self { progress: self.progress + progress, ..self }
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(is_space)
}

/// Whether a whole value, or all the text of an element, satisfies a pattern.
fn is_value(pattern: &Arc<Pattern>, text: &str) -> bool {
    after_text(pattern, text).is_some_and(|left| left.is_nullable())
        || (is_blank(text) && pattern.is_nullable())
}

fn after_text(pattern: &Arc<Pattern>, text: &str) -> Option<Arc<Pattern>> {
    let bare = collapsed(text);
    derivative(pattern, Order::Kept, &|atom| match &**atom {
        Pattern::Text => Some(atom.clone()),
        Pattern::Value(value) => satisfied(*value == bare),
        Pattern::Data(datatype, except) => {
            satisfied(datatype.allows(text) && !except.contains(&bare))
        }
        _ => None,
    })
}

fn satisfied(is: bool) -> Option<Arc<Pattern>> {
    is.then(|| Arc::new(Pattern::Empty))
}

/// Whether what a group lists comes in that order. Attributes come in any.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Kept,
    Any,
}

/// What is left of a pattern after one thing, of which `atom` says what it leaves of a pattern that
/// is no combination. None when the thing is not allowed.
fn derivative(
    pattern: &Arc<Pattern>,
    order: Order,
    atom: &dyn Fn(&Arc<Pattern>) -> Option<Arc<Pattern>>,
) -> Option<Arc<Pattern>> {
    let of = |part: &Arc<Pattern>| derivative(part, order, atom);
    match &**pattern {
        Pattern::Choice(a, b) => either(of(a), of(b)),
        Pattern::Interleave(a, b) => {
            let first = of(a).map(|left| interleave(left, b.clone()));
            either(first, of(b).map(|left| interleave(a.clone(), left)))
        }
        Pattern::Group(a, b) => {
            let first = of(a).map(|left| group(left, b.clone()));
            match order {
                Order::Any => either(first, of(b).map(|left| group(a.clone(), left))),
                Order::Kept if a.is_nullable() => either(first, of(b)),
                Order::Kept => first,
            }
        }
        Pattern::OneOrMore(part) => of(part).map(|left| group(left, optional(pattern.clone()))),
        _ => atom(pattern),
    }
}

fn either(a: Option<Arc<Pattern>>, b: Option<Arc<Pattern>>) -> Option<Arc<Pattern>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(choice(a, b)),
        (a, b) => a.or(b),
    }
}

/// What is left when no more attributes come. A part without attributes is left as it is.
fn without_attributes(pattern: &Arc<Pattern>) -> Arc<Pattern> {
    let both = |a: &Arc<Pattern>, b: &Arc<Pattern>, combine: Combine| {
        let (new_a, new_b) = (without_attributes(a), without_attributes(b));
        match Arc::ptr_eq(a, &new_a) && Arc::ptr_eq(b, &new_b) {
            true => pattern.clone(),
            false => combine(new_a, new_b),
        }
    };
    match &**pattern {
        Pattern::Attribute(..) => Arc::new(Pattern::NotAllowed),
        Pattern::Choice(a, b) => both(a, b, choice),
        Pattern::Group(a, b) => both(a, b, group),
        Pattern::Interleave(a, b) => both(a, b, interleave),
        Pattern::OneOrMore(part) => {
            let new = without_attributes(part);
            if Arc::ptr_eq(part, &new) { pattern.clone() } else { super::pattern::one_or_more(new) }
        }
        _ => pattern.clone(),
    }
}

type Combine = fn(Arc<Pattern>, Arc<Pattern>) -> Arc<Pattern>;
