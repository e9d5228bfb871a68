//! Starting the driver: what is defined, what runs still, what starts now.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use tokio::sync::broadcast;

use super::config::{Config, Paths};
use super::domain::{Domain, Run};
use super::endings::{shutoff_reason, what_ended};
use super::hooks::{Hook, Hooks};
use super::lifecycle::State;
use super::pid_file::PidFiles;
use super::plug::plan_of;
use super::program::Program;
use super::records::Record;
use super::run::{meet, reason};
use super::spare::Spare;
use super::store::Store;
use super::supervisor::{Process, Supervisor};
use super::systemd::Systemd;
use super::{Driver, EVENT_BACKLOG, host, registry};
use crate::cgroup::{Group, Layout};
use crate::container::protocol::Request;
use crate::error::{Error, ErrorCode, Result};
use crate::model::Domain as Document;
use crate::plan::IdMaps;

/// How long a supervisor that is ending may take for the rest of it.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// Longest path of a socket, in bytes (`unix(7)`), without the terminating NUL.
const SOCKET_PATH_LIMIT: usize = 107;

impl Driver {
    /// Opens the driver on its directories. Whatever is there, it opens, and reports what it could
    /// not use; it fails only when the directories themselves cannot be used, or another daemon
    /// uses them.
    pub async fn open(config: &Config, paths: &Paths) -> Result<Arc<Self>> {
        check_length(paths)?;
        let store = Store::open(paths)?;
        let lock = lock(paths)?;
        let root = config.cgroup_root.clone().unwrap_or_else(|| "/sys/fs/cgroup".into());
        let layout = Layout::probe(&root).map_err(|e| {
            Error::system(format!("cannot see the control groups at {}", root.display()), e)
        })?;
        let supervisor = match &config.supervisor {
            Some(path) => path.clone(),
            None => beside_this_program()?,
        };
        let driver = Arc::new(Self {
            host: host::probe(config, paths, &layout)?,
            layout,
            partition: config.partition.clone().unwrap_or_else(|| paths.partition.clone()),
            spare: Arc::new(Spare::new(Program::new(supervisor))),
            netns: config.netns_directory.clone().unwrap_or_else(|| "/run/netns".into()),
            store,
            systemd: systemd(config, paths).await?,
            pid_files: PidFiles::of(config, paths),
            hooks: Hooks::new(paths.hooks()),
            registry: registry::Registry::default(),
            events: broadcast::Sender::new(EVENT_BACKLOG),
            last_exec: 0.into(),
            _lock: lock,
        });
        super::remove(driver.store.overlays_set_aside());
        driver.load()?;
        driver.reconnect().await?;
        driver.autostart().await?;
        driver.spare.refill();
        Ok(driver)
    }

    /// Removes what this daemon made only for itself and needs no more, at its end. Containers
    /// that run go on, and keep their groups.
    pub async fn close(&self) {
        self.spare.discard().await;
        self.layout.remove_partition(&self.partition);
    }

    fn load(&self) -> Result<()> {
        for (document, autostart) in self.store.definitions()? {
            match self.registry.claim(document.uuid, &document.name) {
                Ok(domain) => {
                    let ending = self.store.ending(domain.uuid).unwrap_or_else(|error| {
                        tracing::error!("{error}");
                        None
                    });
                    domain.publish(|snapshot| {
                        snapshot.definition = Some(Arc::new(document));
                        snapshot.autostart = autostart;
                        snapshot.reason = ending.as_ref().map_or(0, |ending| ending.reason);
                        snapshot.end = ending.and_then(|ending| ending.end);
                    });
                }
                Err(error) => tracing::error!("skipping a definition: {error}"),
            }
        }
        Ok(())
    }

    /// Finds the containers of the last daemon again.
    async fn reconnect(self: &Arc<Self>) -> Result<()> {
        for record in self.store.records()? {
            let name = record.live.name.clone();
            if let Err(error) = self.take_over(record).await {
                tracing::error!("cannot take over domain '{name}': {error}");
            }
        }
        self.recover().await
    }

