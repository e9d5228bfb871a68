//! What only containers have.

use super::super::connection::Call;
use super::super::protocol::DomainRef;
use super::super::table::Fds;
use crate::error::Result;

pub(in crate::rpc) async fn open_namespace(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<Fds> {
    Ok(Fds(call.driver().open_namespaces(&*call.domain(&domain)?, flags)?))
}
