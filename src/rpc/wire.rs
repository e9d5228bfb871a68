//! Bytes and descriptors over the socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::net::UnixStream;

use super::connection::Fault;
use super::packet::{Header, Kind, MAX_FDS, Packet};
use super::xdr::{Decode, Decoder};
use crate::sys::fd;

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// Reads so many bytes. What is allocated grows with what came, whatever a client says is to come.
pub(super) async fn read_bytes(stream: &UnixStream, length: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut filled = 0;
    while filled < length {
        if filled == bytes.len() {
            bytes.resize((filled + CHUNK).max(2 * filled).min(length), 0);
        }
        stream.readable().await?;
        match stream.try_read(bytes.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => return Err(Fault::Message("half a message".to_owned())),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes)
}

/// Reads so many bytes for nothing.
pub(super) async fn skip(stream: &UnixStream, length: usize) -> Result<(), Fault> {
    let mut left = length;
    while left > 0 {
        left -= read_bytes(stream, left.min(CHUNK)).await?.len();
    }
    Ok(())
}

/// Takes the descriptors that a call says it has: their number is the first word of the payload,
/// and each comes with a byte of its own after the message.
pub(super) async fn receive_fds(
    stream: &UnixStream,
    header: Header,
    mut payload: Vec<u8>,
) -> Result<(Vec<u8>, Vec<OwnedFd>), Fault> {
    if header.kind != Kind::CallWithFds as i32 {
        return Ok((payload, Vec::new()));
    }
    let number = u32::decode(&mut Decoder::new(&payload)).unwrap_or(u32::MAX);
    if number > MAX_FDS {
        return Err(Fault::Message(format!("a call with {number} descriptors")));
    }
    payload.drain(..4);
    let mut fds = Vec::new();
    for _ in 0..number {
        let receive = || fd::receive(stream.as_fd(), 1);
        let (_, received) = stream.async_io(Interest::READABLE, receive).await?;
        let missing = || Fault::Message("a descriptor is missing".to_owned());
        fds.push(received.into_iter().next().ok_or_else(missing)?);
    }
    Ok((payload, fds))
}

/// Writes a message, and what follows it.
pub(super) async fn write_packet(stream: &UnixStream, packet: &Packet) -> io::Result<()> {
    let mut rest = packet.bytes.as_slice();
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    for descriptor in &packet.fds {
        let send = || fd::send(stream.as_fd(), &[0], &[descriptor.as_fd()]);
        stream.async_io(Interest::WRITABLE, send).await?;
    }
    Ok(())
}
