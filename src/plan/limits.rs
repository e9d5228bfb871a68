//! What the container may use: the document's numbers as those the kernel takes.
//!
//! Version 1 and 2 of control groups count some things differently. Here is where they are
//! translated, so that a document means the same on both.

use serde::{Deserialize, Serialize};

use super::isolation::Profile;
use super::placement::Placed;
use super::unsupported::cannot_start;
use super::{CgroupVersion, DeviceRule, Host, Present, capabilities, mounts};
use crate::error::Result;
use crate::model::{BlockDeviceTune, Domain, ProcessLimit};

/// Limits of the container's group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// In the order in which the kernel takes them.
    pub settings: Vec<Setting>,
    /// The devices it may use, and no other: a device node can come from anywhere, from a file
    /// system that root inside mounts.
    pub devices: Vec<DeviceRule>,
    /// Whether it may make nodes for all devices, which does not open them.
    pub make_nodes: bool,
}

/// One limit, and the element that asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// As in `<memtune><hard_limit>`, for messages.
    pub element: String,
    /// What is limited.
    pub limit: Limit,
}

/// A limit as a controller takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// Memory, in bytes.
    Memory(u64),
    /// Memory that is taken away last when the host is short of it, in bytes.
    SoftMemory(u64),
    /// In bytes: swap (version 2), or memory and swap together (version 1).
    Swap(u64),
    /// The share of processor time: 2 to 262144 with 1024 for one (version 1), or 1 to 10000 with
    /// 100 for one (version 2).
    CpuShares(u64),
    /// The period of the quota, in microseconds.
    CpuPeriod(u64),
    /// Processor time in a period, in microseconds; negative for no limit.
    CpuQuota(i64),
    /// Processors, as in `0-3,7`.
    Cpus(String),
    /// Memory nodes, as in `0-3,7`.
    MemoryNodes(String),
    /// Processes and threads.
    Processes(u32),
    /// The share of all block devices.
    BlockWeight(u32),
    /// A limit on one block device.
    Device(BlockDevice, DeviceLimit),
}

/// A block device's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockDevice {
    /// Which driver.
    pub major: u64,
    /// Which of its devices.
    pub minor: u64,
}

/// What is limited of a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeviceLimit {
    /// The share.
    Weight(u32),
    /// Reads in a second.
    ReadOperations(u64),
    /// Writes in a second.
    WriteOperations(u64),
    /// Bytes read in a second.
    ReadBytes(u64),
    /// Bytes written in a second.
    WriteBytes(u64),
}

impl Limit {
    /// The controller that knows it; version 2 has another name for `blkio`.
    pub fn controller(&self) -> &'static str {
        match self {
            Self::Memory(_) | Self::SoftMemory(_) | Self::Swap(_) => "memory",
            Self::CpuShares(_) | Self::CpuPeriod(_) | Self::CpuQuota(_) => "cpu",
            Self::Cpus(_) | Self::MemoryNodes(_) => "cpuset",
            Self::Processes(_) => "pids",
            Self::BlockWeight(_) | Self::Device(..) => "blkio",
        }
    }
}

/// All limits of a domain, or which of them the host cannot have.
pub(super) fn limits(
    domain: &Domain,
    host: &Host,
    present: &Present,
    placed: &Placed,
) -> Result<Limits> {
    let mut settings = memory(domain, host)?;
    settings.extend(cpu(domain, host));
    settings
        .extend(placed.cpus.iter().map(|cpus| setting("<vcpu>", Limit::Cpus(cpus.to_string()))));
    settings.extend(
        placed.nodes.iter().map(|set| setting("<numatune>", Limit::MemoryNodes(set.to_string()))),
    );
    settings.extend(processes(domain, host));
    settings.extend(block(domain, present)?);
    settings.iter().try_for_each(|setting| check_controller(domain, host, setting))?;
    Ok(Limits {
        settings,
        devices: mounts::allowed_devices(),
        make_nodes: capabilities::may_make_nodes(&domain.features.capabilities),
    })
}

