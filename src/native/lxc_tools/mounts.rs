//! `lxc.rootfs.*` and `lxc.mount.*`: the file systems.

use super::config::{Excerpt, Setting};
use super::{build, number};
use crate::error::Result;
use crate::xml::Element;

/// Targets that every container has mounted, whatever the configuration says.
const BASIC: [&str; 14] = [
    "/proc",
    "/proc/sys",
    "/proc/sys/net/ipv4",
    "/proc/sys/net/ipv6",
    "/proc/sysrq-trigger",
    "/proc/meminfo",
    "/sys",
    "/sys/fs/selinux",
    "/sys/fs/cgroup",
    "/sys/kernel/security",
    "/sys/kernel/debug",
    "/dev",
    "/dev/pts",
    "/dev/mqueue",
];

/// The root file system and the mounts below it.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    root: Option<Root>,
    read_only_root: bool,
    entries: Vec<Element>,
}

#[derive(Debug)]
struct Root {
    /// Without its prefix: mount entries may begin with it.
    path: String,
    element: Element,
}

impl Mounts {
    /// `lxc.rootfs.path`.
    pub(super) fn root(&mut self, setting: &Setting) -> Result<()> {
        let value = setting.value.as_str();
        if value.is_empty() {
            self.root = None;
            return Ok(());
        }
        let (kind, path) = match value.split_once(':') {
            Some((kind, path)) if !kind.contains('/') => (kind, path),
            _ => ("", value),
        };
        if !path.starts_with('/') {
            return Err(setting.invalid("the path must begin with /"));
        }
        let element = match kind {
            "" if path.starts_with("/dev/") => filesystem("block", "dev", path, "/"),
            "" | "dir" | "btrfs" => filesystem("mount", "dir", path, "/"),
            "lvm" => filesystem("block", "dev", path, "/"),
            "loop" => {
                let mut element = filesystem("file", "file", path, "/");
                let driver = build::empty("driver", &[("type", "loop"), ("format", "raw")]);
                element.children.insert(0, crate::xml::Node::Element(driver));
                element
            }
            kind => {
                let kind = Excerpt(kind);
                return Err(setting.unsupported(format_args!(
                    "a root file system of type '{kind}' must be mounted or copied first"
                )));
            }
        };
        self.root = Some(Root { path: path.trim_end_matches('/').to_owned(), element });
        Ok(())
    }

    /// `lxc.rootfs.options`.
    pub(super) fn root_options(&mut self, setting: &Setting, notes: &mut Vec<String>) {
        for option in setting.value.split(',').map(str::trim) {
            match option {
                "" | "defaults" => {}
                "ro" => self.read_only_root = true,
                "rw" => self.read_only_root = false,
                option => notes.push(setting.note(format_args!(
                    "the option {} of the root file system has no equivalent",
                    Excerpt(option)
                ))),
            }
        }
    }

    /// One `lxc.mount.entry`.
    pub(super) fn entry(&mut self, setting: &Setting, notes: &mut Vec<String>) -> Result<()> {
        let fields: Vec<_> = setting.value.split_whitespace().map(unescape).collect();
        let (source, target, kind, options) = match fields.as_slice() {
            [] => {
                self.entries.clear();
                return Ok(());
            }
            [source, target, kind] => (source, target, kind.as_str(), ""),
            [source, target, kind, options] => (source, target, kind.as_str(), options.as_str()),
            [source, target, kind, options, dump_and_pass @ ..] if dump_and_pass.len() <= 2 => {
                (source, target, kind.as_str(), options.as_str())
            }
            _ => return Err(setting.invalid("not of the form SOURCE TARGET TYPE OPTIONS 0 0")),
        };
        if [source, target].iter().any(|path| path.chars().any(char::is_control)) {
            return Err(setting.invalid("a path with a control character"));
        }
        let target = self.inside(target);
        if BASIC.contains(&target.as_str()) && !source.starts_with('/') {
            return Ok(());
        }
        let options = Options::read(options);
        let element = match kind {
            "tmpfs" => match options.size {
                None => {
                    notes.push(setting.note(
                        "a tmpfs without size= cannot be a file system of a \
                                             domain, which has no default for it",
                    ));
                    return Ok(());
                }
                Some(size) if size.ends_with('%') => {
                    notes.push(setting.note("a size in percent has no equivalent"));
                    return Ok(());
                }
                Some(size) => {
                    let bytes = number::bytes(size).map_err(|e| setting.invalid(e))?;
                    ram(bytes.div_ceil(1_024), &target)
                }
            },
            _ if !source.starts_with('/') => {
                notes.push(setting.note(
                    "only files and folders of the host, block devices and \
                                         tmpfs can be file systems of a domain",
                ));
                return Ok(());
            }
            _ if options.is_bind && !source.starts_with("/dev/") => {
                filesystem("mount", "dir", source, &target)
            }
            _ if source.starts_with("/dev/") && !options.is_bind => {
                filesystem("block", "dev", source, &target)
            }
            // libvirt takes every source below /dev as a device to mount, also for a bind.
            _ if options.is_bind || kind == "none" => filesystem("mount", "dir", source, &target),
            kind => {
                notes.push(setting.note(format_args!(
                    "a file system of type {} is not mounted from {}",
                    Excerpt(kind),
                    Excerpt(source)
                )));
                return Ok(());
            }
        };
        for option in options.lost(kind) {
            let option = Excerpt(option);
            notes.push(setting.note(format_args!("the option {option} has no equivalent")));
        }
        self.entries.push(read_only(element, options.read_only));
        Ok(())
    }

