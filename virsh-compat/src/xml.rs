//! Single facts out of domain XML.
//!
//! The document comes from the service and is well-formed; what cannot be read is treated as
//! absent, as these facts are only shown or used as a fallback.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// A console of a domain.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Console {
    /// Its alias, such as `console0`; only a running domain has it.
    pub(crate) alias: Option<String>,
    /// Path of its terminal device on the host; only a running domain has it.
    pub(crate) tty: Option<String>,
}

/// Calls `visit` with the path of open elements at each start tag and each text.
fn walk(xml: &str, mut visit: impl FnMut(&[String], Node<'_>)) {
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<String> = Vec::new();
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                open.push(name(&tag));
                visit(&open, Node::Tag(&tag));
            }
            Ok(Event::Empty(tag)) => {
                open.push(name(&tag));
                visit(&open, Node::Tag(&tag));
                open.pop();
            }
            Ok(Event::End(_)) => {
                open.pop();
            }
            Ok(Event::Text(text)) => visit(&open, Node::Text(&text.xml10_content())),
            Ok(Event::GeneralRef(reference)) => {
                let raw = format!("&{};", reference.xml10_content());
                if let Ok(text) = quick_xml::escape::unescape(&raw) {
                    visit(&open, Node::Text(&text));
                }
            }
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

enum Node<'a> {
    Tag(&'a BytesStart<'a>),
    Text(&'a str),
}

fn name(tag: &BytesStart<'_>) -> String {
    AsRef::<str>::as_ref(&tag.name()).to_owned()
}

fn attribute(tag: &BytesStart<'_>, wanted: &str) -> Option<String> {
    let attribute = tag.try_get_attribute(wanted).ok()??;
    Some(attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
}

/// The text of the element at `path`, the root element included.
pub(crate) fn text(xml: &str, path: &[&str]) -> Option<String> {
    let mut found = None;
    walk(xml, |open, node| {
        if open == path {
            let text: &mut String = found.get_or_insert_default();
            if let Node::Text(part) = node {
                text.push_str(part);
            }
        }
    });
    found
}

/// The number in the element at `path`.
pub(crate) fn number(xml: &str, path: &[&str]) -> Option<u64> {
    text(xml, path)?.trim().parse().ok()
}

/// The consoles, in order.
pub(crate) fn consoles(xml: &str) -> Vec<Console> {
    let mut found: Vec<Console> = Vec::new();
    walk(xml, |open, node| {
        let Node::Tag(tag) = node else { return };
        match open.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["domain", "devices", "console"] => {
                found.push(Console { alias: None, tty: attribute(tag, "tty") });
            }
            ["domain", "devices", "console", "alias"] => {
                if let Some(console) = found.last_mut() {
                    console.alias = attribute(tag, "name");
                }
            }
            ["domain", "devices", "console", "source"] => {
                if let Some(console) = found.last_mut().filter(|console| console.tty.is_none()) {
                    console.tty = attribute(tag, "path");
                }
            }
            _ => {}
        }
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<domain type='lxc' id='1'><name>a</name><title>x &amp; y &lt;z&gt;</title>\
        <memory unit='KiB'>65536</memory><devices><console type='pty' tty='/dev/pts/4'>\
        <source path='/dev/pts/4'/><target type='lxc' port='0'/><alias name='console0'/></console>\
        <console type='pty'><source path='/dev/pts/5'/></console></devices></domain>";

    #[test]
    fn texts_and_numbers() {
        assert_eq!(text(XML, &["domain", "title"]).as_deref(), Some("x & y <z>"));
        assert_eq!(number(XML, &["domain", "memory"]), Some(65536));
        assert_eq!(text(XML, &["domain", "vcpu"]), None);
        assert_eq!(number("<domain><memory>", &["domain", "memory"]), None);
    }

    #[test]
    fn consoles_of_a_running_domain() {
        let found = consoles(XML);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].alias.as_deref(), Some("console0"));
        assert_eq!(found[0].tty.as_deref(), Some("/dev/pts/4"));
        assert_eq!(found[1].tty.as_deref(), Some("/dev/pts/5"));
    }
}
