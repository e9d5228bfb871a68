//! Times of start and destroy over D-Bus, on a private daemon: `cargo bench --bench lifecycle`.
//!
//! `cargo bench --bench lifecycle -- 1000` makes 1000 turns instead of 200. It needs root and a
//! static busybox, prints numbers with the facts of the machine, and judges nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on is no measurement"
)]

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use zbus::{Connection, OwnedObjectPath};

const TURNS: usize = 200;
const AT_ONCE: usize = 50;

fn main() {
    // Cargo adds --bench.
    let turns = std::env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(TURNS);
    if !nix::unistd::geteuid().is_root() {
        println!("needs root: lifecycle");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let daemon = Daemon::start();
    facts();
    runtime.block_on(measure(&daemon, turns)).unwrap();
}

async fn measure(daemon: &Daemon, turns: usize) -> Result<(), Box<dyn Error>> {
    let connection = zbus::connection::Builder::address(daemon.address.as_str()).build().await?;
    let bus = Bus(connection);
    println!("\n{:<42}{:>9}{:>9}{:>9}  ms", "", "min", "median", "max");

    let mut fork = Times::default();
    let mut unshared = Times::default();
    let mut bare = Times::default();
    let root = daemon.directory.join("root");
    let namespaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "-R"];
    let inside = [root.to_str().unwrap(), "/bin/busybox", "true"];
    let inside = [&namespaces[..], &inside[..]].concat();
    let mut ping = Times::default();
    for _ in 0..turns {
        fork.add(|| run("busybox", &["true"]));
        unshared.add(|| run("unshare", &["-mpuif", "--kill-child", "busybox", "true"]));
        bare.add(|| run("unshare", &inside));
        let start = Instant::now();
        bus.call("/", "org.freedesktop.DBus.Peer", "Ping", &()).await?;
        ping.0.push(start.elapsed());
    }
    fork.print("bare: fork, exec, wait");
    unshared.print("bare: unshare -mpui, exec, wait");
    bare.print("bare: unshare as a container, exec, wait");
    ping.print("bare: one call over the bus");

    let defined = bus.define(&daemon.document("bench", true)).await?;
    let (mut up, mut down) = (Times::default(), Times::default());
    for _ in 0..turns {
        let start = Instant::now();
        bus.call(&defined, DOMAIN, "Create", &0_u32).await?;
        up.0.push(start.elapsed());
        let start = Instant::now();
        bus.call(&defined, DOMAIN, "Destroy", &0_u32).await?;
        down.0.push(start.elapsed());
    }
    up.print(&format!("start, {turns} times"));
    down.print(&format!("destroy, {turns} times"));
    bus.call(&defined, DOMAIN, "Undefine", &0_u32).await?;

    let plain = bus.define(&daemon.document("bench", false)).await?;
    let (mut up, mut down) = (Times::default(), Times::default());
    for _ in 0..turns {
        let start = Instant::now();
        bus.call(&plain, DOMAIN, "Create", &0_u32).await?;
        up.0.push(start.elapsed());
        let start = Instant::now();
        bus.call(&plain, DOMAIN, "Destroy", &0_u32).await?;
        down.0.push(start.elapsed());
    }
    up.print("start, the host's network");
    down.print("destroy, the host's network");
    bus.call(&plain, DOMAIN, "Undefine", &0_u32).await?;

    let mut many = Vec::new();
    for number in 0..AT_ONCE {
        many.push(bus.define(&daemon.document(&format!("bench{number}"), true)).await?);
    }
    let (mut up, mut down) = (Times::default(), Times::default());
    for _ in 0..3 {
        for (member, times) in [("Create", &mut up), ("Destroy", &mut down)] {
            let start = Instant::now();
            try_join_all(many.iter().map(|path| bus.call(path, DOMAIN, member, &0_u32))).await?;
            times.0.push(start.elapsed());
        }
    }
    up.print(&format!("start of {AT_ONCE} at once, all"));
    down.print(&format!("destroy of {AT_ONCE} at once, all"));
    for path in &many {
        bus.call(path, DOMAIN, "Undefine", &0_u32).await?;
    }
    Ok(())
}

