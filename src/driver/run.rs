//! Starting a container, watching it, and clearing up after it.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use super::domain::{Domain, Run};
use super::event::EventKind;
use super::host::present;
use super::lifecycle::{Operation, State};
use super::store::Record;
use super::supervisor::{Notice, unexpected};
use super::systemd::{Machine, Scope, machine};
use crate::cgroup::Group;
use crate::container::protocol::{LinkNames, Message, Request};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain as Document, LiveInterface};
use crate::network::Netlink;
use crate::plan::{self, Placement, Plan};
use crate::sys::pidfd;

/// How long a killed container may take to be gone, before its supervisor is killed too.
const DEATH_PATIENCE: Duration = Duration::from_secs(10);

/// libvirt's reasons of the states (`virDomainRunningReason` and so on).
pub(super) mod reason {
    pub(in crate::driver) const RUNNING_BOOTED: i32 = 1;
    pub(in crate::driver) const RUNNING_UNPAUSED: i32 = 5;
    pub(in crate::driver) const PAUSED_USER: i32 = 1;
    pub(in crate::driver) const SHUTOFF_SHUTDOWN: i32 = 1;
    pub(in crate::driver) const SHUTOFF_DESTROYED: i32 = 2;
    pub(in crate::driver) const SHUTOFF_FAILED: i32 = 6;
}

fn check_partition(partition: &str) -> Result<()> {
    match partition.starts_with('/') {
        true => Ok(()),
        false => Err(Error::new(
            ErrorCode::ConfigUnsupported,
            format!("Resource partition '{partition}' must start with '/'"),
        )),
    }
}

impl Driver {
    /// Starts a domain from a document; its job is held, and starting was admitted. After a
    /// failure everything is as before.
    pub(super) async fn start(
        self: &Arc<Self>,
        domain: &Arc<Domain>,
        document: &Document,
    ) -> Result<()> {
        let mut live = document.clone();
        let partition = live.partition.get_or_insert_with(|| self.partition.clone());
        check_partition(partition)?;
        let scope = self.systemd.as_ref().map(|_| Scope::new(partition, &domain.name, random()));
        let group = match &scope {
            Some(scope) => Group::at(&self.layout, scope.path()),
            None => Group::new(&self.layout, partition, &domain.name),
        };
        let files = self.store.run_files(domain.uuid);
        let present = present(&live)?;
        let plan = plan::build(&live, &self.host, &present, placement(&group), files)?;
        self.store.forget_run(domain.uuid)?;
        let launched = self.launch(domain, &plan, &group, scope.as_ref(), &mut live).await;
        self.spare.refill();
        match launched {
            Ok(()) => {
                domain.publish(|snapshot| {
                    snapshot.live = Some(Arc::new(live));
                    snapshot.state = State::Running;
                    snapshot.reason = reason::RUNNING_BOOTED;
                });
                Ok(())
            }
            Err(error) => {
                let cleared = match domain.run() {
                    Ok(run) => self.clear(domain, &run).await,
                    Err(_never_spawned) => self.clear_host(domain, &group, None).await,
                };
                domain.set_run(None);
                domain.publish(|snapshot| snapshot.reason = reason::SHUTOFF_FAILED);
                Err(also(error, cleared))
            }
        }
    }

    /// Does what [`Self::start`] undoes. Each thing is on record before it is made, so that a
    /// daemon that comes after a crash at any point finds what is to clear up.
    async fn launch(
        self: &Arc<Self>,
        domain: &Arc<Domain>,
        plan: &Plan,
        group: &Group,
        scope: Option<&Scope>,
        live: &mut Document,
    ) -> Result<()> {
        let shared = self.open_shared(live)?;
        self.record(None, group, live)?;
        let log = self.store.log(&domain.name)?;
        let supervisor = self.spare.take()?;
        let pid = supervisor.pid;
        let run = Arc::new(Run::new(supervisor, group.clone()));
        domain.set_run(Some(run.clone()));
        tokio::spawn(self.clone().watch(domain.clone(), run.clone()));
        if let (Some(systemd), Some(scope)) = (&self.systemd, scope) {
            systemd.start_scope(scope, &domain.name, pid).await?;
        }
        group.create_birthplace(pid)?;
        run.supervisor.prepare(plan, log, &shared).await?;
        group.create_rest(&plan.limits, pid)?;
        run.supervisor.listening().await?;
        live.id = Some(pid);
        self.record(Some(pid), group, live)?;
        meet(&run, &Request::Go, live).await?;
        self.pid_files.write(&domain.name, pid)?;
        self.register(domain, &run).await;
        Ok(())
    }

