//! `<interface type>` and `<source>`: what is at the host's end of a link.

use uuid::Uuid;

use super::addresses::borrowed;
use super::mac::yes_no;
use super::virtual_port::Demand;
use super::{InterfaceAddress, InterfaceSocket, LiveInterface, Route};
use crate::error::Result;
use crate::model::devices::hostdev::{Subsystem, pci_driver};
use crate::model::identity::read_uuid;
use crate::model::read::{bad_value, bad_word, missing_attr, number, number_attr, required, words};
use crate::model::shape;
use crate::xml::{Element, Writer};

/// What an interface is attached to on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InterfaceSource {
    /// A virtual network.
    Network {
        /// Its name.
        network: String,
        /// The group of its ports.
        portgroup: Option<String>,
    },
    /// A bridge of the host.
    Bridge {
        /// The bridge's device.
        bridge: String,
    },
    /// A device of the host that is shared.
    Direct {
        /// The device.
        dev: String,
        /// How.
        mode: DirectMode,
    },
    /// Nothing but the other end of the link, which gets addresses and routes itself.
    Ethernet {
        /// Addresses of the host's end.
        ips: Vec<InterfaceAddress>,
        /// Routes through it.
        routes: Vec<Route>,
    },
    /// The hypervisor's own network; not for containers.
    User,
    /// Nothing; not for containers.
    Null,
    /// A virtual network of a hypervisor's; not for containers.
    Internal {
        /// Its name.
        name: String,
    },
    /// A vDPA device; not for containers.
    Vdpa {
        /// Its path.
        dev: String,
    },
    /// A socket between hypervisors; not for containers.
    Socket(InterfaceSocket),
    /// A switch in a process of the host; not for containers.
    VhostUser {
        /// The socket of the switch.
        path: String,
        /// Whether the hypervisor serves it.
        is_server: bool,
        /// Whether to connect again, and then after how many seconds.
        reconnect: Option<Option<u32>>,
    },
    /// A port of a VMware switch; not for containers.
    Vds {
        /// The switch.
        switch: Uuid,
        /// The port.
        port: i64,
        /// The group of ports.
        portgroup: String,
        /// The connection.
        connection: i64,
    },
    /// A device of the host that a machine gets; not for containers.
    HostDevice {
        /// Whether it is taken from the host's driver at start.
        managed: bool,
        /// The driver on the host.
        driver: Option<String>,
        /// The device.
        device: Subsystem,
    },
}

words! {
    /// How a device of the host is shared.
    pub enum DirectMode {
        /// Frames between containers go over the switch outside.
        Vepa = "vepa",
        /// Containers do not reach each other.
        Private = "private",
        /// Containers reach each other on the host.
        Bridge = "bridge",
        /// One container has the device.
        Passthrough = "passthrough",
    }
}

/// libvirt's types of interfaces.
const TYPES: &[&str] = &[
    "user",
    "ethernet",
    "vhostuser",
    "server",
    "client",
    "mcast",
    "network",
    "bridge",
    "internal",
    "direct",
    "hostdev",
    "udp",
    "vdpa",
    "null",
    "vds",
];

