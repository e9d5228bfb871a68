//! A small typed client of the D-Bus interface, without asynchronous code in the tests.

use std::collections::HashMap;
use std::future::Future;
use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::{Builder, Handle};
use zbus::{Connection, DBusError, DynamicType, Message, OwnedObjectPath, OwnedVariant, Variant};

use super::{Console, Events, PATIENCE};

pub const SERVICE: &str = "org.libvirt";
pub const CONNECT: &str = "/org/libvirt/LXC";
const CONNECT_INTERFACE: &str = "org.libvirt.Connect";
const DOMAIN_INTERFACE: &str = "org.libvirt.Domain";

/// The runtime of all clients, on a thread of its own.
pub fn runtime() -> &'static Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    })
}

/// Waits for a future; one that hangs fails the test.
pub fn wait<T>(what: &str, future: impl Future<Output = T>) -> T {
    runtime().block_on(async {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(value) => value,
            Err(_) => panic!("no answer to {what} within {PATIENCE:?}"),
        }
    })
}

/// An error reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub name: String,
    pub text: String,
}

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        let (name, text) = match &error {
            zbus::Error::MethodError(name, text, _) => {
                (name.to_string(), text.clone().unwrap_or_default())
            }
            zbus::Error::FDO(error) => {
                (error.name().to_string(), error.description().unwrap_or_default().to_owned())
            }
            other => ("(no reply)".to_owned(), other.to_string()),
        };
        Self { name, text }
    }
}

/// A connection to a daemon's bus.
#[derive(Debug, Clone)]
pub struct Bus(pub Connection);

impl Bus {
    pub fn connect(address: &str) -> Self {
        let connection = wait("connecting", async {
            zbus::connection::Builder::address(address).build().await.unwrap()
        });
        Self(connection)
    }

