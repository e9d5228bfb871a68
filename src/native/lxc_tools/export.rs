//! From a domain document to settings, with today's key names.
//!
//! Written so that importing the result gives the document again. Limits are written for both kinds
//! of cgroups, since LXC passes over those that the host does not have.

use super::capabilities::{DROPPED_BY_DEFAULT, NAMES};
use super::config::{self, Excerpt};
use super::export_limits::{limits, memory};
use super::import::ARCHITECTURES;
use super::{Exported, export_devices, number};
use crate::error::{Error, ErrorCode, Result};
use crate::xml::{Element, Node};

/// The configuration so far.
#[derive(Debug, Default)]
pub(super) struct Output {
    config: String,
    pub(super) notes: Vec<String>,
    interfaces: usize,
}

impl Output {
    /// Writes a setting, unless its value cannot be one.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        if value.len() > config::MAX_LINE / 2 || value.chars().any(|c| c != '\t' && c.is_control())
        {
            self.note(format_args!("{key}: '{}' does not fit in one line", Excerpt(value)));
            return;
        }
        self.config.push_str(&config::line(key, value));
    }

    pub(super) fn note(&mut self, note: impl std::fmt::Display) {
        self.notes.push(note.to_string());
    }

    /// The number of the next interface.
    pub(super) fn next_interface(&mut self) -> usize {
        self.interfaces += 1;
        self.interfaces - 1
    }

    /// Notes the attributes and children of an element that are not among those understood.
    pub(super) fn only(&mut self, element: &Element, attributes: &[&str], children: &[&str]) {
        let name = Excerpt(&element.name);
        for (key, _) in &element.attributes {
            if !attributes.contains(&key.as_str()) {
                self.note(format_args!(
                    "<{name}>: the attribute {} has no equivalent",
                    Excerpt(key)
                ));
            }
        }
        for (index, child) in element.elements().enumerate() {
            let known = children.contains(&child.name.as_str());
            // A second one of an element that occurs once: the first counts, as in libvirt.
            if !known && element.elements().take(index).all(|before| before.name != child.name) {
                self.note(format_args!(
                    "<{name}>: the element <{}> has no equivalent",
                    Excerpt(&child.name)
                ));
            }
        }
    }
}

pub(super) fn export(domain: &Element) -> Result<Exported> {
    if domain.name != "domain" || domain.attr("type") != Some("lxc") {
        return Err(domain.error("only a <domain type='lxc'> can be an LXC configuration"));
    }
    let Some(name) = domain.child_text("name") else {
        return Err(Error::new(ErrorCode::NoName, "the document has no <name>"));
    };
    let mut out = Output::default();
    let root = without_prefixes(domain);
    out.set("lxc.uts.name", &name);
    for key in root.attributes.iter().map(|(key, _)| key.as_str()) {
        if !matches!(key, "type" | "id") && !key.starts_with("xmlns") {
            out.note(format_args!("<domain>: the attribute {} has no equivalent", Excerpt(key)));
        }
    }
    memory(&root, &mut out);
    limits(&root, &mut out);
    // What stands once, in the order of the document; the first counts.
    let mut seen: Vec<&str> = Vec::new();
    for element in root.elements() {
        let name = element.name.as_str();
        let repeats = matches!(name, "seclabel" | "lxc:namespace");
        if repeats || !seen.contains(&name) {
            seen.push(name);
            one(element, &mut out);
        }
    }
    if root.child("devices").is_none() {
        out.note("the document has no root file system: LXC would use the host's");
    }
    network(&root, &mut out);
    if root.child("features").and_then(|f| f.child("capabilities")).is_none() {
        capabilities_by_default(&mut out);
    }
    Ok(Exported { config: out.config, notes: out.notes })
}

