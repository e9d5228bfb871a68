//! Virtual processors: how many a document names, and on which of the host's they may run.

use super::domain::Domain;
use super::impact::{AFFECT_CONFIG, AFFECT_LIVE, Impact};
use super::lifecycle::Operation;
use super::{Driver, check_flags};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Bitmap, Domain as Document};

/// `VIR_DOMAIN_VCPU_MAXIMUM`: how many there can be, not how many there are.
const MAXIMUM: u32 = 1 << 2;

/// Processors of the host, a bit for each, the first in the lowest bit of the first byte.
pub type Pins = Vec<u8>;

impl Driver {
    /// How many processors a container can use: those that the host has.
    pub fn max_vcpus(&self, kind: Option<&str>) -> Result<u32> {
        match kind {
            None | Some("lxc") => Ok(self.node_info().cpus),
            Some(kind) => {
                let text = format!("unknown type '{kind}': expected lxc");
                Err(Error::new(ErrorCode::InvalidArg, text))
            }
        }
    }

    /// How many virtual processors a domain has, or (flag 4) can have: as it runs, or (flag 2) as
    /// it will start next.
    pub fn vcpus(&self, domain: &Domain, flags: u32) -> Result<u32> {
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG | MAXIMUM, "lxcDomainGetVcpusFlags")?;
        let vcpus = |document: &Document| match flags & MAXIMUM {
            0 => document.vcpus.current,
            _ => document.vcpus.maximum,
        };
        self.read(domain, flags & !MAXIMUM, vcpus)
    }

    /// Where each virtual processor of a running domain may run.
    pub fn live_vcpu_pins(&self, domain: &Domain) -> Result<Vec<Pins>> {
        domain.admit(Operation::UseLive)?;
        self.vcpu_pins(domain, AFFECT_LIVE)
    }

    /// Where each virtual processor may run, as the documents say.
    pub fn vcpu_pins(&self, domain: &Domain, flags: u32) -> Result<Vec<Pins>> {
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "lxcDomainGetVcpuPinInfo")?;
        let all = self.node_cpu_map(0)?;
        let pins = |document: &Document| {
            let of = |vcpu: u32| {
                let own = document.cpu_tune.vcpu_pins.iter().find(|(number, _)| *number == vcpu);
                own.map(|(_, set)| set).or(document.vcpus.cpuset.as_ref())
            };
            let pins = |vcpu| self.pins(of(vcpu), &all.online, all.present_count);
            (0..document.vcpus.current).map(pins).collect()
        };
        self.read(domain, flags, pins)
    }

    /// Where the supervisor may run, as the documents say.
    pub fn emulator_pins(&self, domain: &Domain, flags: u32) -> Result<Pins> {
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "lxcDomainGetEmulatorPinInfo")?;
        let all = self.node_cpu_map(0)?;
        let pins = |document: &Document| {
            let set = document.cpu_tune.emulator_pin.as_ref();
            let set = set.or(document.vcpus.cpuset.as_ref());
            self.pins(set, &all.online, all.present_count)
        };
        self.read(domain, flags, pins)
    }

    fn pins(&self, set: Option<&Bitmap>, online: &[u8], count: u32) -> Pins {
        set.map_or_else(|| online.to_vec(), |set| super::host::bits(set, count))
    }

    fn read<T>(&self, domain: &Domain, flags: u32, of: impl Fn(&Document) -> T) -> Result<T> {
        Impact::check_one(flags)?;
        let snapshot = domain.snapshot();
        let impact = Impact::of(flags, snapshot.standing())?;
        let document = if impact.live { &snapshot.live } else { &snapshot.definition };
        Ok(of(document.as_deref().ok_or_else(|| domain.not_found())?))
    }
}
