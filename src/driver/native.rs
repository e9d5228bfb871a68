//! Configurations of other programs, with the files they include.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Driver, check_flags};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{Domain, View};
use crate::native::lxc_tools::{self, MAX_BYTES};
use crate::xml;

/// A converted document, and a sentence for each thing that could not be carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The document in the other format.
    pub text: String,
    /// What is missing from it.
    pub notes: Vec<String>,
}

impl Driver {
    /// Makes a domain document of a configuration; the one format is `lxc-tools`. Files that it
    /// includes are read from the host.
    pub fn domain_xml_from_native(
        &self,
        format: &str,
        config: &str,
        flags: u32,
    ) -> Result<Converted> {
        check_flags(flags, 0, "connectDomainXMLFromNative")?;
        check_format(format)?;
        let imported = lxc_tools::import(config, read_include)?;
        // What the model makes of it is what defining it would print.
        let domain = Domain::parse(&imported.xml())?;
        Ok(Converted { text: domain.format(View::Inactive), notes: imported.notes })
    }

    /// Makes a configuration of a domain document.
    pub fn domain_xml_to_native(&self, format: &str, text: &str, flags: u32) -> Result<Converted> {
        check_flags(flags, 0, "connectDomainXMLToNative")?;
        check_format(format)?;
        let exported = lxc_tools::export(&xml::parse(text)?)?;
        Ok(Converted { text: exported.config, notes: exported.notes })
    }
}

fn check_format(format: &str) -> Result<()> {
    match format {
        "lxc-tools" => Ok(()),
        other => Err(Error::new(
            ErrorCode::InvalidArg,
            format!("unsupported config type {other}: expected lxc-tools"),
        )),
    }
}

/// The file of an `lxc.include`, or all `*.conf` of a directory by name. Not more than a
/// configuration may have is read, and no device or pipe is opened.
fn read_include(path: &str) -> Result<String> {
    let failed = |e| Error::system(format!("cannot include {path}"), e);
    let path_of = Path::new(path);
    let mut files: Vec<PathBuf> = vec![path_of.to_owned()];
    if path_of.is_dir() {
        files = fs::read_dir(path_of)
            .map_err(failed)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        files.retain(|file| file.extension().is_some_and(|it| it == "conf"));
        files.sort();
    }
    let mut text = String::new();
    for file in files {
        if !fs::metadata(&file).map_err(failed)?.is_file() {
            let what = format!("{} is no regular file", file.display());
            return Err(Error::new(
                ErrorCode::InvalidArg,
                format!("cannot include {path}: {what}"),
            ));
        }
        let left = u64::try_from(MAX_BYTES.saturating_sub(text.len())).unwrap_or(0) + 1;
        let file = fs::File::open(&file).map_err(failed)?;
        file.take(left).read_to_string(&mut text).map_err(failed)?;
        text.push('\n');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::subsequence;

    use super::*;
    use crate::native::lxc_tools::tests::{BASE, LINES};

    fn definition(config: &str) -> Domain {
        let imported = lxc_tools::import(config, |name| panic!("no include {name}")).unwrap();
        Domain::parse(&imported.xml()).unwrap()
    }

    proptest! {
        /// With all filled in that a document may leave out.
        #[test]
        fn a_definition_comes_back_from_its_export(lines in subsequence(LINES, 0..LINES.len())) {
            let memory = "lxc.cgroup.memory.limit_in_bytes = 64M";
            let first = definition(&format!("{BASE}{memory}\n{}\n", lines.join("\n")));
            let printed = first.format(View::Inactive);
            let exported = lxc_tools::export(&xml::parse(&printed).unwrap()).unwrap();
            let known = ["<uuid>", "<swap_hard_limit>"];
            let is_known = |note: &String| known.iter().any(|known| note.contains(known));
            prop_assert!(exported.notes.iter().all(is_known), "{:?}\n{printed}", exported.notes);
            let mut second = definition(&exported.config);
            second.uuid = first.uuid;
            prop_assert_eq!(printed, second.format(View::Inactive), "{}", exported.config);
        }
    }
}
