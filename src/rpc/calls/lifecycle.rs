//! Defining, starting and ending domains.

use super::super::connection::Call;
use super::super::protocol::DomainRef;
use crate::error::{Error, ErrorCode, Result};

pub(in crate::rpc) async fn define(call: Call, (xml,): (String,)) -> Result<(DomainRef,)> {
    define_flags(call, (xml, 0)).await
}

pub(in crate::rpc) async fn define_flags(
    call: Call,
    (xml, flags): (String, u32),
) -> Result<(DomainRef,)> {
    Ok((DomainRef::of(&*call.driver().define(&xml, flags).await?),))
}

pub(in crate::rpc) async fn undefine(call: Call, (domain,): (DomainRef,)) -> Result<()> {
    undefine_flags(call, (domain, 0)).await
}

pub(in crate::rpc) async fn undefine_flags(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<()> {
    call.driver().undefine(&*call.domain(&domain)?, flags).await
}

pub(in crate::rpc) async fn create(call: Call, (domain,): (DomainRef,)) -> Result<()> {
    create_with_flags(call, (domain, 0)).await.map(drop)
}

pub(in crate::rpc) async fn create_with_flags(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<(DomainRef,)> {
    let domain = call.domain(&domain)?;
    call.driver().create_for(&call.session.client, &domain, flags).await?;
    Ok((DomainRef::of(&domain),))
}

pub(in crate::rpc) async fn create_with_files(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<(DomainRef,)> {
    call.domain(&domain)?;
    check_no_files(&call)?;
    create_with_flags(call, (domain, flags)).await
}

pub(in crate::rpc) async fn create_xml(
    call: Call,
    (xml, flags): (String, u32),
) -> Result<(DomainRef,)> {
    let domain = call.driver().create_xml_for(&call.session.client, &xml, flags).await?;
    Ok((DomainRef::of(&domain),))
}

pub(in crate::rpc) async fn create_xml_with_files(
    call: Call,
    (xml, flags): (String, u32),
) -> Result<(DomainRef,)> {
    check_no_files(&call)?;
    create_xml(call, (xml, flags)).await
}

/// Init is given no files of a client.
fn check_no_files(call: &Call) -> Result<()> {
    match call.fds.len() {
        0 => Ok(()),
        number => {
            let text = format!("cannot pass {number} files to init: containers take none");
            Err(Error::new(ErrorCode::OperationUnsupported, text))
        }
    }
}

pub(in crate::rpc) async fn destroy(call: Call, (domain,): (DomainRef,)) -> Result<()> {
    destroy_flags(call, (domain, 0)).await
}

pub(in crate::rpc) async fn destroy_flags(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<()> {
    call.driver().destroy(&*call.domain(&domain)?, flags).await
}

pub(in crate::rpc) async fn shutdown(call: Call, (domain,): (DomainRef,)) -> Result<()> {
    shutdown_flags(call, (domain, 0)).await
}

pub(in crate::rpc) async fn shutdown_flags(
    call: Call,
    (domain, flags): (DomainRef, u32),
) -> Result<()> {
    call.driver().shutdown(&*call.domain(&domain)?, flags).await
}

pub(in crate::rpc) async fn reboot(call: Call, (domain, flags): (DomainRef, u32)) -> Result<()> {
    call.driver().reboot(&*call.domain(&domain)?, flags).await
}

pub(in crate::rpc) async fn suspend(call: Call, (domain,): (DomainRef,)) -> Result<()> {
    call.driver().suspend(&*call.domain(&domain)?).await
}

pub(in crate::rpc) async fn resume(call: Call, (domain,): (DomainRef,)) -> Result<()> {
    call.driver().resume(&*call.domain(&domain)?).await
}
