//! One piece of what people and programs keep with a domain: read, replace, take away.

use std::collections::HashMap;

use super::{declarations_first, namespace, shallow, used_prefixes};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Domain, View};
use crate::xml::{self, Element, Node, Writer};

/// Which piece (`virDomainMetadataType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// `<description>`.
    Description,
    /// `<title>`.
    Title,
    /// The element of `<metadata>` in this name space.
    Element(&'a str),
}

/// What a piece is to be; None takes it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewPiece<'a> {
    /// `<description>`.
    Description(Option<&'a str>),
    /// `<title>`.
    Title(Option<&'a str>),
    /// The element of `<metadata>` in the name space `uri`.
    Element {
        /// The name space.
        uri: &'a str,
        /// The element, with its name space declared.
        element: Option<Element>,
    },
}

impl<'a> NewPiece<'a> {
    /// A title, which is one line.
    pub fn title(text: Option<&'a str>) -> Result<Self> {
        if text.is_some_and(|text| text.contains('\n')) {
            let message = "metadata title can't contain newlines";
            return Err(Error::bare(ErrorCode::InvalidArg, message).in_domain(ErrorDomain::Domain));
        }
        Ok(Self::Title(text))
    }

    /// An element as its program writes it: what has no name space in `text` gets `uri`, by the
    /// prefix `key`.
    pub fn element(text: &str, key: &str, uri: &'a str) -> Result<Self> {
        if !is_prefix(key) {
            return Err(fault("failed to validate prefix for a new XML namespace"));
        }
        let root = xml::parse(text).map_err(in_text)?;
        let element = Adoption { key, uri }.adopt(&root)?;
        Ok(Self::Element { uri, element: Some(element) })
    }
}

impl Domain {
    /// What a piece is now.
    pub fn piece(&self, piece: Piece<'_>) -> Result<String> {
        let found = match piece {
            Piece::Description => self.description.clone(),
            Piece::Title => self.title.clone(),
            Piece::Element(uri) => self.metadata.as_ref().and_then(|all| own_text(all, uri)),
        };
        found.ok_or_else(|| {
            let detail = "Requested metadata element is not present";
            Error::new(ErrorCode::NoDomainMetadata, detail).in_domain(ErrorDomain::Domain)
        })
    }

    /// The domain with a piece replaced. What is kept is what a reader of the new document finds,
    /// so it is an error when that could not be read.
    pub fn with_piece(&self, new: &NewPiece<'_>) -> Result<Self> {
        let mut changed = self.clone();
        let some = |text: &Option<&str>| text.filter(|it| !it.is_empty()).map(str::to_owned);
        match new {
            NewPiece::Description(text) => changed.description = some(text),
            NewPiece::Title(text) => changed.title = some(text),
            NewPiece::Element { uri, element } => {
                replace(&mut changed.metadata, uri, element.clone());
            }
        }
        let Self { title, description, metadata, .. } =
            Self::parse(&changed.format(View::Inactive))?;
        Ok(Self { title, description, metadata, ..changed })
    }
}

fn fault(detail: &str) -> Error {
    Error::new(ErrorCode::InternalError, detail).in_domain(ErrorDomain::Xml)
}

/// An error in the text of an element, with libvirt's name for that text.
fn in_text(error: Error) -> Error {
    let detail = error.message.strip_prefix("XML error: line ").unwrap_or(&error.message);
    Error::new(ErrorCode::XmlDetail, format!("(metadata_xml):{detail}"))
        .in_domain(ErrorDomain::Domain)
}

/// `xml` and `xmlns` have their meaning already.
fn is_prefix(key: &str) -> bool {
    xml::is_name(key) && !key.contains(':') && key != "xml" && key != "xmlns"
}

/// The new element stands behind the others, as in libvirt.
fn replace(metadata: &mut Option<Element>, uri: &str, new: Option<Element>) {
    if let Some(all) = metadata {
        let mut children = std::mem::take(&mut all.children);
        children.retain(|node| !is_of(all, node, uri));
        all.children = children;
    }
    if let Some(element) = new {
        let empty = || Element { name: "metadata".to_owned(), ..Element::default() };
        metadata.get_or_insert_with(empty).children.push(Node::Element(element));
    }
}

fn is_of(metadata: &Element, node: &Node, uri: &str) -> bool {
    matches!(node, Node::Element(it) if namespace(&it.name, &[it, metadata]) == Some(uri))
}

/// The element of a name space as its program wrote it: without that name space.
fn own_text(metadata: &Element, uri: &str) -> Option<String> {
    let found = metadata.children.iter().find(|node| is_of(metadata, node, uri))?;
    let Node::Element(found) = found else { return None };
    let mut prefixes = Vec::new();
    used_prefixes(found, &mut prefixes, &mut Default::default());
    let inherited: Vec<_> = std::iter::once("xmlns".to_owned())
        .chain(prefixes.iter().map(|prefix| format!("xmlns:{prefix}")))
        .filter(|name| found.attr(name).is_none())
        .filter_map(|name| metadata.attr(&name).map(|uri| (name.clone(), uri.to_owned())))
        .collect();
    let mut whole = found.clone();
    whole.attributes.extend(inherited);
    declarations_first(&mut whole);
    let mut own = Scope::default().without(uri, &whole);
    let declaration = own.attributes.iter().position(|it| is_declaration(&it.0) && it.1 == uri);
    declaration.map(|at| own.attributes.remove(at));
    let mut w = Writer::new();
    w.element(&own);
    Some(w.finish().trim_end_matches('\n').to_owned())
}

fn is_declaration(attribute: &str) -> bool {
    attribute == "xmlns" || attribute.starts_with("xmlns:")
}

fn declarations(element: &Element) -> impl Iterator<Item = (&str, &str)> {
    element.attributes.iter().filter_map(|(name, uri)| match name.strip_prefix("xmlns") {
        Some("") => Some(("", uri.as_str())),
        Some(prefix) => Some((prefix.strip_prefix(':')?, uri.as_str())),
        None => None,
    })
}

/// The name spaces that prefixes stand for at some place; the empty prefix is the default.
#[derive(Debug, Default)]
struct Scope<'a> {
    /// The innermost last.
    declared: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Scope<'a> {
    fn enter(&mut self, element: &'a Element) {
        for (prefix, uri) in declarations(element) {
            self.declared.entry(prefix).or_default().push(uri);
        }
    }

    fn leave(&mut self, element: &'a Element) {
        for (prefix, _) in declarations(element) {
            self.declared.get_mut(prefix).and_then(Vec::pop);
        }
    }

    fn uri(&self, prefix: &str) -> Option<&'a str> {
        self.declared.get(prefix)?.last().copied().filter(|uri| !uri.is_empty())
    }

    /// A name without its prefix if that stands for `uri`.
    fn stripped(&self, name: &str, uri: &str) -> String {
        match name.split_once(':') {
            Some((prefix, local)) if self.uri(prefix) == Some(uri) => local.to_owned(),
            _ => name.to_owned(),
        }
    }

    /// A copy in which no name is in `uri` by a prefix.
    fn without(&mut self, uri: &str, element: &'a Element) -> Element {
        self.enter(element);
        let attributes = element.attributes.iter();
        let copy = Element {
            name: self.stripped(&element.name, uri),
            attributes: attributes.map(|(k, v)| (self.stripped(k, uri), v.clone())).collect(),
            children: Vec::with_capacity(element.children.len()),
            line: element.line,
        };
        let children = element.children.iter().map(|node| match node {
            Node::Element(child) => Node::Element(self.without(uri, child)),
            other => other.clone(),
        });
        let children = children.collect();
        self.leave(element);
        Element { children, ..copy }
    }
}

