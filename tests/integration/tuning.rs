//! What domains may use, changed over the API: what runs, the definition, and neither by mistake.

use zbus::Variant;

use crate::support::{Domain, Host};

const LIVE: u32 = 1;
const CONFIG: u32 = 2;

fn text(result: Result<(), crate::support::Failure>) -> String {
    let failure = result.unwrap_err();
    assert_eq!(failure.name, "org.libvirt.Error");
    failure.text
}

fn memory(kib: u64) -> Variant<'static> {
    kib.into()
}

/// `hard_limit`, `soft_limit` and `swap_hard_limit`.
fn limits(domain: &Domain, flags: u32) -> [u64; 3] {
    let found = domain.parameters("GetMemoryParameters", flags).unwrap();
    assert_eq!(found.0.len(), 3);
    ["hard_limit", "soft_limit", "swap_hard_limit"].map(|name| found.get(name))
}

const NONE: u64 = 9_007_199_254_740_991;

#[test]
fn memory_limits_change_live_and_in_the_definition() {
    let Some(mut host) = Host::new("memory_limits_change_live_and_in_the_definition") else {
        return;
    };
    let domain = host.bus().define(host.document("memory")).unwrap();
    assert_eq!(limits(&domain, 0), [NONE; 3]);
    domain.create().unwrap();
    assert_eq!(limits(&domain, 0), [65536, NONE, NONE]);
    let set = |parameters: &[(&str, Variant<'static>)], flags| {
        domain.set_parameters("SetMemoryParameters", parameters, flags)
    };
    let grow = [
        ("hard_limit", memory(80_000)),
        ("soft_limit", memory(40_000)),
        ("swap_hard_limit", memory(90_000)),
    ];
    set(&grow, 0).unwrap();
    assert_eq!(limits(&domain, LIVE), [80_000, 40_000, 90_000]);
    assert_eq!(limits(&domain, CONFIG), [NONE; 3]);
    let kernel = |host: &Host, v1, v2| host.kernel("memory", "memory", (v1, v2));
    let hard = kernel(&host, "memory.limit_in_bytes", "memory.max");
    assert_eq!(hard, (80_000 * 1024).to_string());
    // Further up and down again, in whichever order the kernel takes it.
    set(&[("hard_limit", memory(100_000)), ("swap_hard_limit", memory(120_000))], LIVE).unwrap();
    set(&[("hard_limit", memory(64_000)), ("swap_hard_limit", memory(64_000))], LIVE).unwrap();
    assert_eq!(limits(&domain, LIVE), [64_000, 40_000, 64_000]);
    set(&[("swap_hard_limit", memory(NONE)), ("soft_limit", memory(NONE))], LIVE).unwrap();
    assert_eq!(limits(&domain, LIVE), [64_000, NONE, NONE]);
    set(&[("hard_limit", memory(70_000))], CONFIG).unwrap();
    assert_eq!(limits(&domain, CONFIG), [70_000, NONE, NONE]);
    assert!(domain.xml(2).unwrap().contains("<hard_limit unit='KiB'>70000</hard_limit>"));
    assert!(domain.xml(0).unwrap().contains("<hard_limit unit='KiB'>64000</hard_limit>"));
    // Both are there after the daemon was.
    host.kill_daemon();
    host.start_daemon();
    let domain = host.bus().by_name("memory").unwrap();
    assert_eq!(limits(&domain, LIVE)[0], 64_000);
    assert_eq!(limits(&domain, CONFIG)[0], 70_000);
    assert!(domain.xml(0).unwrap().contains("<hard_limit unit='KiB'>64000</hard_limit>"));
    domain.assert_answers();
}

#[test]
fn a_limit_the_kernel_refuses_changes_nothing() {
    let Some(host) = Host::new("a_limit_the_kernel_refuses_changes_nothing") else {
        return;
    };
    let tune = "<memtune><hard_limit>65536</hard_limit><swap_hard_limit>70000</swap_hard_limit>\
                </memtune>";
    let domain = host.run(&host.document("stays").element(tune));
    let before = (limits(&domain, LIVE), domain.xml(0).unwrap());
    let set = |parameters: &[(&str, Variant<'static>)]| {
        text(domain.set_parameters("SetMemoryParameters", parameters, LIVE))
    };
    let order = "invalid argument: memory hard_limit tunable value must be lower than or equal to \
                 swap_hard_limit";
    assert_eq!(set(&[("hard_limit", memory(80_000))]), order);
    assert_eq!(set(&[("swap_hard_limit", memory(100))]), order);
    assert_eq!((limits(&domain, LIVE), domain.xml(0).unwrap()), before);
    domain.assert_answers();
}

#[test]
fn what_is_no_parameter_is_refused_in_libvirts_words() {
    let Some(host) = Host::new("what_is_no_parameter_is_refused_in_libvirts_words") else {
        return;
    };
    let domain = host.run(&host.document("words"));
    let set = |name: &str, value: Variant<'static>, flags| {
        text(domain.set_parameters("SetMemoryParameters", &[(name, value)], flags))
    };
    assert_eq!(set("nope", memory(1), 0), "argument unsupported: parameter 'nope' not supported");
    assert_eq!(
        set("min_guarantee", memory(1), 0),
        "argument unsupported: parameter 'min_guarantee' not supported"
    );
    assert_eq!(
        set("hard_limit", 1_i32.into(), 0),
        "invalid argument: invalid type 'int' for parameter 'hard_limit', expected 'ullong'"
    );
    assert_eq!(
        set("hard_limit", memory(1), 4),
        "unsupported flags (0x4) in function lxcDomainSetMemoryParameters"
    );
    assert_eq!(
        set("hard_limit", memory(1), CONFIG),
        "Requested operation is not valid: transient domains do not have any persistent config"
    );
    assert_eq!(
        text(domain.set_parameters("SetMemoryParameters", &[], 0)),
        "params in virDomainSetMemoryParameters must not be NULL"
    );
    let get = |flags| domain.parameters("GetMemoryParameters", flags).unwrap_err().text;
    assert_eq!(
        get(LIVE | CONFIG),
        "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive"
    );
    assert_eq!(get(8), "unsupported flags (0x8) in function lxcDomainGetMemoryParameters");
    let off = host.bus().define(host.document("off")).unwrap();
    for member in ["GetMemoryParameters", "GetSchedulerParameters", "GetBlockIOParameters"] {
        let text = off.parameters(member, LIVE).unwrap_err().text;
        assert_eq!(text, "Requested operation is not valid: domain is not running");
    }
}

#[test]
fn processor_time_changes_live_and_in_the_definition() {
    let Some(host) = Host::new("processor_time_changes_live_and_in_the_definition") else {
        return;
    };
    let tune = "<cputune><shares>2000</shares></cputune>";
    let domain = host.bus().define(host.document("cpu").element(tune)).unwrap();
    let of = |flags| {
        let found = domain.parameters("GetSchedulerParameters", flags).unwrap();
        let number = |name| found.get::<u64>(name);
        (number("cpu_shares"), number("vcpu_period"), found.get::<i64>("vcpu_quota"))
    };
    let set = |name: &str, value: Variant<'static>, flags| {
        domain.set_parameters("SetSchedulerParameters", &[(name, value)], flags)
    };
    assert_eq!(of(0), (2000, 0, 0));
    domain.create().unwrap();
    assert_eq!(of(0), (2000, 100_000, -1));
    set("vcpu_quota", 20_000_i64.into(), LIVE | CONFIG).unwrap();
    set("vcpu_period", 50_000_u64.into(), LIVE).unwrap();
    set("cpu_shares", 512_u64.into(), LIVE).unwrap();
    assert_eq!(of(LIVE), (512, 50_000, 20_000));
    assert_eq!(of(CONFIG), (2000, 0, 20_000));
    let shares = host.kernel("cpu", "cpu", ("cpu.shares", "cpu.weight"));
    assert_eq!(shares, if host.is_v1("cpu") { "512" } else { "50" });
    set("vcpu_quota", (-5_i64).into(), LIVE).unwrap();
    assert_eq!(of(LIVE), (512, 50_000, -1));
    let out = "invalid argument: shares '1' must be in range [2, 262144]";
    assert_eq!(text(set("cpu_shares", 1_u64.into(), CONFIG)), out);
    domain.assert_answers();
}

