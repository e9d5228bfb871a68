//! SCSI devices and host adapters; not for containers.

use crate::error::{Error, ErrorCode, Result};
use crate::model::devices::storage;
use crate::model::digits::c_number_attr;
use crate::model::read::{internal, number, required};
use crate::model::shape;
use crate::xml::Element;

/// The source of a SCSI device: an adapter and an address on it, or iSCSI.
pub(super) fn device(source: &Element) -> Result<Element> {
    match source.attr("protocol") {
        None | Some("adapter") => adapter(source),
        Some("iscsi") => iscsi(source),
        Some(other) => Err(source.unsupported(format_args!(
            "Unknown SCSI subsystem protocol '{other}': expected adapter or iscsi"
        ))),
    }
}

fn adapter(source: &Element) -> Result<Element> {
    let Some(address) = source.child("address") else {
        return Err(source.error("'address' must be specified for scsi hostdev source"));
    };
    let mut numbers = Vec::new();
    for name in ["bus", "target"] {
        let number: u32 = required(address, name, c_number_attr(address, name)?)?;
        numbers.push((name, number.to_string()));
    }
    let unit: u64 = required(address, "unit", c_number_attr(address, "unit")?)?;
    numbers.push(("unit", unit.to_string()));
    let name = source.child("adapter").and_then(|adapter| adapter.attr("name"));
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(source.error("'adapter' name must be specified for scsi hostdev source"));
    };
    let adapter = shape::element("adapter", &[("name", name.to_owned())], Vec::new());
    let address = shape::element("address", &numbers, Vec::new());
    Ok(shape::element("source", &[], vec![adapter, address]))
}

fn iscsi(source: &Element) -> Result<Element> {
    let Some(name) = source.attr("name") else {
        return Err(source.error("missing iSCSI hostdev source path name"));
    };
    // The unit is a part of the name.
    let name = if name.contains('/') { name.to_owned() } else { format!("{name}/0") };
    let mut hosts = source.children_named("host");
    let Some(host) = hosts.next() else {
        return Err(source.error("missing the host address for the iSCSI hostdev"));
    };
    if let Some(second) = hosts.next() {
        return Err(
            second.error("only one source host address may be specified for the iSCSI hostdev")
        );
    }
    let mut children = vec![iscsi_host(host)?];
    if let Some(auth) = source.child("auth") {
        children.push(iscsi_auth(auth)?);
    }
    let initiator = source.child("initiator").and_then(|initiator| initiator.child("iqn"));
    if let Some(name) = initiator.and_then(|iqn| iqn.attr("name")).filter(|name| !name.is_empty()) {
        let iqn = shape::element("iqn", &[("name", name.to_owned())], Vec::new());
        children.push(shape::element("initiator", &[], vec![iqn]));
    }
    Ok(shape::element("source", &[("protocol", "iscsi".to_owned()), ("name", name)], children))
}

fn iscsi_host(host: &Element) -> Result<Element> {
    match host.attr("transport") {
        None | Some("tcp" | "rdma") => {}
        Some(other) => {
            return Err(host.unsupported(format_args!(
                "unknown protocol transport type '{other}': expected tcp or rdma"
            )));
        }
    }
    if host.attr("socket").is_some() {
        return Err(host.error("transport 'tcp' does not support socket attribute"));
    }
    let Some(name) = host.attr("name").filter(|name| !name.is_empty()) else {
        return Err(host.error("missing name for host: expected <host name='...'/>"));
    };
    let mut attributes = vec![("name", name.to_owned())];
    if let Some(text) = host.attr("port") {
        let port: u16 = number(text).ok_or_else(|| {
            let detail = format!("failed to parse port number '{text}': expected 0 to 65535");
            Error::in_document(ErrorCode::InvalidArg, host.line, detail)
        })?;
        attributes.extend(Some(("port", port.to_string())).filter(|_| port != 0));
    }
    Ok(shape::element("host", &attributes, Vec::new()))
}

fn iscsi_auth(auth: &Element) -> Result<Element> {
    let kept = storage::auth(auth)?;
    match storage::kind_of_secret(auth)? {
        "iscsi" => Ok(kept),
        kind => Err(internal(
            auth,
            format_args!("hostdev invalid secret type '{kind}': expected iscsi"),
        )),
    }
}

/// The source of a SCSI host adapter.
pub(super) fn host(source: &Element) -> Result<Element> {
    match source.attr("protocol") {
        Some("vhost") => {}
        None => {
            return Err(source.error("Missing scsi_host subsystem protocol: expected vhost"));
        }
        Some(other) => {
            return Err(source.unsupported(format_args!(
                "Unknown scsi_host subsystem protocol '{other}': expected vhost"
            )));
        }
    }
    let Some(wwpn) = source.attr("wwpn") else {
        return Err(source.error("missing vhost-scsi hostdev source wwpn"));
    };
    let digits = wwpn.strip_prefix("naa.").unwrap_or_default();
    if digits.len() != 16 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(source.error(format_args!(
            "malformed 'wwpn' value '{wwpn}': expected naa. and 16 hexadecimal digits"
        )));
    }
    let attributes = [("protocol", "vhost".to_owned()), ("wwpn", wwpn.to_owned())];
    Ok(shape::element("source", &attributes, Vec::new()))
}
