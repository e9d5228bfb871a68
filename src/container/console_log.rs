//! The log of a console: a file of the host that gets every byte, whether anybody reads or not.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::libc;

use super::domain_log::say;
use super::protocol::{Attempt, Failure};
use crate::plan::ConsoleLog;

/// An open log.
pub(super) struct Log {
    file: File,
    path: PathBuf,
    /// Whether the last of it could not be written.
    failing: bool,
}

impl Log {
    /// Opens a log, which is made, for root only, if it is missing.
    pub(super) fn open(log: &ConsoleLog) -> Result<Self, Failure> {
        let ConsoleLog { path, append } = log;
        // A FIFO would stop the supervisor, and with it the container, when nobody reads.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let open = || -> io::Result<File> {
            let mut options = File::options();
            let file = options.append(true).create(true).mode(0o600).custom_flags(flags);
            let file = file.open(path)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is no regular file"));
            }
            if !append {
                file.set_len(0)?;
            }
            Ok(file)
        };
        let file = open().attempt("open console log", path.display())?;
        Ok(Self { file, path: path.clone(), failing: false })
    }

    /// Writes what was printed. A disk that is full loses it, which is said once, in the domain's
    /// log; the container does not stop for that.
    pub(super) fn keep(&mut self, printed: &[u8]) {
        let written = self.file.write_all(printed);
        if let Err(error) = &written
            && !self.failing
        {
            say(format_args!("cannot write console log {}: {error}", self.path.display()));
        }
        self.failing = written.is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_begun_anew_or_continued_and_is_a_file() {
        let path = std::env::temp_dir().join(format!("nsvirt-log-{}", std::process::id()));
        let open = |append| Log::open(&ConsoleLog { path: path.clone(), append });
        open(true).unwrap().keep(b"first ");
        open(true).unwrap().keep(b"second");
        assert_eq!(std::fs::read(&path).unwrap(), b"first second");
        open(false).unwrap().keep(b"third");
        assert_eq!(std::fs::read(&path).unwrap(), b"third");
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(open(true).is_err());
        std::fs::remove_file(&path).unwrap();
        let null = ConsoleLog { path: "/dev/null".into(), append: true };
        assert!(Log::open(&null).err().unwrap().to_string().contains("no regular file"));
    }
}
