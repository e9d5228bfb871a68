//! Processor time: shares, period and quota.

use super::{AFFECT_CONFIG, AFFECT_LIVE, Change, Impact, Parameters, Set, Value, out_of_range};
use crate::driver::domain::Domain;
use crate::driver::lifecycle::Operation;
use crate::driver::{Driver, check_flags};
use crate::error::Result;
use crate::model::Domain as Document;
use crate::plan::{CgroupVersion, cpu_changes, shares_of_weight, weight_of_shares};

const KNOWN: [(&str, &str); 3] =
    [("cpu_shares", "ullong"), ("vcpu_period", "ullong"), ("vcpu_quota", "llong")];

impl Driver {
    /// libvirt's name for the scheduler, and how many parameters it has.
    pub fn scheduler_type(&self) -> (&'static str, u32) {
        ("posix", u32::try_from(KNOWN.len()).unwrap_or(u32::MAX))
    }

    /// The share and the limit of processor time: in force, or in the definition, where 0 means
    /// that there is none.
    pub fn scheduler_parameters(&self, domain: &Domain, flags: u32) -> Result<Parameters> {
        let function = "lxcDomainGetSchedulerParametersFlags";
        let (run, document) = self.source(domain, flags, function)?;
        let tune = &document.cpu_tune;
        let written = tune.shares.unwrap_or(0);
        let (shares, period, quota) = match run {
            None => (written, tune.bandwidth.period, tune.bandwidth.quota),
            Some(run) => {
                let limits = run.group.cpu_limits()?;
                let is_v2 = self.host.version("cpu") == Some(CgroupVersion::V2);
                let shares = match limits.shares {
                    shares if !is_v2 => shares,
                    // A weight stands for several numbers of shares.
                    weight if weight_of_shares(written) == weight && written != 0 => written,
                    weight => shares_of_weight(weight),
                };
                (shares, limits.period, limits.quota)
            }
        };
        let values = [Value::ULong(shares), Value::ULong(period), Value::Long(quota)];
        Ok(KNOWN.iter().zip(values).map(|((name, _), value)| ((*name).into(), value)).collect())
    }

    /// Sets the share and the limit of processor time. A period or quota of 0 leaves what is.
    pub async fn set_scheduler_parameters(
        &self,
        domain: &Domain,
        parameters: &[(String, Value)],
        flags: u32,
    ) -> Result<()> {
        let set = Set::check(parameters, &KNOWN, "virDomainSetSchedulerParametersFlags")?;
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "lxcDomainSetSchedulerParametersFlags")?;
        let shares = set.ulong("cpu_shares");
        let period = set.ulong("vcpu_period").filter(|&period| period != 0);
        let quota = set.long("vcpu_quota").filter(|&quota| quota != 0);
        check_ranges(shares, period, quota)?;
        let (_turn, _) = domain.job(Operation::Tune).await?;
        let impact = Impact::of(flags, domain.snapshot().standing())?;
        let document = |document: &mut Document| {
            let tune = &mut document.cpu_tune;
            tune.shares = shares.or(tune.shares);
            tune.bandwidth.period = period.unwrap_or(tune.bandwidth.period);
            tune.bandwidth.quota = quota.unwrap_or(tune.bandwidth.quota);
            Ok(())
        };
        let limits =
            |before: &Document, after: &Document| Ok(cpu_changes(before, after, &self.host));
        self.change(domain, impact, Change { document: &document, limits: &limits }).await
    }
}

fn check_ranges(shares: Option<u64>, period: Option<u64>, quota: Option<i64>) -> Result<()> {
    match (shares, period, quota) {
        (Some(shares), ..) if !(2..=262_144).contains(&shares) => {
            Err(out_of_range("shares", shares, "[2, 262144]"))
        }
        (_, Some(period), _) if !(1000..=1_000_000).contains(&period) => {
            Err(out_of_range("cfs_period", period, "(1000, 1000000)"))
        }
        (.., Some(quota)) if quota > 0 && !(1000..=17_592_186_044_415).contains(&quota) => {
            Err(out_of_range("cfs_quota", quota, "(1000, 17592186044415)"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_libvirts() {
        let text = |shares, period, quota| check_ranges(shares, period, quota).unwrap_err().message;
        let phrase = "invalid argument:";
        assert_eq!(
            text(Some(1), None, None),
            format!("{phrase} shares '1' must be in range [2, 262144]")
        );
        assert_eq!(
            text(None, Some(999), None),
            format!("{phrase} cfs_period '999' must be in range (1000, 1000000)")
        );
        assert_eq!(
            text(None, None, Some(999)),
            format!("{phrase} cfs_quota '999' must be in range (1000, 17592186044415)")
        );
        assert!(check_ranges(Some(2), Some(1000), Some(-1)).is_ok());
    }
}
