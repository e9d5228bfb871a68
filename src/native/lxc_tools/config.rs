//! The file format: lines of `key = value`, comments, and includes put in their place.

use std::fmt;

use super::names;
use crate::error::{Error, ErrorCode, Result};

/// The most text read, all includes together: 4 MiB.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The longest line, in bytes.
pub const MAX_LINE: usize = 64 * 1024;
/// The most settings, all includes together.
pub const MAX_SETTINGS: usize = 10_000;
/// How deep includes may be nested.
pub const MAX_DEPTH: usize = 16;

/// One `key = value`.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    /// Today's name of the key.
    pub(super) key: String,
    /// The value without the space and the pair of quotes around it.
    pub(super) value: String,
    place: Place,
}

/// Where a setting stands.
#[derive(Debug, Clone)]
struct Place {
    file: Option<String>,
    line: usize,
    /// The key as it was written.
    key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}, ", Excerpt(file))?;
        }
        write!(f, "line {}: {}", self.line, Excerpt(&self.key))
    }
}

/// The beginning of a text, for messages.
pub(super) struct Excerpt<'a>(pub(super) &'a str);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 100;
        match self.0.char_indices().nth(LONGEST) {
            Some((end, _)) => write!(f, "{}...", self.0.get(..end).unwrap_or_default()),
            None => f.write_str(self.0),
        }
    }
}

impl Setting {
    /// The error for a value that LXC would not take either.
    pub(super) fn invalid(&self, reason: impl fmt::Display) -> Error {
        let value = Excerpt(&self.value);
        Error::new(ErrorCode::InvalidArg, format_args!("{} = '{value}': {reason}", self.place))
    }

    /// The error for something that cannot be left out without changing what the container is.
    pub(super) fn unsupported(&self, reason: impl fmt::Display) -> Error {
        let value = Excerpt(&self.value);
        let detail = format!("{} = '{value}': {reason}", self.place);
        Error::new(ErrorCode::ConfigUnsupported, detail)
    }

    /// The note for what is not carried over.
    pub(super) fn note(&self, reason: impl fmt::Display) -> String {
        match self.value.is_empty() {
            true => format!("{}: {reason}", self.place),
            false => format!("{} = '{}': {reason}", self.place, Excerpt(&self.value)),
        }
    }
}

type Includes<'a> = &'a dyn Fn(&str) -> Result<String>;

/// All settings in their order.
pub(super) fn read(config: &str, includes: Includes<'_>) -> Result<Vec<Setting>> {
    let mut reader = Reader::new(includes);
    reader.text(config)?;
    Ok(reader.settings)
}

struct Reader<'a> {
    includes: Includes<'a>,
    settings: Vec<Setting>,
    names: names::Names,
    /// The files being read, outermost first, without the one the import began with.
    open: Vec<String>,
    bytes: usize,
    /// Settings and includes seen.
    seen: usize,
}

impl<'a> Reader<'a> {
    fn new(includes: Includes<'a>) -> Self {
        Self {
            includes,
            settings: Vec::new(),
            names: names::Names::default(),
            open: Vec::new(),
            bytes: 0,
            seen: 0,
        }
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > MAX_BYTES {
            return Err(self.error(0, format_args!("more than the limit of {MAX_BYTES} bytes")));
        }
        for (index, line) in text.lines().enumerate() {
            self.line(index + 1, line)?;
        }
        Ok(())
    }

    fn line(&mut self, number: usize, line: &str) -> Result<()> {
        if line.len() > MAX_LINE {
            let length = line.len();
            let detail = format!("{length} bytes, more than the limit of {MAX_LINE} for a line");
            return Err(self.error(number, detail));
        }
        let line = line.trim_matches(is_space);
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some(c) = line.chars().find(|&c| c != '\t' && !is_text(c)) {
            let code = u32::from(c);
            return Err(
                self.error(number, format_args!("the character U+{code:04X} is not allowed"))
            );
        }
        let Some((key, value)) = line.split_once('=') else {
            return Err(self.error(
                number,
                format_args!("'{}' is not of the form key = value", Excerpt(line)),
            ));
        };
        let key = key.trim_matches(is_space);
        let value = unquote(value.trim_matches(is_space));
        self.seen += 1;
        if self.seen > MAX_SETTINGS {
            let detail = format!("more than the limit of {MAX_SETTINGS} settings");
            return Err(self.error(number, detail));
        }
        let place = Place { file: self.open.last().cloned(), line: number, key: key.to_owned() };
        if key == "lxc.include" {
            return self.include(value, &place);
        }
        let key = self.names.current(key);
        self.settings.push(Setting { key, value: value.to_owned(), place });
        Ok(())
    }

    fn include(&mut self, name: &str, place: &Place) -> Result<()> {
        let fault = |reason: String| {
            let name = Excerpt(name);
            Error::new(ErrorCode::InvalidArg, format_args!("{place} = '{name}': {reason}"))
        };
        if name.is_empty() {
            return Err(fault("a file name is needed".to_owned()));
        }
        if self.open.iter().any(|open| open == name) {
            return Err(fault("the file includes itself".to_owned()));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(fault(format!("nested deeper than the limit of {MAX_DEPTH} includes")));
        }
        let text = (self.includes)(name)?;
        self.open.push(name.to_owned());
        let result = self.text(&text);
        self.open.pop();
        result
    }

    fn error(&self, line: usize, detail: impl fmt::Display) -> Error {
        let file = match self.open.last() {
            Some(file) => format!("{}, ", Excerpt(file)),
            None => String::new(),
        };
        let place = match line {
            0 => format!("{file}the configuration"),
            line => format!("{file}line {line}"),
        };
        Error::new(ErrorCode::InvalidArg, format_args!("{place}: {detail}"))
    }
}

/// What may stand in a domain document, which is where it will be.
fn is_text(c: char) -> bool {
    c >= ' ' && !matches!(c, '\u{7F}' | '\u{FFFE}' | '\u{FFFF}')
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\u{B}' | '\u{C}')
}

/// LXC takes one pair of quotes off a value that begins and ends with the same one.
fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    value
}

/// A line of a configuration that reads back as this value.
pub(super) fn line(key: &str, value: &str) -> String {
    let is_quoted = unquote(value).len() != value.len();
    let has_space = value.trim_matches(is_space).len() != value.len();
    match is_quoted || has_space {
        true => format!("{key} = \"{value}\"\n"),
        false => format!("{key} = {value}\n"),
    }
}
