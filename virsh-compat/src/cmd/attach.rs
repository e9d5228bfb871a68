//! Commands that make the XML of a device of their options, and add it.

use std::fmt::Write;
use std::os::unix::fs::FileTypeExt;

use crate::cmd::device::{ATTACH, Meant, change};
use crate::domain::{self, By};
use crate::outcome::{Context, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;

/// XML line by line.
#[derive(Default)]
struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    fn line(&mut self, start: &str, attributes: &[(&str, Option<&str>)], end: &str) {
        let indent = "  ".repeat(self.depth);
        let mut line = format!("{indent}<{start}");
        for (name, value) in attributes {
            if let Some(value) = value {
                // Writing to a string does not fail.
                let _ = write!(line, " {name}='{}'", quick_xml::escape::escape(*value));
            }
        }
        self.text.push_str(&line);
        self.text.push_str(end);
        self.text.push('\n');
    }

    fn open(&mut self, name: &str, attributes: &[(&str, Option<&str>)]) {
        self.line(name, attributes, ">");
        self.depth += 1;
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, Option<&str>)]) {
        self.line(name, attributes, "/>");
    }

    /// Nothing where no attribute is given.
    fn optional(&mut self, name: &str, attributes: &[(&str, Option<&str>)]) {
        if attributes.iter().any(|(_, value)| value.is_some()) {
            self.empty(name, attributes);
        }
    }

    fn leaf(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            let text = quick_xml::escape::escape(text);
            self.line(name, &[], &format!(">{text}</{name}>"));
        }
    }

    fn close(&mut self, name: &str) {
        self.depth = self.depth.saturating_sub(1);
        self.line(&format!("/{name}"), &[], ">");
    }
}

/// `attach-interface`
pub(crate) fn interface(shell: &mut Shell, args: &Args) -> Outcome {
    let meant = Meant::read(args)?;
    let domain = domain::find(shell, args, By::ANY)?;
    let xml = interface_xml(args)?;
    if args.has("print-xml") {
        shell.print(xml);
        return Ok(());
    }
    let flags = meant.flags_of_old(shell, &domain)?;
    change(shell, &domain, ATTACH, &xml, flags)
        .context(|| "Failed to attach interface".to_owned())?;
    shell.remark("Interface attached successfully\n");
    Ok(())
}

fn interface_xml(args: &Args) -> Outcome<String> {
    let kind = args.nonempty("type")?.unwrap_or_default();
    let source = args.nonempty("source")?.unwrap_or_default();
    let text = |name| args.nonempty(name);
    let (target, mac, script) = (text("target")?, text("mac")?, text("script")?);
    let (model, alias, mode) = (text("model")?, text("alias")?, text("source-mode")?);
    if let Some(mode) = mode.filter(|mode| !["server", "client"].contains(mode)) {
        return Err(fail(format!("Invalid source mode: {mode}")));
    }
    let (inbound, outbound) = (text("inbound")?, text("outbound")?);
    let inbound = inbound.map(Rate::parse).transpose()?;
    if inbound.as_ref().is_some_and(|rate| rate.average().is_none() && rate.floor().is_none()) {
        return Err(fail("either inbound average or floor is mandatory"));
    }
    let outbound = outbound.map(Rate::parse).transpose()?;
    if let Some(rate) = &outbound {
        if rate.average().is_none() {
            return Err(fail("outbound average is mandatory"));
        }
        if rate.floor().is_some() {
            return Err(fail("outbound floor is unsupported yet"));
        }
    }
    let mut xml = Lines::default();
    let managed = Some("yes").filter(|_| args.has("managed"));
    xml.open("interface", &[("type", Some(kind)), ("managed", managed)]);
    match kind {
        "network" | "bridge" => xml.empty("source", &[(kind, Some(source))]),
        "direct" => xml.empty("source", &[("dev", Some(source))]),
        "hostdev" => {
            let address = pci_of_host(source).ok_or_else(|| {
                fail(format!("cannot parse pci address '{source}' for network interface"))
            })?;
            xml.open("source", &[]);
            xml.pci(address, false);
            xml.close("source");
        }
        "vhostuser" => {
            let mode = mode.ok_or_else(|| fail("source-mode is mandatory"))?;
            let attributes = [("type", Some("unix")), ("path", Some(source)), ("mode", Some(mode))];
            xml.empty("source", &attributes);
        }
        other => return Err(fail(format!("No support for {other} in command 'attach-interface'"))),
    }
    xml.optional("target", &[("dev", target)]);
    xml.optional("mac", &[("address", mac)]);
    xml.optional("script", &[("path", script)]);
    xml.optional("model", &[("type", model)]);
    xml.optional("alias", &[("name", alias)]);
    if inbound.is_some() || outbound.is_some() {
        xml.open("bandwidth", &[]);
        for (name, rate) in [("inbound", &inbound), ("outbound", &outbound)] {
            if let Some(rate) = rate {
                let fields = rate.0.each_ref().map(Option::as_deref);
                let [average, peak, burst, floor] = fields;
                xml.empty(
                    name,
                    &[("average", average), ("peak", peak), ("burst", burst), ("floor", floor)],
                );
            }
        }
        xml.close("bandwidth");
    }
    xml.close("interface");
    Ok(xml.text)
}

