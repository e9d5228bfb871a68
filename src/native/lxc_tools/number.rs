//! Numbers as the kernel's files and LXC take them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The highest number of a processor or memory node.
const MAX_BIT: u16 = 16_383;

/// A count of bytes with the suffixes the kernel knows.
pub(super) fn bytes(text: &str) -> Result<u64, &'static str> {
    let (digits, factor) = match text.char_indices().last() {
        Some((at, suffix)) if !suffix.is_ascii_digit() => {
            let shift = match suffix.to_ascii_lowercase() {
                'k' => 10,
                'm' => 20,
                'g' => 30,
                't' => 40,
                'p' => 50,
                _ => return Err("not a number of bytes"),
            };
            (text.get(..at).unwrap_or_default(), 1_u64 << shift)
        }
        _ => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("not a number of bytes");
    }
    let number: u64 = digits.parse().map_err(|_| "the number is too large")?;
    number.checked_mul(factor).ok_or("the number is too large")
}

/// A plain number.
pub(super) fn unsigned(text: &str) -> Result<u64, &'static str> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("not a number");
    }
    text.parse().map_err(|_| "the number is too large")
}

/// A plain number within bounds.
pub(super) fn within(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = unsigned(text)?;
    match (least..=most).contains(&number) {
        true => Ok(number),
        false => Err(format!("must be from {least} to {most}")),
    }
}

/// A list such as `1,2,5-7`, in the shortest form: `1-2,5-7`.
pub(super) fn bitmap(text: &str) -> Result<String, String> {
    let malformed = || "not a list of numbers such as 0-3,8".to_owned();
    let bit = |text: &str| match unsigned(text.trim()) {
        Ok(bit) => u16::try_from(bit)
            .ok()
            .filter(|&bit| bit <= MAX_BIT)
            .ok_or_else(|| format!("a number beyond the limit of {MAX_BIT}")),
        Err(_) => Err(malformed()),
    };
    let mut bits = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (bit(first)?, bit(last)?);
        if first > last {
            return Err(malformed());
        }
        bits.extend(first..=last);
    }
    let mut out = String::new();
    let mut bits = bits.into_iter().peekable();
    while let Some(first) = bits.next() {
        let mut last = first;
        while bits.next_if_eq(&(last + 1)).is_some() {
            last += 1;
        }
        let comma = if out.is_empty() { "" } else { "," };
        // Writing to a string does not fail.
        let _ = match first == last {
            true => write!(out, "{comma}{first}"),
            false => write!(out, "{comma}{first}-{last}"),
        };
    }
    Ok(out)
}
