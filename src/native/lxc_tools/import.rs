//! From settings to a domain document.

use super::capabilities::Capabilities;
use super::config::{Excerpt, Setting};
use super::limits::Limits;
use super::mounts::Mounts;
use super::network::Networks;
use super::{Imported, build, number};
use crate::error::{Error, ErrorCode, Result};
use crate::xml::Element;

/// The most consoles a configuration may ask for.
const MAX_CONSOLES: u64 = 256;
/// The most lines of one kind of map the kernel takes.
const MAX_MAPS: usize = 340;

/// Names of the lxc namespace.
pub(super) const LXC_NAMESPACE: &str = "http://libvirt.org/schemas/domain/lxc/1.0";

/// LXC's names of processors that are not libvirt's.
pub(super) const ARCHITECTURES: &[(&str, &str)] = &[
    ("x86", "i686"),
    ("i386", "i686"),
    ("i486", "i686"),
    ("i586", "i686"),
    ("athlon", "i686"),
    ("linux32", "i686"),
    ("amd64", "x86_64"),
    ("linux64", "x86_64"),
    ("arm", "armv7l"),
    ("armel", "armv7l"),
    ("armhf", "armv7l"),
    ("arm64", "aarch64"),
    ("powerpc", "ppc"),
    ("powerpc64", "ppc64"),
    ("ppc64el", "ppc64le"),
];

/// Those of libvirt's that LXC knows by the same name.
const SAME_ARCHITECTURES: &[&str] = &[
    "i686",
    "x86_64",
    "armv7l",
    "aarch64",
    "ppc",
    "ppc64",
    "ppc64le",
    "mips",
    "mipsel",
    "mips64",
    "mips64el",
    "s390x",
    "riscv32",
    "riscv64",
    "loongarch64",
];

/// Keys that have no equivalent, and why; by what they begin with.
const WITHOUT_EQUIVALENT: &[(&str, &str)] = &[
    ("lxc.hook.", "hooks belong to the host, not to a domain document"),
    ("lxc.prlimit.", "a domain has no resource limits of processes"),
    ("lxc.sysctl.", "a domain has no kernel settings"),
    ("lxc.proc.", "a domain has no files of /proc"),
    ("lxc.seccomp.", "a domain has no filter of system calls of its own"),
    ("lxc.signal.", "shutdown and reboot choose the signal by what init is"),
    ("lxc.start.", "the order and delay of starts are not part of a domain document"),
    ("lxc.log.", "the log belongs to the daemon"),
    ("lxc.console.", "where the console goes is chosen by who opens it"),
    ("lxc.tty.dir", "consoles have their usual places in /dev"),
    ("lxc.pty.", "the number of pseudo terminals is not limited"),
    ("lxc.group", "groups of containers are not part of a domain document"),
    ("lxc.namespace.", "only the net, ipc and uts namespaces can be shared"),
    ("lxc.time.", "a container has the clock of the host"),
    ("lxc.rootfs.", "only the path and the options of the root file system are carried over"),
];

const UNKNOWN: &str = "a domain document has no equivalent";

#[derive(Default)]
struct Import {
    notes: Vec<String>,
    name: Option<String>,
    architecture: Option<&'static str>,
    init: Vec<String>,
    directory: Option<String>,
    user: Option<u64>,
    group: Option<u64>,
    environment: Vec<(String, String)>,
    uids: Vec<[u64; 3]>,
    gids: Vec<[u64; 3]>,
    consoles: u64,
    capabilities: Capabilities,
    limits: Limits,
    mounts: Mounts,
    networks: Networks,
    /// Kind (`net`), then type and value of the element.
    shared: Vec<(&'static str, &'static str, String)>,
    labels: Vec<Element>,
    autostart: bool,
}

pub(super) fn import(settings: &[Setting]) -> Result<Imported> {
    let mut import = Import { init: vec!["/sbin/init".to_owned()], ..Import::default() };
    // Mount entries may begin with the path of the root, wherever that stands.
    for setting in settings.iter().filter(|setting| setting.key == "lxc.rootfs.path") {
        import.mounts.root(setting)?;
    }
    for setting in settings {
        import.set(setting)?;
    }
    import.finish()
}

