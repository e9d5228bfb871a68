//! LXC configurations: their import, and the export of what came of it.

#![no_main]

#[path = "../properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::lxc_config(bytes));
