//! Many containers at a time on a private daemon: `cargo bench --bench many -- 1000`.
//!
//! Starts so many one after the other, and says what the first and the last starts took, what one
//! costs in memory, and what their end takes. It needs root.

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
use std::time::Instant;

use support::{Bus, DOMAIN, Daemon, Times, facts};

const COUNT: usize = 1000;
/// Starts that are looked at, at the beginning and at the end.
const LOOKED_AT: usize = 20;

fn main() {
    let count = std::env::args().skip(1).find_map(|it| it.parse().ok()).unwrap_or(COUNT);
    if !nix::unistd::geteuid().is_root() {
        println!("needs root: many");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let daemon = Daemon::start();
    facts();
    runtime.block_on(measure(&daemon, count)).unwrap();
}

async fn measure(daemon: &Daemon, count: usize) -> Result<(), Box<dyn Error>> {
    let bus = Bus::connect(daemon).await?;
    let mut domains = Vec::new();
    for number in 0..count {
        domains.push(bus.define(&daemon.document(&format!("many{number}"), true)).await?);
    }
    let free = available();
    let mut times = Vec::new();
    let all = Instant::now();
    for domain in &domains {
        let start = Instant::now();
        bus.call(domain, DOMAIN, "Create", &0_u32).await?;
        times.push(start.elapsed());
    }
    let all = all.elapsed();
    let used = free.saturating_sub(available());
    println!("\n{:<42}{:>9}{:>9}{:>9}  ms", "", "min", "median", "max");
    let some = LOOKED_AT.min(count);
    Times(times[..some].to_vec()).print(&format!("start of the first {some}"));
    Times(times[count - some..].to_vec()).print(&format!("start of the last {some}"));
    println!("{:<42}{:>9.0}", format!("start of {count}, one after the other"), all.as_millis());
    println!("memory of the host in use for one: {} KiB", used / count as u64);
    let all = Instant::now();
    for domain in &domains {
        bus.call(domain, DOMAIN, "Destroy", &0_u32).await?;
    }
    let all = all.elapsed();
    println!("{:<42}{:>9.0}", format!("destroy of {count}, one after the other"), all.as_millis());
    for domain in &domains {
        bus.call(domain, DOMAIN, "Undefine", &0_u32).await?;
    }
    Ok(())
}

/// `MemAvailable` of `/proc/meminfo`, in KiB.
fn available() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|it| it.strip_prefix("MemAvailable:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
