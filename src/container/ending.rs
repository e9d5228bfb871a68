//! How a container ended, and what that was.

use std::fmt;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::protocol::Failure;
use crate::sys::pidfd::Exit;

/// The end of a container's init.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How the process ended.
    pub exit: Exit,
    /// What that was to the container.
    pub cause: Cause,
    /// Whether the kernel killed a process of the container for lack of memory then: with
    /// `SIGKILL` as the exit, it was init.
    pub out_of_memory: bool,
    /// Why it was not started anew, where it should have been.
    pub not_restarted: Option<Failure>,
}

/// What the end of init was: the three ends that a document has actions for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Init ended by itself, with whatever status, or powered off.
    PowerOff,
    /// The container rebooted.
    Reboot,
    /// Init was killed.
    Crash,
}

impl Cause {
    /// What an exit is. Nothing but `reboot(2)` ends the first process of a PID namespace by
    /// `SIGHUP` (restart) or `SIGINT` (halt, power off): as any signal without a handler, others
    /// do not reach it. `to_reboot` says that init was asked to end for a reboot.
    pub(super) fn of(exit: Exit, to_reboot: bool) -> Self {
        const RESTART: i32 = Signal::SIGHUP as i32;
        const HALT: i32 = Signal::SIGINT as i32;
        match exit {
            Exit::Signal(RESTART) => Self::Reboot,
            Exit::Status(_) | Exit::Signal(HALT) if to_reboot => Self::Reboot,
            Exit::Status(_) | Exit::Signal(HALT) => Self::PowerOff,
            Exit::Signal(_) | Exit::Dumped(_) => Self::Crash,
        }
    }
}

/// A signal by its number, and its name if it has one.
pub fn signal_text(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => format!("signal {number} ({signal})"),
        Err(_) => format!("signal {number}"),
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Exit::Signal(number) | Exit::Dumped(number)) = self.exit else {
            let Exit::Status(status) = self.exit else { return Ok(()) };
            write!(f, "init exited with status {status}")?;
            return self.fmt_restart(f);
        };
        match self.cause {
            Cause::Reboot => f.write_str("the container rebooted")?,
            Cause::PowerOff => f.write_str("the container powered off")?,
            Cause::Crash => {
                write!(f, "init was killed by {}", signal_text(number))?;
            }
        }
        if matches!(self.exit, Exit::Dumped(_)) {
            f.write_str(", core dumped")?;
        }
        if self.out_of_memory {
            f.write_str(", out of memory")?;
        }
        self.fmt_restart(f)
    }
}

impl End {
    fn fmt_restart(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.not_restarted {
            Some(failure) => write!(f, "; it was not started anew: {failure}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes() {
        for (exit, to_reboot, cause) in [
            (Exit::Status(0), false, Cause::PowerOff),
            (Exit::Status(3), false, Cause::PowerOff),
            (Exit::Status(3), true, Cause::Reboot),
            (Exit::Signal(1), false, Cause::Reboot),
            (Exit::Signal(2), false, Cause::PowerOff),
            (Exit::Signal(2), true, Cause::Reboot),
            (Exit::Signal(9), true, Cause::Crash),
            (Exit::Dumped(11), false, Cause::Crash),
        ] {
            assert_eq!(Cause::of(exit, to_reboot), cause, "{exit:?} {to_reboot}");
        }
    }

    #[test]
    fn an_end_is_a_sentence() {
        let end = |exit| End {
            exit,
            cause: Cause::of(exit, false),
            out_of_memory: false,
            not_restarted: None,
        };
        let text = |exit| end(exit).to_string();
        assert_eq!(text(Exit::Status(3)), "init exited with status 3");
        assert_eq!(text(Exit::Signal(2)), "the container powered off");
        assert_eq!(text(Exit::Dumped(11)), "init was killed by signal 11 (SIGSEGV), core dumped");
        let failure = Failure { attempt: "fork".into(), path: String::new(), errno: 1 };
        let end = End { out_of_memory: true, not_restarted: Some(failure), ..end(Exit::Signal(9)) };
        assert_eq!(
            end.to_string(),
            "init was killed by signal 9 (SIGKILL), out of memory; it was not started anew: \
             cannot fork: Operation not permitted"
        );
    }
}
