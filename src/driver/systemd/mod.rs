//! Hosts that systemd runs: a container's control groups are a scope of systemd's, and the
//! container is a machine of machined's, so that `systemd-cgls`, `machinectl` and limits of slices
//! know it.

mod names;

pub(super) use names::{Scope, machine};

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use uuid::Uuid;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, Variant};

use crate::error::{Error, ErrorCode, Result};

/// How long systemd may take for a scope.
const PATIENCE: Duration = Duration::from_secs(30);

const SYSTEMD: &str = "org.freedesktop.systemd1";
const SYSTEMD_MANAGER: &str = "org.freedesktop.systemd1.Manager";
const SYSTEMD_PATH: &str = "/org/freedesktop/systemd1";
const MACHINED: &str = "org.freedesktop.machine1";
const MACHINED_MANAGER: &str = "org.freedesktop.machine1.Manager";
const MACHINED_PATH: &str = "/org/freedesktop/machine1";

/// systemd and machined, on their bus.
#[derive(Debug)]
pub(super) struct Systemd(Connection);

/// A container, as machined is told of it.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    pub(super) name: &'a str,
    pub(super) uuid: Uuid,
    /// The process ID of init.
    pub(super) leader: u32,
}

impl Systemd {
    /// Connects to the bus at an address, or to the system bus.
    pub(super) async fn connect(address: Option<&str>) -> zbus::Result<Self> {
        match address {
            Some(address) => zbus::connection::Builder::address(address).build().await,
            None => Connection::system().await,
        }
        .map(Self)
    }

    /// Whether systemd runs this host (`sd_booted(3)`).
    pub(super) fn runs_this_host() -> bool {
        Path::new("/run/systemd/system").is_dir()
    }

    /// Makes a scope and moves a process there. What is below it is left to us.
    pub(super) async fn start_scope(&self, scope: &Scope, domain: &str, pid: u32) -> Result<()> {
        let description = format!("Container {domain}");
        let properties: [(&str, Variant<'_>); 6] = [
            ("Description", description.as_str().into()),
            ("Slice", scope.slice.as_str().into()),
            ("Delegate", true.into()),
            // The limit of processes is the container's own.
            ("TasksMax", u64::MAX.into()),
            ("CollectMode", "inactive-or-failed".into()),
            ("PIDs", vec![pid].into()),
        ];
        let auxiliary: [(&str, Vec<(&str, Variant<'_>)>); 0] = [];
        let body = (scope.unit.as_str(), "fail", &properties[..], &auxiliary[..]);
        let made = self.job("StartTransientUnit", &body).await;
        made.map_err(|e| error(format!("cannot start scope {}", scope.unit), e))
    }

    /// Ends a scope; one that is gone is fine.
    pub(super) async fn stop_scope(&self, unit: &str) -> Result<()> {
        match self.job("StopUnit", &(unit, "replace")).await {
            Err(zbus::Error::MethodError(name, ..)) if name.ends_with(".NoSuchUnit") => Ok(()),
            stopped => stopped.map_err(|e| error(format!("cannot stop scope {unit}"), e)),
        }
    }

    /// Calls a method that answers with a job, and waits for the job's end.
    async fn job(
        &self,
        method: &str,
        body: &(impl serde::Serialize + zbus::DynamicType),
    ) -> zbus::Result<()> {
        // Listening comes first: a job can be over before its path is known.
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .interface(SYSTEMD_MANAGER)
            .member("JobRemoved")
            .build()?;
        let mut removed = MessageStream::for_match_rule(rule, &self.0, None).await?;
        let reply = self
            .0
            .call_method(Some(SYSTEMD), SYSTEMD_PATH, Some(SYSTEMD_MANAGER), method, body)
            .await?;
        let job: OwnedObjectPath = reply.body().deserialize()?;
        let ended = async {
            while let Some(signal) = removed.next().await {
                let body = signal?.body();
                let (_, path, _, result): (u32, OwnedObjectPath, String, String) =
                    body.deserialize()?;
                if path == job {
                    return match result.as_str() {
                        "done" => Ok(()),
                        other => Err(zbus::Error::Failure(format!("its job ended as '{other}'"))),
                    };
                }
            }
            Err(zbus::Error::Failure("the bus is gone".to_owned()))
        };
        let late = || zbus::Error::Failure(format!("not within {PATIENCE:?}"));
        tokio::time::timeout(PATIENCE, ended).await.unwrap_or_else(|_| Err(late()))
    }

    /// Tells machined of a container.
    pub(super) async fn register(&self, machine: &Machine<'_>) -> zbus::Result<()> {
        let uuid = machine.uuid.as_bytes().to_vec();
        let no_links: [i32; 0] = [];
        let (service, class, root) = ("libvirt-lxc", "container", "");
        let body = (machine.name, uuid, service, class, machine.leader, root, &no_links[..]);
        self.machined("RegisterMachineWithNetwork", &body).await
    }

    /// Tells machined that a container is no more; one it does not know is fine.
    pub(super) async fn unregister(&self, name: &str) -> zbus::Result<()> {
        match self.machined("UnregisterMachine", &(name,)).await {
            Err(zbus::Error::MethodError(error, ..)) if error.ends_with(".NoSuchMachine") => Ok(()),
            result => result,
        }
    }

    async fn machined(
        &self,
        method: &str,
        body: &(impl serde::Serialize + zbus::DynamicType),
    ) -> zbus::Result<()> {
        let manager = Some(MACHINED_MANAGER);
        self.0.call_method(Some(MACHINED), MACHINED_PATH, manager, method, body).await.map(drop)
    }
}

fn error(attempt: String, cause: zbus::Error) -> Error {
    Error::new(ErrorCode::InternalError, format!("{attempt} of systemd: {cause}"))
}