/// Memory: `<memory>`, unless `<memtune>` has another number for it.
///
/// libvirt's swap limit is that of memory and swap together, which version 2 does not have: there
/// swap has a limit of its own, which is what is left of the sum.
pub(super) fn memory(domain: &Domain, host: &Host) -> Result<Vec<Setting>> {
    let tune = &domain.memory_tune;
    let hard = tune.hard_limit.unwrap_or(domain.memory);
    let element = if tune.hard_limit.is_some() { "<memtune><hard_limit>" } else { "<memory>" };
    let mut settings = vec![setting(element, Limit::Memory(bytes(hard)))];
    if let Some(soft) = tune.soft_limit {
        settings.push(setting("<memtune><soft_limit>", Limit::SoftMemory(bytes(soft))));
    }
    if let Some(both) = tune.swap_hard_limit {
        let swap = both.checked_sub(hard).ok_or_else(|| {
            cannot_start(domain, format_args!(
                "<memtune><swap_hard_limit> is memory and swap together: {both} KiB are less than \
                 the {hard} KiB of {element}"
            ))
        })?;
        let limit = match host.version("memory") {
            Some(CgroupVersion::V2) => swap,
            _ => both,
        };
        settings.push(setting("<memtune><swap_hard_limit>", Limit::Swap(bytes(limit))));
    }
    Ok(settings)
}

/// Processor time. The limit of the whole container is `<period>` and `<quota>`, or, where there
/// are none, `<global_period>` and `<global_quota>`: a container has no other processors.
pub(super) fn cpu(domain: &Domain, host: &Host) -> Vec<Setting> {
    let tune = &domain.cpu_tune;
    let own = tune.bandwidth != Default::default();
    let (prefix, bandwidth) = if own { ("", tune.bandwidth) } else { ("global_", tune.global) };
    let shares = tune.shares.filter(|&shares| shares != 0).map(|shares| {
        let shares = match host.version("cpu") {
            Some(CgroupVersion::V2) => weight_of_shares(shares),
            _ => shares,
        };
        setting("<cputune><shares>", Limit::CpuShares(shares))
    });
    let period = (bandwidth.period != 0).then_some(Limit::CpuPeriod(bandwidth.period));
    let quota = (bandwidth.quota != 0).then_some(Limit::CpuQuota(bandwidth.quota));
    let named = [("period", period), ("quota", quota)];
    let bandwidth = named
        .into_iter()
        .filter_map(|(name, limit)| Some(setting(&format!("<cputune><{prefix}{name}>"), limit?)));
    shares.into_iter().chain(bandwidth).collect()
}

/// The kernel's own scale: what has 1024 shares weighs 100.
pub fn weight_of_shares(shares: u64) -> u64 {
    (shares.saturating_mul(100).saturating_add(512) / 1024).clamp(1, 10_000)
}

/// The other way round.
pub fn shares_of_weight(weight: u64) -> u64 {
    weight.saturating_mul(1024).saturating_add(50) / 100
}

/// What the document says, or else what keeps one container from taking all there are.
fn processes(domain: &Domain, host: &Host) -> Option<Setting> {
    let limit = match domain.processes {
        Some(ProcessLimit::Max(max)) => max,
        Some(ProcessLimit::Unlimited) => return None,
        None => {
            host.version("pids")?;
            Profile::of(domain, host).processes.min(host.process_share)
        }
    };
    Some(setting("<nsvirt:pids>", Limit::Processes(limit)))
}

/// Shares and limits of block devices.
pub(super) fn block(domain: &Domain, present: &Present) -> Result<Vec<Setting>> {
    let tune = &domain.block_tune;
    let weight =
        (tune.weight != 0).then(|| setting("<blkiotune><weight>", Limit::BlockWeight(tune.weight)));
    let mut settings: Vec<Setting> = weight.into_iter().collect();
    for device in &tune.devices {
        let known = present.block_devices.iter().find(|(path, _)| *path == device.path);
        let Some(&(_, number)) = known else {
            let path = &device.path;
            return Err(cannot_start(domain, format_args!("'{path}' is no block device")));
        };
        settings.extend(device_limits(device).into_iter().map(|(name, limit)| {
            setting(&format!("<blkiotune><device><{name}>"), Limit::Device(number, limit))
        }));
    }
    Ok(settings)
}

