//! The control groups of one container.

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use tokio::io::Interest;

use super::devices;
use super::{Hierarchy, Layout, Version, directory, limits};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::plan::{DeviceRule, Limits, Setting};
use crate::sys::fd;

const SUPERVISOR: &str = "supervisor";
pub(super) const PAYLOAD: &str = "payload";
const INIT: &str = "payload/init";
const DIRECTORIES: [&str; 4] = ["", SUPERVISOR, PAYLOAD, INIT];

/// The control groups of one container, one directory in each hierarchy.
#[derive(Debug, Clone)]
pub struct Group {
    pub(super) layout: Layout,
    /// Below each hierarchy.
    path: PathBuf,
}

impl Group {
    /// Names the groups of a domain; nothing is created. `partition` is a path like `/machine`.
    pub fn new(layout: &Layout, partition: &str, domain: &str) -> Self {
        let partition = Path::new(partition.trim_start_matches('/'));
        Self::at(layout, partition.join(format!("{domain}.libvirt-lxc")))
    }

    /// The groups at a path below each hierarchy. A path that ends in `.scope` is made by systemd.
    pub fn at(layout: &Layout, path: impl Into<PathBuf>) -> Self {
        Self { layout: layout.clone(), path: path.into() }
    }

    /// Where the groups are, below each hierarchy.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The unit of systemd's that the groups are, if they are one.
    pub fn scope(&self) -> Option<&str> {
        let name = self.path.file_name()?.to_str()?;
        name.ends_with(".scope").then_some(name)
    }

    pub(super) fn directory(&self, hierarchy: &Hierarchy, below: &str) -> PathBuf {
        let group = hierarchy.mount.join(&self.path);
        if below.is_empty() { group } else { group.join(below) }
    }

    fn v1(&self) -> impl Iterator<Item = &Hierarchy> {
        self.layout.hierarchies.iter().filter(|h| h.version != Version::V2)
    }

    /// A directory of the version 2 group, on a host that has version 2.
    pub(super) fn v2(&self, below: &str) -> Option<PathBuf> {
        self.layout.v2().map(|hierarchy| self.directory(hierarchy, below))
    }

    pub(super) fn v1_with(&self, controller: &str, below: &str) -> Option<PathBuf> {
        let hierarchy = self.v1().find(|hierarchy| hierarchy.controls(controller))?;
        Some(self.directory(hierarchy, below))
    }

    /// Creates the group that init is born in, where the host has version 2. What an earlier run
    /// left there, empty, is removed first. A supervisor that systemd has put into a scope goes into
    /// its own group. After a failure some of it may be there, to be removed.
    pub fn create_birthplace(&self, supervisor: u32) -> Result<()> {
        let Some(hierarchy) = self.layout.v2() else { return Ok(()) };
        self.create_in(hierarchy, supervisor)?;
        self.create_one(hierarchy, INIT)
    }

    /// Creates the other groups, and sets the limits of all. That of init is made last: in version
    /// 1 it inherits what its parent is limited to.
    pub fn create_rest(&self, limits: &Limits, supervisor: u32) -> Result<()> {
        self.v1().try_for_each(|hierarchy| self.create_in(hierarchy, supervisor))?;
        self.apply(&limits.settings)?;
        self.allow_devices(&limits.devices, limits.make_nodes)?;
        self.v1().try_for_each(|hierarchy| self.create_one(hierarchy, INIT))
    }

    /// Creates what supervisor and payload have in one hierarchy.
    fn create_in(&self, hierarchy: &Hierarchy, supervisor: u32) -> Result<()> {
        self.create_above(hierarchy)?;
        match self.scope() {
            Some(_) => self.move_supervisor(hierarchy, supervisor)?,
            None => self.create_one(hierarchy, SUPERVISOR)?,
        }
        self.create_one(hierarchy, PAYLOAD)
    }

