//! What a schema cannot say: that parts of a document must fit to each other.
//!
//! A random walk seldom meets these conditions, and then only their errors would be compared. So
//! most elements are made to fit.

use nsvirt::xml::{Element, Node};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// A new element with a text.
pub fn element(name: &str, text: &str) -> Element {
    let children = if text.is_empty() { Vec::new() } else { vec![Node::Text(text.to_owned())] };
    Element { name: name.to_owned(), children, ..Element::default() }
}

/// Sets or removes an attribute.
pub fn set(element: &mut Element, name: &str, value: Option<&str>) {
    element.attributes.retain(|(known, _)| known != name);
    element.attributes.extend(value.map(|value| (name.to_owned(), value.to_owned())));
}

pub fn add(parent: &mut Element, child: Element) {
    parent.children.insert(0, Node::Element(child));
}

/// The child elements, to change them.
pub fn elements(parent: &mut Element) -> impl Iterator<Item = &mut Element> {
    parent.children.iter_mut().filter_map(|node| match node {
        Node::Element(child) => Some(child),
        Node::Text(_) | Node::Comment(_) => None,
    })
}

pub fn remove(parent: &mut Element, name: &str) {
    parent.children.retain(|node| !matches!(node, Node::Element(child) if child.name == name));
}

/// Makes an element fit to itself.
pub fn within(made: &mut Element, runner: &mut TestRunner) {
    if made.name == "namespace" {
        prefix(made);
    }
    if runner.rng().random_ratio(1, 6) {
        return;
    }
    match made.name.as_str() {
        // Which systems a driver runs is in no schema.
        "os" => {
            remove(made, "type");
            remove(made, "init");
            add(made, element("init", "/sbin/init"));
            add(made, element("type", "exe"));
        }
        "idmap" => identities(made),
        "cpu" => processor(made),
        "resource" if made.elements().next().is_none() => add(made, element("partition", "/a")),
        "seclabel" if made.attr("model").is_none() => set(made, "model", Some("selinux")),
        "clock" if made.attr("offset") == Some("timezone") => {
            set(made, "timezone", Some("Europe/Paris"));
        }
        "numatune" => {
            for memory in elements(made).filter(|it| it.name == "memory") {
                set(memory, "placement", None);
                set(memory, "nodeset", Some("0-1"));
            }
        }
        _ => {}
    }
}

/// Both kinds of identities, and of each the one that root gets.
fn identities(idmap: &mut Element) {
    for kind in ["uid", "gid"] {
        if idmap.child(kind).is_none() {
            let mut range = element(kind, "");
            set(&mut range, "target", Some("1000"));
            set(&mut range, "count", Some("10"));
            add(idmap, range);
        }
        if let Some(range) = elements(idmap).find(|it| it.name == kind) {
            set(range, "start", Some("0"));
        }
    }
}

/// A model where others go by it, and cells in their order.
fn processor(cpu: &mut Element) {
    if !matches!(cpu.attr("mode"), Some("host-passthrough" | "maximum")) {
        set(cpu, "migratable", None);
        if cpu.child("model").is_none_or(|model| model.text().is_empty()) {
            remove(cpu, "model");
            add(cpu, element("model", "qemu64"));
        }
    }
    for numa in elements(cpu).filter(|it| it.name == "numa") {
        elements(numa).for_each(|cell| set(cell, "id", None));
    }
}

fn prefix(element: &mut Element) {
    element.name.insert_str(0, "lxc:");
    elements(element).for_each(prefix);
}

/// Adds elements that others refer to.
pub fn between(root: &mut Element, runner: &mut TestRunner) {
    if runner.rng().random_ratio(5, 6) {
        remove(root, "maxMemory");
    }
    let tunes = root.child("cputune").is_some();
    if root.child("vcpu").is_none() && (tunes || root.child("cpu").is_some()) {
        add(root, element("vcpu", "10"));
    }
    if tunes && root.child("iothreads").is_none() && runner.rng().random() {
        add(root, element("iothreads", "9"));
    }
    let has_nodes = root.child("numatune").is_some_and(|tune| tune.child("memnode").is_some());
    if has_nodes && root.child("cpu").is_none() {
        let mut numa = element("numa", "");
        for _ in 0..9 {
            let mut cell = element("cell", "");
            set(&mut cell, "memory", Some("1024"));
            add(&mut numa, cell);
        }
        let mut cpu = element("cpu", "");
        add(&mut cpu, numa);
        add(root, cpu);
    }
}

/// Adds what every document must have.
pub fn complete(root: &mut Element) {
    for (name, text) in [("name", "d"), ("memory", "1048576")] {
        if root.child(name).is_none() {
            add(root, element(name, text));
        }
    }
    if root.child("os").is_none() {
        root.children.push(Node::Element(element("os", "")));
    }
    for os in elements(root).filter(|it| it.name == "os").take(1) {
        for (name, text) in [("type", "exe"), ("init", "/i")] {
            if os.child(name).is_none_or(|it| it.children.is_empty()) {
                add(os, element(name, text));
            }
        }
    }
    let device = |name| root.child("devices").and_then(|devices| devices.child(name));
    if device("redirdev").is_some() && device("controller").is_none() {
        let mut controller = element("controller", "");
        set(&mut controller, "type", Some("usb"));
        elements(root).filter(|it| it.name == "devices").for_each(|it| add(it, controller.clone()));
    }
    if root.child("lxc:namespace").is_some() {
        set(root, "xmlns:lxc", Some("http://libvirt.org/schemas/domain/lxc/1.0"));
    }
}

/// Adds a target and a source to disks that have none, without which nothing else counts.
pub fn give_disks_what_they_need(root: &mut Element) {
    let devices = elements(root).filter(|it| it.name == "devices").flat_map(elements);
    for (number, disk) in devices.filter(|it| it.name == "disk").enumerate() {
        if disk.child("target").is_none_or(|target| target.attr("dev").is_none()) {
            let mut target = element("target", "");
            set(&mut target, "dev", Some(&format!("vdz{}", char::from(b'a' + number as u8))));
            add(disk, target);
        }
        let is_file = disk.attr("type").is_none_or(|kind| kind == "file");
        if is_file && disk.child("source").is_none() {
            disk.children.push(Node::Element(element("source", "")));
        }
        for source in elements(disk).filter(|it| it.name == "source" && is_file) {
            set(source, "file", Some("/f"));
        }
    }
}