#[test]
fn block_devices_change_live_and_in_the_definition() {
    let Some(host) = Host::new("block_devices_change_live_and_in_the_definition") else {
        return;
    };
    let Some((node, number)) = crate::limits::block_device() else {
        return eprintln!("this host has no block device");
    };
    let domain = host.bus().define(host.document("disk")).unwrap();
    domain.create().unwrap();
    let set = |name: &str, value: String, flags| {
        domain.set_parameters("SetBlockIOParameters", &[(name, value.into())], flags)
    };
    let of = |flags, name| {
        let found = domain.parameters("GetBlockIOParameters", flags).unwrap();
        assert_eq!(found.0.len(), 6);
        found.get::<String>(name)
    };
    let read = "device_read_bytes_sec";
    set(read, format!("{node},1048576"), LIVE | CONFIG).unwrap();
    let kernel = || host.kernel("disk", "blkio", ("blkio.throttle.read_bps_device", "io.max"));
    let limited = [
        format!("{number} 1048576"),
        format!("{number} rbps=1048576 wbps=max riops=max wiops=max"),
    ];
    assert!(limited.contains(&kernel()), "{}", kernel());
    assert_eq!(of(LIVE, read), format!("{node},1048576"));
    set(read, format!("{node},0"), LIVE).unwrap();
    assert_eq!((kernel().as_str(), of(LIVE, read).as_str()), ("", ""));
    assert_eq!(of(CONFIG, read), format!("{node},1048576"));
    assert_eq!(
        text(set("device_weight", node.clone(), CONFIG)),
        format!("invalid argument: unable to parse blkio device 'device_weight' '{node}'")
    );
    let nowhere = text(set(read, "/nowhere,5".to_owned(), LIVE));
    assert!(nowhere.starts_with("Path '/nowhere' is not accessible: No such file"), "{nowhere}");
    assert_eq!(of(LIVE, read), "");
    domain.assert_answers();
}

