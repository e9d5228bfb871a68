//! What is not an answer: libvirt's errors under one name, and D-Bus's own.

use serde::Serialize;
use zbus::message::Header;
use zbus::{DynamicType, Message};

use crate::error::Error;

/// Why a call is not answered.
#[derive(Debug)]
pub(super) enum Fault {
    /// The driver says no, in libvirt's words.
    Driver(Error),
    /// Nothing is at that path.
    UnknownObject(String),
    /// The object has no such interface.
    UnknownInterface { interface: String, path: String },
    /// The interface has no such method.
    UnknownMethod(String),
    /// The interface has no such property.
    UnknownProperty(String),
    /// The property cannot be set.
    ReadOnly(String),
    /// The arguments are not what the method takes.
    InvalidArguments(String),
    /// The reply could not be made.
    Failed(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl Fault {
    /// The error message to send.
    pub(super) fn reply(&self, call: &Header<'_>) -> zbus::Result<Message> {
        const DBUS: &str = "org.freedesktop.DBus.Error";
        let (name, text) = match self {
            Self::Driver(error) => ("org.libvirt.Error".to_owned(), error.message.clone()),
            Self::UnknownObject(path) => {
                (format!("{DBUS}.UnknownObject"), format!("Object does not exist at path “{path}”"))
            }
            Self::UnknownInterface { interface, path } => (
                format!("{DBUS}.UnknownInterface"),
                format!("Object “{path}” has no interface “{interface}”"),
            ),
            Self::UnknownMethod(name) => {
                (format!("{DBUS}.UnknownMethod"), format!("No such method “{name}”"))
            }
            Self::UnknownProperty(name) => {
                (format!("{DBUS}.UnknownProperty"), format!("No such property “{name}”"))
            }
            Self::ReadOnly(name) => {
                (format!("{DBUS}.PropertyReadOnly"), format!("Property “{name}” is read-only"))
            }
            Self::InvalidArguments(text) => (format!("{DBUS}.InvalidArgs"), text.clone()),
            Self::Failed(text) => (format!("{DBUS}.Failed"), text.clone()),
        };
        Message::error(call, name).build(&text)
    }
}

/// The arguments of a call, which must be of the types asked for.
pub(super) fn arguments<T>(call: &Message) -> Result<T, Fault>
where
    T: serde::de::DeserializeOwned + zbus::Type,
{
    let body = call.body();
    if *body.signature() != *T::SIGNATURE {
        return Err(Fault::InvalidArguments(format!(
            "Type of message, “{}”, does not match expected type “{}”",
            body.signature(),
            T::SIGNATURE
        )));
    }
    body.deserialize_ignore_signature().map_err(|e| Fault::InvalidArguments(e.to_string()))
}

/// The reply to a call.
pub(super) fn reply(
    call: &Message,
    body: &(impl Serialize + DynamicType),
) -> Result<Message, Fault> {
    let reply = Message::method_return(&call.header()).build(body);
    reply.map_err(|e| Fault::Failed(format!("the reply cannot be sent: {e}")))
}
