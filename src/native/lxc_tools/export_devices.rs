//! File systems, interfaces and consoles of a domain as settings.

use super::config::Excerpt;
use super::export::Output;
use super::mounts;
use super::number;
use crate::xml::Element;

/// `<devices>`.
pub(super) fn devices(devices: &Element, out: &mut Output) {
    let root = devices.children_named("filesystem").position(is_root);
    let filesystems = || devices.children_named("filesystem").enumerate();
    match root.and_then(|root| filesystems().nth(root)) {
        Some((_, element)) => root_filesystem(element, out),
        None => out.note("the document has no root file system: LXC would use the host's"),
    }
    for (index, element) in filesystems() {
        if Some(index) != root {
            filesystem(element, out);
        }
    }
    for element in devices.children_named("interface") {
        interface(element, out);
    }
    let mut consoles: usize = 0;
    for element in devices.children_named("console") {
        let kind = element.child("target").and_then(|target| target.attr("type"));
        if element.attr("type").unwrap_or("pty") == "pty" && kind.unwrap_or("lxc") == "lxc" {
            consoles += 1;
            out.only(element, &["type"], &["target"]);
        } else {
            out.note("<console>: LXC has terminals only");
        }
    }
    match consoles {
        0 => out.note("the document has no console, and LXC always has one"),
        1 => {}
        many => out.set("lxc.tty.max", &many.to_string()),
    }
    let mut others: Vec<&str> = Vec::new();
    for element in devices.elements() {
        match element.name.as_str() {
            "emulator" | "filesystem" | "interface" | "console" => {}
            "hostdev" if element.attr("type") == Some("net") => hostdev(element, out),
            name if others.contains(&name) => {}
            name => {
                others.push(name);
                out.note(format_args!("<{}>: LXC has no such device", Excerpt(name)));
            }
        }
    }
}

fn target(element: &Element) -> &str {
    element.child("target").and_then(|target| target.attr("dir")).unwrap_or_default()
}

fn is_root(element: &Element) -> bool {
    target(element) == "/"
}

fn attribute<'a>(element: &'a Element, child: &'a str, name: &str) -> &'a str {
    element.child(child).and_then(|child| child.attr(name)).unwrap_or_default()
}

fn root_filesystem(element: &Element, out: &mut Output) {
    common(element, out);
    let (dir, dev) = (attribute(element, "source", "dir"), attribute(element, "source", "dev"));
    let path = match element.attr("type").unwrap_or("mount") {
        // A folder below /dev would be taken for a device.
        "mount" if !dir.is_empty() && dir.starts_with("/dev/") => format!("dir:{dir}"),
        "mount" if dir.starts_with('/') => dir.to_owned(),
        "block" if dev.starts_with("/dev/") => dev.to_owned(),
        "block" if dev.starts_with('/') => format!("lvm:{dev}"),
        "file" if attribute(element, "driver", "type") == "loop" => {
            if attribute(element, "driver", "format") != "raw" {
                out.note("<driver>: a loop device is raw");
            }
            format!("loop:{}", attribute(element, "source", "file"))
        }
        kind => {
            let kind = Excerpt(kind);
            return out
                .note(format_args!("the root file system of type '{kind}' has no equivalent"));
        }
    };
    out.set("lxc.rootfs.path", &path);
    if element.child("readonly").is_some() {
        out.set("lxc.rootfs.options", "ro");
    }
}

fn common(element: &Element, out: &mut Output) {
    let known: &[_] = match element.attr("type") {
        Some("file") => &["source", "target", "readonly", "driver"],
        _ => &["source", "target", "readonly"],
    };
    out.only(element, &["type", "accessmode"], known);
    if element.attr("accessmode").unwrap_or("passthrough") != "passthrough" {
        out.note("<filesystem>: LXC passes accesses through");
    }
}

fn filesystem(element: &Element, out: &mut Output) {
    let target = target(element);
    let what = |reason: &str| format!("<filesystem> at {}: {reason}", Excerpt(target));
    if !target.starts_with('/') || target.trim_matches('/').is_empty() {
        return out.note(what("a mount needs a target of its own"));
    }
    if target.starts_with("//") || target.ends_with('/') {
        out.note(what("an import writes the target without the slashes at its ends"));
    }
    let mode = if element.child("readonly").is_some() { "ro" } else { "rw" };
    let (dir, dev) = (attribute(element, "source", "dir"), attribute(element, "source", "dev"));
    let (source, kind, options) = match element.attr("type").unwrap_or("mount") {
        "mount" if dir.starts_with('/') => (dir, "none", format!("bind,{mode}")),
        "block" if dev.starts_with("/dev/") => (dev, "auto", mode.to_owned()),
        "ram" => {
            let source = element.child("source");
            let size = source.and_then(|source| {
                // In the unit of an import, or bytes.
                let usage = number::unsigned(source.attr("usage")?).ok()?;
                match source.attr("units").unwrap_or("KiB") {
                    "b" | "bytes" => Some(usage.div_ceil(1_024)),
                    "k" | "K" | "KiB" => Some(usage),
                    "M" | "MiB" => usage.checked_mul(1 << 10),
                    "G" | "GiB" => usage.checked_mul(1 << 20),
                    _ => None,
                }
            });
            match size.filter(|kib| kib.checked_mul(1_024).is_some()) {
                Some(kib) => ("tmpfs", "tmpfs", format!("size={kib}k,nodev,nosuid,{mode}")),
                None => return out.note(what("its size cannot be written")),
            }
        }
        _ => return out.note(what("only folders and block devices of the host are mounted")),
    };
    common(element, out);
    let source = mounts::escape(source);
    let target = mounts::escape(target.trim_matches('/'));
    out.set("lxc.mount.entry", &format!("{source} {target} {kind} {options} 0 0"));
}

