//! The procedures: number, name of the function in libvirt's library, what it takes to call it,
//! types of arguments and answer on the wire, and the function that answers it.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;

use uuid::Uuid;

use super::calls::{connect, console, domain, events, lifecycle, node, secondary};
use super::connection::Call;
use super::packet::{Header, Kind, LXC, Packet, REMOTE, Status};
use super::protocol::{DomainRef, Parameters};
use super::xdr::{Decode, Decoder, Encode, Field, List, Malformed, Opaque, TooLarge, Words};
use crate::error::Result;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Anyone who has connected.
    Anyone,
    /// Who has opened the connection.
    Read,
    /// Who has opened it, and not read-only.
    Write,
}

/// An answer that comes when it is there.
type Work = Pin<Box<dyn Future<Output = Result<Result<Packet, TooLarge>>> + Send>>;

/// One procedure.
#[derive(Debug)]
pub(super) struct Procedure {
    pub(super) number: i32,
    pub(super) name: &'static str,
    pub(super) access: Access,
    /// Reads the arguments and starts on the answer.
    pub(super) run: fn(Call, &[u8]) -> Result<Work, Malformed>,
    understands: fn(&[u8]) -> bool,
}

/// The procedures of a program.
pub(super) fn of_program(program: (u32, u32)) -> Option<&'static [Procedure]> {
    match program {
        REMOTE => Some(CALLS),
        LXC => Some(LXC_CALLS),
        _ => None,
    }
}

/// Whether bytes are arguments of a procedure of libvirt's main program. What follows them does
/// not matter.
pub fn understands(procedure: i32, bytes: &[u8]) -> bool {
    CALLS.iter().find(|it| it.number == procedure).is_some_and(|it| (it.understands)(bytes))
}

/// What a call is answered with.
pub(super) trait Answer {
    fn packet(&self, header: Header) -> Result<Packet, TooLarge>;
}

impl<T: Encode> Answer for T {
    fn packet(&self, header: Header) -> Result<Packet, TooLarge> {
        Packet::new(header.answer(Kind::Reply, Status::Ok), self)
    }
}

fn run<A, R, F>(
    call: Call,
    bytes: &[u8],
    handler: impl FnOnce(Call, A) -> F,
) -> Result<Work, Malformed>
where
    A: Decode,
    R: Answer,
    F: Future<Output = Result<R>> + Send + 'static,
{
    let arguments = A::decode(&mut Decoder::new(bytes))?;
    let header = call.header;
    let answer = handler(call, arguments);
    Ok(Box::pin(async move { Ok(answer.await?.packet(header)) }))
}

