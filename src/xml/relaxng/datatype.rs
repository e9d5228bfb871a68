//! The data types of XML Schema that grammars here use.

use std::fmt;

use regex::Regex;

use crate::error::{Error, Result};
use crate::xml::Element;

/// A type and what narrows it down.
#[derive(Debug, Clone)]
pub(super) struct Datatype {
    kind: Kind,
    /// As it was written, and compiled.
    pattern: Option<(String, Regex)>,
    max_length: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    String,
    /// A name without a colon.
    NcName,
    DateTime,
    /// A whole number of a range.
    Integer {
        least: i128,
        most: i128,
        signed: bool,
    },
}

/// Whole numbers without a limit have this one: none in a document is near it.
const HUGE: i128 = i128::MAX / 16;

fn kind(name: &str) -> Option<Kind> {
    let integer = |least, most, signed| Some(Kind::Integer { least, most, signed });
    match name {
        "string" => Some(Kind::String),
        "NCName" => Some(Kind::NcName),
        "dateTime" => Some(Kind::DateTime),
        "integer" => integer(-HUGE, HUGE, true),
        "positiveInteger" => integer(1, HUGE, true),
        "long" => integer(i64::MIN.into(), i64::MAX.into(), true),
        "int" => integer(i32::MIN.into(), i32::MAX.into(), true),
        "short" => integer(i16::MIN.into(), i16::MAX.into(), true),
        "unsignedLong" => integer(0, u64::MAX.into(), false),
        "unsignedInt" => integer(0, u32::MAX.into(), false),
        "unsignedShort" => integer(0, u16::MAX.into(), false),
        _ => None,
    }
}

impl Datatype {
    /// Reads `<data>`.
    pub(super) fn read(data: &Element) -> Result<Self> {
        let name = data.required_attr("type")?;
        let unknown = || data.error(format_args!("the data type '{name}' is not known"));
        let kind = kind(name).ok_or_else(unknown)?;
        let mut datatype = Self { kind, pattern: None, max_length: None };
        for param in data.children_named("param") {
            datatype.narrow(param)?;
        }
        Ok(datatype)
    }

