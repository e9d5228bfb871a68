//! `<domain>`: the whole document.

use super::lifecycle::Event;
use super::resource::Resource;
use super::{
    BlockTune, Clock, Cpu, CpuTune, Devices, Features, IdMap, IoThreads, Isolation,
    LifecycleAction, LockFailureAction, MemoryTune, NumaTune, Os, ProcessLimit, SecurityLabel,
    SharedNamespaces, Uuid, Vcpus, extensions, identity, iothreads, kept, memory, metadata,
    namespaces, read, resource, seclabel, shape, sysinfo,
};
use crate::error::{Error, ErrorCode, Result};
use crate::xml::{self, Element, Writer};

/// A container as its document describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// The process id of the supervisor on the host while the container runs. Never read from a
    /// document.
    pub id: Option<u32>,
    /// The name; see [`check_name`](super::check_name) for what it may be.
    pub name: String,
    /// The identity that stays when the name changes; made up when the document has none.
    pub uuid: Uuid,
    /// `<genid>`; without effect on containers.
    pub genid: Option<Uuid>,
    /// One line for people.
    pub title: Option<String>,
    /// Any text for people.
    pub description: Option<String>,
    /// `<metadata>`: one element per name space, kept for the applications that put them there.
    pub metadata: Option<Element>,
    /// The memory limit in KiB; never 0.
    pub memory: u64,
    /// The balloon's target in KiB, between 1 and `memory`; without effect on containers.
    pub current_memory: u64,
    /// Whether memory is in core dumps, when the document says; without effect on containers.
    pub dump_core: Option<bool>,
    /// Shares and limits of block devices.
    pub block_tune: BlockTune,
    /// Further limits on memory.
    pub memory_tune: MemoryTune,
    /// The processors.
    pub vcpus: Vcpus,
    /// Threads for input and output; without effect on containers.
    pub iothreads: IoThreads,
    /// `<defaultiothread>`; without effect on containers.
    pub default_iothread: Option<Element>,
    /// `<memoryBacking>`; without effect on containers.
    pub memory_backing: Option<Element>,
    /// Processor time and placement.
    pub cpu_tune: CpuTune,
    /// The host's memory nodes.
    pub numa_tune: NumaTune,
    /// The parent in the cgroup tree: `<resource><partition>`.
    pub partition: Option<String>,
    /// The name fibre channel devices account to; without effect on containers.
    pub fibrechannel_appid: Option<String>,
    /// `<sysinfo>`; without effect on containers.
    pub sysinfo: Vec<Element>,
    /// `<bootloader>`; without effect on containers.
    pub bootloader: Option<String>,
    /// `<bootloader_args>`, read with a boot loader only; without effect on containers.
    pub bootloader_args: Option<String>,
    /// What runs inside.
    pub os: Os,
    /// The user name space.
    pub idmap: IdMap,
    /// What the container gets of its own.
    pub features: Features,
    /// The processor of a machine; without effect on containers.
    pub cpu: Cpu,
    /// The clock.
    pub clock: Clock,
    /// What to do when init ends or the container is shut down.
    pub on_poweroff: LifecycleAction,
    /// What to do when the container asks for a reboot.
    pub on_reboot: LifecycleAction,
    /// What to do when init is killed by a signal.
    pub on_crash: LifecycleAction,
    /// What to do when a lock on a disk is lost; without effect on containers.
    pub on_lockfailure: LockFailureAction,
    /// `<pm>`; without effect on containers.
    pub power: Option<Element>,
    /// `<perf>`; without effect on containers.
    pub perf: Option<Element>,
    /// File systems, consoles, and so on.
    pub devices: Devices,
    /// How security modules confine the container.
    pub security_labels: Vec<SecurityLabel>,
    /// `<keywrap>`; without effect on containers.
    pub key_wrap: Option<Element>,
    /// `<launchSecurity>`; without effect on containers.
    pub launch_security: Option<Element>,
    /// Name spaces that are not the container's own.
    pub shared_namespaces: SharedNamespaces,
    /// The most processes it may have, when the document says.
    pub processes: Option<ProcessLimit>,
    /// How far it is kept from the host's kernel.
    pub isolation: Isolation,
}

