//! Completion at the prompt, from the same table as everything else.

use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use zbus::OwnedObjectPath;

use crate::bus::{Bus, CONNECT, DOMAIN, ROOT};
use crate::table::{self, Command, GROUPS, Hint, Kind};

/// Completes commands, options, domains and files.
#[derive(Default)]
pub(crate) struct TableCompleter {
    /// Where to ask for domains, if a connection is open.
    pub(crate) bus: Option<Bus>,
    files: FilenameCompleter,
}

impl Helper for TableCompleter {}
impl Highlighter for TableCompleter {}
impl Validator for TableCompleter {}
impl Hinter for TableCompleter {
    type Hint = String;
}

impl Completer for TableCompleter {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..position).unwrap_or(line);
        let start = typed.rfind([' ', '\t', ';']).map_or(0, |at| at + 1);
        let (before, word) = typed.split_at(start);
        let hint = match wanted(before, word) {
            Wanted::Words(words) => return Ok((start, pairs(words, word))),
            Wanted::Value(hint) => hint,
        };
        match hint {
            Hint::File => self.files.complete(line, position, context),
            Hint::Domain => Ok((start, pairs(self.domains(), word))),
            Hint::Words(words) => Ok((start, pairs(words.iter().map(|w| (*w).to_owned()), word))),
            Hint::Command => Ok((start, pairs(command_names(), word))),
            Hint::None => Ok((start, Vec::new())),
        }
    }
}

/// What may stand at the cursor.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// One of these.
    Words(Vec<String>),
    /// An option's value.
    Value(Hint),
}

fn wanted(before: &str, word: &str) -> Wanted {
    let current = before.rsplit(';').next().unwrap_or_default();
    let words: Vec<&str> = current.split_whitespace().collect();
    let Some((name, given)) = words.split_first() else {
        return Wanted::Words(command_names());
    };
    let Some(command) = table::find(name) else {
        return Wanted::Words(Vec::new());
    };
    if let Some(opt) = valued(command, given.last()) {
        return Wanted::Value(opt);
    }
    if word.starts_with('-') {
        return Wanted::Words(command.opts.iter().map(|opt| format!("--{}", opt.name)).collect());
    }
    let positional = given.iter().filter(|word| !word.starts_with("--")).count();
    let opt = command.opts.iter().filter(|opt| opt.kind.is_positional()).nth(positional);
    Wanted::Value(opt.map_or(Hint::None, |opt| opt.hint))
}

/// The kind of value that the last word asks for, if it is the name of an option with one.
fn valued(command: &Command, last: Option<&&str>) -> Option<Hint> {
    let name = last?.strip_prefix("--")?;
    let opt = command.opts.iter().find(|opt| opt.name == name)?;
    (opt.kind != Kind::Flag).then_some(opt.hint)
}

fn command_names() -> Vec<String> {
    GROUPS.iter().flat_map(|group| group.commands).map(|command| command.name.to_owned()).collect()
}

fn pairs(words: impl IntoIterator<Item = String>, begin: &str) -> Vec<Pair> {
    let fitting = words.into_iter().filter(|word| word.starts_with(begin));
    fitting.map(|word| Pair { display: word.clone(), replacement: word }).collect()
}

impl TableCompleter {
    /// Names of all domains; none if they cannot be had, as the prompt is no place for errors.
    fn domains(&self) -> Vec<String> {
        let Some(bus) = &self.bus else {
            return Vec::new();
        };
        let paths = bus.call::<_, Vec<OwnedObjectPath>>(ROOT, CONNECT, "ListDomains", &(0u32,));
        let paths = paths.unwrap_or_default();
        let names =
            bus.each(&paths, |path| bus.property_async::<String>(path.as_str(), DOMAIN, "Name"));
        names.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_stand_at_the_cursor() {
        assert!(matches!(wanted("", "li"), Wanted::Words(words) if words.contains(&"list".into())));
        assert!(matches!(wanted("pwd;", ""), Wanted::Words(words) if !words.is_empty()));
        assert_eq!(wanted("bogus ", ""), Wanted::Words(Vec::new()));
        assert_eq!(wanted("start ", ""), Wanted::Value(Hint::Domain));
        assert_eq!(wanted("start c1 ", ""), Wanted::Value(Hint::None));
        assert_eq!(wanted("define ", "/t"), Wanted::Value(Hint::File));
        assert_eq!(wanted("list; start --console --domain ", ""), Wanted::Value(Hint::Domain));
        assert_eq!(
            wanted("domstate ", "--"),
            Wanted::Words(vec!["--domain".to_owned(), "--reason".to_owned()])
        );
    }
}
