//! The service on the bus: connecting, calling, reading properties, and what can go wrong.

use std::fmt;
use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use futures_util::StreamExt;
use serde::Serialize;
use zbus::wire::DynamicDeserialize;
use zbus::{Connection, DynamicType, MatchRule, Message, MessageStream, Variant};

use crate::cmd::itself::errno;

/// Well-known name of the service.
pub(crate) const SERVICE: &str = "org.libvirt";
/// Its connection object for containers.
pub(crate) const ROOT: &str = "/org/libvirt/LXC";
/// Interface of the connection object.
pub(crate) const CONNECT: &str = "org.libvirt.Connect";
/// Interface of a domain object.
pub(crate) const DOMAIN: &str = "org.libvirt.Domain";
/// Interface of the connection object for what libvirt-dbus has no word for.
pub(crate) const NSVIRT_CONNECT: &str = "org.nsvirt.Connect1";
/// Interface of a domain object for what libvirt-dbus has no word for.
pub(crate) const NSVIRT_DOMAIN: &str = "org.nsvirt.Domain1";
/// How long to wait for a bus and for the service on it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Pieces of work in flight at once. Many, because each alone would wait for the slowest step, the
/// bus; but a system bus allows one client only 128 outstanding replies, and a piece of work may
/// consist of four calls.
const PIPELINE: usize = 30;

/// Which bus to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// `NSVIRT_BUS`, else the system bus.
    Default,
    /// The user's session bus.
    Session,
    /// The system bus, even if `NSVIRT_BUS` says otherwise.
    System,
    /// An address in D-Bus syntax.
    Address(String),
}

impl Target {
    /// Reads the argument of `--connect`.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "" | "lxc:///" | "lxc:///system" => Self::Default,
            "system" => Self::System,
            "session" => Self::Session,
            address => Self::Address(address.to_owned()),
        }
    }

    /// Follows the default to what it stands for in this environment.
    fn resolve(&self) -> Self {
        match self {
            Self::Default => match std::env::var("NSVIRT_BUS").ok().filter(|v| !v.is_empty()) {
                Some(value) => match Self::parse(&value) {
                    Self::Default => Self::System,
                    other => other,
                },
                None => Self::System,
            },
            other => other.clone(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default | Self::System => f.write_str("the system bus"),
            Self::Session => f.write_str("the session bus"),
            Self::Address(address) => write!(f, "the bus at {address}"),
        }
    }
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BusError {
    /// The driver's answer, in libvirt's words.
    Driver(String),
    /// The service has no such method, property or object.
    Missing(String),
    /// The bus or the service is gone, or the answer made no sense.
    Broken(String),
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driver(text) | Self::Missing(text) | Self::Broken(text) => f.write_str(text),
        }
    }
}

impl From<zbus::Error> for BusError {
    fn from(error: zbus::Error) -> Self {
        use zbus::fdo::Error as Fdo;
        match error {
            zbus::Error::MethodError(name, text, _) => {
                Self::Driver(text.unwrap_or_else(|| name.to_string()))
            }
            zbus::Error::FDO(error) => match *error {
                Fdo::UnknownMethod(text)
                | Fdo::UnknownInterface(text)
                | Fdo::UnknownProperty(text)
                | Fdo::UnknownObject(text)
                | Fdo::InvalidArgs(text)
                | Fdo::NotSupported(text) => Self::Missing(text),
                Fdo::ServiceUnknown(_) | Fdo::NameHasNoOwner(_) => {
                    Self::Broken(format!("nobody serves {SERVICE} on the bus: is nsvirtd running?"))
                }
                Fdo::Disconnected(_) | Fdo::NoReply(_) => {
                    Self::Broken("nsvirtd went away before it answered".to_owned())
                }
                other => Self::Broken(other.to_string()),
            },
            zbus::Error::InputOutput(error) => Self::Broken(errno(&error)),
            other => Self::Broken(other.to_string()),
        }
    }
}

/// An open connection to the service; copies share it.
#[derive(Debug, Clone)]
pub(crate) struct Bus {
    conn: Connection,
}

impl Bus {
    /// Connects and makes sure that somebody serves the API there. The error is one sentence.
    pub(crate) fn connect(target: &Target) -> Result<Self, String> {
        let target = target.resolve();
        let (sender, opened) = mpsc::channel();
        let address = target.clone();
        // A bus may accept a connection and never answer; no call here has a time limit, as
        // starting and stopping may take long, so this one is given up from outside.
        std::thread::spawn(move || sender.send(Self::open(&address)));
        let problem = match opened.recv_timeout(CONNECT_TIMEOUT) {
            Ok(Ok(bus)) => return Ok(bus),
            Ok(Err(problem)) => problem,
            Err(_) => "no answer".to_owned(),
        };
        Err(format!(
            "cannot reach nsvirtd on {target}: {problem}; is nsvirtd running? \
             give its address with --connect or NSVIRT_BUS"
        ))
    }

    fn open(target: &Target) -> Result<Self, String> {
        let conn = zbus::block_on(async {
            match target {
                Target::Address(address) => {
                    zbus::connection::Builder::address(address.as_str()).build().await
                }
                Target::Session => Connection::session().await,
                Target::System | Target::Default => Connection::system().await,
            }
        });
        let bus = Self { conn: conn.map_err(|error| reason(&error))? };
        match bus.call::<_, ()>(ROOT, "org.freedesktop.DBus.Peer", "Ping", &()) {
            Ok(()) | Err(BusError::Missing(_)) => Ok(bus),
            Err(_) => Err(format!("nobody serves {SERVICE} there")),
        }
    }

