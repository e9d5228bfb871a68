//! The commands, by what they are about.

pub(crate) mod attach;
pub(crate) mod console;
pub(crate) mod device;
pub(crate) mod document;
pub(crate) mod edit;
pub(crate) mod event;
pub(crate) mod exec;
pub(crate) mod host;
pub(crate) mod info;
pub(crate) mod itself;
pub(crate) mod lifecycle;
pub(crate) mod list;
pub(crate) mod metadata;

use std::fs::File;
use std::io::Read;

use crate::outcome::{Outcome, fail};
use crate::parse::Args;
use itself::errno;

/// Most of a file that is read, in bytes; the service takes no larger message either.
pub(crate) const MAX_DOCUMENT: u64 = 10 * 1024 * 1024;

/// `VIR_DOMAIN_DEFINE_VALIDATE`: check against the schema.
pub(crate) const VALIDATE: u32 = 1;

/// Options that exclude each other, in the words virsh has for it.
fn exclusive(args: &Args, one: &str, other: &str) -> Outcome {
    if args.has(one) && args.has(other) {
        return Err(fail(format!("Options --{one} and --{other} are mutually exclusive")));
    }
    Ok(())
}

/// The sum of the flags whose options were given.
fn flags(args: &Args, known: &[(&str, u32)]) -> u32 {
    known.iter().filter(|(name, _)| args.has(name)).fold(0, |sum, (_, bit)| sum | bit)
}

/// The text of a file.
fn read_file(file: &str) -> Outcome<String> {
    let failed = |what: &str, error: std::io::Error| {
        fail(format!("Failed to {what} file '{file}': {}", errno(&error)))
    };
    let mut text = String::new();
    let opened = File::open(file).map_err(|error| failed("open", error))?;
    opened.take(MAX_DOCUMENT).read_to_string(&mut text).map_err(|error| failed("read", error))?;
    Ok(text)
}
