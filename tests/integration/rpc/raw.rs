//! A client that says what it is told to, right or wrong.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::support::{Host, PATIENCE};

pub const REMOTE: (u32, u32) = (0x2000_8086, 1);
pub const OPEN: i32 = 1;
pub const HOSTNAME: i32 = 59;

/// The socket for everything, or for looking.
pub fn socket(host: &Host, read_only: bool) -> PathBuf {
    host.paths.libvirt.join(if read_only { "virtlxcd-sock-ro" } else { "virtlxcd-sock" })
}

/// What libvirt's clients are given.
pub fn uri(host: &Host) -> String {
    format!("lxc:///system?socket={}", socket(host, false).display())
}

/// A text on the wire.
pub fn text(text: &str) -> Vec<u8> {
    let mut bytes = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(text.bytes());
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Numbers on the wire.
pub fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A message.
pub fn message(program: (u32, u32), head: [i32; 4], payload: &[u8]) -> Vec<u8> {
    let [procedure, kind, serial, status] = head.map(|word| u32::from_be_bytes(word.to_be_bytes()));
    let length = u32::try_from(28 + payload.len()).unwrap();
    let (program, version) = program;
    let header = words(&[length, program, version, procedure, kind, serial, status]);
    [header, payload.to_vec()].concat()
}

/// An answer, or what nobody asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    pub procedure: i32,
    pub kind: i32,
    pub serial: i32,
    pub status: i32,
    pub payload: Vec<u8>,
}

impl Message {
    /// The words of the payload.
    pub fn word(&self, at: usize) -> i32 {
        i32::from_be_bytes(self.payload[4 * at..4 * at + 4].try_into().unwrap())
    }

    /// Of an error: its code, its domain and its text.
    pub fn error(&self) -> (i32, i32, String) {
        assert_eq!(self.status, 1, "{self:?}");
        assert_eq!(self.word(2), 1);
        let length = usize::try_from(self.word(3)).unwrap();
        let text = String::from_utf8(self.payload[16..16 + length].to_vec()).unwrap();
        (self.word(0), self.word(1), text)
    }
}

#[derive(Debug)]
pub struct Client {
    pub stream: UnixStream,
    serial: i32,
}

impl Client {
    pub fn connect(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, serial: 0 }
    }

    /// A client that has opened the connection.
    pub fn open(path: &Path) -> Self {
        let mut client = Self::connect(path);
        let arguments = [words(&[1]), text("lxc:///system"), words(&[0])].concat();
        assert_eq!(client.call(OPEN, &arguments).status, 0);
        client
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Calls a procedure and waits for its answer.
    pub fn call(&mut self, procedure: i32, payload: &[u8]) -> Message {
        self.ask(REMOTE, [procedure, 0, 0, 0], payload)
    }

    /// The same with any words in the header, but for the serial.
    pub fn ask(&mut self, program: (u32, u32), head: [i32; 4], payload: &[u8]) -> Message {
        self.serial += 1;
        let [procedure, kind, _, status] = head;
        let bytes = message(program, [procedure, kind, self.serial, status], payload);
        self.send(&bytes);
        loop {
            let message = self.receive().unwrap().expect("an answer");
            if message.kind != 2 {
                assert_eq!(message.serial, self.serial);
                return message;
            }
        }
    }

    /// The next message; `None` when the other side has closed.
    pub fn receive(&mut self) -> io::Result<Option<Message>> {
        let mut header = [0; 28];
        match self.stream.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) => {
                use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
                let is_end = [BrokenPipe, ConnectionReset, UnexpectedEof].contains(&error.kind());
                return if is_end { Ok(None) } else { Err(error) };
            }
        }
        let word = |at: usize| i32::from_be_bytes(header[4 * at..4 * at + 4].try_into().unwrap());
        let mut payload = vec![0; usize::try_from(word(0)).unwrap() - 28];
        self.stream.read_exact(&mut payload)?;
        let [procedure, kind, serial, status] = [3, 4, 5, 6].map(word);
        Ok(Some(Message { procedure, kind, serial, status, payload }))
    }

    /// Checks that the other side closes.
    pub fn assert_closed(&mut self) {
        while self.receive().unwrap().is_some() {}
    }

    /// Checks that calls are answered.
    pub fn assert_served(&mut self) {
        assert_eq!(self.call(HOSTNAME, &[]).status, 0);
    }
}