fn one(element: &Element, out: &mut Output) {
    match element.name.as_str() {
        // Written elsewhere, or the daemon's own.
        "name" | "memory" | "currentMemory" | "memtune" | "blkiotune" | "cputune" | "numatune"
        | "vcpu" => {}
        "uuid" => out.note("<uuid>: a configuration has none, and an import makes a new one"),
        "os" => os(element, out),
        "idmap" => idmap(element, out),
        "features" => features(element, out),
        "devices" => export_devices::devices(element, out),
        "seclabel" => seclabel(element, out),
        "lxc:namespace" => namespaces(element, out),
        "clock" => {
            out.only(element, &["offset"], &[]);
            if element.attr("offset").is_some_and(|offset| offset != "utc") {
                out.note("<clock>: an LXC container has the host's clock");
            }
        }
        "on_poweroff" | "on_crash" | "on_reboot" => {
            let usual = if element.name == "on_reboot" { "restart" } else { "destroy" };
            if element.text() != usual {
                out.note(format_args!("<{}>: LXC always does '{usual}'", element.name));
            }
        }
        name => out.note(format_args!("<{}> has no equivalent", Excerpt(name))),
    }
}

fn os(os: &Element, out: &mut Output) {
    let known = ["type", "init", "initarg", "initenv", "initdir", "inituser", "initgroup"];
    out.only(os, &[], &known);
    if let Some(kind) = os.child("type") {
        out.only(kind, &["arch"], &[]);
        if let Some(ours) = kind.attr("arch") {
            let lxc = ARCHITECTURES.iter().find(|(_, name)| *name == ours).map(|(lxc, _)| *lxc);
            out.set("lxc.arch", lxc.unwrap_or(ours));
        }
    }
    let init = os.child_text("init").unwrap_or_else(|| "/sbin/init".to_owned());
    let words: Vec<_> =
        std::iter::once(init).chain(os.children_named("initarg").map(Element::text)).collect();
    if words != ["/sbin/init"] {
        match command(&words) {
            Some(command) => out.set("lxc.init.cmd", &command),
            None => out.note(
                "<init>, <initarg>: a word with both kinds of quotes cannot be written in one line",
            ),
        }
    }
    for variable in os.children_named("initenv") {
        let name = variable.attr("name").unwrap_or_default();
        out.set("lxc.environment", &format!("{name}={}", variable.text()));
    }
    if let Some(directory) = os.child_text("initdir") {
        out.set("lxc.init.cwd", &directory);
    }
    for (name, key) in [("inituser", "lxc.init.uid"), ("initgroup", "lxc.init.gid")] {
        let Some(id) = os.child_text(name) else { continue };
        match number::unsigned(id.trim_start_matches('+')) {
            Ok(number) => out.set(key, &number.to_string()),
            Err(_) => out.note(format_args!(
                "<{name}>: LXC takes a number, and '{}' is a name inside the container",
                Excerpt(&id)
            )),
        }
    }
}

/// The words as one line that LXC takes apart again.
fn command(words: &[String]) -> Option<String> {
    let mut line = String::new();
    for word in words {
        let needs_quotes =
            word.is_empty() || word.contains(char::is_whitespace) || word.starts_with(['"', '\'']);
        let quote = match needs_quotes {
            false => "",
            true if !word.contains('"') => "\"",
            true if !word.contains('\'') => "'",
            true => return None,
        };
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend([quote, word, quote]);
    }
    Some(line)
}

fn idmap(idmap: &Element, out: &mut Output) {
    out.only(idmap, &[], &["uid", "gid"]);
    for (name, kind) in [("uid", "u"), ("gid", "g")] {
        for map in idmap.children_named(name) {
            let field = |key| map.attr(key).unwrap_or("0");
            let (start, target, count) = (field("start"), field("target"), field("count"));
            out.set("lxc.idmap", &format!("{kind} {start} {target} {count}"));
        }
    }
}

fn features(features: &Element, out: &mut Output) {
    out.only(features, &[], &["privnet", "capabilities"]);
    let Some(capabilities) = features.child("capabilities") else { return };
    out.only(capabilities, &["policy"], &NAMES);
    let with = |state: &str| -> Vec<_> {
        let named = capabilities.elements().filter(|e| NAMES.contains(&e.name.as_str()));
        named
            .filter(|e| e.attr("state").unwrap_or("on") == state)
            .map(|e| e.name.as_str())
            .collect()
    };
    let (on, off) = (with("on"), with("off"));
    match capabilities.attr("policy").unwrap_or("default") {
        "allow" => {
            if !off.is_empty() {
                out.set("lxc.cap.drop", &off.join(" "));
            }
            if !on.is_empty() {
                out.note("<capabilities>: with policy='allow', state='on' says nothing");
            }
        }
        "deny" => {
            let kept = if on.is_empty() { "none".to_owned() } else { on.join(" ") };
            out.set("lxc.cap.keep", &kept);
            if !off.is_empty() {
                out.note("<capabilities>: with policy='deny', state='off' says nothing");
            }
        }
        _ => {
            let by_default = DROPPED_BY_DEFAULT.iter().filter(|name| !on.contains(name));
            let dropped: Vec<_> = by_default.copied().chain(off).collect();
            out.set("lxc.cap.drop", &dropped.join(" "));
            out.note(DEFAULT_POLICY);
        }
    }
}

