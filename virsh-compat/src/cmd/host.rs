//! Commands about the connection and the host.

use crate::bus::{CONNECT, NSVIRT_CONNECT, ROOT};
use crate::outcome::{Context, Outcome};
use crate::parse::Args;
use crate::shell::Shell;

/// `uri`
pub(crate) fn uri(shell: &mut Shell, _: &Args) -> Outcome {
    shell.print("lxc:///system\n");
    Ok(())
}

/// `hostname`
pub(crate) fn hostname(shell: &mut Shell, _: &Args) -> Outcome {
    let name: String = shell
        .bus()?
        .property(ROOT, CONNECT, "Hostname")
        .context(|| "failed to get hostname".to_owned())?;
    shell.print(format_args!("{name}\n"));
    Ok(())
}

/// `version`: the service is the only library here, so its version stands in all lines.
pub(crate) fn version(shell: &mut Shell, args: &Args) -> Outcome {
    let bus = shell.bus()?;
    let library: u64 = bus
        .property(ROOT, CONNECT, "LibVersion")
        .context(|| "failed to get the library version".to_owned())?;
    let hypervisor: u64 = bus
        .property(ROOT, CONNECT, "Version")
        .context(|| "failed to get the hypervisor version".to_owned())?;
    let library = dotted(library);
    shell.print(format_args!("Compiled against library: libvirt {library}\n"));
    shell.print(format_args!("Using library: libvirt {library}\n"));
    shell.print(format_args!("Using API: LXC {library}\n"));
    shell.print(format_args!("Running hypervisor: LXC {}\n", dotted(hypervisor)));
    if args.has("daemon") {
        shell.print(format_args!("Running against daemon: {library}\n"));
    }
    Ok(())
}

/// `capabilities`
pub(crate) fn capabilities(shell: &mut Shell, _: &Args) -> Outcome {
    let xml: String = shell
        .bus()?
        .call(ROOT, CONNECT, "GetCapabilities", &())
        .context(|| "failed to get capabilities".to_owned())?;
    shell.print(format_args!("{xml}\n"));
    Ok(())
}

/// `domcapabilities`
pub(crate) fn domcapabilities(shell: &mut Shell, args: &Args) -> Outcome {
    let what = || "failed to get emulator capabilities".to_owned();
    let text = |name| args.nonempty(name).map(Option::unwrap_or_default);
    let (virttype, emulator) = (text("virttype")?, text("emulatorbin")?);
    let (arch, machine) = (text("arch")?, text("machine")?);
    shell.may("virConnectGetDomainCapabilities").context(what)?;
    let body = (emulator, arch, machine, virttype, 0_u32);
    let xml: String =
        shell.bus()?.call(ROOT, CONNECT, "GetDomainCapabilities", &body).context(what)?;
    shell.print(format_args!("{xml}\n"));
    Ok(())
}

/// The host in numbers, as `NodeGetInfo` has them.
type Node = (String, u64, u32, u32, u32, u32, u32, u32);

/// `nodeinfo`
pub(crate) fn nodeinfo(shell: &mut Shell, _: &Args) -> Outcome {
    let (node,): (Node,) = shell
        .bus()?
        .call(ROOT, NSVIRT_CONNECT, "NodeGetInfo", &())
        .context(|| "failed to get node information".to_owned())?;
    let (model, memory, cpus, mhz, nodes, sockets, cores, threads) = node;
    for (label, value) in [
        ("CPU model:", model),
        ("CPU(s):", cpus.to_string()),
        ("CPU frequency:", format!("{mhz} MHz")),
        ("CPU socket(s):", sockets.to_string()),
        ("Core(s) per socket:", cores.to_string()),
        ("Thread(s) per core:", threads.to_string()),
        ("NUMA cell(s):", nodes.to_string()),
        ("Memory size:", format!("{memory} KiB")),
    ] {
        shell.print(format_args!("{label:<20} {value}\n"));
    }
    Ok(())
}

/// libvirt packs a version into one number, three digits for each of the lower parts.
fn dotted(version: u64) -> String {
    format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000)
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions() {
        assert_eq!(super::dotted(9_000_000), "9.0.0");
        assert_eq!(super::dotted(6_018_044), "6.18.44");
    }
}
