//! Joining control groups, from inside.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::protocol::{Attempt, Failure};

/// Opens version 1 groups by their `tasks` files, for a process that may not do so itself: later
/// they may belong to the container, or it has no rights on them.
pub(super) fn open(tasks: &[PathBuf]) -> Result<Vec<OwnedFd>, Failure> {
    let open = |path: &PathBuf| {
        let file = File::options().write(true).open(path).map(OwnedFd::from);
        file.attempt("open control group", path.display())
    };
    tasks.iter().map(open).collect()
}

/// Puts the calling single-threaded process into version 1 groups.
///
/// It writes itself into `tasks`: for a process of one thread that is the same as `cgroup.procs`,
/// and takes 50 us instead of 9 ms, because no lock over all processes of the host is needed.
pub(super) fn join(tasks: Vec<OwnedFd>) -> io::Result<()> {
    tasks.into_iter().try_for_each(|tasks| File::from(tasks).write_all(b"0"))
}

/// Moves the calling process into version 2 groups. Slow (milliseconds): init is born in its
/// group instead, and the supervisor moves after the container runs.
pub(super) fn join_v2(directories: &[impl AsRef<Path>]) -> Result<(), Failure> {
    for directory in directories {
        let file = directory.as_ref().join("cgroup.procs");
        fs::write(&file, "0").attempt("join control group", file.display())?;
    }
    Ok(())
}

/// Empties a group that a container has used, before it starts again in there: groups below it
/// go, and with them the controllers it had enabled, since a group with both processes and
/// controlled children cannot be joined (`cgroups(7)`, "no internal processes").
pub(super) fn reset(group: &Path) -> Result<(), Failure> {
    remove_below(group).attempt("empty control group", group.display())?;
    let control = group.join("cgroup.subtree_control");
    let enabled = match fs::read_to_string(&control) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => result.attempt("read", control.display())?,
    };
    for controller in enabled.split_whitespace() {
        fs::write(&control, format!("-{controller}"))
            .attempt("disable a controller in", control.display())?;
    }
    Ok(())
}

fn remove_below(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_below(&entry.path())?;
            fs::remove_dir(entry.path())?;
        }
    }
    Ok(())
}
