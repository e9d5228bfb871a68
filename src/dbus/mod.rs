//! The D-Bus front end: libvirt-dbus's names, paths, signatures and errors over the [`Driver`].
//!
//! Calls are answered by path and member as libvirt-dbus does, not by registering an object per
//! domain: a domain's path is its UUID, so it answers from the moment the domain is there, and
//! says `Domain not found` in libvirt's words when it is not. What an interface looks like is
//! written once, in `schemas/dbus`; introspection hands that out, and a test compares it with
//! what is answered.

mod bus;
mod connect;
mod console;
mod domain;
mod exec;
mod fault;
mod native;
mod object;
mod parameters;
mod signals;
mod standard;

pub use bus::Bus;

use std::sync::Arc;

use futures_util::StreamExt;
use zbus::message::{Flags, Header, Type};
use zbus::{Connection, Message, MessageStream};

use crate::driver::{Driver, Untold};
use fault::Fault;
use object::Object;

/// The well-known name of the service.
pub const NAME: &str = "org.libvirt";

/// The D-Bus service, connected and named; nothing is answered before [`Service::run`].
#[derive(Debug)]
pub struct Service {
    driver: Arc<Driver>,
    connection: Connection,
    calls: MessageStream,
}

impl Service {
    /// Connects to the bus and takes the name.
    ///
    /// Fails when the bus cannot be reached, or gives the name to somebody else.
    pub async fn start(driver: Arc<Driver>, bus: &Bus) -> Result<Self, zbus::Error> {
        let connection = bus.connect().await?;
        let calls = MessageStream::from(&connection);
        connection.request_name(NAME).await?;
        Ok(Self { driver, connection, calls })
    }

    /// Answers calls and tells events until the bus is gone.
    pub async fn run(mut self) {
        tokio::spawn(signals::forward(self.driver.subscribe(), self.connection.clone()));
        while let Some(Ok(message)) = self.calls.next().await {
            if message.message_type() == Type::MethodCall {
                tokio::spawn(answer(self.driver.clone(), self.connection.clone(), message));
            }
        }
    }
}

/// Answers one call. Calls are answered side by side: one that waits for a container keeps
/// nobody else waiting.
async fn answer(driver: Arc<Driver>, connection: Connection, call: Message) {
    let header = call.header();
    let reply = match dispatch(&driver, &header, &call).await {
        Ok(reply) => reply,
        Err(fault) => match fault.reply(&header) {
            Ok(reply) => reply.into(),
            Err(error) => return tracing::error!("cannot say what went wrong: {error}"),
        },
    };
    if header.primary().flags().contains(Flags::NO_REPLY_EXPECTED) {
        return;
    }
    if let Err(error) = connection.send(&reply.message).await {
        tracing::warn!("cannot answer {:?}: {error}", header.sender());
    }
}

/// A reply, and what must not be told before it is sent.
struct Answer {
    message: Message,
    #[allow(dead_code, reason = "it is kept, and dropped")]
    untold: Option<Untold>,
}

impl From<Message> for Answer {
    fn from(message: Message) -> Self {
        Self { message, untold: None }
    }
}

/// Finds the object, the interface and the member. A call may leave the interface out.
async fn dispatch(
    driver: &Arc<Driver>,
    header: &Header<'_>,
    call: &Message,
) -> Result<Answer, Fault> {
    let path = header.path().map_or("/", |path| path.as_str());
    let member = header.member().map_or("", |member| member.as_str());
    let object = Object::at(path).ok_or_else(|| Fault::UnknownObject(path.to_owned()))?;
    let wanted = header.interface().map(|interface| interface.as_str());
    let Some(interface) = object.interface_of(wanted, member) else {
        return Err(match wanted {
            Some(interface) if !object.has(interface) => {
                Fault::UnknownInterface { interface: interface.to_owned(), path: path.to_owned() }
            }
            _ => Fault::UnknownMethod(member.to_owned()),
        });
    };
    let reply = match (interface, object) {
        (connect::INTERFACE, _) => connect::call(driver, member, call).await,
        (native::INTERFACE, _) => native::call(driver, member, call).await,
        (domain::INTERFACE, Object::Domain(uuid)) => {
            let domain = driver.lookup_by_uuid(uuid)?;
            domain::call(driver, &domain, member, call).await
        }
        (console::INTERFACE, Object::Domain(uuid)) => {
            let domain = driver.lookup_by_uuid(uuid)?;
            if exec::has(member) {
                return exec::call(driver, &domain, member, call).await;
            }
            console::call(driver, &domain, member, call).await
        }
        _ => standard::call(driver, object, interface, member, call).await,
    };
    reply.map(Answer::from)
}
