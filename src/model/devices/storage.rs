//! Where the content of disks comes from: `<source>` and what it is made of, `<backingStore>`.

mod network;
mod secrets;

pub(super) use secrets::{auth, check as check_secrets, encryption, kind_of_secret};

use super::{info, label};
use crate::error::Result;
use crate::model::memory;
use crate::model::read::{missing_attr, number, words};
use crate::model::shape::{self, Kind, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

words! {
    /// libvirt's kinds of storage.
    pub enum StorageKind {
        /// A file of the host.
        File = "file",
        /// A block device of the host.
        Block = "block",
        /// A directory of the host, shown as a file system.
        Dir = "dir",
        /// Something on another host.
        Network = "network",
        /// A volume of a storage pool.
        Volume = "volume",
        /// A namespace of a NVMe device.
        Nvme = "nvme",
        /// A server of the host.
        VhostUser = "vhostuser",
    }
}

impl StorageKind {
    /// The attribute of `<source>` that has the path on the host.
    pub(super) fn path_attribute(self) -> Option<&'static str> {
        match self {
            Self::File => Some("file"),
            Self::Block => Some("dev"),
            Self::Dir => Some("dir"),
            Self::Network | Self::Volume | Self::Nvme | Self::VhostUser => None,
        }
    }
}

/// libvirt's formats of images.
pub(super) const FORMATS: &[&str] = &[
    "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow",
    "qcow", "qcow2", "qed", "vmdk",
];

/// The format of an image in an attribute of a driver.
pub(super) fn format(driver: &Element, name: &str) -> Result<Option<String>> {
    let Some(word) = driver.attr(name) else { return Ok(None) };
    if !FORMATS.contains(&word) {
        return Err(driver.unsupported(format_args!(
            "unknown driver format value '{word}': expected one of {}",
            FORMATS.join(", ")
        )));
    }
    Ok(Some(word.to_owned()))
}

/// The largest cache of an image's metadata.
pub(super) fn metadata_cache(parent: &Element) -> Result<Option<Element>> {
    let cache = parent.child("metadata_cache").and_then(|cache| cache.child("max_size"));
    let Some(element) = cache else { return Ok(None) };
    let text = element.text();
    if text.is_empty() {
        return Ok(None);
    }
    let value = number(&text).ok_or_else(|| {
        element.error(format_args!(
            "Invalid value '{text}' for element or attribute './metadata_cache/max_size': \
             expected a number"
        ))
    })?;
    let unit = element.attr("unit").filter(|unit| !unit.is_empty()).unwrap_or("bytes");
    let bytes = memory::to_bytes(element, value, unit)?;
    let size = shape::leaf("max_size", &[("unit", "bytes".to_owned())], bytes.to_string());
    Ok(Some(shape::element("metadata_cache", &[], vec![size])).filter(|_| bytes != 0))
}

/// The pool and the volume a source names, None when it names neither.
pub(super) fn volume(source: &Element) -> Result<Option<(String, String)>> {
    const MODES: [&str; 2] = ["host", "direct"];
    let owned = |name| source.attr(name).map(str::to_owned);
    let named = match (owned("pool"), owned("volume")) {
        (Some(pool), Some(volume)) => (pool, volume),
        (None, None) => return Ok(None),
        _ => {
            return Err(source
                .error("'pool' and 'volume' must be specified together for 'pool' type source"));
        }
    };
    if let Some(mode) = source.attr("mode").filter(|mode| !MODES.contains(mode)) {
        return Err(source.unsupported(format_args!(
            "unknown source mode '{mode}' for volume type disk: expected one of host, direct"
        )));
    }
    Ok(Some(named))
}

