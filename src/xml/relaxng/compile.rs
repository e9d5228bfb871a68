//! From the text of a grammar to patterns.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Schema;
use super::datatype::{Datatype, collapsed, not_understood};
use super::pattern::{
    Definition, NameClass, Pattern, choice, group, interleave, one_or_more, optional,
};
use crate::error::{Error, ErrorCode, Result};
use crate::xml::{self, Element};

pub(super) fn compile<'a>(name: &str, read: &dyn Fn(&str) -> Option<&'a str>) -> Result<Schema> {
    let mut grammars = Vec::new();
    load(name, read, &mut grammars)?;
    let mut compiler = Compiler::default();
    for grammar in &grammars {
        compiler.collect(grammar)?;
    }
    let start = compiler.defined(START)?;
    while let Some((element, scope)) = compiler.elements.get(compiler.definitions.len()).cloned() {
        let definition = compiler.definition(element, &scope)?;
        compiler.definitions.push(definition);
    }
    Ok(Schema { start, definitions: compiler.definitions })
}

/// `<start>` is a definition with a name that no other can have.
const START: &str = "";

/// Reads a file and those it includes.
fn load<'a>(
    name: &str,
    read: &dyn Fn(&str) -> Option<&'a str>,
    grammars: &mut Vec<Element>,
) -> Result<()> {
    let missing = || Error::new(ErrorCode::InternalError, format!("there is no grammar {name}"));
    let grammar = xml::parse(read(name).ok_or_else(missing)?)?;
    for include in grammar.children_named("include") {
        load(include.required_attr("href")?, read, grammars)?;
    }
    grammars.push(grammar);
    Ok(())
}

/// What an element of a grammar has from those around it.
#[derive(Clone, Default)]
struct Scope<'g> {
    prefixes: BTreeMap<&'g str, &'g str>,
    namespace: &'g str,
}

impl<'g> Scope<'g> {
    fn enter(&self, element: &'g Element) -> Self {
        let mut scope = self.clone();
        for (name, value) in &element.attributes {
            match name.strip_prefix("xmlns:") {
                Some(prefix) => drop(scope.prefixes.insert(prefix, value)),
                None if name == "ns" => scope.namespace = value,
                None => {}
            }
        }
        scope
    }
}

#[derive(Default)]
struct Compiler<'g> {
    /// What `<define>`s say, by name.
    defines: HashMap<&'g str, Vec<(&'g Element, Scope<'g>)>>,
    patterns: HashMap<&'g str, Arc<Pattern>>,
    /// The `<element>`s seen. Their definitions are made later, one by one: they may contain
    /// themselves.
    elements: Vec<(&'g Element, Scope<'g>)>,
    numbers: HashMap<*const Element, usize>,
    definitions: Vec<Definition>,
}

impl<'g> Compiler<'g> {
    fn collect(&mut self, grammar: &'g Element) -> Result<()> {
        let scope = Scope::default().enter(grammar);
        for part in grammar.elements() {
            let name = match part.name.as_str() {
                "include" => continue,
                "start" => START,
                "define" => part.required_attr("name")?,
                _ => return Err(not_understood(part)),
            };
            self.defines.entry(name).or_default().push((part, scope.clone()));
        }
        Ok(())
    }

    /// The pattern that a name stands for.
    fn defined(&mut self, name: &'g str) -> Result<Arc<Pattern>> {
        if let Some(pattern) = self.patterns.get(name) {
            return Ok(pattern.clone());
        }
        // Taken out, so a definition that needs itself outside of an element has none.
        let Some(parts) = self.defines.remove(name) else {
            let detail = format!("the grammar does not define '{name}', or by itself");
            return Err(Error::new(ErrorCode::InternalError, detail));
        };
        let combine = parts.iter().find_map(|(part, _)| part.attr("combine"));
        let mut whole = None;
        for (part, scope) in &parts {
            let pattern = self.all(part, scope)?;
            whole = Some(match whole {
                None => pattern,
                Some(before) if combine == Some("choice") => choice(before, pattern),
                Some(before) => interleave(before, pattern),
            });
        }
        let pattern = whole.unwrap_or_else(|| Arc::new(Pattern::NotAllowed));
        self.patterns.insert(name, pattern.clone());
        Ok(pattern)
    }

