//! `<driver>` and `<binary>` of a file system: who provides it.

use crate::error::Result;
use crate::model::devices::{storage, virtio};
use crate::model::read::{number, words};
use crate::model::shape::{self, Kind, ON_OFF, Shape, attr};
use crate::xml::{Element, Node, Writer};

words! {
    /// Who provides a file system.
    pub enum FilesystemDriverKind {
        /// A server that follows paths; not for containers.
        Path = "path",
        /// A server that keeps handles; not for containers.
        Handle = "handle",
        /// A loop device.
        Loop = "loop",
        /// A network block device.
        Nbd = "nbd",
        /// An image of Virtuozzo; not for containers.
        Ploop = "ploop",
        /// A server that shares memory with a machine; not for containers.
        Virtiofs = "virtiofs",
    }
}

/// `<driver>` of a file system.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilesystemDriver {
    /// Who provides the file system, when the document says.
    pub kind: Option<FilesystemDriverKind>,
    /// The format of an image, as in `raw`; only with a kind.
    pub format: Option<String>,
    /// Further attributes.
    pub kept: Vec<(String, String)>,
}

impl FilesystemDriver {
    pub(super) fn parse(filesystem: &Element) -> Result<Self> {
        const WRITES: Shape = Shape::new("driver", &[attr("wrpolicy", Kind::Word(&["immediate"]))]);
        let Some(element) = filesystem.child("driver") else { return Ok(Self::default()) };
        let kind = match element.attr("type") {
            Some("default") => None,
            _ => FilesystemDriverKind::attr(element, "type")?,
        };
        let format = storage::format(element, "format")?;
        let writes = WRITES.read(element)?;
        let mut driver = Self { kind, ..Self::default() };
        // Without a kind the rest is only checked.
        if kind.is_some() {
            driver.format = format;
            driver.kept.extend(writes.unwrap_or_default().attributes);
        }
        if kind == Some(FilesystemDriverKind::Virtiofs) {
            driver.kept.extend(queue_size(element)?);
        }
        driver.kept.extend(virtio::options(element)?);
        Ok(driver)
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let typed = [
            ("type", self.kind.map(FilesystemDriverKind::as_str)),
            ("format", self.format.as_deref()),
        ];
        let mut attributes: Vec<_> =
            typed.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        attributes.extend(self.kept.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        if !attributes.is_empty() {
            w.empty("driver", &attributes);
        }
    }
}

fn queue_size(driver: &Element) -> Result<Option<(String, String)>> {
    let Some(text) = driver.attr("queue").filter(|text| !text.is_empty()) else { return Ok(None) };
    let size: u64 = number(text).ok_or_else(|| {
        driver
            .error(format_args!("cannot parse queue size '{text}' for virtiofs: expected a number"))
    })?;
    Ok(Some(("queue".to_owned(), size.to_string())).filter(|_| size != 0))
}

/// The server of a machine's file system.
pub(super) fn binary(filesystem: &Element) -> Result<Option<Element>> {
    const BINARY: Shape = Shape::new("binary", &[attr("xattr", Kind::Word(ON_OFF))]).with(&[
        Shape::new("cache", &[attr("mode", Kind::Word(&["none", "always"]))]),
        Shape::new("sandbox", &[attr("mode", Kind::Word(&["namespace", "chroot"]))]),
        Shape::new("lock", &[attr("posix", Kind::Word(ON_OFF)), attr("flock", Kind::Word(ON_OFF))]),
    ]);
    let Some(element) = filesystem.child("binary") else { return Ok(None) };
    let mut kept = BINARY.read(element)?.unwrap_or_else(|| shape::element("binary", &[], vec![]));
    if let Some(path) = element.attr("path").filter(|path| !path.is_empty()) {
        kept.attributes.insert(0, ("path".to_owned(), path.to_owned()));
    }
    let pool = element.child("thread_pool");
    if let Some((pool, text)) = pool.and_then(|pool| Some((pool, pool.attr("size")?)))
        && !text.is_empty()
    {
        let size: i32 = number(text).ok_or_else(|| {
            pool.error(format_args!(
                "cannot parse thread pool size '{text}' for virtiofs: expected a number"
            ))
        })?;
        if size >= 0 {
            let pool = shape::element("thread_pool", &[("size", size.to_string())], Vec::new());
            kept.children.push(Node::Element(pool));
        }
    }
    Ok(Some(kept).filter(|kept| !kept.attributes.is_empty() || !kept.children.is_empty()))
}
