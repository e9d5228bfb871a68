//! A root tree made by the test: a static busybox and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian's busybox-static puts it, and others do.
const BUSYBOX: [&str; 3] = ["/bin/busybox", "/usr/bin/busybox", "/sbin/busybox"];

/// A directory that can be a container's root.
#[derive(Debug)]
pub struct Tree {
    pub path: PathBuf,
}

impl Tree {
    /// Makes one, with a link for every applet.
    pub fn make(path: &Path) -> Self {
        for directory in ["bin", "sbin", "etc", "tmp", "root", "proc", "sys", "dev", "run"] {
            fs::create_dir_all(path.join(directory)).unwrap();
        }
        let busybox = BUSYBOX.iter().find(|it| Path::new(it).exists());
        let busybox = busybox.expect("these tests need a static busybox (Debian: busybox-static)");
        fs::copy(busybox, path.join("bin/busybox")).unwrap();
        let applets = Command::new(busybox).arg("--list").output().unwrap().stdout;
        for applet in String::from_utf8(applets).unwrap().lines().filter(|it| *it != "busybox") {
            symlink("busybox", path.join("bin").join(applet)).unwrap();
        }
        symlink("../bin/busybox", path.join("sbin/init")).unwrap();
        Self { path: path.to_owned() }
    }

    /// Writes a file of the tree.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path.join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Reads a file of the tree, as the host sees it.
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path.join(path.trim_start_matches('/'))).unwrap()
    }
}
