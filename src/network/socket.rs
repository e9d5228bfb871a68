//! The socket: one request, all of its answer.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_REQUEST, NetlinkBuffer, NetlinkMessage, NetlinkPayload,
    NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recvfrom, sendto,
    setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::sys::netlink;

/// The kernel writes no longer datagram.
const DATAGRAM: usize = 64 << 10;
/// Seconds an answer may take. The kernel answers before a request's `send` returns.
const PATIENCE: i64 = 10;

/// Types of messages that are not the answer itself.
const ERROR: u16 = netlink_packet_core::NLMSG_ERROR;
const DONE: u16 = netlink_packet_core::NLMSG_DONE;

/// A connection to the kernel's network configuration, in one network namespace for good.
#[derive(Debug)]
pub struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// Why the kernel has not done something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The errno.
    pub errno: Errno,
    /// In the kernel's words; empty where it has none.
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.errno.desc())?;
        if !self.why.is_empty() {
            write!(f, " ({})", self.why)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

impl From<Errno> for Refused {
    fn from(errno: Errno) -> Self {
        Self { errno, why: String::new() }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        error.raw_os_error().map_or(Errno::EIO, Errno::from_raw).into()
    }
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        if refused.why.is_empty() { refused.errno.into() } else { Self::other(refused.to_string()) }
    }
}

impl Netlink {
    /// Opens one in the network namespace of this thread.
    pub fn open() -> Result<Self, Refused> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let protocol = SockProtocol::NetlinkRoute;
        let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, protocol)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(PATIENCE))?;
        netlink::explain_refusals(socket.as_fd())?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Has something done.
    pub(super) fn act(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<(), Refused> {
        self.ask(message, flags | NLM_F_ACK, |_| {})
    }

    /// Asks for something; `each` gets every message of the answer.
    pub(super) fn ask(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Refused> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send(message, flags)?;
        let mut datagram = vec![0; DATAGRAM];
        loop {
            let (length, sender) =
                match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut datagram) {
                    Err(Errno::EINTR) => continue,
                    received => received?,
                };
            // Only the kernel is number 0.
            if sender.is_some_and(|sender| sender.pid() != 0) {
                continue;
            }
            if self.read(datagram.get(..length).unwrap_or_default(), &mut each)? {
                return Ok(());
            }
        }
    }

    fn send(&self, message: RouteNetlinkMessage, flags: u16) -> Result<(), Refused> {
        let payload = NetlinkPayload::InnerMessage(message);
        let mut request = NetlinkMessage::new(Default::default(), payload);
        request.header.flags = NLM_F_REQUEST | flags;
        request.header.sequence_number = self.sequence;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.socket.as_raw_fd(), &bytes, &kernel, MsgFlags::empty())?;
        Ok(())
    }

    /// Reads the messages of one datagram. Whether the answer is complete.
    fn read(&self, mut datagram: &[u8], each: &mut impl FnMut(&[u8])) -> Result<bool, Refused> {
        const ALIGNMENT: usize = 4;
        while let Ok(message) = NetlinkBuffer::new_checked(datagram) {
            // What is left of a request that was given up is not of this one.
            if message.sequence_number() == self.sequence {
                match message.message_type() {
                    ERROR | DONE => return ended(&message).map(|()| true),
                    _ => each(message.payload()),
                }
            }
            let length = (message.length() as usize).next_multiple_of(ALIGNMENT);
            datagram = datagram.get(length..).unwrap_or_default();
        }
        Ok(false)
    }
}

/// What the last message of an answer says: a number, 0 or a negative errno, and then why.
fn ended(message: &NetlinkBuffer<&[u8]>) -> Result<(), Refused> {
    const HEADER: usize = 16;
    const IN_WORDS: u16 = 1;
    let payload = message.payload();
    let Some((code, rest)) = payload.split_first_chunk() else { return Ok(()) };
    let code = i32::from_ne_bytes(*code);
    if code == 0 {
        return Ok(());
    }
    let has_words = message.message_type() == ERROR && message.flags() & NLM_F_ACK_TLVS != 0;
    let words = rest.get(HEADER..).filter(|_| has_words).unwrap_or_default();
    let why = NlasIterator::new(words)
        .filter_map(Result::ok)
        .find(|attribute| attribute.kind() == IN_WORDS)
        .map(|attribute| text(attribute.value()))
        .unwrap_or_default();
    Err(Refused { errno: Errno::from_raw(code.saturating_neg()), why })
}

/// A string of the kernel's, without the NUL at its end.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}
