//! Which hierarchies the host has, and where.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// A mounted hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    /// Where the host has mounted it.
    pub mount: PathBuf,
    /// Which it is.
    pub version: Version,
}

/// Version of a hierarchy and, for version 1, what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// Controllers (`memory`; `cpu` and `cpuacct` together) or `name=systemd`.
    V1(Vec<String>),
    /// The unified hierarchy, whatever controllers it has.
    V2,
}

impl Hierarchy {
    /// Whether this version 1 hierarchy has a controller.
    pub fn controls(&self, controller: &str) -> bool {
        matches!(&self.version, Version::V1(names) if names.iter().any(|name| name == controller))
    }
}

/// All hierarchies of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// In the order in which the host mounted them.
    pub hierarchies: Vec<Hierarchy>,
    /// Controllers of the unified hierarchy.
    pub v2_controllers: Vec<String>,
    /// Symbolic links beside the mounts, name and text (`cpu` -> `cpu,cpuacct`).
    pub links: Vec<(String, String)>,
}

impl Layout {
    /// Reads the mounts below `root`, which is `/sys/fs/cgroup` on every host by convention.
    pub fn probe(root: &Path) -> io::Result<Self> {
        let mut layout = Self::parse(&fs::read_to_string("/proc/self/mountinfo")?, root);
        if let Some(unified) = layout.v2() {
            let controllers = fs::read_to_string(unified.mount.join("cgroup.controllers"))?;
            layout.v2_controllers = controllers.split_whitespace().map(str::to_owned).collect();
        }
        if layout.hierarchies.iter().any(|hierarchy| hierarchy.mount == root) {
            return Ok(layout);
        }
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            if entry.file_type()?.is_symlink() {
                let target = fs::read_link(entry.path())?;
                layout.links.push((
                    entry.file_name().to_string_lossy().into_owned(),
                    target.to_string_lossy().into_owned(),
                ));
            }
        }
        layout.links.sort();
        Ok(layout)
    }

    /// The cgroup mounts of `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`) below `root`.
    fn parse(mountinfo: &str, root: &Path) -> Self {
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        for line in mountinfo.lines() {
            let Some(hierarchy) = hierarchy(line) else {
                continue;
            };
            let known = hierarchies.iter().any(|other| other.mount == hierarchy.mount);
            if hierarchy.mount.starts_with(root) && !known {
                hierarchies.push(hierarchy);
            }
        }
        Self { hierarchies, ..Self::default() }
    }

    /// The unified hierarchy, if it is mounted.
    pub fn v2(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|hierarchy| hierarchy.version == Version::V2)
    }

    /// The hierarchy that has a controller, which is named as in version 1.
    pub fn with(&self, controller: &str) -> Option<&Hierarchy> {
        let version1 = self.hierarchies.iter().find(|hierarchy| hierarchy.controls(controller));
        let name = if controller == "blkio" { "io" } else { controller };
        let in_v2 = || self.v2_controllers.iter().any(|it| it == name);
        version1.or_else(|| self.v2().filter(|_| in_v2()))
    }
}

/// `36 35 98:0 / /mount rw,noatime shared:1 - cgroup cgroup rw,memory`
fn hierarchy(line: &str) -> Option<Hierarchy> {
    let (mount, filesystem) = line.split_once(" - ")?;
    let mount = PathBuf::from(mount.split(' ').nth(4)?);
    let mut filesystem = filesystem.split(' ');
    let version = match filesystem.next()? {
        "cgroup2" => Version::V2,
        "cgroup" => {
            let options = filesystem.nth(1)?.split(',');
            let controllers = options.filter(|option| {
                !matches!(*option, "rw" | "ro" | "xattr" | "clone_children" | "none" | "noprefix")
                    && !option.starts_with("release_agent=")
            });
            Version::V1(controllers.map(str::to_owned).collect())
        }
        _ => return None,
    };
    Some(Hierarchy { mount, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
50 40 0:37 / /srv/root/sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
";

    #[test]
    fn hybrid_hosts_are_read_as_they_are() {
        let layout = Layout::parse(HYBRID, Path::new("/sys/fs/cgroup"));
        let versions: Vec<_> = layout.hierarchies.iter().map(|h| &h.version).collect();
        let v1 = |names: &[&str]| Version::V1(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(versions, [&v1(&["cpu", "cpuacct"]), &v1(&["name=systemd"]), &Version::V2]);
        assert!(layout.hierarchies[0].controls("cpuacct"));
        assert_eq!(layout.v2().unwrap().mount, Path::new("/sys/fs/cgroup/unified"));
    }

    #[test]
    fn a_controller_is_in_one_version_or_the_other() {
        let mut layout = Layout::parse(HYBRID, Path::new("/sys/fs/cgroup"));
        layout.v2_controllers = vec!["io".to_owned()];
        assert_ne!(layout.with("cpu").unwrap().version, Version::V2);
        assert_eq!(layout.with("blkio").unwrap().version, Version::V2);
        assert_eq!(layout.with("pids"), None);
    }

    #[test]
    fn a_line_that_is_no_mount_is_no_hierarchy() {
        assert_eq!(hierarchy(""), None);
        assert_eq!(hierarchy("a - cgroup"), None);
        assert_eq!(hierarchy("1 2 3 4 /x rw - ext4 /dev/x rw"), None);
    }
}
