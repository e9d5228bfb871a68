//! Events as signals.

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use zbus::{Connection, Message, ObjectPath};

use super::object::{CONNECT, domain_path};
use super::{connect, console, domain, exec};
use crate::driver::{Event, EventKind};

/// Sends every event as its signal, in order, until the driver is gone.
pub(super) async fn forward(mut events: Receiver<Event>, connection: Connection) {
    loop {
        let event = match events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(missed)) => {
                tracing::error!("the bus is slow: {missed} events are not sent");
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let sent = match signal(&event) {
            Ok(signal) => connection.send(&signal).await,
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::warn!("cannot send the signal of {event:?}: {error}");
        }
    }
}

fn signal(event: &Event) -> zbus::Result<Message> {
    let path = ObjectPath::try_from(domain_path(event.uuid))?;
    match &event.kind {
        EventKind::Lifecycle(step) => {
            let (kind, detail) = step.numbers();
            Message::signal(CONNECT, connect::INTERFACE, "DomainEvent").build(&(path, kind, detail))
        }
        EventKind::Reboot => Message::signal(path, domain::INTERFACE, "Reboot").build(&()),
        EventKind::DeviceAdded { alias } => {
            Message::signal(path, domain::INTERFACE, "DeviceAdded").build(alias)
        }
        EventKind::DeviceRemoved { alias } => {
            Message::signal(path, domain::INTERFACE, "DeviceRemoved").build(alias)
        }
        EventKind::End(end) => {
            Message::signal(path, console::INTERFACE, "Ended").build(&console::facts(end))
        }
        EventKind::ExecEnded { exec, exit } => {
            Message::signal(path, console::INTERFACE, "ExecEnded")
                .build(&(exec, exec::facts(*exit)))
        }
        EventKind::Metadata { kind, uri } => {
            Message::signal(path, domain::INTERFACE, "MetadataChange").build(&(kind, uri))
        }
    }
}