#[test]
fn memory_is_set_up_to_its_maximum() {
    let Some(host) = Host::new("memory_is_set_up_to_its_maximum") else {
        return;
    };
    const MAXIMUM: u32 = 4;
    let domain = host.bus().define(host.document("size")).unwrap();
    domain.set_memory(60_000, 0).unwrap();
    assert!(domain.xml(2).unwrap().contains("<currentMemory unit='KiB'>60000</currentMemory>"));
    let higher = "invalid argument: Cannot set memory higher than max memory";
    assert_eq!(text(domain.set_memory(65_537, CONFIG)), higher);
    domain.set_memory(50_000, CONFIG | MAXIMUM).unwrap();
    let xml = domain.xml(2).unwrap();
    assert!(xml.contains("<memory unit='KiB'>50000</memory>"), "{xml}");
    assert!(xml.contains("<currentMemory unit='KiB'>50000</currentMemory>"), "{xml}");
    domain.set_memory(65_536, MAXIMUM).unwrap();
    domain.create().unwrap();
    domain.set_memory(40_000, LIVE).unwrap();
    let hard = host.kernel("size", "memory", ("memory.limit_in_bytes", "memory.max"));
    assert_eq!(hard, (40_000 * 1024).to_string());
    assert!(domain.xml(0).unwrap().contains("<currentMemory unit='KiB'>40000</currentMemory>"));
    assert!(!domain.xml(2).unwrap().contains("40000"));
    let active = "Requested operation is not valid: Cannot resize the max memory on an active \
                  domain";
    assert_eq!(text(domain.set_memory(1, MAXIMUM)), active);
    let zero = "memory in virDomainSetMemoryFlags must not be zero";
    assert_eq!(text(domain.set_memory(0, 0)), zero);
    domain.assert_answers();
}

#[test]
fn statistics_count_what_the_container_does() {
    let Some(host) = Host::new("statistics_count_what_the_container_does") else {
        return;
    };
    let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo ready; \
                  while read line; do echo \"got $line\"; done";
    let domain = host.bus().define(host.document("busy").script(script)).unwrap();
    let off = domain.memory_stats().unwrap_err().text;
    assert_eq!(off, "Requested operation is not valid: domain is not running");
    assert!(!domain.stats(0).0.contains_key("cpu.time"));
    domain.create().unwrap();
    domain.console().wait_for("ready\r\n");
    let stats = domain.stats(0);
    let number = |name| stats.get::<u64>(name);
    assert!(number("cpu.time") > 0 && number("cpu.user") <= 2 * number("cpu.time") + 20_000_000);
    assert!(number("balloon.rss") > 0 && number("balloon.maximum") == 65536);
    assert_eq!(stats.get::<i32>("state.state"), 1);
    assert_eq!(stats.get::<u32>("block.count"), 1);
    let memory = domain.memory_stats().unwrap();
    assert_eq!(memory[&6], 65536);
    // The kernel counts faults up in its own time.
    assert!(memory[&7] > 0 && memory.contains_key(&3), "{memory:?}");
    // Only the group that is asked for.
    let state = domain.stats(1);
    assert_eq!(state.0.len(), 2);
}
