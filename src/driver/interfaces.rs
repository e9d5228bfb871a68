//! Network interfaces of domains: what went through them, and what addresses are known.

use std::fs;

use super::domain::Domain;
use super::lifecycle::Operation;
use super::{Driver, check_flags};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Domain as Document, Interface};

/// What went through an interface, as its container sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Received.
    pub received: Direction,
    /// Sent.
    pub sent: Direction,
}

/// One direction of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Direction {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets with errors.
    pub errors: u64,
    /// Packets that were dropped.
    pub dropped: u64,
}

/// An interface with addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// Its name on the host, or in the container where it has none there.
    pub name: String,
    /// Its hardware address.
    pub mac: String,
    /// Each with libvirt's number of its family (0 for IPv4) and the length of its prefix.
    pub addresses: Vec<(i32, String, u32)>,
}

/// `virDomainInterfaceAddressesSource`.
const LEASE: u32 = 0;
const ARP: u32 = 2;

impl Driver {
    /// What went through an interface, which is named by its name on the host or its hardware
    /// address.
    pub fn interface_stats(&self, domain: &Domain, device: &str) -> Result<Traffic> {
        domain.admit(Operation::UseLive)?;
        let snapshot = domain.snapshot();
        let live = snapshot.live.as_deref();
        let interface = live.and_then(|live| find(live, device)).ok_or_else(|| {
            let text = format!("'{device}' is not a known interface");
            Error::new(ErrorCode::InvalidArg, text).in_domain(ErrorDomain::Domain)
        })?;
        let no_device = || {
            let text = format!("interface '{device}' has no device on the host to ask");
            Error::new(ErrorCode::OperationUnsupported, text)
        };
        let link = host_link(interface).ok_or_else(no_device)?;
        let path = "/proc/self/net/dev";
        let text = fs::read_to_string(path)
            .map_err(|e| Error::system(format!("cannot read {path}"), e))?;
        traffic(&text, link).ok_or_else(no_device)
    }

    /// What went through each interface that has a device on the host, by its name there.
    pub(super) fn all_interface_stats(&self, document: &Document) -> Vec<(String, Traffic)> {
        let text = fs::read_to_string("/proc/self/net/dev").unwrap_or_default();
        let links = document.devices.interfaces.iter().filter_map(host_link);
        links.filter_map(|link| Some((link.to_owned(), traffic(&text, link)?))).collect()
    }

    /// The name of a domain's host in leases of virtual networks, of which there are none.
    pub fn domain_hostname(&self, domain: &Domain, flags: u32) -> Result<String> {
        /// `VIR_DOMAIN_GET_HOSTNAME_LEASE`.
        const FROM_LEASE: u32 = 1;
        check_flags(flags, FROM_LEASE, "lxcDomainGetHostname")?;
        domain.admit(Operation::UseLive)?;
        let text = format!("no hostname found for domain {}", domain.name);
        Err(Error::new(ErrorCode::NoHostname, text))
    }

    /// Addresses that are known from elsewhere: leases (source 0) of virtual networks, of which
    /// there are none, or (2) the host's table of its neighbours.
    pub fn interface_addresses(
        &self,
        domain: &Domain,
        source: u32,
        flags: u32,
    ) -> Result<Vec<Addresses>> {
        check_flags(flags, 0, "lxcDomainInterfaceAddresses")?;
        domain.admit(Operation::UseLive)?;
        match source {
            LEASE => return Ok(Vec::new()),
            ARP => {}
            other => {
                let text = format!("Unknown IP address data source {other}");
                return Err(Error::new(ErrorCode::ArgumentUnsupported, text));
            }
        }
        let path = "/proc/self/net/arp";
        let table = fs::read_to_string(path)
            .map_err(|e| Error::system(format!("cannot read {path}"), e))?;
        let snapshot = domain.snapshot();
        let interfaces = snapshot.live.iter().flat_map(|live| &live.devices.interfaces);
        Ok(interfaces.filter_map(|interface| neighbours(interface, &table)).collect())
    }
}

fn find<'a>(document: &'a Document, device: &str) -> Option<&'a Interface> {
    let is_it = |it: &&Interface| {
        host_link(it) == Some(device) || it.mac.address.to_string().eq_ignore_ascii_case(device)
    };
    document.devices.interfaces.iter().find(is_it)
}

fn host_link(interface: &Interface) -> Option<&str> {
    let live = interface.live.as_ref().and_then(|live| live.target.as_deref());
    live.or(interface.target.as_deref())
}

/// The line of a device in `/proc/net/dev`. The end that the host has sends what the container
/// receives.
fn traffic(text: &str, link: &str) -> Option<Traffic> {
    let line =
        text.lines().find_map(|line| line.trim_start().strip_prefix(link)?.strip_prefix(':'))?;
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|it| it.parse().ok()).collect();
    let direction = |at: usize| {
        let [bytes, packets, errors, dropped] = *numbers.get(at..)?.first_chunk()?;
        Some(Direction { bytes, packets, errors, dropped })
    };
    Some(Traffic { received: direction(8)?, sent: direction(0)? })
}

/// The lines of `/proc/net/arp` with an interface's hardware address.
fn neighbours(interface: &Interface, table: &str) -> Option<Addresses> {
    let mac = interface.mac.address.to_string();
    let address = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [address, _, flags, of, ..] = words.as_slice() else { return None };
        let is_complete = *flags != "0x0";
        (is_complete && of.eq_ignore_ascii_case(&mac)).then(|| (0, (*address).to_owned(), 0))
    };
    let addresses: Vec<_> = table.lines().skip(1).filter_map(address).collect();
    let name = host_link(interface).unwrap_or_default().to_owned();
    (!addresses.is_empty()).then_some(Addresses { name, mac, addresses })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_receives_what_the_host_sends() {
        let text = "Inter-|   Receive  |  Transmit\n face |bytes packets errs drop fifo frame \
                    compressed multicast|bytes packets errs drop fifo colls carrier compressed\n    \
                    lo: 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\nvnet1: 10 20 30 40 0 0 0 0 50 60 70 80 0 0 \
                    0 0\n";
        let found = traffic(text, "vnet1").unwrap();
        let sent = Direction { bytes: 10, packets: 20, errors: 30, dropped: 40 };
        let received = Direction { bytes: 50, packets: 60, errors: 70, dropped: 80 };
        assert_eq!(found, Traffic { received, sent });
        assert_eq!(traffic(text, "vnet"), None);
    }
}
