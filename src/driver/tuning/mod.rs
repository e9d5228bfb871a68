//! Changing what domains may use: of one that runs, of its definition, or of both.

mod block;
mod memory;
mod processor;
mod typed;

pub use typed::{Parameters, Value};

use std::sync::Arc;

use super::domain::{Domain, Run};
use super::lifecycle::Operation;
use super::store::Record;
use super::{Driver, check_flags};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Domain as Document;
use crate::plan::Setting;
use typed::{Set, invalid};

/// `VIR_DOMAIN_AFFECT_*`: what runs, and the definition. Neither means what there is.
const LIVE: u32 = 1;
const CONFIG: u32 = 2;
/// `VIR_TYPED_PARAM_STRING_OKAY`: the client knows values that are text.
const STRINGS: u32 = 4;

/// What a change is about.
#[derive(Debug, Clone, Copy)]
struct Affected {
    live: bool,
    config: bool,
}

impl Affected {
    fn of(domain: &Domain, flags: u32) -> Result<Self> {
        let neither = flags & (LIVE | CONFIG) == 0;
        let active = domain.snapshot().is_active();
        let live = flags & LIVE != 0 || neither && active;
        let config = flags & CONFIG != 0 || neither && !active;
        if live {
            domain.admit(Operation::UseLive)?;
        }
        if config {
            domain.admit(Operation::Redefine)?;
        }
        Ok(Self { live, config })
    }
}

/// One change: to a document, and what follows for the kernel.
struct Change<'a> {
    /// Changes a document, or says why not.
    document: &'a (dyn Fn(&mut Document) -> Result<()> + Send + Sync),
    /// The limits that are different then.
    limits: &'a (dyn Fn(&Document, &Document) -> Result<Vec<Setting>> + Send + Sync),
}

impl Driver {
    /// What to read from: the container that runs, or (None) the definition that is given.
    fn source(
        &self,
        domain: &Domain,
        flags: u32,
        function: &str,
    ) -> Result<(Option<Arc<Run>>, Arc<Document>)> {
        check_flags(flags, LIVE | CONFIG | STRINGS, function)?;
        if flags & LIVE != 0 && flags & CONFIG != 0 {
            let message = "Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are \
                           mutually exclusive";
            return Err(Error { message: message.to_owned(), ..invalid("") });
        }
        let affected = Affected::of(domain, flags)?;
        let snapshot = domain.snapshot();
        let document = if affected.live { &snapshot.live } else { &snapshot.definition };
        let document = document.clone().ok_or_else(|| domain.not_found())?;
        let run = affected.live.then(|| domain.run()).transpose()?;
        Ok((run, document))
    }

    /// Carries out a change, to all that is affected or, if any of it cannot be, to nothing.
    async fn change(&self, domain: &Domain, affected: Affected, change: Change<'_>) -> Result<()> {
        let snapshot = domain.snapshot();
        let changed = |document: &Option<Arc<Document>>| -> Result<_> {
            let before = document.clone().ok_or_else(|| domain.not_found())?;
            let mut after = (*before).clone();
            (change.document)(&mut after)?;
            Ok((before, after))
        };
        let live = affected.live.then(|| changed(&snapshot.live)).transpose()?;
        let config = affected.config.then(|| changed(&snapshot.definition)).transpose()?;
        if let Some((before, after)) = live {
            let run = domain.run()?;
            apply(&run, &change, &before, &after)?;
            let record = Record {
                supervisor: after.id,
                reason: snapshot.reason,
                group: run.group.path().to_owned(),
                live: after.clone(),
            };
            self.store.record(&record)?;
            domain.publish(|snapshot| snapshot.live = Some(Arc::new(after)));
        }
        if let Some((_, after)) = config {
            let after = self.keep(after).await?;
            domain.publish(|snapshot| snapshot.definition = Some(Arc::new(after)));
        }
        Ok(())
    }
}

/// Tells the kernel. If it refuses one limit of several, the others are taken back.
fn apply(run: &Run, change: &Change<'_>, before: &Document, after: &Document) -> Result<()> {
    let limits = (change.limits)(before, after)?;
    run.group.apply(&limits).map_err(|error| {
        let back = (change.limits)(after, before).and_then(|limits| run.group.apply(&limits));
        match back {
            Ok(()) => error,
            Err(left) => Error { message: format!("{}; then {left}", error.message), ..error },
        }
    })
}

/// A number that is not in its range, in libvirt's words.
fn out_of_range(what: &str, number: impl std::fmt::Display, range: &str) -> Error {
    Error::new(ErrorCode::InvalidArg, format!("{what} '{number}' must be in range {range}"))
        .in_domain(crate::error::ErrorDomain::Cgroup)
}
