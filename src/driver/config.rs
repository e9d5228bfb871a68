//! Where things are, and what the administrator decided.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::error::{Error, ErrorCode, Result};
use crate::model::IsolationProfile;

/// The configuration file, `nsvirtd.toml`. Everything has a default; a key that is not known is an
/// error, so that a typing mistake is not a silent default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Let a domain without a file system for `/` run on the host's own, writable root. libvirt
    /// does so; a booting init started that way takes the host apart.
    pub allow_host_root: bool,
    /// The isolation profile of domains whose documents name none; `hardened`.
    pub isolation: Profile,
    /// Parent of the containers' control groups, such as `/machine`.
    pub partition: Option<String>,
    /// Where control groups are mounted; `/sys/fs/cgroup`.
    pub cgroup_root: Option<PathBuf>,
    /// Whether containers are scopes of systemd's and machines of machined's: `on`, `off`, or the
    /// address of the bus where these two are. By default `on` where systemd runs the host, and
    /// `off` for a daemon with a `--prefix`.
    pub systemd: Option<String>,
    /// The supervisor's program; by default `nsvirt-lxc` beside the daemon's own.
    pub supervisor: Option<PathBuf>,
    /// Where network namespaces have names for `<lxc:sharenet type='netns'>`; `/run/netns`.
    pub netns_directory: Option<PathBuf>,
    /// Where the templates of `<filesystem type='template'>` are; `templates` in the daemon's
    /// directory of state.
    pub templates: Option<PathBuf>,
    /// The sockets of libvirt's clients.
    pub libvirt: Libvirt,
}

/// `[libvirt]`: where libvirt's clients connect, and who may.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Libvirt {
    /// Whether there are sockets for them.
    pub enabled: bool,
    /// Where they are; `/run/libvirt`, where libvirt's clients look, or the run directory of a
    /// daemon with a `--prefix`.
    pub directory: Option<PathBuf>,
    /// Whose they are: a name or a number; `root`.
    pub owner: Option<String>,
    /// Their group: a name or a number; `root`.
    pub group: Option<String>,
    /// Who may do anything, as an octal number: owner and group.
    pub mode: String,
    /// Who may look, as an octal number: everybody.
    pub read_only_mode: String,
}

impl Default for Libvirt {
    fn default() -> Self {
        Self {
            enabled: true,
            directory: None,
            owner: None,
            group: None,
            mode: "0660".to_owned(),
            read_only_mode: "0666".to_owned(),
        }
    }
}

/// The same with nothing left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sockets {
    /// Where they are.
    pub directory: PathBuf,
    /// User ID of the owner; the daemon's without.
    pub owner: Option<u32>,
    /// Group ID; the daemon's without.
    pub group: Option<u32>,
    /// Permissions of the socket for everything.
    pub mode: u32,
    /// Permissions of the socket for looking.
    pub read_only_mode: u32,
}

impl Config {
    /// Where libvirt's clients connect; `None` when they are not to.
    pub fn sockets(&self, paths: &Paths) -> Result<Option<Sockets>> {
        let Libvirt { enabled, directory, owner, group, mode, read_only_mode } = &self.libvirt;
        if !enabled {
            return Ok(None);
        }
        Ok(Some(Sockets {
            directory: directory.clone().unwrap_or_else(|| paths.libvirt.clone()),
            owner: owner.as_deref().map(user).transpose()?,
            group: group.as_deref().map(group_of).transpose()?,
            mode: octal("mode", mode)?,
            read_only_mode: octal("read_only_mode", read_only_mode)?,
        }))
    }
}

fn octal(key: &str, text: &str) -> Result<u32> {
    let number = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
    number.ok_or_else(|| {
        wrong(format!("{key} = \"{text}\": expected an octal number from 0 to 0777"))
    })
}

fn user(name: &str) -> Result<u32> {
    let found = nix::unistd::User::from_name(name).ok().flatten().map(|user| user.uid.as_raw());
    let number = name.parse().ok();
    found.or(number).ok_or_else(|| wrong(format!("owner = \"{name}\": there is no such user")))
}

fn group_of(name: &str) -> Result<u32> {
    let found = nix::unistd::Group::from_name(name).ok().flatten().map(|it| it.gid.as_raw());
    let number = name.parse().ok();
    found.or(number).ok_or_else(|| wrong(format!("group = \"{name}\": there is no such group")))
}

