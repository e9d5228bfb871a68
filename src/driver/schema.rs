//! The grammar of domain documents, for clients that want theirs checked against it.

use std::sync::LazyLock;

use crate::error::Result;
use crate::xml::{Element, relaxng::Schema};

/// `schemas/domain`, by name.
const FILES: [(&str, &str); 24] = [
    ("audio.rng", include_str!("../../schemas/domain/audio.rng")),
    ("character.rng", include_str!("../../schemas/domain/character.rng")),
    ("controller.rng", include_str!("../../schemas/domain/controller.rng")),
    ("cpu.rng", include_str!("../../schemas/domain/cpu.rng")),
    ("devices.rng", include_str!("../../schemas/domain/devices.rng")),
    ("disk.rng", include_str!("../../schemas/domain/disk.rng")),
    ("display.rng", include_str!("../../schemas/domain/display.rng")),
    ("domain.rng", include_str!("../../schemas/domain/domain.rng")),
    ("drivers.rng", include_str!("../../schemas/domain/drivers.rng")),
    ("features.rng", include_str!("../../schemas/domain/features.rng")),
    ("filesystem.rng", include_str!("../../schemas/domain/filesystem.rng")),
    ("identity.rng", include_str!("../../schemas/domain/identity.rng")),
    ("interface.rng", include_str!("../../schemas/domain/interface.rng")),
    ("machine.rng", include_str!("../../schemas/domain/machine.rng")),
    ("network.rng", include_str!("../../schemas/domain/network.rng")),
    ("os.rng", include_str!("../../schemas/domain/os.rng")),
    ("passthrough.rng", include_str!("../../schemas/domain/passthrough.rng")),
    ("resources.rng", include_str!("../../schemas/domain/resources.rng")),
    ("security.rng", include_str!("../../schemas/domain/security.rng")),
    ("storage-network.rng", include_str!("../../schemas/domain/storage-network.rng")),
    ("storage.rng", include_str!("../../schemas/domain/storage.rng")),
    ("time.rng", include_str!("../../schemas/domain/time.rng")),
    ("tuning.rng", include_str!("../../schemas/domain/tuning.rng")),
    ("values.rng", include_str!("../../schemas/domain/values.rng")),
];

/// Compiled when first asked for: most daemons never are.
static DOMAIN: LazyLock<Result<Schema>> = LazyLock::new(|| {
    let read = |name: &str| FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text);
    Schema::compile("domain.rng", read)
});

/// Checks a domain document against the grammar.
pub(super) fn check_domain(document: &Element) -> Result<()> {
    DOMAIN.as_ref().map_err(Clone::clone)?.validate(document)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::parse;

    fn check(document: &str) -> Result<()> {
        check_domain(&parse(document).unwrap())
    }

    #[test]
    fn every_file_of_the_grammar_is_here() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/domain");
        let mut names: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        assert_eq!(names, FILES.map(|(name, _)| name));
    }

    #[test]
    fn a_document_is_checked() {
        let document = "<domain type='lxc'>\n<name>a</name>\n<memory unit='MiB'>64</memory>\n\
                        <os><type>exe</type><init>/sbin/init</init></os>\n</domain>";
        assert_eq!(check(document), Ok(()));
        let own = "<n:pids xmlns:n='urn:nsvirt:domain:1.0' max='9'/>\n\
                   <n:isolation xmlns:n='urn:nsvirt:domain:1.0' profile='compat'>\n\
                   <n:allow calls='io_uring'/></n:isolation>\n</domain>";
        assert_eq!(check(&document.replace("\n</domain>", own)), Ok(()));
        let error = check(&document.replace("'MiB'", "'MiBB'")).unwrap_err();
        let expected = "XML document failed to validate against schema: line 3: attribute unit of \
                        <memory> cannot be 'MiBB': allowed is what matches ";
        assert!(error.message.starts_with(expected), "{error}");
    }

    /// The largest documents that are read, broken at the very end: each element is looked at once
    /// for each definition it could have, so this ends.
    #[test]
    fn large_and_deep_documents_are_judged() {
        let wide = "<console/>".repeat(9_900);
        let deep = "<backingStore><format type='raw'/><source/>".repeat(58);
        let ends = "</backingStore>".repeat(58);
        let deep = format!("<disk><target dev='sda'/><source/>{deep}<x/>{ends}</disk>");
        let foreign = format!("<x:a xmlns:x='u'>{}</x:a>", "<y b='1'>z</y>".repeat(9_900));
        let judge = |devices: &str, metadata: &str| {
            let document = format!(
                "<domain type='lxc'><name>a</name><os><type>exe</type></os>\
                 <devices>{devices}</devices><metadata>{metadata}</metadata></domain>"
            );
            check(&document).map_err(|error| error.message)
        };
        assert_eq!(judge(&wide, ""), Ok(()));
        assert_eq!(judge("", &foreign), Ok(()));
        let error = judge(&format!("{wide}<consoles/>"), "").unwrap_err();
        assert!(error.contains("<consoles> is not allowed in <devices>"), "{error}");
        let error = judge(&deep, "").unwrap_err();
        assert!(error.contains("<x> is not allowed in <backingStore>"), "{error}");
    }
}
