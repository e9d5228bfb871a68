//! What the readers of the element families share: numbers, words, and finding elements.

use std::str::FromStr;

use crate::error::{Error, ErrorCode, Result};
use crate::xml::Element;

/// Defines an enum whose variants are words of the document.
macro_rules! words {
    ($(#[$doc:meta])* $vis:vis enum $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// All of them, in libvirt's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];
            const WORDS: &'static [&'static str] = &[$($word,)+];

            /// The word in the document.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The variant of a word.
            #[allow(dead_code, reason = "not every family reads words that are no attributes")]
            pub(crate) fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }

            /// The value of an attribute, None when there is none.
            #[allow(dead_code, reason = "some families have errors of their own")]
            pub(in crate::model) fn attr(
                element: &$crate::xml::Element,
                name: &str,
            ) -> $crate::error::Result<Option<Self>> {
                element.attr(name).map_or(Ok(None), |word| match Self::from_word(word) {
                    Some(known) => Ok(Some(known)),
                    None => Err($crate::model::read::bad_word(element, name, word, Self::WORDS)),
                })
            }
        }
    };
}
pub(super) use words;

/// The elements at `outer/inner`: several of the outer name count as one.
pub(super) fn all<'a>(
    root: &'a Element,
    outer: &'a str,
    inner: &'a str,
) -> impl Iterator<Item = &'a Element> {
    root.children_named(outer).flat_map(move |outer| outer.children_named(inner))
}

/// The first of [`all`].
pub(super) fn first<'a>(root: &'a Element, outer: &'a str, inner: &'a str) -> Option<&'a Element> {
    all(root, outer, inner).next()
}

/// A path as libvirt writes it: one slash where there are several, save two at the start, and none
/// at the end.
pub(super) fn without_repeated_slashes(path: &str) -> String {
    let slashes = path.len() - path.trim_start_matches('/').len();
    let start = match slashes {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("{start}{}", parts.join("/"))
}

/// A number as C reads it: white space and a plus in front, nothing behind.
pub(super) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.trim_ascii_start().parse().ok()
}

/// The number an element holds, None when it is absent or empty.
pub(super) fn number_in<T: FromStr>(element: Option<&Element>) -> Result<Option<T>> {
    let Some(element) = element else { return Ok(None) };
    let text = element.text();
    if text.is_empty() {
        return Ok(None);
    }
    number(&text).map(Some).ok_or_else(|| {
        let name = &element.name;
        element.error(format_args!("Invalid value '{text}' of <{name}>: expected a number"))
    })
}

/// The number in an attribute, None when there is none.
pub(super) fn number_attr<T: FromStr>(element: &Element, name: &str) -> Result<Option<T>> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    number(text)
        .map(Some)
        .ok_or_else(|| bad_value(element, name, text, "Expected non-negative integer value"))
}

/// As [`number_attr`], and 0 is an error.
pub(super) fn positive_attr(element: &Element, name: &str) -> Result<Option<u32>> {
    match number_attr(element, name)? {
        Some(0) => Err(zero(element, name)),
        found => Ok(found),
    }
}

/// The value of an attribute that must be there.
pub(super) fn required<T>(element: &Element, name: &str, value: Option<T>) -> Result<T> {
    value.ok_or_else(|| missing_attr(element, name))
}

pub(super) fn missing_attr(element: &Element, name: &str) -> Error {
    element.error(format_args!("Missing required attribute '{name}' in element '{}'", element.name))
}

/// The error for an attribute's value, with what would be right.
pub(super) fn bad_value(element: &Element, name: &str, value: &str, expected: &str) -> Error {
    element.error(format_args!(
        "Invalid value for attribute '{name}' in element '{}': '{value}'. {expected}",
        element.name
    ))
}

/// The error for a value that is none of the allowed words.
pub(super) fn bad_word(element: &Element, name: &str, value: &str, words: &[&str]) -> Error {
    let expected = format!("Expected one of {}", words.join(", "));
    bad_value(element, name, value, &expected)
}

/// The error for a number that is 0.
pub(super) fn zero(element: &Element, name: &str) -> Error {
    element.error(format_args!(
        "Invalid value for attribute '{name}' in element '{}': Zero is not permitted",
        element.name
    ))
}

/// The error that some families have for a value that is none of the allowed words.
pub(super) fn unknown_word(
    element: &Element,
    what: &str,
    value: &str,
    behind: &str,
    words: &[&str],
) -> Error {
    let expected = words.join(", ");
    element
        .unsupported(format_args!("unknown {what} '{value}'{behind}: expected one of {expected}"))
}

/// An attribute with [`unknown_word`] for an error, None when there is none.
pub(super) fn known_word(
    element: &Element,
    name: &str,
    what: &str,
    words: &[&'static str],
) -> Result<Option<&'static str>> {
    let Some(value) = element.attr(name) else { return Ok(None) };
    match words.iter().find(|known| **known == value) {
        Some(known) => Ok(Some(known)),
        None => Err(unknown_word(element, what, value, "", words)),
    }
}

/// An error of libvirt's that has no fixed phrase.
pub(super) fn detail(element: &Element, text: impl std::fmt::Display) -> Error {
    Error::in_document(ErrorCode::XmlDetail, element.line, text)
}

/// An error of libvirt's with the code for internal errors, though the document is at fault.
pub(super) fn internal(element: &Element, text: impl std::fmt::Display) -> Error {
    Error::in_document(ErrorCode::InternalError, element.line, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_in_c() {
        for (text, expected) in [(" \n+7", Some(7)), ("007", Some(7)), ("-1", None), ("1 ", None)] {
            assert_eq!(number::<u32>(text), expected, "{text:?}");
        }
        assert_eq!(number::<i64>(" -5"), Some(-5));
        assert_eq!(number::<u32>("4294967296"), None);
    }
}
