//! `lxc.net.N.*`: the interfaces.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::config::{Excerpt, Setting};
use super::{build, number};
use crate::error::Result;
use crate::xml::Element;

/// The most addresses of one interface.
const MAX_ADDRESSES: usize = 256;

/// The interfaces, by their number.
#[derive(Debug, Default)]
pub(super) struct Networks {
    by_number: BTreeMap<u32, Net>,
}

/// One interface as the configuration describes it.
#[derive(Debug, Default)]
struct Net {
    kind: String,
    link: Option<String>,
    name: Option<String>,
    pair: Option<String>,
    mac: Option<String>,
    up: bool,
    mode: Option<String>,
    vlan: Option<u64>,
    tag: Option<u64>,
    mtu: Option<u64>,
    ipv4: Vec<(Ipv4Addr, u64)>,
    ipv6: Vec<(Ipv6Addr, u64)>,
    gateway4: Option<Ipv4Addr>,
    gateway6: Option<Ipv6Addr>,
}

/// What the networks come to in a domain.
#[derive(Debug, Default)]
pub(super) struct Devices {
    /// Whether the container needs a network of its own and has no device that implies it.
    pub(super) privnet: bool,
    pub(super) interfaces: Vec<Element>,
    pub(super) hostdevs: Vec<Element>,
}

impl Networks {
    /// `lxc.net` or anything below it; `key` is what follows `lxc.net`.
    pub(super) fn set(
        &mut self,
        key: &str,
        setting: &Setting,
        notes: &mut Vec<String>,
    ) -> Result<()> {
        let value = setting.value.as_str();
        let key = match key.strip_prefix('.') {
            Some(key) => key,
            None if value.is_empty() => {
                self.by_number.clear();
                return Ok(());
            }
            None => return Err(setting.invalid("only an empty value, which forgets what was set")),
        };
        let (index, key) = key.split_once('.').unwrap_or((key, ""));
        let Ok(index) = index.parse::<u32>() else {
            return Err(setting.invalid("an interface has a number, as in lxc.net.0.type"));
        };
        if key.is_empty() && value.is_empty() {
            self.by_number.remove(&index);
            return Ok(());
        }
        self.by_number.entry(index).or_default().set(key, setting, notes)
    }

    /// The elements; `shared` when the network comes from another container.
    pub(super) fn devices(self, shared: bool, notes: &mut Vec<String>) -> Devices {
        let mut devices = Devices { privnet: self.by_number.is_empty(), ..Devices::default() };
        let mut host = false;
        for net in self.by_number.into_values() {
            match net.kind.as_str() {
                "none" => host = true,
                "empty" => devices.privnet = true,
                "veth" | "macvlan" => devices.interfaces.extend(net.interface(notes)),
                "phys" | "vlan" => devices.hostdevs.extend(net.hostdev(notes)),
                "" => notes.push("an interface without lxc.net.N.type is left out".to_owned()),
                kind => notes.push(format!(
                    "interfaces of type '{}' have no equivalent: left out",
                    Excerpt(kind)
                )),
            }
        }
        let has_devices = !devices.interfaces.is_empty() || !devices.hostdevs.is_empty();
        if host && (has_devices || devices.privnet) {
            notes.push(
                "an interface of type none beside others: the container has a network of its own, \
                 not the host's"
                    .to_owned(),
            );
        }
        // Every interface left out: still not the host's network.
        devices.privnet |= !host && !has_devices;
        devices.privnet &= !shared;
        if shared && has_devices {
            notes.push(
                "a shared network together with interfaces: the interfaces are left out".to_owned(),
            );
            devices = Devices::default();
        }
        devices
    }
}

impl Net {
    fn set(&mut self, key: &str, setting: &Setting, notes: &mut Vec<String>) -> Result<()> {
        let text = || Some(setting.value.clone()).filter(|value| !value.is_empty());
        match key {
            "type" => self.kind = setting.value.clone(),
            "link" => self.link = text(),
            "name" => self.name = text(),
            "veth.pair" => self.pair = text(),
            "flags" => match setting.value.as_str() {
                "up" => self.up = true,
                "" | "down" => self.up = false,
                _ => return Err(setting.invalid("the only flag is up")),
            },
            "hwaddr" => self.mac = mac(setting, notes)?,
            "macvlan.mode" => self.mode = text(),
            "vlan.id" => self.vlan = bounded(setting, 0, 4_094)?,
            "veth.vlan.id" if setting.value == "none" => self.tag = None,
            "veth.vlan.id" => self.tag = bounded(setting, 0, 4_095)?,
            "mtu" => self.mtu = bounded(setting, 1, 4_294_967_295)?,
            "ipv4.address" => self.ipv4(setting, notes)?,
            "ipv6.address" => self.ipv6(setting)?,
            "ipv4.gateway" | "ipv6.gateway" => self.gateway(key, setting, notes)?,
            _ => notes.push(setting.note("an interface of a domain has no element for this")),
        }
        Ok(())
    }

