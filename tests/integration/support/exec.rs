//! Programs executed in a container, over D-Bus.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use super::bus::Parameters;
use super::{Console, Domain, Failure};

const INTERFACE: &str = "org.nsvirt.Domain1";

/// What is asked for.
#[derive(Debug, Default)]
pub struct Exec {
    arguments: Vec<String>,
    environment: Vec<String>,
    user: String,
    group: String,
    directory: String,
    size: (u32, u32),
    standard: Vec<OwnedFd>,
    flags: u32,
}

impl Exec {
    pub fn of(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|it| (*it).to_owned()).collect();
        Self { arguments, ..Self::default() }
    }

    pub fn script(text: &str) -> Self {
        Self::of(&["/bin/sh", "-c", text])
    }

    pub fn variable(mut self, text: &str) -> Self {
        self.environment.push(text.to_owned());
        self
    }

    pub fn user(mut self, user: &str, group: &str) -> Self {
        (self.user, self.group) = (user.to_owned(), group.to_owned());
        self
    }

    pub fn directory(mut self, directory: &str) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    pub fn terminal(mut self, rows: u32, columns: u32) -> Self {
        (self.size, self.flags) = ((rows, columns), 1);
        self
    }

    pub fn standard(mut self, standard: [OwnedFd; 3]) -> Self {
        self.standard = standard.into();
        self
    }

    /// Starts it.
    pub fn start(self, domain: &Domain) -> Result<Running, Failure> {
        let (rows, columns) = self.size;
        let standard: Vec<_> = self.standard.into_iter().map(zbus::OwnedFd::from).collect();
        let body = (
            self.arguments,
            self.environment,
            self.user,
            self.group,
            self.directory,
            rows,
            columns,
            standard,
            self.flags,
        );
        let (number, descriptors): (u64, Vec<zbus::OwnedFd>) =
            domain.bus.call(&domain.path, INTERFACE, "Exec", &body)?;
        let descriptors = descriptors.into_iter().map(OwnedFd::from).collect();
        Ok(Running { domain: domain.clone(), number, descriptors })
    }

    /// Runs it to its end with pipes and no input: what it printed, what it complained, how it ended.
    pub fn run(self, domain: &Domain) -> (String, String, Parameters) {
        let mut running = self.start(domain).unwrap();
        let text = |fd: OwnedFd| {
            let mut text = String::new();
            File::from(fd).read_to_string(&mut text).unwrap();
            text
        };
        let [input, output, error] = running.descriptors.split_off(0).try_into().unwrap();
        drop(input);
        (text(output), text(error), running.wait())
    }
}

/// A program that was started.
#[derive(Debug)]
pub struct Running {
    pub domain: Domain,
    pub number: u64,
    pub descriptors: Vec<OwnedFd>,
}

impl Running {
    pub fn console(&mut self) -> Console {
        Console::new(self.descriptors.pop().unwrap())
    }

    pub fn try_wait(&self) -> Result<Parameters, Failure> {
        let body = (self.number, 0_u32);
        self.domain.bus.call(&self.domain.path, INTERFACE, "WaitExec", &body).map(Parameters)
    }

    pub fn wait(&self) -> Parameters {
        self.try_wait().unwrap()
    }

    pub fn kill(&self, signal: i32) -> Result<(), Failure> {
        let body = (self.number, signal, 0_u32);
        self.domain.bus.call(&self.domain.path, INTERFACE, "KillExec", &body)
    }

    pub fn resize(&self, rows: u32, columns: u32) -> Result<(), Failure> {
        let body = (self.number, rows, columns);
        self.domain.bus.call(&self.domain.path, INTERFACE, "ResizeExec", &body)
    }
}
