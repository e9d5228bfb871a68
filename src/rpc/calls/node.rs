//! The host.

use super::super::connection::Call;
use super::super::protocol::{Parameters, parameters};
use super::super::xdr::{Field, List, Opaque, Words};
use super::{count, no_flags, room};
use crate::driver::NodeInfo;
use crate::error::Result;

/// Model, memory (KiB), processors, MHz, nodes, sockets per node, cores per socket, threads per
/// core.
pub(in crate::rpc) type Info = (Field<32>, u64, u32, u32, u32, u32, u32, u32);
/// Names and numbers, and how many there are.
pub(in crate::rpc) type Counters = (List<(&'static str, u64), 16>, u32);
/// Parameters for a client that has room for some, or how many there are for one that has none.
pub(in crate::rpc) type Sized<const MOST: usize> = (Parameters<MOST>, u32);

/// Means all processors together.
const ALL: i32 = -1;

/// What of all is for a client that has room for so many; without room, only their number.
pub(in crate::rpc) fn sized<T, const MOST: usize>(all: Vec<T>, most: u32) -> (List<T, MOST>, u32) {
    match most {
        0 => (List(Vec::new()), count(&all)),
        most => (List(all.into_iter().take(room(most)).collect()), 0),
    }
}

pub(in crate::rpc) async fn info(call: Call, (): ()) -> Result<Info> {
    let NodeInfo { model, memory, cpus, mhz, nodes, sockets, cores, threads } =
        call.driver().node_info();
    Ok((Field(model), memory, cpus, mhz, nodes, sockets, cores, threads))
}

pub(in crate::rpc) async fn cpu_stats(
    call: Call,
    (cpu, most, flags): (i32, u32, u32),
) -> Result<Counters> {
    // How many there are does not depend on the processor.
    let cpu = if most == 0 { ALL } else { cpu };
    Ok(sized(call.driver().node_cpu_stats(cpu, flags)?, most))
}

pub(in crate::rpc) async fn memory_stats(
    call: Call,
    (most, cell, flags): (u32, i32, u32),
) -> Result<Counters> {
    Ok(sized(call.driver().node_memory_stats(cell, flags)?, most))
}

pub(in crate::rpc) async fn free_memory(call: Call, (): ()) -> Result<(u64,)> {
    Ok((call.driver().node_free_memory()?,))
}

pub(in crate::rpc) async fn cells_free_memory(
    call: Call,
    (first, most): (i32, u32),
) -> Result<(List<u64, 1024>,)> {
    Ok((List(call.driver().node_cells_free_memory(first, room(most))?),))
}

pub(in crate::rpc) async fn free_pages(
    call: Call,
    (sizes, first, most, flags): (List<u32, 1024>, i32, u32, u32),
) -> Result<(List<u64, 1024>,)> {
    no_flags(flags, "nodeGetFreePages")?;
    Ok((List(call.driver().node_free_pages(&sizes.0, first, room(most))?),))
}

pub(in crate::rpc) async fn cpu_map(
    call: Call,
    (need_map, need_online, flags): (bool, bool, u32),
) -> Result<(Opaque, u32, u32)> {
    let map = call.driver().node_cpu_map(flags)?;
    let online = if need_map { map.online } else { Vec::new() };
    Ok((Opaque(online), if need_online { map.online_count } else { 0 }, map.present_count))
}

pub(in crate::rpc) async fn memory_parameters(
    call: Call,
    (most, flags): (u32, u32),
) -> Result<Sized<64>> {
    let all = parameters::<64>(call.driver().node_memory_parameters(flags)?);
    Ok(sized(all.0, most))
}

pub(in crate::rpc) async fn set_memory_parameters(
    call: Call,
    (parameters, flags): (Parameters<64>, u32),
) -> Result<()> {
    call.driver().set_node_memory_parameters(&parameters.0, flags)
}

/// No security driver confines containers: libvirt's name for that, and no interpretation.
pub(in crate::rpc) async fn security_model(_: Call, (): ()) -> Result<(Words, Words)> {
    Ok((Words("none".to_owned()), Words("0".to_owned())))
}
