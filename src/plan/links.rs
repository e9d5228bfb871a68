//! Network devices: from `<interface>` and `<hostdev type='net'>` to links that are made or moved.

use std::collections::HashSet;
use std::net::IpAddr;

use super::build::unsupported;
use super::unsupported::cannot_start;
use super::{Address, Link, LinkKind, MacvlanMode, Present, Route};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{
    DirectMode, Domain, HostDeviceSource, Interface, InterfaceAddress, InterfaceSource,
    LinkBandwidth, LinkState, Route as Way,
};

/// Names of links of the host that a document mentions; not all need to be there.
pub fn host_links(domain: &Domain) -> Vec<&str> {
    let mut names = Vec::new();
    for interface in &domain.devices.interfaces {
        match &interface.source {
            InterfaceSource::Bridge { bridge } => names.push(bridge.as_str()),
            InterfaceSource::Direct { dev, .. } => names.push(dev),
            _ => {}
        }
        names.extend(interface.target.as_deref());
    }
    names.extend(host_devices(domain).map(|(name, ..)| name));
    names.retain(|name| is_link_name(name));
    names
}

/// Links of the host that the document gives to the container, with their addresses and routes.
pub(super) fn host_devices(
    domain: &Domain,
) -> impl Iterator<Item = (&str, &[InterfaceAddress], &[Way])> {
    domain.devices.host_devices.iter().filter_map(|device| match &device.source {
        HostDeviceSource::Net { interface, ips, routes } => {
            Some((interface.as_str(), ips.as_slice(), routes.as_slice()))
        }
        _ => None,
    })
}

/// The links of a container, those of `<interface>` first and in order. Nothing is made yet, and
/// whatever can be known to fail fails here.
pub(super) fn links(domain: &Domain, present: &Present) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    let mut unnamed = 0_u32;
    for interface in &domain.devices.interfaces {
        check(domain, interface)?;
        let guest = interface.guest.clone().unwrap_or_else(|| {
            unnamed = unnamed.saturating_add(1);
            format!("eth{}", unnamed.saturating_sub(1))
        });
        links.push(Link {
            kind: kind(domain, interface, present, &guest)?,
            guest,
            mac: interface.mac.address.octets(),
            mtu: interface.mtu,
            up: interface.link == Some(LinkState::Up) || !interface.ips.is_empty(),
            addresses: addresses(domain, &interface.ips)?,
            routes: routes(&interface.routes),
        });
    }
    for (name, ips, ways) in host_devices(domain) {
        if !present.has_link(name) {
            let detail = format!("Cannot find device '{name}' of <hostdev type='net'> on the host");
            return Err(Error::new(ErrorCode::InternalError, detail));
        }
        links.push(Link {
            kind: LinkKind::Host,
            guest: name.to_owned(),
            mac: [0; 6],
            mtu: None,
            up: !ips.is_empty(),
            addresses: addresses(domain, ips)?,
            routes: routes(ways),
        });
    }
    check_names(domain, &links)?;
    Ok(links)
}

/// Refuses what an interface asks for and would not get.
fn check(domain: &Domain, interface: &Interface) -> Result<()> {
    let refused = [
        (interface.vlan.is_some(), "<vlan>"),
        (interface.virtual_port.is_some(), "<virtualport>"),
        (interface.bandwidth != LinkBandwidth::default(), "<bandwidth>"),
        (interface.filter.is_some(), "<filterref>"),
        (interface.target_managed == Some(false), "<target managed='no'>"),
    ];
    let mac = interface.mac.address;
    if interface.script.is_some() {
        return Err(unsupported(format_args!(
            "scripts are not supported on LXC network interfaces: remove <script> of interface \
             {mac}"
        )));
    }
    match refused.iter().find(|(is_wanted, _)| *is_wanted) {
        None => Ok(()),
        Some((_, element)) => Err(cannot_start(
            domain,
            format_args!("{element} of interface {mac} is not supported: remove it"),
        )),
    }
}