/// A rate as an option gives it: average, peak, burst, floor; 0 is as good as nothing.
struct Rate([Option<String>; 4]);

impl Rate {
    fn parse(text: &str) -> Outcome<Self> {
        const FIELDS: [&str; 4] = ["average", "peak", "burst", "floor"];
        let parts: Vec<&str> = text.split(',').collect();
        let mut rate = Self([None, None, None, None]);
        for ((name, part), slot) in FIELDS.iter().zip(&parts).zip(&mut rate.0) {
            if part.is_empty() {
                continue;
            }
            let number: u64 =
                part.parse().map_err(|_| fail(format!("field '{name}' is malformed")))?;
            *slot = Some(number.to_string()).filter(|_| number != 0);
        }
        if parts.len() > FIELDS.len() {
            return Err(fail(format!("Rate string '{text}' has too many fields")));
        }
        Ok(rate)
    }

    fn average(&self) -> Option<&str> {
        let [average, ..] = &self.0;
        average.as_deref()
    }

    fn floor(&self) -> Option<&str> {
        let [.., floor] = &self.0;
        floor.as_deref()
    }
}

/// `0000:00:03.0`
fn pci_of_host(text: &str) -> Option<[u32; 4]> {
    let (rest, function) = text.split_once('.')?;
    let parts: Vec<&str> = rest.split(':').chain([function]).collect();
    numbers(&parts, 16)
}

/// As many numbers as there are places.
fn numbers<const N: usize>(parts: &[&str], radix: u32) -> Option<[u32; N]> {
    let number = |part: &&str| {
        let digits = if radix == 16 { part.trim_start_matches("0x") } else { part };
        u32::from_str_radix(digits, radix).ok()
    };
    let all: Vec<u32> = parts.iter().take(N).map(number).collect::<Option<_>>()?;
    all.try_into().ok()
}

impl Lines {
    fn pci(&mut self, address: [u32; 4], multifunction: bool) {
        let [domain, bus, slot, function] = address;
        self.empty(
            "address",
            &[
                ("type", Some("pci")),
                ("domain", Some(&format!("0x{domain:04x}"))),
                ("bus", Some(&format!("0x{bus:02x}"))),
                ("slot", Some(&format!("0x{slot:02x}"))),
                ("function", Some(&format!("0x{function:x}"))),
                ("multifunction", Some("on").filter(|_| multifunction)),
            ],
        );
    }
}

/// `attach-disk`
pub(crate) fn disk(shell: &mut Shell, args: &Args) -> Outcome {
    let meant = Meant::read(args)?;
    for (needed, by) in [
        ("source-protocol", "source-host-name"),
        ("source-protocol", "source-host-transport"),
        ("source-protocol", "source-host-socket"),
        ("source-host-transport", "source-host-socket"),
    ] {
        if args.has(by) && !args.has(needed) {
            return Err(fail(format!("Option --{needed} is required by option --{by}")));
        }
    }
    let domain = domain::find(shell, args, By::ANY)?;
    let xml = disk_xml(args)?;
    if args.has("print-xml") {
        shell.print(xml);
        return Ok(());
    }
    let flags = meant.flags_of_old(shell, &domain)?;
    change(shell, &domain, ATTACH, &xml, flags).context(|| "Failed to attach disk".to_owned())?;
    shell.remark("Disk attached successfully\n");
    Ok(())
}

fn disk_xml(args: &Args) -> Outcome<String> {
    // A drive may be without a medium.
    let source = args.text("source").unwrap_or_default();
    let target = args.nonempty("target")?.unwrap_or_default();
    let text = |name| args.nonempty(name);
    let mode = text("mode")?;
    if let Some(mode) = mode.filter(|mode| !["readonly", "shareable"].contains(mode)) {
        return Err(fail(format!("No support for {mode} in command 'attach-disk'")));
    }
    let kind = source_kind(args, source)?;
    let mut xml = Lines::default();
    let rawio = Some("yes").filter(|_| args.has("rawio"));
    xml.open("disk", &[("type", Some(kind)), ("device", text("type")?), ("rawio", rawio)]);
    xml.optional(
        "driver",
        &[
            ("name", text("driver")?),
            ("type", text("subdriver")?),
            ("iothread", text("iothread")?),
            ("cache", text("cache")?),
            ("io", text("io")?),
        ],
    );
    match kind {
        "block" => xml.empty("source", &[("dev", Some(source))]),
        "file" => xml.empty("source", &[("file", Some(source))]),
        _ => network_source(&mut xml, args, source)?,
    }
    xml.empty("target", &[("dev", Some(target)), ("bus", text("targetbus")?)]);
    if let Some(mode) = mode {
        xml.empty(mode, &[]);
    }
    xml.leaf("serial", text("serial")?);
    xml.optional("alias", &[("name", text("alias")?)]);
    xml.leaf("wwn", text("wwn")?);
    if let Some(address) = text("address")? {
        write_address(&mut xml, address, target, args.has("multifunction"))?;
    }
    xml.close("disk");
    Ok(xml.text)
}

