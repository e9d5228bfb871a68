//! One message of the protocol: its header, and what it is made into for the wire.
//!
//! ```text
//! length   program   version   procedure   type   serial   status   payload ...
//! ```
//!
//! Seven words; the length counts itself. Messages with descriptors have their number before the
//! payload, and the descriptors follow the message.

use std::os::fd::OwnedFd;

use tokio::sync::OwnedSemaphorePermit;

use super::xdr::{Decode, Decoder, Encode, Encoder, TooLarge};

/// Bytes of the words before the payload.
pub(super) const HEADER: usize = 28;
/// Longest message, in bytes, its length included.
pub(super) const MAX_MESSAGE: usize = (32 << 20) + 4;
/// Most descriptors with one message.
pub(super) const MAX_FDS: u32 = 32;
/// Most bytes of a stream in one message: libvirt's packets of old had 256 KiB with the header.
pub(super) const MAX_STREAM_DATA: usize = 262_120;

/// libvirt's hypervisor, connection and host calls.
pub(super) const REMOTE: (u32, u32) = (0x2000_8086, 1);
/// What only containers have.
pub(super) const LXC: (u32, u32) = (0x0006_8000, 1);
/// Whether the other side is there.
pub(super) const KEEPALIVE: (u32, u32) = (0x6b65_6570, 1);

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Kind {
    /// A client asks.
    Call = 0,
    /// The answer.
    Reply = 1,
    /// Nobody asked.
    Event = 2,
    /// Data of a stream, or its end.
    Stream = 3,
    /// A client asks, and descriptors follow.
    CallWithFds = 4,
    /// The answer, and descriptors follow.
    ReplyWithFds = 5,
}

/// `status` of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Status {
    /// Done; of a stream, its end.
    Ok = 0,
    /// It failed, and the payload says why.
    Error = 1,
    /// Of a stream: more follows.
    Continue = 2,
}

/// The words before the payload, as they were sent: kind and status may be any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Which list of procedures, in which version.
    pub(super) program: (u32, u32),
    /// Which procedure.
    pub(super) procedure: i32,
    /// See [`Kind`].
    pub(super) kind: i32,
    /// Chosen by the client, for it to know the answer.
    pub(super) serial: u32,
    /// See [`Status`].
    pub(super) status: i32,
}

impl Header {
    /// Reads the words after the length.
    pub(super) fn read(words: &[u8; HEADER - 4]) -> Self {
        let mut decoder = Decoder::new(words);
        let mut word = || u32::decode(&mut decoder).unwrap_or_default();
        let signed = |word: u32| i32::from_be_bytes(word.to_be_bytes());
        let program = (word(), word());
        let (procedure, kind) = (signed(word()), signed(word()));
        Self { program, procedure, kind, serial: word(), status: signed(word()) }
    }

    /// The header of an answer to this one.
    pub(super) fn answer(self, kind: Kind, status: Status) -> Self {
        Self { kind: kind as i32, status: status as i32, ..self }
    }

    /// The header of what nobody asked for.
    pub(super) fn event(program: (u32, u32), procedure: i32) -> Self {
        let (kind, status) = (Kind::Event as i32, Status::Ok as i32);
        Self { program, procedure, kind, serial: 0, status }
    }
}

/// Bytes that a message of this length has, or `None` if no message has that length.
pub(super) fn payload_length(length: u32) -> Option<usize> {
    let length = usize::try_from(length).ok()?;
    (HEADER..=MAX_MESSAGE).contains(&length).then(|| length - HEADER)
}

/// A message for the wire.
#[derive(Debug)]
pub(super) struct Packet {
    /// All bytes, the length first.
    pub(super) bytes: Vec<u8>,
    /// What follows, each with a byte of its own.
    pub(super) fds: Vec<OwnedFd>,
    /// Given back when it has been sent.
    pub(super) _permit: Option<OwnedSemaphorePermit>,
}

impl Packet {
    /// Puts a message together.
    pub(super) fn new(header: Header, payload: &(impl Encode + ?Sized)) -> Result<Self, TooLarge> {
        Self::with(header, payload, Vec::new())
    }

    /// Puts a message together that descriptors follow.
    pub(super) fn with(
        header: Header,
        payload: &(impl Encode + ?Sized),
        fds: Vec<OwnedFd>,
    ) -> Result<Self, TooLarge> {
        let mut encoder = Encoder::default();
        let (program, version) = header.program;
        (0_u32, program, version, header.procedure).encode(&mut encoder);
        (header.kind, header.serial, header.status).encode(&mut encoder);
        if header.kind == Kind::ReplyWithFds as i32 {
            u32::try_from(fds.len()).unwrap_or(u32::MAX).encode(&mut encoder);
        }
        payload.encode(&mut encoder);
        Self::seal(encoder.finish()?, fds)
    }

    /// Part of a stream: bytes as they are.
    pub(super) fn stream(header: Header, data: &[u8]) -> Result<Self, TooLarge> {
        let mut packet = Self::new(header, &())?;
        packet.bytes.extend_from_slice(data);
        Self::seal(packet.bytes, packet.fds)
    }

    fn seal(mut bytes: Vec<u8>, fds: Vec<OwnedFd>) -> Result<Self, TooLarge> {
        let length = bytes.len();
        if length > MAX_MESSAGE {
            let text = format!("{length} bytes are more than the {MAX_MESSAGE} of a message");
            return Err(TooLarge(text));
        }
        let word = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        bytes.iter_mut().zip(word).for_each(|(byte, of_word)| *byte = of_word);
        Ok(Self { bytes, fds, _permit: None })
    }

    /// Gives back a permit when it has been sent.
    #[must_use]
    pub(super) fn holding(self, permit: OwnedSemaphorePermit) -> Self {
        Self { _permit: Some(permit), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_what_virsh_sends() {
        let header = Header { program: REMOTE, procedure: 60, kind: 0, serial: 1, status: 0 };
        let packet = Packet::new(header, &(10_i32,)).unwrap();
        let expected = [32, 0x2000_8086, 1, 60, 0, 1, 0, 10_u32];
        let expected: Vec<u8> = expected.iter().flat_map(|word| word.to_be_bytes()).collect();
        assert_eq!(packet.bytes, expected);
        let words = packet.bytes[4..HEADER].try_into().unwrap();
        assert_eq!(Header::read(words), header);
    }

    #[test]
    fn lengths_have_limits() {
        assert_eq!(payload_length(27), None);
        assert_eq!(payload_length(28), Some(0));
        assert_eq!(payload_length(33_554_436), Some(33_554_408));
        assert_eq!(payload_length(33_554_437), None);
        assert_eq!(payload_length(u32::MAX), None);
    }
}
