//! Devices that come and go.

use super::super::connection::Call;
use super::super::protocol::DomainRef;
use crate::error::Result;

/// `VIR_DOMAIN_AFFECT_LIVE`, which calls without flags mean.
const LIVE: u32 = 1;

pub(in crate::rpc) async fn attach(call: Call, (domain, xml): (DomainRef, String)) -> Result<()> {
    attach_flags(call, (domain, xml, LIVE)).await
}

pub(in crate::rpc) async fn attach_flags(
    call: Call,
    (domain, xml, flags): (DomainRef, String, u32),
) -> Result<()> {
    call.driver().attach_device(&*call.domain(&domain)?, &xml, flags).await
}

pub(in crate::rpc) async fn detach(call: Call, (domain, xml): (DomainRef, String)) -> Result<()> {
    detach_flags(call, (domain, xml, LIVE)).await
}

pub(in crate::rpc) async fn detach_flags(
    call: Call,
    (domain, xml, flags): (DomainRef, String, u32),
) -> Result<()> {
    call.driver().detach_device(&*call.domain(&domain)?, &xml, flags).await
}

pub(in crate::rpc) async fn update_flags(
    call: Call,
    (domain, xml, flags): (DomainRef, String, u32),
) -> Result<()> {
    call.driver().update_device(&*call.domain(&domain)?, &xml, flags).await
}