fn source_kind(args: &Args, source: &str) -> Outcome<&'static str> {
    let protocol = args.has("source-protocol");
    let kind = match args.nonempty("sourcetype")? {
        Some("block") => "block",
        Some("file") => "file",
        Some("network") => "network",
        Some(other) => return Err(fail(format!("Unknown source type: '{other}'"))),
        None if protocol => "network",
        None => {
            let is_block =
                std::fs::metadata(source).is_ok_and(|it| it.file_type().is_block_device());
            if is_block { "block" } else { "file" }
        }
    };
    if (kind == "network") != protocol {
        return Err(fail("--source-protocol option requires --sourcetype network"));
    }
    Ok(kind)
}

fn network_source(xml: &mut Lines, args: &Args, source: &str) -> Outcome {
    let text = |name| args.nonempty(name);
    let attributes = [("protocol", text("source-protocol")?), ("name", Some(source))];
    let host = text("source-host-name")?;
    let (name, port) = match host.and_then(|host| host.split_once(':')) {
        Some((name, port)) => (Some(name), Some(port)),
        None => (host, None),
    };
    let host = [
        ("transport", text("source-host-transport")?),
        ("name", name),
        ("port", port),
        ("socket", text("source-host-socket")?),
    ];
    if host.iter().all(|(_, value)| value.is_none()) {
        xml.empty("source", &attributes);
    } else {
        xml.open("source", &attributes);
        xml.empty("host", &host);
        xml.close("source");
    }
    Ok(())
}

/// The place of a disk, which has to be of the kind that its target's name means.
fn write_address(xml: &mut Lines, text: &str, target: &str, multifunction: bool) -> Outcome {
    let invalid = || fail("Invalid address.");
    let (kind, rest) = text.split_once(':').ok_or_else(invalid)?;
    let parts: Vec<&str> = rest.split('.').collect();
    let (known, expected): (&[&str], _) = match target.get(..2) {
        Some("vd") => (&["pci", "ccw"], "a pci:0000.00.00.00 or ccw:00.0.0000 address"),
        Some("sd") => {
            (&["scsi", "usb", "sata"], "a scsi:00.00.00 or usb:00.00 or sata:00.00.00 address")
        }
        Some("hd") => (&["ide"], "an ide:00.00.00 address"),
        _ => (&["pci", "ccw", "scsi", "usb", "sata", "ide"], ""),
    };
    let is_known = known.contains(&kind);
    let mut attributes = Vec::new();
    match kind {
        "pci" => {
            let address = numbers(&parts, 16).ok_or_else(invalid)?;
            if is_known {
                xml.pci(address, multifunction);
                return Ok(());
            }
        }
        "ccw" => {
            let [cssid, ssid, devno] = numbers(&parts, 16).ok_or_else(invalid)?;
            attributes.extend([
                ("type", "ccw".to_owned()),
                ("cssid", format!("0x{cssid:02x}")),
                ("ssid", format!("0x{ssid:x}")),
                ("devno", format!("0x{devno:04x}")),
            ]);
        }
        "scsi" | "sata" | "ide" => {
            let [controller, bus, unit] = numbers(&parts, 10).ok_or_else(invalid)?;
            attributes.extend([
                ("type", "drive".to_owned()),
                ("controller", controller.to_string()),
                ("bus", bus.to_string()),
                ("unit", unit.to_string()),
            ]);
        }
        "usb" => {
            let [bus, port] = numbers(&parts, 10).ok_or_else(invalid)?;
            attributes.extend([
                ("type", "usb".to_owned()),
                ("bus", bus.to_string()),
                ("port", port.to_string()),
            ]);
        }
        _ => return Err(invalid()),
    }
    if !is_known {
        return Err(fail(format!("expecting {expected}.")));
    }
    let attributes: Vec<_> =
        attributes.iter().map(|(name, value)| (*name, Some(value.as_str()))).collect();
    xml.empty("address", &attributes);
    Ok(())
}

#[cfg(test)]
mod tests;
