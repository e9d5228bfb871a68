//! Messages of libvirt's protocol: the frame, the header, and the arguments.

#![no_main]

#[path = "../properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::message(bytes));
