//! One `nsvirtd`: start, stop, kill.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::network::Network;
use super::process::{Process, readable};

/// A daemon that has said it is ready.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    pub address: String,
}

impl Daemon {
    /// Starts a daemon on a prefix. On failure: what it printed.
    pub fn start(prefix: &Path, errors: &Path, network: &Network) -> Result<Self, String> {
        let log = File::options().append(true).create(true).open(errors).unwrap();
        let before = log.metadata().unwrap().len();
        let mut child = network.within(|| {
            Command::new(env!("CARGO_BIN_EXE_nsvirtd"))
                .arg("--prefix")
                .arg(prefix)
                .args(["--bus", "embedded"])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(log)
                .spawn()
                .unwrap()
        });
        let output = child.stdout.take().unwrap();
        assert!(readable(output.as_fd()), "nsvirtd says nothing");
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line).unwrap();
        match line.trim_end().strip_prefix("nsvirtd is ready on ") {
            Some(address) => Ok(Self { address: address.to_owned(), child }),
            None => {
                let status = child.wait().unwrap();
                let text = fs::read(errors).unwrap().split_off(usize::try_from(before).unwrap());
                Err(format!("{line}{}({status})", String::from_utf8_lossy(&text)))
            }
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and its end.
    pub fn stop(self) -> ExitStatus {
        let pid = nix::unistd::Pid::from_raw(self.pid().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        self.wait()
    }

    /// SIGKILL, and its end.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.wait();
    }

    fn wait(mut self) -> ExitStatus {
        if let Some(process) = Process::open(self.pid()) {
            process.wait();
        }
        self.child.wait().unwrap()
    }
}