impl Import {
    fn set(&mut self, setting: &Setting) -> Result<()> {
        let (value, notes) = (setting.value.as_str(), &mut self.notes);
        match setting.key.as_str() {
            "lxc.rootfs.path" => {}
            "lxc.rootfs.options" => self.mounts.root_options(setting, notes),
            "lxc.mount.entry" => self.mounts.entry(setting, notes)?,
            "lxc.mount.auto" => Mounts::auto(setting, notes),
            "lxc.mount.fstab" if value.is_empty() => {}
            "lxc.mount.fstab" => {
                return Err(setting.unsupported(
                    "a file of mounts is not read: write its lines as lxc.mount.entry instead",
                ));
            }
            "lxc.uts.name" => self.name = Some(name(setting)?),
            "lxc.arch" => self.architecture(setting),
            "lxc.init.cmd" => self.init(setting),
            "lxc.init.cwd" => self.directory = Some(value.to_owned()).filter(|v| !v.is_empty()),
            "lxc.init.uid" => self.user = id(setting)?,
            "lxc.init.gid" => self.group = id(setting)?,
            "lxc.environment" => self.environment(setting),
            "lxc.idmap" => self.map(setting)?,
            "lxc.tty.max" if value.is_empty() => self.consoles = 0,
            "lxc.tty.max" => {
                let consoles = number::within(value, 0, MAX_CONSOLES);
                self.consoles = consoles.map_err(|e| setting.invalid(e))?;
            }
            "lxc.cap.drop" => self.capabilities.drop(setting, notes),
            "lxc.cap.keep" => self.capabilities.keep(setting, notes),
            "lxc.apparmor.profile" | "lxc.selinux.context" => self.label(setting),
            "lxc.start.auto" => self.autostart(setting)?,
            "lxc.autodev" if value == "1" || value.is_empty() => {}
            key => self.by_prefix(key, setting)?,
        }
        Ok(())
    }

    fn by_prefix(&mut self, key: &str, setting: &Setting) -> Result<()> {
        let notes = &mut self.notes;
        if let Some(file) = key.strip_prefix("lxc.cgroup.") {
            return self.limits.v1(file, setting, notes);
        }
        if let Some(file) = key.strip_prefix("lxc.cgroup2.") {
            return self.limits.v2(file, setting, notes);
        }
        if let Some(rest) = key.strip_prefix("lxc.net")
            && (rest.is_empty() || rest.starts_with('.'))
        {
            return self.networks.set(rest, setting, notes);
        }
        if let Some(kind) = key.strip_prefix("lxc.namespace.share.")
            && let Some(kind) = ["net", "ipc", "uts"].into_iter().find(|known| *known == kind)
        {
            self.share(kind, setting);
            return Ok(());
        }
        let known = WITHOUT_EQUIVALENT.iter().find(|(prefix, _)| key.starts_with(prefix));
        self.notes.push(setting.note(known.map_or(UNKNOWN, |(_, reason)| reason)));
        Ok(())
    }

    fn architecture(&mut self, setting: &Setting) {
        let value = setting.value.as_str();
        let renamed = ARCHITECTURES.iter().find(|(lxc, _)| *lxc == value).map(|(_, ours)| *ours);
        let same = SAME_ARCHITECTURES.iter().find(|name| **name == value).copied();
        self.architecture = renamed.or(same);
        if self.architecture.is_none() && !value.is_empty() {
            self.notes.push(setting.note("not the name of an architecture: the host's is used"));
        }
    }

    fn init(&mut self, setting: &Setting) {
        let mut words = split_words(&setting.value);
        let before = words.len();
        words.retain(|word| !word.is_empty());
        if words.len() != before {
            self.notes.push(setting.note("arguments without text are left out"));
        }
        if words.is_empty() {
            words.push("/sbin/init".to_owned());
        }
        self.init = words;
    }