    fn ipv4(&mut self, setting: &Setting, notes: &mut Vec<String>) -> Result<()> {
        let mut words = setting.value.split_whitespace();
        let Some(address) = words.next() else {
            self.ipv4.clear();
            return Ok(());
        };
        if words.next().is_some() {
            notes.push(setting.note("the broadcast address follows from the prefix"));
        }
        let (address, prefix) = split_prefix(address, setting, 32)?;
        let address: Ipv4Addr =
            address.parse().map_err(|_| setting.invalid("not an IPv4 address"))?;
        let classful = match address.octets() {
            [0..=127, ..] => 8,
            [128..=191, ..] => 16,
            _ => 24,
        };
        if self.ipv4.len() == MAX_ADDRESSES {
            return Err(setting.invalid("too many addresses"));
        }
        self.ipv4.push((address, prefix.unwrap_or(classful)));
        Ok(())
    }

    fn ipv6(&mut self, setting: &Setting) -> Result<()> {
        if setting.value.is_empty() {
            self.ipv6.clear();
            return Ok(());
        }
        let (address, prefix) = split_prefix(&setting.value, setting, 128)?;
        let address = address.parse().map_err(|_| setting.invalid("not an IPv6 address"))?;
        if self.ipv6.len() == MAX_ADDRESSES {
            return Err(setting.invalid("too many addresses"));
        }
        self.ipv6.push((address, prefix.unwrap_or(64)));
        Ok(())
    }

    fn gateway(&mut self, key: &str, setting: &Setting, notes: &mut Vec<String>) -> Result<()> {
        let value = setting.value.as_str();
        let is_four = key.starts_with("ipv4");
        match value {
            "" if is_four => self.gateway4 = None,
            "" => self.gateway6 = None,
            "auto" => notes.push(setting.note(
                "the gateway must be written as an address: here it is that of the bridge when the \
                 container starts",
            )),
            "dev" => notes.push(setting.note("a route through the device has no equivalent")),
            _ if is_four => {
                let address = value.parse().map_err(|_| setting.invalid("not an IPv4 address"))?;
                self.gateway4 = Some(address);
            }
            _ => {
                let address = value.parse().map_err(|_| setting.invalid("not an IPv6 address"))?;
                self.gateway6 = Some(address);
            }
        }
        Ok(())
    }

    /// `<interface>`, for veth and macvlan.
    fn interface(&self, notes: &mut Vec<String>) -> Option<Element> {
        let is_veth = self.kind == "veth";
        let mode = self.mode.as_deref().unwrap_or("private");
        let (kind, source) = match (&self.link, is_veth) {
            (Some(link), true) => ("bridge", Some(build::empty("source", &[("bridge", link)]))),
            (None, true) => ("ethernet", None),
            (Some(link), false) if matches!(mode, "private" | "vepa" | "bridge" | "passthru") => {
                let mode = if mode == "passthru" { "passthrough" } else { mode };
                let source = build::empty("source", &[("dev", link), ("mode", mode)]);
                ("direct", Some(source))
            }
            (Some(_), false) => {
                notes.push(format!("macvlan mode '{}' does not exist: left out", Excerpt(mode)));
                return None;
            }
            (None, false) => {
                notes.push("a macvlan interface without lxc.net.N.link is left out".to_owned());
                return None;
            }
        };
        self.strangers(notes);
        let mut children = Vec::new();
        children.extend(self.mac.iter().map(|mac| build::empty("mac", &[("address", mac)])));
        children.extend(source);
        children.extend(self.tag.filter(|_| is_veth).map(|tag| {
            build::parent("vlan", &[], [build::empty("tag", &[("id", &tag.to_string())])])
        }));
        children.extend(self.addresses());
        let pair = self.pair.iter().filter(|_| is_veth);
        children.extend(pair.map(|pair| build::empty("target", &[("dev", pair)])));
        children.extend(self.name.iter().map(|name| build::empty("guest", &[("dev", name)])));
        let mtu = self.mtu.map(|mtu| build::empty("mtu", &[("size", &mtu.to_string())]));
        children.extend(mtu);
        let state = if self.up { "up" } else { "down" };
        children.push(build::empty("link", &[("state", state)]));
        Some(build::parent("interface", &[("type", kind)], children))
    }

