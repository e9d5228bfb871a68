//! The procedures: number, name of the function in libvirt's library, what it takes to call it,
//! types of arguments and answer on the wire, and the function that answers it.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::pin::Pin;

use uuid::Uuid;

use super::calls::{
    connect, console, devices, domain, events, lifecycle, lxc, native, node, secondary, statistics,
    tuning,
};
use super::connection::Call;
use super::packet::{Header, Kind, LXC, Packet, REMOTE, Status, payload_length};
use super::protocol::{DomainRef, Parameters};
use super::xdr::{Decode, Decoder, Encode, List, Malformed, Opaque, TooLarge, Words};
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

/// Whether bytes are a message that calls a procedure, with all its arguments.
pub fn understands(message: &[u8]) -> bool {
    let read = || {
        let (length, rest) = message.split_first_chunk()?;
        let (words, payload) = rest.split_first_chunk()?;
        let length = payload_length(u32::from_be_bytes(*length))?;
        let header = Header::read(words);
        let procedures = of_program(header.program)?;
        let procedure = procedures.iter().find(|it| it.number == header.procedure)?;
        Some((procedure.understands)(payload.get(..length)?))
    };
    read().unwrap_or(false)
}

/// What a call is answered with.
pub(super) trait Answer {
    fn packet(self, header: Header) -> Result<Packet, TooLarge>;
}

impl<T: Encode> Answer for T {
    fn packet(self, header: Header) -> Result<Packet, TooLarge> {
        Packet::new(header.answer(Kind::Reply, Status::Ok), &self)
    }
}

/// Descriptors instead of an answer.
#[derive(Debug)]
pub(super) struct Fds(pub(super) Vec<OwnedFd>);

