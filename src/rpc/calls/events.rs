//! Who wants to be told of what.

use super::super::connection::Call;
use super::super::events::{self, About};
use super::super::protocol::DomainRef;
use crate::error::Result;

/// `VIR_DOMAIN_EVENT_ID_LIFECYCLE`, the one event there was at first.
const LIFECYCLE: i32 = 0;

pub(in crate::rpc) async fn register(
    call: Call,
    (event, domain): (i32, Option<DomainRef>),
) -> Result<(i32,)> {
    let domain = domain.map(|domain| domain.uuid);
    Ok((events::register(&call.session, About::Domain, event, domain)?,))
}

pub(in crate::rpc) async fn deregister(call: Call, (callback,): (i32,)) -> Result<()> {
    events::deregister(&call.session, About::Domain, callback)
}

pub(in crate::rpc) async fn register_old(call: Call, (event,): (i32,)) -> Result<()> {
    events::register_old(&call.session, event)
}

pub(in crate::rpc) async fn deregister_old(call: Call, (event,): (i32,)) -> Result<()> {
    events::deregister_old(&call.session, event)
}

/// Answers, as does its counterpart, what libvirt's does: 0.
pub(in crate::rpc) async fn register_lifecycle(call: Call, (): ()) -> Result<(bool,)> {
    events::register_old(&call.session, LIFECYCLE).map(|()| (false,))
}

pub(in crate::rpc) async fn deregister_lifecycle(call: Call, (): ()) -> Result<(bool,)> {
    events::deregister_old(&call.session, LIFECYCLE).map(|()| (false,))
}