/// Which of a domain's descriptions to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// With what only a running container has: id, terminals, aliases.
    Live,
    /// What to start next time; this is what is stored.
    Inactive,
}

impl Domain {
    /// Reads a document.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_element(&xml::parse(text)?)
    }

    /// Reads a document that is a tree already.
    pub fn parse_element(root: &Element) -> Result<Self> {
        check_root(root)?;
        let mut vcpus = Vcpus::parse(root)?;
        let iothreads = IoThreads::parse(root)?;
        let cpu = Cpu::parse(root, &vcpus)?;
        let (memory, current_memory) = memory::parse(root, cpu.memory)?;
        let cpu_tune = CpuTune::parse(root, &vcpus, &iothreads)?;
        let numa_tune = NumaTune::parse(root, &mut vcpus, cpu_tune.is_pinned(), cpu.cells)?;
        let Resource { partition, fibrechannel_appid } = Resource::parse(root)?;
        let uuid = identity::parse_uuid(root)?;
        let bootloader = root.child_text("bootloader");
        Ok(Self {
            id: None,
            name: identity::parse_name(root)?,
            uuid,
            genid: identity::parse_genid(root)?,
            title: identity::parse_title(root)?,
            description: root.child_text("description"),
            metadata: metadata::parse(root),
            memory,
            current_memory,
            dump_core: memory::parse_dump_core(root)?,
            block_tune: BlockTune::parse(root)?,
            memory_tune: MemoryTune::parse(root)?,
            memory_backing: kept::memory_backing(root, cpu.cells)?,
            cpu_tune,
            numa_tune,
            vcpus,
            iothreads,
            default_iothread: iothreads::parse_default(root)?,
            partition,
            fibrechannel_appid,
            sysinfo: sysinfo::parse(root, uuid)?,
            bootloader_args: bootloader.as_ref().and_then(|_| root.child_text("bootloader_args")),
            bootloader,
            os: Os::parse(root)?,
            idmap: IdMap::parse(root)?,
            features: Features::parse(root)?,
            cpu,
            clock: Clock::parse(root)?,
            on_poweroff: LifecycleAction::parse(root, Event::Poweroff)?,
            on_reboot: LifecycleAction::parse(root, Event::Reboot)?,
            on_crash: LifecycleAction::parse(root, Event::Crash)?,
            on_lockfailure: LockFailureAction::parse(root)?,
            power: kept::power(root)?,
            perf: kept::perf(root)?,
            devices: Devices::parse(root)?,
            security_labels: seclabel::parse(root)?,
            key_wrap: kept::key_wrap(root)?,
            launch_security: kept::launch_security(root)?,
            shared_namespaces: SharedNamespaces::parse(root)?,
            processes: ProcessLimit::parse(root)?,
            isolation: Isolation::parse(root)?,
        })
    }

    /// Gives devices the names they have on record: `root` is what this was written as.
    pub fn take_aliases(&mut self, root: &Element) {
        if let Some(devices) = root.child("devices") {
            self.devices.take_aliases(devices);
        }
    }

    /// The document for those who may not see secrets.
    pub fn without_secrets(&self) -> Self {
        let mut open = self.clone();
        open.devices.drop_secrets();
        open
    }

    /// Writes the document, with its secrets, in the order and layout of libvirt's.
    pub fn format(&self, view: View) -> String {
        let mut w = Writer::new();
        let id = self.id.filter(|_| view == View::Live).map(|id| id.to_string());
        let mut attributes = vec![("type", "lxc")];
        attributes.extend(id.as_ref().map(|id| ("id", id.as_str())));
        if self.shared_namespaces.present {
            attributes.push(("xmlns:lxc", namespaces::URI));
        }
        if self.processes.is_some() || !self.isolation.is_default() {
            attributes.push(("xmlns:nsvirt", extensions::URI));
        }
        w.open("domain", &attributes);
        self.format_identity(&mut w);
        self.format_resources(&mut w);
        self.format_system(&mut w);
        self.devices.format(&mut w, view);
        self.security_labels.iter().for_each(|label| label.format(&mut w, view));
        format_kept(&mut w, self.key_wrap.as_ref());
        format_kept(&mut w, self.launch_security.as_ref());
        self.shared_namespaces.format(&mut w);
        if let Some(limit) = self.processes {
            limit.format(&mut w);
        }
        self.isolation.format(&mut w);
        w.close();
        w.finish()
    }

    fn format_identity(&self, w: &mut Writer) {
        w.leaf("name", &[], &self.name);
        w.leaf("uuid", &[], &self.uuid.to_string());
        w.optional_leaf("genid", self.genid.map(|id| id.to_string()).as_deref());
        w.optional_leaf("title", self.title.as_deref());
        w.optional_leaf("description", self.description.as_deref());
        if let Some(metadata) = &self.metadata {
            w.element(metadata);
        }
    }

    fn format_resources(&self, w: &mut Writer) {
        memory::format(w, self.memory, self.current_memory, self.dump_core);
        self.block_tune.format(w);
        self.memory_tune.format(w);
        format_kept(w, self.memory_backing.as_ref());
        self.vcpus.format(w);
        self.iothreads.format(w);
        format_kept(w, self.default_iothread.as_ref());
        self.cpu_tune.format(w);
        self.numa_tune.format(w);
        resource::format(w, self.partition.as_deref(), self.fibrechannel_appid.as_deref());
    }

    fn format_system(&self, w: &mut Writer) {
        self.sysinfo.iter().for_each(|sysinfo| shape::format(w, sysinfo));
        w.optional_leaf("bootloader", self.bootloader.as_deref());
        w.optional_leaf("bootloader_args", self.bootloader_args.as_deref());
        self.os.format(w);
        self.idmap.format(w);
        self.features.format(w);
        self.cpu.format(w);
        self.clock.format(w);
        w.leaf("on_poweroff", &[], self.on_poweroff.as_str());
        w.leaf("on_reboot", &[], self.on_reboot.as_str());
        w.leaf("on_crash", &[], self.on_crash.as_str());
        if self.on_lockfailure != LockFailureAction::Default {
            w.leaf("on_lockfailure", &[], self.on_lockfailure.as_str());
        }
        format_kept(w, self.power.as_ref());
        format_kept(w, self.perf.as_ref());
    }

    /// Fills in what a document may leave to the host: the architecture (libvirt's name, as in
    /// `x86_64`) and the path of the supervisor's program.
    pub fn fill_host_defaults(&mut self, arch: &str, emulator: &str) {
        self.os.arch.get_or_insert_with(|| arch.to_owned());
        self.devices.emulator.get_or_insert_with(|| emulator.to_owned());
    }
}

