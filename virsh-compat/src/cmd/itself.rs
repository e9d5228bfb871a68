//! Commands about nsvirsh itself.

use std::path::PathBuf;

use crate::bus::Target;
use crate::cmd::exclusive;
use crate::help;
use crate::outcome::{Failure, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;
use crate::table::{self, GROUPS};

/// `quit` and `exit`
pub(crate) fn quit(shell: &mut Shell, _: &Args) -> Outcome {
    shell.done = true;
    Ok(())
}

/// `pwd`
pub(crate) fn pwd(shell: &mut Shell, _: &Args) -> Outcome {
    match std::env::current_dir() {
        Ok(dir) => {
            shell.print(format_args!("{}\n", dir.display()));
            Ok(())
        }
        Err(error) => Err(fail(format!("pwd: cannot get current directory: {}", errno(&error)))),
    }
}

/// `cd`: in a script it would have no effect on the shell that runs it, so it is refused there.
pub(crate) fn cd(shell: &mut Shell, args: &Args) -> Outcome {
    if !shell.interactive {
        return Err(fail("cd: command valid only in interactive mode"));
    }
    let dir = match args.text("dir").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => std::env::var_os("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from),
    };
    std::env::set_current_dir(&dir)
        .map_err(|error| fail(format!("cd: {}: {}", errno(&error), dir.display())))
}

/// The system's text for an error, without Rust's addition of the number.
pub(crate) fn errno(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((head, _)) => head.to_owned(),
        None => text,
    }
}

/// `connect`
pub(crate) fn connect(shell: &mut Shell, args: &Args) -> Outcome {
    if let Some(name) = args.nonempty("name")? {
        shell.target = Target::parse(name);
    }
    shell.readonly = args.has("readonly");
    shell.reconnect()
}

/// `help`
pub(crate) fn help(shell: &mut Shell, args: &Args) -> Outcome {
    let name = args.text("command").unwrap_or_default();
    let text = if name.is_empty() {
        help::all()
    } else if let Some(command) = table::find(name) {
        help::command(command)
    } else if let Some(group) = GROUPS.iter().find(|group| group.keyword == name) {
        help::group(group)
    } else {
        return Err(fail(format!("command or command group '{name}' doesn't exist")));
    };
    shell.print(text);
    Ok(())
}

/// `echo`: the end of the line is the blank line that every command is followed by.
pub(crate) fn echo(shell: &mut Shell, args: &Args) -> Outcome {
    exclusive(args, "shell", "xml")?;
    let words = args.texts("string");
    let text = if args.has("split") {
        words.flat_map(split).map(|part| quoted(args, &part) + "\n").collect::<String>()
    } else {
        words.map(|word| quoted(args, word)).collect::<Vec<_>>().join(" ")
    };
    if args.has("err") {
        shell.report(&Failure { lines: vec![text] });
    } else {
        shell.print(text);
    }
    Ok(())
}

fn quoted(args: &Args, word: &str) -> String {
    if args.has("shell") {
        shell_quoted(word)
    } else if args.has("xml") {
        word.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('\'', "&apos;")
            .replace('"', "&quot;")
    } else {
        word.to_owned()
    }
}

/// A word as a shell reads it.
pub(crate) fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:+@%=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Splits at single commas; a doubled one stands for itself.
fn split(word: &str) -> Vec<String> {
    word.replace(",,", "\0").split(',').map(|part| part.replace('\0', ",")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(shell_quoted("a-b"), "a-b");
        assert_eq!(shell_quoted(""), "''");
        assert_eq!(shell_quoted("it's"), "'it'\\''s'");
        assert_eq!(split("a,,b,c"), ["a,b", "c"]);
    }
}
