//! Addresses of links and routes through them.

use std::net::{IpAddr, Ipv4Addr};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::socket::{Netlink, Refused};
use crate::plan::{Address, Route};

impl Netlink {
    /// Gives a link an address.
    pub fn add_address(&mut self, index: u32, address: &Address) -> Result<(), Refused> {
        let mut message = AddressMessage::default();
        message.header.family = family(address.address);
        message.header.prefix_len = address.prefix;
        message.header.index = index;
        message.attributes = vec![
            AddressAttribute::Local(address.address),
            AddressAttribute::Address(address.peer.unwrap_or(address.address)),
        ];
        message.attributes.extend(broadcast(address).map(AddressAttribute::Broadcast));
        self.act(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Makes a way out of a link, which must be up.
    pub fn add_route(&mut self, index: u32, route: &Route) -> Result<(), Refused> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(route.network);
        message.header.destination_prefix_length = route.prefix;
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![
            RouteAttribute::Destination(route.network.into()),
            RouteAttribute::Gateway(route.gateway.into()),
            RouteAttribute::Oif(index),
        ];
        message.attributes.extend(route.metric.map(RouteAttribute::Priority));
        self.act(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_EXCL)
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// The last address of the network, where it is for all of its members.
pub(super) fn broadcast(address: &Address) -> Option<Ipv4Addr> {
    const MOST: u8 = 30;
    match (address.address, address.peer) {
        (IpAddr::V4(own), None) if (1..=MOST).contains(&address.prefix) => {
            Some(Ipv4Addr::from_bits(own.to_bits() | (u32::MAX >> address.prefix)))
        }
        _ => None,
    }
}
