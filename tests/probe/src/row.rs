//! One row: a question and its answer.

use std::fmt;
use std::io::{self, PipeReader, Read, Write};

use crate::call;

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It can be done.
    Yes,
    /// It cannot.
    No,
    /// This kernel, or this container, has no such thing.
    Na,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Na => "na",
        })
    }
}

/// An answer and why.
pub(crate) type Said = (Answer, String);

/// A question.
pub(crate) type Ask = Box<dyn Fn() -> Said>;

/// Seconds that a row may take.
const PATIENCE: u32 = 20;

/// Asks in a process of its own.
pub(crate) fn run(ask: &Ask) -> Said {
    let (read, mut write) = match io::pipe() {
        Ok(pipe) => pipe,
        Err(error) => return (Answer::Na, error.to_string()),
    };
    let child = call::fork();
    if child == 0 {
        drop(read);
        // SAFETY: an alarm ends this process, which has no handler for it.
        unsafe { libc::alarm(PATIENCE) };
        let (answer, why) = ask();
        let _ = write!(write, "{answer} {why}");
        call::leave(0);
    }
    drop(write);
    let said = heard(read);
    if call::ended_with(child, 0) { said } else { (Answer::No, "killed".to_owned()) }
}

fn heard(mut read: PipeReader) -> Said {
    let mut text = String::new();
    let _ = read.read_to_string(&mut text);
    let (answer, why) = text.split_once(' ').unwrap_or((&text, ""));
    let answer = match answer {
        "yes" => Answer::Yes,
        "na" => Answer::Na,
        _ => Answer::No,
    };
    (answer, why.replace(['\n', '\t'], " "))
}

/// A result as an answer: what fails because the kernel has no such thing says so.
pub(crate) fn from<T>(result: io::Result<T>) -> Said {
    allowing(result, &[])
}

/// The same for calls with wrong arguments: these errors come after permission was given.
pub(crate) fn allowing<T>(result: io::Result<T>, errors: &[i32]) -> Said {
    match result {
        Ok(_) => yes("done"),
        Err(error) => {
            let number = error.raw_os_error().unwrap_or_default();
            let answer = match number {
                _ if errors.contains(&number) => Answer::Yes,
                libc::ENOSYS | libc::ENODEV | libc::EOPNOTSUPP => Answer::Na,
                _ => Answer::No,
            };
            (answer, error.to_string())
        }
    }
}

pub(crate) fn yes(why: impl Into<String>) -> Said {
    (Answer::Yes, why.into())
}

pub(crate) fn no(why: impl Into<String>) -> Said {
    (Answer::No, why.into())
}

pub(crate) fn na(why: impl Into<String>) -> Said {
    (Answer::Na, why.into())
}

pub(crate) fn whether(holds: bool, why: impl Into<String>) -> Said {
    if holds { yes(why) } else { no(why) }
}
