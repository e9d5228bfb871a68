//! `<name>`, `<uuid>`, `<title>`: who the domain is.

use super::Uuid;
use super::read::internal;
use crate::error::{Error, ErrorCode, Result};
use crate::xml::Element;

/// The longest name, in bytes: with a suffix it must still be a file name (255 bytes).
pub const MAX_NAME_BYTES: usize = 200;

/// Checks a name, on its own: it becomes the name of files and of a cgroup, so it must be one
/// path component.
pub fn check_name(name: &str) -> Result<()> {
    match name_fault(name) {
        Some((code, fault)) => Err(Error::new(code, fault)),
        None => Ok(()),
    }
}

fn name_fault(name: &str) -> Option<(ErrorCode, String)> {
    let fault = match name {
        "" => return Some((ErrorCode::NoName, "the name is empty".to_owned())),
        "." | ".." => format!("name cannot be '{name}'"),
        _ if name.contains('/') => format!("name {name} cannot contain '/'"),
        _ if name.contains(char::is_control) => {
            format!("invalid char in name: {}", name.escape_debug())
        }
        _ if name.len() > MAX_NAME_BYTES => {
            format!("the name has {} bytes, more than the limit of {MAX_NAME_BYTES}", name.len())
        }
        _ => return None,
    };
    Some((ErrorCode::XmlError, fault))
}

pub(super) fn parse_name(root: &Element) -> Result<String> {
    let Some(element) = root.child("name") else {
        let detail = "<domain> needs a child element <name>";
        return Err(Error::in_document(ErrorCode::NoName, root.line, detail));
    };
    let name = element.text();
    match name_fault(&name) {
        Some((code, fault)) => Err(Error::in_document(code, element.line, fault)),
        None => Ok(name),
    }
}

/// With or without dashes, wherever they are; an empty or absent one is made up.
pub(super) fn parse_uuid(root: &Element) -> Result<Uuid> {
    let Some((element, text)) = root.child("uuid").map(|element| (element, element.text())) else {
        return Ok(Uuid::new_v4());
    };
    if text.is_empty() {
        return Ok(Uuid::new_v4());
    }
    read_uuid(&text).ok_or_else(|| {
        let detail = format_args!("malformed uuid element '{text}': expected 32 hex digits");
        internal(element, detail)
    })
}

/// `<genid>`: kept for the user; an empty one is made up.
pub(super) fn parse_genid(root: &Element) -> Result<Option<Uuid>> {
    let Some(element) = root.child("genid") else { return Ok(None) };
    if let Some(second) = root.children_named("genid").nth(1) {
        return Err(second.error("element 'genid' can only appear once"));
    }
    match element.text() {
        text if text.is_empty() => Ok(Some(Uuid::new_v4())),
        text => read_uuid(&text).map(Some).ok_or_else(|| {
            let detail = format_args!("malformed genid element '{text}': expected 32 hex digits");
            internal(element, detail)
        }),
    }
}

/// A UUID with or without dashes.
pub(super) fn read_uuid(text: &str) -> Option<Uuid> {
    let digits: String = text.chars().filter(|&c| c != '-' && !c.is_ascii_whitespace()).collect();
    let is_plain = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    Uuid::try_parse(&digits).ok().filter(|_| is_plain)
}

pub(super) fn parse_title(root: &Element) -> Result<Option<String>> {
    let title = root.child_text("title");
    if title.as_ref().is_some_and(|title| title.contains('\n')) {
        let line = root.child("title").map_or(root.line, |element| element.line);
        return Err(Error::xml(line, "Domain title can't contain newlines"));
    }
    Ok(title)
}

#[cfg(test)]
mod tests {
    use super::super::Domain;
    use super::super::samples::{assert_faults, document, parse};
    use super::*;

    #[test]
    fn names_are_one_path_component() {
        for good in ["web", "a b", "é", ".hidden", "-x", &"x".repeat(MAX_NAME_BYTES)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a\nb", "a\tb", "\u{7f}", &"x".repeat(201)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(check_name("").unwrap_err().code, ErrorCode::NoName);
    }

    #[test]
    fn faults() {
        let long = format!("<name>{}</name>", "x".repeat(201));
        assert_faults(&[
            ("<name/>", "missing name information: line 2: the name is empty"),
            ("<name>..</name>", "XML error: line 2: name cannot be '..'"),
            ("<name>a/b</name>", "XML error: line 2: name a/b cannot contain '/'"),
            ("<name>a&#10;b</name>", "XML error: line 2: invalid char in name: a\\nb"),
            (&long, "XML error: line 2: the name has 201 bytes, more than the limit of 200"),
            (
                "<uuid>1234</uuid>",
                "internal error: line 2: malformed uuid element '1234': expected 32 hex digits",
            ),
            ("<title>a\nb</title>", "XML error: line 2: Domain title can't contain newlines"),
        ]);
        let error = parse_name(&crate::xml::parse("\n<domain/>").unwrap()).unwrap_err();
        let expected = "missing name information: line 2: <domain> needs a child element <name>";
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::NoName, expected));
    }

    #[test]
    fn uuids_are_read_with_and_without_dashes() {
        let expected = "ecb1af0d-cc30-4c2f-acde-a28c94ffa67d";
        for text in
            [expected, "ECB1AF0Dcc304c2facdea28c94ffa67d", " ec-b1af0dcc304c2facdea28c94ffa67d\n"]
        {
            assert_eq!(parse(&format!("<uuid>{text}</uuid>")).uuid.to_string(), expected);
        }
        assert_ne!(parse("").uuid, parse("<uuid/>").uuid);
        for bad in ["{ecb1af0dcc304c2facdea28c94ffa67d}", "urn:uuid:ecb1af0d", "+1"] {
            assert!(Domain::parse(&document(&format!("<uuid>{bad}</uuid>"))).is_err());
        }
    }

    #[test]
    fn titles_and_descriptions_are_kept_as_they_are() {
        let domain = parse("<title> a </title><description>b\n c</description>");
        assert_eq!(domain.title.as_deref(), Some(" a "));
        assert_eq!(domain.description.as_deref(), Some("b\n c"));
        assert_eq!(parse("<title/><description></description>").title, None);
    }
}
