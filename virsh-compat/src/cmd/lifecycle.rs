//! Commands that change what domains are and do.

use zbus::OwnedObjectPath;

use crate::bus::{BusError, CONNECT, DOMAIN, NSVIRT_CONNECT, ROOT};
use crate::cmd::{VALIDATE, console, exclusive, flags, read_file};
use crate::domain::{self, By, Domain};
use crate::outcome::{Context, Outcome, fail};
use crate::parse::Args;
use crate::shell::Shell;

/// Start flags that `create` and `start` share, by the names of their options.
const START_FLAGS: &[(&str, u32)] =
    &[("paused", 1), ("autodestroy", 2), ("bypass-cache", 4), ("force-boot", 8), ("validate", 16)];
const FORCE_BOOT: u32 = 8;

/// `define`
pub(crate) fn define(shell: &mut Shell, args: &Args) -> Outcome {
    let (file, xml) = document(args)?;
    let what = || format!("Failed to define domain from {file}");
    shell.may("virDomainDefineXML").context(what)?;
    let bus = shell.bus()?;
    let defined = match args.has("validate") {
        true => bus.call(ROOT, NSVIRT_CONNECT, "DomainDefineXMLFlags", &(xml, VALIDATE)),
        false => bus.call(ROOT, CONNECT, "DomainDefineXML", &(xml,)),
    };
    let path: OwnedObjectPath = defined
        .map_err(|error| match error {
            // To store what was not checked as asked would be worse than this.
            BusError::Missing(_) => fail("option --validate has no equivalent in this API"),
            error => error.into(),
        })
        .context(what)?;
    let name = name_of(shell, &path)?;
    shell.remark(format_args!("Domain '{name}' defined from {file}\n"));
    Ok(())
}

/// `create`
pub(crate) fn create(shell: &mut Shell, args: &Args) -> Outcome {
    let (file, xml) = document(args)?;
    let what = || format!("Failed to create domain from {file}");
    shell.may("virDomainCreateXML").context(what)?;
    let flags = flags(args, START_FLAGS);
    let path: OwnedObjectPath =
        shell.bus()?.call(ROOT, CONNECT, "DomainCreateXML", &(xml, flags)).context(what)?;
    let name = name_of(shell, &path)?;
    shell.remark(format_args!("Domain '{name}' created from {file}\n"));
    if args.has("console") {
        // The domain was created, and that alone is what the exit status is about.
        let domain = Domain { path: path.as_str().to_owned(), name };
        if let Err(failure) = console::attach(shell, &domain, None, 0) {
            shell.report(&failure);
        }
    }
    Ok(())
}

fn name_of(shell: &Shell, path: &OwnedObjectPath) -> Outcome<String> {
    Ok(shell.bus()?.property(path.as_str(), DOMAIN, "Name")?)
}

fn document(args: &Args) -> Outcome<(&str, String)> {
    let file = args.nonempty("file")?.unwrap_or_default();
    Ok((file, read_file(file)?))
}

/// `start`
pub(crate) fn start(shell: &mut Shell, args: &Args) -> Outcome {
    let domain = domain::find(shell, args, By::UUID_NAME)?;
    if shell.bus()?.property(&domain.path, DOMAIN, "Active")? {
        return Err(fail("Domain is already active"));
    }
    let what = || format!("Failed to start domain '{}'", domain.name);
    shell.may("virDomainCreate").context(what)?;
    let flags = without_saved_state(shell, &domain, flags(args, START_FLAGS));
    let (): () = shell.bus()?.call(&domain.path, DOMAIN, "Create", &(flags,)).context(what)?;
    shell.remark(format_args!("Domain '{}' started\n", domain.name));
    if args.has("console") {
        console::attach(shell, &domain, None, 0)?;
    }
    Ok(())
}

/// A boot need not be forced where there is no saved state, and not every driver knows the flag.
fn without_saved_state(shell: &Shell, domain: &Domain, flags: u32) -> u32 {
    let saved = shell
        .bus()
        .and_then(|bus| Ok(bus.call(&domain.path, DOMAIN, "HasManagedSaveImage", &(0u32,))?));
    if flags & FORCE_BOOT != 0 && saved == Ok(false) { flags & !FORCE_BOOT } else { flags }
}

/// `undefine`
pub(crate) fn undefine(shell: &mut Shell, args: &Args) -> Outcome {
    exclusive(args, "nvram", "keep-nvram")?;
    exclusive(args, "tpm", "keep-tpm")?;
    let domain = domain::find(shell, args, By::ANY)?;
    let what = || format!("Failed to undefine domain '{}'", domain.name);
    shell.may("virDomainUndefineFlags").context(what)?;
    // The other options speak of things that containers never have. virsh tries without their
    // flags once the driver refuses them, so they are not sent at all.
    let flags = flags(args, &[("nvram", 4)]);
    let (): () = shell.bus()?.call(&domain.path, DOMAIN, "Undefine", &(flags,)).context(what)?;
    shell.remark(format_args!("Domain '{}' has been undefined\n", domain.name));
    Ok(())
}

