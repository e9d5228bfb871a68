//! Changing what runs: the steps of one device, and back.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::Driver;
use super::domain::{Domain, Run};
use super::host::present;
use super::images;
use super::lifecycle::State;
use super::records::Record;
use super::run::also;
use super::store::Store;
use super::supervisor::unexpected;
use crate::container::protocol::task::{Action, Outcome};
use crate::container::protocol::{LinkNames, Message, Request};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Changed, DeviceChange, DeviceKind, Devices, Domain as Document, LinkState};
use crate::plan::{self, Link, Part, Plan};

/// A change that is possible as far as can be known, and not begun.
pub(super) struct Plug<'a> {
    driver: &'a Driver,
    domain: &'a Domain,
    run: Arc<Run>,
    step: Step,
    before: Plan,
    after: Plan,
    /// The loop devices that are new.
    loops: Vec<OwnedFd>,
}

/// What is done in the container.
enum Step {
    /// Nothing: the device is one without effect.
    Nothing,
    Make(Part),
    Remove(Part),
    Turn {
        link: Link,
        back: Link,
    },
}

impl Driver {
    /// Plans a change of a container that runs. Completes the document with what it says.
    pub(super) async fn plug<'a>(
        &'a self,
        domain: &'a Domain,
        change: DeviceChange,
        changed: &mut Changed,
    ) -> Result<Plug<'a>> {
        let run = domain.run()?;
        let before = plan_of(&run).await?;
        let plug = Plug {
            driver: self,
            domain,
            run,
            step: Step::Nothing,
            after: before.clone(),
            before,
            loops: Vec::new(),
        };
        match change {
            DeviceChange::Attach => plug.attach(changed),
            DeviceChange::Detach => plug.detach(changed),
            DeviceChange::Update => plug.update(changed),
        }
    }
}