    /// Calls a method and waits for the answer.
    pub(crate) fn call<B, R>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<R, BusError>
    where
        B: Serialize + DynamicType,
        R: for<'d> DynamicDeserialize<'d>,
    {
        zbus::block_on(self.call_async(path, interface, method, body))
    }

    /// The same as a future, for calls that are to overlap.
    pub(crate) async fn call_async<B, R>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> Result<R, BusError>
    where
        B: Serialize + DynamicType,
        R: for<'d> DynamicDeserialize<'d>,
    {
        let reply = self.raw(path, interface, method, body).await?;
        Ok(reply.body().deserialize()?)
    }

    async fn raw<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<Message>
    where
        B: Serialize + DynamicType,
    {
        self.conn.call_method(Some(SERVICE), path, Some(interface), method, body).await
    }

    /// Runs `work` for each of `items`, overlapping, and keeps their order.
    pub(crate) fn each<'a, I, T, F, Fut>(&'a self, items: I, work: F) -> Vec<T>
    where
        I: IntoIterator,
        F: FnMut(I::Item) -> Fut,
        Fut: Future<Output = T> + 'a,
    {
        zbus::block_on(
            futures_util::stream::iter(items.into_iter().map(work))
                .buffered(PIPELINE)
                .collect::<Vec<T>>(),
        )
    }

    /// Reads one property.
    pub(crate) fn property<T>(&self, path: &str, interface: &str, name: &str) -> Result<T, BusError>
    where
        T: FromProperty,
    {
        zbus::block_on(self.property_async(path, interface, name))
    }

    /// The same as a future.
    pub(crate) async fn property_async<T>(
        &self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<T, BusError>
    where
        T: FromProperty,
    {
        let reply = self.raw(path, PROPERTIES, "Get", &(interface, name)).await?;
        let body = reply.body();
        let value: Variant<'_> = body.deserialize()?;
        T::from_property(&value)
            .ok_or_else(|| BusError::Broken(format!("property {name} has an unexpected type")))
    }

    /// Sets a property of type boolean.
    pub(crate) fn set_flag(
        &self,
        path: &str,
        interface: &str,
        name: &str,
        value: bool,
    ) -> Result<(), BusError> {
        self.call(path, PROPERTIES, "Set", &(interface, name, Variant::Bool(value)))
    }

    /// Subscribes to the signals of an interface of the service.
    pub(crate) fn signals(&self, interface: &str) -> Result<MessageStream, BusError> {
        let rule = MatchRule::builder()
            .msg_type(zbus::message::Type::Signal)
            .sender(SERVICE)
            .interface(interface)
            .build()?;
        Ok(zbus::block_on(MessageStream::for_match_rule(rule, &self.conn, None))?)
    }
}

/// The part of zbus's error a reader can use: the system's own words if there are any.
fn reason(error: &zbus::Error) -> String {
    if let zbus::Error::Address(_) = error {
        return "this is no D-Bus address".to_owned();
    }
    let text = error.to_string();
    let text = text.split_once(" (os error").map_or(text.as_str(), |(head, _)| head);
    // The address stands in the sentence already.
    text.rsplit_once("`: ").map_or(text, |(_, reason)| reason).to_owned()
}

/// Types a property is read as.
pub(crate) trait FromProperty: Sized {
    /// None if the value is of another type.
    fn from_property(value: &Variant<'_>) -> Option<Self>;
}

/// libvirt-dbus wraps some values twice; the innermost is meant.
pub(crate) fn innermost<'v, 'a>(value: &'v Variant<'a>) -> &'v Variant<'a> {
    match value {
        Variant::Variant(inner) => innermost(inner),
        other => other,
    }
}

impl FromProperty for bool {
    fn from_property(value: &Variant<'_>) -> Option<Self> {
        match innermost(value) {
            Variant::Bool(flag) => Some(*flag),
            _ => None,
        }
    }
}

impl FromProperty for String {
    fn from_property(value: &Variant<'_>) -> Option<Self> {
        match innermost(value) {
            Variant::Str(text) => Some(text.as_str().to_owned()),
            _ => None,
        }
    }
}

impl FromProperty for u64 {
    fn from_property(value: &Variant<'_>) -> Option<Self> {
        match innermost(value) {
            Variant::U64(number) => Some(*number),
            Variant::U32(number) => Some((*number).into()),
            Variant::I32(number) => u64::try_from(*number).ok(),
            Variant::I64(number) => u64::try_from(*number).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buses() {
        assert_eq!(Target::parse("lxc:///"), Target::Default);
        assert_eq!(Target::parse("lxc:///system"), Target::Default);
        assert_eq!(Target::parse("session"), Target::Session);
        assert_eq!(Target::parse("unix:path=/x"), Target::Address("unix:path=/x".to_owned()));
    }

    #[test]
    fn nested_variants_are_unwrapped() {
        let value = Variant::Variant(Box::new(Variant::Variant(Box::new(Variant::U32(7)))));
        assert_eq!(u64::from_property(&value), Some(7));
        assert_eq!(bool::from_property(&value), None);
    }
}
