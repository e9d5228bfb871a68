//! What must hold for any input. The fuzz targets look for an input for which it does not; a test
//! replays those that were found.

#![allow(dead_code, reason = "each target has one of them")]

use nsvirt::Error;
use nsvirt::model::{Domain, View};
use nsvirt::native::lxc_tools;
use nsvirt::xml;

/// Bytes as a domain document: refused with a line of the document, or stable when it is written
/// and read again.
pub fn document(bytes: &[u8]) {
    let domain = match xml::parse_bytes(bytes).and_then(|root| Domain::parse_element(&root)) {
        Ok(domain) => domain,
        Err(error) => return assert_names_a_line(&error, bytes),
    };
    let text = domain.format(View::Inactive);
    let again = Domain::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(again, domain);
    assert_eq!(again.format(View::Inactive), text);
    let live = domain.format(View::Live);
    if let Err(error) = Domain::parse(&live) {
        panic!("{error}: {live}");
    }
}

/// Bytes as an LXC configuration: what is imported is a document, and can be exported.
pub fn lxc_config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(imported) = lxc_tools::import(&text, |_| Ok(String::new())) else { return };
    let document = imported.xml();
    let root = xml::parse(&document).unwrap_or_else(|error| panic!("{error}: {document}"));
    if let Err(error) = Domain::parse_element(&root) {
        assert_names_a_line(&error, document.as_bytes());
    }
    if let Err(error) = lxc_tools::export(&root) {
        panic!("{error}: {document}");
    }
}

/// Bytes as a message of libvirt's protocol: understood or not, and nothing is allocated for what it
/// only claims to carry, which the fuzzer's limit of memory finds.
pub fn message(bytes: &[u8]) {
    let understood = nsvirt::rpc::understands(bytes);
    assert!(!understood || bytes.len() >= 28, "{bytes:?}");
}

/// A refusal says in which line, in one sentence.
fn assert_names_a_line(error: &Error, document: &[u8]) {
    let lines = 1 + document.iter().filter(|&&byte| byte == b'\n').count();
    let number = error.message.split("line ").nth(1).and_then(|rest| rest.split(':').next());
    let line: usize = number.and_then(|number| number.parse().ok()).unwrap_or(0);
    assert!((1..=lines).contains(&line), "of {lines} lines: {error}");
    let beyond = error.message.split_once(": ").map_or("", |(_, rest)| rest);
    assert!(beyond.len() > 8, "says little: {error}");
}
