//! Commands that tell about one domain.

use std::collections::HashMap;

use zbus::{OwnedVariant, Variant};

use crate::bus::{Bus, CONNECT, DOMAIN, FromProperty, NSVIRT_DOMAIN, ROOT, innermost};
use crate::domain::{self, By, Domain, RUNNING, SHUTOFF};
use crate::outcome::{Context, Failure, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;
use crate::xml;

/// The tag of the resident set in MemoryStats.
const RSS: i32 = 7;

/// `domid`
pub(crate) fn domid(shell: &mut Shell, args: &Args) -> Outcome {
    let domain = domain::find(shell, args, By::UUID_NAME)?;
    let id = id_text(shell.bus()?, &domain)?;
    shell.print(format_args!("{id}\n"));
    Ok(())
}

/// `domname`
pub(crate) fn domname(shell: &mut Shell, args: &Args) -> Outcome {
    let domain = domain::find(shell, args, By::ID_UUID)?;
    shell.print(format_args!("{}\n", domain.name));
    Ok(())
}

/// `domuuid`
pub(crate) fn domuuid(shell: &mut Shell, args: &Args) -> Outcome {
    let domain = domain::find(shell, args, By::ID_NAME)?;
    shell.print(format_args!("{}\n", domain.uuid()));
    Ok(())
}

/// `domstate`
pub(crate) fn domstate(shell: &mut Shell, args: &Args) -> Outcome {
    let domain = domain::find(shell, args, By::ANY)?;
    let (state, reason) = domain.state(shell)?;
    let name = domain::state_name(state);
    if args.has("reason") {
        let reason = domain::reason_name(state, reason);
        match how_it_ended(shell, &domain, state)? {
            Some(how) => shell.print(format_args!("{name} ({reason}: {how})\n")),
            None => shell.print(format_args!("{name} ({reason})\n")),
        }
    } else {
        shell.print(format_args!("{name}\n"));
    }
    Ok(())
}

/// What virsh has no words for: an end of init that was not as it should be. A service that is not
/// nsvirtd does not tell.
fn how_it_ended(shell: &Shell, domain: &Domain, state: i32) -> Outcome<Option<String>> {
    if state != SHUTOFF {
        return Ok(None);
    }
    let end = shell.bus()?.call::<_, HashMap<String, OwnedVariant>>(
        &domain.path,
        NSVIRT_DOMAIN,
        "GetEnd",
        &(0u32,),
    );
    let end = end.unwrap_or_default();
    let is_plain = end.get("status").and_then(number).unwrap_or_default() == 0
        && !end.contains_key("signal")
        && !end.contains_key("not-restarted");
    let text = end.get("text").and_then(|text| String::from_property(text));
    Ok(text.filter(|_| !is_plain))
}

/// `ttyconsole`: a domain without one is a failure without words.
pub(crate) fn ttyconsole(shell: &mut Shell, args: &Args) -> Outcome {
    let domain = domain::find(shell, args, By::ANY)?;
    let xml = domain.xml(shell, 0)?;
    let tty = xml::consoles(&xml).into_iter().next().and_then(|console| console.tty);
    let tty = tty.ok_or_else(Failure::default)?;
    shell.print(format_args!("{tty}\n"));
    Ok(())
}

/// An inactive domain has no id.
fn id_text(bus: &Bus, domain: &Domain) -> Outcome<String> {
    let active: bool = bus.property(&domain.path, DOMAIN, "Active")?;
    if !active {
        return Ok("-".to_owned());
    }
    let id: u64 = bus.property(&domain.path, DOMAIN, "Id")?;
    Ok(id.to_string())
}

/// `dominfo`
pub(crate) fn dominfo(shell: &mut Shell, args: &Args) -> Outcome {
    let domain = domain::find(shell, args, By::ANY)?;
    let facts = facts(shell, &domain)?;
    for (label, value) in facts {
        shell.print(format_args!("{:<15} {value}\n", format!("{label}:")));
    }
    Ok(())
}

fn facts(shell: &Shell, domain: &Domain) -> Outcome<Vec<(&'static str, String)>> {
    let bus = shell.bus()?;
    let (state, _) = domain.state(shell)?;
    let os_type: String = bus.property(&domain.path, DOMAIN, "OSType")?;
    let mut facts = vec![
        ("Id", id_text(bus, domain)?),
        ("Name", domain.name.clone()),
        ("UUID", domain.uuid()),
        ("OS Type", os_type),
        ("State", domain::state_name(state).to_owned()),
    ];
    let usage = Usage::read(shell, domain, state != SHUTOFF)?;
    facts.push(("CPU(s)", usage.vcpus.to_string()));
    // Nanoseconds; a domain that never ran has none to show.
    if let Some(nanos) = usage.cpu_time.filter(|nanos| *nanos != 0) {
        facts.push(("CPU time", format!("{:.1}s", nanos as f64 / 1e9)));
    }
    facts.push(("Max memory", format!("{} KiB", usage.memory_limit)));
    facts.push(("Used memory", format!("{} KiB", usage.memory)));
    facts.extend(settings(bus, domain)?);
    facts.extend(security(bus, domain, state == RUNNING));
    Ok(facts)
}

fn settings(bus: &Bus, domain: &Domain) -> Outcome<Vec<(&'static str, String)>> {
    let persistent: bool = bus.property(&domain.path, DOMAIN, "Persistent")?;
    let autostart: bool = bus.property(&domain.path, DOMAIN, "Autostart")?;
    let saved = match bus.call(&domain.path, DOMAIN, "HasManagedSaveImage", &(0u32,)) {
        Ok(true) => "yes",
        Ok(false) => "no",
        Err(_) => "unknown",
    };
    Ok(vec![
        ("Persistent", if persistent { "yes" } else { "no" }.to_owned()),
        ("Autostart", if autostart { "enable" } else { "disable" }.to_owned()),
        ("Managed save", saved.to_owned()),
    ])
}

/// The security lines are an extra: a service without them has a shorter list.
fn security(bus: &Bus, domain: &Domain, running: bool) -> Vec<(&'static str, String)> {
    let model = bus.call::<_, (String, String)>(ROOT, CONNECT, "NodeGetSecurityModel", &());
    let (model, doi) = match model {
        Ok(pair) if !pair.0.is_empty() => pair,
        _ => return Vec::new(),
    };
    let confined = running && model != "none";
    let mut lines = vec![("Security model", model), ("Security DOI", doi)];
    if confined {
        let labels =
            bus.call::<_, Vec<(String, bool)>>(&domain.path, DOMAIN, "GetSecurityLabelList", &());
        if let Some((label, enforcing)) = labels.ok().and_then(|all| all.into_iter().next())
            && !label.is_empty()
        {
            let mode = if enforcing { "enforcing" } else { "permissive" };
            lines.push(("Security label", format!("{label} ({mode})")));
        }
    }
    lines
}

/// What a domain uses and may use.
#[derive(Debug, Default)]
struct Usage {
    vcpus: u64,
    cpu_time: Option<u64>,
    memory: u64,
    memory_limit: u64,
}

impl Usage {
    /// From the statistics where the service has them, from the XML where not.
    fn read(shell: &Shell, domain: &Domain, active: bool) -> Outcome<Self> {
        let bus = shell.bus()?;
        let stats = bus
            .call::<_, HashMap<String, OwnedVariant>>(
                &domain.path,
                DOMAIN,
                "GetStats",
                &(0u32, 0u32),
            )
            .unwrap_or_default();
        let stat = |key: &str| stats.get(key).and_then(number);
        let resident = if active { resident(bus, domain) } else { None };
        let mut usage = Self { cpu_time: stat("cpu.time"), ..Self::default() };
        let known = (stat("vcpu.current"), stat("balloon.maximum"), stat("balloon.current"));
        if let (Some(vcpus), Some(limit), Some(current)) = known {
            usage.vcpus = vcpus;
            usage.memory_limit = limit;
            usage.memory = resident.unwrap_or(current);
            return Ok(usage);
        }
        let xml = domain.xml(shell, 0)?;
        usage.vcpus = xml::number(&xml, &["domain", "vcpu"]).unwrap_or(1);
        usage.memory_limit = xml::number(&xml, &["domain", "memory"]).unwrap_or(0);
        let current = xml::number(&xml, &["domain", "currentMemory"]);
        usage.memory = resident.or(current).unwrap_or(usage.memory_limit);
        Ok(usage)
    }
}

fn number(value: &OwnedVariant) -> Option<u64> {
    let value: &Variant<'_> = value;
    u64::from_property(innermost(value))
}

/// Memory in use, in KiB.
fn resident(bus: &Bus, domain: &Domain) -> Option<u64> {
    let stats: HashMap<i32, u64> = bus.call(&domain.path, DOMAIN, "MemoryStats", &(0u32,)).ok()?;
    stats.get(&RSS).copied()
}

/// Whether a domain runs, for commands that need it to.
pub(crate) fn must_run(shell: &Shell, domain: &Domain) -> Outcome {
    let (state, _) = domain.state(shell).context(|| "Unable to get domain status".to_owned())?;
    if state == SHUTOFF {
        return Err(fail("The domain is not running"));
    }
    Ok(())
}
