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
    one("everything", FULL);
    one("file systems", &file_systems());
    many("plain", PLAIN);
    many("everything", FULL);
}

/// About 5 KB, with something of every family that containers honour.
const FULL: &str = include_str!("container.xml");

/// What most containers are: about 1 KB when printed.
const PLAIN: &str = "<domain type='lxc'><name>bench</name><memory unit='MiB'>64</memory>\
    <os><type>exe</type><init>/sbin/init</init></os><features><privnet/></features><devices>\
    <filesystem type='mount'><source dir='/srv/root'/><target dir='/'/></filesystem>\
    <interface type='bridge'><source bridge='br0'/></interface><console/></devices></domain>";

/// As long, with many devices of one family.
fn file_systems() -> String {
    let one = "<filesystem type='mount' accessmode='passthrough'><source dir='/srv/data'/>\
               <target dir='/data'/><readonly/></filesystem>";
    PLAIN.replace("<console/>", &one.repeat(41))
}

fn one(what: &str, text: &str) {
    let mut times: Vec<[f64; 2]> = (0..TURNS)
        .map(|_| {
            let start = Instant::now();
            let domain = Domain::parse(black_box(text)).unwrap();
            let parsed = start.elapsed();
            black_box(domain.format(View::Inactive));
            [start.elapsed(), parsed].map(|time| time.as_secs_f64() * 1e6)
        })
        .collect();
    times.sort_by(|[a, _], [b, _]| a.total_cmp(b));
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    let ([min, parsed], [median, _], [late, _]) = (at(0), at(50), at(99));
    println!(
        "{what}, {} bytes, parse and print: min {min:.1} us (parse {parsed:.1}), \
         median {median:.1}, 99% {late:.1} ({TURNS} times)",
        text.len(),
    );
}

fn many(what: &str, text: &str) {
    let directory = std::env::temp_dir().join(format!("nsvd-{}", std::process::id()));
    let paths = Paths::below(&directory);
    fs::create_dir_all(paths.definitions()).unwrap();
    for number in 0..DEFINITIONS {
        let mut domain = Domain::parse(text).unwrap();
        domain.name = format!("bench{number}");
        let file = paths.definitions().join(format!("bench{number}.xml"));
        fs::write(file, domain.format(View::Inactive)).unwrap();
    }
    let before = resident();
    let (start, start_on_cpu) = (Instant::now(), on_cpu());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let driver = runtime.block_on(Driver::open(&Config::default(), &paths)).unwrap();
    let elapsed = start.elapsed().as_secs_f64() * 1e3;
    let busy = on_cpu() - start_on_cpu;
    let memory = resident().saturating_sub(before);
    println!(
        "{what}, loading {DEFINITIONS} definitions: {elapsed:.0} ms ({busy:.0} on a processor), {:.1} KiB each ({} domains)",
        memory as f64 / DEFINITIONS as f64,
        driver.list(0).unwrap().len()
    );
    drop(driver);
    fs::remove_dir_all(&directory).unwrap();
}

/// How long this process, which has one thread, has been on a processor, in ms; others that are
/// there at the same time do not count.
fn on_cpu() -> f64 {
    let text = fs::read_to_string("/proc/self/schedstat").unwrap();
    text.split_whitespace().next().and_then(|it| it.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let text = fs::read_to_string(Path::new("/proc/self/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse().ok()).unwrap_or(0)
}