    fn record(&self, supervisor: Option<u32>, group: &Group, live: &Document) -> Result<()> {
        let (group, live) = (group.path().to_owned(), live.clone());
        self.store.record(&Record { supervisor, reason: reason::RUNNING_BOOTED, group, live })
    }

    /// Tells machined of a container and its init; one it does not hear of runs as well.
    async fn register(&self, domain: &Domain, run: &Run) {
        if let (Some(systemd), Some(init)) = (&self.systemd, run.init())
            && run.group.scope().is_some()
        {
            let name = machine(run.supervisor.pid, &domain.name);
            let machine = Machine { name: &name, uuid: domain.uuid, leader: init.pid };
            if let Err(error) = systemd.register(&machine).await {
                tracing::warn!("machined does not take '{name}': {error}");
            }
        }
    }

    /// The machine has another leader.
    async fn reregister(&self, domain: &Domain, run: &Run) {
        if let Some(systemd) = self.systemd.as_ref().filter(|_| run.group.scope().is_some()) {
            // It may have noticed the end of the old leader itself.
            let _ = systemd.unregister(&machine(run.supervisor.pid, &domain.name)).await;
            self.register(domain, run).await;
        }
    }

    /// Takes back what systemd and machined were told of a run.
    async fn unregister(&self, domain: &Domain, group: &Group, pid: Option<u32>) {
        let (Some(systemd), Some(unit)) = (&self.systemd, group.scope()) else { return };
        if let Some(pid) = pid {
            let name = machine(pid, &domain.name);
            if let Err(error) = systemd.unregister(&name).await {
                tracing::debug!("machined does not forget '{name}': {error}");
            }
        }
        if let Err(error) = systemd.stop_scope(unit).await {
            tracing::warn!("{error}");
        }
    }

    /// Follows one run to its end, whoever ends it.
    pub(super) async fn watch(self: Arc<Self>, domain: Arc<Domain>, run: Arc<Run>) {
        while let Some(notice) = run.supervisor.next().await {
            match notice {
                Notice::Rebooted { init, pidfd } => {
                    run.set_init(init, pidfd);
                    self.reregister(&domain, &run).await;
                    self.tell(&domain, EventKind::Reboot);
                }
                Notice::Exited(exit) => tracing::info!("domain '{}': {exit:?}", domain.name),
            }
        }
        run.supervisor.process.ended().await;
        // Without a time limit: whoever has the turn now may be the one who ended it.
        let turn = loop {
            match domain.turn().await {
                Ok(turn) => break turn,
                Err(error) => tracing::warn!("{error}"),
            }
        };
        if domain.run().is_ok_and(|current| Arc::ptr_eq(&current, &run)) {
            let exited = self.store.run_files(domain.uuid).exit.exists();
            let operation = if exited { Operation::End } else { Operation::Crash };
            self.finish(&domain, &run, operation).await;
        }
        drop(turn);
    }

    /// Ends a container from outside, at once; the domain's job is held.
    pub(super) async fn end(&self, domain: &Domain, run: &Run) -> Result<()> {
        if let Some(init) = run.init() {
            pidfd::kill(init.pidfd.as_fd())
                .map_err(|e| Error::system(format!("cannot kill domain '{}'", domain.name), e))?;
        }
        run.group.kill()?;
        if tokio::time::timeout(DEATH_PATIENCE, run.supervisor.process.ended()).await.is_err() {
            tracing::warn!("domain '{}' did not end, killing its supervisor", domain.name);
            run.supervisor.process.kill()?;
            run.supervisor.process.ended().await;
        }
        Ok(())
    }