    /// `<hostdev>`, for phys and vlan.
    fn hostdev(&self, notes: &mut Vec<String>) -> Option<Element> {
        let Some(link) = &self.link else {
            notes.push(format!("a {} interface without lxc.net.N.link is left out", self.kind));
            return None;
        };
        let device = match (self.kind.as_str(), self.vlan) {
            ("vlan", None) => {
                notes.push("a vlan interface without lxc.net.N.vlan.id is left out".to_owned());
                return None;
            }
            ("vlan", Some(id)) => {
                let device = format!("{link}.{id}");
                notes.push(format!(
                    "a vlan interface of a domain is one of the host: {} must be made before the \
                     container starts",
                    Excerpt(&device)
                ));
                device
            }
            _ => link.clone(),
        };
        self.strangers(notes);
        let lost = [
            ("name", self.name.as_ref().filter(|name| **name != device).is_some()),
            ("hwaddr", self.mac.is_some()),
            ("mtu", self.mtu.is_some()),
        ];
        for (key, _) in lost.iter().filter(|(_, is_lost)| *is_lost) {
            notes.push(format!(
                "lxc.net.N.{key} of {}: a device of the host keeps its own",
                Excerpt(&device)
            ));
        }
        let interface = build::leaf("interface", &[], &device);
        let mut children = vec![build::parent("source", &[], [interface])];
        children.extend(self.addresses());
        let attributes = [("mode", "capabilities"), ("type", "net")];
        Some(build::parent("hostdev", &attributes, children))
    }

    /// Notes keys that belong to another type of interface.
    fn strangers(&self, notes: &mut Vec<String>) {
        let strangers = [
            ("macvlan.mode", "macvlan", self.mode.is_some()),
            ("vlan.id", "vlan", self.vlan.is_some()),
            ("veth.pair", "veth", self.pair.is_some()),
            ("veth.vlan.id", "veth", self.tag.is_some()),
        ];
        for (key, kind, is_set) in strangers {
            if is_set && self.kind != kind {
                notes.push(format!("lxc.net.N.{key} says nothing of type {}", self.kind));
            }
        }
    }

    fn addresses(&self) -> Vec<Element> {
        let ip = |address: String, family: &str, prefix: u64| {
            let prefix = prefix.to_string();
            let attributes = [("address", &*address), ("family", family), ("prefix", &*prefix)];
            build::empty("ip", &attributes)
        };
        let route = |family: &str, any: &str, gateway: String| {
            let attributes = [("family", family), ("address", any), ("gateway", &*gateway)];
            build::empty("route", &attributes)
        };
        let four = self.ipv4.iter().map(|(address, n)| ip(address.to_string(), "ipv4", *n));
        let six = self.ipv6.iter().map(|(address, n)| ip(address.to_string(), "ipv6", *n));
        let gateway4 = self.gateway4.map(|gateway| route("ipv4", "0.0.0.0", gateway.to_string()));
        let gateway6 = self.gateway6.map(|gateway| route("ipv6", "::", gateway.to_string()));
        four.chain(six).chain(gateway4).chain(gateway6).collect()
    }
}

fn bounded(setting: &Setting, least: u64, most: u64) -> Result<Option<u64>> {
    if setting.value.is_empty() {
        return Ok(None);
    }
    number::within(&setting.value, least, most).map(Some).map_err(|e| setting.invalid(e))
}

fn split_prefix<'a>(text: &'a str, setting: &Setting, most: u64) -> Result<(&'a str, Option<u64>)> {
    let Some((address, prefix)) = text.split_once('/') else { return Ok((text, None)) };
    let prefix = number::within(prefix, 0, most).map_err(|e| setting.invalid(e))?;
    Ok((address, Some(prefix)))
}

/// An address, or None for one with `x` for digits to be made up.
fn mac(setting: &Setting, notes: &mut Vec<String>) -> Result<Option<String>> {
    let value = setting.value.as_str();
    if value.is_empty() {
        return Ok(None);
    }
    let parts: Vec<_> = value.split(':').collect();
    let is = |test: fn(char) -> bool| {
        parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && part.chars().all(test))
    };
    if is(|c| c.is_ascii_hexdigit()) {
        return Ok(Some(value.to_ascii_lowercase()));
    }
    if is(|c| c.is_ascii_hexdigit() || matches!(c, 'x' | 'X')) {
        notes.push(setting.note("a whole new address is made up when the domain is defined"));
        return Ok(None);
    }
    Err(setting.invalid("not an address such as 00:16:3e:01:02:03"))
}
