//! Start and destroy beside other runtimes, in one run: `cargo bench --bench peers`.
//!
//! All run a static busybox that waits, in the same root, with network, PID, mount, UTS, IPC and
//! control group namespaces of its own. A runtime that is not installed is left out. libvirt's own
//! driver takes part when `NSVIRT_PEER_URI` names one (`lxc+unix:///system?socket=...`), by
//! python3-libvirt. As an argument: how many turns. It needs root.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on is no measurement"
)]

mod support;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Bus, DOMAIN, Daemon, Times, facts, run};

const TURNS: usize = 30;
/// What other runtimes call their container.
const PEER: &str = "nsvirt-bench-peer";

fn main() {
    let turns = std::env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(TURNS);
    if !nix::unistd::geteuid().is_root() {
        println!("needs root: peers");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let daemon = Daemon::start();
    facts();
    println!("\n{:<42}{:>9}{:>9}{:>9}  ms", "", "min", "median", "max");
    runtime.block_on(ours(&daemon, turns)).unwrap();
    libvirt(&daemon, turns);
    let root = daemon.directory.join("root");
    if is_there("crun") {
        crun(&daemon.directory, &root, turns);
    }
    if is_there("lxc-start") {
        lxc(&daemon.directory, &root, turns);
    }
    let root = root.to_str().unwrap();
    if is_there("bwrap") {
        let arguments = ["--unshare-all", "--bind", root, "/", "--proc", "/proc", "--dev", "/dev"];
        let arguments = [&arguments[..], &["/bin/busybox", "true"]].concat();
        whole("bubblewrap: run true to its end", turns, || run("bwrap", &arguments));
    }
    let namespaces = ["--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "-R"];
    let arguments = [&namespaces[..], &[root, "/bin/busybox", "true"]].concat();
    whole("unshare: run true to its end", turns, || run("unshare", &arguments));
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        println!("{program} is not installed");
    }
    found
}

fn whole(what: &str, turns: usize, mut act: impl FnMut()) {
    let mut times = Times::default();
    (0..turns).for_each(|_| times.add(&mut act));
    times.print(what);
}

/// Times of two commands in turn, if the first can be done here at all.
fn in_turn(name: &str, turns: usize, up: &mut Command, down: &mut Command) {
    let tried = quiet(up).output().unwrap();
    if !tried.status.success() {
        let said = String::from_utf8_lossy(&tried.stderr);
        return println!("{name} cannot do it here: {}", said.lines().next().unwrap_or_default());
    }
    let done = |command: &mut Command| {
        let status = command.stderr(Stdio::null()).status().unwrap();
        assert!(status.success(), "{command:?}: {status}");
    };
    done(quiet(down));
    let (mut starts, mut ends) = (Times::default(), Times::default());
    for _ in 0..turns {
        starts.add(|| done(up));
        ends.add(|| done(down));
    }
    starts.print(&format!("{name}: start"));
    ends.print(&format!("{name}: destroy"));
}

async fn ours(daemon: &Daemon, turns: usize) -> Result<(), Box<dyn Error>> {
    let bus = Bus::connect(daemon).await?;
    let defined = bus.define(&daemon.document("bench", true)).await?;
    let (mut starts, mut ends) = (Times::default(), Times::default());
    for _ in 0..turns {
        for (member, times) in [("Create", &mut starts), ("Destroy", &mut ends)] {
            let start = Instant::now();
            bus.call(&defined, DOMAIN, member, &0_u32).await?;
            times.0.push(start.elapsed());
        }
    }
    starts.print("nsvirt: start");
    ends.print("nsvirt: destroy");
    bus.call(&defined, DOMAIN, "Undefine", &0_u32).await?;
    Ok(())
}

/// Start and destroy in a process that is connected already, as ours are.
fn libvirt(daemon: &Daemon, turns: usize) {
    const SCRIPT: &str = "import libvirt, sys, time
connection = libvirt.open(sys.argv[1])
domain = connection.defineXML(sys.argv[2])
for turn in range(int(sys.argv[3])):
    for act in (domain.create, domain.destroy):
        start = time.monotonic_ns()
        act()
        print(time.monotonic_ns() - start)
domain.undefine()
";
    let Ok(uri) = std::env::var("NSVIRT_PEER_URI") else {
        println!("libvirt: NSVIRT_PEER_URI names none");
        return;
    };
    let document = daemon.document(PEER, true);
    let output = Command::new("/usr/bin/python3")
        .args(["-c", SCRIPT, &uri, &document, &turns.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "/usr/bin/python3: {}", output.status);
    let text = String::from_utf8(output.stdout).unwrap();
    let times: Vec<_> =
        text.lines().map(|line| Duration::from_nanos(line.parse().unwrap())).collect();
    for (first, what) in [(0, "libvirt: start"), (1, "libvirt: destroy")] {
        Times(times.iter().skip(first).step_by(2).copied().collect()).print(what);
    }
}

fn crun(directory: &Path, root: &Path, turns: usize) {
    let bundle = directory.join("bundle");
    fs::create_dir_all(&bundle).unwrap();
    let bundle = bundle.to_str().unwrap();
    let config = Path::new(bundle).join("config.json");
    if !config.exists() {
        let made = Command::new("crun").args(["spec"]).current_dir(bundle).status().unwrap();
        assert!(made.success(), "crun spec: {made}");
    }
    let mut spec: serde_json::Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    spec["process"]["terminal"] = false.into();
    spec["process"]["args"] = serde_json::json!(["/bin/busybox", "sleep", "1000000"]);
    spec["root"] = serde_json::json!({ "path": root.to_str().unwrap(), "readonly": false });
    fs::write(&config, spec.to_string()).unwrap();
    let manager = "--cgroup-manager=cgroupfs";
    in_turn(
        "crun",
        turns,
        Command::new("crun").args([manager, "run", "--detach", "--bundle", bundle, PEER]),
        Command::new("crun").args([manager, "delete", "--force", PEER]),
    );
}

fn lxc(directory: &Path, root: &Path, turns: usize) {
    let (config, path) = (directory.join("lxc.conf"), directory.join("lxc"));
    fs::create_dir_all(&path).unwrap();
    let text = format!(
        "lxc.rootfs.path = dir:{}\nlxc.init.cmd = /bin/busybox sleep 1000000\nlxc.net.0.type = empty\n\
         lxc.uts.name = bench\nlxc.mount.auto = proc sys:ro\n",
        root.display()
    );
    fs::write(&config, text).unwrap();
    let (config, path) = (config.to_str().unwrap(), path.to_str().unwrap());
    in_turn(
        "lxc",
        turns,
        Command::new("lxc-start").args(["-n", PEER, "-P", path, "-f", config]),
        Command::new("lxc-stop").args(["-k", "-n", PEER, "-P", path]),
    );
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null())
}
