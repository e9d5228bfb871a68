//! The key names before LXC 2.1, and those since.

/// Old and new name of a key.
const RENAMED: &[(&str, &str)] = &[
    ("lxc.aa_allow_incomplete", "lxc.apparmor.allow_incomplete"),
    ("lxc.aa_profile", "lxc.apparmor.profile"),
    ("lxc.console", "lxc.console.path"),
    ("lxc.console.logpath", "lxc.console.logfile"),
    ("lxc.devttydir", "lxc.tty.dir"),
    ("lxc.haltsignal", "lxc.signal.halt"),
    ("lxc.id_map", "lxc.idmap"),
    ("lxc.init_cmd", "lxc.init.cmd"),
    ("lxc.init_gid", "lxc.init.gid"),
    ("lxc.init_uid", "lxc.init.uid"),
    ("lxc.logfile", "lxc.log.file"),
    ("lxc.loglevel", "lxc.log.level"),
    ("lxc.mount", "lxc.mount.fstab"),
    ("lxc.pts", "lxc.pty.max"),
    ("lxc.rebootsignal", "lxc.signal.reboot"),
    ("lxc.rootfs", "lxc.rootfs.path"),
    ("lxc.se_context", "lxc.selinux.context"),
    ("lxc.seccomp", "lxc.seccomp.profile"),
    ("lxc.stopsignal", "lxc.signal.stop"),
    ("lxc.syslog", "lxc.log.syslog"),
    ("lxc.tty", "lxc.tty.max"),
    ("lxc.utsname", "lxc.uts.name"),
];

/// The old network keys have no number: each `lxc.network.type` begins the next interface.
const OLD_NETWORK: &str = "lxc.network.";

/// Where the numbers of interfaces with old names begin, out of the way of the new ones.
const OLD_NUMBERS: u32 = 1 << 31;

/// Turns old names into new ones.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Interfaces with old names seen.
    interfaces: u32,
}

impl Names {
    /// Today's name of a key.
    pub(super) fn current(&mut self, key: &str) -> String {
        if key == "lxc.network" {
            return "lxc.net".to_owned();
        }
        if let Some(rest) = key.strip_prefix(OLD_NETWORK) {
            return self.network(rest);
        }
        if let Some(rest) = key.strip_prefix("lxc.limit.") {
            return format!("lxc.prlimit.{rest}");
        }
        match RENAMED.iter().find(|(old, _)| *old == key) {
            Some((_, new)) => (*new).to_owned(),
            None => key.to_owned(),
        }
    }

    fn network(&mut self, rest: &str) -> String {
        let (number, rest) = match rest.split_once('.') {
            Some((number, rest)) if number.parse::<u16>().is_ok() => (number.parse().ok(), rest),
            _ => (None, rest),
        };
        if rest == "type" && number.is_none() {
            self.interfaces = self.interfaces.saturating_add(1);
        }
        let number = number.map_or(self.interfaces, |number: u32| number.saturating_add(1));
        let rest = match rest {
            "ipv4" => "ipv4.address",
            "ipv6" => "ipv6.address",
            rest => rest,
        };
        format!("lxc.net.{}.{rest}", OLD_NUMBERS.saturating_add(number))
    }
}
