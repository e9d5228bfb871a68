//! Paths, and which interfaces are where.

use uuid::Uuid;

use crate::driver::Domain;

/// The connection object.
pub(super) const CONNECT: &str = "/org/libvirt/LXC";
const DOMAINS: &str = "/org/libvirt/LXC/domain";

/// What a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    /// A node on the way, with its one child.
    Parent(&'static str),
    /// The connection.
    Connect,
    /// The parent of the domains.
    Domains,
    /// A domain; whether it exists is for the driver to say.
    Domain(Uuid),
}

/// An interface of the project: its name, and its members as introspection shows them.
struct Interface {
    name: &'static str,
    schema: &'static str,
}

const CONNECT_INTERFACES: [Interface; 2] = [
    Interface {
        name: super::connect::INTERFACE,
        schema: include_str!("../../schemas/dbus/org.libvirt.Connect.xml"),
    },
    Interface {
        name: super::native::INTERFACE,
        schema: include_str!("../../schemas/dbus/org.nsvirt.Connect1.xml"),
    },
];

const DOMAIN_INTERFACES: [Interface; 2] = [
    Interface {
        name: super::domain::INTERFACE,
        schema: include_str!("../../schemas/dbus/org.libvirt.Domain.xml"),
    },
    Interface {
        name: super::console::INTERFACE,
        schema: include_str!("../../schemas/dbus/org.nsvirt.Domain1.xml"),
    },
];

const STANDARD: [Interface; 3] = [
    Interface {
        name: "org.freedesktop.DBus.Introspectable",
        schema: include_str!("../../schemas/dbus/org.freedesktop.DBus.Introspectable.xml"),
    },
    Interface {
        name: "org.freedesktop.DBus.Peer",
        schema: include_str!("../../schemas/dbus/org.freedesktop.DBus.Peer.xml"),
    },
    Interface {
        name: "org.freedesktop.DBus.Properties",
        schema: include_str!("../../schemas/dbus/org.freedesktop.DBus.Properties.xml"),
    },
];

impl Object {
    /// What a path means, if anything.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/" => Some(Self::Parent("org")),
            "/org" => Some(Self::Parent("libvirt")),
            "/org/libvirt" => Some(Self::Parent("LXC")),
            CONNECT => Some(Self::Connect),
            DOMAINS => Some(Self::Domains),
            _ => {
                let encoded = path.strip_prefix(DOMAINS)?.strip_prefix("/_")?;
                let uuid = Uuid::parse_str(&encoded.replace('_', "-")).ok()?;
                // One path per domain, not every way to write its UUID.
                (domain_path(uuid) == path).then_some(Self::Domain(uuid))
            }
        }
    }

    fn interfaces(self) -> impl Iterator<Item = &'static Interface> {
        let own: &[Interface] = match self {
            Self::Connect => &CONNECT_INTERFACES,
            Self::Domain(_) => &DOMAIN_INTERFACES,
            Self::Parent(_) | Self::Domains => &[],
        };
        STANDARD.iter().chain(own)
    }

    /// Whether the object has an interface.
    pub(super) fn has(self, interface: &str) -> bool {
        self.interfaces().any(|it| it.name == interface)
    }

    /// The interface that has a method: the one named, or the first of any.
    pub(super) fn interface_of(self, wanted: Option<&str>, method: &str) -> Option<&'static str> {
        let declaration = format!("<method name=\"{method}\"");
        self.interfaces()
            .filter(|it| wanted.is_none_or(|name| name == it.name))
            .find(|it| it.schema.contains(&declaration))
            .map(|it| it.name)
    }

    /// The introspection document. `domains` are named as children of their parent.
    pub(super) fn introspect(self, domains: &[std::sync::Arc<Domain>]) -> String {
        let mut text = String::from(
            "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n \
             \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n<node>\n",
        );
        for interface in self.interfaces() {
            for line in interface.schema.lines() {
                text.push_str("  ");
                text.push_str(line);
                text.push('\n');
            }
        }
        let children: Vec<String> = match self {
            Self::Parent(child) => vec![child.to_owned()],
            Self::Connect => vec!["domain".to_owned()],
            Self::Domains => domains.iter().map(|domain| encode(domain.uuid)).collect(),
            Self::Domain(_) => Vec::new(),
        };
        for child in children {
            text.push_str(&format!("  <node name=\"{child}\"/>\n"));
        }
        text.push_str("</node>\n");
        text
    }
}

fn encode(uuid: Uuid) -> String {
    format!("_{}", uuid.to_string().replace('-', "_"))
}

/// The path of a domain.
pub(super) fn domain_path(uuid: Uuid) -> String {
    format!("{DOMAINS}/{}", encode(uuid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_one_path() {
        let uuid = Uuid::from_u128(0x1234_5678_9abc_def0_1234_5678_9abc_def0);
        let path = domain_path(uuid);
        assert_eq!(path, "/org/libvirt/LXC/domain/_12345678_9abc_def0_1234_56789abcdef0");
        assert_eq!(Object::at(&path), Some(Object::Domain(uuid)));
        assert_eq!(Object::at(&path.to_uppercase()), None);
        assert_eq!(Object::at(&format!("{DOMAINS}/_123456789abcdef0123456789abcdef0")), None);
        assert_eq!(Object::at("/org/libvirt/QEMU"), None);
    }

    #[test]
    fn a_method_is_found_with_and_without_its_interface() {
        let connect = Object::Connect;
        assert_eq!(connect.interface_of(None, "ListDomains"), Some("org.libvirt.Connect"));
        assert_eq!(connect.interface_of(Some("org.libvirt.Domain"), "ListDomains"), None);
        assert_eq!(connect.interface_of(None, "DomainEvent"), None);
        assert_eq!(connect.interface_of(None, "\"/>"), None);
    }
}
