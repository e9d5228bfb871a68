//! `<filesystem>`: what is mounted in the container.

use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::memory::to_kib;
use crate::xml::{Element, Writer};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// What is mounted.
    pub source: FilesystemSource,
    /// Where in the container: absolute, without `..`, not otherwise normalised.
    pub target: String,
    /// Whether it is mounted read-only.
    pub readonly: bool,
    /// Whose the files are; kept, without effect on containers.
    pub access_mode: AccessMode,
}

/// What a file system is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesystemSource {
    /// A directory or file of the host, bound into the container.
    Mount {
        /// Its path on the host; not empty.
        dir: String,
    },
    /// Memory.
    Ram {
        /// The limit, in KiB.
        usage: u64,
    },
}

/// libvirt's ways to map the owners of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AccessMode {
    /// The container's owners are the host's.
    #[default]
    Passthrough,
    /// Owners are kept beside the files.
    Mapped,
    /// As [`Self::Passthrough`], ignoring failures.
    Squash,
}

impl AccessMode {
    /// The word in the document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passthrough => "passthrough",
            Self::Mapped => "mapped",
            Self::Squash => "squash",
        }
    }

    fn parse(element: &Element) -> Result<Self> {
        let Some(word) = element.attr("accessmode") else {
            return Ok(Self::default());
        };
        let all = [Self::Passthrough, Self::Mapped, Self::Squash];
        all.into_iter().find(|mode| mode.as_str() == word).ok_or_else(|| {
            element.error(format_args!(
                "Invalid value for attribute 'accessmode' in element 'filesystem': '{word}'."
            ))
        })
    }
}

impl FilesystemSource {
    fn parse(element: &Element, target: Option<&str>) -> Result<Self> {
        match element.attr("type").unwrap_or("mount") {
            "mount" => mount_source(element, target),
            "ram" => ram_source(element),
            known @ ("bind" | "block" | "file" | "template" | "volume") => Err(element
                .unsupported(format_args!(
                    "<filesystem type='{known}'> is not supported, only 'mount' and 'ram' are"
                ))),
            other => Err(element.error(format_args!(
                "Invalid value for attribute 'type' in element 'filesystem': '{other}'."
            ))),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Mount { .. } => "mount",
            Self::Ram { .. } => "ram",
        }
    }
}

fn mount_source(element: &Element, target: Option<&str>) -> Result<FilesystemSource> {
    let dir = element.child("source").and_then(|source| source.attr("dir"));
    match dir.filter(|dir| !dir.is_empty()) {
        Some(dir) => Ok(FilesystemSource::Mount { dir: dir.to_owned() }),
        None => {
            let needs = "source dir='...'";
            Err(device_error(element, ErrorCode::NoSource, target.unwrap_or_default(), needs))
        }
    }
}

fn ram_source(element: &Element) -> Result<FilesystemSource> {
    let source = element.child("source");
    let usage = source.and_then(|source| source.attr("usage").map(|usage| (source, usage)));
    let Some((source, usage)) = usage else {
        let line = source.map_or(element.line, |source| source.line);
        return Err(Error::xml(line, "missing 'usage' attribute for RAM filesystem"));
    };
    let value = usage.parse().map_err(|_| {
        source.error(format_args!("cannot parse usage '{usage}' for RAM filesystem"))
    })?;
    Ok(FilesystemSource::Ram { usage: to_kib(source, value, source.attr("units"))? })
}

/// libvirt's text ends with the device's other end and has no colon before it.
fn device_error(element: &Element, code: ErrorCode, other_end: &str, needs: &str) -> Error {
    let other_end = if other_end.is_empty() { String::new() } else { format!(" {other_end}") };
    let needs = element.needs_child(needs).message;
    let needs = needs.trim_start_matches("XML error: ");
    Error {
        code,
        domain: ErrorDomain::Domain,
        message: format!("{}{other_end}: {needs}", code.phrase()),
    }
}

