//! Memory: the limits of `<memtune>`, and `<memory>` itself.

use super::{AFFECT_CONFIG, AFFECT_LIVE, Change, Impact, Parameters, Set, Value, invalid};
use crate::driver::domain::Domain;
use crate::driver::lifecycle::Operation;
use crate::driver::{Driver, check_flags};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::{Domain as Document, MAX_KIB};
use crate::plan::memory_changes;

/// `VIR_DOMAIN_MEM_MAXIMUM`: the most it may have, not what it has.
const MAXIMUM: u32 = 4;

const KNOWN: [(&str, &str); 3] =
    [("hard_limit", "ullong"), ("soft_limit", "ullong"), ("swap_hard_limit", "ullong")];

impl Driver {
    /// Limits of memory in KiB: those in force, or those of the definition. The largest number
    /// means none.
    pub fn memory_parameters(&self, domain: &Domain, flags: u32) -> Result<Parameters> {
        let (run, document) = self.source(domain, flags, "lxcDomainGetMemoryParameters")?;
        let limits = match run {
            Some(run) => {
                let limits = run.group.memory_limits()?;
                [limits.hard, limits.soft, limits.with_swap].map(|it| it.map(|bytes| bytes / 1024))
            }
            None => {
                let tune = &document.memory_tune;
                [tune.hard_limit, tune.soft_limit, tune.swap_hard_limit]
            }
        };
        let named = KNOWN.iter().zip(limits);
        Ok(named
            .map(|((name, _), it)| ((*name).into(), Value::ULong(it.unwrap_or(MAX_KIB))))
            .collect())
    }

    /// Sets limits of memory, in KiB.
    pub async fn set_memory_parameters(
        &self,
        domain: &Domain,
        parameters: &[(String, Value)],
        flags: u32,
    ) -> Result<()> {
        let set = Set::check(parameters, &KNOWN, "virDomainSetMemoryParameters")?;
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG, "lxcDomainSetMemoryParameters")?;
        let (_turn, _) = domain.job(Operation::Tune).await?;
        let impact = Impact::of(flags, domain.snapshot().standing())?;
        let limit = |name, old: Option<u64>| match set.ulong(name) {
            Some(kib) => Some(kib).filter(|&kib| kib < MAX_KIB),
            None => old,
        };
        let document = |document: &mut Document| {
            let tune = &mut document.memory_tune;
            tune.hard_limit = limit("hard_limit", tune.hard_limit);
            tune.soft_limit = limit("soft_limit", tune.soft_limit);
            tune.swap_hard_limit = limit("swap_hard_limit", tune.swap_hard_limit);
            check_order(document)
        };
        self.change_memory(domain, impact, &document).await
    }

    /// Sets what a domain has, in KiB, or (flag 4) the most it may have.
    pub async fn set_memory(&self, domain: &Domain, kib: u64, flags: u32) -> Result<()> {
        if kib == 0 {
            let message = "memory in virDomainSetMemoryFlags must not be zero";
            return Err(Error::bare(ErrorCode::InvalidArg, message));
        }
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG | MAXIMUM, "lxcDomainSetMemoryFlags")?;
        let kib = Some(kib).filter(|&kib| kib < MAX_KIB).ok_or_else(|| {
            Error::new(ErrorCode::Overflow, format!("memory must be less than {MAX_KIB} KiB"))
        })?;
        let (_turn, _) = domain.job(Operation::Tune).await?;
        let impact = Impact::of(flags, domain.snapshot().standing())?;
        if flags & MAXIMUM != 0 && impact.live {
            domain.admit(Operation::ResizeMaximum)?;
        }
        let maximum = |document: &mut Document| {
            document.memory = kib;
            document.current_memory = document.current_memory.min(kib);
            check_order(document)
        };
        let current = |document: &mut Document| {
            if kib > document.memory {
                return Err(invalid("Cannot set memory higher than max memory"));
            }
            document.current_memory = kib;
            Ok(())
        };
        if flags & MAXIMUM != 0 {
            return self.change_memory(domain, impact, &maximum).await;
        }
        let only_config = Impact { live: false, ..impact };
        if impact.live {
            self.resize_live(domain, &current).await?;
        }
        match impact.config {
            true => self.change_memory(domain, only_config, &current).await,
            false => Ok(()),
        }
    }

    async fn change_memory(
        &self,
        domain: &Domain,
        impact: Impact,
        document: &(dyn Fn(&mut Document) -> Result<()> + Send + Sync),
    ) -> Result<()> {
        let limits =
            |before: &Document, after: &Document| memory_changes(before, after, &self.host);
        self.change(domain, impact, Change { document, limits: &limits }).await
    }

    /// What a container that runs has is its hard limit.
    async fn resize_live(
        &self,
        domain: &Domain,
        current: &(dyn Fn(&mut Document) -> Result<()> + Send + Sync),
    ) -> Result<()> {
        let resize = |document: &mut Document| {
            current(document)?;
            document.memory_tune.hard_limit = Some(document.current_memory);
            check_order(document)
        };
        let live = Impact { live: true, config: false };
        self.change_memory(domain, live, &resize).await
    }
}

/// Memory and swap together are not less than memory.
fn check_order(document: &Document) -> Result<()> {
    let tune = &document.memory_tune;
    let hard = tune.hard_limit.unwrap_or(document.memory);
    match tune.swap_hard_limit {
        Some(both) if both < hard => Err(invalid(
            "memory hard_limit tunable value must be lower than or equal to swap_hard_limit",
        )
        .in_domain(ErrorDomain::Domain)),
        _ => Ok(()),
    }
}
