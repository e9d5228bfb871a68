//! Times of documents: parsing and printing one, and loading very many when the daemon starts.
//!
//! `cargo bench --bench documents` prints numbers with the facts of the machine, and judges
//! nothing. It needs no root.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on is no measurement")]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use nsvirt::driver::{Config, Driver, Paths};
use nsvirt::model::{Domain, View};

const TURNS: usize = 2000;
const DEFINITIONS: usize = 10_000;

fn main() {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    println!("kernel   {}, {cpus} cores", read("/proc/sys/kernel/osrelease"));
    println!("load     {}", read("/proc/loadavg"));
    one();
    many();
}

/// A document of 5 KB: a container with many file systems and long metadata.
fn document(number: usize, size: usize) -> String {
    let mut text = format!(
        "<domain type='lxc'><name>bench{number}</name><memory unit='MiB'>64</memory>\
         <metadata><app:data xmlns:app='urn:bench'>{}</app:data></metadata>\
         <os><type>exe</type><init>/sbin/init</init></os><devices>\
         <filesystem type='mount'><source dir='/srv/root'/><target dir='/'/></filesystem>",
        "metadata ".repeat(20)
    );
    let mut count = 0;
    while text.len() < size.saturating_sub(60) {
        text.push_str(&format!(
            "<filesystem type='mount' accessmode='passthrough'><source dir='/srv/data{count}'/>\
             <target dir='/data{count}'/><readonly/></filesystem>"
        ));
        count += 1;
    }
    text.push_str("<console type='pty'/></devices></domain>");
    text
}

fn one() {
    let text = document(0, 5000);
    let mut times: Vec<f64> = (0..TURNS)
        .map(|_| {
            let start = Instant::now();
            let domain = Domain::parse(black_box(&text)).unwrap();
            black_box(domain.format(View::Inactive));
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    println!(
        "parse and print {} bytes: min {:.1}, median {:.1}, 99% {:.1} us ({TURNS} times)",
        text.len(),
        at(0),
        at(50),
        at(99)
    );
}

fn many() {
    let directory = std::env::temp_dir().join(format!("nsvd-{}", std::process::id()));
    let paths = Paths::below(&directory);
    fs::create_dir_all(paths.definitions()).unwrap();
    for number in 0..DEFINITIONS {
        let domain = Domain::parse(&document(number, 1500)).unwrap();
        let file = paths.definitions().join(format!("bench{number}.xml"));
        fs::write(file, domain.format(View::Inactive)).unwrap();
    }
    let before = resident();
    let start = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let driver = runtime.block_on(Driver::open(&Config::default(), &paths)).unwrap();
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    let memory = resident().saturating_sub(before);
    println!("loading {DEFINITIONS} definitions: {elapsed:.0} ms");
    println!(
        "memory per definition: {:.1} KiB ({} domains)",
        memory as f64 / DEFINITIONS as f64,
        driver.list(0).unwrap().len()
    );
    drop(driver);
    fs::remove_dir_all(&directory).unwrap();
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let text = fs::read_to_string(Path::new("/proc/self/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0)
}
