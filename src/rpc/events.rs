//! Events: who wants which, and what they are on the wire.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::AbortHandle;
use uuid::Uuid;

use super::connection::Session;
use super::packet::{Header, Packet, REMOTE};
use super::protocol::DomainRef;
use super::xdr::TooLarge;
use crate::driver::{Driver, Event, EventKind, Lifecycle};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};

/// Bytes of events that a client may leave unread before it is cut off.
pub(super) const BACKLOG: usize = 1 << 20;

/// `virDomainEventID`: those that containers have, and how many there are up to libvirt 10.
const LIFECYCLE: i32 = 0;
const REBOOT: i32 = 1;
const DEVICE_REMOVED: i32 = 15;
const DEVICE_ADDED: i32 = 19;
const METADATA_CHANGE: i32 = 23;
const DOMAIN_EVENTS: i32 = 27;

/// What events are about. Containers are domains; of the others nothing is ever told here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    Domain,
    Network,
    StoragePool,
    NodeDevice,
    Secret,
}

impl About {
    /// What libvirt calls it, and how many kinds of events it has.
    fn facts(self) -> (&'static str, i32) {
        match self {
            Self::Domain => ("domain", DOMAIN_EVENTS),
            Self::Network => ("network", 1),
            Self::StoragePool => ("storage pool", 2),
            Self::NodeDevice => ("node device", 2),
            Self::Secret => ("secret", 2),
        }
    }
}

/// One wish to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Callback {
    about: About,
    /// Its number, on all connections; clients of old have none.
    id: Option<i32>,
    event: i32,
    /// The one domain that it is about, if it is about one.
    object: Option<Uuid>,
}

/// What a client wants to be told.
#[derive(Debug)]
pub(super) struct Callbacks {
    list: Vec<Callback>,
    /// The task that tells it.
    teller: Option<AbortHandle>,
    backlog: Arc<Semaphore>,
}

impl Default for Callbacks {
    fn default() -> Self {
        Self { list: Vec::new(), teller: None, backlog: Arc::new(Semaphore::new(BACKLOG)) }
    }
}

impl Callbacks {
    /// Ends all telling.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        if let Some(teller) = self.teller.take() {
            teller.abort();
        }
    }
}

/// Tells a client of an event from now on; gives the number of the callback.
pub(super) fn register(
    session: &Arc<Session>,
    about: About,
    event: i32,
    object: Option<Uuid>,
) -> Result<i32> {
    let id = session.shared.next_callback();
    track(session, Callback { about, id: Some(id), event, object })?;
    Ok(id)
}

/// The same for clients that do not know callbacks, only events.
pub(super) fn register_old(session: &Arc<Session>, event: i32) -> Result<()> {
    track(session, Callback { about: About::Domain, id: None, event, object: None })
}

fn track(session: &Arc<Session>, callback: Callback) -> Result<()> {
    let (_, kinds) = callback.about.facts();
    if !(0..kinds).contains(&callback.event) {
        return Err(super::fault::state(format!("unsupported event ID {}", callback.event)));
    }
    let mut callbacks = session.callbacks();
    let same = |it: &Callback| Callback { id: callback.id, ..*it } == callback;
    if callbacks.list.iter().any(same) {
        let error = Error::new(ErrorCode::InvalidArg, "event callback already tracked");
        return Err(error.in_domain(ErrorDomain::None));
    }
    callbacks.list.push(callback);
    if callbacks.teller.is_none() {
        let events = session.shared.driver.subscribe();
        let teller = tokio::spawn(tell(session.clone(), events));
        callbacks.teller = Some(teller.abort_handle());
    }
    Ok(())
}

/// No more tells a client what a callback is about.
pub(super) fn deregister(session: &Session, about: About, id: i32) -> Result<()> {
    let (name, _) = about.facts();
    let unknown = || super::fault::state(format!("{name} event callback {id} not registered"));
    forget(session, |it| it.about == about && it.id == Some(id)).ok_or_else(unknown)
}

/// The same for clients that do not know callbacks.
pub(super) fn deregister_old(session: &Session, event: i32) -> Result<()> {
    let unknown = || super::fault::state(format!("domain event {event} not registered"));
    forget(session, |it| it.id.is_none() && it.event == event).ok_or_else(unknown)
}