impl InterfaceSource {
    pub(super) fn parse(interface: &Element) -> Result<Self> {
        let kind = interface.attr("type").unwrap_or("user");
        if !TYPES.contains(&kind) {
            return Err(bad_word(interface, "type", kind, TYPES));
        }
        let source = interface.child("source");
        // Addresses elsewhere must be valid before they are refused.
        let (ips, routes) = match source {
            Some(source) => (
                InterfaceAddress::parse_all(source)?,
                Route::parse_all(source, "interface host IP")?,
            ),
            None => Default::default(),
        };
        if kind != "ethernet" && !(ips.is_empty() && routes.is_empty()) {
            return Err(interface.unsupported(format_args!(
                "Invalid attempt to set network interface host-side IP route and/or address info \
                 on interface of type '{kind}'. This is only supported on interfaces of type \
                 'ethernet'"
            )));
        }
        match kind {
            "user" => return Ok(Self::User),
            "null" => return Ok(Self::Null),
            "ethernet" => return Ok(Self::Ethernet { ips, routes }),
            "hostdev" => return host_device(interface, source),
            _ => {}
        }
        let Some(source) = source else {
            return Err(interface
                .error(format_args!("interface type='{kind}' requires a 'source' element")));
        };
        match kind {
            "network" => Ok(Self::Network {
                network: text(source, "network")?,
                portgroup: source.attr("portgroup").map(str::to_owned),
            }),
            "bridge" => Ok(Self::Bridge { bridge: text(source, "bridge")? }),
            "internal" => Ok(Self::Internal { name: text(source, "name")? }),
            "vdpa" => Ok(Self::Vdpa { dev: text(source, "dev")? }),
            "direct" => Ok(Self::Direct {
                dev: text(source, "dev")?,
                mode: DirectMode::attr(source, "mode")?.unwrap_or(DirectMode::Vepa),
            }),
            "vhostuser" => vhost_user(source),
            "vds" => vds(source),
            _ => InterfaceSocket::parse(source, kind).map(Self::Socket),
        }
    }

    /// The word in the document.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Network { .. } => "network",
            Self::Bridge { .. } => "bridge",
            Self::Direct { .. } => "direct",
            Self::Ethernet { .. } => "ethernet",
            Self::User => "user",
            Self::Null => "null",
            Self::Internal { .. } => "internal",
            Self::Vdpa { .. } => "vdpa",
            Self::Socket(socket) => socket.kind.as_str(),
            Self::VhostUser { .. } => "vhostuser",
            Self::Vds { .. } => "vds",
            Self::HostDevice { .. } => "hostdev",
        }
    }

    /// The device of the host that a machine gets.
    pub(in crate::model::devices) fn on_bus(&self) -> Option<&Subsystem> {
        match self {
            Self::HostDevice { device, .. } => Some(device),
            _ => None,
        }
    }

    /// Whether the link has a port at a switch, and whether the document must describe all of it.
    pub(super) fn virtual_port(&self) -> Demand {
        match self {
            Self::Network { .. } => Demand::Partial,
            Self::Bridge { .. } | Self::Direct { .. } | Self::HostDevice { .. } => Demand::Complete,
            _ => Demand::None,
        }
    }

    /// Whether a filter can see the packets.
    pub(super) fn is_filtered(&self) -> bool {
        matches!(self, Self::Network { .. } | Self::Bridge { .. } | Self::Ethernet { .. })
    }

    pub(super) fn format(&self, w: &mut Writer, live: Option<&LiveInterface>) {
        match self {
            Self::User | Self::Null => {}
            Self::Ethernet { ips, routes } if ips.is_empty() && routes.is_empty() => {}
            Self::Ethernet { ips, routes } => {
                w.open("source", &[]);
                ips.iter().for_each(|ip| ip.format(w));
                routes.iter().for_each(|route| route.format(w));
                w.close();
            }
            Self::Socket(socket) => socket.format(w),
            Self::VhostUser { path, is_server, reconnect } => {
                format_vhost_user(w, path, *is_server, *reconnect);
            }
            Self::HostDevice { device, .. } => shape::format(w, &device.source(true)),
            _ => w.empty("source", &borrowed(&self.attributes(live))),
        }
    }

    /// The attributes of a source that has nothing else.
    fn attributes(&self, live: Option<&LiveInterface>) -> Vec<(&'static str, String)> {
        match self {
            Self::Network { network, portgroup } => {
                let mut attributes = vec![("network", network.clone())];
                attributes.extend(portgroup.clone().map(|group| ("portgroup", group)));
                if let Some(live) = live {
                    attributes.extend(live.port_id.map(|port| ("portid", port.to_string())));
                    attributes.extend(live.bridge.clone().map(|bridge| ("bridge", bridge)));
                }
                attributes
            }
            Self::Bridge { bridge } => vec![("bridge", bridge.clone())],
            Self::Internal { name } => vec![("name", name.clone())],
            Self::Vdpa { dev } => vec![("dev", dev.clone())],
            Self::Direct { dev, mode } => {
                vec![("dev", dev.clone()), ("mode", mode.as_str().to_owned())]
            }
            Self::Vds { switch, port, portgroup, connection } => vec![
                ("switchid", switch.to_string()),
                ("portid", port.to_string()),
                ("portgroupid", portgroup.clone()),
                ("connectionid", connection.to_string()),
            ],
            Self::Ethernet { .. }
            | Self::User
            | Self::Null
            | Self::Socket(_)
            | Self::VhostUser { .. }
            | Self::HostDevice { .. } => Vec::new(),
        }
    }
}

