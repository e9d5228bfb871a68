//! `org.nsvirt.Connect1`: what libvirt-dbus lacks, flags of definitions and configurations of other
//! programs.

use zbus::Message;

use super::connect::path;
use super::fault::{Fault, arguments, reply};
use crate::driver::{Driver, NodeInfo};

pub(super) const INTERFACE: &str = "org.nsvirt.Connect1";

pub(super) async fn call(driver: &Driver, member: &str, call: &Message) -> Result<Message, Fault> {
    let converted = match member {
        "DomainDefineXMLFlags" => {
            let (xml, flags): (String, u32) = arguments(call)?;
            return reply(call, &path(&*driver.define(&xml, flags).await?)?);
        }
        "DomainXMLFromNative" => {
            let (format, config, flags): (String, String, u32) = arguments(call)?;
            driver.domain_xml_from_native(&format, &config, flags)?
        }
        "DomainXMLToNative" => {
            let (format, xml, flags): (String, String, u32) = arguments(call)?;
            driver.domain_xml_to_native(&format, &xml, flags)?
        }
        "NodeGetInfo" => {
            arguments::<()>(call)?;
            let NodeInfo { model, memory, cpus, mhz, nodes, sockets, cores, threads } =
                driver.node_info();
            let info = (model, memory, cpus, mhz, nodes, sockets, cores, threads);
            return reply(call, &(info,));
        }
        _ => return Err(Fault::UnknownMethod(member.to_owned())),
    };
    reply(call, &(converted.text, converted.notes))
}
