//! `<filesystem>`: what is mounted in the container.

mod driver;

pub use driver::{FilesystemDriver, FilesystemDriverKind};

use super::info::Place;
use super::{alias, storage};
use crate::error::{Error, ErrorCode, ErrorDomain, Result};
use crate::model::read::{bad_value, number, words};
use crate::model::shape::{self, Kind, Shape, attr};
use crate::model::{View, memory};
use crate::xml::{Element, Writer};

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filesystem {
    /// What is mounted.
    pub source: FilesystemSource,
    /// Where in the container; not empty, not otherwise checked. For machines it is only a name.
    pub target: String,
    /// Whether it is mounted read-only.
    pub readonly: bool,
    /// Whose the files are; kept, without effect on containers. None only for sockets.
    pub access_mode: Option<AccessMode>,
    /// What makes a block device of a file.
    pub driver: FilesystemDriver,
    /// Further attributes: model, multidevs, fmode, dmode.
    pub kept_attributes: Vec<(String, String)>,
    /// Further elements: limits of space, the place in a machine.
    pub kept: Vec<Element>,
    /// The name in events and calls, as in `fs0`. Live only.
    pub alias: Option<String>,
}

/// What a file system is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesystemSource {
    /// A directory or file of the host, bound into the container.
    Mount {
        /// Its path on the host; not empty.
        dir: String,
    },
    /// A directory or file of the container, bound to another place.
    Bind {
        /// Its path in the container; not empty.
        dir: String,
    },
    /// A block device of the host.
    Block {
        /// Its path on the host; not empty.
        dev: String,
    },
    /// An image in a file of the host.
    File {
        /// Its path on the host; not empty.
        file: String,
    },
    /// Memory.
    Ram {
        /// The limit, in KiB.
        usage: u64,
    },
    /// A template; not for containers.
    Template {
        /// Its name.
        name: String,
    },
    /// A volume of a storage pool; not for containers.
    Volume {
        /// The name of the pool.
        pool: String,
        /// The name of the volume.
        volume: String,
    },
    /// A socket of a file server; not for containers.
    Socket {
        /// Its path on the host.
        path: String,
    },
}

words! {
    /// libvirt's ways to map the owners of files.
    pub enum AccessMode {
        /// The container's owners are the host's.
        Passthrough = "passthrough",
        /// Owners are kept beside the files.
        Mapped = "mapped",
        /// As [`Self::Passthrough`], ignoring failures.
        Squash = "squash",
    }
}

impl FilesystemSource {
    fn parse(element: &Element, target: Option<&str>) -> Result<Self> {
        let source = element.child("source");
        let word = |attribute: &str| Some(source?.attr(attribute)?.to_owned());
        let path = |attribute: &str| {
            word(attribute).filter(|path| !path.is_empty()).ok_or_else(|| {
                let needs = format!("source {attribute}='...'");
                device_error(element, ErrorCode::NoSource, target.unwrap_or_default(), &needs)
            })
        };
        Ok(match element.attr("type").unwrap_or("mount") {
            "mount" => match word("socket") {
                Some(path) => Self::Socket { path },
                None => Self::Mount { dir: path("dir")? },
            },
            "bind" => Self::Bind { dir: path("dir")? },
            "block" => Self::Block { dev: path("dev")? },
            "file" => Self::File { file: path("file")? },
            "template" => Self::Template { name: path("name")? },
            "volume" => match source.map(storage::volume).transpose()?.flatten() {
                Some((pool, volume)) => Self::Volume { pool, volume },
                None => Self::Volume { pool: path("pool")?, volume: path("volume")? },
            },
            "ram" => Self::Ram { usage: ram_usage(element)? },
            other => {
                let kinds = "Expected one of mount, block, file, template, ram, bind, volume";
                return Err(bad_value(element, "type", other, kinds));
            }
        })
    }

