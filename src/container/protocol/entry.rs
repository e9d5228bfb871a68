//! What the daemon and a process that enters a container say to each other.
//!
//! The daemon sends [`Order::Enter`] once, which is answered by [`Word::Started`] or
//! [`Word::Failed`]; then as many others as it wants, each answered by [`Word::Done`] or
//! [`Word::Refused`] in order. [`Word::Ended`] comes unasked, once, and is the last.

use serde::{Deserialize, Serialize};

use super::{Exit, Failure};
use crate::plan::Account;

/// From the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Execute a program in a container. A file with a [`Program`], a file with the container's
    /// plan and a pidfd of its init come along, and for a program without a terminal its standard
    /// input, output and error.
    Enter,
    /// Send the program a signal.
    Signal(i32),
    /// Tell the program's terminal its size.
    Resize(Size),
}

/// To the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    /// The program is executed; its terminal comes along, if it has one.
    Started,
    /// It is not, and nothing of it is left.
    Failed(Failure),
    /// Done as asked.
    Done,
    /// Not done, and why.
    Refused(Failure),
    /// The program ended.
    Ended(Exit),
}

/// Size of a terminal in characters; none is 0 by 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines of text.
    pub rows: u16,
    /// Characters per line.
    pub columns: u16,
}

/// What is executed in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Process ID of the container's init on the host.
    pub init: i32,
    /// All arguments; the first is the program, looked up in `PATH` if it has no slash.
    pub arguments: Vec<String>,
    /// `NAME=value`, in place of what init has of that name, or beside it.
    pub environment: Vec<String>,
    /// Who it runs as; None for init's user.
    pub account: Option<Account>,
    /// Working directory; None for init's.
    pub directory: Option<String>,
    /// A terminal of the container's of this size, or none.
    pub terminal: Option<Size>,
}
