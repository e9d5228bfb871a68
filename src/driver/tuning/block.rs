//! Block devices: the share of all, and shares and limits of single ones.

use super::{AFFECT_CONFIG, AFFECT_LIVE, Change, Impact, Parameters, Set, Value, invalid};
use crate::driver::domain::Domain;
use crate::driver::host::block_devices;
use crate::driver::lifecycle::Operation;
use crate::driver::{Driver, check_flags};
use crate::error::{ErrorDomain, Result};
use crate::model::{BlockDeviceTune, BlockTune, Domain as Document};
use crate::plan::{Present, block_changes};

const KNOWN: [(&str, &str); 6] = [
    ("weight", "uint"),
    ("device_weight", "string"),
    ("device_read_iops_sec", "string"),
    ("device_write_iops_sec", "string"),
    ("device_read_bytes_sec", "string"),
    ("device_write_bytes_sec", "string"),
];

impl Driver {
    /// The share of block devices that is in force, or in the definition; and the limits of single
    /// devices, as `PATH,NUMBER,PATH,NUMBER`.
    pub fn block_io_parameters(&self, domain: &Domain, flags: u32) -> Result<Parameters> {
        let (run, document) = self.source(domain, flags, "lxcDomainGetBlkioParameters")?;
        let tune = &document.block_tune;
        let weight = match run {
            None => tune.weight,
            Some(run) => run.group.block_weight()?.map_or(0, |it| u32::try_from(it).unwrap_or(0)),
        };
        let devices = KNOWN.iter().skip(1).map(|(name, _)| (*name, Value::Text(list(tune, name))));
        Ok(std::iter::once(("weight", Value::UInt(weight)))
            .chain(devices)
            .map(|(name, value)| (name.into(), value))
            .collect())
    }

    /// Sets the share of all devices, and shares and limits of single ones; 0 takes one away.
    pub async fn set_block_io_parameters(
        &self,
        domain: &Domain,
        parameters: &[(String, Value)],
        flags: u32,
    ) -> Result<()> {
        let set = Set::check(parameters, &KNOWN, "virDomainSetBlkioParameters")?;
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "lxcDomainSetBlkioParameters")?;
        let mut limits = Vec::new();
        for (name, _) in KNOWN.iter().skip(1) {
            limits.extend(set.text(name).map(|text| parse(name, text)).transpose()?);
        }
        let limits: Vec<DeviceNumber> = limits.into_iter().flatten().collect();
        let (_turn, _) = domain.job(Operation::Tune).await?;
        let impact = Impact::of(flags, domain.snapshot().standing())?;
        let document = |document: &mut Document| {
            let tune = &mut document.block_tune;
            tune.weight = set.uint("weight").unwrap_or(tune.weight);
            limits.iter().for_each(|limit| limit.put_into(tune));
            tune.devices.retain(BlockDeviceTune::is_set);
            Ok(())
        };
        let limits = |before: &Document, after: &Document| {
            let mut devices = block_devices(before)?;
            devices.extend(block_devices(after)?);
            let present = Present { block_devices: devices, ..Present::default() };
            block_changes(before, after, &self.host, &present)
        };
        self.change(domain, impact, Change { document: &document, limits: &limits }).await
    }
}

/// A number for one of a device's limits.
#[derive(Debug, PartialEq, Eq)]
struct DeviceNumber {
    name: &'static str,
    path: String,
    number: u64,
}

impl DeviceNumber {
    fn put_into(&self, tune: &mut BlockTune) {
        let known = tune.devices.iter().position(|device| device.path == self.path);
        let at = known.unwrap_or_else(|| {
            tune.devices.push(BlockDeviceTune { path: self.path.clone(), ..Default::default() });
            tune.devices.len() - 1
        });
        let Some(device) = tune.devices.get_mut(at) else { return };
        let narrow = u32::try_from(self.number).unwrap_or(u32::MAX);
        match self.name {
            "device_weight" => device.weight = narrow,
            "device_read_iops_sec" => device.read_iops_sec = narrow,
            "device_write_iops_sec" => device.write_iops_sec = narrow,
            "device_read_bytes_sec" => device.read_bytes_sec = self.number,
            _ => device.write_bytes_sec = self.number,
        }
    }
}

fn number_of(device: &BlockDeviceTune, name: &str) -> u64 {
    match name {
        "device_weight" => device.weight.into(),
        "device_read_iops_sec" => device.read_iops_sec.into(),
        "device_write_iops_sec" => device.write_iops_sec.into(),
        "device_read_bytes_sec" => device.read_bytes_sec,
        _ => device.write_bytes_sec,
    }
}

/// `PATH,NUMBER,PATH,NUMBER` of the devices that have this limit.
fn list(tune: &BlockTune, name: &str) -> String {
    let numbers = tune.devices.iter().map(|device| (&device.path, number_of(device, name)));
    let pairs = numbers.filter(|&(_, number)| number != 0);
    pairs.map(|(path, number)| format!("{path},{number}")).collect::<Vec<_>>().join(",")
}

fn parse(name: &'static str, text: &str) -> Result<Vec<DeviceNumber>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let parts: Vec<&str> = text.split(',').collect();
    let is_wide = name.ends_with("_bytes_sec");
    let pair = |pair: &[&str]| match *pair {
        [path, number] if !path.is_empty() => {
            let parsed = if is_wide {
                number.parse().ok()
            } else {
                number.parse::<u32>().ok().map(u64::from)
            };
            match parsed {
                Some(number) => Ok(DeviceNumber { name, path: path.to_owned(), number }),
                None => Err(invalid(format!(
                    "invalid value '{number}' for parameter '{name}' of device '{path}'"
                ))),
            }
        }
        _ => {
            let text = format!("unable to parse blkio device '{name}' '{text}'");
            Err(invalid(text).in_domain(ErrorDomain::Domain))
        }
    };
    parts.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_and_0_takes_away() {
        let mut tune = BlockTune::default();
        let mut put = |name, text| {
            parse(name, text).unwrap().iter().for_each(|limit| limit.put_into(&mut tune));
            tune.devices.retain(BlockDeviceTune::is_set);
            list(&tune, name)
        };
        assert_eq!(put("device_weight", "/dev/a,200,/dev/b,300"), "/dev/a,200,/dev/b,300");
        assert_eq!(put("device_write_bytes_sec", "/dev/b,99999999999"), "/dev/b,99999999999");
        assert_eq!(put("device_weight", "/dev/a,0,/dev/b,5"), "/dev/b,5");
        assert_eq!(put("device_weight", ""), "/dev/b,5");
    }

    #[test]
    fn mistakes_are_libvirts() {
        let text = |text| parse("device_weight", text).unwrap_err().message;
        let phrase = "invalid argument: unable to parse blkio device 'device_weight'";
        assert_eq!(text("/dev/vda"), format!("{phrase} '/dev/vda'"));
        assert_eq!(text("a,200,"), format!("{phrase} 'a,200,'"));
        assert_eq!(
            text("/dev/vda,x"),
            "invalid argument: invalid value 'x' for parameter 'device_weight' of device '/dev/vda'"
        );
        assert!(text("/dev/vda,4294967296").contains("'4294967296'"));
    }
}
