//! Matches words against a command's options: the grammar of the command line.

use crate::outcome::{Failure, Outcome, fail};
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
        self.values.iter().find(|(seen, _)| *seen == name).map(|(_, text)| text.as_str())
    }

    /// All texts of an option that may be repeated.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(seen, _)| *seen == name).map(|(_, text)| text.as_str())
    }

    /// The option's text; an empty one is refused, as it can only be a slip of a script.
    pub(crate) fn nonempty(&self, name: &str) -> Result<Option<&str>, String> {
        match self.text(name) {
            Some("") => Err(format!("Failed to get option '{name}': Option argument is empty")),
            other => Ok(other),
        }
    }

    fn add(&mut self, opt: &Opt, text: &str) {
        self.values.push((opt.name, text.to_owned()));
    }
}

/// Parses the words of one command.
pub(crate) fn parse(words: &[String]) -> Outcome<Args> {
    let (name, rest) = words.split_first().ok_or_else(|| fail("no command given"))?;
    let command = table::find(name).ok_or_else(|| format!("unknown command: '{name}'"))?;
    let mut args = Args { command, values: Vec::new() };
    let mut rest = rest.iter();
    let (mut only_data, mut help) = (false, false);
    while let Some(word) = rest.next() {
        match option_name(word) {
            _ if only_data => positional(&mut args, word)?,
            Some("") => only_data = true,
            Some("help") => help = true,
            Some(body) if body.starts_with("help=") => {
                return Err(fail("invalid '=' after option --help"));
            }
            Some(body) => named(&mut args, body, &mut rest)?,
            None => positional(&mut args, word)?,
        }
    }
    // Help may be asked for with a line that is not complete yet, but not with a wrong one.
    if help && command.name != "help" {
        return Ok(help_of(name)?);
    }
    let missing = command.opts.iter().filter(|o| o.kind == Kind::Data && !args.has(o.name));
    let lines: Vec<_> =
        missing.map(|opt| format!("command '{name}' requires <{}> option", opt.name)).collect();
    if lines.is_empty() { Ok(args) } else { Err(Failure { lines }) }
}

/// `COMMAND --help` is `help COMMAND`.
fn help_of(name: &str) -> Result<Args, String> {
    let command = table::find("help").ok_or("no help in this build")?;
    Ok(Args { command, values: vec![("command", name.to_owned())] })
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
    let Some(opt) = command.opts.iter().find(|o| o.name == name) else {
        // Help is what one asks for when unsure: it forgives words it does not know.
        if command.name == "help" {
            return Ok(());
        }
        return Err(format!("command '{}' doesn't support option --{name}", command.name));
    };
    if args.has(opt.name) && !matches!(opt.kind, Kind::Rest | Kind::Many) {
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
        .find(|o| o.kind == Kind::Rest || (o.kind.is_positional() && !args.has(o.name)));
    match free {
        Some(opt) => args.add(opt, word),
        None if args.command.name == "help" => {}
        None => return Err(format!("unexpected data '{word}'")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_parse(line: &str) -> Outcome<Args> {
        parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    fn error(line: &str) -> String {
        try_parse(line).unwrap_err().lines.join("; ")
    }

    #[test]
    fn three_spellings_of_one_command() {
        for line in
            ["start c1 --console", "start --console --domain c1", "start --domain=c1 --console"]
        {
            let args = try_parse(line).unwrap();
            assert_eq!(args.text("domain"), Some("c1"));
            assert!(args.has("console") && !args.has("paused"));
        }
    }

    #[test]
    fn data_fills_options_in_order() {
        let args = try_parse("event c1 lifecycle 5").unwrap();
        assert_eq!(args.text("event"), Some("lifecycle"));
        assert_eq!(args.text("timeout"), Some("5"));
        let args = try_parse("domid -- --x").unwrap();
        assert_eq!(args.text("domain"), Some("--x"));
        let args = try_parse("echo a --xml b").unwrap();
        assert_eq!(args.texts("string").collect::<Vec<_>>(), ["a", "b"]);
        let args = try_parse("desc c1 a --title --new-desc b --new-desc=c").unwrap();
        assert_eq!(args.texts("new-desc").collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(error("dumpxml c1 //name"), "unexpected data '//name'");
        assert_eq!(try_parse("dumpxml c1 --xpath //name").unwrap().text("xpath"), Some("//name"));
        // Whatever follows a name is its value, even if it looks like an option.
        assert_eq!(try_parse("event --event --all").unwrap().text("event"), Some("--all"));
    }

    #[test]
    fn mistakes() {
        assert_eq!(error("lst"), "unknown command: 'lst'");
        assert_eq!(error("list --bogus"), "command 'list' doesn't support option --bogus");
        assert_eq!(error("list x"), "unexpected data 'x'");
        assert_eq!(error("list -a"), "unexpected data '-a'");
        assert_eq!(error("list --all=1"), "invalid '=' after option --all");
        assert_eq!(error("list --all --all"), "option --all already seen");
        assert_eq!(error("domid c1 --domain c2"), "option --domain already seen");
        assert_eq!(error("domid --domain"), "expected syntax: --domain <string>");
        assert_eq!(error("event --timeout"), "expected syntax: --timeout <number>");
        assert_eq!(error("domid"), "command 'domid' requires <domain> option");
        assert_eq!(
            error("metadata --live"),
            "command 'metadata' requires <domain> option; command 'metadata' requires <uri> option"
        );
        let empty = try_parse("domid --domain=").unwrap();
        assert_eq!(
            empty.nonempty("domain").unwrap_err(),
            "Failed to get option 'domain': Option argument is empty"
        );
    }

    #[test]
    fn help_is_an_option_of_every_command() {
        for line in ["start --help", "start c1 --help", "start --help --console"] {
            let args = try_parse(line).unwrap();
            assert_eq!((args.command.name, args.text("command")), ("help", Some("start")));
        }
        assert_eq!(error("list --bogus --help"), "command 'list' doesn't support option --bogus");
        assert_eq!(try_parse("help --bogus list x").unwrap().text("command"), Some("list"));
    }
}
