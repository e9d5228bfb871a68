//! Starting a container, watching it, and clearing up after it.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use super::domain::{Domain, Run};
use super::endings::{Ending, shutoff_reason, what_ended};
use super::event::EventKind;
use super::hooks::Hook;
use super::host::present;
use super::images;
use super::lifecycle::{Lifecycle, Operation, State};
use super::records::Record;
use super::store::Store;
use super::supervisor::{Notice, unexpected};
use super::systemd::{Machine, Scope, machine};
use crate::cgroup::Group;
use crate::container::protocol::{Cause, End, LinkNames, Message, Request};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Domain as Document;
use crate::network::Netlink;
use crate::plan::{self, IdMaps, Placement, Present};
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
    pub(in crate::driver) const SHUTOFF_CRASHED: i32 = 3;
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
        live.devices.name_all();
        live.isolation.profile.get_or_insert(self.host.isolation);
        let partition = live.partition.get_or_insert_with(|| self.partition.clone());
        check_partition(partition)?;
        let scope = self.systemd.as_ref().map(|_| Scope::new(partition, &domain.name, random()));
        let group = match &scope {
            Some(scope) => Group::at(&self.layout, scope.path()),
            None => Group::new(&self.layout, partition, &domain.name),
        };
        self.store.forget_run(domain.uuid)?;
        let launched = self.launch(domain, &group, scope.as_ref(), &mut live).await;
        self.spare.refill();
        match launched {
            Ok(()) => {
                domain.publish(|snapshot| {
                    snapshot.live = Some(Arc::new(live));
                    snapshot.state = State::Running;
                    snapshot.reason = reason::RUNNING_BOOTED;
                    snapshot.end = None;
                });
                self.store.forget_ending(domain.uuid).unwrap_or_else(|e| tracing::warn!("{e}"));
                Ok(())
            }
            Err(error) => {
                let cleared = match domain.run() {
                    Ok(run) => self.give_up(domain, &run, &live).await,
                    Err(_never_spawned) => self.clear_host(domain, &group, None, &live).await,
                };
                domain.set_run(None);
                domain.set_ids(IdMaps::default());
                self.publish_end(domain, reason::SHUTOFF_FAILED, None);
                Err(also(error, cleared))
            }
        }
    }

    /// Ends a start that went wrong; what runs already ends in its own way.
    async fn give_up(&self, domain: &Domain, run: &Run, live: &Document) -> Result<()> {
        let ended = match run.init() {
            Some(_) => self.end(domain, run).await,
            None => Ok(()),
        };
        self.clear(domain, run, live).await.and(ended)
    }

    /// Does what [`Self::start`] undoes. Each thing is on record before it is made, so that a
    /// daemon that comes after a crash at any point finds what is to clear up.
    async fn launch(
        self: &Arc<Self>,
        domain: &Arc<Domain>,
        group: &Group,
        scope: Option<&Scope>,
        live: &mut Document,
    ) -> Result<()> {
        self.store.record(&record(None, group, live))?;
        // It may make what the document names.
        self.hooks.call(Hook::Prepare, live).await?;
        let files = self.store.run_files(domain.uuid, &domain.name);
        let id_maps = self.registry.take_ids(domain, IdMaps::of(live));
        let images = images::attach(live)?;
        let by_target = images.iter().map(|it| (it.target.clone(), it.device)).collect();
        let present = Present { id_maps, images: by_target, ..present(live)? };
        let plan = &plan::build(live, &self.host, &present, placement(group), files)?;
        let mut shared = self.open_shared(live)?;
        shared.extend(images.into_iter().map(|image| image.held));
        self.hooks.call(Hook::Start, live).await?;
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
        live.id = Some(pid);
        let record = Store::text(&record(Some(pid), group, live));
        run.supervisor.prepare(plan, log, &record, &shared).await?;
        group.create_rest(&plan.limits, pid)?;
        run.supervisor.listening().await?;
        self.store.write_record(domain.uuid, &record)?;
        meet(&run, &Request::Go, live).await?;
        self.pid_files.write(&domain.name, pid)?;
        self.register(domain, &run).await;
        self.hooks.call(Hook::Started, live).await
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
        let mut told = None;
        while let Some(notice) = run.supervisor.next().await {
            match notice {
                Notice::Restarted { init, pidfd, end } => {
                    run.set_init(init, pidfd);
                    self.reregister(&domain, &run).await;
                    self.tell_restart(&domain, end);
                    // Its network devices, for one, are new.
                    self.call_meanwhile(Hook::Started, &domain, &run);
                }
                Notice::Ended(end) => {
                    tracing::info!("domain '{}': {end}", domain.name);
                    told = Some(end);
                }
            }
        }
        run.supervisor.process.ended().await;
        // Whoever has the turn now may be the one who ended it.
        let turn = domain.patient_turn().await;
        if domain.run().is_ok_and(|current| Arc::ptr_eq(&current, &run)) {
            let end = told.or_else(|| self.end_of_run(&domain));
            self.finish(&domain, &run, what_ended(end.as_ref()), end).await;
        }
        drop(turn);
    }

    /// How init ended, as its supervisor has left it; what cannot be read is as good as nothing.
    pub(super) fn end_of_run(&self, domain: &Domain) -> Option<End> {
        self.store.end_of_run(domain.uuid).unwrap_or_else(|error| {
            tracing::error!("{error}");
            None
        })
    }

    /// Subscribers hear of a reboot, or of an end and a start.
    fn tell_restart(&self, domain: &Domain, end: End) {
        let cause = end.cause;
        domain.publish(|snapshot| snapshot.end = Some(end.clone()));
        self.tell(domain, EventKind::End(end));
        let step = match cause {
            Cause::Reboot => return self.tell(domain, EventKind::Reboot),
            Cause::PowerOff => Lifecycle::ShutDown,
            Cause::Crash => Lifecycle::Crashed,
        };
        self.tell(domain, EventKind::Lifecycle(step));
        self.tell(domain, EventKind::Lifecycle(Lifecycle::Started));
    }

    /// Ends a container from outside, at once; the domain's job is held.
    pub(super) async fn end(&self, domain: &Domain, run: &Run) -> Result<()> {
        run.supervisor.forbid_restart();
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
    pub(super) async fn finish(
        &self,
        domain: &Domain,
        run: &Run,
        operation: Operation,
        end: Option<End>,
    ) {
        if let Some(live) = domain.snapshot().live.clone()
            && let Err(error) = self.clear(domain, run, &live).await
        {
            tracing::error!("after the end of domain '{}': {error}", domain.name);
        }
        domain.set_run(None);
        domain.set_ids(IdMaps::default());
        let transition = match domain.admit(operation) {
            Ok(transition) => transition,
            Err(error) => return tracing::error!("domain '{}' ended twice: {error}", domain.name),
        };
        self.publish_end(domain, shutoff_reason(operation), end.clone());
        if let Some(end) = end {
            self.tell(domain, EventKind::End(end));
        }
        self.settle(domain, transition);
    }

    /// Publishes that a domain does not run, and keeps how that came for the daemons to come.
    pub(super) fn publish_end(&self, domain: &Domain, reason: i32, end: Option<End>) {
        let ending = Ending { reason, end: end.clone() };
        domain.publish(|snapshot| {
            snapshot.live = None;
            snapshot.state = State::Shutoff;
            snapshot.reason = reason;
            snapshot.end = end;
        });
        if domain.exists()
            && let Err(error) = self.store.keep_ending(domain.uuid, &ending)
        {
            tracing::warn!("{error}");
        }
    }

    /// Removes what a run leaves: processes, groups, files. The supervisor ends if it has not.
    async fn clear(&self, domain: &Domain, run: &Run, live: &Document) -> Result<()> {
        run.supervisor.process.kill()?;
        run.supervisor.process.ended().await;
        run.supervisor.process.reap();
        domain.execs.end().await;
        self.clear_host(domain, &run.group, Some(run.supervisor.pid), live).await
    }

    /// Removes groups and files of a run whose supervisor is gone.
    pub(super) async fn clear_host(
        &self,
        domain: &Domain,
        group: &Group,
        supervisor: Option<u32>,
        live: &Document,
    ) -> Result<()> {
        let removed = match group.remove() {
            Ok(()) => Ok(()),
            // Something is in there still: what a dead supervisor left, or what entered later.
            Err(_) => empty(domain, group).await,
        };
        self.call_after(Hook::Stopped, live).await;
        self.unregister(domain, group, supervisor).await;
        let files = self.store.run_files(domain.uuid, &domain.name);
        // A supervisor that was killed has left that to the kernel, which takes its time.
        let unlinked = Netlink::open()
            .and_then(|mut netlink| netlink.remove_noted(&files.link_note()))
            .map_err(|e| Error::system("cannot remove the container's network devices", e));
        let told = self.pid_files.remove(&domain.name, supervisor);
        let forgotten = self.store.forget_run(domain.uuid);
        self.call_after(Hook::Release, live).await;
        removed.and(unlinked).and(forgotten).and(told)
    }
}