    fn definition(&mut self, element: &'g Element, scope: &Scope<'g>) -> Result<Definition> {
        Ok(Definition { name: name_class(element, scope)?, content: self.all(element, scope)? })
    }

    /// What is in an element of the grammar, one after the other.
    fn all(&mut self, parent: &'g Element, scope: &Scope<'g>) -> Result<Arc<Pattern>> {
        self.combined(parent, scope, group).map(|it| it.unwrap_or_else(|| Arc::new(Pattern::Empty)))
    }

    /// What is in an element of the grammar, combined; None when nothing is.
    fn combined(
        &mut self,
        parent: &'g Element,
        scope: &Scope<'g>,
        combine: fn(Arc<Pattern>, Arc<Pattern>) -> Arc<Pattern>,
    ) -> Result<Option<Arc<Pattern>>> {
        let mut whole = None;
        for child in parent.elements().filter(|child| child.name != "anyName") {
            let pattern = self.pattern(child, &scope.enter(child))?;
            whole = Some(match whole {
                None => pattern,
                Some(before) => combine(before, pattern),
            });
        }
        Ok(whole)
    }

    fn pattern(&mut self, element: &'g Element, scope: &Scope<'g>) -> Result<Arc<Pattern>> {
        let none = || element.error(format_args!("<{}> is empty", element.name));
        Ok(match element.name.as_str() {
            "ref" => self.defined(element.required_attr("name")?)?,
            "group" => self.all(element, scope)?,
            "choice" => self.combined(element, scope, choice)?.ok_or_else(none)?,
            "interleave" => self.combined(element, scope, interleave)?.ok_or_else(none)?,
            "optional" => optional(self.all(element, scope)?),
            "oneOrMore" => one_or_more(self.all(element, scope)?),
            "zeroOrMore" => optional(one_or_more(self.all(element, scope)?)),
            "element" => Arc::new(Pattern::Element(self.number(element, scope))),
            "attribute" => {
                let value = self.combined(element, scope, group)?;
                let value = value.unwrap_or_else(|| Arc::new(Pattern::Text));
                Arc::new(Pattern::Attribute(name_class(element, scope)?, value))
            }
            "text" => Arc::new(Pattern::Text),
            "empty" => Arc::new(Pattern::Empty),
            "notAllowed" => Arc::new(Pattern::NotAllowed),
            "value" => Arc::new(Pattern::Value(collapsed(&element.text()))),
            "data" => Arc::new(Pattern::Data(Datatype::read(element)?, exceptions(element))),
            _ => return Err(not_understood(element)),
        })
    }

    /// The number of an `<element>`'s definition.
    fn number(&mut self, element: &'g Element, scope: &Scope<'g>) -> usize {
        *self.numbers.entry(std::ptr::from_ref(element)).or_insert_with(|| {
            self.elements.push((element, scope.clone()));
            self.elements.len() - 1
        })
    }
}

/// The values that `<except>` takes out of a type.
fn exceptions(data: &Element) -> Vec<String> {
    let mut values = Vec::new();
    for except in data.children_named("except") {
        let choices = except.children_named("choice").flat_map(|it| it.children_named("value"));
        values
            .extend(except.children_named("value").chain(choices).map(|it| collapsed(&it.text())));
    }
    values
}

/// The names an `<element>` or `<attribute>` is about. An attribute without a prefix has no
/// namespace, whatever is around it.
fn name_class(element: &Element, scope: &Scope<'_>) -> Result<NameClass> {
    let Some(name) = element.attr("name") else {
        return match element.child("anyName") {
            Some(any) if any.children.is_empty() => Ok(NameClass::Any),
            _ => Err(not_understood(element)),
        };
    };
    let (namespace, local) = match name.split_once(':') {
        Some((prefix, local)) => {
            let unknown = || element.error(format_args!("prefix '{prefix}' is not declared"));
            (*scope.prefixes.get(prefix).ok_or_else(unknown)?, local)
        }
        None if element.name == "attribute" => (element.attr("ns").unwrap_or_default(), name),
        None => (scope.namespace, name),
    };
    Ok(NameClass::One(namespace.to_owned(), local.to_owned()))
}