impl Plug<'_> {
    fn attach(mut self, changed: &mut Changed) -> Result<Self> {
        changed.domain.devices.name_all();
        let Some(device) = changed.new.as_mut() else { return Ok(self) };
        complete(&mut changed.domain.devices, device, &self.before);
        let lone = lone(&changed.domain, device);
        let mut present = present(&lone)?;
        for image in images::attach(&lone)? {
            self.after.loops.push(image.target.clone());
            present.images.push((image.target, image.device));
            self.loops.push(image.held);
        }
        let part = plan::coming(&lone, device, &self.driver.host, &present, &self.before)?;
        if let Some(part) = part {
            self.after = self.after.with(&part);
            self.step = Step::Make(part);
        }
        Ok(self)
    }

    fn detach(mut self, changed: &Changed) -> Result<Self> {
        let Some(device) = &changed.old else { return Ok(self) };
        let lone = lone(&changed.domain, device);
        // A source that is gone is no reason to keep what there is of it.
        let present = present(&lone).unwrap_or_default();
        let host = &self.driver.host;
        if let Some(part) = plan::going(&lone, device, host, &present, &self.before)? {
            self.after = self.after.without(&part);
            self.step = Step::Remove(part);
        }
        if let DeviceKind::Disk(disk) = device {
            self.after.loops.retain(|target| *target != disk.target);
        }
        Ok(self)
    }

    /// Of an interface that runs only the state of its link changes.
    fn update(mut self, changed: &mut Changed) -> Result<Self> {
        let (Some(DeviceKind::Interface(old)), Some(DeviceKind::Interface(new))) =
            (&changed.old, &changed.new)
        else {
            return Ok(self);
        };
        let target = new.target.clone().or_else(|| old.target.clone());
        let mut same = new.clone();
        same.link = old.link;
        same.target = target;
        if same != *old {
            let text = "Unable to modify live devices: of an interface only <link state> can be \
                        changed while the domain runs";
            return Err(Error::new(ErrorCode::OperationUnsupported, text));
        }
        let is_up = match new.link {
            Some(state) => state == LinkState::Up,
            None => !new.ips.is_empty(),
        };
        let guest = new.guest.as_deref();
        let link = self.after.links.iter_mut().find(|link| guest == Some(&link.guest));
        if let Some(link) = link.filter(|link| link.up != is_up) {
            let back = link.clone();
            link.up = is_up;
            self.step = Step::Turn { link: link.clone(), back };
        }
        let interfaces = &mut changed.domain.devices.interfaces;
        if let Some(place) = interfaces.iter_mut().find(|it| it.guest.as_deref() == guest) {
            place.target.clone_from(&same.target);
        }
        Ok(self)
    }

    /// Does it, or leaves everything as it was. Fills in what is known only then.
    pub(super) async fn carry_out(self, live: &mut Document) -> Result<()> {
        if self.before == self.after {
            return Ok(());
        }
        let names = self.names().await?;
        let made = match &self.step {
            Step::Nothing => None,
            Step::Make(part) => self.make(part).await?,
            Step::Remove(part) => {
                self.remove(part, &names).await?;
                None
            }
            Step::Turn { link, .. } => {
                self.ask(Action::TurnLink { link: link.clone() }).await?;
                None
            }
        };
        let known: Vec<LinkNames> = names.iter().cloned().chain(made.clone()).collect();
        let find = |link: &Link| known.iter().find(|names| names.guest == link.guest).cloned();
        let after = self.after.links.iter().filter_map(find).collect();
        if let Err(error) = self.adopt(after, live).await {
            let undone = self.undo(&known).await;
            return Err(also(error, undone));
        }
        if let Some(LinkNames { host, guest, .. }) = made {
            let interfaces = &mut live.devices.interfaces;
            if let Some(interface) =
                interfaces.iter_mut().find(|it| it.guest == Some(guest.clone()))
            {
                interface.live.get_or_insert_default().target = host;
            }
        }
        Ok(())
    }

    async fn make(&self, part: &Part) -> Result<Option<LinkNames>> {
        match part {
            Part::Node(node) => {
                self.allow(&self.before, &self.after)?;
                if let Err(error) = self.ask(Action::MakeNode(node.clone())).await {
                    return Err(also(error, self.allow(&self.after, &self.before)));
                }
                Ok(None)
            }
            Part::Link(link) => {
                let (link, note) = (link.clone(), self.before.files.link_note());
                match self.ask(Action::MakeLink { link, note }).await? {
                    Outcome::Linked(names) => Ok(Some(names)),
                    other => Err(strange(&other)),
                }
            }
            Part::Mount(part) => self.ask(Action::Mount(part.clone())).await.map(|_| None),
        }
    }

    async fn remove(&self, part: &Part, names: &[LinkNames]) -> Result<()> {
        match part {
            Part::Node(node) => {
                self.ask(Action::RemoveNode(node.clone())).await?;
                self.allow(&self.before, &self.after)
            }
            Part::Link(link) => {
                let Some(names) = names.iter().find(|names| names.guest == link.guest) else {
                    return Ok(());
                };
                let (link, names) = (link.clone(), names.clone());
                let note = self.before.files.link_note();
                self.ask(Action::RemoveLink { link, names, note }).await.map(drop)
            }
            Part::Mount(part) => {
                self.ask(Action::Unmount { target: part.target.clone() }).await.map(drop)
            }
        }
    }

    /// Takes back what was done; the supervisor has not taken it over.
    async fn undo(&self, names: &[LinkNames]) -> Result<()> {
        match &self.step {
            Step::Nothing => Ok(()),
            Step::Make(Part::Node(node)) => {
                self.ask(Action::RemoveNode(node.clone())).await?;
                self.allow(&self.after, &self.before)
            }
            Step::Make(part) => self.remove(part, names).await,
            Step::Remove(Part::Node(node)) => {
                self.allow(&self.after, &self.before)?;
                self.ask(Action::MakeNode(node.clone())).await.map(drop)
            }
            Step::Remove(Part::Link(link)) => {
                let (link, note) = (link.clone(), self.before.files.link_note());
                self.ask(Action::MakeLink { link, note }).await.map(drop)
            }
            Step::Remove(Part::Mount(part)) => {
                self.ask(Action::Mount(part.clone())).await.map(drop)
            }
            Step::Turn { back, .. } => {
                self.ask(Action::TurnLink { link: back.clone() }).await.map(drop)
            }
        }
    }

    fn allow(&self, from: &Plan, to: &Plan) -> Result<()> {
        let make_nodes = to.limits.make_nodes;
        self.run.group.change_devices(&from.limits.devices, &to.limits.devices, make_nodes)
    }

    async fn ask(&self, action: Action) -> Result<Outcome> {
        self.driver.have(self.domain, &self.run, &self.before.id_maps, action).await
    }

    /// What the container's links are called now.
    async fn names(&self) -> Result<Vec<LinkNames>> {
        match self.run.supervisor.request(&Request::Attach).await? {
            (Message::Running { links, .. }, _) => Ok(links),
            (answer, _) => Err(unexpected(self.run.supervisor.pid, &answer)),
        }
    }

    async fn adopt(&self, links: Vec<LinkNames>, live: &Document) -> Result<()> {
        let init = self.run.init().map_or(0, |init| init.pid);
        let init = i32::try_from(init).unwrap_or_default();
        let snapshot = self.domain.snapshot();
        let record = Store::text(&Record {
            supervisor: live.id,
            paused: snapshot.state == State::Paused,
            reason: snapshot.reason,
            group: self.run.group.path().to_owned(),
            live: live.clone(),
        });
        let plan = serde_json::to_vec(&self.after);
        let plan = plan.map_err(|e| Error::new(ErrorCode::InternalError, e))?;
        let mut fds = vec![written(&plan)?, written(record.as_bytes())?];
        for held in &self.loops {
            fds.push(held.try_clone().map_err(|e| Error::system("cannot hold a loop device", e))?);
        }
        match self.run.supervisor.request_with(&Request::Adopt { init, links }, &fds).await? {
            (Message::Done, _) => Ok(()),
            (Message::Refused(failure), _) => Err(Error::new(ErrorCode::OperationFailed, failure)),
            (answer, _) => Err(unexpected(self.run.supervisor.pid, &answer)),
        }
    }
}

