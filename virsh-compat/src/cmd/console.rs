//! `console`: opens the stream and prepares the terminal; the copying is in [`crate::relay`].

use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::bus::{Bus, BusError, NSVIRT_DOMAIN};
use crate::cmd::{flags, info};
use crate::domain::{self, By, Domain};
use crate::outcome::{Outcome, fail};
use crate::parse::Args;
use crate::relay;
use crate::shell::Shell;
use crate::xml;

/// `console`
pub(crate) fn console(shell: &mut Shell, args: &Args) -> Outcome {
    let domain = domain::find(shell, args, By::ANY)?;
    let device = args.nonempty("devname")?;
    attach(shell, &domain, device, flags(args, &[("force", 1), ("safe", 2)]))
}

/// Attaches the terminal to a domain's console until the user leaves or the console ends.
pub(crate) fn attach(
    shell: &mut Shell,
    domain: &Domain,
    device: Option<&str>,
    flags: u32,
) -> Outcome {
    info::must_run(shell, domain)?;
    if !std::io::stdin().is_terminal() {
        return Err(fail("Cannot run interactive console without a controlling TTY"));
    }
    shell.may("virDomainOpenConsole")?;
    let escape = shell.escape.clone();
    shell.remark(format_args!(
        "Connected to domain '{}'\nEscape character is {escape}\n",
        domain.name
    ));
    shell.flush();
    let device = device.unwrap_or_default();
    let (stream, resizable) = open(shell, domain, device, flags)?;
    let bus = shell.bus()?;
    let resized = |rows: u16, columns: u16| {
        if resizable {
            resize(bus, domain, device, rows, columns);
        }
    };
    relay::run(stream.as_fd(), escape.byte(), resized).map_err(fail)
}

/// The console's descriptor, and whether its size can be set.
fn open(shell: &Shell, domain: &Domain, device: &str, flags: u32) -> Outcome<(OwnedFd, bool)> {
    let opened: Result<zbus::OwnedFd, _> =
        shell.bus()?.call(&domain.path, NSVIRT_DOMAIN, "OpenConsole", &(device, flags));
    match opened {
        Ok(fd) => Ok((fd.into(), true)),
        Err(BusError::Missing(_)) => Ok((open_tty(shell, domain, device, flags)?, false)),
        Err(error) => Err(error.into()),
    }
}

/// libvirt-dbus hands out no consoles, but on the same host the device can be opened by its path.
fn open_tty(shell: &Shell, domain: &Domain, device: &str, flags: u32) -> Outcome<OwnedFd> {
    if flags != 0 {
        return Err(fail("this service opens no consoles, so --force and --safe have no meaning"));
    }
    let consoles = xml::consoles(&domain.xml(shell, 0)?);
    let console = consoles
        .into_iter()
        .find(|console| device.is_empty() || console.alias.as_deref() == Some(device))
        .ok_or_else(|| fail(format!("internal error: cannot find console device '{device}'")))?;
    let tty = console.tty.ok_or_else(|| fail("the console has no terminal device"))?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    rustix::fs::open(&tty, flags, Mode::empty())
        .map_err(|errno| fail(format!("cannot open {tty}: {}", relay::text(errno))))
}

/// A wrong size is a nuisance, no reason to leave the console.
fn resize(bus: &Bus, domain: &Domain, device: &str, rows: u16, columns: u16) {
    let size = (device, u32::from(rows), u32::from(columns));
    let _: Result<(), _> = bus.call(&domain.path, NSVIRT_DOMAIN, "ResizeConsole", &size);
}
