//! What documents limit, as the kernel's files have it.

use std::fs;

use crate::support::process::{Process, only_child};
use crate::support::{Document, Facts, Host, probe, until};

fn refused(host: &Host, document: &Document) -> String {
    let text = host.bus().create_xml(document).unwrap_err().text;
    host.assert_idle();
    text
}

#[test]
fn memory_swap_and_soft_limit_are_the_kernels() {
    let Some(host) = Host::new("memory_swap_and_soft_limit_are_the_kernels") else {
        return;
    };
    let tune = "<memtune><hard_limit unit='MiB'>40</hard_limit>\
                <soft_limit unit='MiB'>20</soft_limit>\
                <swap_hard_limit unit='MiB'>70</swap_hard_limit>\
                <min_guarantee unit='MiB'>1</min_guarantee></memtune>";
    let domain = host.run(&host.document("tuned").element(tune));
    let of = |files| host.kernel("tuned", "memory", files);
    assert_eq!(of(("memory.limit_in_bytes", "memory.max")), (40_u64 << 20).to_string());
    assert_eq!(of(("memory.soft_limit_in_bytes", "memory.low")), (20_u64 << 20).to_string());
    let swap = if host.is_v1("memory") { 70_u64 << 20 } else { 30 << 20 };
    assert_eq!(of(("memory.memsw.limit_in_bytes", "memory.swap.max")), swap.to_string());
    domain.assert_answers();
}

#[test]
fn a_limit_of_memory_and_swap_below_that_of_memory_is_refused() {
    let Some(host) = Host::new("a_limit_of_memory_and_swap_below_that_of_memory_is_refused") else {
        return;
    };
    let tune = "<memtune><swap_hard_limit>1024</swap_hard_limit></memtune>";
    let text = refused(&host, &host.document("less").element(tune));
    assert!(text.contains("<memtune><swap_hard_limit> is memory and swap together"), "{text}");
}

#[test]
fn processor_time_is_shared_and_limited() {
    let Some(host) = Host::new("processor_time_is_shared_and_limited") else {
        return;
    };
    let tune = "<cputune><shares>2048</shares><period>50000</period><quota>20000</quota></cputune>";
    let domain = host.run(&host.document("slow").element(tune));
    let of = |files| host.kernel("slow", "cpu", files);
    let v1 = host.is_v1("cpu");
    assert_eq!(of(("cpu.shares", "cpu.weight")), if v1 { "2048" } else { "200" });
    let period = of(("cpu.cfs_period_us", "cpu.max"));
    let quota = of(("cpu.cfs_quota_us", "cpu.max"));
    if v1 {
        assert_eq!((period.as_str(), quota.as_str()), ("50000", "20000"));
    } else {
        assert_eq!(quota, "20000 50000");
    }
    domain.assert_answers();
}

#[test]
fn processors_and_nodes_are_the_documents() {
    let Some(host) = Host::new("processors_and_nodes_are_the_documents") else {
        return;
    };
    let tune =
        "<vcpu cpuset='0'>1</vcpu><numatune><memory mode='interleave' nodeset='0'/></numatune>";
    let (domain, facts) = Facts::of(&host, &probe(host.document("placed")).element(tune));
    assert_eq!(facts.of_word("allowed", "Cpus"), "0");
    assert_eq!(facts.of_word("allowed", "Mems"), "0");
    let of = |file| host.kernel("placed", "cpuset", (file, file));
    assert_eq!((of("cpuset.cpus").as_str(), of("cpuset.mems").as_str()), ("0", "0"));
    let maps = fs::read_to_string(format!("/proc/{}/numa_maps", only_child(domain.id()))).unwrap();
    assert!(maps.contains(" interleave:0 ") || maps.contains(" interleave=static:0"), "{maps}");
}

#[test]
fn strict_nodes_confine_and_automatic_ones_are_chosen() {
    let Some(host) = Host::new("strict_nodes_confine_and_automatic_ones_are_chosen") else {
        return;
    };
    let strict = "<numatune><memory mode='strict' nodeset='0'/></numatune>";
    let _strict = host.run(&host.document("strict").element(strict));
    let of = |domain, file| host.kernel(domain, "cpuset", (file, file));
    assert_eq!(of("strict", "cpuset.mems"), "0");
    let automatic = "<vcpu placement='auto'>1</vcpu>";
    let domain = host.run(&host.document("auto").element(automatic));
    assert_eq!(of("auto", "cpuset.mems"), "0");
    assert!(!of("auto", "cpuset.cpus").is_empty());
    domain.assert_answers();
}

#[test]
fn processors_that_are_not_there_are_refused() {
    let Some(host) = Host::new("processors_that_are_not_there_are_refused") else {
        return;
    };
    let far = host.document("far").element("<vcpu cpuset='4000'>1</vcpu>");
    let text = refused(&host, &far);
    assert!(text.contains("<vcpu> names processor 4000, and this host has 0"), "{text}");
    let far = "<numatune><memory nodeset='900'/></numatune>";
    let text = refused(&host, &host.document("far").element(far));
    assert!(text.contains("<numatune> names memory node 900"), "{text}");
}

/// A block device of this host that is a whole one, with its number.
pub fn block_device() -> Option<(String, String)> {
    fs::read_dir("/sys/block").unwrap().flatten().find_map(|entry| {
        let node = format!("/dev/{}", entry.file_name().to_string_lossy());
        let number = fs::read_to_string(entry.path().join("dev")).ok()?;
        fs::metadata(&node).is_ok().then(|| (node, number.trim().to_owned()))
    })
}

