//! The character that leaves a console.

use std::fmt;

/// A character, as the user wrote it: alone, or with `^` for the control key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Escape {
    text: String,
    byte: u8,
}

impl Default for Escape {
    fn default() -> Self {
        Self { text: "^]".to_owned(), byte: 0x1d }
    }
}

impl Escape {
    /// Reads the argument of `--escape`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let byte = match *text.as_bytes() {
            [byte] if byte != b'^' => Some(byte),
            // The control key takes the two high bits from the letters and signs in this range.
            [b'^', key] => {
                let key = key.to_ascii_uppercase();
                (b'@'..=b'_').contains(&key).then_some(key & 0x1f)
            }
            _ => None,
        };
        match byte {
            Some(byte) => Ok(Self { text: text.to_owned(), byte }),
            None => Err(format!("Invalid string '{text}' for escape sequence")),
        }
    }

    /// The byte that comes from the terminal.
    pub(crate) fn byte(&self) -> u8 {
        self.byte
    }
}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.text.strip_prefix('^') {
            Some(key) => write!(f, " (Ctrl + {key})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Escape;

    #[test]
    fn spellings() {
        assert_eq!(Escape::default(), Escape::parse("^]").unwrap());
        assert_eq!(Escape::parse("^a").unwrap().byte(), 1);
        assert_eq!(Escape::parse("q").unwrap().byte(), b'q');
        assert!(["", "^", "ab", "^1", "^]]"].iter().all(|text| Escape::parse(text).is_err()));
        assert_eq!(Escape::default().to_string(), "^] (Ctrl + ])");
        assert_eq!(Escape::parse("q").unwrap().to_string(), "q");
    }
}