fn kind(
    domain: &Domain,
    interface: &Interface,
    present: &Present,
    guest: &str,
) -> Result<LinkKind> {
    let failed = |text: String| Err(Error::new(ErrorCode::SystemError, text));
    let target = interface.target.clone();
    match &interface.source {
        InterfaceSource::Bridge { bridge } => {
            let Some(found) = present.link(bridge) else {
                return failed(format!(
                    "Unable to add bridge {bridge} port: No such device: the host has no \
                     '{bridge}', which interface {} names",
                    interface.mac.address
                ));
            };
            if !found.is_bridge {
                return failed(format!(
                    "Unable to add bridge {bridge} port: Operation not supported: '{bridge}' of \
                     interface {} is no bridge",
                    interface.mac.address
                ));
            }
            check_target(interface, present, guest)?;
            let isolated = interface.isolated == Some(true);
            Ok(LinkKind::Bridge { target, bridge: bridge.clone(), isolated })
        }
        InterfaceSource::Ethernet { ips, routes: ways } => {
            check_target(interface, present, guest)?;
            let (addresses, routes) = (addresses(domain, ips)?, routes(ways));
            Ok(LinkKind::Ethernet { target, addresses, routes })
        }
        InterfaceSource::Direct { dev, mode } => {
            if !present.has_link(dev) {
                return failed(format!(
                    "Unable to get index for interface {dev}: No such device: interface {} names \
                     it",
                    interface.mac.address
                ));
            }
            let mode = match mode {
                DirectMode::Private => MacvlanMode::Private,
                DirectMode::Vepa => MacvlanMode::Vepa,
                DirectMode::Bridge => MacvlanMode::Bridge,
                DirectMode::Passthrough => MacvlanMode::Passthrough,
            };
            Ok(LinkKind::Direct { parent: dev.clone(), mode })
        }
        InterfaceSource::Network { network, .. } => Err(cannot_start(
            domain,
            format_args!(
                "<interface type='network'> with network '{network}' is not supported: there are \
                 no virtual networks, name their bridge with type='bridge'"
            ),
        )),
        other => Err(Error::new(
            ErrorCode::InternalError,
            format!(
                "Unsupported network type {}: interface {} must be of type bridge, ethernet or \
                 direct",
                other.kind(),
                interface.mac.address
            ),
        )),
    }
}

/// The name of the host's end, if the document chooses it.
fn check_target(interface: &Interface, present: &Present, guest: &str) -> Result<()> {
    let Some(target) = &interface.target else { return Ok(()) };
    check_name(target, "<target dev>")?;
    if present.has_link(target) {
        return Err(Error::new(
            ErrorCode::SystemError,
            format!(
                "unable to create {target} <-> {guest} veth pair: File exists: choose another \
                 name in <target dev> of interface {}",
                interface.mac.address
            ),
        ));
    }
    Ok(())
}

/// Names that the kernel takes, no two alike on either side.
fn check_names(domain: &Domain, links: &[Link]) -> Result<()> {
    let mut inside = HashSet::from(["lo"]);
    let mut outside = HashSet::new();
    for link in links {
        check_name(&link.guest, "<guest dev>")?;
        if !inside.insert(&link.guest) {
            return Err(cannot_start(
                domain,
                format_args!(
                    "two network devices are called '{}' in the container: choose another name \
                     in <guest dev>",
                    link.guest
                ),
            ));
        }
        let target = match &link.kind {
            LinkKind::Bridge { target, .. } | LinkKind::Ethernet { target, .. } => target.as_ref(),
            LinkKind::Direct { .. } | LinkKind::Host => None,
        };
        if let Some(target) = target.filter(|target| !outside.insert(*target)) {
            return Err(cannot_start(
                domain,
                format_args!(
                    "two network devices are called '{target}' on the host: choose another name \
                     in <target dev>"
                ),
            ));
        }
    }
    Ok(())
}

fn check_name(name: &str, element: &str) -> Result<()> {
    match is_link_name(name) {
        true => Ok(()),
        false => Err(unsupported(format_args!(
            "'{name}' in {element} is no name of a network device: expected 1 to 15 characters \
             without space, '/', ':' and '%'"
        ))),
    }
}