#[test]
pub fn block_devices_are_shared_and_throttled() {
    let Some(host) = Host::new("block_devices_are_shared_and_throttled") else {
        return;
    };
    let Some((node, number)) = block_device() else {
        return eprintln!("this host has no block device");
    };
    let tune = format!(
        "<blkiotune><device><path>{node}</path><read_iops_sec>111</read_iops_sec>\
         <write_iops_sec>222</write_iops_sec><read_bytes_sec>1048576</read_bytes_sec>\
         <write_bytes_sec>2097152</write_bytes_sec></device></blkiotune>"
    );
    let domain = host.run(&host.document("disk").element(&tune));
    let of = |file: &str| host.kernel("disk", "blkio", (file, "io.max"));
    if host.is_v1("blkio") {
        for (what, value) in [
            ("read_iops", "111"),
            ("write_iops", "222"),
            ("read_bps", "1048576"),
            ("write_bps", "2097152"),
        ] {
            let file = format!("blkio.throttle.{what}_device");
            assert_eq!(of(&file), format!("{number} {value}"));
        }
    } else {
        let expected = format!("{number} rbps=1048576 wbps=2097152 riops=111 wiops=222");
        assert_eq!(of("io.max"), expected);
    }
    domain.assert_answers();
}

#[test]
fn the_share_of_block_devices_is_set_where_the_kernel_has_one() {
    let Some(host) = Host::new("the_share_of_block_devices_is_set_where_the_kernel_has_one") else {
        return;
    };
    let document = host.document("share").element("<blkiotune><weight>333</weight></blkiotune>");
    match host.bus().create_xml(&document) {
        Ok(_) => {
            let names = ["io.weight", "io.bfq.weight", "blkio.bfq.weight", "blkio.weight"];
            let payload = host.group("blkio", "share", "payload");
            let files = names.map(|name| payload.join(name));
            let texts: Vec<_> = files.iter().filter_map(|it| fs::read_to_string(it).ok()).collect();
            assert!(!texts.is_empty());
            assert!(texts.iter().all(|it| it.trim().trim_start_matches("default ") == "333"));
        }
        Err(error) => {
            assert!(error.text.contains("<blkiotune><weight> is nothing this kernel can limit"));
            host.assert_idle();
        }
    }
}

#[test]
fn what_is_no_block_device_is_refused() {
    let Some(host) = Host::new("what_is_no_block_device_is_refused") else {
        return;
    };
    let on = |path: &str| {
        let device = format!("<path>{path}</path><read_iops_sec>1</read_iops_sec>");
        let tune = format!("<blkiotune><device>{device}</device></blkiotune>");
        refused(&host, &host.document("none").element(&tune))
    };
    let text = on("/dev/nowhere");
    assert!(text.starts_with("Path '/dev/nowhere' is not accessible: No such file"), "{text}");
    let text = on("/dev/null");
    assert!(text.starts_with("Path '/dev/null' must be a block device"), "{text}");
}

#[test]
fn processes_are_limited_by_default_as_the_document_says_or_not_at_all() {
    let Some(host) =
        Host::new("processes_are_limited_by_default_as_the_document_says_or_not_at_all")
    else {
        return;
    };
    let of = |domain| host.kernel(domain, "pids", ("pids.max", "pids.max"));
    let pids = |max: &str| format!("<n:pids xmlns:n='urn:nsvirt:domain:1.0' max='{max}'/>");
    let default = host.run(&host.document("default"));
    let most: u64 = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap().trim().parse().unwrap();
    assert_eq!(of("default"), (most / 100 * 15).min(16384).to_string());
    assert!(!default.xml(0).unwrap().contains("pids"));
    let few = host.run(&host.document("few").element(&pids("7")));
    assert_eq!(of("few"), "7");
    assert!(few.xml(0).unwrap().contains("<nsvirt:pids max='7'/>"));
    let _any = host.run(&host.document("any").element(&pids("unlimited")));
    assert_eq!(of("any"), "max");
}

/// A spinning process, one that forks and forks, and as many sleepers as there may be.
const BOMB: &str = "echo lit; (while :; do :; done) & (while :; do sh -c :; done) & \
                    (while :; do sleep 1000000 & done) & exec sleep 1000000";

#[test]
fn a_fork_bomb_is_held_and_ends_at_once() {
    let Some(mut host) = Host::new("a_fork_bomb_is_held_and_ends_at_once") else {
        return;
    };
    let bystander = host.bystander();
    let pids = "<n:pids xmlns:n='urn:nsvirt:domain:1.0' max='64'/>";
    let bomb = host.document("bomb").element(pids).script(BOMB);
    let light = |host: &Host| {
        let domain = host.run(&bomb);
        domain.console().wait_for("lit\r\n");
        let current = || host.kernel("bomb", "pids", ("pids.current", "pids.current"));
        until("the bomb fills its limit", || current().parse::<u32>().unwrap() >= 60);
        domain
    };
    // Frozen, destroyed as it burns, and destroyed while it is frozen.
    let domain = light(&host);
    bystander.assert_answers();
    domain.suspend().unwrap();
    assert_eq!(domain.state().0, 3);
    domain.resume().unwrap();
    domain.destroy().unwrap();
    let domain = light(&host);
    domain.suspend().unwrap();
    domain.destroy().unwrap();
    // With nobody left who holds it.
    let supervisor = Process::open(light(&host).id()).unwrap();
    host.kill_daemon();
    supervisor.kill_and_wait();
    host.start_daemon();
    assert_eq!(host.bus().list(1).unwrap().len(), 1, "the bystander");
}
