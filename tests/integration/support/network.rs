//! A network namespace per test: whatever links a daemon makes are its own.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace that lives as long as this.
#[derive(Debug)]
pub struct Network(File);

impl Network {
    pub fn new() -> Self {
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Self(made.join().unwrap())
    }

    /// A path by which other processes reach it.
    pub fn path(&self) -> std::path::PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd()).into()
    }

    /// Does something inside; processes started there stay there.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
                act()
            });
            match inside.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Names of its links.
    pub fn links(&self) -> Vec<String> {
        let table = self.within(|| std::fs::read_to_string("/proc/thread-self/net/dev").unwrap());
        let names = table.lines().filter_map(|line| line.split_once(':'));
        names.map(|(name, _)| name.trim().to_owned()).collect()
    }
}
