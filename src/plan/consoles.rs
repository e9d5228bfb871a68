//! The container's terminals.

use std::path::{Path, PathBuf};

use super::build::unsupported;
use super::{Console, ConsoleLog};
use crate::error::Result;
use crate::model::{self, CharacterSource, Domain};

/// One terminal for each console of the document, at least one. A document may describe other
/// consoles; a container has terminals.
pub(super) fn consoles(domain: &Domain) -> Result<Vec<Console>> {
    let consoles = &domain.devices.consoles;
    if consoles.is_empty() {
        return Err(unsupported("At least one PTY console is required"));
    }
    consoles.iter().map(console).collect()
}

fn console(console: &model::Console) -> Result<Console> {
    if console.source != CharacterSource::Pty {
        return Err(unsupported(format!(
            "Only PTY console types are supported: console {} is of type '{}'",
            console.target_port,
            console.source.as_str()
        )));
    }
    let Some((file, append)) = console.log() else {
        return Ok(Console::default());
    };
    if !Path::new(file).is_absolute() {
        return Err(unsupported(format!(
            "the log of console {} is file '{file}': expected a path from the root on",
            console.target_port
        )));
    }
    Ok(Console { log: Some(ConsoleLog { path: PathBuf::from(file), append }) })
}
