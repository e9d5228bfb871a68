//! Numbers in the notations of C: hexadecimal with `0x`, octal with `0`, decimal.

use super::read::bad_value;
use crate::error::Result;
use crate::xml::Element;

/// A number as C reads it when the text may choose the base: white space and a plus in front,
/// nothing behind.
pub(super) fn c_number(text: &str) -> Option<u64> {
    c_digits(after_sign(text))
}

/// A number in any base, and nothing around it.
pub(super) fn c_digits(text: &str) -> Option<u64> {
    match after_0x(text) {
        Some(hex) => from_digits(hex, 16),
        None => match text.strip_prefix('0').filter(|octal| !octal.is_empty()) {
            Some(octal) => from_digits(octal, 8),
            None => from_digits(text, 10),
        },
    }
}

/// A hexadecimal number as C reads it, with or without `0x`.
pub(super) fn hexadecimal(text: &str) -> Option<u64> {
    let text = after_sign(text);
    from_digits(after_0x(text).unwrap_or(text), 16)
}

/// The number in an attribute, None when there is none.
pub(super) fn c_number_attr<T: TryFrom<u64>>(element: &Element, name: &str) -> Result<Option<T>> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    let value = c_number(text).and_then(|value| T::try_from(value).ok());
    value
        .map(Some)
        .ok_or_else(|| bad_value(element, name, text, "Expected non-negative integer value"))
}

fn after_sign(text: &str) -> &str {
    let text = text.trim_ascii_start();
    text.strip_prefix('+').unwrap_or(text)
}

fn after_0x(text: &str) -> Option<&str> {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
}

fn from_digits(digits: &str, radix: u32) -> Option<u64> {
    // No sign, which from_str_radix would take.
    let valid = digits.chars().all(|c| c.is_digit(radix));
    if valid { u64::from_str_radix(digits, radix).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::{c_digits, c_number, hexadecimal};

    #[test]
    fn the_prefix_chooses_the_base() {
        for (text, expected) in [
            ("10", Some(10)),
            (" 0x1F", Some(31)),
            ("0X1f", Some(31)),
            ("+0x1", Some(1)),
            (" +07", Some(7)),
            ("010", Some(8)),
            ("0", Some(0)),
            ("08", None),
            ("0x", None),
            ("0x+1", None),
            ("0+1", None),
            ("+ 7", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(c_number(text), expected, "{text:?}");
        }
        assert_eq!(c_digits("010"), Some(8));
        assert_eq!((c_digits("+1"), c_digits(" 1")), (None, None));
    }

    #[test]
    fn the_prefix_of_hexadecimal_may_be_missing() {
        for (text, expected) in
            [("08", Some(8)), (" +fF", Some(255)), ("0X10", Some(16)), ("0x+1", None), ("0x", None)]
        {
            assert_eq!(hexadecimal(text), expected, "{text:?}");
        }
    }
}
