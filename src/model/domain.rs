//! `<domain>`: the whole document.

use super::lifecycle::Event;
use super::{
    BlockTune, Clock, CpuTune, Devices, Features, IoThreads, LifecycleAction, MemoryTune, NumaTune,
    Os, Uuid, Vcpus, identity, iothreads, memory, metadata, resource, shape, unsupported,
};
use crate::error::Result;
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
    /// Processor time and placement.
    pub cpu_tune: CpuTune,
    /// The host's memory nodes.
    pub numa_tune: NumaTune,
    /// The parent in the cgroup tree: `<resource><partition>`.
    pub partition: Option<String>,
    /// What runs inside.
    pub os: Os,
    /// What the container gets of its own.
    pub features: Features,
    /// The clock.
    pub clock: Clock,
    /// What to do when init ends or the container is shut down.
    pub on_poweroff: LifecycleAction,
    /// What to do when the container asks for a reboot.
    pub on_reboot: LifecycleAction,
    /// What to do when init is killed by a signal.
    pub on_crash: LifecycleAction,
    /// File systems, consoles, and so on.
    pub devices: Devices,
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
        unsupported::check(root)?;
        let (memory, current_memory) = memory::parse(root)?;
        let mut vcpus = Vcpus::parse(root)?;
        let iothreads = IoThreads::parse(root)?;
        let numa_tune = NumaTune::parse(root, &mut vcpus, 0)?;
        Ok(Self {
            id: None,
            name: identity::parse_name(root)?,
            uuid: identity::parse_uuid(root)?,
            title: identity::parse_title(root)?,
            description: root.child_text("description"),
            metadata: metadata::parse(root),
            memory,
            current_memory,
            dump_core: memory::parse_dump_core(root)?,
            block_tune: BlockTune::parse(root)?,
            memory_tune: MemoryTune::parse(root)?,
            cpu_tune: CpuTune::parse(root, &vcpus, &iothreads)?,
            numa_tune,
            vcpus,
            iothreads,
            default_iothread: iothreads::parse_default(root)?,
            partition: resource::parse(root)?,
            os: Os::parse(root)?,
            features: Features::parse(root),
            clock: Clock::parse(root)?,
            on_poweroff: LifecycleAction::parse(root, Event::Poweroff)?,
            on_reboot: LifecycleAction::parse(root, Event::Reboot)?,
            on_crash: LifecycleAction::parse(root, Event::Crash)?,
            devices: Devices::parse(root)?,
        })
    }

    /// Writes the document, in the order and layout of libvirt's.
    pub fn format(&self, view: View) -> String {
        let mut w = Writer::new();
        match self.id.filter(|_| view == View::Live) {
            Some(id) => w.open("domain", &[("type", "lxc"), ("id", &id.to_string())]),
            None => w.open("domain", &[("type", "lxc")]),
        }
        w.leaf("name", &[], &self.name);
        w.leaf("uuid", &[], &self.uuid.to_string());
        w.optional_leaf("title", self.title.as_deref());
        w.optional_leaf("description", self.description.as_deref());
        if let Some(metadata) = &self.metadata {
            w.element(metadata);
        }
        memory::format(&mut w, self.memory, self.current_memory, self.dump_core);
        self.block_tune.format(&mut w);
        self.memory_tune.format(&mut w);
        self.vcpus.format(&mut w);
        self.iothreads.format(&mut w);
        if let Some(thread) = &self.default_iothread {
            shape::format(&mut w, thread);
        }
        self.cpu_tune.format(&mut w);
        self.numa_tune.format(&mut w);
        resource::format(&mut w, self.partition.as_deref());
        self.os.format(&mut w);
        self.features.format(&mut w);
        self.clock.format(&mut w);
        w.leaf("on_poweroff", &[], self.on_poweroff.as_str());
        w.leaf("on_reboot", &[], self.on_reboot.as_str());
        w.leaf("on_crash", &[], self.on_crash.as_str());
        self.devices.format(&mut w, view);
        w.close();
        w.finish()
    }

    /// Fills in what a document may leave to the host: the architecture (libvirt's name, as in
    /// `x86_64`) and the path of the supervisor's program.
    pub fn fill_host_defaults(&mut self, arch: &str, emulator: &str) {
        self.os.arch.get_or_insert_with(|| arch.to_owned());
        self.devices.emulator.get_or_insert_with(|| emulator.to_owned());
    }
}

fn check_root(root: &Element) -> Result<()> {
    if root.name != "domain" {
        let found = &root.name;
        return Err(root.error(format_args!("expecting root element of 'domain', not '{found}'")));
    }
    if root.attr("xmlns").is_some() {
        return Err(root.error("<domain> must not be in a name space: remove xmlns='...'"));
    }
    match root.attr("type") {
        Some("lxc") => Ok(()),
        None | Some("") => Err(root.error("missing domain type attribute, expected type='lxc'")),
        Some(other) => Err(root.unsupported(format_args!(
            "invalid domain type {other}: only type='lxc' is supported"
        ))),
    }
}

#[cfg(test)]
mod tests;
