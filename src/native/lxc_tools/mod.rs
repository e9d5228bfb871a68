//! LXC container configurations: `domxml-from-native lxc-tools` and its inverse.
//!
//! [`import`] reads a configuration with the key names of any LXC release and makes a domain
//! document of it; [`export`] writes the document as a configuration with today's key names. What
//! one side cannot say in the other's words comes back as a note, one sentence each: nothing is
//! dropped in silence.
//!
//! The text of a configuration may come from anybody. Its size, the length of its lines, the number
//! of its settings and the depth of its includes are bounded ([`MAX_BYTES`], [`MAX_LINE`],
//! [`MAX_SETTINGS`], [`MAX_DEPTH`]).

mod build;
mod capabilities;
mod config;
mod export;
mod export_devices;
mod export_limits;
mod import;
mod limits;
mod mounts;
mod names;
mod network;
mod number;
#[cfg(test)]
pub(crate) mod tests;

pub use config::{MAX_BYTES, MAX_DEPTH, MAX_LINE, MAX_SETTINGS};

use crate::error::Result;
use crate::xml::Element;

/// A configuration as a domain document.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The `<domain>` element. It has no uuid: that is given when it is defined.
    pub domain: Element,
    /// Whether the configuration wants the container started with the host; a domain document has
    /// no place for it, so a note says so too.
    pub autostart: bool,
    /// What could not be carried over.
    pub notes: Vec<String>,
}

impl Imported {
    /// The document as text, in the layout of libvirt's `dumpxml`.
    pub fn xml(&self) -> String {
        build::print(&self.domain)
    }
}

/// A domain document as a configuration.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The text of the configuration file.
    pub config: String,
    /// What could not be carried over.
    pub notes: Vec<String>,
}

/// Makes a domain document of a configuration.
///
/// `includes` gives the text behind the value of an `lxc.include`: of the file, or of all `*.conf`
/// in the folder one after another.
///
/// # Errors
/// A configuration that LXC itself could not read, one without a name or a root file system that a
/// container can have, and one beyond the limits.
pub fn import(config: &str, includes: impl Fn(&str) -> Result<String>) -> Result<Imported> {
    let settings = config::read(config, &includes)?;
    import::import(&settings)
}

/// Makes a configuration of a domain document.
///
/// # Errors
/// A document without a name or of another type than `lxc`.
pub fn export(domain: &Element) -> Result<Exported> {
    export::export(domain)
}
