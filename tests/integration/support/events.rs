//! Signals of the daemon, in order, from before the act that causes them.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use futures_util::StreamExt;
use zbus::message::Type;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, OwnedVariant};

use super::bus::{CONNECT, runtime, wait};
use super::{Domain, PATIENCE};

/// What a signal says of one domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `DomainEvent` with libvirt's numbers.
    Event(i32, i32),
    /// `Reboot`.
    Reboot,
    /// `Ended`, with its sentence; of [`Events::ends`] only.
    Ended(String),
    /// `ExecEnded`, with the program's number; of [`Events::ends`] only.
    ExecEnded(u64),
    /// `MetadataChange` with libvirt's number and the name space.
    Metadata(i32, String),
    /// `DeviceAdded` with its name.
    DeviceAdded(String),
    /// `DeviceRemoved` with its name.
    DeviceRemoved(String),
}

impl Step {
    pub const ADDED: Self = Self::Event(0, 0);
    pub const UPDATED: Self = Self::Event(0, 1);
    pub const UNDEFINED: Self = Self::Event(1, 0);
    pub const STARTED: Self = Self::Event(2, 0);
    pub const SUSPENDED: Self = Self::Event(3, 0);
    pub const RESUMED: Self = Self::Event(4, 0);
    pub const SHUT_DOWN: Self = Self::Event(5, 0);
    pub const DESTROYED: Self = Self::Event(5, 1);
    pub const CRASHED: Self = Self::Event(5, 2);
    pub const FAILED: Self = Self::Event(5, 5);
}

/// The signals since the subscription.
#[derive(Debug)]
pub struct Events(Receiver<(String, Step)>);

impl Events {
    pub fn subscribe(connection: &Connection) -> Self {
        Self::read_by(connection, read)
    }

    /// How init and other programs ended, and nothing else.
    pub fn ends(connection: &Connection) -> Self {
        Self::read_by(connection, read_end)
    }

    fn read_by(
        connection: &Connection,
        read: fn(&zbus::Message) -> Option<(String, Step)>,
    ) -> Self {
        let (sender, receiver) = channel();
        let rule = MatchRule::builder().msg_type(Type::Signal).path_namespace(CONNECT);
        let rule = rule.build().unwrap();
        let stream = MessageStream::for_match_rule(rule, connection, None);
        let mut stream = wait("subscribing", stream).unwrap();
        runtime().spawn(async move {
            while let Some(Ok(signal)) = stream.next().await {
                if let Some(event) = read(&signal)
                    && sender.send(event).is_err()
                {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// The next signal, of whatever domain: its path and what it says.
    pub fn next(&self) -> (String, Step) {
        match self.0.recv_timeout(PATIENCE) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => panic!("no signal within {PATIENCE:?}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the daemon is gone"),
        }
    }

    /// The next signals are exactly these, all of one domain.
    pub fn expect(&self, domain: &Domain, steps: &[Step]) {
        for step in steps {
            assert_eq!(self.next(), (domain.path.clone(), step.clone()));
        }
    }
}

fn read_end(signal: &zbus::Message) -> Option<(String, Step)> {
    let header = signal.header();
    if header.member()?.as_str() == "ExecEnded" {
        let (exec, _): (u64, HashMap<String, OwnedVariant>) = signal.body().deserialize().unwrap();
        return Some((header.path()?.to_string(), Step::ExecEnded(exec)));
    }
    if header.member()?.as_str() != "Ended" {
        return None;
    }
    let end: HashMap<String, OwnedVariant> = signal.body().deserialize().unwrap();
    let text = String::try_from(end["text"].clone()).unwrap();
    Some((header.path()?.to_string(), Step::Ended(text)))
}

fn read(signal: &zbus::Message) -> Option<(String, Step)> {
    let header = signal.header();
    match header.member()?.as_str() {
        "DomainEvent" => {
            let (path, event, detail): (OwnedObjectPath, i32, i32) =
                signal.body().deserialize().unwrap();
            Some((path.to_string(), Step::Event(event, detail)))
        }
        "MetadataChange" => {
            let (kind, uri) = signal.body().deserialize().unwrap();
            Some((header.path()?.to_string(), Step::Metadata(kind, uri)))
        }
        "DeviceAdded" => {
            let name = signal.body().deserialize().unwrap();
            Some((header.path()?.to_string(), Step::DeviceAdded(name)))
        }
        "DeviceRemoved" => {
            let name = signal.body().deserialize().unwrap();
            Some((header.path()?.to_string(), Step::DeviceRemoved(name)))
        }
        "Reboot" => Some((header.path()?.to_string(), Step::Reboot)),
        _ => None,
    }
}
