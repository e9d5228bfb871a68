//! Changing what domains may use: of one that runs, of its definition, or of both.

mod block;
mod memory;
mod numa;
mod processor;
mod typed;

pub use typed::{Parameters, Value};

use std::sync::Arc;

use super::domain::{Domain, Run};
use super::impact::{AFFECT_CONFIG, AFFECT_LIVE, Impact};
use super::{Driver, check_flags};
use crate::error::{Error, ErrorCode, Result};
use crate::model::Domain as Document;
use crate::plan::Setting;
pub(super) use typed::Set;
use typed::invalid;

/// `VIR_TYPED_PARAM_STRING_OKAY`: the client knows values that are text.
pub(super) const STRINGS: u32 = 4;

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
        check_flags(flags, AFFECT_LIVE | AFFECT_CONFIG | STRINGS, function)?;
        Impact::check_one(flags)?;
        let snapshot = domain.snapshot();
        let impact = Impact::of(flags, snapshot.standing())?;
        let document = if impact.live { &snapshot.live } else { &snapshot.definition };
        let document = document.clone().ok_or_else(|| domain.not_found())?;
        let run = impact.live.then(|| domain.run()).transpose()?;
        Ok((run, document))
    }

    /// Carries out a change to the documents that are meant, and to what runs.
    async fn change(&self, domain: &Domain, impact: Impact, change: Change<'_>) -> Result<()> {
        let snapshot = domain.snapshot();
        let changed = |document: &Option<Arc<Document>>| -> Result<Arc<Document>> {
            let mut after = (**document.as_ref().ok_or_else(|| domain.not_found())?).clone();
            (change.document)(&mut after)?;
            Ok(Arc::new(after))
        };
        let live = impact.live.then(|| changed(&snapshot.live)).transpose()?;
        let definition = impact.config.then(|| changed(&snapshot.definition)).transpose()?;
        if let (Some(before), Some(after)) = (&snapshot.live, &live) {
            apply(&*domain.run()?, &change, before, after)?;
        }
        self.keep(domain, &snapshot, live.as_deref(), definition.clone()).await?;
        domain.publish(|snapshot| {
            snapshot.live = live.or(snapshot.live.take());
            snapshot.definition = definition.or(snapshot.definition.take());
        });
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
