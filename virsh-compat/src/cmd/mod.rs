//! The commands, by what they are about.

pub(crate) mod console;
pub(crate) mod event;
pub(crate) mod host;
pub(crate) mod info;
pub(crate) mod itself;
pub(crate) mod lifecycle;
pub(crate) mod list;

use crate::outcome::{Outcome, fail};
use crate::parse::Args;

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