/// Takes an element into a name space by a prefix.
struct Adoption<'a> {
    key: &'a str,
    uri: &'a str,
}

impl Adoption<'_> {
    fn adopt(&self, root: &Element) -> Result<Element> {
        let mut adopted = self.prefixed(&mut Scope::default(), root)?;
        let declaration = format!("xmlns:{}", self.key);
        if adopted.attr(&declaration).is_none() {
            adopted.attributes.push((declaration, self.uri.to_owned()));
            declarations_first(&mut adopted);
        }
        match namespace(&adopted.name, &[&adopted]) {
            Some(uri) if uri == self.uri => Ok(adopted),
            other => Err(in_text(root.error(format_args!(
                "<{}> is in the name space {}: it could not be found again by {}",
                root.name,
                other.unwrap_or_default(),
                self.uri
            )))),
        }
    }

    fn prefixed<'e>(&self, scope: &mut Scope<'e>, element: &'e Element) -> Result<Element> {
        let taken = |(prefix, uri)| prefix == self.key && uri != self.uri;
        if declarations(element).any(taken) {
            return Err(fault("failed to create a new XML namespace"));
        }
        scope.enter(element);
        let names = std::iter::once(&element.name).chain(element.attributes.iter().map(|it| &it.0));
        for name in names {
            self.check_prefix(scope, element, name)?;
        }
        let mut copy = shallow(element);
        if !element.name.contains(':') && scope.uri("").is_none() {
            copy.name = format!("{}:{}", self.key, element.name);
        }
        for node in &element.children {
            copy.children.push(match node {
                Node::Element(child) => Node::Element(self.prefixed(scope, child)?),
                other => other.clone(),
            });
        }
        scope.leave(element);
        Ok(copy)
    }

    fn check_prefix(&self, scope: &Scope<'_>, element: &Element, name: &str) -> Result<()> {
        match name.split_once(':') {
            Some((prefix, _))
                if !["xml", "xmlns", self.key].contains(&prefix) && scope.uri(prefix).is_none() =>
            {
                let detail = format_args!("no name space is declared for the prefix of {name}");
                Err(in_text(element.error(detail)))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{document, parse};
    use super::*;

    fn own(metadata: &str, uri: &str) -> String {
        parse(&format!("<metadata>{metadata}</metadata>")).piece(Piece::Element(uri)).unwrap()
    }

    fn kept(domain: &Domain) -> String {
        let mut w = Writer::new();
        domain.metadata.iter().for_each(|it| w.element(it));
        w.finish()
    }

    fn set(domain: &Domain, text: &str, key: &str, uri: &str) -> Result<Domain> {
        domain.with_piece(&NewPiece::element(text, key, uri)?)
    }

    #[test]
    fn an_element_comes_back_as_it_was_set() {
        for (text, stored) in [
            ("<e n=\"0\"><f/>x</e>", "<k:e xmlns:k=\"u\" n=\"0\"><k:f/>x</k:e>"),
            (
                "<e xmlns:q=\"q\" a=\"1\" q:b=\"2\"><q:f/><g xmlns=\"g\"><h/></g></e>",
                "<k:e xmlns:q=\"q\" xmlns:k=\"u\" a=\"1\" q:b=\"2\">\n    <q:f/>\n    \
                 <g xmlns=\"g\">\n      <h/>\n    </g>\n  </k:e>",
            ),
            ("<e><f xmlns=\"\"/></e>", "<k:e xmlns:k=\"u\">\n    <k:f xmlns=\"\"/>\n  </k:e>"),
        ] {
            let domain = set(&parse(""), text, "k", "u").unwrap();
            assert_eq!(kept(&domain), format!("<metadata>\n  {stored}\n</metadata>\n"));
            let again = domain.piece(Piece::Element("u")).unwrap();
            assert_eq!(again.replace('\n', "").replace("  ", ""), text);
            assert_eq!(set(&parse(""), &again, "k", "u").unwrap().metadata, domain.metadata);
        }
    }

    #[test]
    fn the_name_space_is_taken_off() {
        let text = "<a:x xmlns:a='u' a:q='1' xmlns:o='o'><o:y o:z='2'/><a:w/></a:x>";
        let expected = "<x xmlns:o=\"o\" q=\"1\">\n  <o:y o:z=\"2\"/>\n  <w/>\n</x>";
        assert_eq!(own(text, "u"), expected);
        let text = document("<metadata><a:x a:q='1'><o:y o:z='2'/><a:w/></a:x></metadata>")
            .replacen("'lxc'", "'lxc' xmlns:a='u' xmlns:o='o'", 1);
        assert_eq!(Domain::parse(&text).unwrap().piece(Piece::Element("u")).unwrap(), expected);
        assert_eq!(own("<x xmlns='u'><y/></x>", "u"), "<x>\n  <y/>\n</x>");
        assert_eq!(
            own("<e xmlns='u' xmlns:k='u'><g/></e>", "u"),
            "<e xmlns:k=\"u\">\n  <g/>\n</e>"
        );
    }

    #[test]
    fn the_new_element_is_the_last_and_the_only_one() {
        let mut domain = parse("");
        for (text, key) in [("<a/>", "a"), ("<b/>", "b"), ("<a2/>", "a")] {
            domain = set(&domain, text, key, &format!("urn:{key}")).unwrap();
        }
        assert_eq!(
            kept(&domain),
            "<metadata>\n  <b:b xmlns:b=\"urn:b\"/>\n  <a:a2 xmlns:a=\"urn:a\"/>\n</metadata>\n"
        );
        for uri in ["urn:a", "urn:b", "urn:c"] {
            domain = domain.with_piece(&NewPiece::Element { uri, element: None }).unwrap();
        }
        assert_eq!(kept(&domain), "<metadata/>\n");
        let error = domain.piece(Piece::Element("urn:a")).unwrap_err();
        let expected = "metadata not found: Requested metadata element is not present";
        assert_eq!((error.code as i32, error.message.as_str()), (80, expected));
    }

    #[test]
    fn titles_and_descriptions() {
        let domain = parse("<title>t</title>");
        assert_eq!(domain.piece(Piece::Title).unwrap(), "t");
        let new = NewPiece::Description(Some("a\n<b>\u{1}"));
        let domain = domain.with_piece(&new).unwrap();
        assert_eq!(domain.piece(Piece::Description).unwrap(), "a\n<b>");
        let domain = domain.with_piece(&NewPiece::title(Some("")).unwrap()).unwrap();
        assert_eq!(domain.title, None);
        let error = NewPiece::title(Some("a\nb")).unwrap_err();
        assert_eq!(error.message, "metadata title can't contain newlines");
    }

    #[test]
    fn faults() {
        let internal = "internal error: failed to validate prefix for a new XML namespace";
        let taken = "internal error: failed to create a new XML namespace";
        for (text, key, message) in [
            ("<e/>", "", internal),
            ("<e/>", "a b", internal),
            ("<e/>", "a:b", internal),
            ("<e/>", "xml", internal),
            ("<e/>", "xmlns", internal),
            ("<e xmlns:k='v'/>", "k", taken),
            ("<e><f xmlns:k='v'/></e>", "k", taken),
            ("<e", "k", "(metadata_xml):1: "),
            ("<e/><f/>", "k", "(metadata_xml):1: "),
            ("hello", "k", "(metadata_xml):1: "),
            ("<e>\n<a:x/></e>", "k", "(metadata_xml):2: no name space is declared for the prefix"),
            ("<e xmlns='v'/>", "k", "(metadata_xml):1: <e> is in the name space v: "),
        ] {
            let error = NewPiece::element(text, key, "u").unwrap_err();
            assert!(error.message.starts_with(message), "{text} {key}: {error}");
        }
    }

    #[test]
    fn what_could_not_be_read_again_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(63), "</a>".repeat(63));
        assert!(set(&parse(""), &deep, "k", "u").unwrap_err().message.contains("limit of 64"));
        let mut domain = parse("");
        let many = format!("<a>{}</a>", "<b/>".repeat(5000));
        domain = set(&domain, &many, "k", "u").unwrap();
        assert!(set(&domain, &many, "k", "v").is_err());
    }
}
