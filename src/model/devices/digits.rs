//! Numbers that a document may also write in hexadecimal, with `0x`, and in octal, with `0`.

use crate::error::Result;
use crate::model::read::{bad_value, number};
use crate::xml::Element;

/// A number as C reads it when it may choose the base.
pub(super) fn c_number(text: &str) -> Option<u64> {
    let digits = text.trim_ascii_start();
    match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => from_digits(hex, 16),
        None => match digits.strip_prefix('0').filter(|octal| !octal.is_empty()) {
            Some(octal) => from_digits(octal, 8),
            None => number(digits),
        },
    }
}

fn from_digits(digits: &str, radix: u32) -> Option<u64> {
    // No sign, which from_str_radix would take.
    let valid = digits.chars().all(|c| c.is_digit(radix));
    if valid { u64::from_str_radix(digits, radix).ok() } else { None }
}

/// The number in an attribute, None when there is none.
pub(super) fn c_number_attr<T: TryFrom<u64>>(element: &Element, name: &str) -> Result<Option<T>> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    let value = c_number(text).and_then(|value| T::try_from(value).ok());
    value
        .map(Some)
        .ok_or_else(|| bad_value(element, name, text, "Expected non-negative integer value"))
}

#[cfg(test)]
mod tests {
    use super::c_number;

    #[test]
    fn the_prefix_chooses_the_base() {
        for (text, expected) in [
            ("10", Some(10)),
            (" 0x1F", Some(31)),
            ("0X1f", Some(31)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("08", None),
            ("0x", None),
            ("0x+1", None),
            ("0+1", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(c_number(text), expected, "{text:?}");
        }
    }
}
