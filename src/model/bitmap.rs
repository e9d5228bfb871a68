//! Sets of small numbers (processors, memory nodes) as in `0-3,^2,7`.

use crate::error::{Error, ErrorCode, Result};
use crate::xml::Element;

/// How many numbers a set can hold: 0 to 16383.
const SIZE: u32 = 16384;

/// A set of numbers below 16384.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bitmap {
    /// Without zero words at the end, so that equal sets are equal.
    words: Vec<u64>,
}

impl Bitmap {
    /// Reads a list of numbers, ranges and (after `^`) exceptions; None when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        let text = text.trim_ascii();
        // One comma may follow the last entry.
        for entry in text.strip_suffix(',').unwrap_or(text).split(',') {
            set.entry(entry.trim_ascii())?;
        }
        set.trim();
        Some(set)
    }

    fn entry(&mut self, entry: &str) -> Option<()> {
        if let Some(excluded) = entry.strip_prefix('^') {
            let index = digits(excluded).filter(|&index| index < SIZE)?;
            if let Some(word) = self.words.get_mut(index as usize / 64) {
                *word &= !(1 << (index % 64));
            }
            return Some(());
        }
        let (start, end) = match entry.split_once('-') {
            Some((start, end)) => (digits(start.trim_ascii_end())?, digits(end.trim_ascii())?),
            None => (digits(entry)?, digits(entry)?),
        };
        if end < start || end >= SIZE {
            return None;
        }
        self.insert_range(start, end);
        Some(())
    }

    /// A word at a time: a hostile list has the whole range many times over.
    fn insert_range(&mut self, start: u32, end: u32) {
        let (first, last) = (start as usize / 64, end as usize / 64);
        if self.words.len() <= last {
            self.words.resize(last + 1, 0);
        }
        let (from, to) = (u64::MAX << (start % 64), u64::MAX >> (63 - end % 64));
        match self.words.get_mut(first..=last) {
            Some([word]) => *word |= from & to,
            Some([head, between @ .., tail]) => {
                *head |= from;
                between.fill(u64::MAX);
                *tail |= to;
            }
            _ => {}
        }
    }

    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a number is in it.
    pub fn contains(&self, index: u32) -> bool {
        self.words.get(index as usize / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// The numbers in it, smallest first.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let words = self.words.iter().zip((0..).step_by(64)).filter(|&(&word, _)| word != 0);
        words.flat_map(|(&word, base)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| base + bit)
        })
    }

    /// Whether both have a number in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(a, b)| a & b != 0)
    }

    /// Takes in all numbers of another.
    pub(super) fn add(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Whether all of its numbers are in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|index| other.contains(index))
    }

    /// Without the numbers from `limit` on.
    #[must_use]
    pub fn below(&self, limit: u32) -> Self {
        self.iter().take_while(|&index| index < limit).collect()
    }

    /// The set in an attribute; `^` and errors as libvirt's.
    pub(super) fn attr(element: &Element, name: &str) -> Result<Option<Self>> {
        let Some(text) = element.attr(name) else { return Ok(None) };
        Self::parse(text).map(Some).ok_or_else(|| {
            let detail = format!(
                "Failed to parse bitmap '{text}' ({name} of <{}>): \
                 expected numbers below {SIZE}, as in 0-3,^2,7",
                element.name
            );
            Error::in_document(ErrorCode::InvalidArg, element.line, detail)
        })
    }

    /// As [`Self::attr`]; an empty set is an error.
    pub(super) fn filled_attr(element: &Element, name: &str) -> Result<Option<Self>> {
        match Self::attr(element, name)? {
            Some(set) if set.is_empty() => {
                let text = element.attr(name).unwrap_or_default();
                Err(element.unsupported(format_args!(
                    "Invalid value of '{name}': {text} leaves nothing in the set"
                )))
            }
            found => Ok(found),
        }
    }
}

impl FromIterator<u32> for Bitmap {
    fn from_iter<T: IntoIterator<Item = u32>>(numbers: T) -> Self {
        let mut set = Self::default();
        numbers
            .into_iter()
            .filter(|&index| index < SIZE)
            .for_each(|index| set.insert_range(index, index));
        set
    }
}

/// Numbers and ranges.
impl std::fmt::Display for Bitmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut numbers = self.iter().peekable();
        let mut separator = "";
        while let Some(start) = numbers.next() {
            let mut end = start;
            while let Some(next) = numbers.next_if_eq(&(end + 1)) {
                end = next;
            }
            match start == end {
                true => write!(f, "{separator}{start}")?,
                false => write!(f, "{separator}{start}-{end}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

fn digits(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written_as_libvirt_does() {
        let table = [
            ("0-3,^2", "0-1,3"),
            ("3,1,0", "0-1,3"),
            (" 0 , 2 - 3 ", "0,2-3"),
            ("0,", "0"),
            ("010", "10"),
            ("16383", "16383"),
            ("0,^5", "0"),
            ("0,^0", ""),
            ("64,63,^64", "63"),
        ];
        for (text, expected) in table {
            assert_eq!(Bitmap::parse(text).unwrap().to_string(), expected, "{text}");
        }
        for text in
            ["", "x", "0-", "5-3", "0,,1", ",0", "16384", "0 1", "+1", "-1", "1-2-3", "0-7,^3-5"]
        {
            assert_eq!(Bitmap::parse(text), None, "{text}");
        }
    }

    #[test]
    fn sets_compare() {
        let set = |text| Bitmap::parse(text).unwrap();
        assert_eq!(set("0,64,^64"), set("0"));
        assert!(set("0-3").overlaps(&set("3-4")) && !set("0-3").overlaps(&set("4")));
        assert!(set("1,3").is_subset(&set("0-3")) && !set("4").is_subset(&set("0-3")));
        assert_eq!(set("0-9").below(8), set("0-7"));
    }
}