    /// Applies limits in their order, to the container as a whole.
    pub fn apply(&self, settings: &[Setting]) -> Result<()> {
        settings.iter().try_for_each(|Setting { element, limit }| {
            let controller = limit.controller();
            let Some(hierarchy) = self.layout.with(controller) else {
                return Err(error(format!("{element}: the host has no controller '{controller}'")));
            };
            let group = self.directory(hierarchy, PAYLOAD);
            let version2 = hierarchy.version == Version::V2;
            limits::apply(&group, version2, limit).map_err(|cause| refused(element, &group, cause))
        })
    }

    fn allow_devices(&self, list: &[DeviceRule], make_nodes: bool) -> Result<()> {
        let (allowed, group) = match (self.v1_with("devices", PAYLOAD), self.v2(PAYLOAD)) {
            (Some(group), _) => (devices::allow_only_v1(&group, list, make_nodes), group),
            (None, Some(group)) => (devices::allow_only_v2(&group, list, make_nodes), group),
            (None, None) => {
                return Err(error("the host has no control over devices for the container"));
            }
        };
        allowed.map_err(|e| failed("restrict devices in", &group, e))
    }

    /// Changes which devices the container may use, from a list to another one.
    pub fn change_devices(
        &self,
        before: &[DeviceRule],
        after: &[DeviceRule],
        make_nodes: bool,
    ) -> Result<()> {
        let own = [PAYLOAD, INIT].map(|below| self.v1_with("devices", below));
        let v1: Vec<PathBuf> = own.into_iter().flatten().collect();
        let (changed, group) = match (v1.first().cloned(), self.v2(PAYLOAD)) {
            (Some(group), _) => (devices::change_v1(&v1, before, after), group),
            (None, Some(group)) => (devices::change_v2(&group, after, make_nodes), group),
            (None, None) => return Err(error("the host has no control over devices")),
        };
        changed.map_err(|e| failed("change the devices of", &group, e))
    }

    /// The group itself, and its partition.
    fn create_above(&self, hierarchy: &Hierarchy) -> Result<()> {
        let group = self.directory(hierarchy, "");
        if self.scope().is_none() && group.exists() {
            directory::remove_tree(&group)
                .map_err(|e| failed("remove stale control group", &group, e))?;
        }
        let above: Vec<&Path> =
            self.path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        above.into_iter().rev().try_for_each(|path| create(hierarchy, &hierarchy.mount.join(path)))
    }

    /// Moves a supervisor from its scope to its own group, before controllers are passed on: version
    /// 2 takes a group with processes that does so for the root of a group of threads.
    fn move_supervisor(&self, hierarchy: &Hierarchy, supervisor: u32) -> Result<()> {
        let own = self.directory(hierarchy, SUPERVISOR);
        directory::make(hierarchy, &own).map_err(|e| failed("create control group", &own, e))?;
        write(&own.join("cgroup.procs"), &supervisor.to_string())
    }

    fn create_one(&self, hierarchy: &Hierarchy, below: &str) -> Result<()> {
        create(hierarchy, &self.directory(hierarchy, below))
    }

    /// Version 1 files that take the supervisor's process ID.
    pub fn supervisor_tasks(&self) -> Vec<PathBuf> {
        self.v1().map(|h| self.directory(h, SUPERVISOR).join("tasks")).collect()
    }

    /// Version 2 directory of the supervisor, on a host with version 2 alone. Where there is version
    /// 1 as well its groups are enough, and entering version 2 stops every fork of the host for
    /// milliseconds.
    pub fn supervisor_v2(&self) -> Option<PathBuf> {
        if self.v1().next().is_some() { None } else { self.v2(SUPERVISOR) }
    }

    /// Version 1 files that take init's process ID.
    pub fn init_tasks(&self) -> Vec<PathBuf> {
        self.v1().map(|h| self.directory(h, INIT).join("tasks")).collect()
    }

    /// Version 2 directory that init is born in.
    pub fn init_v2(&self) -> Option<PathBuf> {
        self.v2(INIT)
    }

