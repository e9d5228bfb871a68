//! The options before the command.

use crate::bus::Target;
use crate::escape::Escape;
use crate::help;
use crate::outcome::fail;
use crate::shell::Shell;

/// What to do once the options are read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Start<'a> {
    /// Print this and end.
    Print(String),
    /// Read commands from the terminal.
    Interactive,
    /// Run these.
    Words(&'a [String]),
}

/// Long names, their letters, and whether they take an argument.
const OPTIONS: &[(&str, char, Argument)] = &[
    ("connect", 'c', Argument::Needed),
    ("debug", 'd', Argument::Needed),
    ("escape", 'e', Argument::Needed),
    ("help", 'h', Argument::None),
    ("keepalive-interval", 'k', Argument::Needed),
    ("keepalive-count", 'K', Argument::Needed),
    ("log", 'l', Argument::Needed),
    ("quiet", 'q', Argument::None),
    ("readonly", 'r', Argument::None),
    ("timing", 't', Argument::None),
    ("version", 'v', Argument::Maybe),
    ("", 'V', Argument::None),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    None,
    Needed,
    /// Only behind `=`.
    Maybe,
}

/// Reads the options into `shell`. The first word that is none begins the command.
pub(crate) fn parse<'a>(words: &'a [String], shell: &mut Shell) -> Result<Start<'a>, String> {
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        let before = rest;
        rest = after;
        let text = if let Some(body) = word.strip_prefix("--") {
            if body.is_empty() {
                break;
            }
            long(body, &mut rest, shell)?
        } else if let Some(body) = word.strip_prefix('-').filter(|body| !body.is_empty()) {
            letters(body, &mut rest, shell)?
        } else {
            rest = before;
            break;
        };
        if let Some(text) = text {
            return Ok(Start::Print(text));
        }
    }
    Ok(if rest.is_empty() { Start::Interactive } else { Start::Words(rest) })
}

/// `--name`, `--name=argument` or `--name argument`; an unambiguous beginning is enough.
fn long(body: &str, rest: &mut &[String], shell: &mut Shell) -> Result<Option<String>, String> {
    let (name, inline) = match body.split_once('=') {
        Some((name, text)) => (name, Some(text.to_owned())),
        None => (body, None),
    };
    let unknown = || format!("unsupported option '--{name}'. See --help.");
    let exact = OPTIONS.iter().find(|(long, ..)| *long == name);
    let mut begins = OPTIONS.iter().filter(|(long, ..)| long.starts_with(name));
    let (_, letter, argument) = match (exact, begins.next(), begins.next()) {
        (Some(option), ..) | (None, Some(option), None) => *option,
        _ => return Err(unknown()),
    };
    let value = match (argument, inline) {
        (Argument::None, Some(_)) => {
            return Err(format!("unsupported option '-{letter}'. See --help."));
        }
        (Argument::Needed, None) => Some(next(letter, rest)?),
        (_, inline) => inline,
    };
    apply(letter, value.as_deref(), shell)
}

/// `-qc BUS` and the like: several letters, the last may have its argument attached.
fn letters(body: &str, rest: &mut &[String], shell: &mut Shell) -> Result<Option<String>, String> {
    for (at, letter) in body.char_indices() {
        let Some((.., argument)) = OPTIONS.iter().find(|(_, known, _)| *known == letter) else {
            return Err(format!("unsupported option '-{letter}'. See --help."));
        };
        let value = match argument {
            Argument::Needed => match body.get(at + letter.len_utf8()..) {
                Some(attached) if !attached.is_empty() => Some(attached.to_owned()),
                _ => Some(next(letter, rest)?),
            },
            _ => None,
        };
        let has_value = value.is_some();
        if let Some(text) = apply(letter, value.as_deref(), shell)? {
            return Ok(Some(text));
        }
        if has_value {
            break;
        }
    }
    Ok(None)
}

fn next(letter: char, rest: &mut &[String]) -> Result<String, String> {
    let long = OPTIONS.iter().find(|(_, known, _)| *known == letter).map_or("", |(long, ..)| *long);
    let (value, after) = rest
        .split_first()
        .ok_or_else(|| format!("option '-{letter}'/'--{long}' requires an argument"))?;
    *rest = after;
    Ok(value.clone())
}

/// Does what one option says; a text is to be printed instead of running anything.
fn apply(letter: char, value: Option<&str>, shell: &mut Shell) -> Result<Option<String>, String> {
    let text = value.unwrap_or_default();
    match letter {
        'c' => shell.target = Target::parse(text),
        'd' => check_debug(text, shell)?,
        'e' => shell.escape = Escape::parse(text)?,
        'h' => return Ok(Some(help::usage())),
        'k' | 'K' if text.parse::<i32>().is_err() => {
            return Err(format!("Invalid value for option -{letter}"));
        }
        'q' => shell.quiet = true,
        'r' => shell.readonly = true,
        't' => shell.timing = true,
        'v' if value == Some("long") => return Ok(Some(long_version())),
        'v' => return Ok(Some(format!("{}\n", env!("CARGO_PKG_VERSION")))),
        'V' => return Ok(Some(long_version())),
        _ => {}
    }
    Ok(None)
}

fn check_debug(text: &str, shell: &mut Shell) -> Result<(), String> {
    let level: i64 = text.parse().map_err(|_| "option -d takes a numeric argument".to_owned())?;
    if !(0..=4).contains(&level) {
        shell.report(&fail(format!("ignoring debug level {level} out of range [0-4]")));
    }
    Ok(())
}

fn long_version() -> String {
    format!(
        "nsvirsh {}, the command line of nsvirt\n\nHypervisors: LXC\nTransport: D-Bus\n",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn error(line: &str) -> String {
        parse(&words(line), &mut Shell::new()).unwrap_err()
    }

    #[test]
    fn options_end_at_the_command() {
        let mut shell = Shell::new();
        let line = words("-qtc system --escape ^a list -q");
        assert_eq!(parse(&line, &mut shell), Ok(Start::Words(&words("list -q"))));
        assert!(shell.quiet && shell.timing && !shell.readonly);
        assert_eq!(shell.target, Target::System);
        assert_eq!(shell.escape.byte(), 1);
    }

    #[test]
    fn abbreviations_and_attached_arguments() {
        let mut shell = Shell::new();
        assert_eq!(parse(&words("--conn=session -rcsystem"), &mut shell), Ok(Start::Interactive));
        assert!(shell.readonly);
        assert_eq!(shell.target, Target::System);
        assert_eq!(error("--keepalive=3"), "unsupported option '--keepalive'. See --help.");
    }

    #[test]
    fn mistakes() {
        assert_eq!(error("-Z"), "unsupported option '-Z'. See --help.");
        assert_eq!(error("--bogus"), "unsupported option '--bogus'. See --help.");
        assert_eq!(error("--quiet=x"), "unsupported option '-q'. See --help.");
        assert_eq!(error("-c"), "option '-c'/'--connect' requires an argument");
        assert_eq!(error("-d x pwd"), "option -d takes a numeric argument");
        assert_eq!(error("-k x pwd"), "Invalid value for option -k");
    }
}