/// Whether the kernel takes a name: no path has it, and no pattern.
fn is_link_name(name: &str) -> bool {
    const LONGEST: usize = 15;
    let is_allowed = |byte: u8| byte > b' ' && byte != 0x7f && !b"/:%".contains(&byte);
    (1..=LONGEST).contains(&name.len())
        && ![".", ".."].contains(&name)
        && name.bytes().all(is_allowed)
}

fn addresses(domain: &Domain, ips: &[InterfaceAddress]) -> Result<Vec<Address>> {
    let address = |ip: &InterfaceAddress| {
        let prefix = ip.prefix.or_else(|| class(ip.address)).ok_or_else(|| {
            let text = format_args!("<ip address='{}'> needs a prefix", ip.address);
            cannot_start(domain, text)
        })?;
        Ok(Address { address: ip.address, prefix, peer: ip.peer })
    };
    ips.iter().map(address).collect()
}

/// The bits of the network that an address is in where nobody says: those of its class, as in
/// libvirt, or 64.
fn class(address: IpAddr) -> Option<u8> {
    match address {
        IpAddr::V6(_) => Some(64),
        IpAddr::V4(address) => match address.to_bits().leading_ones() {
            0 => Some(8),
            1 => Some(16),
            2 => Some(24),
            _ => None,
        },
    }
}

fn routes(ways: &[Way]) -> Vec<Route> {
    let route = |way: &Way| Route {
        network: way.network,
        prefix: way.prefix.unwrap_or(0),
        gateway: way.gateway,
        metric: way.metric,
    };
    ways.iter().map(route).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::HostLink;

    fn planned(devices: &str) -> Result<Vec<Link>> {
        let text = format!(
            "<domain type='lxc'><name>web</name><memory>1024</memory><os><type>exe</type>\
             <init>/i</init></os><devices>{devices}</devices></domain>"
        );
        let link = |name: &str, is_bridge| HostLink { name: name.to_owned(), is_bridge };
        let links = vec![link("br0", true), link("card", false)];
        links_of(&Domain::parse(&text).unwrap(), &Present { links, ..Present::default() })
    }

    use super::links as links_of;

    fn bridge(elements: &str) -> String {
        format!("<interface type='bridge'><source bridge='br0'/>{elements}</interface>")
    }

    #[test]
    fn only_links_without_a_name_are_counted() {
        let devices = [bridge(""), bridge("<guest dev='lan'/>"), bridge("")].concat();
        let card = "<hostdev mode='capabilities' type='net'><source><interface>card</interface>\
                    </source></hostdev>";
        let links = planned(&(card.to_owned() + &devices)).unwrap();
        let names: Vec<&str> = links.iter().map(|link| link.guest.as_str()).collect();
        assert_eq!(names, ["eth0", "lan", "eth1", "card"]);
    }

    #[test]
    fn a_link_is_up_with_an_address_or_by_its_state() {
        for (elements, up) in [
            ("", false),
            ("<link state='down'/>", false),
            ("<link state='up'/>", true),
            ("<ip address='10.0.0.1'/><link state='down'/>", true),
        ] {
            assert_eq!(planned(&bridge(elements)).unwrap()[0].up, up, "{elements}");
        }
    }

    #[test]
    fn networks_are_of_the_class_of_their_address_where_nobody_says() {
        for (address, prefix) in [
            ("10.0.0.1", Some(8)),
            ("172.16.0.1", Some(16)),
            ("192.168.0.1", Some(24)),
            ("224.0.0.1", None),
            ("fd00::1", Some(64)),
        ] {
            let links = planned(&bridge(&format!("<ip address='{address}'/>")));
            assert_eq!(links.ok().map(|links| links[0].addresses[0].prefix), prefix, "{address}");
        }
    }

    #[test]
    fn names_are_ones_that_the_kernel_takes() {
        for name in ["a", "eth0.5", "fifteen-letters"] {
            assert!(is_link_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "a:b", "vnet%d", "sixteen-letters-"] {
            assert!(!is_link_name(name), "{name}");
        }
        let text = planned(&bridge("<guest dev='lo'/>")).unwrap_err().message;
        assert!(text.contains("are called 'lo' in the container"), "{text}");
        let twice = bridge("<target dev='x'/>").repeat(2);
        assert!(planned(&twice).unwrap_err().message.contains("'x' on the host"));
    }
}
