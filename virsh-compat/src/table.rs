//! The shape of the table of commands, from which parser, help, man page and completions are made.
//!
//! The rows are in [`rows`].

mod devices;
mod rows;

pub(crate) use rows::GROUPS;

use crate::outcome::Outcome;
use crate::parse::Args;
use crate::shell::Shell;

/// What kind of argument an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// None: it is there or not.
    Flag,
    /// A text that must be given, by name or by position.
    Data,
    /// A text that may be given, by name or by position.
    Text,
    /// A text that may be given, by name only.
    Named,
    /// A text that may be given, by name only, as often as wanted.
    Many,
    /// A number that may be given, by name or by position.
    Number,
    /// All remaining words, or by name as often as wanted.
    Rest,
}

impl Kind {
    /// Whether a word without a name can be its argument.
    pub(crate) fn is_positional(self) -> bool {
        !matches!(self, Self::Flag | Self::Named | Self::Many)
    }

    /// The word that stands for the argument in help and errors.
    pub(crate) fn placeholder(self) -> &'static str {
        if self == Self::Number { "number" } else { "string" }
    }
}

/// What completion offers as an option's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hint {
    /// Nothing can be said.
    None,
    /// A domain.
    Domain,
    /// A path.
    File,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A command of this table.
    Command,
}

/// An option of a command.
#[derive(Debug)]
pub(crate) struct Opt {
    /// Its name, without dashes.
    pub(crate) name: &'static str,
    /// What argument it takes.
    pub(crate) kind: Kind,
    /// One line of help.
    pub(crate) help: &'static str,
    /// For completion.
    pub(crate) hint: Hint,
}

/// A row of the table.
pub(crate) struct Command {
    /// What is typed.
    pub(crate) name: &'static str,
    /// One line of help, for the lists.
    pub(crate) summary: &'static str,
    /// A few lines of help; may be empty.
    pub(crate) description: &'static str,
    /// In the order in which positional arguments fill them.
    pub(crate) opts: &'static [Opt],
    /// Whether it needs the service.
    pub(crate) connects: bool,
    /// Does the work.
    pub(crate) run: fn(&mut Shell, &Args) -> Outcome,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Command").field(&self.name).finish()
    }
}

/// Commands that belong together in the help.
#[derive(Debug)]
pub(crate) struct Group {
    /// Heading.
    pub(crate) title: &'static str,
    /// Word for `help GROUP`.
    pub(crate) keyword: &'static str,
    /// In alphabetical order, as they are shown.
    pub(crate) commands: &'static [Command],
}

/// Looks a command up by name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    commands().find(|command| command.name == name)
}

/// All commands, group by group.
pub(crate) fn commands() -> impl Iterator<Item = &'static Command> {
    GROUPS.iter().flat_map(|group| group.commands)
}