    /// The file that counts what the kernel has killed for lack of memory, init included: version 1
    /// counts a process in its own group, version 2 in those above as well.
    pub fn oom_kills(&self) -> Option<PathBuf> {
        let version1 = self.v1_with("memory", INIT).map(|group| group.join("memory.oom_control"));
        version1.or_else(|| self.v2(INIT).map(|group| group.join("memory.events")))
    }

    /// Directories of init's groups that a container manages itself: version 2, and the hierarchy
    /// systemd names its units in. Limits are above them.
    pub fn delegated(&self) -> Vec<PathBuf> {
        let is_delegated = |h: &&Hierarchy| h.version == Version::V2 || h.controls("name=systemd");
        let hierarchies = self.layout.hierarchies.iter().filter(is_delegated);
        hierarchies.map(|hierarchy| self.directory(hierarchy, INIT)).collect()
    }

    /// Kills every process of the container, frozen or not, and returns without waiting.
    pub fn kill(&self) -> Result<()> {
        if let Some(payload) = self.v2(PAYLOAD) {
            match fs::write(payload.join("cgroup.kill"), "1") {
                Ok(()) => return Ok(()),
                // Gone already, or a kernel before 5.14.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(failed("kill processes of", &payload, e)),
            }
        }
        self.kill_each().map(drop)
    }

    /// Kills, one by one, whatever any hierarchy lists: also what somebody put into a group of
    /// version 1 alone. Gives what was killed, to wait for.
    pub fn kill_each(&self) -> Result<Vec<OwnedFd>> {
        let mut killed = Vec::new();
        for hierarchy in &self.layout.hierarchies {
            let group = self.directory(hierarchy, PAYLOAD);
            directory::kill_listed(&group, &mut killed)
                .map_err(|e| failed("kill processes of", &group, e))?;
        }
        self.thaw_v1()?;
        Ok(killed)
    }