const DOMAIN: &str = "org.libvirt.Domain";

struct Bus(Connection);

impl Bus {
    async fn call(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &(impl serde::Serialize + zbus::DynamicType),
    ) -> zbus::Result<zbus::Message> {
        self.0.call_method(Some("org.libvirt"), path, Some(interface), member, body).await
    }

    async fn define(&self, document: &str) -> zbus::Result<String> {
        let interface = "org.libvirt.Connect";
        let reply = self.call("/org/libvirt/LXC", interface, "DomainDefineXML", &document).await?;
        Ok(reply.body().deserialize::<OwnedObjectPath>()?.to_string())
    }
}

#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, act: impl FnOnce()) {
        let start = Instant::now();
        act();
        self.0.push(start.elapsed());
    }

    fn print(mut self, what: &str) {
        self.0.sort_unstable();
        let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
        let (first, last) = (self.0.first().unwrap(), self.0.last().unwrap());
        let median = &self.0[self.0.len() / 2];
        println!("{what:<42}{:>9.2}{:>9.2}{:>9.2}", ms(first), ms(median), ms(last));
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program}: {status}");
}

/// What a number means nothing without.
fn facts() {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let mounts = read("/proc/self/mounts");
    let count = |kind: &str| mounts.lines().filter(|it| it.contains(kind)).count();
    let (v1, v2) = (count(" cgroup "), count(" cgroup2 "));
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|it| it.strip_prefix("model name")).unwrap_or_default();
    println!("kernel   {} ({})", read("/proc/sys/kernel/osrelease"), std::env::consts::ARCH);
    println!("cores    {cpus}, {}", model.trim_start_matches(['\t', ':', ' ']));
    println!("cgroups  {v1} hierarchies of version 1, {v2} of version 2");
    println!("load     {}", read("/proc/loadavg"));
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!("build    {build}");
}

/// A daemon with a directory of its own, and a root tree with nothing but busybox.
struct Daemon {
    directory: PathBuf,
    prefix: PathBuf,
    address: String,
    child: Child,
}

impl Daemon {
    fn start() -> Self {
        let directory = std::env::temp_dir().join(format!("nsvb-{}", std::process::id()));
        let root = directory.join("root");
        for name in ["bin", "proc", "sys", "dev"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let places = ["/bin/busybox", "/usr/bin/busybox"];
        let busybox = places.iter().find(|it| Path::new(it).exists());
        for name in ["sh", "busybox"] {
            fs::copy(busybox.expect("no static busybox"), root.join("bin").join(name)).unwrap();
        }
        // As on a host, where /run is no disk.
        let prefix = Path::new("/dev/shm").join(directory.file_name().unwrap());
        let mut child = Command::new(env!("CARGO_BIN_EXE_nsvirtd"))
            .arg("--prefix")
            .arg(&prefix)
            .args(["--bus", "embedded"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("nsvirtd is ready on ").unwrap().to_owned();
        Self { directory, prefix, address, child }
    }

    fn document(&self, name: &str, private_network: bool) -> String {
        let features = if private_network { "<features><privnet/></features>" } else { "" };
        format!(
            "<domain type='lxc'><name>{name}</name><memory>65536</memory>{features}\
             <os><type>exe</type><init>/bin/sh</init></os><devices>\
             <filesystem type='mount'><source dir='{}'/><target dir='/'/></filesystem>\
             <console type='pty'/></devices></domain>",
            self.directory.join("root").display()
        )
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Containers are destroyed by now; after a failure their supervisors say where they are.
        let pid = nix::unistd::Pid::from_raw(self.child.id().try_into().unwrap());
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.directory);
        let _ = fs::remove_dir_all(&self.prefix);
    }
}
