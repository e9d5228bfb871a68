//! The host.

use super::super::connection::Call;
use super::super::xdr::Field;
use crate::driver::NodeInfo;
use crate::error::Result;

/// Model, memory (KiB), processors, MHz, nodes, sockets per node, cores per socket, threads per
/// core.
pub(in crate::rpc) type Info = (Field<32>, u64, u32, u32, u32, u32, u32, u32);

pub(in crate::rpc) async fn info(call: Call, (): ()) -> Result<Info> {
    let NodeInfo { model, memory, cpus, mhz, nodes, sockets, cores, threads } =
        call.driver().node_info();
    Ok((Field(model), memory, cpus, mhz, nodes, sockets, cores, threads))
}
