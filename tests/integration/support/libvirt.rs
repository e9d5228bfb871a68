//! libvirt's own daemon with its LXC driver, private to one test, and what it says to documents.
//!
//! It needs Debian's packages and nothing of the host: mounts of its own hide the host's `/run` and
//! libvirt's directories, a network namespace of its own its networks. `scripts/check.sh` installs
//! the packages; where they are missing, a test says so and passes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;

use super::host::{fresh_directory, is_root};
use super::process::{Process, readable};

/// Where Debian puts the schemas of libvirt's documents.
pub const SCHEMAS: &str = "/usr/share/libvirt/schemas";
/// The emulator that libvirt writes into documents without one.
pub const EMULATOR: &str = "/usr/lib/libvirt/libvirt_lxc";
const PYTHON: &str = "/usr/bin/python3";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/libvirt/define.py");

/// Where the daemon may write is memory of its own. On a host with both versions of control groups
/// the empty tree of version 2 goes: with it, this libvirt starts no container. Some documents make it
/// take all memory there is.
const PRIVATE: &str = "
    set -e
    mount -t tmpfs run /run
    mkdir /run/libvirt
    for directory in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
        mount -t tmpfs libvirt $directory
    done
    if [ -e /sys/fs/cgroup/unified/cgroup.procs ]; then umount /sys/fs/cgroup/unified; fi
    ip link set lo up
    exec prlimit --as=$((4 << 30)) libvirtd --config \"$1\" --pid-file \"$2\"
";

/// A daemon that has said it is ready.
#[derive(Debug)]
pub struct Libvirtd {
    directory: PathBuf,
    /// The groups for all its containers that are there without it.
    groups: Vec<PathBuf>,
    child: Child,
}

/// Whether a test with libvirt can run; if not it says why, past the capture of output.
pub fn is_there(test: &str) -> bool {
    let found =
        ["/usr/sbin/libvirtd", EMULATOR, SCHEMAS].into_iter().find(|it| !Path::new(it).exists());
    if let Some(missing) = found {
        assert!(std::env::var_os("NSVIRT_CHECK_ALL").is_none(), "{missing} is not there");
        say(&format!("needs libvirt ({missing}): {test}"));
    }
    found.is_none() && is_root(test)
}

/// Prints past the capture of output.
pub fn say(text: &str) {
    let mut terminal = std::io::stderr();
    writeln!(terminal, "{text}").unwrap();
}

impl Libvirtd {
    /// Starts one and waits until its drivers are ready.
    pub fn start() -> Self {
        let (directory, groups) = (fresh_directory(), groups());
        let socket = |name: &str| format!("{name} = \"{}\"\n", directory.display());
        let settings = "auth_unix_ro = \"none\"\nauth_unix_rw = \"none\"\n";
        let config = directory.join("libvirtd.conf");
        fs::write(&config, socket("unix_sock_dir") + settings).unwrap();
        let notify = directory.join("notify");
        let ready = UnixDatagram::bind(&notify).unwrap();
        // The daemon must not outlive the test, however that ends.
        let mut child = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "unshare",
                "--mount",
                "--net",
                "--propagation",
                "private",
            ])
            .args(["sh", "-c", PRIVATE, "libvirtd"])
            .args([&config, &directory.join("pid")])
            .env("NOTIFY_SOCKET", notify)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(directory.join("log")).unwrap())
            .spawn()
            .unwrap();
        if !readable(ready.as_fd()) {
            let _ = child.kill();
            panic!("libvirtd is not ready: {}", fs::read_to_string(directory.join("log")).unwrap());
        }
        Self { directory, groups, child }
    }

    /// Where its clients connect.
    pub fn uri(&self) -> String {
        format!("lxc+unix:///system?socket={}/libvirt-sock", self.directory.display())
    }
}

impl Drop for Libvirtd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Containers outlive the daemon; there is one only when the test has failed.
        supervisors().iter().for_each(Process::kill_and_wait);
        for group in groups().iter().filter(|it| !self.groups.contains(it)) {
            let _ = fs::remove_dir(group);
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// A name for a container of this test's libvirt.
pub fn container(name: &str) -> String {
    format!("nsvt-{}-{name}", std::process::id())
}

/// The processes that hold its containers.
fn supervisors() -> Vec<Process> {
    let argument = format!("--name\0{}", container(""));
    let pids = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let is_ours = |pid: &u32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains(&argument)
    };
    pids.filter(is_ours).filter_map(Process::open).collect()
}

/// The group of each hierarchy that this libvirt puts containers into.
fn groups() -> Vec<PathBuf> {
    let hierarchies = fs::read_dir("/sys/fs/cgroup").unwrap().map(|it| it.unwrap().path());
    let all = hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]).map(|it| it.join("machine"));
    all.filter(|it| it.is_dir()).collect()
}

/// What libvirt says to a document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// It takes it, and writes this.
    Defined { xml: String },
    /// It refuses it.
    Refused { code: i32, message: String },
    /// Its daemon ended, or went on for so long that it was ended.
    Crashed,
}

/// A daemon with a client that has it read documents. A new pair takes over when the daemon ends.
#[derive(Debug)]
pub struct Definer {
    mode: &'static str,
    client: Option<Client>,
}

#[derive(Debug)]
struct Client {
    _libvirtd: Libvirtd,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Definer {
    /// Defines documents and removes them again.
    pub fn start() -> Self {
        Self { mode: "define", client: None }
    }

    /// Starts the containers of documents and ends them.
    pub fn live() -> Self {
        Self { mode: "live", client: None }
    }

    /// What libvirt says to a document.
    pub fn ask(&mut self, document: &str) -> Answer {
        let client = self.client.get_or_insert_with(|| Client::start(self.mode));
        client.ask(document).unwrap_or_else(|| {
            self.client = None;
            Answer::Crashed
        })
    }
}

impl Client {
    fn start(mode: &str) -> Self {
        let libvirtd = Libvirtd::start();
        let mut child = Command::new(PYTHON)
            .args([SCRIPT, &libvirtd.uri(), mode])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { _libvirtd: libvirtd, child, input, output }
    }

    fn ask(&mut self, document: &str) -> Option<Answer> {
        let line = serde_json::to_string(document).unwrap();
        writeln!(self.input, "{line}").ok()?;
        if !readable(self.output.get_ref().as_fd()) {
            return None;
        }
        let mut line = String::new();
        self.output.read_line(&mut line).ok().filter(|&read| read > 0)?;
        Some(serde_json::from_str(&line).unwrap())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
