//! Files of `/proc`, `/sys` and control groups.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::row::{Said, from, na, no, whether, yes};

/// Whether a file can be written: with what is in there, which changes nothing.
pub(crate) fn write_same(path: &str) -> Said {
    if !Path::new(path).exists() {
        return na("not there");
    }
    let attempt = || -> io::Result<()> {
        let value = fs::read(path)?;
        let mut file = File::options().write(true).open(path)?;
        // One write, as the kernel takes a value.
        file.write(&value).map(drop)
    };
    from(attempt())
}

/// Whether a file can be opened for writing; nothing is written.
pub(crate) fn open_for_writing(path: &str) -> Said {
    match File::options().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => na("not there"),
        result => from(result),
    }
}

/// Whether there is something to read in a file, or something in a directory.
pub(crate) fn has_content(path: &str) -> Said {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return na("not there"),
        Err(error) => return no(error.to_string()),
        Ok(metadata) => metadata,
    };
    if metadata.is_dir() {
        return match fs::read_dir(path) {
            Ok(mut entries) => whether(entries.next().is_some(), "entries"),
            Err(error) => no(error.to_string()),
        };
    }
    let mut byte = [0];
    let flags = std::os::unix::fs::OpenOptionsExt::custom_flags;
    let mut options = File::options();
    let options = flags(options.read(true), libc::O_NONBLOCK);
    match options.open(path).and_then(|mut file| file.read(&mut byte)) {
        Ok(length) => whether(length > 0, "content"),
        // There would be, later.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => yes("nothing now"),
        Err(error) => no(error.to_string()),
    }
}

/// Whether the addresses of the kernel's code are told.
pub(crate) fn kernel_addresses(path: &str) -> Said {
    let Ok(text) = fs::read_to_string(path) else { return na("not there") };
    let is_address =
        |line: &str| line.split(' ').next().is_some_and(|it| it.bytes().any(|b| b != b'0'));
    whether(text.lines().any(is_address), "addresses")
}

/// A line of `/proc/self/status`.
pub(crate) fn status(field: &str) -> String {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|it| it.strip_prefix(field)?.strip_prefix(":\t"));
    line.unwrap_or_default().trim().to_owned()
}

/// Whether this process has a capability in effect.
pub(crate) fn capability(number: u32) -> Said {
    let effective = u64::from_str_radix(&status("CapEff"), 16).unwrap_or_default();
    whether(effective & 1 << number != 0, "CapEff")
}

/// Whether a process of the host is seen.
pub(crate) fn sees_daemon() -> Said {
    let Ok(entries) = fs::read_dir("/proc") else { return no("no /proc") };
    let is_daemon = |name: &str| {
        let text = fs::read(format!("/proc/{name}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&text).contains("nsvirtd")
    };
    let mut names = entries.filter_map(|it| it.ok()?.file_name().into_string().ok());
    whether(
        names.any(|name| name.bytes().all(|b| b.is_ascii_digit()) && is_daemon(&name)),
        "nsvirtd",
    )
}

/// Whether another program than the container's own has descriptors open in init.
pub(crate) fn extra_descriptors() -> Said {
    let Ok(entries) = fs::read_dir("/proc/1/fd") else { return na("no /proc/1/fd") };
    let names = entries.filter_map(|it| it.ok()?.file_name().into_string().ok());
    // Two may be the pipe of this row: its parent is init itself.
    let more: Vec<_> =
        names.filter(|it| !["0", "1", "2", "3", "4"].contains(&it.as_str())).collect();
    whether(!more.is_empty(), more.join(","))
}

/// A file of the container's own group, wherever that is mounted.
pub(crate) fn group_file(controller: &str, name: &str) -> Option<String> {
    [format!("/sys/fs/cgroup/{controller}/{name}"), format!("/sys/fs/cgroup/{name}")]
        .into_iter()
        .find(|path| Path::new(path).exists())
}

/// Whether a limit of the group can be written.
pub(crate) fn write_limit(controller: &str, names: [&str; 2]) -> Said {
    match names.iter().find_map(|name| group_file(controller, name)) {
        Some(path) => write_same(&path),
        None => na("no such controller"),
    }
}

/// Whether what the host executes when a group is empty can be set: only a hierarchy's own root
/// has the file.
pub(crate) fn write_release_agent() -> Said {
    match group_file("memory", "release_agent") {
        Some(path) => write_same(&path),
        None => no("no root of a hierarchy is here"),
    }
}

/// Whether the group is shown below another one.
pub(crate) fn group_path_of_host() -> Said {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let below = |line: &str| line.rsplit(':').next().is_some_and(|path| path != "/");
    whether(text.lines().any(below), "/proc/self/cgroup")
}

/// Whether some file system in memory may fill the host's.
pub(crate) fn unbounded_memory_filesystem() -> Said {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for line in text.lines() {
        let Some((mount, filesystem)) = line.split_once(" - ") else { continue };
        let is_bounded = filesystem.contains("size=") || mount.contains("ro,");
        if filesystem.starts_with("tmpfs ") && !is_bounded {
            return yes(mount.split(' ').nth(4).unwrap_or_default());
        }
    }
    no("none")
}
