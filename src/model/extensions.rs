//! What nsvirt adds to documents: elements below `<domain>` in a name space of its own.

use super::metadata::namespace;
use crate::error::Result;
use crate::xml::Element;

/// The name space.
pub(super) const URI: &str = "urn:nsvirt:domain:1.0";

/// The elements there are.
const NAMES: [&str; 2] = ["isolation", "pids"];

/// The only element of a name, if there is one. Another of the name space is an error, as a
/// misspelt one would be without effect.
pub(super) fn find<'a>(root: &'a Element, name: &str) -> Result<Option<&'a Element>> {
    let mut found = None;
    for element in root.elements() {
        match local_name(element, &[element, root]) {
            None => {}
            Some(local) if local == name && found.is_some() => {
                return Err(element.error(format_args!("only one {name} element is supported")));
            }
            Some(local) if local == name => found = Some(element),
            Some(local) if NAMES.contains(&local) => {}
            Some(local) => {
                return Err(element.unsupported(format_args!(
                    "unknown element <{local}> of name space {URI}: expected {}",
                    NAMES.join(" or ")
                )));
            }
        }
    }
    Ok(found)
}

/// The name without its prefix, of an element of the name space; `scopes` are the elements that
/// may declare the prefix, innermost first.
pub(super) fn local_name<'a>(element: &'a Element, scopes: &[&Element]) -> Option<&'a str> {
    let is_ours = namespace(&element.name, scopes) == Some(URI);
    is_ours.then(|| element.name.split_once(':').map_or(&*element.name, |(_, local)| local))
}