    pub(super) async fn take_over(self: &Arc<Self>, record: Record) -> Result<()> {
        let Record { supervisor, paused: was_paused, reason, group, mut live } = record;
        let domain = self.registry.claim(live.uuid, &live.name)?;
        let group = Group::at(&self.layout, group);
        let socket = self.store.run_files(live.uuid, &live.name).socket;
        let Some(supervisor) = Supervisor::connect(&socket)? else {
            return self.bury(&domain, supervisor, group, &live).await;
        };
        let run = Arc::new(Run::new(supervisor, group.clone()));
        self.registry.take_ids(&domain, IdMaps::of(&live));
        domain.set_run(Some(run.clone()));
        // Nothing is published before it answers, so that its end meanwhile is ours to clear.
        let watch = tokio::spawn(self.clone().watch(domain.clone(), run.clone()));
        live.id = Some(run.supervisor.pid);
        match plan_of(&run).await {
            Ok(plan) => plan.correct(&mut live),
            Err(error) => tracing::debug!("domain '{}' says nothing: {error}", domain.name),
        }
        if let Err(error) = meet(&run, &Request::Attach, &mut live).await {
            watch.abort();
            domain.set_run(None);
            domain.set_ids(IdMaps::default());
            tracing::warn!("domain '{}' did not survive: {error}", domain.name);
            run.supervisor.process.kill()?;
            return self.bury(&domain, live.id, group, &live).await;
        }
        let paused = run.group.is_frozen()?;
        // Somebody may have stopped it, or let it go on, while no daemon was there.
        let reason = match paused {
            _ if paused == was_paused => reason,
            true => reason::PAUSED_USER,
            false => reason::RUNNING_UNPAUSED,
        };
        domain.publish(|snapshot| {
            snapshot.live = Some(Arc::new(live));
            snapshot.state = if paused { State::Paused } else { State::Running };
            snapshot.reason = reason;
        });
        self.call_meanwhile(Hook::Reconnect, &domain, &run);
        Ok(())
    }

    /// Clears up after a container that ended while no daemon was there, or never began.
    async fn bury(
        &self,
        domain: &Domain,
        pid: Option<u32>,
        group: Group,
        live: &Document,
    ) -> Result<()> {
        // The number may be another's by now; what is opened first and in the group then is not.
        if let Some(pid) = pid
            && let Ok(Some(dying)) = Process::open(pid)
            && group.has_supervisor(pid)
        {
            // Its socket is gone, so it is on its last lines; they are short.
            if tokio::time::timeout(END_PATIENCE, dying.ended()).await.is_err() {
                dying.kill()?;
                dying.ended().await;
            }
        }
        let end = self.end_of_run(domain);
        self.clear_host(domain, &group, pid, live).await?;
        self.publish_end(domain, shutoff_reason(what_ended(end.as_ref())), end);
        self.release(domain);
        Ok(())
    }

    /// Starts what is to start with the daemon, once since the host booted, all at the same time.
    async fn autostart(self: &Arc<Self>) -> Result<()> {
        if !self.store.first_since_boot()? {
            return Ok(());
        }
        for domain in self.list(super::list_flags::AUTOSTART | super::list_flags::INACTIVE)? {
            let driver = self.clone();
            tokio::spawn(async move {
                if let Err(error) = driver.create(&domain, 0).await {
                    tracing::error!("cannot autostart domain '{}': {error}", domain.name);
                }
            });
        }
        Ok(())
    }
}

/// systemd, where it runs the host and the containers are to be its scopes.
async fn systemd(config: &Config, paths: &Paths) -> Result<Option<Systemd>> {
    let address = match config.systemd.as_deref() {
        Some("off") => return Ok(None),
        None if !paths.is_host_wide || !Systemd::runs_this_host() => return Ok(None),
        None | Some("on") => None,
        Some(address) => Some(address),
    };
    Systemd::connect(address).await.map(Some).map_err(|e| {
        let text = format!("cannot reach systemd (set systemd = \"off\" to do without): {e}");
        Error::new(ErrorCode::InternalError, text)
    })
}

/// A socket's path has little room, and the run directory is what fills it.
fn check_length(paths: &Paths) -> Result<()> {
    let longest = paths.runs().join("00000000-0000-0000-0000-000000000000.sock");
    let length = longest.as_os_str().len();
    if length > SOCKET_PATH_LIMIT {
        return Err(Error::new(
            ErrorCode::InvalidArg,
            format!(
                "the path of the run directory {} is {} bytes too long for the sockets in it",
                paths.run.display(),
                length - SOCKET_PATH_LIMIT
            ),
        ));
    }
    Ok(())
}

/// Keeps other daemons off the run directory as long as the file is open. The lock is this process's
/// alone (`F_SETLK`): a supervisor that is just being executed does not hold it on when the daemon
/// is killed.
fn lock(paths: &Paths) -> Result<File> {
    let path = paths.run.join("nsvirtd.lock");
    let failed = |e| Error::system(format!("cannot lock {}", path.display()), e);
    let file = File::create(&path).map_err(failed)?;
    let whole = nix::libc::flock {
        l_type: nix::libc::F_WRLCK as nix::libc::c_short,
        l_whence: nix::libc::SEEK_SET as nix::libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(&file, FcntlArg::F_SETLK(&whole)) {
        Ok(_) => Ok(file),
        Err(Errno::EAGAIN | Errno::EACCES) => Err(Error::new(
            ErrorCode::OperationFailed,
            format!("another nsvirtd uses {}; choose another --prefix", paths.run.display()),
        )),
        Err(errno) => Err(failed(errno.into())),
    }
}

fn beside_this_program() -> Result<std::path::PathBuf> {
    let own =
        std::env::current_exe().map_err(|e| Error::system("cannot find nsvirtd itself", e))?;
    Ok(own.with_file_name("nsvirt-lxc"))
}