fn strange(outcome: &Outcome) -> Error {
    Error::new(ErrorCode::InternalError, format!("the helper answered {outcome:?}"))
}

/// The plan that a container runs by.
pub(super) async fn plan_of(run: &Run) -> Result<Plan> {
    let (answer, mut fds) = run.supervisor.request(&Request::TellPlan).await?;
    let (Message::Done, Some(file)) = (&answer, fds.pop()) else {
        return Err(unexpected(run.supervisor.pid, &answer));
    };
    let read = || -> io::Result<Plan> {
        let (mut file, mut text) = (File::from(file), Vec::new());
        file.rewind()?;
        file.read_to_end(&mut text)?;
        serde_json::from_slice(&text).map_err(io::Error::other)
    };
    read().map_err(|e| Error::system("cannot read the plan of the container", e))
}

fn written(bytes: &[u8]) -> Result<OwnedFd> {
    crate::sys::fd::in_memory(c"nsvirt-change", bytes)
        .map_err(|e| Error::system("cannot hand over a change of the container", e))
}

/// The device as the document has it, with its name; an interface gets one in the container.
fn complete(devices: &mut Devices, device: &mut DeviceKind, plan: &Plan) {
    match device {
        DeviceKind::Disk(disk) => {
            let found = devices.disks.iter().find(|it| it.target == disk.target);
            found.into_iter().for_each(|found| disk.clone_from(found));
        }
        DeviceKind::Interface(interface) => {
            if let Some(found) = devices.interfaces.last_mut() {
                found.guest.get_or_insert_with(|| plan.free_link_name());
                interface.clone_from(found);
            }
        }
        DeviceKind::Host(device) => {
            devices.host_devices.last().into_iter().for_each(|found| device.clone_from(found));
        }
        DeviceKind::Filesystem(filesystem) => {
            devices.filesystems.last().into_iter().for_each(|it| filesystem.clone_from(it));
        }
        DeviceKind::Console(_) | DeviceKind::Fixed => {}
    }
}

/// The domain with no other device than one.
fn lone(domain: &Document, device: &DeviceKind) -> Document {
    let mut devices = Devices::default();
    match device.clone() {
        DeviceKind::Disk(disk) => devices.disks.push(disk),
        DeviceKind::Interface(interface) => devices.interfaces.push(interface),
        DeviceKind::Host(device) => devices.host_devices.push(device),
        DeviceKind::Filesystem(filesystem) => devices.filesystems.push(filesystem),
        DeviceKind::Console(console) => devices.consoles.push(console),
        DeviceKind::Fixed => {}
    }
    let mut lone = domain.clone();
    lone.devices = devices;
    lone.block_tune.devices.clear();
    lone
}
