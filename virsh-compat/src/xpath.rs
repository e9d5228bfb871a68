//! What an XPath expression finds in a document, written as libxml2 writes it.

use std::borrow::Cow;

use uppsala::dom::{Document, Element, NodeId, NodeKind};
use uppsala::{XPathEvaluator, XPathValue};

use crate::outcome::{Outcome, fail};

/// Steps an expression may take through the document: enough for any use of the largest one, and
/// over in seconds for one that is meant to last.
const MAX_VISITS: usize = 10_000_000;

/// The nodes that `expression` finds in `xml`, one after the other; with `wrap` all in one
/// element `<nodes>`. Names in the expression may have the prefixes of the document.
pub(crate) fn select(xml: &str, expression: &str, wrap: bool) -> Outcome<String> {
    let mut doc =
        uppsala::parse(xml).map_err(|e| fail(format!("cannot read the document: {e}")))?;
    drop_layout(&mut doc);
    doc.prepare_xpath();
    let mut evaluator = XPathEvaluator::new().with_max_node_visits(MAX_VISITS);
    for node in doc.descendants(doc.root()).into_iter().rev() {
        let declarations = doc.element(node).map(|it| it.namespace_declarations.iter());
        for (prefix, uri) in declarations.into_iter().flatten() {
            evaluator.add_namespace(prefix.clone(), uri.clone());
        }
    }
    let root = doc.document_element().unwrap_or_else(|| doc.root());
    match evaluator.evaluate(&doc, root, expression) {
        Ok(XPathValue::NodeSet(nodes)) if wrap => Ok(wrapped(&doc, &nodes)),
        Ok(XPathValue::NodeSet(nodes)) => {
            let mut out = String::new();
            for node in nodes {
                write(&mut out, &doc, node, Some(0));
                out.push('\n');
            }
            Ok(out)
        }
        Ok(_) => Err(fail(format!("internal error: Incorrect xpath '{expression}'"))),
        Err(error) => {
            let mut failure = fail(format!("internal error: Incorrect xpath '{expression}'"));
            failure.lines.push(error.to_string());
            Err(failure)
        }
    }
}

/// Takes out blank text that only lays elements out: it is neither all there is in an element nor
/// does it follow other text.
fn drop_layout(doc: &mut Document<'_>) {
    for parent in doc.descendants(doc.root()) {
        let children = doc.children(parent);
        let mut keep = children.len() == 1 || preserves(doc, parent);
        for child in children {
            if let Some(text) = doc.text_content(child).filter(|_| is_text(doc, child)) {
                keep |= !text.chars().all(|c| c.is_ascii_whitespace());
                if !keep {
                    doc.remove_child(parent, child);
                }
            }
        }
    }
}

fn preserves(doc: &Document<'_>, node: NodeId) -> bool {
    let of = |node| doc.element(node).and_then(|it| attribute(it, "xml:space"));
    let scopes = std::iter::once(node).chain(doc.ancestors(node));
    scopes.filter_map(of).next().is_some_and(|value| value == "preserve")
}

fn attribute<'d>(element: &'d Element<'_>, name: &str) -> Option<&'d str> {
    let found = element.attributes.iter().find(|it| it.name.prefixed_name() == name);
    found.map(|it| &*it.value)
}

fn is_text(doc: &Document<'_>, node: NodeId) -> bool {
    matches!(doc.node_kind(node), Some(NodeKind::Text(_) | NodeKind::CData(_)))
}

