//! The live introspection is what `schemas/dbus` says, and every method of it is there.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nsvirt::xml::{self, Element};

use crate::support::bus::CONNECT;
use crate::support::{Bus, Host};

/// An interface without its layout: one line per member, argument and annotation, sorted.
fn flatten(interface: &Element) -> Vec<String> {
    fn walk(element: &Element, path: &str, lines: &mut Vec<String>) {
        let mut attributes: Vec<_> =
            element.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        attributes.sort_unstable();
        let place = format!("{path}/{}[{}]", element.name, attributes.join(" "));
        for (number, child) in element.elements().enumerate() {
            // The order of arguments counts, that of members does not.
            let order = if child.name == "arg" { number.to_string() } else { String::new() };
            walk(child, &format!("{place}{order}"), lines);
        }
        lines.push(place);
    }
    let mut lines = Vec::new();
    walk(interface, "", &mut lines);
    lines.sort_unstable();
    lines
}

/// The interfaces of `schemas/dbus`, by name.
fn schemas() -> BTreeMap<String, Element> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/dbus");
    let mut schemas = BTreeMap::new();
    for file in fs::read_dir(directory).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let interface = xml::parse(&text).unwrap();
        schemas.insert(interface.attr("name").unwrap().to_owned(), interface);
    }
    schemas
}

/// The introspection of an object, without the DOCTYPE, which our reader refuses on purpose.
fn introspect(bus: &Bus, path: &str) -> Element {
    let interface = "org.freedesktop.DBus.Introspectable";
    let text: String = bus.call(path, interface, "Introspect", &()).unwrap();
    xml::parse(&text[text.find("<node").unwrap()..]).unwrap()
}

const STANDARD: [&str; 3] = [
    "org.freedesktop.DBus.Introspectable",
    "org.freedesktop.DBus.Peer",
    "org.freedesktop.DBus.Properties",
];

#[test]
fn every_object_is_what_its_schema_says() {
    let Some(host) = Host::new("every_object_is_what_its_schema_says") else {
        return;
    };
    let bus = host.bus();
    let domain = host.bystander();
    let parent = format!("{CONNECT}/domain");
    let child = domain.path.rsplit('/').next().unwrap();
    let objects: [(&str, &[&str], &[&str]); 6] = [
        ("/", &[], &["org"]),
        ("/org", &[], &["libvirt"]),
        ("/org/libvirt", &[], &["LXC"]),
        (CONNECT, &["org.libvirt.Connect", "org.nsvirt.Connect1"], &["domain"]),
        (&parent, &[], &[child]),
        (&domain.path, &["org.libvirt.Domain", "org.nsvirt.Domain1"], &[]),
    ];
    let schemas = schemas();
    for (path, interfaces, children) in objects {
        let node = introspect(&bus, path);
        let live: BTreeMap<_, _> = node
            .children_named("interface")
            .map(|it| (it.attr("name").unwrap().to_owned(), flatten(it)))
            .collect();
        let expected: BTreeMap<_, _> = STANDARD
            .iter()
            .chain(interfaces)
            .map(|name| ((*name).to_owned(), flatten(&schemas[*name])))
            .collect();
        assert_eq!(live, expected, "{path}");
        let nodes: Vec<_> =
            node.children_named("node").map(|it| it.attr("name").unwrap()).collect();
        assert_eq!(nodes, children, "{path}");
    }
}

#[test]
fn every_method_and_property_of_the_schemas_answers() {
    let Some(host) = Host::new("every_method_and_property_of_the_schemas_answers") else {
        return;
    };
    let bus = host.bus();
    let domain = host.bystander();
    for (name, interface) in schemas() {
        let path = if name.contains(".Connect") { CONNECT } else { &domain.path };
        for method in interface.children_named("method") {
            let method = method.attr("name").unwrap();
            // Wrong on purpose: no method takes this.
            let failure = bus.send(path, &name, method, &(1_u8, "wrong")).unwrap_err();
            let expected = "org.freedesktop.DBus.Error.InvalidArgs";
            assert_eq!(failure.name, expected, "{name}.{method}: {}", failure.text);
        }
        for property in interface.children_named("property") {
            let (property, kind) = (property.attr("name").unwrap(), property.attr("type").unwrap());
            let value = bus.property(path, &name, property).unwrap();
            assert_eq!(value.value_signature().to_string(), kind, "{name}.{property}");
        }
    }
    domain.assert_answers();
}