const DEFAULT_POLICY: &str =
    "<capabilities>: policy='default' is written as the capabilities it drops";

fn capabilities_by_default(out: &mut Output) {
    out.set("lxc.cap.drop", &DROPPED_BY_DEFAULT.join(" "));
    out.note(DEFAULT_POLICY);
}

/// What the absence of interfaces means: the host's network, or one of its own.
fn network(root: &Element, out: &mut Output) {
    let privnet = root.child("features").is_some_and(|f| f.child("privnet").is_some());
    let shares = root.child("lxc:namespace").is_some_and(|n| n.child("lxc:sharenet").is_some());
    let has_interfaces = out.interfaces > 0;
    if privnet == has_interfaces && !shares {
        let kind = if privnet { "empty" } else { "none" };
        let number = out.next_interface();
        out.set(&format!("lxc.net.{number}.type"), kind);
    }
    if shares && privnet {
        out.note("<privnet> together with a shared network");
    }
}

fn seclabel(label: &Element, out: &mut Output) {
    out.only(label, &["type", "model", "relabel"], &["label"]);
    let key = match label.attr("model") {
        Some("apparmor") => "lxc.apparmor.profile",
        Some("selinux") => "lxc.selinux.context",
        _ => return out.note("<seclabel>: LXC knows apparmor and selinux"),
    };
    match (label.attr("type"), label.child_text("label")) {
        (Some("none"), _) if key.contains("apparmor") => out.set(key, "unconfined"),
        (Some("static"), Some(text)) => {
            if label.attr("relabel") != Some("no") {
                out.note("<seclabel>: LXC does not label the files of a container");
            }
            out.set(key, &text);
        }
        _ => out.note("<seclabel>: only labels written out have an equivalent"),
    }
}

fn namespaces(namespace: &Element, out: &mut Output) {
    out.only(namespace, &["xmlns:lxc"], &["lxc:sharenet", "lxc:shareipc", "lxc:shareuts"]);
    for kind in ["net", "ipc", "uts"] {
        let name = format!("lxc:share{kind}");
        let Some(share) = namespace.child(&name) else { continue };
        out.only(share, &["type", "value"], &[]);
        let value = share.attr("value").unwrap_or_default();
        let value = match share.attr("type") {
            Some("netns") if kind == "net" => format!("/run/netns/{value}"),
            Some("pid") => format!("/proc/{value}/ns/{kind}"),
            Some("name") => value.to_owned(),
            _ => {
                out.note(format_args!("<lxc:share{kind}>: such a namespace cannot be shared"));
                continue;
            }
        };
        out.set(&format!("lxc.namespace.share.{kind}"), &value);
    }
}

/// The document with the usual prefix for the lxc namespace, whichever it uses.
fn without_prefixes(domain: &Element) -> Element {
    let declared = domain
        .attributes
        .iter()
        .find(|(_, value)| value == super::import::LXC_NAMESPACE)
        .and_then(|(key, _)| key.strip_prefix("xmlns:"))
        .filter(|prefix| *prefix != "lxc");
    let mut root = domain.clone();
    let Some(prefix) = declared else { return root };
    let prefix = format!("{prefix}:");
    for node in &mut root.children {
        let Node::Element(child) = node else { continue };
        if let Some(rest) = child.name.strip_prefix(&prefix) {
            child.name = format!("lxc:{rest}");
            for node in &mut child.children {
                if let Node::Element(child) = node
                    && let Some(rest) = child.name.strip_prefix(&prefix)
                {
                    child.name = format!("lxc:{rest}");
                }
            }
        }
    }
    root
}
