//! Consoles as streams.

use super::super::connection::Call;
use super::super::protocol::DomainRef;
use super::super::streams;
use super::no_flags;
use crate::error::Result;

/// The answer goes out before the stream's first packet: that waits for this call to end.
pub(in crate::rpc) async fn open(
    call: Call,
    (domain, device, flags): (DomainRef, Option<String>, u32),
) -> Result<()> {
    no_flags(flags, "lxcDomainOpenConsole")?;
    let domain = call.domain(&domain)?;
    let console = call.driver().open_console(&domain, device.as_deref().unwrap_or("")).await?;
    streams::open(&call, console)
}
