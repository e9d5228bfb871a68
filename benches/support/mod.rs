//! What benchmarks of containers share: a private daemon, its bus, times, the facts of the machine.

#![allow(dead_code, unreachable_pub, reason = "a module of several programs")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zbus::{Connection, OwnedObjectPath};

pub const DOMAIN: &str = "org.libvirt.Domain";

pub struct Bus(Connection);

impl Bus {
    pub async fn connect(daemon: &Daemon) -> zbus::Result<Self> {
        Ok(Self(zbus::connection::Builder::address(daemon.address.as_str()).build().await?))
    }

    pub async fn call(
        &self,
        path: &str,
        interface: &str,
        member: &str,
        body: &(impl serde::Serialize + zbus::DynamicType),
    ) -> zbus::Result<zbus::Message> {
        self.0.call_method(Some("org.libvirt"), path, Some(interface), member, body).await
    }

    pub async fn define(&self, document: &str) -> zbus::Result<String> {
        let interface = "org.libvirt.Connect";
        let reply = self.call("/org/libvirt/LXC", interface, "DomainDefineXML", &document).await?;
        Ok(reply.body().deserialize::<OwnedObjectPath>()?.to_string())
    }
}

#[derive(Default)]
pub struct Times(pub Vec<Duration>);

impl Times {
    pub fn add(&mut self, act: impl FnOnce()) {
        let start = Instant::now();
        act();
        self.0.push(start.elapsed());
    }

    pub fn print(mut self, what: &str) {
        self.0.sort_unstable();
        let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
        let (first, last) = (self.0.first().unwrap(), self.0.last().unwrap());
        let median = &self.0[self.0.len() / 2];
        println!("{what:<42}{:>9.2}{:>9.2}{:>9.2}", ms(first), ms(median), ms(last));
    }
}

pub fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().unwrap();
    assert!(status.success(), "{program}: {status}");
}

/// What a number means nothing without.
pub fn facts() {
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
pub struct Daemon {
    pub directory: PathBuf,
    prefix: PathBuf,
    pub address: String,
    child: Child,
}

impl Daemon {
    pub fn start() -> Self {
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

    pub fn document(&self, name: &str, private_network: bool) -> String {
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