fn device_limits(device: &BlockDeviceTune) -> Vec<(&'static str, DeviceLimit)> {
    let mut limits = Vec::new();
    if device.weight != 0 {
        limits.push(("weight", DeviceLimit::Weight(device.weight)));
    }
    let (reads, writes) = (device.read_iops_sec.into(), device.write_iops_sec.into());
    let (read, written) = (device.read_bytes_sec, device.write_bytes_sec);
    let others = [
        ("read_iops_sec", reads, DeviceLimit::ReadOperations(reads)),
        ("write_iops_sec", writes, DeviceLimit::WriteOperations(writes)),
        ("read_bytes_sec", read, DeviceLimit::ReadBytes(read)),
        ("write_bytes_sec", written, DeviceLimit::WriteBytes(written)),
    ];
    let set = others.into_iter().filter(|&(_, number, _)| number != 0);
    limits.extend(set.map(|(name, _, limit)| (name, limit)));
    limits
}

fn check_controller(domain: &Domain, host: &Host, setting: &Setting) -> Result<()> {
    let controller = setting.limit.controller();
    match host.version(controller) {
        Some(_) => Ok(()),
        None => Err(cannot_start(
            domain,
            format_args!(
                "{} needs the control group controller '{controller}', which this host does not have",
                setting.element
            ),
        )),
    }
}

fn setting(element: &str, limit: Limit) -> Setting {
    Setting { element: element.to_owned(), limit }
}

