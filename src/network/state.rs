//! What there is: links with what they carried, addresses, neighbours.

use std::net::IpAddr;

use netlink_packet_core::NLM_F_DUMP;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::neighbour::NeighbourMessage;
use serde::{Deserialize, Serialize};

use super::socket::{Netlink, Refused, text};

/// A link as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its hardware address, as in `52:54:00:12:34:56`.
    pub mac: String,
    /// What it carried.
    pub traffic: Traffic,
}

/// What a link carried, as seen from its own side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Received: bytes, packets, errors, dropped packets.
    pub received: [u64; 4],
    /// Sent: the same.
    pub sent: [u64; 4],
}

/// An address that a link has, or that a neighbour behind it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The number of the link.
    pub index: u32,
    /// The address.
    pub address: IpAddr,
    /// Bits of its network; 0 for a neighbour.
    pub prefix: u8,
    /// The hardware address of a neighbour, empty for an own one.
    pub mac: String,
}

impl Netlink {
    /// All links.
    pub fn states(&mut self) -> Result<Vec<State>, Refused> {
        let mut found = Vec::new();
        let message = RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.ask(message, NLM_F_DUMP, |payload| found.extend(State::read(payload)))?;
        Ok(found)
    }

    /// The addresses of all links.
    pub fn addresses(&mut self) -> Result<Vec<Known>, Refused> {
        let mut found = Vec::new();
        let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.ask(message, NLM_F_DUMP, |payload| found.extend(address(payload)))?;
        Ok(found)
    }

    /// The neighbours that are known by both of their addresses.
    pub fn neighbours(&mut self) -> Result<Vec<Known>, Refused> {
        let mut found = Vec::new();
        let message = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        self.ask(message, NLM_F_DUMP, |payload| found.extend(neighbour(payload)))?;
        Ok(found)
    }
}

/// The attributes after a header (`rtnetlink(7)`): lengths and kinds of 16 bits, then values.
fn attributes(payload: &[u8], header: usize) -> Vec<(u16, &[u8])> {
    const OWN_HEADER: usize = 4;
    const ALIGNMENT: usize = 4;
    let mut rest = payload.get(header..).unwrap_or_default();
    let mut found = Vec::new();
    let word = |bytes: &[u8], at: usize| Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?));
    while let (Some(length), Some(kind)) = (word(rest, 0), word(rest, 2)) {
        let length = usize::from(length);
        let Some(value) = rest.get(OWN_HEADER..length) else { break };
        found.push((kind, value));
        rest = rest.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
    }
    found
}

fn number(payload: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*payload.get(at..)?.first_chunk()?))
}

impl State {
    fn read(payload: &[u8]) -> Option<Self> {
        const HEADER: usize = 16;
        const MAC: u16 = 1;
        const NAME: u16 = 3;
        const TRAFFIC: u16 = 23;
        let index = number(payload, 4)?;
        let mut state =
            Self { index, name: String::new(), mac: String::new(), traffic: Traffic::default() };
        for (kind, value) in attributes(payload, HEADER) {
            match kind {
                MAC => state.mac = mac(value),
                NAME => state.name = text(value),
                TRAFFIC => state.traffic = Traffic::read(value).unwrap_or_default(),
                _ => {}
            }
        }
        Some(state)
    }
}

impl Traffic {
    /// The first members of `struct rtnl_link_stats64`: pairs of received and sent.
    fn read(value: &[u8]) -> Option<Self> {
        let at = |member: usize| -> Option<u64> {
            Some(u64::from_ne_bytes(*value.get(member * 8..)?.first_chunk()?))
        };
        let side = |first: usize| -> Option<[u64; 4]> {
            Some([at(2 + first)?, at(first)?, at(4 + first)?, at(6 + first)?])
        };
        Some(Self { received: side(0)?, sent: side(1)? })
    }
}

fn mac(bytes: &[u8]) -> String {
    let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    bytes.join(":")
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(*bytes.first_chunk::<4>()?)),
        16 => Some(IpAddr::from(*bytes.first_chunk::<16>()?)),
        _ => None,
    }
}

fn address(payload: &[u8]) -> Option<Known> {
    const HEADER: usize = 8;
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    let all = attributes(payload, HEADER);
    // On a link with a peer the other one is the peer's.
    let own = [LOCAL, ADDRESS].iter().find_map(|wanted| {
        all.iter().find(|(kind, _)| kind == wanted).and_then(|(_, value)| ip(value))
    });
    let prefix = *payload.get(1)?;
    Some(Known { index: number(payload, 4)?, address: own?, prefix, mac: String::new() })
}

fn neighbour(payload: &[u8]) -> Option<Known> {
    const HEADER: usize = 12;
    const ADDRESS: u16 = 1;
    const MAC: u16 = 2;
    let all = attributes(payload, HEADER);
    let find = |wanted| all.iter().find(|(kind, _)| *kind == wanted).map(|(_, value)| *value);
    let (address, mac) = (ip(find(ADDRESS)?)?, mac(find(MAC)?));
    Some(Known { index: number(payload, 4)?, address, prefix: 0, mac })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_loopback() {
        let mut netlink = Netlink::open().unwrap();
        let states = netlink.states().unwrap();
        let lo = states.iter().find(|state| state.name == "lo").unwrap();
        assert_eq!(lo.mac, "00:00:00:00:00:00");
        assert_eq!(lo.traffic.received, lo.traffic.sent);
        let addresses = netlink.addresses().unwrap();
        let own: Vec<_> = addresses.iter().filter(|it| it.index == lo.index).collect();
        let localhost = IpAddr::from([127, 0, 0, 1]);
        assert!(own.iter().all(|it| it.address != localhost || it.prefix == 8), "{own:?}");
        netlink.neighbours().unwrap();
    }
}