    fn narrow(&mut self, param: &Element) -> Result<()> {
        let text = param.text();
        let name = param.required_attr("name")?;
        let wrong = || param.error(format_args!("the parameter {name} cannot be '{text}' here"));
        match (name, &mut self.kind) {
            ("pattern", _) => {
                let regex = Regex::new(&translate(&text))
                    .map_err(|error| param.error(format_args!("pattern '{text}': {error}")))?;
                self.pattern = Some((text, regex));
            }
            ("maxLength", Kind::String) => {
                self.max_length = Some(text.parse().map_err(|_| wrong())?);
            }
            ("minInclusive", Kind::Integer { least, .. }) => {
                *least = text.parse::<i128>().map_err(|_| wrong())?.max(*least);
            }
            ("maxInclusive", Kind::Integer { most, .. }) => {
                *most = text.parse::<i128>().map_err(|_| wrong())?.min(*most);
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// Whether a text is of the type.
    pub(super) fn allows(&self, text: &str) -> bool {
        self.kind.allows(text)
            && self.pattern.as_ref().is_none_or(|(_, regex)| regex.is_match(text))
            && self.max_length.is_none_or(|most| text.chars().nth(most).is_none())
    }
}

impl Kind {
    fn allows(self, text: &str) -> bool {
        let bare = text.trim_matches(is_space);
        match self {
            Self::String => true,
            Self::NcName => is_ncname(bare),
            Self::DateTime => is_date_time(bare),
            Self::Integer { least, most, signed } => {
                integer(bare, signed).is_some_and(|number| (least..=most).contains(&number))
            }
        }
    }
}

/// The number that a text is; what is too large is as large as can be.
fn integer(text: &str, signed: bool) -> Option<i128> {
    let (digits, negative) = match text.strip_prefix('-') {
        Some(digits) if signed => (digits, true),
        _ if signed => (text.strip_prefix('+').unwrap_or(text), false),
        _ => (text, false),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<i128>().unwrap_or(i128::MAX);
    Some(if negative { -number } else { number })
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// A text with each white space one blank, and none at the ends.
pub(super) fn collapsed(text: &str) -> String {
    text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn is_ncname(text: &str) -> bool {
    let first = |c: char| c.is_alphabetic() || c == '_';
    let rest = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '\u{B7}');
    text.starts_with(first) && text.chars().all(rest)
}

/// `2026-01-31T23:59:59`, with a fraction and a time zone if one likes.
fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else {
        return false;
    };
    let date = date.strip_prefix('-').unwrap_or(date);
    let (time, zone) = match time.find(['Z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, "0"));
    is_date(date)
        && numbers(clock, ':').is_some_and(|it| is_clock(&it))
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && is_zone(zone)
}

fn is_date(date: &str) -> bool {
    let year_is_long = date.split('-').next().is_some_and(|year| year.len() >= 4);
    let Some([year, month, day]) = numbers(date, '-').and_then(|it| <[u32; 3]>::try_from(it).ok())
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    year_is_long && year > 0 && (1..=12).contains(&month) && (1..=days).contains(&day)
}

fn is_clock(parts: &[u32]) -> bool {
    matches!(parts, [hour, minute, second] if *hour < 24 && *minute < 60 && *second < 60)
        || matches!(parts, [24, 0, 0])
}

fn is_zone(zone: &str) -> bool {
    let offset = zone.strip_prefix(['+', '-']).and_then(|rest| numbers(rest, ':'));
    zone == "Z"
        || matches!(offset.as_deref(), Some([hour, minute]) if *hour < 14 && *minute < 60)
        || matches!(offset.as_deref(), Some([14, 0]))
}

/// Numbers of two digits or more between separators.
fn numbers(text: &str, separator: char) -> Option<Vec<u32>> {
    let number = |part: &str| {
        let digits = part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| digits)
    };
    text.split(separator).map(number).collect()
}

/// A pattern of XML Schema in the syntax of the regex crate: it is about the whole text, `^` and
/// `$` are ordinary, and brackets inside of brackets too.
fn translate(pattern: &str) -> String {
    let mut out = String::from("^(?:");
    let mut in_class = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match (chars.next(), in_class) {
                (Some('s'), true) => out.push_str(" \\t\\n\\r"),
                (Some('s'), false) => out.push_str("[ \\t\\n\\r]"),
                (Some(escaped), _) => out.extend(['\\', escaped]),
                (None, _) => out.push('\\'),
            },
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // The first character may be the one that negates.
                let rest = chars.as_str();
                if rest.starts_with('^') {
                    chars.next();
                    out.push('^');
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '[' | '&' | '~' if in_class => out.extend(['\\', c]),
            '^' | '$' => out.extend(['\\', c]),
            '.' if !in_class => out.push_str("[^\\n\\r]"),
            _ => out.push(c),
        }
    }
    out.push_str(")$");
    out
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, &self.pattern) {
            (Kind::Integer { least, most, .. }, _) if most < HUGE => {
                write!(f, "a number from {least} to {most}")
            }
            (Kind::Integer { least, .. }, _) if least > -HUGE => {
                write!(f, "a number from {least}")
            }
            (Kind::Integer { .. }, _) => write!(f, "a number"),
            (Kind::String, Some((pattern, _))) => write!(f, "what matches {pattern}"),
            (Kind::String, None) => match self.max_length {
                Some(most) => write!(f, "a text of at most {most} characters"),
                None => write!(f, "a text"),
            },
            (Kind::NcName, _) => write!(f, "a name"),
            (Kind::DateTime, _) => write!(f, "a date and time such as 2026-01-31T12:00:00"),
        }
    }
}

/// An error for parts of a grammar that are not understood.
pub(super) fn not_understood(element: &Element) -> Error {
    element.error(format_args!("<{}> in a grammar is not understood here", element.name))
}