fn format_vhost_user(w: &mut Writer, path: &str, is_server: bool, reconnect: Option<Option<u32>>) {
    let mode = if is_server { "server" } else { "client" };
    let attributes = [("type", "unix"), ("path", path), ("mode", mode)];
    let Some(reconnect) = reconnect else { return w.empty("source", &attributes) };
    w.open("source", &attributes);
    match reconnect.map(|seconds| seconds.to_string()) {
        Some(seconds) => w.empty("reconnect", &[("enabled", "yes"), ("timeout", &seconds)]),
        None => w.empty("reconnect", &[("enabled", "no")]),
    }
    w.close();
}

pub(super) fn text(source: &Element, name: &str) -> Result<String> {
    source.attr(name).map(str::to_owned).ok_or_else(|| missing_attr(source, name))
}

fn host_device(interface: &Element, source: Option<&Element>) -> Result<InterfaceSource> {
    let kind = source.and_then(|source| {
        let named = source.child("address").and_then(|address| address.attr("type"));
        named.or_else(|| source.child("vendor").map(|_| "usb"))
    });
    let device = match (source, kind) {
        (Some(source), Some(kind @ ("pci" | "usb"))) => Subsystem::parse(kind, source)?,
        (Some(source), Some(kind)) => {
            return Err(source.unsupported(format_args!(
                "unknown host device source address type '{kind}': expected pci or usb"
            )));
        }
        _ => return Err(interface.error("missing source address type: expected pci or usb")),
    };
    let driver = match device {
        Subsystem::Pci(_) => pci_driver(interface)?,
        _ => None,
    };
    let managed = interface.attr("managed") == Some("yes");
    Ok(InterfaceSource::HostDevice { managed, driver, device })
}

fn vhost_user(source: &Element) -> Result<InterfaceSource> {
    let kind = text(source, "type")?;
    if kind != "unix" {
        return Err(source.unsupported(format_args!(
            "Type='{kind}' unsupported for <interface type='vhostuser'>: only unix is supported"
        )));
    }
    let path = text(source, "path")?;
    let mode = text(source, "mode")?;
    let is_server = match mode.as_str() {
        "server" => true,
        "client" => false,
        other => return Err(bad_word(source, "mode", other, &["server", "client"])),
    };
    let reconnect = match source.child("reconnect") {
        None => None,
        Some(element) => match yes_no(element, "enabled")? {
            Some(true) => {
                Some(Some(required(element, "timeout", number_attr(element, "timeout")?)?))
            }
            Some(false) => Some(None),
            None => None,
        },
    };
    Ok(InterfaceSource::VhostUser { path, is_server, reconnect })
}

fn vds(source: &Element) -> Result<InterfaceSource> {
    let switch = text(source, "switchid")?;
    let switch = read_uuid(&switch)
        .ok_or_else(|| bad_value(source, "switchid", &switch, "Expected UUID"))?;
    let integer = |name: &str| {
        let value = text(source, name)?;
        let expected = "Expected long long integer value";
        number(&value).ok_or_else(|| bad_value(source, name, &value, expected))
    };
    Ok(InterfaceSource::Vds {
        switch,
        port: integer("portid")?,
        portgroup: text(source, "portgroupid")?,
        connection: integer("connectionid")?,
    })
}

#[cfg(test)]
mod tests;