    /// One `lxc.mount.auto`: proc, /sys and cgroups are mounted in every container.
    pub(super) fn auto(setting: &Setting, notes: &mut Vec<String>) {
        for word in setting.value.split_whitespace() {
            if !matches!(word, "proc" | "proc:mixed" | "sys" | "sys:ro" | "sys:mixed") {
                notes.push(
                    setting.note(format_args!("how {} is mounted cannot be chosen", Excerpt(word))),
                );
            }
        }
    }

    /// The target inside the container: relative ones are, absolute ones may name the whole path.
    fn inside(&self, target: &str) -> String {
        let root = self.root.as_ref().map(|root| root.path.as_str()).filter(|p| !p.is_empty());
        let inside = root.and_then(|root| target.strip_prefix(root));
        let inside = inside.filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let path = inside.unwrap_or(target).trim_matches('/');
        format!("/{path}")
    }

    /// The `<filesystem>` elements, the root first; None without a root.
    pub(super) fn elements(self) -> Option<Vec<Element>> {
        let root = read_only(self.root?.element, self.read_only_root);
        Some(std::iter::once(root).chain(self.entries).collect())
    }
}

/// Mount options.
#[derive(Default)]
struct Options<'a> {
    read_only: bool,
    is_bind: bool,
    size: Option<&'a str>,
    others: Vec<&'a str>,
}

impl<'a> Options<'a> {
    fn read(text: &'a str) -> Self {
        let mut options = Self::default();
        for option in text.split(',') {
            match option {
                "ro" => options.read_only = true,
                "rw" => options.read_only = false,
                "bind" | "rbind" => options.is_bind = true,
                _ => {}
            }
            match (option, option.split_once('=')) {
                // libvirt makes targets that are missing, whatever they are.
                ("" | "ro" | "rw" | "bind" | "defaults" | "create=dir" | "create=file", _) => {}
                (_, Some(("size", size))) => options.size = Some(size),
                (option, _) => options.others.push(option),
            }
        }
        options
    }

    fn lost(&self, kind: &str) -> impl Iterator<Item = &'a str> {
        // A tmpfs of a domain always has these two.
        let implied: &[&str] = if kind == "tmpfs" { &["nodev", "nosuid"] } else { &[] };
        self.others.iter().copied().filter(move |option| !implied.contains(option))
    }
}

fn filesystem(kind: &str, attribute: &str, source: &str, target: &str) -> Element {
    let source = build::empty("source", &[(attribute, source)]);
    let target = build::empty("target", &[("dir", target)]);
    let attributes = [("type", kind), ("accessmode", "passthrough")];
    build::parent("filesystem", &attributes, [source, target])
}

fn ram(kib: u64, target: &str) -> Element {
    let usage = kib.to_string();
    let source = build::empty("source", &[("usage", &usage), ("units", "KiB")]);
    let target = build::empty("target", &[("dir", target)]);
    let attributes = [("type", "ram"), ("accessmode", "passthrough")];
    build::parent("filesystem", &attributes, [source, target])
}

fn read_only(mut element: Element, read_only: bool) -> Element {
    if read_only {
        element.children.push(crate::xml::Node::Element(build::empty("readonly", &[])));
    }
    element
}

/// Undoes the octal escapes of fstab: `\040` is a space.
fn unescape(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut rest = field;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let code = after.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code.filter(u8::is_ascii) {
            Some(code) => {
                out.push(char::from(code));
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push('\\');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A path as a field of an entry.
pub(super) fn escape(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for c in path.chars() {
        match c {
            ' ' => out.push_str("\\040"),
            '\t' => out.push_str("\\011"),
            '\\' => out.push_str("\\134"),
            c => out.push(c),
        }
    }
    out
}
