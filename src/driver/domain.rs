//! One domain as the driver holds it: who may change it, and what readers see.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use uuid::Uuid;

use super::exec::Execs;
use super::lifecycle::{Operation, Standing, State, Transition, admit, not_running};
use super::supervisor::Supervisor;
use crate::cgroup::Group;
use crate::container::protocol::End;
use crate::error::{Error, ErrorCode, Result};
use crate::model::Domain as Document;
use crate::plan::IdMaps;

/// How long an operation waits for another one on the same domain.
const JOB_PATIENCE: Duration = Duration::from_secs(30);

/// A domain. Operations hold its job, one at a time; readers take a snapshot and wait for nobody.
#[derive(Debug)]
pub struct Domain {
    /// Its identity for good.
    pub uuid: Uuid,
    /// Its name, which no operation changes.
    pub name: String,
    job: tokio::sync::Mutex<()>,
    snapshot: RwLock<Arc<Snapshot>>,
    run: Mutex<Option<Arc<Run>>>,
    /// Programs that were executed in it.
    pub(super) execs: Execs,
    ids: Mutex<IdMaps>,
}

/// What is known of a domain at one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The definition, if it has one.
    pub definition: Option<Arc<Document>>,
    /// The document it runs from, while it runs.
    pub live: Option<Arc<Document>>,
    /// Whether it runs.
    pub state: State,
    /// libvirt's reason for that state.
    pub reason: i32,
    /// How init ended last, until it is started again.
    pub end: Option<End>,
    /// Whether it starts with the daemon.
    pub autostart: bool,
}

impl Snapshot {
    /// What decides what may be done.
    pub fn standing(&self) -> Standing {
        Standing { state: self.state, persistent: self.definition.is_some() }
    }

    /// libvirt's state number (`virDomainState`) and reason.
    pub fn state_numbers(&self) -> (i32, i32) {
        let state = match self.state {
            State::Running => 1,
            State::Paused => 3,
            State::Shutoff => 5,
        };
        (state, self.reason)
    }

    /// libvirt's ID: the process ID of the supervisor while the domain runs.
    pub fn id(&self) -> Option<u32> {
        self.live.as_ref().and_then(|live| live.id)
    }

    /// Whether it runs, paused or not.
    pub fn is_active(&self) -> bool {
        self.standing().is_active()
    }

    /// The document that counts now: the one it runs from, else its definition.
    pub fn current(&self) -> Option<&Arc<Document>> {
        self.live.as_ref().or(self.definition.as_ref())
    }

    fn exists(&self) -> bool {
        self.definition.is_some() || self.is_active()
    }
}

/// A container that runs.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) supervisor: Supervisor,
    pub(super) group: Group,
    init: Mutex<Option<Arc<Init>>>,
}

/// The first process of a container.
#[derive(Debug)]
pub(super) struct Init {
    /// Process ID on the host.
    pub(super) pid: u32,
    /// Means this process for good.
    pub(super) pidfd: OwnedFd,
}

impl Run {
    pub(super) fn new(supervisor: Supervisor, group: Group) -> Self {
        Self { supervisor, group, init: Mutex::new(None) }
    }

    pub(super) fn set_init(&self, pid: u32, pidfd: OwnedFd) {
        *self.init.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::new(Init { pid, pidfd }));
    }

    pub(super) fn init(&self) -> Option<Arc<Init>> {
        self.init.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Domain {
    /// A domain that does not exist yet: no definition, not running.
    pub(super) fn new(uuid: Uuid, name: &str) -> Self {
        let snapshot = Snapshot {
            definition: None,
            live: None,
            state: State::Shutoff,
            reason: 0,
            end: None,
            autostart: false,
        };
        Self {
            uuid,
            name: name.to_owned(),
            job: tokio::sync::Mutex::new(()),
            snapshot: RwLock::new(Arc::new(snapshot)),
            run: Mutex::new(None),
            execs: Execs::default(),
            ids: Mutex::new(IdMaps::default()),
        }
    }

    /// What is known now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is defined or runs; one that is neither is being made, or is no more.
    pub(super) fn exists(&self) -> bool {
        self.snapshot().exists()
    }

    /// Publishes a change. The caller holds the job.
    pub(super) fn publish(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = self.snapshot.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = (**snapshot).clone();
        change(&mut next);
        *snapshot = Arc::new(next);
    }

    /// Waits for the turn to change this domain, whether it exists or not.
    pub(super) async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>> {
        tokio::time::timeout(JOB_PATIENCE, self.job.lock()).await.map_err(|_| {
            Error::new(
                ErrorCode::OperationTimeout,
                format!(
                    "cannot acquire state change lock of domain '{}': another operation has \
                     held it for {JOB_PATIENCE:?}",
                    self.name
                ),
            )
        })
    }

    /// The same without a time limit, for what must be done whoever has the turn now.
    pub(super) async fn patient_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        loop {
            match self.turn().await {
                Ok(turn) => return turn,
                Err(error) => tracing::warn!("{error}"),
            }
        }
    }

    /// Waits for the turn to change this domain and asks whether an operation is admitted then.
    pub(super) async fn job(
        &self,
        operation: Operation,
    ) -> Result<(tokio::sync::MutexGuard<'_, ()>, Transition)> {
        let turn = self.turn().await?;
        if !self.exists() {
            return Err(self.not_found());
        }
        let transition = self.admit(operation)?;
        Ok((turn, transition))
    }

    pub(super) fn admit(&self, operation: Operation) -> Result<Transition> {
        admit(self.snapshot().standing(), operation)
    }

    pub(super) fn not_found(&self) -> Error {
        not_found(format!("no domain with matching uuid '{}' ({})", self.uuid, self.name))
    }

    /// The ids on the host of its container, from before its start to its end.
    pub(super) fn ids(&self) -> IdMaps {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whoever starts it takes ids for it ([`super::registry::Registry::take_ids`]), and gives them
    /// back with `default`.
    pub(super) fn set_ids(&self, ids: IdMaps) {
        *self.ids.lock().unwrap_or_else(PoisonError::into_inner) = ids;
    }

    pub(super) fn set_run(&self, run: Option<Arc<Run>>) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = run;
    }

    /// The container, while the domain runs.
    pub(super) fn run(&self) -> Result<Arc<Run>> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).clone();
        run.ok_or_else(not_running)
    }
}

/// libvirt's answer for a domain that is not there.
pub(super) fn not_found(detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::NoDomain, detail)
}
