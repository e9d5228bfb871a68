//! What an XPath expression finds in a document, written as libxml2 writes it.

mod filter;
mod write;

use uppsala::dom::{Document, Element, NodeId};
use uppsala::{XPathEvaluator, XPathValue};

use crate::outcome::{Outcome, fail};
use filter::Query;
use write::{Writer, is_text};

/// Steps an expression may take through the document: enough for any use of the largest one, and
/// over in seconds for one that is meant to last.
const MAX_VISITS: usize = 2_000_000;

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
    match (Query { doc: &doc, evaluator }).value(root, expression) {
        Ok(XPathValue::NodeSet(nodes)) if wrap => Ok(Writer::new(&doc).wrapped(&nodes)),
        Ok(XPathValue::NodeSet(nodes)) => Ok(Writer::new(&doc).listed(&nodes)),
        Ok(_) => Err(fail(format!("internal error: Incorrect xpath '{expression}'"))),
        Err(error) => {
            let mut failure = fail(format!("internal error: Incorrect xpath '{expression}'"));
            failure.lines.push(error.to_string());
            Err(failure)
        }
    }
}

/// A device of a domain.
pub(crate) struct Device {
    /// As libxml2 writes it, laid out as it was.
    pub(crate) text: String,
    /// Its attributes as `@name`, those of its elements as `element@name`.
    values: Vec<(String, String)>,
}

impl Device {
    /// An attribute: `@type` its own, `mac@address` that of an element in it.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }
}

/// The devices of a domain, all or those of a name.
pub(crate) fn devices(xml: &str, name: Option<&str>) -> Outcome<Vec<Device>> {
    let doc = uppsala::parse(xml).map_err(|e| fail(format!("cannot read the document: {e}")))?;
    let named = |parent, name: Option<&str>| -> Vec<NodeId> {
        let all = doc.children(parent).into_iter();
        all.filter(|node| {
            doc.element(*node).is_some_and(|it| name.is_none_or(|name| it.name.local_name == name))
        })
        .collect()
    };
    let root = doc.document_element().unwrap_or_else(|| doc.root());
    let lists = named(root, Some("devices")).into_iter();
    let device = |node: NodeId| {
        let mut values = Vec::new();
        for (prefix, node) in std::iter::once((String::new(), node)).chain(
            named(node, None)
                .into_iter()
                .filter_map(|child| Some((doc.element(child)?.name.local_name.to_string(), child))),
        ) {
            let attributes = doc.element(node).map(|it| it.attributes.iter());
            values.extend(
                attributes
                    .into_iter()
                    .flatten()
                    .map(|it| (format!("{prefix}@{}", it.name.local_name), it.value.to_string())),
            );
        }
        Device { text: Writer::new(&doc).laid_out(node), values }
    };
    Ok(lists.flat_map(|list| named(list, name)).map(device).collect())
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
        assert_eq!(
            wrapped("//*[local-name()='w' or local-name()='y']"),
            "<nodes>\n  <app:y xmlns:app=\"http://x/y\"/>\n  <w xmlns=\"urn:z\"/>\n</nodes>\n"
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
    fn filters() {
        assert_eq!(found("(//initarg)[last()]"), "<initarg>b</initarg>\n");
        assert_eq!(found("//os/*[1]"), found("(//os)[1]/*[position() = 1]"));
        assert_eq!(found("(//target | //name)[1]"), "<name>mb</name>\n");
        assert_eq!(found("(//target)/@port | name/text()"), "mb\n port=\"0\"\n");
        assert_eq!(found("((//os)[1]/initarg)[position() = last() and . = 'b']/text()"), "b\n");
        assert_eq!(found("(//memory)[.. = 7]"), "");
        assert!(select(XML, "(//os)[1] = 2", false).is_err());
        assert!(select(XML, "(1)[1]", false).is_err());
        let nested = format!("{}//os{}", "(".repeat(10_000), ")[1]".repeat(10_000));
        assert!(select(XML, &nested, false).is_err());
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