fn forget(session: &Session, is_it: impl Fn(&Callback) -> bool) -> Option<()> {
    let mut callbacks = session.callbacks();
    let at = callbacks.list.iter().position(is_it)?;
    callbacks.list.remove(at);
    Some(())
}

/// Tells a client all that it wants to know, until it is gone or too slow.
async fn tell(session: Arc<Session>, mut events: Receiver<Event>) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(_)) => return session.cut_off("it does not read its events"),
            Err(RecvError::Closed) => return,
        };
        if !tell_one(&session, &event) {
            return session.cut_off("it does not read its events");
        }
    }
}

/// Sends an event as often as the client has asked for it; false when it has too many unread.
fn tell_one(session: &Session, event: &Event) -> bool {
    let (wanted, backlog) = {
        let callbacks = session.callbacks();
        let wants = |it: &&Callback| it.about == About::Domain && is_about(it, event);
        let wanted: Vec<Callback> = callbacks.list.iter().filter(wants).copied().collect();
        (wanted, callbacks.backlog.clone())
    };
    for callback in wanted {
        let packet = match message(&callback, event, &session.shared.driver) {
            Ok(Some(packet)) => packet,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!("cannot tell {event:?}: {error}");
                continue;
            }
        };
        let size = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
        match backlog.clone().try_acquire_many_owned(size) {
            Ok(permit) => session.send(packet.holding(permit)),
            Err(_) => return false,
        }
    }
    true
}

fn is_about(callback: &Callback, event: &Event) -> bool {
    let number = match event.kind {
        EventKind::Lifecycle(_) => LIFECYCLE,
        EventKind::Reboot => REBOOT,
        EventKind::DeviceAdded { .. } => DEVICE_ADDED,
        EventKind::DeviceRemoved { .. } => DEVICE_REMOVED,
        EventKind::Metadata { .. } => METADATA_CHANGE,
        // libvirt's clients know what follows it.
        EventKind::End(_) | EventKind::ExecEnded { .. } => return false,
    };
    callback.event == number && callback.object.is_none_or(|object| object == event.uuid)
}

/// The message of an event, with the number of the callback, or as it was before there were any.
fn message(
    callback: &Callback,
    event: &Event,
    driver: &Driver,
) -> Result<Option<Packet>, TooLarge> {
    let domain = subject(event, driver);
    let header = |procedure| Header::event(REMOTE, procedure);
    let packet = match (&event.kind, callback.id) {
        (EventKind::Lifecycle(step), Some(id)) => {
            let (kind, detail) = step.numbers();
            Packet::new(header(318), &(id, domain, kind, detail))
        }
        (EventKind::Lifecycle(step), None) => {
            let (kind, detail) = step.numbers();
            Packet::new(header(107), &(domain, kind, detail))
        }
        (EventKind::Reboot, Some(id)) => Packet::new(header(319), &(id, domain)),
        (EventKind::Reboot, None) => Packet::new(header(169), &(domain,)),
        (EventKind::Metadata { kind, uri }, Some(id)) => {
            let uri = Some(uri.as_str()).filter(|uri| !uri.is_empty());
            Packet::new(header(379), &(id, domain, *kind, uri))
        }
        (EventKind::DeviceAdded { alias }, Some(id)) => {
            Packet::new(header(354), &(id, domain, alias.as_str()))
        }
        (EventKind::DeviceRemoved { alias }, Some(id)) => {
            Packet::new(header(333), &(id, domain, alias.as_str()))
        }
        // Clients of old do not know these.
        (
            EventKind::DeviceAdded { .. }
            | EventKind::DeviceRemoved { .. }
            | EventKind::Metadata { .. },
            None,
        )
        | (EventKind::End(_) | EventKind::ExecEnded { .. }, _) => return Ok(None),
    };
    packet.map(Some)
}

/// The domain of an event, which has no ID once it has stopped.
fn subject(event: &Event, driver: &Driver) -> DomainRef {
    let has_stopped = matches!(
        event.kind,
        EventKind::Lifecycle(Lifecycle::ShutDown | Lifecycle::Destroyed | Lifecycle::Failed)
    );
    let found = driver.lookup_by_uuid(event.uuid).ok().filter(|_| !has_stopped);
    let id = found.map_or(-1, |domain| DomainRef::of(&domain).id);
    DomainRef { name: event.name.clone(), uuid: event.uuid, id }
}