    /// The word in the document.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mount { .. } | Self::Socket { .. } => "mount",
            Self::Bind { .. } => "bind",
            Self::Block { .. } => "block",
            Self::File { .. } => "file",
            Self::Ram { .. } => "ram",
            Self::Template { .. } => "template",
            Self::Volume { .. } => "volume",
        }
    }

    /// What libvirt calls the file system by in errors.
    fn path(&self) -> &str {
        match self {
            Self::Mount { dir } | Self::Bind { dir } => dir,
            Self::Block { dev } => dev,
            Self::File { file } => file,
            Self::Template { name } => name,
            Self::Ram { .. } | Self::Volume { .. } | Self::Socket { .. } => "",
        }
    }

    fn format(&self, w: &mut Writer) {
        match self {
            Self::Mount { dir } | Self::Bind { dir } => w.empty("source", &[("dir", dir)]),
            Self::Block { dev } => w.empty("source", &[("dev", dev)]),
            Self::File { file } => w.empty("source", &[("file", file)]),
            Self::Template { name } => w.empty("source", &[("name", name)]),
            Self::Socket { path } => w.empty("source", &[("socket", path)]),
            Self::Volume { pool, volume } => {
                w.empty("source", &[("pool", pool), ("volume", volume)]);
            }
            Self::Ram { usage } => {
                w.empty("source", &[("usage", &usage.to_string()), ("units", "KiB")]);
            }
        }
    }
}

/// In KiB, rounded down as libvirt does.
fn ram_usage(element: &Element) -> Result<u64> {
    let source = element.child("source");
    let usage = source.and_then(|source| source.attr("usage").map(|usage| (source, usage)));
    let Some((source, usage)) = usage else {
        let line = source.map_or(element.line, |source| source.line);
        return Err(Error::xml(line, "missing 'usage' attribute for RAM filesystem"));
    };
    let value = number(usage).ok_or_else(|| {
        source.error(format_args!("cannot parse usage '{usage}' for RAM filesystem"))
    })?;
    let unit = source.attr("units").filter(|unit| !unit.is_empty()).unwrap_or("KiB");
    Ok(memory::to_bytes(source, value, unit)? / 1024)
}

/// libvirt's text ends with the device's other end and has no colon before it.
pub(super) fn device_error(
    element: &Element,
    code: ErrorCode,
    other_end: &str,
    needs: &str,
) -> Error {
    let other_end = if other_end.is_empty() { String::new() } else { format!(" {other_end}") };
    let needs = element.needs_child(needs).message;
    let needs = needs.trim_start_matches("XML error: ");
    Error {
        code,
        domain: ErrorDomain::Domain,
        message: format!("{}{other_end}: {needs}", code.phrase()),
    }
}

/// The mode of new files and directories: octal, without more than permissions.
fn mode(element: &Element, name: &str) -> Result<Option<(String, String)>> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    let digits = text.trim_ascii_start();
    let mode = u32::from_str_radix(digits.strip_prefix('+').unwrap_or(digits), 8)
        .map_err(|_| bad_value(element, name, text, "Expected non-negative integer value"))?;
    if mode > 0o777 {
        return Err(element.error(format_args!("invalid {name}: '0{mode:o}', must be <= 0777")));
    }
    Ok(Some((name.to_owned(), format!("{mode:04o}"))).filter(|_| mode != 0))
}

/// A limit in bytes; 0 is none.
fn space_limit(filesystem: &Element, name: &str) -> Result<Option<Element>> {
    let Some(element) = filesystem.child(name) else { return Ok(None) };
    let text = element.text();
    if text.is_empty() {
        return Ok(None);
    }
    let value = number(&text).ok_or_else(|| {
        let expected = "expected a number";
        element.error(format_args!(
            "Invalid value '{text}' for element or attribute './{name}[1]': {expected}"
        ))
    })?;
    let unit = element.attr("unit").filter(|unit| !unit.is_empty()).unwrap_or("bytes");
    let bytes = memory::to_bytes(element, value, unit)?;
    let unit = [("unit", "bytes".to_owned())];
    Ok(Some(shape::leaf(name, &unit, bytes.to_string())).filter(|_| bytes != 0))
}