/// `autostart`
pub(crate) fn autostart(shell: &mut Shell, args: &Args) -> Outcome {
    let domain = domain::find(shell, args, By::ANY)?;
    let enable = !args.has("disable");
    let (verb, done) = if enable { ("mark", "marked") } else { ("unmark", "unmarked") };
    let what = || format!("Failed to {verb} domain '{}' as autostarted", domain.name);
    shell.may("virDomainSetAutostart").context(what)?;
    shell.bus()?.set_flag(&domain.path, DOMAIN, "Autostart", enable).context(what)?;
    shell.remark(format_args!("Domain '{}' {done} as autostarted\n", domain.name));
    Ok(())
}

/// A call without an answer, with what is said before and after it.
struct Action {
    method: &'static str,
    api: &'static str,
    verb: &'static str,
    done: &'static str,
}

impl Action {
    fn run(&self, shell: &mut Shell, domain: &Domain, flags: Option<u32>) -> Outcome {
        let what = || format!("Failed to {} domain '{}'", self.verb, domain.name);
        shell.may(self.api).context(what)?;
        let bus = shell.bus()?;
        let result: Result<(), _> = match flags {
            Some(flags) => bus.call(&domain.path, DOMAIN, self.method, &(flags,)),
            None => bus.call(&domain.path, DOMAIN, self.method, &()),
        };
        result.context(what)?;
        shell.remark(format_args!("Domain '{}' {}\n", domain.name, self.done));
        Ok(())
    }
}

/// `destroy`
pub(crate) fn destroy(shell: &mut Shell, args: &Args) -> Outcome {
    let action =
        Action { method: "Destroy", api: "virDomainDestroy", verb: "destroy", done: "destroyed" };
    let domain = domain::find(shell, args, By::ANY)?;
    action.run(shell, &domain, Some(flags(args, &[("graceful", 1)])))
}

/// `suspend`
pub(crate) fn suspend(shell: &mut Shell, args: &Args) -> Outcome {
    let action =
        Action { method: "Suspend", api: "virDomainSuspend", verb: "suspend", done: "suspended" };
    let domain = domain::find(shell, args, By::ANY)?;
    action.run(shell, &domain, None)
}

/// `resume`
pub(crate) fn resume(shell: &mut Shell, args: &Args) -> Outcome {
    let action =
        Action { method: "Resume", api: "virDomainResume", verb: "resume", done: "resumed" };
    let domain = domain::find(shell, args, By::ANY)?;
    action.run(shell, &domain, None)
}

/// `shutdown`
pub(crate) fn shutdown(shell: &mut Shell, args: &Args) -> Outcome {
    let action = Action {
        method: "Shutdown",
        api: "virDomainShutdown",
        verb: "shutdown",
        done: "is being shutdown",
    };
    let flags = modes(args, "'acpi', 'agent', 'initctl', 'signal', or 'paravirt'")?;
    let domain = domain::find(shell, args, By::ANY)?;
    action.run(shell, &domain, Some(flags))
}

/// `reboot`
pub(crate) fn reboot(shell: &mut Shell, args: &Args) -> Outcome {
    let action = Action {
        method: "Reboot",
        api: "virDomainReboot",
        verb: "reboot",
        done: "is being rebooted",
    };
    let flags = modes(args, "'acpi', 'agent', 'initctl', 'signal' or 'paravirt'")?;
    let domain = domain::find(shell, args, By::ANY)?;
    action.run(shell, &domain, Some(flags))
}

/// The ways to shut down or reboot; libvirt numbers them alike for both.
fn modes(args: &Args, expected: &str) -> Outcome<u32> {
    const MODES: &[(&str, u32)] =
        &[("acpi", 1), ("agent", 2), ("initctl", 4), ("signal", 8), ("paravirt", 16)];
    let mut flags = 0;
    for word in args.nonempty("mode")?.iter().flat_map(|text| text.split(',')) {
        match MODES.iter().find(|(name, _)| *name == word) {
            Some((_, bit)) => flags |= bit,
            None => {
                return Err(fail(format!("Unknown mode {word} value, expecting {expected}")));
            }
        }
    }
    Ok(flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn args(line: &str) -> Args {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        parse(&words).unwrap()
    }

    #[test]
    fn modes_add_up() {
        assert_eq!(modes(&args("shutdown c1"), ""), Ok(0));
        assert_eq!(modes(&args("shutdown c1 initctl,signal"), ""), Ok(12));
        let failure = modes(&args("shutdown c1 --mode x"), "'acpi'").unwrap_err();
        assert_eq!(failure.lines, ["Unknown mode x value, expecting 'acpi'"]);
    }

    #[test]
    fn start_flags() {
        assert_eq!(flags(&args("start c1 --paused --force-boot"), START_FLAGS), 9);
        assert_eq!(flags(&args("create f --validate --autodestroy"), START_FLAGS), 18);
    }
}