    /// Calls a method, and gives the whole reply.
    pub fn send(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<Message, Failure> {
        wait(member, async {
            let interface = Some(interface);
            Ok(self.0.call_method(Some(SERVICE), path, interface, member, body).await?)
        })
    }

    /// Calls a method, and gives the reply's values.
    pub fn call<R: DeserializeOwned + zbus::Type>(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<R, Failure> {
        let reply = self.send(path, interface, member, body)?;
        Ok(reply.body().deserialize_ignore_signature().unwrap())
    }

    fn domain_of(
        &self,
        member: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<Domain, Failure> {
        let path: OwnedObjectPath = self.call(CONNECT, CONNECT_INTERFACE, member, body)?;
        Ok(self.at(path.as_str()))
    }

    /// The domain at a path, whether it exists or not.
    pub fn at(&self, path: &str) -> Domain {
        Domain { bus: self.clone(), path: path.to_owned() }
    }

    pub fn define(&self, xml: impl ToString) -> Result<Domain, Failure> {
        self.domain_of("DomainDefineXML", &xml.to_string())
    }

    pub fn create_xml(&self, xml: impl ToString) -> Result<Domain, Failure> {
        self.create_xml_flags(xml, 0)
    }

    pub fn create_xml_flags(&self, xml: impl ToString, flags: u32) -> Result<Domain, Failure> {
        self.domain_of("DomainCreateXML", &(xml.to_string(), flags))
    }

    pub fn define_flags(&self, xml: impl ToString, flags: u32) -> Result<Domain, Failure> {
        let body = (xml.to_string(), flags);
        let path: OwnedObjectPath =
            self.call(CONNECT, "org.nsvirt.Connect1", "DomainDefineXMLFlags", &body)?;
        Ok(self.at(path.as_str()))
    }

    pub fn by_name(&self, name: &str) -> Result<Domain, Failure> {
        self.domain_of("DomainLookupByName", &name)
    }

    pub fn by_uuid(&self, uuid: &str) -> Result<Domain, Failure> {
        self.domain_of("DomainLookupByUUID", &uuid)
    }

    pub fn by_id(&self, id: i32) -> Result<Domain, Failure> {
        self.domain_of("DomainLookupByID", &id)
    }

    /// Paths of the domains that flags admit.
    pub fn list(&self, flags: u32) -> Result<Vec<String>, Failure> {
        let paths: Vec<OwnedObjectPath> =
            self.call(CONNECT, CONNECT_INTERFACE, "ListDomains", &flags)?;
        Ok(paths.iter().map(ToString::to_string).collect())
    }

    /// All that happens from now on.
    pub fn events(&self) -> Events {
        Events::subscribe(&self.0)
    }

    /// How init ended, from now on.
    pub fn ends(&self) -> Events {
        Events::ends(&self.0)
    }

    pub fn property(
        &self,
        path: &str,
        interface: &str,
        name: &str,
    ) -> Result<OwnedVariant, Failure> {
        self.call(path, "org.freedesktop.DBus.Properties", "Get", &(interface, name))
    }
}

/// A dictionary of variants.
#[derive(Debug)]
pub struct Parameters(pub HashMap<String, OwnedVariant>);

impl Parameters {
    pub fn get<T: TryFrom<OwnedVariant>>(&self, name: &str) -> T {
        let value = self.0.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}"));
        T::try_from(value.clone()).unwrap_or_else(|_| panic!("{name} is of another type"))
    }
}

/// A domain, by its path.
#[derive(Debug, Clone)]
pub struct Domain {
    pub bus: Bus,
    pub path: String,
}

/// Name, hardware address, and addresses with their types and prefixes.
pub type LinkAddresses = (String, String, Vec<(i32, String, u32)>);

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Domain {
    fn call<R: DeserializeOwned + zbus::Type>(
        &self,
        member: &str,
        body: &(impl Serialize + DynamicType),
    ) -> Result<R, Failure> {
        self.bus.call(&self.path, DOMAIN_INTERFACE, member, body)
    }

    pub fn create(&self) -> Result<(), Failure> {
        self.call("Create", &0_u32)
    }

    pub fn destroy(&self) -> Result<(), Failure> {
        self.call("Destroy", &0_u32)
    }

    pub fn undefine(&self) -> Result<(), Failure> {
        self.call("Undefine", &0_u32)
    }

    pub fn shutdown(&self) -> Result<(), Failure> {
        self.call("Shutdown", &0_u32)
    }

    /// 4: through initctl, 8: by a signal.
    pub fn shutdown_flags(&self, flags: u32) -> Result<(), Failure> {
        self.call("Shutdown", &flags)
    }

    pub fn reboot(&self) -> Result<(), Failure> {
        self.call("Reboot", &0_u32)
    }

    /// How init ended last.
    pub fn end(&self) -> Parameters {
        Parameters(self.bus.call(&self.path, "org.nsvirt.Domain1", "GetEnd", &0_u32).unwrap())
    }

    pub fn suspend(&self) -> Result<(), Failure> {
        self.call("Suspend", &())
    }

    pub fn resume(&self) -> Result<(), Failure> {
        self.call("Resume", &())
    }

    /// libvirt's numbers of state and reason.
    pub fn state(&self) -> (i32, i32) {
        let (state,): ((i32, i32),) = self.call("GetState", &0_u32).unwrap();
        state
    }

    pub fn xml(&self, flags: u32) -> Result<String, Failure> {
        self.call("GetXMLDesc", &flags)
    }

    /// The description (0), title (1), or element of a name space (2).
    pub fn metadata(&self, kind: i32, uri: &str, flags: u32) -> Result<String, Failure> {
        self.call("GetMetadata", &(kind, uri, flags))
    }

    /// Sets one of these; `what` is its number, text, prefix and name space.
    pub fn set_metadata(&self, what: (i32, &str, &str, &str), flags: u32) -> Result<(), Failure> {
        let (kind, text, key, uri) = what;
        self.call("SetMetadata", &(kind, text, key, uri, flags))
    }

    /// Adds a device; flag 1 as it runs, 2 as it will start next.
    pub fn attach(&self, device: &str, flags: u32) -> Result<(), Failure> {
        self.call("AttachDevice", &(device, flags))
    }

    pub fn detach(&self, device: &str, flags: u32) -> Result<(), Failure> {
        self.call("DetachDevice", &(device, flags))
    }

    pub fn update(&self, device: &str, flags: u32) -> Result<(), Failure> {
        self.call("UpdateDevice", &(device, flags))
    }

    /// Names, hardware addresses, and addresses with their types and prefixes.
    pub fn interface_addresses(
        &self,
        source: u32,
        flags: u32,
    ) -> Result<Vec<LinkAddresses>, Failure> {
        self.call("InterfaceAddresses", &(source, flags))
    }

    pub fn property<T: TryFrom<OwnedVariant>>(&self, name: &str) -> T {
        let value = self.bus.property(&self.path, DOMAIN_INTERFACE, name).unwrap();
        T::try_from(value).unwrap_or_else(|_| panic!("{name} is of another type"))
    }

    pub fn id(&self) -> u32 {
        self.property("Id")
    }

    pub fn set(&self, name: &str, value: impl Into<Variant<'static>>) -> Result<(), Failure> {
        let body = (DOMAIN_INTERFACE, name, value.into());
        self.bus.call(&self.path, "org.freedesktop.DBus.Properties", "Set", &body)
    }

    /// Typed parameters or statistics, by name.
    pub fn parameters(&self, member: &str, flags: u32) -> Result<Parameters, Failure> {
        self.call(member, &flags).map(Parameters)
    }

    pub fn stats(&self, groups: u32) -> Parameters {
        Parameters(self.call("GetStats", &(groups, 0_u32)).unwrap())
    }

    pub fn memory_stats(&self) -> Result<HashMap<i32, u64>, Failure> {
        self.call("MemoryStats", &0_u32)
    }

    pub fn set_parameters(
        &self,
        member: &str,
        parameters: &[(&str, Variant<'static>)],
        flags: u32,
    ) -> Result<(), Failure> {
        let parameters: HashMap<&str, &Variant<'static>> =
            parameters.iter().map(|(name, value)| (*name, value)).collect();
        self.call(member, &(parameters, flags))
    }

    pub fn set_memory(&self, kib: u64, flags: u32) -> Result<(), Failure> {
        self.call("SetMemory", &(kib, flags))
    }

    /// Opens a console: the first, or the one of that alias.
    pub fn open_console(&self, device: &str) -> Result<Console, Failure> {
        let body = (device, 0_u32);
        let fd: zbus::OwnedFd =
            self.bus.call(&self.path, "org.nsvirt.Domain1", "OpenConsole", &body)?;
        Ok(Console::new(fd.into()))
    }

    pub fn console(&self) -> Console {
        self.open_console("").unwrap()
    }

    /// Checks that the container of [`super::document::ECHO`] lives: it answers what is typed.
    pub fn assert_answers(&self) {
        let mut console = self.console();
        let word = format!("word-{}", uuid::Uuid::new_v4().simple());
        console.type_line(&word);
        console.wait_for(&format!("got {word}\r\n"));
    }
}
