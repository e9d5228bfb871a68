//! Block devices of tests.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A block device of this test: a file with a word in it.
#[derive(Debug)]
pub struct Loop {
    device: PathBuf,
    file: PathBuf,
}

impl Loop {
    /// The file is outside the test's host, which has to be without it at the end.
    pub fn new(name: &str) -> Self {
        let file = std::env::temp_dir().join(format!("nsvt-{}-{name}.img", std::process::id()));
        image(&file);
        let made = Command::new("losetup").args(["--find", "--show"]).arg(&file).output().unwrap();
        assert!(made.status.success(), "losetup: {}", String::from_utf8_lossy(&made.stderr));
        let device = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
        Self { device, file }
    }

    pub fn path(&self) -> &str {
        self.device.to_str().unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).status();
        let _ = fs::remove_file(&self.file);
    }
}

/// Makes a file of 1 MiB that begins with "content".
pub fn image(path: &Path) {
    let mut file = File::create(path).unwrap();
    file.write_all(b"content").unwrap();
    file.set_len(1 << 20).unwrap();
}
