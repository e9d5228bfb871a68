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

mod support;

use std::error::Error;
use std::time::Instant;

use futures_util::future::try_join_all;

use support::{Bus, DOMAIN, Daemon, Times, facts, run};

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
    let bus = Bus::connect(daemon).await?;
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