impl Filesystem {
    pub(super) fn parse(element: &Element) -> Result<Self> {
        let target = element.child("target");
        let dir = target.and_then(|target| target.attr("dir")).filter(|dir| !dir.is_empty());
        let source = FilesystemSource::parse(element, dir)?;
        let (Some(target), Some(dir)) = (target, dir) else {
            let needs = "target dir='...'";
            let other_end = match &source {
                FilesystemSource::Mount { dir } => dir,
                FilesystemSource::Ram { .. } => "",
            };
            return Err(device_error(element, ErrorCode::NoTarget, other_end, needs));
        };
        if !dir.starts_with('/') || dir.split('/').any(|component| component == "..") {
            return Err(target.error(format_args!(
                "the target '{dir}' of <filesystem> must be an absolute path without '..'"
            )));
        }
        Ok(Self {
            source,
            target: dir.to_owned(),
            readonly: element.child("readonly").is_some(),
            access_mode: AccessMode::parse(element)?,
        })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let kind = ("type", self.source.kind());
        w.open("filesystem", &[kind, ("accessmode", self.access_mode.as_str())]);
        match &self.source {
            FilesystemSource::Mount { dir } => w.empty("source", &[("dir", dir)]),
            FilesystemSource::Ram { usage } => {
                w.empty("source", &[("usage", &usage.to_string()), ("units", "KiB")]);
            }
        }
        w.empty("target", &[("dir", &self.target)]);
        if self.readonly {
            w.empty("readonly", &[]);
        }
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{assert_faults, fault, parse, printed};

    fn devices(filesystem: &str) -> String {
        format!("<devices>\n{filesystem}</devices>")
    }

    #[test]
    fn mounts_and_memory_come_back() {
        let text = devices(
            "<filesystem><target dir='/a/'/><source dir='/x'/><readonly/></filesystem>\
             <filesystem type='ram' accessmode='mapped'><source usage='2' units='M'/>\
             <target dir='/t'/></filesystem>",
        );
        let expected = [
            "    <filesystem type='mount' accessmode='passthrough'>",
            "      <source dir='/x'/>",
            "      <target dir='/a/'/>",
            "      <readonly/>",
            "    </filesystem>",
            "    <filesystem type='ram' accessmode='mapped'>",
            "      <source usage='2048' units='KiB'/>",
            "      <target dir='/t'/>",
            "    </filesystem>",
        ];
        assert_eq!(printed(&text), expected);
        let filesystems = parse(&text).devices.filesystems;
        assert_eq!(filesystems[1].source, FilesystemSource::Ram { usage: 2048 });
    }

    #[test]
    fn faults() {
        let source = "missing source information for device";
        let needs = "line 3: <filesystem> needs a child element";
        let attribute = "XML error: line 3: Invalid value for attribute";
        let cases = [
            (
                "<filesystem><target dir='/a'/></filesystem>",
                format!("{source} /a: {needs} <source dir='...'>"),
            ),
            (
                "<filesystem><source dir=''/></filesystem>",
                format!("{source}: {needs} <source dir='...'>"),
            ),
            (
                "<filesystem><source dir='/a'/><target dir=''/></filesystem>",
                format!("missing target information for device /a: {needs} <target dir='...'>"),
            ),
            (
                "<filesystem type='ram'><source usage='1'/></filesystem>",
                format!("missing target information for device: {needs} <target dir='...'>"),
            ),
            (
                "<filesystem type='ram'><source/><target dir='/a'/></filesystem>",
                "XML error: line 3: missing 'usage' attribute for RAM filesystem".to_owned(),
            ),
            (
                "<filesystem type='ram'>\n<source usage='x'/><target dir='/a'/></filesystem>",
                "XML error: line 4: cannot parse usage 'x' for RAM filesystem".to_owned(),
            ),
            (
                "<filesystem type='foo'/>",
                format!("{attribute} 'type' in element 'filesystem': 'foo'."),
            ),
            (
                "<filesystem accessmode='x'><source dir='/a'/><target dir='/a'/></filesystem>",
                format!("{attribute} 'accessmode' in element 'filesystem': 'x'."),
            ),
            (
                "<filesystem type='bind'/>",
                "unsupported configuration: line 3: <filesystem type='bind'> is not supported, \
                 only 'mount' and 'ram' are"
                    .to_owned(),
            ),
        ];
        for (text, expected) in &cases {
            assert_faults(&[(&devices(text), expected)]);
        }
        let code = |text: &str| fault(&devices(text)).code;
        assert_eq!(code(cases[0].0), ErrorCode::NoSource);
        assert_eq!(code(cases[2].0), ErrorCode::NoTarget);
    }

    #[test]
    fn targets_stay_inside() {
        for target in ["a", "../a", "/..", "/a/../b", "/a/.."] {
            let text =
                format!("<filesystem><source dir='/a'/><target dir='{target}'/></filesystem>");
            let expected = format!(
                "XML error: line 3: the target '{target}' of <filesystem> must be an absolute \
                 path without '..'"
            );
            assert_faults(&[(&devices(&text), &expected)]);
        }
        let text = "<filesystem><source dir='/a'/><target dir='/..a/b..'/></filesystem>";
        assert_eq!(parse(&devices(text)).devices.filesystems[0].target, "/..a/b..");
    }
}
