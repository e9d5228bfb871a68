//! What a command leaves behind: nothing, or the lines of an error.

use crate::bus::BusError;

/// A failed command; each line is printed behind `error: `.
///
/// It may hold no line at all: then the command said what was to say on its own, and only the
/// exit status tells of the failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The lines, outermost reason first.
    pub(crate) lines: Vec<String>,
}

/// The result of a command.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// A failure of one line.
pub(crate) fn fail(line: impl Into<String>) -> Failure {
    Failure { lines: vec![line.into()] }
}

impl From<String> for Failure {
    fn from(line: String) -> Self {
        fail(line)
    }
}

impl From<BusError> for Failure {
    fn from(error: BusError) -> Self {
        fail(error.to_string())
    }
}

/// Puts the sentence of what was tried before the reason the service gave.
pub(crate) trait Context<T> {
    /// `what` becomes the first line, the error the second.
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| {
            let mut lines = vec![what()];
            lines.extend(error.into().lines);
            Failure { lines }
        })
    }
}
