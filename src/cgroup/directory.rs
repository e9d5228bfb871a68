//! One directory of one hierarchy: making it, emptying it, removing it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::{Hierarchy, Version};

/// Creates a group, ready to take processes and groups; one that exists is fine.
pub(super) fn create(hierarchy: &Hierarchy, directory: &Path) -> io::Result<()> {
    match directory.parent() {
        Some(parent) if make(hierarchy, directory)? && hierarchy.version == Version::V2 => {
            enable_controllers(parent)
        }
        _ => Ok(()),
    }
}

/// Creates a group that takes processes, and leaves alone what its parent passes on. Whether it
/// was not there before.
pub(super) fn make(hierarchy: &Hierarchy, directory: &Path) -> io::Result<bool> {
    match fs::create_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        result => result?,
    }
    if let Some(parent) = directory.parent().filter(|_| hierarchy.controls("cpuset")) {
        fill_cpuset(directory, parent)?;
    }
    Ok(true)
}

/// A new cpuset is empty and takes no process. What is written here is passed on by the kernel to
/// the groups below as they are made (`cpuset(7)`, "cgroup.clone_children"), at no cost: writing
/// makes it arrange all processors of the host anew.
fn fill_cpuset(directory: &Path, parent: &Path) -> io::Result<()> {
    let clones = fs::read_to_string(directory.join("cgroup.clone_children"))?;
    if clones.trim() == "1" {
        return Ok(());
    }
    for file in ["cpuset.cpus", "cpuset.mems"] {
        fs::write(directory.join(file), fs::read_to_string(parent.join(file))?.trim())?;
    }
    fs::write(directory.join("cgroup.clone_children"), "1")
}

/// Passes on to the groups below whatever controllers a group has. One that cannot be passed on
/// is left out, and a limit that needs it says so later.
fn enable_controllers(group: &Path) -> io::Result<()> {
    let available = fs::read_to_string(group.join("cgroup.controllers"))?;
    let control = group.join("cgroup.subtree_control");
    let enabled = fs::read_to_string(&control)?;
    let is_enabled = |controller: &&str| enabled.split_whitespace().any(|it| it == *controller);
    let missing: Vec<String> = available
        .split_whitespace()
        .filter(|controller| !is_enabled(controller))
        .map(|controller| format!("+{controller}"))
        .collect();
    if missing.is_empty() || fs::write(&control, missing.join(" ")).is_ok() {
        return Ok(());
    }
    // All or nothing failed: as many as there can be.
    for controller in missing {
        if let Err(e) = fs::write(&control, &controller) {
            tracing::debug!("cannot enable {controller} in {}: {e}", control.display());
        }
    }
    Ok(())
}

/// Removes a group and those below it, deepest first.
pub(super) fn remove_tree(group: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(group) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    remove_one(group)
}

/// Removes a group without children; one that is gone is fine.
pub(super) fn remove_one(group: &Path) -> io::Result<()> {
    match fs::remove_dir(group) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Kills what a group and those below it list, and gives what was killed.
pub(super) fn kill_listed(group: &Path, killed: &mut Vec<OwnedFd>) -> io::Result<()> {
    let listed = match fs::read_to_string(group.join("cgroup.procs")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result?,
    };
    for pid in listed.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0) {
        // The number may be stale by now, the pidfd is not: what is killed is in the group still.
        let Ok(pidfd) = crate::sys::pidfd::open(pid) else {
            continue;
        };
        let again = fs::read_to_string(group.join("cgroup.procs"))?;
        if again.lines().any(|line| line.parse() == Ok(pid)) {
            crate::sys::pidfd::kill(pidfd.as_fd())?;
            killed.push(pidfd);
        }
    }
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            kill_listed(&entry.path(), killed)?;
        }
    }
    Ok(())
}
