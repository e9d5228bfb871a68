//! The user's editor on a temporary file.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use tempfile::{NamedTempFile, TempPath};

use crate::cmd::MAX_DOCUMENT;
use crate::cmd::itself::{errno, shell_quoted};
use crate::outcome::{Failure, Outcome, fail};
use crate::shell::Shell;

/// Editors to take when the environment names none: the one that Debian's user or administrator
/// has chosen, and the one that is everywhere.
const DEFAULTS: [&str; 2] = ["sensible-editor", "vi"];

/// A text while it is edited, in a file that only its owner may read; dropped, the file is gone.
#[derive(Debug)]
pub(crate) struct Draft {
    path: TempPath,
}

impl Draft {
    /// Writes a text to a new file.
    pub(crate) fn new(text: &str) -> Outcome<Self> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| fail(format!("{what}: {}", errno(&error)))
        };
        let mut file = tempfile::Builder::new()
            .prefix("nsvirsh")
            .suffix(".xml")
            .tempfile()
            .map_err(failed("failed to create temporary file"))?;
        file.write_all(text.as_bytes()).map_err(failed("failed to write temporary file"))?;
        Ok(Self { path: NamedTempFile::into_temp_path(file) })
    }

    /// Has it edited, and gives what is in the file then. An editor may have put another file in
    /// its place.
    pub(crate) fn edit(&self, shell: &mut Shell) -> Outcome<String> {
        shell.flush();
        run(&editor(), &self.path)?;
        let mut text = String::new();
        let read = File::open(&self.path)
            .and_then(|file| file.take(MAX_DOCUMENT).read_to_string(&mut text));
        read.map_err(|error| {
            let path = self.path.display();
            fail(format!("{path}: failed to read temporary file: {}", errno(&error)))
        })?;
        Ok(text)
    }
}

fn editor() -> String {
    let named = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = |name: &&&str| std::env::split_paths(&path).any(|it| it.join(name).exists());
        DEFAULTS.iter().find(is_there).unwrap_or(&"vi").to_string()
    })
}

/// The editor's words: it is a program, or a line for a shell.
fn words(editor: &str, file: &Path) -> Vec<OsString> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-/_.:@".contains(c);
    if editor.chars().all(plain) {
        return vec![editor.into(), file.into()];
    }
    let line = format!("{editor} {}", shell_quoted(&file.to_string_lossy()));
    vec!["sh".into(), "-c".into(), line.into()]
}

fn run(editor: &str, file: &Path) -> Outcome {
    let words = words(editor, file);
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let (reason, status) = match Command::new(program).args(arguments).status() {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => (None, status),
        Err(error) => {
            let what = format!("cannot execute binary {editor}: {}", errno(&error));
            // What a shell says of a program that it cannot execute.
            (Some(what), ExitStatus::from_raw(127 << 8))
        }
    };
    let quoted: Vec<_> = words.iter().map(|word| shell_quoted(&word.to_string_lossy())).collect();
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => format!("fatal signal {}", signal.unwrap_or_default()),
    };
    let mut lines: Vec<String> = reason.into_iter().collect();
    let command = quoted.join(" ");
    lines.push(format!("internal error: Child process ({command}) unexpected {ended}"));
    Err(Failure { lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_editor_is_a_program_or_a_line_for_a_shell() {
        let words = |editor, file: &str| {
            let words = words(editor, Path::new(file));
            words.iter().map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(words("/usr/bin/vi", "/tmp/a b"), ["/usr/bin/vi", "/tmp/a b"]);
        assert_eq!(words("vi -n", "/tmp/a"), ["sh", "-c", "vi -n /tmp/a"]);
        assert_eq!(words("vi -n", "/tmp/a b"), ["sh", "-c", "vi -n '/tmp/a b'"]);
    }

    #[test]
    fn the_file_is_private_and_gone_afterwards() {
        use std::os::unix::fs::PermissionsExt;
        let draft = Draft::new("text").unwrap();
        let path = draft.path.to_path_buf();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
        drop(draft);
        assert!(!path.exists());
    }

    #[test]
    fn how_an_editor_ends() {
        let line = |editor| run(editor, Path::new("/x")).map_err(|failure| failure.lines);
        assert_eq!(line("true"), Ok(()));
        let child = |command: &str, ended: &str| {
            format!("internal error: Child process ({command}) unexpected {ended}")
        };
        assert_eq!(line("false"), Err(vec![child("false /x", "exit status 1")]));
        let shell = child("sh -c 'exit 3; /x'", "exit status 3");
        assert_eq!(line("exit 3;"), Err(vec![shell]));
        let killed = child("sh -c 'kill -9 $$; /x'", "fatal signal 9");
        assert_eq!(line("kill -9 $$;"), Err(vec![killed]));
        let missing = "cannot execute binary /nonexistent/ed: No such file or directory";
        let status = child("/nonexistent/ed /x", "exit status 127");
        assert_eq!(line("/nonexistent/ed"), Err(vec![missing.to_owned(), status]));
    }
}
