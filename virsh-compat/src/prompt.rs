//! The interactive mode.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{CompletionType, Config, Editor};

use crate::complete::TableCompleter;
use crate::shell::Shell;

const PROMPT: &str = "nsvirsh # ";
const PROMPT_READONLY: &str = "nsvirsh > ";

/// Reads and runs commands until `quit` or the end of input.
pub(crate) fn run(shell: &mut Shell) -> bool {
    shell.interactive = true;
    shell.remark(
        "This is nsvirsh, for containers run by nsvirt.\n\n\
         Type:  'help' for help with commands\n       'quit' to quit\n\n",
    );
    shell.flush();
    if io::stdin().is_terminal() {
        edited(shell)
    } else {
        piped(shell)
    }
    true
}

fn prompt(shell: &Shell) -> &'static str {
    if shell.readonly { PROMPT_READONLY } else { PROMPT }
}

/// Without a terminal there is nothing to edit; the transcript shows what was read all the same.
fn piped(shell: &mut Shell) {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        shell.print(format_args!("{}{line}\n", prompt(shell)));
        if !line.is_empty() {
            shell.run_line(&line);
        }
        if shell.done {
            shell.print("\n");
            return;
        }
    }
    shell.print(format_args!("{}\n", prompt(shell)));
}

fn edited(shell: &mut Shell) {
    let config = Config::builder().completion_type(CompletionType::List).build();
    let Ok(mut editor) = Editor::<TableCompleter, DefaultHistory>::with_config(config) else {
        return piped(shell);
    };
    editor.set_helper(Some(TableCompleter::default()));
    let history = history_file();
    if let Some(path) = &history {
        // The first session has no file to load.
        let _ = editor.load_history(path);
    }
    while !shell.done {
        if let Some(helper) = editor.helper_mut() {
            // The connection may be another one since the last command.
            helper.bus = shell.bus().ok().cloned();
        }
        match editor.readline(prompt(shell)) {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                let _ = editor.add_history_entry(line.as_str());
                shell.run_line(&line);
            }
            // ^C drops the line, as in a shell.
            Err(ReadlineError::Interrupted) => {}
            Err(_) => break,
        }
    }
    shell.print("\n");
    shell.flush();
    if let Some(path) = &history
        && let Some(dir) = path.parent()
        && std::fs::create_dir_all(dir).is_ok()
    {
        let _ = editor.save_history(path);
    }
}

/// Where other programs keep what is neither configuration nor data.
fn history_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("nsvirsh").join("history"))
}