/// `<nodes>` with copies of the nodes: attributes become its own, of several with one name the
/// last stays.
fn wrapped(doc: &Document<'_>, nodes: &[NodeId]) -> String {
    let mut attributes: Vec<(Cow<'_, str>, &str)> = Vec::new();
    let mut children = Vec::new();
    for node in nodes {
        match doc.node_kind(*node) {
            Some(NodeKind::Attribute(name, value)) => {
                let name = name.prefixed_name();
                attributes.retain(|(known, _)| *known != name);
                attributes.push((name, value));
            }
            _ => children.push(*node),
        }
    }
    let mut out = String::from("<nodes");
    for (name, value) in attributes {
        push_attribute(&mut out, &name, value);
    }
    push_children(&mut out, doc, &children, Some(0));
    out.push_str(if children.is_empty() { "/>\n" } else { "</nodes>\n" });
    out
}

/// Writes a node. With a depth, elements without text in them have their children on lines of
/// their own.
fn write(out: &mut String, doc: &Document<'_>, node: NodeId, depth: Option<usize>) {
    match doc.node_kind(node) {
        Some(NodeKind::Document) => {
            out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
            for child in doc.children(node) {
                write(out, doc, child, depth.map(|_| 0));
                out.push('\n');
            }
        }
        Some(NodeKind::Element(element)) => {
            let name = element.name.prefixed_name();
            out.extend(["<", &name]);
            for (prefix, uri) in &element.namespace_declarations {
                let colon = if prefix.is_empty() { "" } else { ":" };
                push_attribute(out, &format!("xmlns{colon}{prefix}"), uri);
            }
            for attribute in &element.attributes {
                push_attribute(out, &attribute.name.prefixed_name(), &attribute.value);
            }
            let children = doc.children(node);
            let depth = depth.filter(|_| attribute(element, "xml:space") != Some("preserve"));
            push_children(out, doc, &children, depth);
            match children.is_empty() {
                true => out.push_str("/>"),
                false => out.extend(["</", &name, ">"]),
            }
        }
        Some(NodeKind::Attribute(name, value)) => push_attribute(out, &name.prefixed_name(), value),
        Some(NodeKind::Text(text) | NodeKind::CData(text)) => push_escaped(out, text, false),
        Some(NodeKind::Comment(text)) => out.extend(["<!--", text, "-->"]),
        Some(NodeKind::ProcessingInstruction(_)) | None => {}
    }
}

/// Ends a start tag and writes what is between the tags, if there is anything.
fn push_children(out: &mut String, doc: &Document<'_>, children: &[NodeId], depth: Option<usize>) {
    if children.is_empty() {
        return;
    }
    out.push('>');
    let depth = depth.filter(|_| !children.iter().any(|child| is_text(doc, *child)));
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    for child in children {
        // A whole document is not indented.
        let is_document = matches!(doc.node_kind(*child), Some(NodeKind::Document));
        depth.inspect(|depth| line(out, if is_document { 0 } else { depth + 1 }));
        write(out, doc, *child, depth.map(|depth| depth + 1));
    }
    depth.inspect(|depth| line(out, *depth));
}

fn push_attribute(out: &mut String, name: &str, value: &str) {
    out.extend([" ", name, "=\""]);
    push_escaped(out, value, true);
    out.push('"');
}

fn push_escaped(out: &mut String, text: &str, in_attribute: bool) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#13;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<domain type='lxc'>\n  <name>mb</name>\n  \
        <title>t &lt; &quot;q&quot; &apos;a&apos; é</title>\n  <metadata>\n    \
        <app:x xmlns:app=\"http://x/y\" k=\"1\"><app:y/>text</app:x>\n    \
        <z xmlns=\"urn:z\">\n      <w/>\n    </z>\n  </metadata>\n  \
        <memory unit='KiB'>65536</memory>\n  <os>\n    <initarg>a</initarg>\n    \
        <initarg>b</initarg>\n  </os>\n  <devices>\n    <console type='pty'>\n      \
        <target type='lxc' port='0'/>\n    </console>\n  </devices>\n</domain>\n";

    fn found(expression: &str) -> String {
        select(XML, expression, false).unwrap()
    }

    fn wrapped(expression: &str) -> String {
        select(XML, expression, true).unwrap()
    }

    #[test]
    fn nodes_are_written_as_libxml2_does() {
        assert_eq!(found("//memory"), "<memory unit=\"KiB\">65536</memory>\n");
        assert_eq!(found("//initarg"), "<initarg>a</initarg>\n<initarg>b</initarg>\n");
        assert_eq!(found("//initarg/text()"), "a\nb\n");
        assert_eq!(found("//title"), "<title>t &lt; \"q\" 'a' é</title>\n");
        assert_eq!(found("//title/text()"), "t &lt; \"q\" 'a' é\n");
        assert_eq!(found("//@type"), " type=\"lxc\"\n type=\"pty\"\n type=\"lxc\"\n");
        assert_eq!(found("name"), "<name>mb</name>\n");
        assert_eq!(found("//nope"), "");
        assert_eq!(
            found("//console"),
            "<console type=\"pty\">\n  <target type=\"lxc\" port=\"0\"/>\n</console>\n"
        );
        assert_eq!(
            found("//app:x"),
            "<app:x xmlns:app=\"http://x/y\" k=\"1\"><app:y/>text</app:x>\n"
        );
        assert_eq!(found("//*[local-name()='w']"), "<w/>\n");
        assert_eq!(found("//os//text()"), "a\nb\n");
        let whole = found("..");
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<domain type=\"lxc\">\n  <name>";
        assert!(whole.starts_with(start) && whole.ends_with("</domain>\n\n"), "{whole}");
        assert_eq!(found("/"), whole);
    }

    #[test]
    fn a_common_root_for_all() {
        assert_eq!(wrapped("//nope"), "<nodes/>\n");
        assert_eq!(
            wrapped("//initarg"),
            "<nodes>\n  <initarg>a</initarg>\n  <initarg>b</initarg>\n</nodes>\n"
        );
        assert_eq!(wrapped("//initarg/text()"), "<nodes>ab</nodes>\n");
        assert_eq!(wrapped("//@type | //@unit"), "<nodes unit=\"KiB\" type=\"lxc\"/>\n");
        assert_eq!(
            wrapped("//@unit | //initarg | //name/text()"),
            "<nodes unit=\"KiB\">mb<initarg>a</initarg><initarg>b</initarg></nodes>\n"
        );
        let whole = wrapped("/");
        assert!(whole.starts_with("<nodes>\n<?xml version=\"1.0\" "), "{whole}");
        assert!(whole.ends_with("\n</domain>\n\n</nodes>\n"), "{whole}");
    }

    #[test]
    fn what_finds_no_nodes_is_an_error() {
        for expression in ["count(//initarg)", "string(//name)", "true()", "//[", "$x", "foo()"] {
            let failure = select(XML, expression, false).unwrap_err();
            let expected = format!("internal error: Incorrect xpath '{expression}'");
            assert_eq!(failure.lines[0], expected);
        }
    }

    #[test]
    fn expressions_have_their_limits() {
        let nested = format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000));
        assert!(select(XML, &nested, false).is_err());
        let many = format!("<a>{}</a>", "<b/>".repeat(9000));
        assert!(select(&many, "//*[count(//*[count(//*) > 1]) > 1]", false).is_err());
        assert_eq!(select(&many, "//b[last()]", false).unwrap(), "<b/>\n");
    }
}