impl Answer for Fds {
    fn packet(self, header: Header) -> Result<Packet, TooLarge> {
        Packet::with(header.answer(Kind::ReplyWithFds, Status::Ok), &(), self.0)
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
/// Numbers of things of the host.
type Counts = List<u64, 1024>;
type Params = Parameters<16>;

procedures! {
    /// The main program.
    CALLS:
    1 "virConnectOpen" Anyone (Text, u32) -> () = connect::open;
    2 "virConnectClose" Anyone () -> () = connect::close;
    3 "virConnectGetType" Read () -> (&'static str,) = connect::kind;
    4 "virConnectGetVersion" Read () -> (u64,) = connect::version;
    5 "virConnectGetMaxVcpus" Read (Text) -> (u32,) = tuning::connection_max_vcpus;
    6 "virNodeGetInfo" Read () -> node::Info = node::info;
    7 "virConnectGetCapabilities" Read () -> (String,) = connect::capabilities;
    8 "virDomainAttachDevice" Write (DomainRef, String) -> () = devices::attach;
    9 "virDomainCreate" Write (DomainRef) -> () = lifecycle::create;
    10 "virDomainCreateXML" Write (String, u32) -> (DomainRef,) = lifecycle::create_xml;
    11 "virDomainDefineXML" Write (String) -> (DomainRef,) = lifecycle::define;
    12 "virDomainDestroy" Write (DomainRef) -> () = lifecycle::destroy;
    13 "virDomainDetachDevice" Write (DomainRef, String) -> () = devices::detach;
    14 "virDomainGetXMLDesc" Read (DomainRef, u32) -> (String,) = domain::xml_desc;
    15 "virDomainGetAutostart" Read (DomainRef) -> (bool,) = domain::autostart;
    16 "virDomainGetInfo" Read (DomainRef) -> domain::Info = domain::info;
    17 "virDomainGetMaxMemory" Read (DomainRef) -> (u64,) = domain::max_memory;
    18 "virDomainGetMaxVcpus" Read (DomainRef) -> (u32,) = tuning::max_vcpus;
    19 "virDomainGetOSType" Read (DomainRef) -> (&'static str,) = domain::os_type;
    20 "virDomainGetVcpus" Read (DomainRef, u32, u32) -> tuning::Vcpus = tuning::vcpu_infos;
    21 "virConnectListDefinedDomains" Read (u32) -> (Names,) = connect::defined_domains;
    22 "virDomainLookupByID" Read (i32) -> (DomainRef,) = domain::by_id;
    23 "virDomainLookupByName" Read (String) -> (DomainRef,) = domain::by_name;
    24 "virDomainLookupByUUID" Read (Uuid) -> (DomainRef,) = domain::by_uuid;
    25 "virConnectNumOfDefinedDomains" Read () -> (u32,) = connect::number_of_defined_domains;
    27 "virDomainReboot" Write (DomainRef, u32) -> () = lifecycle::reboot;
    28 "virDomainResume" Write (DomainRef) -> () = lifecycle::resume;
    29 "virDomainSetAutostart" Write (DomainRef, bool) -> () = domain::set_autostart;
    30 "virDomainSetMaxMemory" Write (DomainRef, u64) -> () = tuning::set_max_memory;
    31 "virDomainSetMemory" Write (DomainRef, u64) -> () = tuning::set_memory;
    33 "virDomainShutdown" Write (DomainRef) -> () = lifecycle::shutdown;
    34 "virDomainSuspend" Write (DomainRef) -> () = lifecycle::suspend;
    35 "virDomainUndefine" Write (DomainRef) -> () = lifecycle::undefine;
    36 "virConnectListDefinedNetworks" Read (u32) -> (secondary::Nothing,) = secondary::names;
    37 "virConnectListDomains" Read (u32) -> (List<i32, 16384>,) = connect::domains;
    38 "virConnectListNetworks" Read (u32) -> (secondary::Nothing,) = secondary::names;
    50 "virConnectNumOfDefinedNetworks" Read () -> (u32,) = secondary::number;
    51 "virConnectNumOfDomains" Read () -> (u32,) = connect::number_of_domains;
    52 "virConnectNumOfNetworks" Read () -> (u32,) = secondary::number;
    56 "virDomainGetSchedulerType" Read (DomainRef) -> (&'static str, u32) = tuning::scheduler_type;
    57 "virDomainGetSchedulerParameters" Read (DomainRef, u32) -> (Params,) = tuning::scheduler;
    58 "virDomainSetSchedulerParameters" Write (DomainRef, Params) -> () = tuning::set_scheduler;
    59 "virConnectGetHostname" Read () -> (String,) = connect::hostname;
    60 "virConnectSupportsFeature" Anyone (i32) -> (bool,) = connect::supports_feature;
    64 "virDomainBlockStats" Read (DomainRef, String) -> statistics::BlockStats = statistics::block;
    65 "virDomainInterfaceStats" Read (DomainRef, String) -> statistics::InterfaceStats = statistics::interface;
    66 "virAuthList" Anyone () -> (List<i32, 20>,) = connect::authentications;
    71 "virConnectNumOfStoragePools" Read () -> (u32,) = secondary::number;
    72 "virConnectListStoragePools" Read (u32) -> (secondary::Nothing,) = secondary::names;
    73 "virConnectNumOfDefinedStoragePools" Read () -> (u32,) = secondary::number;
    74 "virConnectListDefinedStoragePools" Read (u32) -> (secondary::Nothing,) = secondary::names;
    101 "virNodeGetCellsFreeMemory" Read (i32, u32) -> (Counts,) = node::cells_free_memory;
    102 "virNodeGetFreeMemory" Read () -> (u64,) = node::free_memory;
    105 "virConnectDomainEventRegister" Read () -> (bool,) = events::register_lifecycle;
    106 "virConnectDomainEventDeregister" Read () -> (bool,) = events::deregister_lifecycle;
    110 "virConnectGetURI" Read () -> (&'static str,) = connect::uri;
    111 "virNodeNumOfDevices" Read (Text, u32) -> (u32,) = secondary::devices;
    112 "virNodeListDevices" Read (Text, u32, u32) -> (secondary::Nothing,) = secondary::device_names;
    121 "virDomainGetSecurityLabel" Read (DomainRef) -> (Words, bool) = domain::security_label;
    122 "virNodeGetSecurityModel" Read () -> (Words, Words) = node::security_model;
    126 "virConnectNumOfInterfaces" Read () -> (u32,) = secondary::number;
    127 "virConnectListInterfaces" Read (u32) -> (secondary::Nothing,) = secondary::names;
    135 "virConnectDomainXMLFromNative" Write (String, String, u32) -> (String,) = native::from_native;
    136 "virConnectDomainXMLToNative" Write (String, String, u32) -> (String,) = native::to_native;
    137 "virConnectNumOfDefinedInterfaces" Read () -> (u32,) = secondary::number;
    138 "virConnectListDefinedInterfaces" Read (u32) -> (secondary::Nothing,) = secondary::names;
    139 "virConnectNumOfSecrets" Read () -> (u32,) = secondary::number;
    140 "virConnectListSecrets" Read (u32) -> (secondary::Nothing,) = secondary::names;
    149 "virConnectIsSecure" Read () -> (bool,) = connect::is_secure;
    150 "virDomainIsActive" Read (DomainRef) -> (bool,) = domain::is_active;
    151 "virDomainIsPersistent" Read (DomainRef) -> (bool,) = domain::is_persistent;
    157 "virConnectGetLibVersion" Read () -> (u64,) = connect::lib_version;
    159 "virDomainMemoryStats" Read (DomainRef, u32, u32) -> (List<(i32, u64), 1024>,) = statistics::memory;
    160 "virDomainAttachDeviceFlags" Write (DomainRef, String, u32) -> () = devices::attach_flags;
    161 "virDomainDetachDeviceFlags" Write (DomainRef, String, u32) -> () = devices::detach_flags;
    167 "virConnectDomainEventRegisterAny" Read (i32) -> () = events::register_old;
    168 "virConnectDomainEventDeregisterAny" Read (i32) -> () = events::deregister_old;
    174 "virDomainUpdateDeviceFlags" Write (DomainRef, String, u32) -> () = devices::update_flags;
    178 "virConnectNumOfNWFilters" Read () -> (u32,) = secondary::number;
    179 "virConnectListNWFilters" Read (u32) -> (secondary::Nothing,) = secondary::names;
    183 "virDomainHasManagedSaveImage" Read (DomainRef, u32) -> (bool,) = domain::has_managed_save;
    196 "virDomainCreateWithFlags" Write (DomainRef, u32) -> (DomainRef,) = lifecycle::create_with_flags;
    197 "virDomainSetMemoryParameters" Write (DomainRef, Params, u32) -> () = tuning::set_memory_parameters;
    198 "virDomainGetMemoryParameters" Read (DomainRef, u32, u32) -> (Params, u32) = tuning::memory;
    200 "virDomainGetVcpusFlags" Read (DomainRef, u32) -> (u32,) = tuning::vcpus;
    201 "virDomainOpenConsole" Write (DomainRef, Text, u32) -> () = console::open;
    202 "virDomainIsUpdated" Read (DomainRef) -> (bool,) = domain::is_updated;
    203 "virConnectGetSysinfo" Read (u32) -> (String,) = connect::sysinfo;
    204 "virDomainSetMemoryFlags" Write (DomainRef, u64, u32) -> () = tuning::set_memory_flags;
    205 "virDomainSetBlkioParameters" Write (DomainRef, Params, u32) -> () = tuning::set_block_io;
    206 "virDomainGetBlkioParameters" Read (DomainRef, u32, u32) -> (Params, u32) = tuning::block_io;
    212 "virDomainGetState" Read (DomainRef, u32) -> (i32, i32) = domain::state;
    219 "virDomainSetSchedulerParametersFlags" Write (DomainRef, Params, u32) -> () = tuning::set_scheduler_flags;
    223 "virDomainGetSchedulerParametersFlags" Read (DomainRef, u32, u32) -> (Params,) = tuning::scheduler_flags;
    227 "virNodeGetCPUStats" Read (i32, u32, u32) -> node::Counters = node::cpu_stats;
    228 "virNodeGetMemoryStats" Read (u32, i32, u32) -> node::Counters = node::memory_stats;
    230 "virDomainGetVcpuPinInfo" Read (DomainRef, u32, u32, u32) -> (Opaque, u32) = tuning::vcpu_pins;
    231 "virDomainUndefineFlags" Write (DomainRef, u32) -> () = lifecycle::undefine_flags;
    234 "virDomainDestroyFlags" Write (DomainRef, u32) -> () = lifecycle::destroy_flags;
    243 "virDomainBlockStatsFlags" Read (DomainRef, String, u32, u32) -> (Params, u32) = statistics::block_flags;
    255 "virDomainGetNumaParameters" Read (DomainRef, u32, u32) -> (Params, u32) = tuning::numa;
    258 "virDomainShutdownFlags" Write (DomainRef, u32) -> () = lifecycle::shutdown_flags;
    262 "virDomainGetCPUStats" Read (DomainRef, u32, i32, u32, u32) -> (Parameters<262144>, u32) = statistics::cpu;
    264 "virDomainSetMetadata" Write (DomainRef, i32, Text, Text, Text, u32) -> () = domain::set_metadata;
    265 "virDomainGetMetadata" Read (DomainRef, i32, Text, u32) -> (String,) = domain::metadata;
    273 "virConnectListAllDomains" Read (bool, u32) -> (Domains, u32) = connect::all_domains;
    277 "virDomainGetHostname" Write (DomainRef, u32) -> (String,) = domain::hostname;
    278 "virDomainGetSecurityLabelList" Read (DomainRef) -> (List<(Words, bool), 64>, u32) = domain::security_labels;
    280 "virDomainGetEmulatorPinInfo" Read (DomainRef, u32, u32) -> (Opaque, u32) = tuning::emulator_pins;
    281 "virConnectListAllStoragePools" Read (bool, u32) -> (secondary::Nothing, u32) = secondary::none;
    283 "virConnectListAllNetworks" Read (bool, u32) -> (secondary::Nothing, u32) = secondary::none;
    284 "virConnectListAllInterfaces" Read (bool, u32) -> (secondary::Nothing, u32) = secondary::none;
    285 "virConnectListAllNodeDevices" Read (bool, u32) -> (secondary::Nothing, u32) = secondary::none;
    286 "virConnectListAllNWFilters" Read (bool, u32) -> (secondary::Nothing, u32) = secondary::none;
    287 "virConnectListAllSecrets" Read (bool, u32) -> (secondary::Nothing, u32) = secondary::none;
    288 "virNodeSetMemoryParameters" Write (Parameters<64>, u32) -> () = node::set_memory_parameters;
    289 "virNodeGetMemoryParameters" Read (u32, u32) -> (Parameters<64>, u32) = node::memory_parameters;
    293 "virNodeGetCPUMap" Read (bool, bool, u32) -> (Opaque, u32, u32) = node::cpu_map;
    295 "virDomainSendProcessSignal" Write (DomainRef, i64, u32, u32) -> () = domain::send_signal;
    309 "virDomainCreateXMLWithFiles" Write (String, u32) -> (DomainRef,) = lifecycle::create_xml_with_files;
    310 "virDomainCreateWithFiles" Write (DomainRef, u32) -> (DomainRef,) = lifecycle::create_with_files;
    313 "virConnectNetworkEventRegisterAny" Read (i32, Option<secondary::Named>) -> (i32,) = secondary::register_network;
    314 "virConnectNetworkEventDeregisterAny" Read (i32) -> () = secondary::deregister_network;
    316 "virConnectDomainEventCallbackRegisterAny" Read (i32, Option<DomainRef>) -> (i32,) = events::register;
    317 "virConnectDomainEventCallbackDeregisterAny" Read (i32) -> () = events::deregister;
    337 "virDomainGetTime" Write (DomainRef, u32) -> (i64, u32) = domain::time;
    340 "virNodeGetFreePages" Read (List<u32, 1024>, i32, u32, u32) -> (Counts,) = node::free_pages;
    342 "virConnectGetDomainCapabilities" Write (Text, Text, Text, Text, u32) -> (String,) = connect::domain_capabilities;
    344 "virConnectGetAllDomainStats" Read (Domains, u32, u32) -> (List<statistics::Record, 16384>,) = statistics::all;
    350 "virDomainDefineXMLFlags" Write (String, u32) -> (DomainRef,) = lifecycle::define_flags;
    353 "virDomainInterfaceAddresses" Read (DomainRef, u32, u32) -> (List<statistics::Addresses, 2048>,) = statistics::interface_addresses;
    360 "virConnectRegisterCloseCallback" Read () -> () = connect::nothing;
    361 "virConnectUnregisterCloseCallback" Read () -> () = connect::nothing;
    368 "virConnectStoragePoolEventRegisterAny" Read (i32, Option<secondary::Named>) -> (i32,) = secondary::register_pool;
    369 "virConnectStoragePoolEventDeregisterAny" Read (i32) -> () = secondary::deregister_pool;
    374 "virConnectNodeDeviceEventRegisterAny" Read (i32, Option<(String,)>) -> (i32,) = secondary::register_device;
    375 "virConnectNodeDeviceEventDeregisterAny" Read (i32) -> () = secondary::deregister_device;
    380 "virConnectSecretEventRegisterAny" Read (i32, Option<(Uuid, i32, String)>) -> (i32,) = secondary::register_secret;
    381 "virConnectSecretEventDeregisterAny" Read (i32) -> () = secondary::deregister_secret;
    401 "virConnectListAllNWFilterBindings" Read (bool, u32) -> (secondary::Nothing, u32) = secondary::none;
    419 "virConnectSetIdentity" Read (Parameters<64>, u32) -> () = connect::set_identity;
}

procedures! {
    /// The program that only containers have.
    LXC_CALLS:
    1 "virDomainLxcOpenNamespace" Write (DomainRef, u32) -> Fds = lxc::open_namespace;
}