    /// Publishes the end of a run after everything of it is gone; the domain's job is held.
    pub(super) async fn finish(&self, domain: &Domain, run: &Run, operation: Operation) {
        if let Err(error) = self.clear(domain, run).await {
            tracing::error!("after the end of domain '{}': {error}", domain.name);
        }
        domain.set_run(None);
        let transition = match domain.admit(operation) {
            Ok(transition) => transition,
            Err(error) => return tracing::error!("domain '{}' ended twice: {error}", domain.name),
        };
        domain.publish(|snapshot| {
            snapshot.live = None;
            snapshot.state = State::Shutoff;
            snapshot.reason = match operation {
                Operation::Destroy => reason::SHUTOFF_DESTROYED,
                Operation::End => reason::SHUTOFF_SHUTDOWN,
                _ => reason::SHUTOFF_FAILED,
            };
        });
        self.settle(domain, transition);
    }

    /// Removes what a run leaves: processes, groups, files. The supervisor ends if it has not.
    pub(super) async fn clear(&self, domain: &Domain, run: &Run) -> Result<()> {
        run.supervisor.process.kill()?;
        run.supervisor.process.ended().await;
        run.supervisor.process.reap();
        self.clear_host(domain, &run.group, Some(run.supervisor.pid)).await
    }

    /// Removes groups and files of a run whose supervisor is gone.
    pub(super) async fn clear_host(
        &self,
        domain: &Domain,
        group: &Group,
        supervisor: Option<u32>,
    ) -> Result<()> {
        let removed = match group.remove() {
            Ok(()) => Ok(()),
            // Something is in there still: what a dead supervisor left, or what entered later.
            Err(_) => empty(domain, group).await,
        };
        self.unregister(domain, group, supervisor).await;
        let files = self.store.run_files(domain.uuid);
        // A supervisor that was killed has left that to the kernel, which takes its time.
        let unlinked = Netlink::open()
            .and_then(|mut netlink| netlink.remove_noted(&files.link_note()))
            .map_err(|e| Error::system("cannot remove the container's network devices", e));
        let told = supervisor.map_or(Ok(()), |pid| self.pid_files.remove(&domain.name, pid));
        self.store.forget_run(domain.uuid)?;
        removed.and(unlinked).and(told)
    }
}

/// Asks a supervisor for its container, and fills in what is only known while it runs.
pub(super) async fn meet(run: &Run, request: &Request, live: &mut Document) -> Result<()> {
    let (answer, mut fds) = run.supervisor.request(request).await?;
    match (answer, fds.pop()) {
        (Message::Running { init, consoles, links }, Some(pidfd)) => {
            run.set_init(init.try_into().unwrap_or_default(), pidfd);
            for (number, (console, path)) in
                live.devices.consoles.iter_mut().zip(consoles).enumerate()
            {
                console.alias = Some(format!("console{number}"));
                console.tty = Some(path);
            }
            for (interface, LinkNames { host, guest }) in
                live.devices.interfaces.iter_mut().zip(links)
            {
                interface.guest = Some(guest);
                interface.live = Some(LiveInterface { target: host, ..LiveInterface::default() });
            }
            Ok(())
        }
        (answer, _) => Err(unexpected(run.supervisor.pid, &answer)),
    }
}

fn placement(group: &Group) -> Placement {
    Placement {
        supervisor_tasks: group.supervisor_tasks(),
        supervisor_v2: group.supervisor_v2().into_iter().collect(),
        init_tasks: group.init_tasks(),
        init_v2: group.init_v2().into_iter().collect(),
        delegated: group.delegated(),
    }
}

/// Ends what is in the groups, again as long as something new is found, and removes them.
async fn empty(domain: &Domain, group: &Group) -> Result<()> {
    let emptied = async {
        loop {
            let killed = group.kill_each()?;
            let was_empty = killed.is_empty();
            group.wait_empty(killed).await?;
            match group.remove() {
                Err(_) if !was_empty => {}
                removed => return removed,
            }
        }
    };
    let emptied = tokio::time::timeout(DEATH_PATIENCE, emptied).await;
    emptied.unwrap_or_else(|_| Err(refused(domain)))
}

/// A number that no other run has had lately.
fn random() -> u32 {
    uuid::Uuid::new_v4().as_fields().0
}

fn refused(domain: &Domain) -> Error {
    Error::new(
        ErrorCode::InternalError,
        format!("some processes of domain '{}' refused to die", domain.name),
    )
}

/// An error, and what went wrong while undoing.
fn also(error: Error, undone: Result<()>) -> Error {
    match undone {
        Ok(()) => error,
        Err(left) => Error { message: format!("{}; then {left}", error.message), ..error },
    }
}