fn wrong(detail: String) -> Error {
    Error::new(ErrorCode::InternalError, format!("in [libvirt] of the configuration, {detail}"))
}

/// A profile of isolation, as the configuration and the command line name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile(pub(super) IsolationProfile);

impl Default for Profile {
    fn default() -> Self {
        Self(IsolationProfile::Hardened)
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        IsolationProfile::from_word(text).map(Self).ok_or_else(|| {
            let known: Vec<_> = IsolationProfile::ALL.iter().map(|it| it.as_str()).collect();
            format!("unknown isolation profile '{text}': expected {}", known.join(" or "))
        })
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Config {
    /// Reads a configuration file; one that does not exist is all defaults.
    pub fn read(path: &Path) -> Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                Error::new(
                    ErrorCode::InternalError,
                    format!("cannot read configuration {}: {error}", path.display()),
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => {
                Err(Error::system(format!("cannot read configuration {}", path.display()), error))
            }
        }
    }
}

/// Directories of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// Definitions and configuration.
    pub etc: PathBuf,
    /// Sockets and records of what runs.
    pub run: PathBuf,
    /// One log per domain.
    pub log: PathBuf,
    /// State that lasts.
    pub lib: PathBuf,
    /// Parent of the containers' control groups where the configuration names none.
    pub partition: String,
    /// Sockets of libvirt's clients.
    pub libvirt: PathBuf,
    /// Whether this is the host's one daemon.
    pub is_host_wide: bool,
}

impl Paths {
    /// The host's one daemon.
    pub fn system() -> Self {
        Self {
            etc: "/etc/nsvirt".into(),
            run: "/run/nsvirt".into(),
            log: "/var/log/nsvirt".into(),
            lib: "/var/lib/nsvirt".into(),
            partition: "/machine".to_owned(),
            libvirt: "/run/libvirt".into(),
            is_host_wide: true,
        }
    }

    /// A daemon that keeps everything below one directory. Its control groups have a parent of
    /// their own, named after the directory, so that many daemons run side by side.
    pub fn below(prefix: &Path) -> Self {
        Self {
            etc: prefix.join("etc"),
            run: prefix.join("run"),
            log: prefix.join("log"),
            lib: prefix.join("lib"),
            partition: format!("/nsvirt-{:08x}", hash(prefix.as_os_str().as_encoded_bytes())),
            libvirt: prefix.join("run"),
            is_host_wide: false,
        }
    }

    /// Definitions, `NAME.xml`.
    pub fn definitions(&self) -> PathBuf {
        self.etc.join("lxc")
    }

    /// Links to the definitions that start with the daemon.
    pub fn autostart(&self) -> PathBuf {
        self.etc.join("lxc/autostart")
    }

    /// Programs that are called as domains come and go, `lxc` and `lxc.d/`.
    pub fn hooks(&self) -> PathBuf {
        self.etc.join("hooks")
    }

    /// How domains ended last, `UUID.json`.
    pub fn endings(&self) -> PathBuf {
        self.lib.join("endings")
    }

    /// Records, sockets and exits of what runs, `UUID.*`.
    pub fn runs(&self) -> PathBuf {
        self.run.join("lxc")
    }

    /// What containers changed of their templates, `UUID/`.
    pub fn overlays(&self) -> PathBuf {
        self.lib.join("overlays")
    }

    /// Logs of the domains, `NAME.log`.
    pub fn logs(&self) -> PathBuf {
        self.log.join("lxc")
    }
}

/// FNV-1a, 32 bits: short, and the same in every build, which std's hasher does not promise.
fn hash(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_known_is_an_error() {
        let config: Config = toml::from_str("allow_host_root = true").unwrap();
        assert!(config.allow_host_root);
        assert!(toml::from_str::<Config>("allow_hostroot = true").is_err());
        let config: Config = toml::from_str("isolation = 'compat'").unwrap();
        assert_eq!(config.isolation, Profile(IsolationProfile::Compat));
        let error = toml::from_str::<Config>("isolation = 'none'").unwrap_err().to_string();
        assert!(error.contains("expected compat or hardened"), "{error}");
    }

    #[test]
    fn instances_do_not_share_a_partition() {
        let a = Paths::below(Path::new("/srv/a"));
        assert_ne!(a.partition, Paths::below(Path::new("/srv/b")).partition);
        assert_eq!(a.definitions(), Path::new("/srv/a/etc/lxc"));
    }
}
