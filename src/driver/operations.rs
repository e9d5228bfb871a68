//! The operations on domains, as clients know them.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::domain::Domain;
use super::init_request::{self, VIA_INITCTL, VIA_SIGNAL, Way, Wish};
use super::lifecycle::{Operation, State};
use super::records::Record;
use super::run::reason;
use super::supervisor::unexpected;
use super::{Driver, check_flags, schema};
use crate::container::protocol::{Message, Request};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Domain as Document, View, check_kind};
use crate::sys::pidfd;
use crate::xml;

/// `VIR_DOMAIN_XML_*`, those that libvirt's driver takes. A container's document is portable as it
/// is, so the last one changes nothing.
const XML_SECURE: u32 = 1;
const XML_INACTIVE: u32 = 2;
const XML_MIGRATABLE: u32 = 8;

/// `VIR_DOMAIN_DEFINE_VALIDATE` and `VIR_DOMAIN_START_VALIDATE`: the document must be what the
/// schema allows.
const DEFINE_VALIDATE: u32 = 1;
const START_VALIDATE: u32 = 1 << 4;

/// `virDomainUndefineFlagsValues`: what else goes with the definition, or stays (memory of a
/// machine, of its TPM). A container has none of it, so each is done.
const UNDEFINE: u32 = (1 << 7) - 1;

/// `VIR_DOMAIN_DESTROY_GRACEFUL`, which tools give to be safe. There is no cache of a disk that a
/// container could lose.
const GRACEFUL: u32 = 1;

/// Signals of Linux are below this.
const SIGNALS: i32 = 65;

/// How long processes may take to stop.
const FREEZE_PATIENCE: Duration = Duration::from_secs(10);

/// What a domain uses and may use (`virDomainInfo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// libvirt's state number.
    pub state: i32,
    /// Most memory it may have, in KiB.
    pub max_memory: u64,
    /// Memory in use while it runs, else what it is to have, in KiB.
    pub memory: u64,
    /// Virtual processors.
    pub vcpus: u32,
    /// Processor time used, in ns.
    pub cpu_time: u64,
}

/// Size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleSize {
    /// Lines of text.
    pub rows: u16,
    /// Characters per line.
    pub columns: u16,
}

impl Driver {
    /// Gives a domain a definition, or replaces the one it has. Flag 1: only if the document is
    /// what the schema allows.
    pub async fn define(&self, text: &str, flags: u32) -> Result<Arc<Domain>> {
        check_flags(flags, DEFINE_VALIDATE, "lxcDomainDefineXMLFlags")?;
        let document = self.parse(text, flags & DEFINE_VALIDATE != 0)?;
        let domain = self.registry.claim(document.uuid, &document.name)?;
        let defined = self.define_claimed(&domain, document).await;
        defined.inspect_err(|_| self.release(&domain))?;
        Ok(domain)
    }

    async fn define_claimed(&self, domain: &Domain, document: Document) -> Result<()> {
        let _turn = domain.turn().await?;
        let transition = domain.admit(Operation::Define)?;
        let store = self.store.clone();
        // Syncing takes its time; other domains do not wait for it.
        let document =
            tokio::task::spawn_blocking(move || store.save(&document).map(|()| document))
                .await
                .map_err(|e| Error::new(ErrorCode::InternalError, e))??;
        domain.publish(|snapshot| snapshot.definition = Some(Arc::new(document)));
        self.settle(domain, transition);
        Ok(())
    }

    fn parse(&self, text: &str, validate: bool) -> Result<Document> {
        let root = xml::parse(text)?;
        if validate {
            check_kind(&root)?;
            schema::check_domain(&root)?;
        }
        let mut document = Document::parse_element(&root)?;
        let emulator = self.spare.path().to_string_lossy();
        document.fill_host_defaults(&self.host.arch, &emulator);
        Ok(document)
    }