fn format_kept(w: &mut Writer, element: Option<&Element>) {
    if let Some(element) = element {
        shape::format(w, element);
    }
}

/// What libvirt looks at before the grammar: fails for the root of another document, and of domains
/// that other drivers have.
pub fn check_kind(root: &Element) -> Result<()> {
    if root.name != "domain" {
        let found = &root.name;
        return Err(root.error(format_args!("expecting root element of 'domain', not '{found}'")));
    }
    match root.attr("type") {
        Some(other) if OTHER_TYPES.contains(&other) => {
            Err(wrong_type(root, other, ErrorCode::InvalidArg))
        }
        _ => Ok(()),
    }
}

fn wrong_type(root: &Element, kind: &str, code: ErrorCode) -> Error {
    let detail = format!("invalid domain type {kind}: only type='lxc' is supported");
    Error::in_document(code, root.line, detail)
}

fn check_root(root: &Element) -> Result<()> {
    check_kind(root)?;
    if root.attr("xmlns").is_some() {
        return Err(root.error("<domain> must not be in a name space: remove xmlns='...'"));
    }
    match root.attr("type") {
        Some("lxc") => Ok(()),
        None | Some("") => {
            let detail = "missing domain type attribute, expected type='lxc'";
            Err(read::internal(root, detail))
        }
        Some("none") => Err(wrong_type(root, "none", ErrorCode::InvalidArg)),
        Some(other) => Err(wrong_type(root, other, ErrorCode::ConfigUnsupported)),
    }
}

/// The types of domains libvirt knows beside `lxc` and `none`.
const OTHER_TYPES: [&str; 14] = [
    "qemu",
    "kvm",
    "xen",
    "uml",
    "openvz",
    "test",
    "vmware",
    "hyperv",
    "vbox",
    "phyp",
    "parallels",
    "bhyve",
    "vz",
    "hvf",
];

#[cfg(test)]
mod tests;
