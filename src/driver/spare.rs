//! The supervisor of the next container, executed before there is one to wait for it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::program::Program;
use super::supervisor::Supervisor;
use crate::error::Result;

/// A supervisor that waits for its container, if one could be had, and how to get more.
#[derive(Debug)]
pub(super) struct Spare {
    program: Program,
    waiting: Mutex<Option<Supervisor>>,
}

impl Spare {
    pub(super) fn new(program: Program) -> Self {
        Self { program, waiting: Mutex::default() }
    }

    /// Where the program is.
    pub(super) fn path(&self) -> &Path {
        self.program.path()
    }

    /// The program.
    pub(super) fn program(&self) -> &Program {
        &self.program
    }

    /// A supervisor for one container: the spare one, or a new one where there is none.
    pub(super) fn take(&self) -> Result<Supervisor> {
        match self.remove() {
            Some(supervisor) if !supervisor.process.has_ended() => Ok(supervisor),
            Some(ended) => {
                ended.process.reap();
                Supervisor::spawn(&self.program)
            }
            None => Supervisor::spawn(&self.program),
        }
    }

    /// Executes the next one where there is none, beside everything else.
    pub(super) fn refill(self: &Arc<Self>) {
        let this = self.clone();
        // Executing a program stops the thread that does it for half a millisecond.
        tokio::task::spawn_blocking(move || {
            let mut waiting = this.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.is_none() {
                match Supervisor::spawn(&this.program) {
                    Ok(supervisor) => *waiting = Some(supervisor),
                    // The next start will try again, and say so.
                    Err(error) => tracing::debug!("no spare supervisor: {error}"),
                }
            }
        });
    }

    /// Ends the one that waits, if there is one.
    pub(super) async fn discard(&self) {
        if let Some(supervisor) = self.remove() {
            let process = supervisor.close();
            process.ended().await;
            process.reap();
        }
    }

    fn remove(&self) -> Option<Supervisor> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