impl Filesystem {
    /// A file system without anything unusual.
    pub fn new(source: FilesystemSource, target: String) -> Self {
        Self {
            source,
            target,
            readonly: false,
            access_mode: Some(AccessMode::Passthrough),
            driver: FilesystemDriver::default(),
            kept_attributes: Vec::new(),
            kept: Vec::new(),
            alias: None,
        }
    }

    pub(super) fn parse(element: &Element) -> Result<Self> {
        let target = element.child("target").and_then(|target| target.attr("dir"));
        let target = target.filter(|target| !target.is_empty());
        let source = FilesystemSource::parse(element, target)?;
        let Some(target) = target else {
            let needs = "target dir='...'";
            return Err(device_error(element, ErrorCode::NoTarget, source.path(), needs));
        };
        let mut filesystem = Self::new(source, target.to_owned());
        filesystem.readonly = element.child("readonly").is_some();
        filesystem.access_mode = match element.attr("accessmode").filter(|word| !word.is_empty()) {
            Some(_) => AccessMode::attr(element, "accessmode")?,
            None => Some(AccessMode::Passthrough)
                .filter(|_| !matches!(filesystem.source, FilesystemSource::Socket { .. })),
        };
        filesystem.driver = FilesystemDriver::parse(element)?;
        filesystem.kept_attributes = attributes(element)?;
        filesystem.read_kept(element)?;
        Ok(filesystem)
    }

    fn read_kept(&mut self, element: &Element) -> Result<()> {
        let is_virtiofs = self.driver.kind == Some(FilesystemDriverKind::Virtiofs);
        if is_virtiofs {
            self.kept.extend(driver::binary(element)?);
        }
        let place = Place::BOOT.read(element)?;
        if let Some(boot) = element.child("boot").filter(|_| !is_virtiofs) {
            return Err(boot.unsupported("boot order is only supported for virtiofs"));
        }
        self.kept.extend(place);
        for name in ["space_hard_limit", "space_soft_limit"] {
            self.kept.extend(space_limit(element, name)?);
        }
        Ok(())
    }

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        let mut attributes = vec![("type", self.source.kind())];
        attributes.extend(self.access_mode.map(|mode| ("accessmode", mode.as_str())));
        let kept = self.kept_attributes.iter();
        attributes.extend(kept.map(|(name, value)| (name.as_str(), value.as_str())));
        w.open("filesystem", &attributes);
        self.driver.format(w);
        let (binary, rest): (Vec<_>, Vec<_>) =
            self.kept.iter().partition(|element| element.name == "binary");
        binary.into_iter().for_each(|element| shape::format(w, element));
        self.source.format(w);
        w.empty("target", &[("dir", &self.target)]);
        if self.readonly {
            w.empty("readonly", &[]);
        }
        alias::format(w, self.alias.as_deref(), view);
        rest.into_iter().for_each(|element| shape::format(w, element));
        w.close();
    }
}

/// The attributes without effect on containers.
fn attributes(element: &Element) -> Result<Vec<(String, String)>> {
    const MODELS: &[&str] = &["virtio", "virtio-transitional", "virtio-non-transitional"];
    const WORDS: Shape = Shape::new(
        "filesystem",
        &[
            attr("model", Kind::Word(MODELS)),
            attr("multidevs", Kind::Word(&["default", "remap", "forbid", "warn"]))
                .unless("default"),
        ],
    );
    let mut kept = WORDS.read(element)?.unwrap_or_default().attributes;
    kept.extend(mode(element, "fmode")?);
    kept.extend(mode(element, "dmode")?);
    Ok(kept)
}

#[cfg(test)]
mod tests;
