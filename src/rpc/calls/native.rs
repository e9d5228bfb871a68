//! Configurations of other programs.

use super::super::connection::Call;
use crate::driver::Converted;
use crate::error::Result;

pub(in crate::rpc) async fn from_native(
    call: Call,
    (format, config, flags): (String, String, u32),
) -> Result<(String,)> {
    Ok((told(call.driver().domain_xml_from_native(&format, &config, flags)?),))
}

pub(in crate::rpc) async fn to_native(
    call: Call,
    (format, xml, flags): (String, String, u32),
) -> Result<(String,)> {
    Ok((told(call.driver().domain_xml_to_native(&format, &xml, flags)?),))
}

/// The protocol has no room for what could not be carried over; the log has.
fn told(converted: Converted) -> String {
    for note in &converted.notes {
        tracing::warn!("not carried over: {note}");
    }
    converted.text
}