    fn environment(&mut self, setting: &Setting) {
        let Some((name, value)) = setting.value.split_once('=') else {
            match setting.value.is_empty() {
                true => self.environment.clear(),
                false => self.notes.push(
                    setting.note("a variable is not taken from the environment of the daemon"),
                ),
            }
            return;
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(is_name) || !name.starts_with(|c: char| is_name(c) && !c.is_numeric())
        {
            self.notes.push(setting.note("not a name a domain accepts for a variable"));
        } else if value.is_empty() {
            self.notes.push(setting.note("a domain accepts no variable without a value"));
        } else {
            self.environment.retain(|(known, _)| known != name);
            self.environment.push((name.to_owned(), value.to_owned()));
        }
    }

    fn map(&mut self, setting: &Setting) -> Result<()> {
        let fields: Vec<_> = setting.value.split_whitespace().collect();
        let (kind, numbers) = match fields.as_slice() {
            [] => {
                self.uids.clear();
                self.gids.clear();
                return Ok(());
            }
            [kind, numbers @ ..] if numbers.len() == 3 => (*kind, numbers),
            _ => return Err(setting.invalid("not of the form u CONTAINER HOST COUNT")),
        };
        let mut map = [0; 3];
        for (place, text) in map.iter_mut().zip(numbers) {
            *place =
                number::within(text, 0, u64::from(u32::MAX)).map_err(|e| setting.invalid(e))?;
        }
        let maps = match kind {
            "u" => &mut self.uids,
            "g" => &mut self.gids,
            _ => return Err(setting.invalid("a map is of kind u or g")),
        };
        if maps.len() == MAX_MAPS {
            return Err(setting.invalid(format_args!("more than {MAX_MAPS} maps")));
        }
        maps.push(map);
        Ok(())
    }

    fn label(&mut self, setting: &Setting) {
        let model = if setting.key.contains("apparmor") { "apparmor" } else { "selinux" };
        self.labels.retain(|label| label.attr("model") != Some(model));
        let element = match setting.value.as_str() {
            "" => return,
            "generated" | "unchanged" => {
                self.notes.push(setting.note("which profile is used is up to the daemon"));
                return;
            }
            "unconfined" if model == "apparmor" => {
                build::empty("seclabel", &[("type", "none"), ("model", model)])
            }
            label => {
                let label = build::leaf("label", &[], label);
                let attributes = [("type", "static"), ("model", model), ("relabel", "no")];
                build::parent("seclabel", &attributes, [label])
            }
        };
        self.labels.push(element);
    }

    fn autostart(&mut self, setting: &Setting) -> Result<()> {
        self.autostart = match setting.value.as_str() {
            "" | "0" => false,
            "1" => true,
            _ => return Err(setting.invalid("must be 0 or 1")),
        };
        if self.autostart {
            self.notes.push(setting.note(
                "not part of a domain document: mark the domain with autostart once it is defined",
            ));
        }
        Ok(())
    }

    fn share(&mut self, kind: &'static str, setting: &Setting) {
        self.shared.retain(|(known, ..)| *known != kind);
        let value = setting.value.as_str();
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let of_process = value.strip_prefix("/proc/").and_then(|rest| rest.split_once('/'));
        let netns = ["/run/netns/", "/var/run/netns/"].iter().find_map(|p| value.strip_prefix(p));
        let (by, value) = match (of_process, netns) {
            _ if value.is_empty() => return,
            (Some((pid, rest)), _) if is_number(pid) && rest == format!("ns/{kind}") => {
                ("pid", pid)
            }
            (_, Some(name)) if kind == "net" && !name.contains('/') => ("netns", name),
            _ if is_number(value) => ("pid", value),
            _ if !value.contains('/') => ("name", value),
            _ => {
                self.notes.push(setting.note("a namespace is not shared by such a path"));
                return;
            }
        };
        self.shared.push((kind, by, value.to_owned()));
    }

    fn finish(mut self) -> Result<Imported> {
        let missing = |what: &str| Err(Error::new(ErrorCode::InvalidArg, what));
        let Some(name) = self.name.take() else {
            return missing("the configuration has no lxc.uts.name, which names the domain");
        };
        let Some(filesystems) = std::mem::take(&mut self.mounts).elements() else {
            return missing("the configuration has no lxc.rootfs.path");
        };
        let shares_net = self.shared.iter().any(|(kind, ..)| *kind == "net");
        let networks = std::mem::take(&mut self.networks).devices(shares_net, &mut self.notes);

        let mut children = vec![build::leaf("name", &[], &name)];
        children.extend(self.limits.memory(&mut self.notes));
        children.extend(self.limits.tuning(&mut self.notes));
        children.extend(self.limits.processors(&mut self.notes));
        children.push(self.os());
        children.extend(self.idmap());
        let privnet = networks.privnet.then(|| build::empty("privnet", &[]));
        let capabilities = self.capabilities.element(&mut self.notes);
        let features = privnet.into_iter().chain([capabilities]);
        children.push(build::parent("features", &[], features));
        children.push(build::empty("clock", &[("offset", "utc")]));
        children.push(build::leaf("on_poweroff", &[], "destroy"));
        children.push(build::leaf("on_reboot", &[], "restart"));
        children.push(build::leaf("on_crash", &[], "destroy"));
        let devices = filesystems
            .into_iter()
            .chain(networks.interfaces)
            // LXC gives every container a console besides its ttys; a domain starts with none less.
            .chain((0..self.consoles.max(1)).map(console))
            .chain(networks.hostdevs);
        children.push(build::parent("devices", &[], devices));
        children.append(&mut self.labels);
        let mut attributes = vec![("type", "lxc")];
        if !self.shared.is_empty() {
            attributes.push(("xmlns:lxc", LXC_NAMESPACE));
            children.push(self.namespaces());
        }
        let domain = build::parent("domain", &attributes, children);
        Ok(Imported { domain, autostart: self.autostart, notes: self.notes })
    }

    fn os(&self) -> Element {
        let architecture = self.architecture.map(|name| ("arch", name));
        let attributes: Vec<_> = architecture.into_iter().collect();
        let mut children = vec![build::leaf("type", &attributes, "exe")];
        for (index, word) in self.init.iter().enumerate() {
            let name = if index == 0 { "init" } else { "initarg" };
            children.push(build::leaf(name, &[], word));
        }
        for (name, value) in &self.environment {
            children.push(build::leaf("initenv", &[("name", name)], value));
        }
        if let Some(directory) = &self.directory {
            children.push(build::leaf("initdir", &[], directory));
        }
        if self.user.is_some() || self.group.is_some() {
            // The schema wants both or none.
            let ids = [("inituser", self.user), ("initgroup", self.group)];
            for (name, id) in ids {
                children.push(build::leaf(name, &[], &id.unwrap_or(0).to_string()));
            }
        }
        build::parent("os", &[], children)
    }

    fn idmap(&mut self) -> Option<Element> {
        if self.uids.is_empty() && self.gids.is_empty() {
            return None;
        }
        let mut children = Vec::new();
        for (name, maps) in [("uid", &mut self.uids), ("gid", &mut self.gids)] {
            maps.sort_by_key(|[start, ..]| *start);
            if maps.first().is_none_or(|[start, ..]| *start != 0) {
                self.notes.push(format!(
                    "lxc.idmap: no {name} of the host for {name} 0 of the container, which a \
                     domain needs to be defined"
                ));
            }
            for [start, target, count] in maps {
                let (start, target) = (start.to_string(), target.to_string());
                let count = count.to_string();
                let attributes = [("start", &*start), ("target", &*target), ("count", &*count)];
                children.push(build::empty(name, &attributes));
            }
        }
        Some(build::parent("idmap", &[], children))
    }

    fn namespaces(&self) -> Element {
        let order = ["net", "ipc", "uts"];
        let shared = order.iter().filter_map(|kind| self.shared.iter().find(|s| s.0 == *kind));
        let children = shared.map(|(kind, by, value)| {
            build::empty(&format!("lxc:share{kind}"), &[("type", *by), ("value", value)])
        });
        build::parent("lxc:namespace", &[], children)
    }
}

fn console(port: u64) -> Element {
    let port = port.to_string();
    let target = build::empty("target", &[("type", "lxc"), ("port", &port)]);
    build::parent("console", &[("type", "pty")], [target])
}

fn name(setting: &Setting) -> Result<String> {
    let value = setting.value.as_str();
    if value.is_empty() || value.contains('/') {
        let value = Excerpt(value);
        return Err(setting.invalid(format_args!("'{value}' cannot be the name of a domain")));
    }
    Ok(value.to_owned())
}

fn id(setting: &Setting) -> Result<Option<u64>> {
    if setting.value.is_empty() {
        return Ok(None);
    }
    let id = number::within(&setting.value, 0, u64::from(u32::MAX) - 1);
    id.map(Some).map_err(|e| setting.invalid(e))
}

/// Words separated by space, as LXC takes them apart: a word that begins with a quote goes to the
/// next one of its kind; there is no escape.
pub(super) fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => {
                let inside = rest.get(1..).unwrap_or_default();
                inside.split_once(first).unwrap_or((inside, ""))
            }
            _ => rest.split_once([' ', '\t']).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}
