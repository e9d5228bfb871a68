//! Patterns, simplified as they are made.

use std::sync::Arc;

use super::datatype::Datatype;
use super::document::Name;

/// What may stand somewhere.
#[derive(Debug, Clone)]
pub(super) enum Pattern {
    /// Nothing satisfies it.
    NotAllowed,
    /// Nothing needs to be there.
    Empty,
    /// Any text, also between elements.
    Text,
    /// A value, compared with white space collapsed.
    Value(String),
    /// A text of a type, but for the exceptions.
    Data(Datatype, Vec<String>),
    /// One element; the number of its definition.
    Element(usize),
    /// One attribute, and what its value must be.
    Attribute(NameClass, Arc<Pattern>),
    /// Either.
    Choice(Arc<Pattern>, Arc<Pattern>),
    /// The first, then the second.
    Group(Arc<Pattern>, Arc<Pattern>),
    /// Both, mixed in any order.
    Interleave(Arc<Pattern>, Arc<Pattern>),
    /// Once or more.
    OneOrMore(Arc<Pattern>),
}

/// The definition of an element.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) name: NameClass,
    pub(super) content: Arc<Pattern>,
}

/// Which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NameClass {
    Any,
    /// A namespace, empty for none, and a local name.
    One(String, String),
}

impl NameClass {
    pub(super) fn matches(&self, name: &Name<'_>) -> bool {
        match self {
            Self::Any => true,
            Self::One(namespace, local) => name.namespace == namespace && name.local == local,
        }
    }
}

use Pattern::{Choice, Empty, Group, Interleave, NotAllowed, OneOrMore};

pub(super) fn choice(a: Arc<Pattern>, b: Arc<Pattern>) -> Arc<Pattern> {
    match (&*a, &*b) {
        (NotAllowed, _) => b,
        (_, NotAllowed) => a,
        (Empty, _) if b.is_nullable() => b,
        (_, Empty) if a.is_nullable() => a,
        _ if Arc::ptr_eq(&a, &b) => a,
        _ => Arc::new(Choice(a, b)),
    }
}

pub(super) fn group(a: Arc<Pattern>, b: Arc<Pattern>) -> Arc<Pattern> {
    match (&*a, &*b) {
        (NotAllowed, _) | (_, Empty) => a,
        (_, NotAllowed) | (Empty, _) => b,
        _ => Arc::new(Group(a, b)),
    }
}

pub(super) fn interleave(a: Arc<Pattern>, b: Arc<Pattern>) -> Arc<Pattern> {
    match (&*a, &*b) {
        (NotAllowed, _) | (_, Empty) => a,
        (_, NotAllowed) | (Empty, _) => b,
        _ => Arc::new(Interleave(a, b)),
    }
}

pub(super) fn one_or_more(p: Arc<Pattern>) -> Arc<Pattern> {
    match &*p {
        NotAllowed | Empty | OneOrMore(_) => p,
        _ => Arc::new(OneOrMore(p)),
    }
}

pub(super) fn optional(p: Arc<Pattern>) -> Arc<Pattern> {
    choice(p, Arc::new(Empty))
}

impl Pattern {
    /// Whether it is satisfied when nothing is there.
    pub(super) fn is_nullable(&self) -> bool {
        match self {
            Empty | Self::Text => true,
            Choice(a, b) => a.is_nullable() || b.is_nullable(),
            Group(a, b) | Interleave(a, b) => a.is_nullable() && b.is_nullable(),
            OneOrMore(p) => p.is_nullable(),
            NotAllowed
            | Self::Value(_)
            | Self::Data(..)
            | Self::Element(_)
            | Self::Attribute(..) => false,
        }
    }

    /// Whether nothing satisfies it.
    pub(super) fn is_not_allowed(&self) -> bool {
        matches!(self, NotAllowed)
    }

    /// Calls `visit` for each pattern that is no combination of others.
    pub(super) fn each<'p>(&'p self, visit: &mut dyn FnMut(&'p Pattern)) {
        match self {
            Choice(a, b) | Group(a, b) | Interleave(a, b) => {
                a.each(visit);
                b.each(visit);
            }
            OneOrMore(p) => p.each(visit),
            _ => visit(self),
        }
    }

    /// The same for those that may come next.
    pub(super) fn each_next<'p>(&'p self, visit: &mut dyn FnMut(&'p Pattern)) {
        match self {
            Group(a, _) if !a.is_nullable() => a.each_next(visit),
            Choice(a, b) | Group(a, b) | Interleave(a, b) => {
                a.each_next(visit);
                b.each_next(visit);
            }
            OneOrMore(p) => p.each_next(visit),
            _ => visit(self),
        }
    }
}
