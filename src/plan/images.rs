//! Disks that are files: which of them a loop device can show.

use super::unsupported::cannot_start;
use crate::error::Result;
use crate::model::{Disk, Domain, StorageKind};

/// Disks that are files, which a loop device shows: each with its path, and whether it is only
/// read. What a loop device cannot show is refused.
pub fn images(domain: &Domain) -> Result<Vec<Image<'_>>> {
    let files = domain.devices.disks.iter().filter(|disk| disk.source.kind == StorageKind::File);
    let images: Result<Vec<_>> = files.map(|disk| image(domain, disk)).collect();
    Ok(images?.into_iter().flatten().collect())
}

/// A disk that is a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image<'a> {
    /// The disk's name.
    pub target: &'a str,
    /// The file on the host.
    pub path: &'a str,
    /// Nothing is to be written.
    pub readonly: bool,
    /// Others may have it at the same time.
    pub shared: bool,
}

fn image<'a>(domain: &Domain, disk: &'a Disk) -> Result<Option<Image<'a>>> {
    let Some(path) = disk.source.path() else { return Ok(None) };
    let driver = &disk.driver;
    let (name, format) = (driver.name.as_deref(), driver.format.as_deref());
    let fault = match (name, format) {
        (None | Some("loop"), None | Some("raw")) => {
            let shared = disk.readonly || disk.is_shareable();
            let target = disk.target.as_str();
            return Ok(Some(Image { target, path, readonly: disk.readonly, shared }));
        }
        (None | Some("loop"), Some(format)) => format!(
            "disk format {format} is not supported: a loop device shows images of format 'raw' \
             (qemu-img convert makes one)"
        ),
        (Some("nbd"), _) => "driver name 'nbd' takes qemu-nbd and a kernel with the driver nbd, \
                             which are not used here: convert the image to format 'raw' and leave \
                             <driver> out"
            .to_owned(),
        (Some(name), _) => {
            format!("disk driver {name} is not supported: an image is shown by 'loop'")
        }
    };
    let why = format_args!("<disk> '{}': {fault}", disk.target);
    Err(cannot_start(domain, why))
}
