//! What one test's daemon has on the host: taken before and after, and compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::network::Network;

/// Everything of one test that is there at one moment, one line per thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory(BTreeSet<String>);

/// Where to look.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The test's directory: nothing else on the host has a path below it.
    pub directory: &'a Path,
    /// The daemon's run directory.
    pub run: &'a Path,
    /// The parent of its control groups, such as `/nsvirt-1234`.
    pub partition: &'a str,
    /// The daemon, which does not count itself; its children do.
    pub daemon: Option<u32>,
    pub network: &'a Network,
}

impl Inventory {
    pub fn take(scope: &Scope<'_>) -> Self {
        let mut lines = BTreeSet::new();
        lines.extend(processes(scope).iter().map(|(pid, what)| format!("process {pid} {what}")));
        lines.extend(groups(scope.partition).iter().map(|it| format!("cgroup {}", it.display())));
        lines.extend(mounts(scope.directory).map(|it| format!("mount {it}")));
        lines.extend(scope.network.links().iter().map(|it| format!("link {it}")));
        lines.extend(loops(scope.directory).map(|it| format!("loop {it}")));
        lines.extend(files(scope.run).iter().map(|it| format!("file {}", it.display())));
        Self(lines)
    }

    /// Fails, saying what came and what went, unless both are the same.
    pub fn assert_same(&self, later: &Self, when: &str) {
        let came: Vec<_> = later.0.difference(&self.0).collect();
        let went: Vec<_> = self.0.difference(&later.0).collect();
        assert!(
            came.is_empty() && went.is_empty(),
            "{when}: left behind {came:#?}, missing {went:#?}"
        );
    }
}

/// The processes of the test but its daemon, with their names.
pub fn processes(scope: &Scope<'_>) -> Vec<(u32, String)> {
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        // Processes end while this reads; what cannot be read is gone.
        let Ok(entry) = entry else { continue };
        let Some(pid) = entry.file_name().to_str().and_then(|it| it.parse::<u32>().ok()) else {
            continue;
        };
        if Some(pid) == scope.daemon || pid == std::process::id() {
            continue;
        }
        if belongs(scope, &entry.path(), &own) == Some(true) {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            found.push((pid, name.trim().to_owned()));
        }
    }
    found
}

/// Whether a process is the test's; `None` for one that is gone.
fn belongs(scope: &Scope<'_>, process: &Path, own_mounts: &Path) -> Option<bool> {
    let text = |file: &str| {
        let bytes = fs::read(process.join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let link = |file: &str| fs::read_link(process.join(file)).ok();
    let directory = scope.directory.to_str().unwrap();
    let stat = text("stat");
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    let (state, parent) = (fields.next()?, fields.next()?.parse::<u32>().ok()?);
    // A supervisor without a container, with room for a name: a part of the daemon.
    if text("cmdline").trim_end_matches('\0').ends_with("  ") {
        return Some(false);
    }
    if Some(parent) == scope.daemon {
        // It is the next such supervisor, about to be executed, as long as it is the daemon's program.
        let program = fs::read_link(format!("/proc/{parent}/exe")).ok();
        return Some(link("exe").is_none_or(|it| Some(it) != program));
    }
    if state == "Z" || state == "X" {
        // Its parent is not ours, and nothing but its exit status is left.
        return Some(false);
    }
    let has_its_mounts = || {
        link("ns/mnt").is_some_and(|it| it != own_mounts) && text("mountinfo").contains(directory)
    };
    let named = text("cmdline").contains(directory);
    let logs = link("fd/2").is_some_and(|it| it.starts_with(scope.directory));
    let grouped = text("cgroup").contains(&format!("{}/", scope.partition));
    Some(named || logs || grouped || has_its_mounts())
}

/// Every control group below the partition, in every hierarchy of the host.
pub fn groups(partition: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for hierarchy in hierarchies() {
        below(&hierarchy.join(partition.trim_start_matches('/')), &mut found);
    }
    found
}

/// The partition itself, where it exists.
pub fn partitions(partition: &str) -> Vec<PathBuf> {
    let paths = hierarchies().into_iter().map(|it| it.join(partition.trim_start_matches('/')));
    paths.filter(|path| path.exists()).collect()
}

/// Where the host has its hierarchies, version 1 and 2.
pub fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let is_group = |line: &&str| line.contains(" - cgroup ") || line.contains(" - cgroup2 ");
    let place = |line: &str| PathBuf::from(line.split(' ').nth(4).unwrap());
    let places: BTreeSet<PathBuf> = mounts.lines().filter(is_group).map(place).collect();
    places.into_iter().filter(|it| it.starts_with("/sys/fs/cgroup")).collect()
}

/// Directories below a directory, deepest last.
fn below(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
            below(&entry.path(), found);
        }
    }
}

fn mounts(directory: &Path) -> impl Iterator<Item = String> {
    let directory = directory.to_str().unwrap().to_owned();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let lines: Vec<String> = mounts.lines().map(str::to_owned).collect();
    lines.into_iter().filter(move |line| line.contains(&directory))
}

fn loops(directory: &Path) -> impl Iterator<Item = String> {
    let directory = directory.to_str().unwrap().to_owned();
    let blocks = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let backing =
        blocks.filter_map(|it| fs::read_to_string(it.path().join("loop/backing_file")).ok());
    backing.filter(move |file| file.contains(&directory))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(directory) else {
        return found;
    };
    for entry in entries.flatten() {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&entry.path()));
        }
    }
    found
}
