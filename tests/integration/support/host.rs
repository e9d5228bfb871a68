//! One test's part of the host: a directory, a root tree, a daemon, and what must be left: nothing.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nsvirt::driver::Paths;

use super::daemon::Daemon;
use super::inventory::{self, Inventory, Scope};
use super::network::Network;
use super::process::Process;
use super::tree::Tree;
use super::{Bus, Document, Domain, Nsvirsh};

/// A private host. Dropped, it ends what runs, and fails the test when something is left.
#[derive(Debug)]
pub struct Host {
    pub directory: PathBuf,
    pub prefix: PathBuf,
    pub tree: Tree,
    pub paths: Paths,
    pub network: Network,
    daemon: Option<Daemon>,
    bus: Option<Bus>,
    /// Without a daemon, at the beginning.
    untouched: Inventory,
    /// With a daemon and no container.
    idle: Inventory,
}

/// For a test that needs root: whether it can run. As an ordinary user it says so, past the
/// capture of output.
pub fn is_root(test: &str) -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        let mut terminal = std::io::stderr();
        writeln!(terminal, "needs root: {test}").unwrap();
    }
    root
}

impl Host {
    /// Makes one with a daemon that is ready; `None` for an ordinary user.
    pub fn new(test: &str) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let directory = fresh_directory();
        let prefix = directory.join("p");
        let paths = Paths::below(&prefix);
        let network = Network::new();
        let scope = scope(&directory, &paths, None, &network);
        let untouched = Inventory::take(&scope);
        let mut host = Self {
            tree: Tree::make(&directory.join("root")),
            idle: untouched.clone(),
            untouched,
            directory,
            prefix,
            paths,
            network,
            daemon: None,
            bus: None,
        };
        host.start_daemon();
        host.idle = host.inventory();
        Some(host)
    }

    /// A second daemon on the same prefix, or the first again. On failure: what it printed.
    pub fn try_daemon(&self) -> Result<Daemon, String> {
        Daemon::start(&self.prefix, &self.errors(), &self.network)
    }

    /// What the daemon has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.errors()).unwrap_or_default()).into_owned()
    }

    fn errors(&self) -> PathBuf {
        self.directory.join("nsvirtd.log")
    }

    pub fn start_daemon(&mut self) {
        let daemon = self.try_daemon().unwrap();
        self.bus = Some(Bus::connect(&daemon.address));
        self.daemon = Some(daemon);
    }

    pub fn stop_daemon(&mut self) {
        self.bus = None;
        let status = self.daemon.take().unwrap().stop();
        assert!(status.success(), "nsvirtd: {status}\n{}", self.log());
    }

    pub fn kill_daemon(&mut self) {
        self.bus = None;
        self.daemon.take().unwrap().kill();
    }

    pub fn daemon_pid(&self) -> u32 {
        self.daemon.as_ref().unwrap().pid()
    }

    pub fn bus(&self) -> Bus {
        self.bus.clone().expect("no daemon runs")
    }

    /// The command line, connected to this daemon.
    pub fn nsvirsh(&self) -> Nsvirsh {
        Nsvirsh::new(&self.daemon.as_ref().expect("no daemon runs").address, &self.directory)
    }

    pub fn document(&self, name: &str) -> Document {
        Document::new(name, &self.tree.path)
    }

    /// Starts a container that is not kept.
    pub fn run(&self, document: &Document) -> Domain {
        self.bus().create_xml(document).unwrap()
    }

    /// A container that answers on its console, to see that it goes on whatever else happens.
    pub fn bystander(&self) -> Domain {
        let domain = self.run(&self.document("bystander"));
        domain.assert_answers();
        domain
    }

    pub fn inventory(&self) -> Inventory {
        Inventory::take(&self.scope())
    }

    /// Checks that no container has left anything.
    pub fn assert_idle(&self) {
        self.idle.assert_same(&self.inventory(), "with no container");
    }

    /// Checks that there is no network device but `lo` and these.
    pub fn assert_only(&self, links: &[&str]) {
        let mut expected = [&["lo"], links].concat();
        expected.sort_unstable();
        let mut found = self.network.links();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    /// The directory of a container's group in the hierarchy of a controller (version 1) or in the
    /// unified one.
    pub fn group(&self, controller: &str, domain: &str, below: &str) -> PathBuf {
        let version1 = Path::new("/sys/fs/cgroup").join(controller);
        let unified =
            inventory::hierarchies().into_iter().find(|it| it.join("cgroup.controllers").exists());
        let hierarchy = if version1.join("tasks").exists() { version1 } else { unified.unwrap() };
        hierarchy
            .join(self.paths.partition.trim_start_matches('/'))
            .join(format!("{domain}.libvirt-lxc"))
            .join(below)
    }

    /// The content of one of a running container's files, which has another name in each version.
    pub fn kernel(&self, domain: &str, controller: &str, (v1, v2): (&str, &str)) -> String {
        let payload = self.group(controller, domain, "payload");
        let file = [v1, v2].map(|name| payload.join(name)).into_iter().find(|it| it.exists());
        let file = file.unwrap_or_else(|| panic!("no {v1} nor {v2} in {}", payload.display()));
        fs::read_to_string(file).unwrap().trim().to_owned()
    }

    /// Whether the host has a controller in version 1.
    pub fn is_v1(&self, controller: &str) -> bool {
        Path::new("/sys/fs/cgroup").join(controller).join("tasks").exists()
    }

    fn scope(&self) -> Scope<'_> {
        let daemon = self.daemon.as_ref().map(Daemon::pid);
        scope(&self.directory, &self.paths, daemon, &self.network)
    }

    /// Ends every container over the API and the daemon after them, and compares.
    fn finish(&mut self) {
        if self.daemon.is_none() {
            self.start_daemon();
        }
        let bus = self.bus();
        for path in bus.list(1).unwrap() {
            // One that ended meanwhile is gone as well.
            let _ = bus.at(&path).destroy();
        }
        self.assert_idle();
        self.stop_daemon();
        for file in ["nsvirtd.lock", "autostarted"] {
            fs::remove_file(self.paths.run.join(file)).unwrap();
        }
        for directory in [self.paths.runs(), self.paths.run.clone()] {
            fs::remove_dir(&directory)
                .unwrap_or_else(|e| panic!("something is left in {}: {e}", directory.display()));
        }
        self.untouched.assert_same(&self.inventory(), "with no daemon");
        let partitions = inventory::partitions(&self.paths.partition);
        assert!(partitions.is_empty(), "left behind {partitions:?}");
    }

    /// After a failure: whatever of this test is there goes.
    fn clean_up(&mut self) {
        self.bus = None;
        if let Some(daemon) = self.daemon.take() {
            daemon.kill();
        }
        for (pid, _) in inventory::processes(&self.scope()) {
            if let Some(process) = Process::open(pid) {
                process.kill_and_wait();
            }
        }
        for group in inventory::groups(&self.paths.partition).iter().rev() {
            let _ = fs::remove_dir(group);
        }
        for partition in inventory::partitions(&self.paths.partition) {
            let _ = fs::remove_dir(partition);
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let finished = if std::thread::panicking() {
            let log = self.log();
            if !log.is_empty() {
                eprintln!("nsvirtd logged:\n{log}");
            }
            Ok(())
        } else {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.finish()))
        };
        self.clean_up();
        let _ = fs::remove_dir_all(&self.directory);
        if let Err(panic) = finished {
            std::panic::resume_unwind(panic);
        }
    }
}

fn scope<'a>(
    directory: &'a Path,
    paths: &'a Paths,
    daemon: Option<u32>,
    network: &'a Network,
) -> Scope<'a> {
    Scope { directory, run: &paths.run, partition: &paths.partition, daemon, network }
}

/// A directory of this test alone. Short: the paths of sockets are.
pub fn fresh_directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nsvt-{}-{number}", std::process::id()));
        match fs::create_dir(&path) {
            Ok(()) => return fs::canonicalize(path).unwrap(),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => panic!("cannot make {}: {e}", path.display()),
        }
    }
}
