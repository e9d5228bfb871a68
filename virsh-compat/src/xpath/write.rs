//! Nodes as libxml2 writes them.

use std::borrow::Cow;

use uppsala::dom::{Document, Element, NodeId, NodeKind};

/// A prefix and its name space.
type Declaration = (String, String);

/// Whether a node is text, however it was written.
pub(super) fn is_text(doc: &Document<'_>, node: NodeId) -> bool {
    matches!(doc.node_kind(node), Some(NodeKind::Text(_) | NodeKind::CData(_)))
}

/// Writes nodes of a document.
pub(super) struct Writer<'a, 'd> {
    doc: &'a Document<'d>,
    out: String,
}

impl<'a, 'd> Writer<'a, 'd> {
    pub(super) fn new(doc: &'a Document<'d>) -> Self {
        Self { doc, out: String::new() }
    }

    /// One node after the other.
    pub(super) fn listed(mut self, nodes: &[NodeId]) -> String {
        for node in nodes {
            self.node(*node, Some(0), &[]);
            self.out.push('\n');
        }
        self.out
    }

    /// One node with the layout it has.
    pub(super) fn laid_out(mut self, node: NodeId) -> String {
        self.node(node, None, &[]);
        self.out
    }

    /// `<nodes>` with copies of the nodes: attributes become its own, of several with one name the
    /// last stays.
    pub(super) fn wrapped(mut self, nodes: &[NodeId]) -> String {
        let mut attributes: Vec<(Cow<'_, str>, &str)> = Vec::new();
        let mut children = Vec::new();
        for node in nodes {
            match self.doc.node_kind(*node) {
                Some(NodeKind::Attribute(name, value)) => {
                    let name = name.prefixed_name();
                    attributes.retain(|(known, _)| *known != name);
                    attributes.push((name, value));
                }
                _ => children.push(*node),
            }
        }
        self.out.push_str("<nodes");
        attributes.iter().for_each(|(name, value)| self.attribute(name, value));
        self.children("nodes", &children, Some(0), inherited);
        self.out.push('\n');
        self.out
    }

    /// A node, an element with further declarations. With a depth, elements without text in them
    /// have their children on lines of their own.
    fn node(&mut self, node: NodeId, depth: Option<usize>, declarations: &[Declaration]) {
        let doc = self.doc;
        match doc.node_kind(node) {
            Some(NodeKind::Document) => {
                self.out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
                for child in doc.children(node) {
                    self.node(child, depth.map(|_| 0), &[]);
                    self.out.push('\n');
                }
            }
            Some(NodeKind::Element(element)) => self.element(node, element, depth, declarations),
            Some(NodeKind::Attribute(name, value)) => self.attribute(&name.prefixed_name(), value),
            Some(NodeKind::Text(text) | NodeKind::CData(text)) => self.escaped(text, false),
            Some(NodeKind::Comment(text)) => self.out.extend(["<!--", text, "-->"]),
            Some(NodeKind::ProcessingInstruction(_)) | None => {}
        }
    }

    fn element(
        &mut self,
        node: NodeId,
        element: &Element<'_>,
        depth: Option<usize>,
        declarations: &[Declaration],
    ) {
        let name = element.name.prefixed_name();
        self.out.extend(["<", &name]);
        for (prefix, uri) in &element.namespace_declarations {
            self.declaration(prefix, uri);
        }
        declarations.iter().for_each(|(prefix, uri)| self.declaration(prefix, uri));
        for attribute in &element.attributes {
            self.attribute(&attribute.name.prefixed_name(), &attribute.value);
        }
        let mut attributes = element.attributes.iter();
        let preserves =
            attributes.any(|it| it.name.prefixed_name() == "xml:space" && it.value == "preserve");
        let depth = depth.filter(|_| !preserves);
        self.children(&name, &self.doc.children(node), depth, |_, _| Vec::new());
    }

    /// Ends a start tag, writes what is between the tags if there is anything, and the end tag.
    fn children(
        &mut self,
        name: &str,
        children: &[NodeId],
        depth: Option<usize>,
        declarations: impl Fn(&Document<'_>, NodeId) -> Vec<Declaration>,
    ) {
        if children.is_empty() {
            return self.out.push_str("/>");
        }
        self.out.push('>');
        let depth = depth.filter(|_| !children.iter().any(|child| is_text(self.doc, *child)));
        for child in children {
            // A whole document is not indented.
            let whole = matches!(self.doc.node_kind(*child), Some(NodeKind::Document));
            let inner = depth.map(|depth| depth + 1);
            self.line(if whole { depth.map(|_| 0) } else { inner });
            self.node(*child, inner, &declarations(self.doc, *child));
        }
        self.line(depth);
        self.out.extend(["</", name, ">"]);
    }

    fn line(&mut self, depth: Option<usize>) {
        if let Some(depth) = depth {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn declaration(&mut self, prefix: &str, uri: &str) {
        let colon = if prefix.is_empty() { "" } else { ":" };
        self.attribute(&format!("xmlns{colon}{prefix}"), uri);
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.extend([" ", name, "=\""]);
        self.escaped(value, true);
        self.out.push('"');
    }

    fn escaped(&mut self, text: &str, in_attribute: bool) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '\r' => self.out.push_str("&#13;"),
                '"' if in_attribute => self.out.push_str("&quot;"),
                '\n' if in_attribute => self.out.push_str("&#10;"),
                '\t' if in_attribute => self.out.push_str("&#9;"),
                _ => self.out.push(c),
            }
        }
    }
}

/// The declarations that an element and those below it need from above.
fn inherited(doc: &Document<'_>, top: NodeId) -> Vec<Declaration> {
    let mut needed: Vec<Declaration> = Vec::new();
    let above = doc.parent(top);
    for node in std::iter::once(top).chain(doc.descendants(top)) {
        let Some(element) = doc.element(node) else { continue };
        let attributes = element.attributes.iter().map(|it| &it.name);
        for name in std::iter::once(&element.name).chain(attributes) {
            let Some(uri) = &name.namespace_uri else { continue };
            let prefix = name.prefix.as_deref().unwrap_or_default();
            let scopes = std::iter::once(node).chain(doc.ancestors(node));
            let mut scopes = scopes.take_while(|it| Some(*it) != above);
            let declared = scopes.any(|it| declares(doc, it, prefix));
            if !declared && prefix != "xml" && !needed.iter().any(|(known, _)| known == prefix) {
                needed.push((prefix.to_owned(), uri.to_string()));
            }
        }
    }
    needed
}

fn declares(doc: &Document<'_>, node: NodeId, prefix: &str) -> bool {
    let declarations = doc.element(node).map(|it| it.namespace_declarations.iter());
    declarations.is_some_and(|mut all| all.any(|(known, _)| known == prefix))
}