fn bytes(kib: u64) -> u64 {
    kib.saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{domain_with, host_with};
    use super::*;
    use crate::error::ErrorCode;
    use crate::plan::placement::place;
    use crate::plan::{MemoryPolicy, Node};

    const PRESENT: fn() -> Present = || Present {
        nodes: vec![
            Node { id: 0, free: 1000, cpus: [0, 1].into_iter().collect() },
            Node { id: 1, free: 200_000, cpus: [2, 3].into_iter().collect() },
        ],
        links: Vec::new(),
        block_devices: vec![("/dev/sdb".to_owned(), BlockDevice { major: 8, minor: 16 })],
        ..Present::default()
    };

    fn planned(elements: &str, version: CgroupVersion) -> Result<Vec<Limit>> {
        let (domain, present) = (domain_with(elements), PRESENT());
        let placed = place(&domain, &present)?;
        let limits = limits(&domain, &host_with(version), &present, &placed)?;
        Ok(limits.settings.into_iter().map(|setting| setting.limit).collect())
    }

    fn both(elements: &str) -> [Vec<Limit>; 2] {
        [CgroupVersion::V1, CgroupVersion::V2].map(|version| planned(elements, version).unwrap())
    }

    #[test]
    fn memory_is_what_the_element_says_unless_memtune_does() {
        let [v1, v2] = both("");
        assert_eq!(v1, [Limit::Memory(64 << 20), Limit::Processes(4915)]);
        assert_eq!(v1, v2);
        let [v1, v2] = both(
            "<memtune><hard_limit>100</hard_limit><soft_limit>50</soft_limit>\
             <swap_hard_limit>150</swap_hard_limit></memtune>",
        );
        let (hard, soft) = (Limit::Memory(102_400), Limit::SoftMemory(51_200));
        assert_eq!(v1[..3], [hard.clone(), soft.clone(), Limit::Swap(153_600)]);
        assert_eq!(v2[..3], [hard, soft, Limit::Swap(51_200)]);
        let less = "<memtune><swap_hard_limit>150</swap_hard_limit></memtune>";
        let message = planned(less, CgroupVersion::V2).unwrap_err().message;
        assert!(message.contains("150 KiB are less than the 65536 KiB of <memory>"), "{message}");
    }

    #[test]
    fn shares_are_weights_on_version_2() {
        let of = |shares: u64| {
            let text = format!("<cputune><shares>{shares}</shares></cputune>");
            both(&text).map(|limits| limits[1].clone())
        };
        assert_eq!(of(1024), [Limit::CpuShares(1024), Limit::CpuShares(100)]);
        assert_eq!(of(2), [Limit::CpuShares(2), Limit::CpuShares(1)]);
        assert_eq!(of(262_144), [Limit::CpuShares(262_144), Limit::CpuShares(10_000)]);
        for weight in [1, 39, 100, 10_000] {
            assert_eq!(weight_of_shares(shares_of_weight(weight)), weight);
        }
    }

    #[test]
    fn the_quota_of_the_whole_container_is_its_own_or_the_global_one() {
        let own = "<cputune><global_quota>5000</global_quota><quota>-1</quota></cputune>";
        assert_eq!(both(own)[0][1], Limit::CpuQuota(-1));
        let global = "<cputune><global_period>2000</global_period>\
                      <global_quota>5000</global_quota></cputune>";
        assert_eq!(both(global)[1][1..3], [Limit::CpuPeriod(2000), Limit::CpuQuota(5000)]);
    }

    #[test]
    fn processors_and_nodes_must_be_there() {
        let on = "<vcpu cpuset='1-2'>1</vcpu><numatune><memory nodeset='1'/></numatune>";
        let wanted = [Limit::Cpus("1-2".to_owned()), Limit::MemoryNodes("1".to_owned())];
        assert_eq!(both(on)[0][1..3], wanted);
        let message = |text| planned(text, CgroupVersion::V1).unwrap_err().message;
        let cpu = message("<vcpu cpuset='3-5'>1</vcpu>");
        assert!(cpu.ends_with("<vcpu> names processor 4, and this host has 0-3"), "{cpu}");
        let node = message("<numatune><memory nodeset='2'/></numatune>");
        assert!(node.contains("<numatune> names memory node 2"), "{node}");
    }

    #[test]
    fn who_leaves_the_choice_gets_the_emptiest_nodes() {
        let auto = "<vcpu placement='auto'>1</vcpu>";
        let node = [Limit::Cpus("2-3".to_owned()), Limit::MemoryNodes("1".to_owned())];
        assert_eq!(both(auto)[0][1..3], node);
        let more = "<vcpu placement='auto'>3</vcpu>";
        assert_eq!(both(more)[0][1], Limit::Cpus("0-3".to_owned()));
    }

    #[test]
    fn a_preference_does_not_confine() {
        let placed = |mode: &str, nodes: &str| {
            let memory = format!("<memory mode='{mode}' nodeset='{nodes}'/>");
            let domain = domain_with(&format!("<numatune>{memory}</numatune>"));
            place(&domain, &PRESENT()).map(|it| (it.policy, it.nodes.map(|set| set.to_string())))
        };
        let both = Some("0-1".to_owned());
        assert_eq!(placed("preferred", "1").unwrap(), (MemoryPolicy::Preferred(1), None));
        assert_eq!(placed("strict", "0,1").unwrap(), (MemoryPolicy::Default, both.clone()));
        let interleave = MemoryPolicy::Interleave(vec![0, 1]);
        assert_eq!(placed("interleave", "0,1").unwrap(), (interleave, both));
        let message = placed("preferred", "0-1").unwrap_err().message;
        assert!(message.ends_with("only supports single node"), "{message}");
    }

    #[test]
    fn block_devices_are_numbers() {
        let text = "<blkiotune><weight>300</weight><device><path>/dev/sdb</path>\
                    <weight>70</weight><write_bytes_sec>5</write_bytes_sec></device></blkiotune>";
        let device = BlockDevice { major: 8, minor: 16 };
        let expected = [
            Limit::BlockWeight(300),
            Limit::Device(device, DeviceLimit::Weight(70)),
            Limit::Device(device, DeviceLimit::WriteBytes(5)),
        ];
        assert_eq!(both(text)[1][2..], expected);
    }

    #[test]
    fn a_limit_without_its_controller_names_the_element() {
        let mut host = host_with(CgroupVersion::V2);
        host.controllers.retain(|(name, _)| name == "memory");
        let of = |elements: &str| {
            let (domain, present) = (domain_with(elements), PRESENT());
            limits(&domain, &host, &present, &place(&domain, &present).unwrap())
        };
        assert_eq!(of("").unwrap().settings.len(), 1);
        for (text, element) in [
            ("<cputune><quota>1000</quota></cputune>", "<cputune><quota>"),
            ("<vcpu cpuset='0'>1</vcpu>", "<vcpu>"),
            ("<blkiotune><weight>500</weight></blkiotune>", "<blkiotune><weight>"),
            ("<nsvirt:pids xmlns:nsvirt='urn:nsvirt:domain:1.0' max='5'/>", "<nsvirt:pids>"),
        ] {
            let error = of(text).unwrap_err();
            assert_eq!(error.code, ErrorCode::ConfigUnsupported);
            let expected = format!("{element} needs the control group controller");
            assert!(error.message.contains(&expected), "{error}");
        }
    }
}
