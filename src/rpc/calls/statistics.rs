//! What domains use.

use super::super::connection::Call;
use super::super::protocol::{DomainRef, Parameters, parameters};
use super::super::xdr::List;
use super::node::{Sized, sized};
use super::{count, no_flags, room};
use crate::driver::{BlockUsage, Value};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};

/// `VIR_TYPED_PARAM_STRING_OKAY`: the client knows values that are text.
const STRINGS: u32 = 4;
/// Means all processors together.
const ALL: i32 = -1;

/// Read requests, bytes, write requests, bytes, errors.
pub(in crate::rpc) type BlockStats = (i64, i64, i64, i64, i64);
/// Bytes, packets, errors and drops received, then sent.
pub(in crate::rpc) type InterfaceStats = (Four, Four);
type Four = (i64, i64, i64, i64);
/// A domain and what it uses.
pub(in crate::rpc) type Record = (DomainRef, Parameters<2048>);

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(in crate::rpc) async fn memory(
    call: Call,
    (domain, most, flags): (DomainRef, u32, u32),
) -> Result<(List<(i32, u64), 1024>,)> {
    let stats = call.driver().memory_stats(&*call.domain(&domain)?, flags)?;
    Ok((List(stats.into_iter().take(room(most)).collect()),))
}

pub(in crate::rpc) async fn block(
    call: Call,
    (domain, path): (DomainRef, String),
) -> Result<BlockStats> {
    let usage = call.driver().block_stats(&*call.domain(&domain)?, &path)?;
    let BlockUsage { read_operations, read_bytes, write_operations, write_bytes } = usage;
    let [a, b, c, d] = [read_operations, read_bytes, write_operations, write_bytes].map(signed);
    // Errors are not counted.
    Ok((a, b, c, d, -1))
}

pub(in crate::rpc) async fn block_flags(
    call: Call,
    (domain, path, most, flags): (DomainRef, String, u32, u32),
) -> Result<Sized<16>> {
    no_flags(flags & !STRINGS, "lxcDomainBlockStatsFlags")?;
    let domain = call.domain(&domain)?;
    // How many there are does not depend on the device.
    let usage = match most {
        0 => BlockUsage::default(),
        _ => call.driver().block_stats(&domain, &path)?,
    };
    let numbers = [
        ("wr_bytes", usage.write_bytes),
        ("wr_operations", usage.write_operations),
        ("rd_bytes", usage.read_bytes),
        ("rd_operations", usage.read_operations),
    ];
    let all = parameters::<16>(numbers.map(|(name, number)| (name, Value::Long(signed(number)))));
    Ok(sized(all.0, most))
}

pub(in crate::rpc) async fn interface(
    call: Call,
    (domain, device): (DomainRef, String),
) -> Result<InterfaceStats> {
    let traffic = call.driver().interface_stats(&*call.domain(&domain)?, &device).await?;
    let four = |counted: [u64; 4]| {
        let [bytes, packets, errors, dropped] = counted.map(signed);
        (bytes, packets, errors, dropped)
    };
    Ok((four(traffic.received), four(traffic.sent)))
}

/// Processor time: of all processors together (three numbers), or of each from one on (one number
/// each). A client that has room for no numbers is told how many there are, and one that asks for
/// no processors how many of those.
pub(in crate::rpc) async fn cpu(
    call: Call,
    (domain, most, first, processors, flags): (DomainRef, u32, i32, u32, u32),
) -> Result<(Parameters<262144>, u32)> {
    no_flags(flags & !STRINGS, "lxcDomainGetCPUStats")?;
    let domain = call.domain(&domain)?;
    if first == ALL {
        let time = call.driver().cpu_stats(&domain)?;
        let all =
            [("cpu_time", time.total), ("user_time", time.user), ("system_time", time.system)];
        let all = parameters::<262144>(all.map(|(name, time)| (name, Value::ULong(time))));
        let number = count(&all.0);
        return Ok((List(all.0.into_iter().take(room(most)).collect()), number));
    }
    let times = call.driver().cpu_stats_by_processor(&domain)?;
    match (most, processors) {
        (0, 0) => return Ok((List(Vec::new()), count(&times))),
        (0, _) => return Ok((List(Vec::new()), 1)),
        _ => {}
    }
    let skipped = usize::try_from(first).unwrap_or(usize::MAX);
    if skipped >= times.len() {
        let last = times.len().saturating_sub(1);
        let text = format!("Start CPU {first} is out of range (min: 0, max: {last})");
        return Err(Error::bare(ErrorCode::InvalidArg, text).in_domain(ErrorDomain::Lxc));
    }
    let wanted = times.into_iter().skip(skipped).take(room(processors));
    Ok((parameters(wanted.map(|time| ("cpu_time", Value::ULong(time)))), 1))
}

pub(in crate::rpc) async fn all(
    call: Call,
    (domains, groups, flags): (List<DomainRef, 16384>, u32, u32),
) -> Result<(List<Record, 16384>,)> {
    let domains = domains.0.iter().map(|domain| call.domain(domain)).collect::<Result<_>>()?;
    let stats = call.driver().all_stats(domains, groups, flags)?;
    let record =
        |(domain, stats): (std::sync::Arc<_>, _)| (DomainRef::of(&domain), parameters(stats));
    Ok((List(stats.into_iter().map(record).collect()),))
}

/// An interface: name, hardware address, and its addresses with family and length of prefix.
pub(in crate::rpc) type Addresses = (String, Option<String>, List<(i32, String, u32), 2048>);

pub(in crate::rpc) async fn interface_addresses(
    call: Call,
    (domain, source, flags): (DomainRef, u32, u32),
) -> Result<(List<Addresses, 2048>,)> {
    let domain = call.domain(&domain)?;
    let all = call.driver().interface_addresses(&domain, source, flags).await?;
    let all = all.into_iter().map(|it| (it.name, Some(it.mac), List(it.addresses)));
    Ok((List(all.collect()),))
}
