//! One limit onto one group, on either version.

use std::error::Error as _;
use std::fs;
use std::io;
use std::path::Path;

use cgroups_rs::MaxValue;
use cgroups_rs::blkio::BlkIoController;
use cgroups_rs::cpu::CpuController;
use cgroups_rs::cpuset::CpuSetController;
use cgroups_rs::memory::MemController;
use cgroups_rs::pid::PidController;

use crate::plan::{BlockDevice, DeviceLimit, Limit};

/// Applies a limit to a group of the limit's controller.
pub(super) fn apply(group: &Path, version2: bool, limit: &Limit) -> io::Result<()> {
    let memory = || MemController::new(group.to_owned(), version2);
    let cpu = || CpuController::new(group.to_owned(), version2);
    let cpuset = || CpuSetController::new(group.to_owned(), version2);
    let applied = match limit {
        Limit::Memory(bytes) => memory().set_limit(signed(*bytes)),
        Limit::SoftMemory(bytes) => memory().set_soft_limit(signed(*bytes)),
        Limit::Swap(bytes) => memory().set_memswap_limit(signed(*bytes)),
        Limit::CpuShares(shares) => cpu().set_shares(*shares),
        Limit::CpuPeriod(period) => cpu().set_cfs_period(*period),
        Limit::CpuQuota(quota) => cpu().set_cfs_quota((*quota).max(-1)),
        Limit::Cpus(list) => cpuset().set_cpus(list),
        Limit::MemoryNodes(list) => cpuset().set_mems(list),
        Limit::Processes(count) => PidController::new(group.to_owned(), version2)
            .set_pid_max(MaxValue::Value(i64::from(*count))),
        Limit::BlockWeight(weight) => return share(group, version2, None, *weight),
        Limit::Device(device, DeviceLimit::Weight(weight)) => {
            return share(group, version2, Some(*device), *weight);
        }
        Limit::Device(device, limit) => throttle(group, version2, *device, *limit),
    };
    applied.map_err(|error| cause(error, limit))
}

fn throttle(
    group: &Path,
    version2: bool,
    BlockDevice { major, minor }: BlockDevice,
    limit: DeviceLimit,
) -> cgroups_rs::error::Result<()> {
    let blkio = BlkIoController::new(group.to_owned(), version2);
    match limit {
        DeviceLimit::Weight(weight) => blkio.set_weight_for_device(major, minor, u64::from(weight)),
        DeviceLimit::ReadOperations(n) => blkio.throttle_read_iops_for_device(major, minor, n),
        DeviceLimit::WriteOperations(n) => blkio.throttle_write_iops_for_device(major, minor, n),
        DeviceLimit::ReadBytes(n) => blkio.throttle_read_bps_for_device(major, minor, n),
        DeviceLimit::WriteBytes(n) => blkio.throttle_write_bps_for_device(major, minor, n),
    }
}

/// Shares are up to the scheduler of each device, and the kernel has a file for each scheduler
/// that it has (`cgroups-rs` knows only one, which kernels since 5.0 lack). All are told; one must
/// have listened.
fn share(group: &Path, version2: bool, device: Option<BlockDevice>, weight: u32) -> io::Result<()> {
    let files: &[&str] = match (version2, device) {
        (true, _) => &["io.weight", "io.bfq.weight"],
        (false, None) => &["blkio.bfq.weight", "blkio.weight"],
        (false, Some(_)) => &["blkio.bfq.weight_device", "blkio.weight_device"],
    };
    let text = |file: &str| {
        // Without a share of its own, a device has that of all.
        let weight = match (file, weight) {
            ("io.weight", 0) => "default".to_owned(),
            (_, weight) => weight.to_string(),
        };
        match device {
            Some(BlockDevice { major, minor }) => format!("{major}:{minor} {weight}"),
            None => weight,
        }
    };
    let mut listened = Err(io::Error::from_raw_os_error(nix::libc::ENOENT));
    for name in files.iter().filter(|name| group.join(name).exists()) {
        listened = match (listened, fs::write(group.join(name), text(name))) {
            (Ok(()), _) | (_, Ok(())) => Ok(()),
            (_, Err(error)) => Err(error),
        };
    }
    listened
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The errno inside of an error of `cgroups-rs`. It opens files as if they could be created, so one
/// that is missing is "permission denied"; only processors and nodes can be denied by the kernel.
fn cause(error: cgroups_rs::error::Error, limit: &Limit) -> io::Error {
    let source = error.source().and_then(|it| it.downcast_ref::<io::Error>());
    match source.and_then(io::Error::raw_os_error) {
        Some(nix::libc::EACCES) if limit.controller() != "cpuset" => {
            io::Error::from_raw_os_error(nix::libc::ENOENT)
        }
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a limit writes, in a directory with these files.
    fn written(version2: bool, files: &[&str], limit: &Limit) -> io::Result<Vec<String>> {
        let group = std::env::temp_dir().join(format!("nsvirt-limit-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&group)?;
        files.iter().try_for_each(|name| fs::write(group.join(name), ""))?;
        let applied = apply(&group, version2, limit);
        let texts = files.iter().map(|name| fs::read_to_string(group.join(name)));
        let texts = texts.collect::<io::Result<Vec<_>>>();
        fs::remove_dir_all(&group)?;
        applied.and(texts)
    }

    #[test]
    fn shares_of_devices_go_to_the_schedulers_that_are_there() {
        let weight = Limit::BlockWeight(300);
        assert_eq!(written(false, &["blkio.bfq.weight"], &weight).unwrap(), ["300"]);
        let both = written(true, &["io.weight", "io.bfq.weight"], &weight).unwrap();
        assert_eq!(both, ["300", "300"]);
        let error = written(true, &["io.max"], &weight).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let device = BlockDevice { major: 8, minor: 16 };
        let weight = Limit::Device(device, DeviceLimit::Weight(70));
        assert_eq!(written(true, &["io.bfq.weight"], &weight).unwrap(), ["8:16 70"]);
    }
}
