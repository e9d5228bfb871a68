//! What init is told about the container it is in.

use super::{Account, Init};
use crate::model::Domain;

/// Init's command line and environment, with libvirt's fixed variables first; a variable of the
/// document replaces a fixed one of the same name.
pub(super) fn init(domain: &Domain) -> Init {
    let mut environment = fixed_environment(domain);
    for (name, value) in &domain.os.initenv {
        environment.retain(|(fixed, _)| fixed != name);
        environment.push((name.clone(), value.clone()));
    }
    let mut arguments = vec![domain.os.init.clone()];
    arguments.extend(domain.os.initarg.iter().cloned());
    Init {
        path: domain.os.init.clone(),
        arguments,
        environment: environment.into_iter().map(|(name, value)| [name, value].join("=")).collect(),
        account: account(domain),
        directory: domain.os.initdir.clone().unwrap_or_else(|| "/".to_owned()),
    }
}

/// Who init is; libvirt takes root for what only the other of the two says.
fn account(domain: &Domain) -> Option<Account> {
    let (user, group) = (&domain.os.inituser, &domain.os.initgroup);
    let or_root = |name: &Option<String>| name.clone().unwrap_or_else(|| "+0".to_owned());
    let is_said = user.is_some() || group.is_some();
    is_said.then(|| Account { user: or_root(user), group: or_root(group) })
}

/// What `systemd-detect-virt` and scripts look for; the names and values are libvirt's.
fn fixed_environment(domain: &Domain) -> Vec<(String, String)> {
    let uuid = domain.uuid.to_string();
    let mut environment = vec![
        ("PATH", "/bin:/sbin".to_owned()),
        ("TERM", "linux".to_owned()),
        ("container", "lxc-libvirt".to_owned()),
        ("HOME", "/".to_owned()),
        ("container_uuid", uuid.clone()),
    ];
    let consoles = domain.devices.consoles.len();
    if consoles > 1 {
        // The first terminal is /dev/console; systemd starts a login on each of the others.
        let names: Vec<String> = (1..consoles).map(|number| format!("pts/{number}")).collect();
        environment.push(("container_ttys", names.join(" ")));
    }
    environment.push(("LIBVIRT_LXC_UUID", uuid));
    environment.push(("LIBVIRT_LXC_NAME", domain.name.clone()));
    environment.extend(domain.os.cmdline.clone().map(|text| ("LIBVIRT_LXC_CMDLINE", text)));
    environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The host name that libvirt derives from a domain's name: letters, digits and dashes of it,
/// without one leading dash. Cut to what `sethostname(2)` takes (64 bytes).
pub(super) fn hostname(name: &str) -> String {
    let allowed: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(65).collect();
    let mut hostname = allowed.strip_prefix('-').unwrap_or(&allowed).to_owned();
    hostname.truncate(64);
    hostname
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostnames_follow_libvirt() {
        assert_eq!(hostname("web.1_a"), "web1a");
        assert_eq!(hostname("--x"), "-x");
        assert_eq!(hostname(&"a".repeat(100)).len(), 64);
    }
}
