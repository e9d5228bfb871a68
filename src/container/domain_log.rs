//! The domain's log: what befell the container, and what its supervisor could not do.
//!
//! It is this program's standard error, so that what a library prints is in there as well. It does
//! not grow without bounds: each start begins a new file when the one before has grown large, and
//! the last few are kept.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::sys;

/// A file of that many bytes is not continued.
const LARGE: u64 = 2 << 20;
/// Files kept beside the current one: `NAME.log.1` is the newest of them.
const KEPT: u32 = 4;

/// Writes a line with the time before it. A disk that is full loses it; the container does not end
/// for that.
pub(super) fn say(text: impl fmt::Display) {
    let line = format!("{}: {text}\n", sys::clock::utc(SystemTime::now()));
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Begins a new file if the current one is large.
pub(super) fn rotate(log: &Path) {
    if let Err(error) = try_rotate(log) {
        say(format_args!("cannot begin a new log {}: {error}", log.display()));
    }
}

fn try_rotate(log: &Path) -> io::Result<()> {
    if File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata()?.len() < LARGE {
        return Ok(());
    }
    move_on(log)?;
    let file = File::options().append(true).create(true).mode(0o600).open(log)?;
    sys::fd::become_standard(file.as_fd(), 2)
}

/// Gives each kept file the next number; the last one goes.
fn move_on(log: &Path) -> io::Result<()> {
    let numbered = |number: u32| -> PathBuf {
        let mut name = OsString::from(log);
        name.push(format!(".{number}"));
        name.into()
    };
    for number in (1..KEPT).rev() {
        match fs::rename(numbered(number), numbered(number + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(log, numbered(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_kept() {
        let directory = std::env::temp_dir().join(format!("nsvirt-logs-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let log = directory.join("a.log");
        for text in ["1", "2", "3", "4", "5", "6"] {
            fs::write(&log, text).unwrap();
            move_on(&log).unwrap();
        }
        let mut names: Vec<_> =
            fs::read_dir(&directory).unwrap().map(|it| it.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.log.1", "a.log.2", "a.log.3", "a.log.4"]);
        assert_eq!(fs::read(directory.join("a.log.1")).unwrap(), b"6");
        assert_eq!(fs::read(directory.join("a.log.4")).unwrap(), b"3");
        fs::remove_dir_all(&directory).unwrap();
    }
}
