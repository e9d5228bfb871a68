//! Containers whose record is lost or cannot be read: their supervisors have it still.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::Driver;
use super::store::{Store, files};
use super::supervisor;
use crate::error::Result;

impl Driver {
    /// Takes over the containers that have a supervisor and no record. What cannot be taken over is
    /// reported, and goes on.
    pub(super) async fn recover(self: &Arc<Self>) -> Result<()> {
        for (uuid, socket) in self.store.sockets()? {
            let is_known =
                self.registry.by_uuid(uuid).is_ok_and(|domain| domain.snapshot().is_active());
            if is_known {
                continue;
            }
            match self.recover_one(&socket).await {
                Ok(Some(name)) => tracing::warn!("the record of domain '{name}' was made anew"),
                Ok(None) => tracing::debug!("nobody listens on {}", socket.display()),
                Err(error) => {
                    tracing::error!("cannot take over what is at {}: {error}", socket.display());
                }
            }
        }
        Ok(())
    }

    async fn recover_one(self: &Arc<Self>, socket: &Path) -> Result<Option<String>> {
        let Some(text) = supervisor::ask_record(socket).await? else { return Ok(None) };
        let record = Store::read_record(&text)?;
        let name = record.live.name.clone();
        self.store.record(&record)?;
        self.take_over(record).await?;
        Ok(Some(name))
    }
}

impl Store {
    /// Sockets of the supervisors there are or were, and whose they are.
    fn sockets(&self) -> Result<Vec<(Uuid, PathBuf)>> {
        let sockets = files(&self.paths.runs(), "sock")?;
        let uuid = |path: &PathBuf| path.file_stem()?.to_str()?.parse().ok();
        Ok(sockets.into_iter().filter_map(|path| Some((uuid(&path)?, path))).collect())
    }
}
