//! Commands about the connection and the host.

use crate::bus::{CONNECT, ROOT};
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
