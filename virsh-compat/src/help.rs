//! Help, from the table.

use std::fmt::Write;

use crate::table::{Command, GROUPS, Group, Kind, Opt};

/// How the option stands in the line of the synopsis.
pub(crate) fn synopsis(command: &Command) -> String {
    let mut line = command.name.to_owned();
    for opt in command.opts {
        let name = opt.name;
        let _ = match opt.kind {
            Kind::Flag => write!(line, " [--{name}]"),
            Kind::Data => write!(line, " <{name}>"),
            Kind::Text | Kind::Named | Kind::Number => {
                write!(line, " [--{name} <{}>]", opt.kind.placeholder())
            }
            Kind::Many => write!(line, " [--{name} <string>]..."),
            Kind::Rest => write!(line, " [[--{name}] <string>]..."),
        };
    }
    line
}

/// How the option stands in the list of options.
pub(crate) fn label(opt: &Opt) -> String {
    let name = opt.name;
    match opt.kind {
        Kind::Flag => format!("--{name}"),
        Kind::Data | Kind::Rest => format!("[--{name}] <string>"),
        Kind::Text | Kind::Named | Kind::Many | Kind::Number => {
            format!("--{name} <{}>", opt.kind.placeholder())
        }
    }
}

/// `help COMMAND`.
pub(crate) fn command(command: &Command) -> String {
    let mut text = format!("  NAME\n    {} - {}\n", command.name, command.summary);
    let _ = writeln!(text, "\n  SYNOPSIS\n    {}", synopsis(command));
    if !command.description.is_empty() {
        let _ =
            writeln!(text, "\n  DESCRIPTION\n    {}", command.description.replace('\n', "\n    "));
    }
    if !command.opts.is_empty() {
        text.push_str("\n  OPTIONS\n");
        for opt in command.opts {
            let _ = writeln!(text, "    {:<15}  {}", label(opt), opt.help);
        }
    }
    text.push('\n');
    text
}

/// `help GROUP`.
pub(crate) fn group(group: &Group) -> String {
    let mut text = format!(" {} (help keyword '{}'):\n", group.title, group.keyword);
    push_commands(&mut text, group);
    text
}

/// `help`.
pub(crate) fn all() -> String {
    let mut text = "Grouped commands:\n\n".to_owned();
    for one in GROUPS {
        text.push_str(&group(one));
        text.push('\n');
    }
    text
}

fn push_commands(text: &mut String, group: &Group) {
    for command in group.commands {
        let _ = writeln!(text, "    {:<30} {}", command.name, command.summary);
    }
}

/// The global options: what is typed, and what it does; for `--help` and the man page.
pub(crate) const GLOBAL_OPTIONS: &[(&str, &str)] = &[
    ("-c | --connect=BUS", "D-Bus address, system or session"),
    ("-d | --debug=NUM", "accepted, without effect"),
    ("-e | --escape <char>", "character that leaves a console, such as ^]"),
    ("-h | --help", "this help"),
    ("-k | --keepalive-interval=NUM", "accepted, without effect"),
    ("-K | --keepalive-count=NUM", "accepted, without effect"),
    ("-l | --log=FILE", "accepted, without effect"),
    ("-q | --quiet", "no headings, no remarks"),
    ("-r | --readonly", "refuse commands that change something"),
    ("-t | --timing", "print how long each command took"),
    ("-v", "version"),
    ("-V", "version, with more words"),
    ("     --version[=TYPE]", "version, TYPE is short or long"),
];

/// `nsvirsh --help`.
pub(crate) fn usage() -> String {
    let mut text = "\nnsvirsh [options]... [<command_string>]\n\
                    nsvirsh [options]... <command> [args...]\n\n  options:\n"
        .to_owned();
    for (option, help) in GLOBAL_OPTIONS {
        // A long option pushes its help to the next line, where the column is free.
        let _ = match option.len() {
            0..=23 => writeln!(text, "    {option:<23} {help}"),
            _ => writeln!(text, "    {option}\n    {:<23} {help}", ""),
        };
    }
    text.push_str("  commands (non interactive mode):\n\n");
    for group in GROUPS {
        let _ = writeln!(text, " {} (help keyword '{}')", group.title, group.keyword);
        push_commands(&mut text, group);
        text.push('\n');
    }
    text.push_str(
        "\n  (help <group> explains a group)\n\n  (help <command> explains a command)\n\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{commands, find};

    #[test]
    fn every_command_has_help() {
        for one in commands() {
            assert!(!one.summary.is_empty(), "{}", one.name);
            let text = command(one);
            assert!(text.contains("\n  SYNOPSIS\n"), "{}", one.name);
            for opt in one.opts {
                assert!(!opt.help.is_empty(), "{} --{}", one.name, opt.name);
                assert!(text.contains(opt.help), "{} --{}", one.name, opt.name);
            }
        }
    }

    #[test]
    fn names_are_unique_and_sorted() {
        for group in GROUPS {
            assert!(group.commands.is_sorted_by_key(|c| c.name), "{}", group.title);
        }
        let mut names: Vec<_> = commands().map(|c| c.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn layout_of_a_command() {
        let text = command(find("domstate").unwrap());
        let expected = "  NAME\n    domstate - state of a domain\n\n  SYNOPSIS\n    \
            domstate <domain> [--reason]\n\n  DESCRIPTION\n    Prints the state in a word or two.\
            \n\n  OPTIONS\n    [--domain] <string>  id, uuid or name of the domain\n    \
            --reason         add why it is in this state\n\n";
        assert_eq!(text, expected);
    }
}
