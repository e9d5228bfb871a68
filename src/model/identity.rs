//! `<name>`, `<uuid>`, `<title>`: who the domain is.

use super::Uuid;
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
            format!(
                "the name has {} bytes, more than the limit of {MAX_NAME_BYTES}",
                name.len()
            )
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
    let digits: String = text
        .chars()
        .filter(|&c| c != '-' && !c.is_ascii_whitespace())
        .collect();
    let is_plain = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let uuid = Uuid::try_parse(&digits).ok().filter(|_| is_plain);
    uuid.ok_or_else(|| {
        element.error(format_args!(
            "malformed uuid element '{text}': expected 32 hex digits"
        ))
    })
}

pub(super) fn parse_title(root: &Element) -> Result<Option<String>> {
    let title = root.child_text("title");
    if title.as_ref().is_some_and(|title| title.contains('\n')) {
        let line = root
            .child("title")
            .map_or(root.line, |element| element.line);
        return Err(Error::xml(line, "Domain title can't contain newlines"));
    }
    Ok(title)
}
