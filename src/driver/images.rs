//! Disks that are files: loop devices for as long as their container runs.
//!
//! A device lets go of its file when nobody has it open any more, and that is the supervisor: so
//! nothing of it is left, whoever kills whom, and there is nothing to be found again.

use std::fs::Metadata;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::libc;

use crate::error::{Error, ErrorCode, Result};
use crate::model::Domain;
use crate::plan::{self, Device, DeviceKind, Image};
use crate::sys::{fd, loop_device};

/// The most of one container: their descriptors travel together, with those of namespaces.
const MOST: usize = fd::MOST - 4;

/// A loop device of a disk.
#[derive(Debug)]
pub(super) struct Attached {
    /// The disk's name.
    pub(super) target: String,
    /// The device.
    pub(super) device: Device,
    /// What keeps it.
    pub(super) held: OwnedFd,
}

/// Attaches every disk of a document that is a file.
pub(super) fn attach(domain: &Domain) -> Result<Vec<Attached>> {
    let images = plan::images(domain)?;
    if images.len() > MOST {
        let text = format!("{} disks are files: at most {MOST} are supported", images.len());
        return Err(Error::new(ErrorCode::ConfigUnsupported, text));
    }
    images.iter().map(attach_one).collect()
}

fn attach_one(image: &Image<'_>) -> Result<Attached> {
    let Image { target, path, readonly, shared } = *image;
    let failed = |what: &str, error| {
        Error::system(format!("cannot {what} image {path} of <disk> '{target}'"), error)
    };
    let file = loop_device::open(Path::new(path), readonly).map_err(|e| failed("open", e))?;
    if !file.metadata().as_ref().is_ok_and(Metadata::is_file) {
        let text = format!("Disk source {path} of <disk> '{target}' must be a regular file");
        return Err(Error::new(ErrorCode::ConfigUnsupported, text));
    }
    loop_device::lock(&file, shared).map_err(|e| failed("have for itself", e))?;
    let (held, _) =
        loop_device::attach(&file, readonly).map_err(|e| failed("show by a loop device", e))?;
    let number = held.metadata().map_err(|e| failed("examine the device of", e))?.rdev();
    let (major, minor) = (libc::major(number), libc::minor(number));
    let device = Device { kind: DeviceKind::Block, major, minor };
    Ok(Attached { target: target.to_owned(), device, held: held.into() })
}