    /// Stops every process of the container, and waits until they have stopped.
    pub async fn freeze(&self) -> Result<()> {
        if let Some(payload) = self.v2(PAYLOAD) {
            write(&payload.join("cgroup.freeze"), "1")?;
            return self.wait_for("frozen 1").await;
        }
        let Some(freezer) = self.v1_with("freezer", PAYLOAD) else {
            return Err(Error::new(
                ErrorCode::OperationUnsupported,
                "the host has no cgroup freezer to suspend the container with",
            ));
        };
        let state = freezer.join("freezer.state");
        write(&state, "FROZEN")?;
        // This kernel interface has no event; reading the state is what moves it on.
        while read(&state)?.trim() == "FREEZING" {
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Lets the processes go on.
    pub async fn thaw(&self) -> Result<()> {
        if let Some(payload) = self.v2(PAYLOAD) {
            write(&payload.join("cgroup.freeze"), "0")?;
            return self.wait_for("frozen 0").await;
        }
        self.thaw_v1()
    }

    fn thaw_v1(&self) -> Result<()> {
        match self.v1_with("freezer", PAYLOAD) {
            Some(freezer) if freezer.exists() => write(&freezer.join("freezer.state"), "THAWED"),
            _ => Ok(()),
        }
    }

    /// Whether the container is suspended, as the kernel says.
    pub fn is_frozen(&self) -> Result<bool> {
        if let Some(payload) = self.v2(PAYLOAD) {
            return Ok(read(&payload.join("cgroup.events"))?.lines().any(|it| it == "frozen 1"));
        }
        match self.v1_with("freezer", PAYLOAD) {
            Some(freezer) => Ok(read(&freezer.join("freezer.state"))?.trim() == "FROZEN"),
            None => Ok(false),
        }
    }

    /// Waits until what was killed is gone, and, where version 2 tells, until nothing is left.
    pub async fn wait_empty(&self, killed: Vec<OwnedFd>) -> Result<()> {
        for process in killed {
            let watch = |e| Error::system("cannot wait for a killed process", e);
            let process = fd::watch(process, Interest::READABLE).map_err(watch)?;
            drop(process.readable().await.map_err(watch)?);
        }
        match self.v2(PAYLOAD) {
            Some(payload) if payload.exists() => self.wait_for("populated 0").await,
            _ => Ok(()),
        }
    }

    /// Waits for a line of the payload's `cgroup.events`; the kernel signals each change.
    async fn wait_for(&self, line: &str) -> Result<()> {
        let Some(payload) = self.v2(PAYLOAD) else {
            return Ok(());
        };
        let path = payload.join("cgroup.events");
        let watch = |e: io::Error| failed("watch", &path, e);
        let file = File::open(&path).map_err(watch)?;
        let changed = file.try_clone().map_err(watch)?.into();
        let changed = fd::watch(changed, Interest::PRIORITY).map_err(watch)?;
        // Reading through the watched descriptor is what arms its next event.
        while !reread(&file).map_err(watch)?.lines().any(|it| it == line) {
            changed.ready(Interest::PRIORITY).await.map_err(watch)?.clear_ready();
        }
        Ok(())
    }

    /// Whether a process is in the supervisor's group: the proof that a process ID on record is
    /// still the supervisor of this container.
    pub fn has_supervisor(&self, pid: u32) -> bool {
        let pid = pid.to_string();
        self.layout.hierarchies.iter().any(|hierarchy| {
            let file = self.directory(hierarchy, SUPERVISOR).join("cgroup.procs");
            fs::read_to_string(file).is_ok_and(|text| text.lines().any(|line| line == pid))
        })
    }

    /// Removes the groups with all below them; groups that are gone are fine.
    pub fn remove(&self) -> Result<()> {
        self.layout.hierarchies.iter().try_for_each(|hierarchy| {
            // The usual ones by name, deepest first; only when that fails somebody made more.
            let mut usual = DIRECTORIES.iter().rev().map(|below| self.directory(hierarchy, below));
            let group = self.directory(hierarchy, "");
            let removed = usual.try_for_each(|path| directory::remove_one(&path));
            removed
                .or_else(|_| directory::remove_tree(&group))
                .map_err(|e| failed("remove control group", &group, e))
        })
    }
}

impl Layout {
    /// Removes a partition that this daemon made for itself, as far as it is empty.
    pub fn remove_partition(&self, partition: &str) {
        for hierarchy in &self.hierarchies {
            // In use by somebody, or never made: both are fine, nothing is lost.
            let _ = fs::remove_dir(hierarchy.mount.join(partition.trim_start_matches('/')));
        }
    }
}

fn reread(mut file: &File) -> io::Result<String> {
    use std::io::{Read, Seek};
    let mut text = String::new();
    file.rewind()?;
    file.read_to_string(&mut text)?;
    Ok(text)
}

fn create(hierarchy: &Hierarchy, group: &Path) -> Result<()> {
    directory::create(hierarchy, group).map_err(|e| failed("create control group", group, e))
}

pub(super) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| failed("read", path, e))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|e| failed("write", path, e))
}

fn failed(attempt: &str, path: &Path, cause: io::Error) -> Error {
    Error::system(format!("cannot {attempt} {}", path.display()), cause)
        .in_domain(ErrorDomain::Cgroup)
}

/// A limit that the kernel does not take.
fn refused(element: &str, group: &Path, cause: io::Error) -> Error {
    let group = group.display();
    match cause.kind() {
        io::ErrorKind::NotFound => Error::new(
            ErrorCode::ConfigUnsupported,
            format!(
                "{element} is nothing this kernel can limit: there is no file for it in {group}"
            ),
        )
        .in_domain(ErrorDomain::Cgroup),
        _ => Error::system(format!("the kernel refuses {element} in {group}"), cause)
            .in_domain(ErrorDomain::Cgroup),
    }
}

fn error(detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::InternalError, detail).in_domain(ErrorDomain::Cgroup)
}
