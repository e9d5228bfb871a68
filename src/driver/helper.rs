//! The daemon's end of a helper: the supervisor's program once more, for one task in a container.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Driver;
use super::domain::{Domain, Run};
use super::supervisor::Process;
use crate::container::protocol;
use crate::container::protocol::task::{Action, Outcome, Task};
use crate::error::{Error, ErrorCode, Result};
use crate::plan::IdMaps;
use crate::sys::fd;

/// How long a task may take. Mounting from a server that does not answer takes longest.
const PATIENCE: Duration = Duration::from_secs(30);

impl Driver {
    /// Has something done in the container that runs.
    pub(super) async fn have(
        &self,
        domain: &Domain,
        run: &Run,
        id_maps: &IdMaps,
        action: Action,
    ) -> Result<Outcome> {
        let init = run.init().ok_or_else(|| {
            Error::new(ErrorCode::OperationInvalid, "Init process ID is not yet known")
        })?;
        let pid = i32::try_from(init.pid).unwrap_or_default();
        let task = Task { init: pid, id_maps: id_maps.clone(), action };
        let helper = self.spawn_helper(domain)?;
        let asked = protocol::send(helper.socket.get_ref().as_fd(), &task, &[init.pidfd.as_fd()]);
        asked.map_err(|e| Error::system("cannot reach the helper", e))?;
        let answer = tokio::time::timeout(PATIENCE, helper.answer()).await;
        if answer.is_err() {
            helper.process.kill()?;
        }
        helper.process.ended().await;
        helper.process.reap();
        match answer {
            Ok(Ok(Some(Outcome::Failed(failure)))) => {
                Err(Error::new(ErrorCode::OperationFailed, failure))
            }
            Ok(Ok(Some(outcome))) => Ok(outcome),
            Ok(Ok(None)) => {
                let text = format!("the helper for domain '{}' ended unexpectedly", domain.name);
                Err(Error::new(ErrorCode::InternalError, text))
            }
            Ok(Err(error)) => Err(Error::system("cannot hear the helper", error)),
            Err(_) => {
                let text = format!(
                    "the helper for domain '{}' did not answer within {PATIENCE:?}",
                    domain.name
                );
                Err(Error::new(ErrorCode::OperationTimeout, text))
            }
        }
    }

    fn spawn_helper(&self, domain: &Domain) -> Result<Helper> {
        let log = self.store.log(&domain.name)?;
        let program = self.spare.program();
        let spawn = || -> io::Result<Helper> {
            let (pid, ours) = program.execute(&[&domain.name, "helper"], Some(log))?;
            let process = Process::open(pid)?;
            let process = process.ok_or_else(|| io::Error::from_raw_os_error(nix::libc::ESRCH))?;
            Ok(Helper { process, socket: fd::watch(ours, Interest::READABLE)? })
        };
        spawn().map_err(|e| {
            Error::system(format!("cannot start the helper {}", program.path().display()), e)
        })
    }
}

struct Helper {
    process: Process,
    socket: AsyncFd<OwnedFd>,
}

impl Helper {
    async fn answer(&self) -> io::Result<Option<Outcome>> {
        loop {
            let mut ready = self.socket.readable().await?;
            let received =
                ready.try_io(|socket| protocol::receive::<Outcome>(socket.get_ref().as_fd()));
            match received {
                Err(_would_block) => {}
                Ok(received) => return Ok(received?.map(|(outcome, _)| outcome)),
            }
        }
    }
}
