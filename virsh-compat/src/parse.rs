//! Matches words against a command's options: the grammar of the command line.

use crate::table::{self, Command, Kind, Opt};

/// One command with its options, ready to run.
#[derive(Debug)]
pub(crate) struct Args {
    /// The row of the table.
    pub(crate) command: &'static Command,
    values: Vec<(&'static str, String)>,
}

impl Args {
    /// Whether the option was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(seen, _)| *seen == name)
    }

    /// The option's text, if it was given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values
            .iter()
            .find(|(seen, _)| *seen == name)
            .map(|(_, text)| text.as_str())
    }

    /// All texts of an option that may be repeated.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values
            .iter()
            .filter(move |(seen, _)| *seen == name)
            .map(|(_, text)| text.as_str())
    }

    /// The option's text; an empty one is refused, as it can only be a slip of a script.
    pub(crate) fn nonempty(&self, name: &str) -> Result<Option<&str>, String> {
        match self.text(name) {
            Some("") => Err(format!(
                "Failed to get option '{name}': Option argument is empty"
            )),
            other => Ok(other),
        }
    }

    fn add(&mut self, opt: &Opt, text: &str) {
        self.values.push((opt.name, text.to_owned()));
    }
}

/// Parses the words of one command.
pub(crate) fn parse(words: &[String]) -> Result<Args, String> {
    let (name, rest) = words.split_first().ok_or("no command given")?;
    let command = table::find(name).ok_or_else(|| format!("unknown command: '{name}'"))?;
    if rest.iter().any(|word| word == "--help") && command.name != "help" {
        return help_of(name);
    }
    let mut args = Args {
        command,
        values: Vec::new(),
    };
    let mut rest = rest.iter();
    let mut only_data = false;
    while let Some(word) = rest.next() {
        match option_name(word) {
            _ if only_data => positional(&mut args, word)?,
            Some("") => only_data = true,
            Some(body) => named(&mut args, body, &mut rest)?,
            None => positional(&mut args, word)?,
        }
    }
    let missing = command
        .opts
        .iter()
        .find(|o| o.kind == Kind::Data && !args.has(o.name));
    match missing {
        Some(opt) => Err(format!("command '{name}' requires <{}> option", opt.name)),
        None => Ok(args),
    }
}

/// `COMMAND --help` is `help COMMAND`, whatever else the line says.
fn help_of(name: &str) -> Result<Args, String> {
    let command = table::find("help").ok_or("no help in this build")?;
    Ok(Args {
        command,
        values: vec![("command", name.to_owned())],
    })
}

/// What follows the dashes: empty for `--` itself, none if the word is plain data.
fn option_name(word: &str) -> Option<&str> {
    let body = word.strip_prefix("--")?;
    let is_option = body.is_empty() || body.starts_with(|c: char| c.is_ascii_alphanumeric());
    is_option.then_some(body)
}

fn named(
    args: &mut Args,
    body: &str,
    rest: &mut std::slice::Iter<'_, String>,
) -> Result<(), String> {
    let (name, inline) = match body.split_once('=') {
        Some((name, text)) => (name, Some(text)),
        None => (body, None),
    };
    let command = args.command;
    let Some(opt) = command
        .opts
        .iter()
        .find(|o| o.name == name && o.kind != Kind::Rest)
    else {
        // Help is what one asks for when unsure: it forgives words it does not know.
        if command.name == "help" {
            return Ok(());
        }
        return Err(format!(
            "command '{}' doesn't support option --{name}",
            command.name
        ));
    };
    if args.has(opt.name) {
        return Err(format!("option --{name} already seen"));
    }
    let text = match (opt.kind, inline) {
        (Kind::Flag, Some(_)) => return Err(format!("invalid '=' after option --{name}")),
        (Kind::Flag, None) => "",
        (_, Some(text)) => text,
        (kind, None) => rest
            .next()
            .ok_or_else(|| format!("expected syntax: --{name} <{}>", kind.placeholder()))?,
    };
    args.add(opt, text);
    Ok(())
}

/// A word without a name fills the first option with a value that is still free.
fn positional(args: &mut Args, word: &str) -> Result<(), String> {
    let free = args
        .command
        .opts
        .iter()
        .find(|o| o.kind == Kind::Rest || (o.kind != Kind::Flag && !args.has(o.name)));
    match free {
        Some(opt) => args.add(opt, word),
        None if args.command.name == "help" => {}
        None => return Err(format!("unexpected data '{word}'")),
    }
    Ok(())
}
