//! Links: made, found, changed, removed.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NlasIterator};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoMacVlan, InfoPortData, InfoPortKind, InfoVeth,
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};
use nix::errno::Errno;

use super::socket::{Netlink, Refused, text};
use crate::plan::MacvlanMode;

/// A link that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its kind, as in `bridge`; a card has none.
    pub kind: Option<String>,
    /// What was noted on it (`ip link set alias`).
    pub note: Option<String>,
}

/// The container's end of a link that is made, in its namespace.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The namespace.
    pub namespace: BorrowedFd<'a>,
    /// The name in there.
    pub name: &'a str,
    /// The hardware address.
    pub mac: [u8; 6],
    /// The largest packet; None leaves that to the kernel.
    pub mtu: Option<u32>,
}

impl Target<'_> {
    fn attributes(&self) -> Vec<LinkAttribute> {
        let mut attributes = vec![
            LinkAttribute::NetNsFd(self.namespace.as_raw_fd()),
            LinkAttribute::IfName(self.name.to_owned()),
            LinkAttribute::Address(self.mac.to_vec()),
        ];
        attributes.extend(self.mtu.map(LinkAttribute::Mtu));
        attributes
    }
}

/// What a link is made as.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// One end of a pair, with this name here.
    Veth(&'a str),
    /// A share of the link with this number here.
    Macvlan(u32, MacvlanMode),
}

impl Netlink {
    /// Makes a link with an end in another namespace.
    pub fn create(&mut self, kind: Kind<'_>, target: &Target<'_>) -> Result<(), Refused> {
        let mut message = LinkMessage::default();
        match kind {
            Kind::Veth(name) => {
                let mut peer = LinkMessage::default();
                peer.attributes = target.attributes();
                message.attributes = vec![
                    LinkAttribute::IfName(name.to_owned()),
                    LinkAttribute::Address(host_address(target.mac).to_vec()),
                    LinkAttribute::LinkInfo(vec![
                        LinkInfo::Kind(InfoKind::Veth),
                        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
                    ]),
                ];
                message.attributes.extend(target.mtu.map(LinkAttribute::Mtu));
            }
            Kind::Macvlan(parent, mode) => {
                let mode = InfoMacVlan::Mode(match mode {
                    MacvlanMode::Private => MacVlanMode::Private,
                    MacvlanMode::Vepa => MacVlanMode::Vepa,
                    MacvlanMode::Bridge => MacVlanMode::Bridge,
                    MacvlanMode::Passthrough => MacVlanMode::Passthrough,
                });
                message.attributes = target.attributes();
                message.attributes.push(LinkAttribute::Link(parent));
                message.attributes.push(LinkAttribute::LinkInfo(vec![
                    LinkInfo::Kind(InfoKind::MacVlan),
                    LinkInfo::Data(InfoData::MacVlan(vec![mode])),
                ]));
            }
        }
        self.act(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// The link of a name; fails with `ENODEV` when there is none.
    pub fn find(&mut self, name: &str) -> Result<Link, Refused> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let mut found = None;
        self.ask(RouteNetlinkMessage::GetLink(message), NLM_F_ACK, |payload| {
            found = Link::read(payload);
        })?;
        found.ok_or_else(|| Errno::ENODEV.into())
    }

    /// All links.
    pub fn links(&mut self) -> Result<Vec<Link>, Refused> {
        let mut found = Vec::new();
        let message = RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.ask(message, NLM_F_DUMP, |payload| found.extend(Link::read(payload)))?;
        Ok(found)
    }

    /// Removes a link, and its other end.
    pub fn remove(&mut self, index: u32) -> Result<(), Refused> {
        self.act(RouteNetlinkMessage::DelLink(of(index)), 0)
    }

    /// Removes every link with a note; one that goes meanwhile by itself is no error.
    pub fn remove_noted(&mut self, note: &str) -> Result<(), Refused> {
        for link in self.links()?.iter().filter(|link| link.note.as_deref() == Some(note)) {
            match self.remove(link.index) {
                Err(Refused { errno: Errno::ENODEV, .. }) => {}
                removed => removed?,
            }
        }
        Ok(())
    }

    /// Brings a link up.
    pub fn up(&mut self, index: u32) -> Result<(), Refused> {
        self.turn(index, LinkFlags::Up)
    }

    /// Brings a link down.
    pub fn down(&mut self, index: u32) -> Result<(), Refused> {
        self.turn(index, LinkFlags::empty())
    }

    fn turn(&mut self, index: u32, state: LinkFlags) -> Result<(), Refused> {
        let mut message = of(index);
        message.header.flags = state;
        message.header.change_mask = LinkFlags::Up;
        self.act(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Notes something on a link.
    pub fn note(&mut self, index: u32, note: &str) -> Result<(), Refused> {
        self.set(index, LinkAttribute::IfAlias(note.to_owned()))
    }

    /// Gives a link a hardware address.
    pub fn set_mac(&mut self, index: u32, mac: [u8; 6]) -> Result<(), Refused> {
        self.set(index, LinkAttribute::Address(mac.to_vec()))
    }

    /// Makes a link a port of a bridge; an isolated one does not reach others of the kind.
    pub fn enslave(&mut self, index: u32, bridge: u32, isolated: bool) -> Result<(), Refused> {
        self.set(index, LinkAttribute::Controller(bridge))?;
        if !isolated {
            return Ok(());
        }
        let mut message = of(index);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::Isolated(true)])),
        ]));
        // Only this request takes properties of ports.
        self.act(RouteNetlinkMessage::NewLink(message), 0)
    }

    /// Moves a link into another namespace, where it has this name.
    pub fn move_to(
        &mut self,
        index: u32,
        namespace: BorrowedFd<'_>,
        name: &str,
    ) -> Result<(), Refused> {
        let mut message = of(index);
        message.attributes = vec![
            LinkAttribute::NetNsFd(namespace.as_raw_fd()),
            LinkAttribute::IfName(name.to_owned()),
        ];
        self.act(RouteNetlinkMessage::SetLink(message), 0)
    }

    fn set(&mut self, index: u32, attribute: LinkAttribute) -> Result<(), Refused> {
        let mut message = of(index);
        message.attributes.push(attribute);
        self.act(RouteNetlinkMessage::SetLink(message), 0)
    }
}

fn of(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// The host's end of a pair: an address so high that no bridge takes it for its own, which is the
/// lowest of its ports'.
fn host_address(mac: [u8; 6]) -> [u8; 6] {
    let [_, rest @ ..] = mac;
    let [b, c, d, e, f] = rest;
    [0xfe, b, c, d, e, f]
}

impl Link {
    /// Reads the few attributes that matter; links of others may have any.
    fn read(payload: &[u8]) -> Option<Self> {
        const HEADER: usize = 16;
        const NAME: u16 = 3;
        const INFO: u16 = 18;
        const NOTE: u16 = 20;
        const INFO_KIND: u16 = 1;
        let index = payload.get(4..8)?.first_chunk()?;
        let mut link =
            Self { index: u32::from_ne_bytes(*index), name: String::new(), kind: None, note: None };
        for attribute in NlasIterator::new(payload.get(HEADER..)?).filter_map(Result::ok) {
            match attribute.kind() {
                NAME => link.name = text(attribute.value()),
                NOTE => link.note = Some(text(attribute.value())),
                INFO => {
                    let mut info = NlasIterator::new(attribute.value()).filter_map(Result::ok);
                    let kind = info.find(|attribute| attribute.kind() == INFO_KIND);
                    link.kind = kind.map(|kind| text(kind.value()));
                }
                _ => {}
            }
        }
        Some(link)
    }
}