/// What is kept of a `<source>`, in the order it is written in. The path on the host, which some
/// kinds have, is the first attribute. None when it says nothing.
pub(super) fn source(kind: StorageKind, element: &Element) -> Result<Option<Element>> {
    let mut kept = match kind {
        StorageKind::File | StorageKind::Block | StorageKind::Dir => local(kind, element),
        StorageKind::Network => network::source(element)?,
        StorageKind::Volume => volume_source(element)?,
        StorageKind::Nvme => nvme(element)?,
        StorageKind::VhostUser => vhost_user(element)?,
    };
    let mut children = Vec::new();
    children.extend(slices(element)?);
    if kind != StorageKind::Network {
        children.extend(label::read(element)?);
    }
    let auth = element.child("auth").map(secrets::auth).transpose()?;
    // The pool knows better.
    children.extend(auth.filter(|_| kind != StorageKind::Volume));
    children.extend(element.child("encryption").map(secrets::encryption).transpose()?);
    children.extend(reservations(element)?);
    kept.children.extend(children.into_iter().map(Node::Element));
    Ok(Some(kept).filter(|kept| !kept.attributes.is_empty() || !kept.children.is_empty()))
}

fn new(attributes: &[(&str, String)], children: Vec<Element>) -> Element {
    shape::element("source", attributes, children)
}

fn local(kind: StorageKind, element: &Element) -> Element {
    let name = kind.path_attribute().unwrap_or_default();
    let mut kept = new(&[], Vec::new());
    for name in [name, "fdgroup"] {
        let is_file = kind == StorageKind::File;
        let text = element.attr(name).filter(|_| is_file || name != "fdgroup");
        let text = text.filter(|text| !text.is_empty() || name == "fdgroup");
        kept.attributes.extend(text.map(|text| (name.to_owned(), text.to_owned())));
    }
    kept
}

fn volume_source(element: &Element) -> Result<Element> {
    let Some((pool, volume)) = volume(element)? else { return Ok(new(&[], Vec::new())) };
    let mode = element.attr("mode").map(|mode| ("mode", mode.to_owned()));
    let attributes = [("pool", pool), ("volume", volume)].into_iter().chain(mode);
    Ok(new(&attributes.collect::<Vec<_>>(), Vec::new()))
}

fn nvme(element: &Element) -> Result<Element> {
    const MANAGED: Shape = Shape::new("source", &[attr("managed", Kind::Word(YES_NO))]);
    match element.attr("type") {
        Some("pci") => (),
        None => return Err(element.error("missing 'type' attribute to disk source")),
        Some(other) => {
            return Err(element.error(format_args!("unsupported source type '{other}'")));
        }
    }
    let Some(namespace) = element.attr("namespace") else {
        return Err(element.error("missing 'namespace' attribute to disk source"));
    };
    let Some(number) = number::<u64>(namespace) else {
        let text = format_args!("malformed namespace '{namespace}': expected a number");
        return Err(element.error(text));
    };
    if number == 0 {
        return Err(element.unsupported("NVMe namespace can't be zero"));
    }
    let mut kept = new(&[("type", "pci".to_owned())], Vec::new());
    kept.attributes.extend(MANAGED.read(element)?.unwrap_or_default().attributes);
    kept.attributes.push(("namespace".to_owned(), number.to_string()));
    let Some(address) = element.child("address") else {
        return Err(element.error("NVMe disk source is missing address"));
    };
    kept.children.push(Node::Element(info::pci_of_host(address)?));
    Ok(kept)
}

fn vhost_user(element: &Element) -> Result<Element> {
    const ENABLED: Shape = Shape::new("reconnect", &[attr("enabled", Kind::Word(YES_NO))]);
    const TIMEOUT: Shape = Shape::new("reconnect", &[attr("timeout", Kind::Number)]);
    match element.attr("type") {
        Some("unix") => (),
        None => return Err(element.error("missing 'type' attribute for vhostuser disk source")),
        Some(other) => {
            return Err(element.error(format_args!(
                "invalid 'type' attribute for vhostuser disk source: '{other}', expected unix"
            )));
        }
    }
    let Some(path) = element.attr("path") else {
        return Err(element.error("missing 'path' attribute for vhostuser disk source"));
    };
    let mut kept = new(&[("type", "unix".to_owned()), ("path", path.to_owned())], Vec::new());
    let Some(reconnect) = element.child("reconnect") else { return Ok(kept) };
    let mut read = ENABLED.read(reconnect)?.unwrap_or_default();
    match read.attr("enabled") {
        None => return Ok(kept),
        Some("yes") => match TIMEOUT.read(reconnect)?.filter(|it| !it.attributes.is_empty()) {
            Some(timeout) => read.attributes.extend(timeout.attributes),
            None => return Err(missing_attr(reconnect, "timeout")),
        },
        Some(_) => (),
    }
    kept.children.push(Node::Element(read));
    Ok(kept)
}