    /// Takes a domain's definition away; one that runs goes on without. Flags about saved states,
    /// snapshots and the like make no difference: there are none.
    pub async fn undefine(&self, domain: &Domain, flags: u32) -> Result<()> {
        check_flags(flags, UNDEFINE, "lxcDomainUndefineFlags")?;
        let (_turn, transition) = domain.job(Operation::Undefine).await?;
        self.store.delete(&domain.name)?;
        domain.publish(|snapshot| {
            snapshot.definition = None;
            snapshot.autostart = false;
        });
        self.settle(domain, transition);
        Ok(())
    }

    /// Starts a defined domain.
    pub async fn create(self: &Arc<Self>, domain: &Arc<Domain>, flags: u32) -> Result<()> {
        check_flags(flags, 0, "lxcDomainCreateWithFiles")?;
        let (_turn, transition) = domain.job(Operation::Create).await?;
        let definition = domain.snapshot().definition.clone();
        let definition = definition.ok_or_else(|| domain.not_found())?;
        self.start(domain, &definition).await?;
        self.settle(domain, transition);
        Ok(())
    }

    /// Starts a domain from a document that is not kept: when it stops, it is no more, unless it
    /// was defined before. Flag 16: only if the document is what the schema allows.
    pub async fn create_xml(self: &Arc<Self>, text: &str, flags: u32) -> Result<Arc<Domain>> {
        check_flags(flags, START_VALIDATE, "lxcDomainCreateXMLWithFiles")?;
        let document = self.parse(text, flags & START_VALIDATE != 0)?;
        let domain = self.registry.claim(document.uuid, &document.name)?;
        let created = self.create_claimed(&domain, &document).await;
        created.inspect_err(|_| self.release(&domain))?;
        Ok(domain)
    }

    async fn create_claimed(
        self: &Arc<Self>,
        domain: &Arc<Domain>,
        document: &Document,
    ) -> Result<()> {
        let _turn = domain.turn().await?;
        let transition = domain.admit(Operation::Create).map_err(|_| {
            let text = format!("domain '{}' is already active", domain.name);
            Error::new(ErrorCode::OperationInvalid, text).in_domain(ErrorDomain::Domain)
        })?;
        self.start(domain, document).await?;
        self.settle(domain, transition);
        Ok(())
    }

    /// Ends a domain at once, with or without flag 1.
    pub async fn destroy(&self, domain: &Domain, flags: u32) -> Result<()> {
        check_flags(flags, GRACEFUL, "lxcDomainDestroyFlags")?;
        let (_turn, _) = domain.job(Operation::Destroy).await?;
        let run = domain.run()?;
        self.end(domain, &run).await?;
        self.finish(domain, &run, Operation::Destroy, None).await;
        Ok(())
    }

    /// Asks init to end; that it did is an event.
    pub async fn shutdown(&self, domain: &Domain, flags: u32) -> Result<()> {
        self.ask_init(domain, Operation::Shutdown, Wish::PowerOff, flags).await
    }

    /// Asks init to start anew; that it did is an event.
    pub async fn reboot(&self, domain: &Domain, flags: u32) -> Result<()> {
        self.ask_init(domain, Operation::Reboot, Wish::Reboot, flags).await
    }

    async fn ask_init(
        &self,
        domain: &Domain,
        operation: Operation,
        wish: Wish,
        flags: u32,
    ) -> Result<()> {
        let function = match wish {
            Wish::PowerOff => "lxcDomainShutdownFlags",
            Wish::Reboot => "lxcDomainReboot",
        };
        check_flags(flags, VIA_INITCTL | VIA_SIGNAL, function)?;
        let (_turn, _) = domain.job(operation).await?;
        let init = domain.run()?.init().ok_or_else(|| {
            Error::new(ErrorCode::OperationInvalid, "Init process ID is not yet known")
        })?;
        let way = init_request::way(&init, wish, flags)?;
        // What was asked for before counts no more.
        let to_reboot = matches!(way, Way::End(_));
        self.request(domain, &Request::Asked { to_reboot }).await?;
        way.ask(&init, wish)
    }