/// A record of what is being started.
fn record(supervisor: Option<u32>, group: &Group, live: &Document) -> Record {
    let (group, live) = (group.path().to_owned(), live.clone());
    Record { supervisor, paused: false, reason: reason::RUNNING_BOOTED, group, live }
}

/// Asks a supervisor for its container, and fills in what is only known while it runs.
pub(super) async fn meet(run: &Run, request: &Request, live: &mut Document) -> Result<()> {
    let (answer, mut fds) = run.supervisor.request(request).await?;
    match (answer, fds.pop()) {
        (Message::Running { init, consoles, links }, Some(pidfd)) => {
            run.set_init(init.try_into().unwrap_or_default(), pidfd);
            live.devices.name_all();
            for (console, path) in live.devices.consoles.iter_mut().zip(consoles) {
                console.tty = Some(path);
            }
            for (number, interface) in live.devices.interfaces.iter_mut().enumerate() {
                // Those of one that runs have their names on record, and may be others by now.
                let names = match &interface.guest {
                    Some(guest) => links.iter().find(|names| names.guest == *guest),
                    None => links.get(number),
                };
                let Some(LinkNames { host, guest, .. }) = names else { continue };
                interface.guest = Some(guest.clone());
                interface.live.get_or_insert_default().target.clone_from(host);
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
        oom_kills: group.oom_kills(),
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
pub(super) fn also(error: Error, undone: Result<()>) -> Error {
    match undone {
        Ok(()) => error,
        Err(left) => Error { message: format!("{}; then {left}", error.message), ..error },
    }
}
