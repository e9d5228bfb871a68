//! A console as a client has it: waits for text, types lines.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use super::process::readable;

/// An open console.
#[derive(Debug)]
pub struct Console {
    terminal: File,
    seen: Vec<u8>,
}

impl Console {
    pub fn new(terminal: OwnedFd) -> Self {
        Self { terminal: File::from(terminal), seen: Vec::new() }
    }

    /// Reads until a text comes, and gives all before it; what follows it is for the next call.
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let found = self.seen.windows(text.len()).position(|it| it == text.as_bytes());
            if let Some(at) = found {
                let rest = self.seen.split_off(at + text.len());
                let before = std::mem::replace(&mut self.seen, rest);
                return String::from_utf8_lossy(&before[..at]).into_owned();
            }
            let so_far = || String::from_utf8_lossy(&self.seen).into_owned();
            assert!(readable(self.terminal.as_fd()), "no {text:?}, only {:?}", so_far());
            let mut bytes = [0; 4096];
            match self.terminal.read(&mut bytes) {
                Ok(length) if length > 0 => self.seen.extend(&bytes[..length]),
                other => panic!("{other:?} before {text:?}, only {:?}", so_far()),
            }
        }
    }

    /// Changes the size of the terminal.
    pub fn resize(&self, rows: u16, columns: u16) {
        nsvirt::sys::tty::set_size(self.terminal.as_fd(), rows, columns).unwrap();
    }

    pub fn type_line(&mut self, line: &str) {
        self.terminal.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}
