//! `<driver>` of a disk.

use super::storage;
use crate::error::Result;
use crate::model::devices::virtio;
use crate::model::shape::{self, Kind, ON_OFF, Shape, attr};
use crate::xml::{Element, Node};

/// What provides the content of a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskDriver {
    /// Who, as in `loop` or `nbd`.
    pub name: Option<String>,
    /// The format of the image, as in `raw`.
    pub format: Option<String>,
    /// How the host's memory is used; None for the default.
    pub cache: Option<String>,
    /// Further attributes.
    pub kept: Vec<(String, String)>,
    /// How much of the image's metadata is held in memory.
    pub metadata_cache: Option<Element>,
}

impl DiskDriver {
    pub(super) fn parse(disk: &Element) -> Result<Self> {
        let Some(element) = disk.child("driver") else { return Ok(Self::default()) };
        // A name that old documents have.
        let format = match element.attr("type") {
            Some("aio") => Some("raw".to_owned()),
            _ => storage::format(element, "type")?,
        };
        let cache = CACHE.read(element)?.unwrap_or_default();
        let mut kept = REST.read(element)?.unwrap_or_default().attributes;
        kept.extend(virtio::options(element)?);
        Ok(Self {
            name: element.attr("name").map(str::to_owned),
            format,
            cache: cache.attr("cache").map(str::to_owned),
            kept,
            metadata_cache: storage::metadata_cache(element)?,
        })
    }

    /// One of the further attributes.
    pub(super) fn kept(&self, name: &str) -> Option<&str> {
        self.kept.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The element, None when it would say nothing.
    pub(super) fn element(&self) -> Option<Element> {
        let mut element = shape::element("driver", &[], Vec::new());
        for (name, value) in [("name", &self.name), ("type", &self.format), ("cache", &self.cache)]
        {
            element.attributes.extend(value.clone().map(|value| (name.to_owned(), value)));
        }
        element.attributes.extend(self.kept.iter().cloned());
        element.children.extend(self.metadata_cache.clone().map(Node::Element));
        Some(element).filter(|it| !it.attributes.is_empty() || !it.children.is_empty())
    }
}

const CACHES: &[&str] = &["default", "none", "writethrough", "writeback", "directsync", "unsafe"];
const CACHE: Shape = Shape::new("driver", &[attr("cache", Kind::Word(CACHES)).unless("default")]);

const POLICIES: &[&str] = &["stop", "report", "ignore", "enospace"];

/// In the order they are written in.
const REST: Shape = Shape::new(
    "driver",
    &[
        attr("error_policy", Kind::Word(POLICIES)),
        attr("rerror_policy", Kind::Word(POLICIES)),
        attr("io", Kind::Word(&["threads", "native", "io_uring"])),
        attr("ioeventfd", Kind::Word(ON_OFF)),
        attr("event_idx", Kind::Word(ON_OFF)),
        attr("copy_on_read", Kind::Word(ON_OFF)),
        attr("discard", Kind::Word(&["unmap", "ignore"])),
        attr("iothread", Kind::Positive),
        attr("detect_zeroes", Kind::Word(&["on", "off", "unmap"])),
        attr("queues", Kind::Number).unless("0"),
        attr("queue_size", Kind::Number).unless("0"),
    ],
);