fn interface(element: &Element, out: &mut Output) {
    let kind = element.attr("type").unwrap_or_default();
    let source = element.child("source");
    let (lxc, link, known): (_, _, &[&str]) = match kind {
        "bridge" => ("veth", attribute(element, "source", "bridge"), &["bridge"]),
        "ethernet" => ("veth", "", &[]),
        "direct" => ("macvlan", attribute(element, "source", "dev"), &["dev", "mode"]),
        kind => {
            let kind = Excerpt(kind);
            return out.note(format_args!("<interface type='{kind}'> has no equivalent"));
        }
    };
    if link.is_empty() && kind != "ethernet" {
        return out.note(format_args!("<interface type='{kind}'> without a source"));
    }
    let children = ["mac", "source", "vlan", "ip", "route", "target", "guest", "link", "mtu"];
    out.only(element, &["type"], &children);
    let number = out.next_interface();
    let key = |name: &str| format!("lxc.net.{number}.{name}");
    out.set(&key("type"), lxc);
    if let Some(source) = source {
        out.only(source, known, &[]);
    }
    if !link.is_empty() {
        out.set(&key("link"), link);
    }
    if kind == "direct" {
        let mode = match attribute(element, "source", "mode") {
            "passthrough" => "passthru",
            // libvirt's default.
            "" => "vepa",
            mode => mode,
        };
        out.set(&key("macvlan.mode"), mode);
    }
    let simple = [
        ("mac", "address", "hwaddr"),
        ("guest", "dev", "name"),
        ("mtu", "size", "mtu"),
        ("target", "dev", "veth.pair"),
    ];
    for (child, attribute, name) in simple {
        let Some(child) = element.child(child) else { continue };
        out.only(child, &[attribute], &[]);
        match child.attr(attribute).filter(|_| name != "veth.pair" || lxc == "veth") {
            Some(value) => out.set(&key(name), value),
            None => out.note(format_args!("<{}> of <interface> has no equivalent", child.name)),
        }
    }
    match element.child("link").and_then(|link| link.attr("state")) {
        Some("up") => out.set(&key("flags"), "up"),
        Some("down") => {}
        _ => out.note("<interface> without <link>: LXC leaves it down"),
    }
    if let Some(vlan) = element.child("vlan") {
        out.only(vlan, &[], &["tag"]);
        let tags: Vec<_> = vlan.children_named("tag").collect();
        match tags.as_slice() {
            [tag] if lxc == "veth" => {
                out.only(tag, &["id"], &[]);
                out.set(&key("veth.vlan.id"), tag.attr("id").unwrap_or_default());
            }
            _ => out.note("<vlan>: LXC takes one tag, for a pair of interfaces"),
        }
    }
    addresses(element, number, out);
}

/// A device of the host that moves into the container.
fn hostdev(element: &Element, out: &mut Output) {
    let name = element.child("source").and_then(|source| source.child_text("interface"));
    let Some(name) = name else { return out.note("<hostdev type='net'> without a source") };
    out.only(element, &["mode", "type"], &["source", "ip", "route"]);
    let number = out.next_interface();
    out.set(&format!("lxc.net.{number}.type"), "phys");
    out.set(&format!("lxc.net.{number}.link"), &name);
    out.set(&format!("lxc.net.{number}.flags"), "up");
    addresses(element, number, out);
}

fn addresses(element: &Element, number: usize, out: &mut Output) {
    for ip in element.children_named("ip") {
        out.only(ip, &["address", "family", "prefix"], &[]);
        let address = ip.attr("address").unwrap_or_default();
        let is_six = address.contains(':');
        let key = format!("lxc.net.{number}.ipv{}.address", if is_six { 6 } else { 4 });
        let prefix = ip.attr("prefix").unwrap_or(if is_six { "64" } else { "32" });
        out.set(&key, &format!("{address}/{prefix}"));
    }
    let mut gateways: Vec<bool> = Vec::new();
    for route in element.children_named("route") {
        let gateway = route.attr("gateway").unwrap_or_default();
        let is_default = matches!(route.attr("address"), Some("0.0.0.0" | "::"));
        let is_six = gateway.contains(':');
        if !is_default || gateway.is_empty() || gateways.contains(&is_six) {
            out.note("<route>: one default route of each family has an equivalent");
            continue;
        }
        gateways.push(is_six);
        out.only(route, &["family", "address", "gateway"], &[]);
        let key = format!("lxc.net.{number}.ipv{}.gateway", if is_six { 6 } else { 4 });
        out.set(&key, gateway);
    }
}
