//! Commands that add devices to domains, take them away, or change them, from XML.

use crate::bus::DOMAIN;
use crate::cmd::{exclusive, flags, read_file};
use crate::domain::{self, By, Domain};
use crate::outcome::{Context, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;
use crate::xpath::{self, Device};

const LIVE: u32 = 1;
const CONFIG: u32 = 2;
const FORCE: u32 = 4;
/// Of the XML: as it will start next.
const INACTIVE: u32 = 2;

/// The words of a change: the service's method, libvirt's call, what is being and was done.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    method: &'static str,
    call: &'static str,
    verb: &'static str,
    done: &'static str,
}

/// A device comes.
pub(crate) const ATTACH: Change = Change {
    method: "AttachDevice",
    call: "virDomainAttachDevice",
    verb: "attach",
    done: "attached",
};

/// A device goes.
pub(crate) const DETACH: Change = Change {
    method: "DetachDevice",
    call: "virDomainDetachDevice",
    verb: "detach",
    done: "detached",
};

const UPDATE: Change = Change {
    method: "UpdateDevice",
    call: "virDomainUpdateDeviceFlags",
    verb: "update",
    done: "updated",
};

/// What the options say about which of the domain's documents is meant.
pub(crate) struct Meant {
    live: bool,
    config: bool,
    current: bool,
    persistent: bool,
}

impl Meant {
    /// Reads the options; some exclude each other.
    pub(crate) fn read(args: &Args) -> Outcome<Self> {
        for other in ["persistent", "live", "config"] {
            let (one, other) =
                if other == "persistent" { (other, "current") } else { ("current", other) };
            exclusive(args, one, other)?;
        }
        let [live, config, current, persistent] =
            ["live", "config", "current", "persistent"].map(|name| args.has(name));
        Ok(Self { live, config: config || persistent, current, persistent })
    }

    /// The flags for a domain: what is to persist is done to one that runs as well.
    pub(crate) fn flags(&self, shell: &Shell, domain: &Domain) -> Outcome<u32> {
        let runs =
            self.persistent && shell.bus()?.property::<bool>(&domain.path, DOMAIN, "Active")?;
        let live = if self.live || runs { LIVE } else { 0 };
        Ok(live | if self.config { CONFIG } else { 0 })
    }

    /// The same for the calls of old, which mean a domain that runs where nothing is said.
    pub(crate) fn flags_of_old(&self, shell: &Shell, domain: &Domain) -> Outcome<u32> {
        match self.flags(shell, domain)? {
            0 if !self.current => Ok(LIVE),
            flags => Ok(flags),
        }
    }
}

/// Has the service do it.
pub(crate) fn change(
    shell: &Shell,
    domain: &Domain,
    change: Change,
    xml: &str,
    flags: u32,
) -> Outcome {
    shell.may(change.call)?;
    Ok(shell.bus()?.call(&domain.path, DOMAIN, change.method, &(xml, flags))?)
}

/// `attach-device`
pub(crate) fn attach(shell: &mut Shell, args: &Args) -> Outcome {
    from_file(shell, args, ATTACH)
}

/// `detach-device`
pub(crate) fn detach(shell: &mut Shell, args: &Args) -> Outcome {
    from_file(shell, args, DETACH)
}

/// `update-device`
pub(crate) fn update(shell: &mut Shell, args: &Args) -> Outcome {
    from_file(shell, args, UPDATE)
}

fn from_file(shell: &mut Shell, args: &Args, what: Change) -> Outcome {
    let meant = Meant::read(args)?;
    let domain = domain::find(shell, args, By::ANY)?;
    let file = args.nonempty("file")?.unwrap_or_default();
    let xml = read_file(file)?;
    let flags = match what.method {
        "UpdateDevice" => meant.flags(shell, &domain)? | flags(args, &[("force", FORCE)]),
        _ => meant.flags_of_old(shell, &domain)?,
    };
    change(shell, &domain, what, &xml, flags)
        .context(|| format!("Failed to {} device from {file}", what.verb))?;
    shell.remark(format_args!("Device {} successfully\n", what.done));
    Ok(())
}

