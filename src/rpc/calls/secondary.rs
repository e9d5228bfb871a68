//! What other drivers of libvirt have: networks, pools of storage, devices and interfaces of the
//! host, filters, secrets. nsvirt has none of them, so there are none; that any could come is told
//! to nobody.

use super::super::connection::Call;
use super::super::events::{self, About};
use super::super::xdr::List;
use crate::error::Result;

/// A list of nothing.
pub(in crate::rpc) type Nothing = List<u32, 0>;

/// Of a list with flags: nothing, and its number.
pub(in crate::rpc) async fn none(_: Call, (_, _): (bool, u32)) -> Result<(Nothing, u32)> {
    Ok((List(Vec::new()), 0))
}

/// How many there are.
pub(in crate::rpc) async fn number(_: Call, (): ()) -> Result<(u32,)> {
    Ok((0,))
}

/// Names of nothing.
pub(in crate::rpc) async fn names(_: Call, (_,): (u32,)) -> Result<(Nothing,)> {
    Ok((List(Vec::new()),))
}

/// How many devices of a kind there are.
pub(in crate::rpc) async fn devices(_: Call, (_, _): (Option<String>, u32)) -> Result<(u32,)> {
    Ok((0,))
}

/// Names of devices of a kind.
pub(in crate::rpc) async fn device_names(
    _: Call,
    (_, _, _): (Option<String>, u32, u32),
) -> Result<(Nothing,)> {
    Ok((List(Vec::new()),))
}

macro_rules! events {
    ($($register:ident $deregister:ident $about:ident $object:ty;)*) => {$(
        pub(in crate::rpc) async fn $register(
            call: Call,
            (event, _): (i32, Option<$object>),
        ) -> Result<(i32,)> {
            Ok((events::register(&call.session, About::$about, event, None)?,))
        }

        pub(in crate::rpc) async fn $deregister(call: Call, (id,): (i32,)) -> Result<()> {
            events::deregister(&call.session, About::$about, id)
        }
    )*};
}

/// A network, pool or secret as clients name it: by name, or what else, and UUID.
pub(in crate::rpc) type Named = (String, uuid::Uuid);

events! {
    register_network deregister_network Network Named;
    register_pool deregister_pool StoragePool Named;
    register_device deregister_device NodeDevice (String,);
    register_secret deregister_secret Secret (uuid::Uuid, i32, String);
}