    /// Sends a signal to init, which is process 1; others have no number on which two sides agree.
    pub fn send_process_signal(
        &self,
        domain: &Domain,
        pid: i64,
        signal: u32,
        flags: u32,
    ) -> Result<()> {
        check_flags(flags, 0, "lxcDomainSendProcessSignal")?;
        let number = i32::try_from(signal).ok().filter(|number| *number < SIGNALS);
        let number = number.ok_or_else(|| {
            let text = format!("signum value {signal} is out of range");
            Error::new(ErrorCode::InvalidArg, text)
        })?;
        domain.admit(Operation::UseLive)?;
        if pid != 1 {
            let text = "Only the init process may be killed";
            return Err(Error::new(ErrorCode::ArgumentUnsupported, text));
        }
        let init = domain.run()?.init().ok_or_else(|| {
            Error::new(ErrorCode::OperationInvalid, "Init process ID is not yet known")
        })?;
        pidfd::send_signal(init.pidfd.as_fd(), number)
            .map_err(|e| Error::system(format!("Unable to send {signal} signal to process 1"), e))
    }

    /// The time in a running domain, since 1970: that of the host, whose clock containers share.
    pub fn time(&self, domain: &Domain, flags: u32) -> Result<Duration> {
        check_flags(flags, 0, "lxcDomainGetTime")?;
        domain.admit(Operation::UseLive)?;
        SystemTime::UNIX_EPOCH.elapsed().map_err(|error| {
            Error::new(ErrorCode::InternalError, format!("the host's clock is wrong: {error}"))
        })
    }

    /// Freezes all processes of a domain.
    pub async fn suspend(&self, domain: &Domain) -> Result<()> {
        let (_turn, transition) = domain.job(Operation::Suspend).await?;
        if domain.snapshot().state == State::Paused {
            return Ok(());
        }
        let run = domain.run()?;
        let frozen = tokio::time::timeout(FREEZE_PATIENCE, run.group.freeze()).await;
        if let Err(error) = frozen.unwrap_or_else(|_| Err(too_busy(domain))) {
            run.group.thaw().await?;
            return Err(error);
        }
        self.turn_to(domain, State::Paused, reason::PAUSED_USER)?;
        self.settle(domain, transition);
        Ok(())
    }

    /// Lets a frozen domain go on.
    pub async fn resume(&self, domain: &Domain) -> Result<()> {
        let (_turn, transition) = domain.job(Operation::Resume).await?;
        domain.run()?.group.thaw().await?;
        self.turn_to(domain, State::Running, reason::RUNNING_UNPAUSED)?;
        self.settle(domain, transition);
        Ok(())
    }

    fn turn_to(&self, domain: &Domain, state: State, reason: i32) -> Result<()> {
        domain.publish(|snapshot| {
            snapshot.state = state;
            snapshot.reason = reason;
        });
        match &domain.snapshot().live {
            Some(live) => {
                let group = domain.run()?.group.path().to_owned();
                let live = (**live).clone();
                let paused = state == State::Paused;
                self.store.record(&Record { supervisor: live.id, paused, reason, group, live })
            }
            None => Ok(()),
        }
    }

    /// Decides whether a domain starts with the daemon.
    pub async fn set_autostart(&self, domain: &Domain, autostart: bool) -> Result<()> {
        let (_turn, _) = domain.job(Operation::SetAutostart).await?;
        self.store.set_autostart(&domain.name, autostart)?;
        domain.publish(|snapshot| snapshot.autostart = autostart);
        Ok(())
    }