/// The part of the source that is used: the first slice of the type that counts.
fn slices(source: &Element) -> Result<Option<Element>> {
    let slices = source.child("slices");
    let storage = slices.into_iter().flat_map(|slices| slices.children_named("slice"));
    let Some(slice) = storage.into_iter().find(|slice| slice.attr("type") == Some("storage"))
    else {
        return Ok(None);
    };
    let mut attributes = vec![("type", "storage".to_owned())];
    for name in ["offset", "size"] {
        let Some(text) = slice.attr(name) else {
            return Err(slice.error("missing offset or size attribute of slice"));
        };
        let Some(number) = number::<u64>(text) else {
            return Err(slice.error(format_args!(
                "malformed value '{text}' of '{name}' attribute of slice: expected a number"
            )));
        };
        attributes.push((name, number.to_string()));
    }
    let slice = shape::element("slice", &attributes, Vec::new());
    Ok(Some(shape::element("slices", &[], vec![slice])))
}

/// Who asks a SCSI device for its reservations.
fn reservations(source: &Element) -> Result<Option<Element>> {
    const MANAGED: Shape =
        Shape::new("reservations", &[attr("managed", Kind::Word(YES_NO)).required()]);
    let Some(element) = source.child("reservations") else { return Ok(None) };
    let Some(mut kept) = MANAGED.read(element)? else { return Ok(None) };
    let server = element.child("source").filter(|server| !server.attributes.is_empty());
    let word = |name| server.and_then(|server| server.attr(name));
    if word("type").is_none() && kept.attr("managed") == Some("yes") && word("path").is_none() {
        return Ok(Some(kept));
    }
    let fault = |text: &str, word: &str| Err(element.error(format_args!("{text}{word}")));
    match (word("type"), word("path"), word("mode")) {
        (None, ..) => return fault("missing connection type for <reservations/>", ""),
        (Some("unix"), None, _) => return fault("missing path for <reservations/>", ""),
        (Some("unix"), Some(_), None) => {
            return fault("missing connection mode for <reservations/>", "");
        }
        (Some("unix"), Some(_), Some("client")) => (),
        (Some("unix"), Some(_), Some(other)) => {
            return fault("unsupported connection mode for <reservations/>: ", other);
        }
        (Some(other), ..) => {
            return fault("unsupported connection type for <reservations/>: ", other);
        }
    }
    let attributes =
        ["type", "path", "mode"].map(|name| (name, word(name).unwrap_or_default().to_owned()));
    kept.children.push(Node::Element(shape::element("source", &attributes, Vec::new())));
    Ok(Some(kept))
}

/// The images below an image. None of it is looked at by containers; the depth is bounded by that
/// of documents.
pub(super) fn backing_store(parent: &Element) -> Result<Option<Element>> {
    let Some(element) = parent.child("backingStore") else { return Ok(None) };
    let Some(word) = element.attr("type") else {
        return Ok(Some(shape::element("backingStore", &[], Vec::new())));
    };
    let Some(kind) = StorageKind::from_word(word) else {
        return Err(element.error(format_args!("unknown storage source type '{word}'")));
    };
    let format = element.child("format");
    let Some((format, word)) = format.and_then(|format| Some((format, format.attr("type")?)))
    else {
        return Err(element.error("missing disk backing store format"));
    };
    if !FORMATS.contains(&word) {
        return Err(format.error(format_args!("unknown storage source format '{word}'")));
    }
    let source = element.child("source").map(|source| self::source(kind, source)).transpose()?;
    let Some(source) = source.flatten() else {
        return Err(element.error("missing disk backing store source"));
    };
    let mut children = vec![shape::element(
        "format",
        &[("type", word.to_owned())],
        metadata_cache(format)?.into_iter().collect(),
    )];
    children.push(source);
    children.extend(backing_store(element)?);
    Ok(Some(shape::element("backingStore", &[("type", kind.as_str().to_owned())], children)))
}
