//! The container's terminals.

use super::Console;
use crate::error::Result;
use crate::model::Domain;

/// One terminal for each console of the document.
pub(super) fn consoles(domain: &Domain) -> Result<Vec<Console>> {
    Ok(domain.devices.consoles.iter().map(|_| Console::default()).collect())
}