    /// A domain's document: the one it runs from, or (flag 2) the one it will start from next.
    /// Secrets are in it with flag 1 only.
    pub fn xml_desc(&self, domain: &Domain, flags: u32) -> Result<String> {
        let known = XML_SECURE | XML_INACTIVE | XML_MIGRATABLE;
        check_flags(flags, known, "lxcDomainGetXMLDesc")?;
        let snapshot = domain.snapshot();
        let inactive = flags & XML_INACTIVE != 0;
        let document = match &snapshot.definition {
            Some(definition) if inactive => Some(definition),
            _ => snapshot.current(),
        };
        let view = if inactive { View::Inactive } else { View::Live };
        let document = document.ok_or_else(|| domain.not_found())?;
        match flags & XML_SECURE {
            0 => Ok(document.without_secrets().format(view)),
            _ => Ok(document.format(view)),
        }
    }

    /// Whether there is a saved state to start from: containers have none.
    pub fn has_managed_save_image(&self, domain: &Domain, flags: u32) -> Result<bool> {
        check_flags(flags, 0, "lxcDomainHasManagedSaveImage")?;
        domain.snapshot().current().map(|_| false).ok_or_else(|| domain.not_found())
    }

    /// What a domain uses and may use.
    pub fn info(&self, domain: &Domain) -> Result<Info> {
        let snapshot = domain.snapshot();
        let document = snapshot.current().ok_or_else(|| domain.not_found())?;
        let usage = domain.run().ok().map(|run| run.group.usage()).transpose()?;
        Ok(Info {
            state: snapshot.state_numbers().0,
            max_memory: document.memory,
            memory: usage.map_or(document.current_memory, |usage| usage.memory / 1024),
            vcpus: document.vcpus.current,
            cpu_time: usage.map_or(0, |usage| usage.cpu.total),
        })
    }

    /// Opens a console: the first, or the one with that alias (`console0`). What is read is what
    /// the container prints, what is written is typed.
    pub async fn open_console(&self, domain: &Domain, device: &str) -> Result<OwnedFd> {
        let request = Request::OpenConsole { console: console(domain, device)? };
        self.request(domain, &request).await?.ok_or_else(|| {
            Error::new(ErrorCode::InternalError, "the supervisor sent no descriptor")
        })
    }

    /// Tells the container the size of the terminal its console is shown on.
    pub async fn resize_console(
        &self,
        domain: &Domain,
        device: &str,
        size: ConsoleSize,
    ) -> Result<()> {
        let ConsoleSize { rows, columns } = size;
        let console = console(domain, device)?;
        let request = Request::ResizeConsole { console, rows, columns };
        self.request(domain, &request).await.map(drop)
    }

    async fn request(&self, domain: &Domain, request: &Request) -> Result<Option<OwnedFd>> {
        let run = domain.run()?;
        let (answer, mut fds) = run.supervisor.request(request).await?;
        match answer {
            Message::Done => Ok(fds.pop()),
            Message::Refused(failure) => Err(Error::new(ErrorCode::OperationFailed, failure)),
            other => Err(unexpected(run.supervisor.pid, &other)),
        }
    }
}

/// A process that is deep in the kernel, waiting for a device or a server, does not stop.
fn too_busy(domain: &Domain) -> Error {
    let text = format!(
        "Suspend operation failed: some processes of domain '{}' did not stop within \
         {FREEZE_PATIENCE:?}",
        domain.name
    );
    Error::new(ErrorCode::OperationFailed, text)
}

/// The number of the console that a client names.
fn console(domain: &Domain, device: &str) -> Result<usize> {
    domain.admit(Operation::UseLive)?;
    let snapshot = domain.snapshot();
    let consoles = snapshot.live.as_ref().map_or(&[][..], |live| &live.devices.consoles);
    let found = match device {
        "" => (!consoles.is_empty()).then_some(0),
        alias => consoles.iter().position(|it| it.alias.as_deref() == Some(alias)),
    };
    found.ok_or_else(|| {
        Error::new(ErrorCode::InternalError, format!("cannot find console device '{device}'"))
    })
}
