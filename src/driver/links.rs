//! Network devices of containers that run: their addresses, and what they carried.

use super::domain::Domain;
use super::lifecycle::Operation;
use super::plug::plan_of;
use super::{Driver, check_flags};
use crate::container::protocol::task::{Action, LinkState, Outcome};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Interface, MacAddress};
use crate::network::{Netlink, State, Traffic};

/// `VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_*`
mod source {
    pub(super) const LEASE: u32 = 0;
    pub(super) const AGENT: u32 = 1;
    pub(super) const ARP: u32 = 2;
}

/// The addresses of one network device (`virDomainInterface`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkAddresses {
    /// Its name: in the container, or for what the host knows of it the name of its end there.
    pub name: String,
    /// Its hardware address.
    pub mac: String,
    /// libvirt's type (0 version 4, 1 version 6), the address, and the bits of its network.
    pub addresses: Vec<(i32, String, u32)>,
}

impl Driver {
    /// The name of a domain's host in leases of virtual networks, of which there are none.
    pub fn domain_hostname(&self, domain: &Domain, flags: u32) -> Result<String> {
        /// `VIR_DOMAIN_GET_HOSTNAME_LEASE`.
        const FROM_LEASE: u32 = 1;
        check_flags(flags, FROM_LEASE, "lxcDomainGetHostname")?;
        domain.admit(Operation::UseLive)?;
        let text = format!("no hostname found for domain {}", domain.name);
        Err(Error::new(ErrorCode::NoHostname, text))
    }

    /// The addresses that network devices have: 0 by leases of virtual networks, which there are
    /// none of; 1 as the container has them; 2 as the host has learnt them.
    pub async fn interface_addresses(
        &self,
        domain: &Domain,
        source: u32,
        flags: u32,
    ) -> Result<Vec<LinkAddresses>> {
        check_flags(flags, 0, "lxcDomainInterfaceAddresses")?;
        domain.admit(Operation::UseLive)?;
        match source {
            source::LEASE => Ok(Vec::new()),
            source::AGENT => Ok(self.links(domain).await?.into_iter().map(inside).collect()),
            source::ARP => learnt(&interfaces(domain)),
            other => {
                let text = format!("Unsupported IP address data source {other}");
                Err(Error::new(ErrorCode::ArgumentUnsupported, text))
            }
        }
    }

    /// What a network device carried, found by its hardware address or its name on the host. It is
    /// counted from the container's side: what is received there was sent here.
    pub async fn interface_stats(&self, domain: &Domain, device: &str) -> Result<Traffic> {
        domain.admit(Operation::UseLive)?;
        let mac = MacAddress::from_text(device);
        let is_it = |it: &Interface| {
            mac.is_some_and(|mac| it.mac.address == mac) || host_name(it) == Some(device)
        };
        let all = interfaces(domain);
        let found = all.iter().find(|it| is_it(it)).ok_or_else(|| {
            let text = format!("'{device}' is not a known interface");
            Error::new(ErrorCode::InvalidArg, text).in_domain(ErrorDomain::Domain)
        })?;
        if host_name(found).is_some() {
            return carried(found, &states()?).ok_or_else(|| gone(device));
        }
        let guest = found.guest.as_deref();
        let inside = self.links(domain).await?;
        let link = inside.into_iter().find(|link| guest == Some(&link.name));
        link.map(|link| link.traffic).ok_or_else(|| gone(device))
    }

    /// The network devices of a container as it sees them, without `lo`.
    async fn links(&self, domain: &Domain) -> Result<Vec<LinkState>> {
        let run = domain.run()?;
        let plan = plan_of(&run).await?;
        match self.have(domain, &run, &plan.id_maps, Action::ListLinks).await? {
            Outcome::Links(mut links) => {
                links.retain(|link| link.name != "lo");
                Ok(links)
            }
            other => {
                let text = format!("the helper answered {other:?}");
                Err(Error::new(ErrorCode::InternalError, text))
            }
        }
    }
}

/// What the network devices of a container that have an end on the host carried, by their names
/// there.
pub(super) fn traffic(domain: &Domain) -> Result<Vec<(String, Traffic)>> {
    let all = interfaces(domain);
    if all.iter().all(|it| host_name(it).is_none()) {
        return Ok(Vec::new());
    }
    let states = states()?;
    let named =
        all.iter().filter_map(|it| Some((host_name(it)?.to_owned(), carried(it, &states)?)));
    Ok(named.collect())
}

fn interfaces(domain: &Domain) -> Vec<Interface> {
    let snapshot = domain.snapshot();
    snapshot.live.as_ref().map_or_else(Vec::new, |live| live.devices.interfaces.clone())
}

/// The name of its end on the host.
fn host_name(interface: &Interface) -> Option<&str> {
    interface.live.as_ref()?.target.as_deref()
}

fn states() -> Result<Vec<State>> {
    Netlink::open()
        .and_then(|mut netlink| netlink.states())
        .map_err(|e| Error::system("cannot see the host's network devices", e))
}

fn carried(interface: &Interface, states: &[State]) -> Option<Traffic> {
    let name = host_name(interface)?;
    let Traffic { received, sent } = states.iter().find(|state| state.name == name)?.traffic;
    Some(Traffic { received: sent, sent: received })
}

fn gone(device: &str) -> Error {
    let text = format!("the network device '{device}' is not there any more");
    Error::new(ErrorCode::InternalError, text)
}

fn address(address: std::net::IpAddr, prefix: u8) -> (i32, String, u32) {
    (i32::from(address.is_ipv6()), address.to_string(), prefix.into())
}

fn inside(link: LinkState) -> LinkAddresses {
    let addresses = link.addresses.into_iter();
    let addresses = addresses.map(|(ip, prefix)| address(ip, prefix)).collect();
    LinkAddresses { name: link.name, mac: link.mac, addresses }
}

/// What neighbours of the host have the hardware addresses of a container.
fn learnt(interfaces: &[Interface]) -> Result<Vec<LinkAddresses>> {
    let neighbours = Netlink::open()
        .and_then(|mut netlink| netlink.neighbours())
        .map_err(|e| Error::system("cannot see the neighbours of the host", e))?;
    let known = interfaces.iter().map(|interface| {
        let mac = interface.mac.address.to_string();
        let own = neighbours.iter().filter(|it| it.mac == mac);
        let addresses = own.map(|own| address(own.address, own.prefix)).collect();
        LinkAddresses { name: host_name(interface).unwrap_or_default().to_owned(), mac, addresses }
    });
    Ok(known.filter(|it| !it.addresses.is_empty()).collect())
}
