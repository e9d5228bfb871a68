//! What domains may use.

use super::super::connection::Call;
use super::super::protocol::{DomainRef, Parameters, parameters};
use super::super::xdr::{List, Opaque};
use super::node::{Sized, sized};
use super::{count, room};
use crate::driver::Pins;
use crate::error::Result;

/// `VIR_DOMAIN_AFFECT_LIVE` and `VIR_DOMAIN_MEM_MAXIMUM`.
const LIVE: u32 = 1;
const MAXIMUM: u32 = 4;

pub(in crate::rpc) async fn set_memory(call: Call, (domain, kib): (DomainRef, u64)) -> Result<()> {
    set_memory_flags(call, (domain, kib, LIVE)).await
}

pub(in crate::rpc) async fn set_max_memory(
    call: Call,
    (domain, kib): (DomainRef, u64),
) -> Result<()> {
    set_memory_flags(call, (domain, kib, MAXIMUM)).await
}

pub(in crate::rpc) async fn set_memory_flags(
    call: Call,
    (domain, kib, flags): (DomainRef, u64, u32),
) -> Result<()> {
    call.driver().set_memory(&*call.domain(&domain)?, kib, flags).await
}

pub(in crate::rpc) async fn memory(
    call: Call,
    (domain, most, flags): (DomainRef, u32, u32),
) -> Result<Sized<16>> {
    let all = call.driver().memory_parameters(&*call.domain(&domain)?, flags)?;
    Ok(sized(parameters::<16>(all).0, most))
}

pub(in crate::rpc) async fn set_memory_parameters(
    call: Call,
    (domain, parameters, flags): (DomainRef, Parameters<16>, u32),
) -> Result<()> {
    let domain = call.domain(&domain)?;
    call.driver().set_memory_parameters(&domain, &parameters.0, flags).await
}

pub(in crate::rpc) async fn block_io(
    call: Call,
    (domain, most, flags): (DomainRef, u32, u32),
) -> Result<Sized<16>> {
    let all = call.driver().block_io_parameters(&*call.domain(&domain)?, flags)?;
    Ok(sized(parameters::<16>(all).0, most))
}

pub(in crate::rpc) async fn set_block_io(
    call: Call,
    (domain, parameters, flags): (DomainRef, Parameters<16>, u32),
) -> Result<()> {
    let domain = call.domain(&domain)?;
    call.driver().set_block_io_parameters(&domain, &parameters.0, flags).await
}

pub(in crate::rpc) async fn numa(
    call: Call,
    (domain, most, flags): (DomainRef, u32, u32),
) -> Result<Sized<16>> {
    let all = call.driver().numa_parameters(&*call.domain(&domain)?, flags)?;
    Ok(sized(parameters::<16>(all).0, most))
}

/// The name of the scheduler, and how many parameters it has.
pub(in crate::rpc) async fn scheduler_type(
    call: Call,
    (domain,): (DomainRef,),
) -> Result<(&'static str, u32)> {
    call.domain(&domain)?;
    Ok(call.driver().scheduler_type())
}

pub(in crate::rpc) async fn scheduler(
    call: Call,
    (domain, most): (DomainRef, u32),
) -> Result<(Parameters<16>,)> {
    scheduler_flags(call, (domain, most, 0)).await
}

pub(in crate::rpc) async fn scheduler_flags(
    call: Call,
    (domain, most, flags): (DomainRef, u32, u32),
) -> Result<(Parameters<16>,)> {
    let all = call.driver().scheduler_parameters(&*call.domain(&domain)?, flags)?;
    Ok((parameters(all.into_iter().take(room(most))),))
}

pub(in crate::rpc) async fn set_scheduler(
    call: Call,
    (domain, parameters): (DomainRef, Parameters<16>),
) -> Result<()> {
    set_scheduler_flags(call, (domain, parameters, 0)).await
}

pub(in crate::rpc) async fn set_scheduler_flags(
    call: Call,
    (domain, parameters, flags): (DomainRef, Parameters<16>, u32),
) -> Result<()> {
    let domain = call.domain(&domain)?;
    call.driver().set_scheduler_parameters(&domain, &parameters.0, flags).await
}

pub(in crate::rpc) async fn connection_max_vcpus(
    call: Call,
    (kind,): (Option<String>,),
) -> Result<(u32,)> {
    Ok((call.driver().max_vcpus(kind.as_deref())?,))
}

/// As libvirt's library asks for it: of a domain that runs, now; else of its definition.
pub(in crate::rpc) async fn max_vcpus(call: Call, (domain,): (DomainRef,)) -> Result<(u32,)> {
    vcpus(call, (domain, MAXIMUM)).await
}

pub(in crate::rpc) async fn vcpus(call: Call, (domain, flags): (DomainRef, u32)) -> Result<(u32,)> {
    Ok((call.driver().vcpus(&*call.domain(&domain)?, flags)?,))
}

/// Number, state, processor time, and the host's processor.
type Vcpu = (u32, i32, u64, i32);
/// All of them, and their maps.
pub(in crate::rpc) type Vcpus = (List<Vcpu, 16384>, Opaque);

/// `VIR_VCPU_RUNNING`.
const RUNNING: i32 = 1;
/// `VIR_VCPU_INFO_CPU_UNAVAILABLE`: a container's processes are on all of them.
const UNAVAILABLE: i32 = -2;

/// Virtual processors run wherever processes of the container do, so no time is theirs alone.
pub(in crate::rpc) async fn vcpu_infos(
    call: Call,
    (domain, most, length): (DomainRef, u32, u32),
) -> Result<Vcpus> {
    let pins = call.driver().live_vcpu_pins(&*call.domain(&domain)?)?;
    let (maps, number) = maps(pins, most, length);
    let infos = (0..number).map(|vcpu| (vcpu, RUNNING, 0, UNAVAILABLE)).collect();
    Ok((List(infos), maps))
}

pub(in crate::rpc) async fn vcpu_pins(
    call: Call,
    (domain, most, length, flags): (DomainRef, u32, u32, u32),
) -> Result<(Opaque, u32)> {
    Ok(maps(call.driver().vcpu_pins(&*call.domain(&domain)?, flags)?, most, length))
}

pub(in crate::rpc) async fn emulator_pins(
    call: Call,
    (domain, length, flags): (DomainRef, u32, u32),
) -> Result<(Opaque, u32)> {
    Ok(maps(vec![call.driver().emulator_pins(&*call.domain(&domain)?, flags)?], 1, length))
}

/// At most so many maps, each of the length that the client wants, one after the other.
fn maps(pins: Vec<Pins>, most: u32, length: u32) -> (Opaque, u32) {
    // No host has more processors than this has bits.
    let length = room(length).min(2048);
    let maps: Vec<Pins> = pins.into_iter().take(room(most)).collect();
    let bytes =
        maps.iter().flat_map(|map| map.iter().copied().chain(std::iter::repeat(0)).take(length));
    (Opaque(bytes.collect()), count(&maps))
}