macro_rules! procedures {
    ($(#[$doc:meta])* $table:ident: $(
        $number:literal $name:literal $access:ident
        ($($argument:ty),*) -> $reply:ty = $handler:path;
    )*) => {
        $(#[$doc])*
        static $table: &[Procedure] = &[$(Procedure {
            number: $number,
            name: $name,
            access: Access::$access,
            run: |call, bytes| run::<($($argument,)*), $reply, _>(call, bytes, $handler),
            understands: |bytes| <($($argument,)*)>::decode(&mut Decoder::new(bytes)).is_ok(),
        }),*];
    };
}

type Text = Option<String>;
/// Names of domains, of which libvirt lists no more.
type Names = List<String, 16384>;
type Domains = List<DomainRef, 16384>;
/// Lists of what there is none of.
type None_ = List<String, 0>;

procedures! {
    /// The main program.
    CALLS:
    1 "virConnectOpen" Anyone (Text, u32) -> () = connect::open;
    2 "virConnectClose" Anyone () -> () = connect::close;
    3 "virConnectGetType" Read () -> (&'static str,) = connect::kind;
    4 "virConnectGetVersion" Read () -> (u64,) = connect::version;
    6 "virNodeGetInfo" Read () -> node::Info = node::info;
    7 "virConnectGetCapabilities" Read () -> (String,) = connect::capabilities;
    9 "virDomainCreate" Write (DomainRef) -> () = lifecycle::create;
    10 "virDomainCreateXML" Write (String, u32) -> (DomainRef,) = lifecycle::create_xml;
    11 "virDomainDefineXML" Write (String) -> (DomainRef,) = lifecycle::define;
    12 "virDomainDestroy" Write (DomainRef) -> () = lifecycle::destroy;
    14 "virDomainGetXMLDesc" Read (DomainRef, u32) -> (String,) = domain::xml_desc;
    15 "virDomainGetAutostart" Read (DomainRef) -> (bool,) = domain::autostart;
    16 "virDomainGetInfo" Read (DomainRef) -> domain::Info = domain::info;
    17 "virDomainGetMaxMemory" Read (DomainRef) -> (u64,) = domain::max_memory;
    19 "virDomainGetOSType" Read (DomainRef) -> (&'static str,) = domain::os_type;
    21 "virConnectListDefinedDomains" Read (u32) -> (Names,) = connect::defined_domains;
    22 "virDomainLookupByID" Read (i32) -> (DomainRef,) = domain::by_id;
    23 "virDomainLookupByName" Read (String) -> (DomainRef,) = domain::by_name;
    24 "virDomainLookupByUUID" Read (Uuid) -> (DomainRef,) = domain::by_uuid;
    25 "virConnectNumOfDefinedDomains" Read () -> (u32,) = connect::number_of_defined_domains;
    27 "virDomainReboot" Write (DomainRef, u32) -> () = lifecycle::reboot;
    28 "virDomainResume" Write (DomainRef) -> () = lifecycle::resume;
    29 "virDomainSetAutostart" Write (DomainRef, bool) -> () = domain::set_autostart;
    33 "virDomainShutdown" Write (DomainRef) -> () = lifecycle::shutdown;
    34 "virDomainSuspend" Write (DomainRef) -> () = lifecycle::suspend;
    35 "virDomainUndefine" Write (DomainRef) -> () = lifecycle::undefine;
    37 "virConnectListDomains" Read (u32) -> (List<i32, 16384>,) = connect::domains;
    51 "virConnectNumOfDomains" Read () -> (u32,) = connect::number_of_domains;
    59 "virConnectGetHostname" Read () -> (String,) = connect::hostname;
    60 "virConnectSupportsFeature" Anyone (i32) -> (bool,) = connect::supports_feature;
    66 "virAuthList" Anyone () -> (List<i32, 20>,) = connect::authentications;
    105 "virConnectDomainEventRegister" Read () -> (bool,) = events::register_lifecycle;
    106 "virConnectDomainEventDeregister" Read () -> (bool,) = events::deregister_lifecycle;
    110 "virConnectGetURI" Read () -> (&'static str,) = connect::uri;
    149 "virConnectIsSecure" Read () -> (bool,) = connect::is_secure;
    150 "virDomainIsActive" Read (DomainRef) -> (bool,) = domain::is_active;
    151 "virDomainIsPersistent" Read (DomainRef) -> (bool,) = domain::is_persistent;
    157 "virConnectGetLibVersion" Read () -> (u64,) = connect::lib_version;
    167 "virConnectDomainEventRegisterAny" Read (i32) -> () = events::register_old;
    168 "virConnectDomainEventDeregisterAny" Read (i32) -> () = events::deregister_old;
    183 "virDomainHasManagedSaveImage" Read (DomainRef, u32) -> (bool,) = domain::has_managed_save;
    196 "virDomainCreateWithFlags" Write (DomainRef, u32) -> (DomainRef,) = lifecycle::create_with_flags;
    201 "virDomainOpenConsole" Write (DomainRef, Text, u32) -> () = console::open;
    202 "virDomainIsUpdated" Read (DomainRef) -> (bool,) = domain::is_updated;
    212 "virDomainGetState" Read (DomainRef, u32) -> (i32, i32) = domain::state;
    231 "virDomainUndefineFlags" Write (DomainRef, u32) -> () = lifecycle::undefine_flags;
    234 "virDomainDestroyFlags" Write (DomainRef, u32) -> () = lifecycle::destroy_flags;
    258 "virDomainShutdownFlags" Write (DomainRef, u32) -> () = lifecycle::shutdown_flags;
    264 "virDomainSetMetadata" Write (DomainRef, i32, Text, Text, Text, u32) -> () = domain::set_metadata;
    265 "virDomainGetMetadata" Read (DomainRef, i32, Text, u32) -> (String,) = domain::metadata;
    273 "virConnectListAllDomains" Read (bool, u32) -> (Domains, u32) = connect::all_domains;
    309 "virDomainCreateXMLWithFiles" Write (String, u32) -> (DomainRef,) = lifecycle::create_xml_with_files;
    310 "virDomainCreateWithFiles" Write (DomainRef, u32) -> (DomainRef,) = lifecycle::create_with_files;
    316 "virConnectDomainEventCallbackRegisterAny" Read (i32, Option<DomainRef>) -> (i32,) = events::register;
    317 "virConnectDomainEventCallbackDeregisterAny" Read (i32) -> () = events::deregister;
    342 "virConnectGetDomainCapabilities" Read (Text, Text, Text, Text, u32) -> (String,) = connect::domain_capabilities;
    350 "virDomainDefineXMLFlags" Write (String, u32) -> (DomainRef,) = lifecycle::define_flags;
    360 "virConnectRegisterCloseCallback" Read () -> () = connect::nothing;
    361 "virConnectUnregisterCloseCallback" Read () -> () = connect::nothing;
}

procedures! {
    /// The program that only containers have.
    LXC_CALLS:
}