/// `detach-device-alias`
pub(crate) fn detach_alias(shell: &mut Shell, args: &Args) -> Outcome {
    let meant = Meant::read(args)?;
    let domain = domain::find(shell, args, By::ANY)?;
    let alias = args.nonempty("alias")?.unwrap_or_default();
    let flags = meant.flags(shell, &domain)?;
    let document = domain.xml(shell, if flags == CONFIG { INACTIVE } else { 0 })?;
    let failed = || format!("Failed to detach device with alias {alias}");
    let devices = xpath::devices(&document, None)?;
    let found = devices.iter().find(|device| device.get("alias@name") == Some(alias));
    let missing = || fail(format!("device not found: no device found with alias {alias}"));
    let device = found.ok_or_else(missing).context(failed)?;
    change(shell, &domain, DETACH, &device.text, flags).context(failed)?;
    shell.remark("Device detach request sent successfully\n");
    Ok(())
}

/// `detach-interface`
pub(crate) fn detach_interface(shell: &mut Shell, args: &Args) -> Outcome {
    const FAILED: &str = "Failed to detach interface";
    let meant = Meant::read(args)?;
    let domain = domain::find(shell, args, By::ANY)?;
    let after = |failure: crate::outcome::Failure| {
        let mut failure = failure;
        failure.lines.push(FAILED.to_owned());
        failure
    };
    let kind = args.nonempty("type").map_err(|line| after(line.into()))?.unwrap_or_default();
    let mac = args.nonempty("mac").map_err(|line| after(line.into()))?;
    let flags = meant.flags(shell, &domain)?;
    // Each of the documents may have it in another way.
    for part in if flags == LIVE | CONFIG { vec![CONFIG, LIVE] } else { vec![flags] } {
        let document = domain.xml(shell, if part == CONFIG { INACTIVE } else { 0 })?;
        let devices = xpath::devices(&document, Some("interface"))?;
        let device = interface(&devices, kind, mac).map_err(|line| after(line.into()))?;
        if args.has("print-xml") {
            shell.print(&device.text);
            continue;
        }
        let part = if part == 0 && !meant.current { LIVE } else { part };
        change(shell, &domain, DETACH, &device.text, part).context(|| FAILED.to_owned())?;
    }
    if !args.has("print-xml") {
        shell.remark("Interface detached successfully\n");
    }
    Ok(())
}

fn interface<'a>(
    devices: &'a [Device],
    kind: &str,
    mac: Option<&str>,
) -> Result<&'a Device, String> {
    let of_kind: Vec<_> = devices.iter().filter(|it| it.get("@type") == Some(kind)).collect();
    let Some(mac) = mac else {
        return match &of_kind[..] {
            [] => Err(format!("No interface found whose type is {kind}")),
            [one] => Ok(one),
            all => Err(format!(
                "Domain has {} interfaces. Please specify which one to detach using --mac",
                all.len()
            )),
        };
    };
    let has_mac =
        |it: &Device| it.get("mac@address").is_some_and(|own| own.eq_ignore_ascii_case(mac));
    if of_kind.is_empty() {
        return Err(format!("No interface found whose type is {kind}"));
    }
    let mut found = of_kind.into_iter().filter(|it| has_mac(it));
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(format!("No interface with MAC address {mac} was found")),
        (Some(_), Some(_)) => Err(format!(
            "Domain has multiple interfaces matching MAC address {mac}. You must use \
             detach-device and specify the device pci address to remove it."
        )),
    }
}

/// `detach-disk`
pub(crate) fn detach_disk(shell: &mut Shell, args: &Args) -> Outcome {
    let meant = Meant::read(args)?;
    let domain = domain::find(shell, args, By::ANY)?;
    let target = args.nonempty("target")?.unwrap_or_default();
    let flags = meant.flags(shell, &domain)?;
    let document = domain.xml(shell, if flags == CONFIG { INACTIVE } else { 0 })?;
    let disks = xpath::devices(&document, Some("disk"))?;
    let keys = ["target@dev", "source@file", "source@dev", "source@dir", "source@name"];
    let is_it = |disk: &&Device| keys.iter().any(|key| disk.get(key) == Some(target));
    let missing = || fail(format!("No disk found whose source path or target is {target}"));
    let disk = disks.iter().find(is_it).ok_or_else(missing)?;
    if args.has("print-xml") {
        shell.print(&disk.text);
        return Ok(());
    }
    let flags = meant.flags_of_old(shell, &domain)?;
    change(shell, &domain, DETACH, &disk.text, flags)
        .context(|| "Failed to detach disk".to_owned())?;
    shell.remark("Disk detached successfully\n");
    Ok(())
}
