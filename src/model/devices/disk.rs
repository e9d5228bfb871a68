//! `<disk>`: a block device of the container, or a drive of a machine.
//!
//! A container gets a node in `/dev` for it and nothing is mounted. Everything that says how a
//! machine sees the drive is kept.

mod check;
mod driver;
mod name;
mod tuning;

pub use driver::DiskDriver;
pub(super) use name::name_index;
pub(super) use tuning::borrowed_group;

use super::alias;
use super::filesystem::device_error;
use super::info::{Drive, Place};
use super::storage::{self, StorageKind};
use crate::error::{ErrorCode, Result};
use crate::model::View;
use crate::model::read::words;
use crate::model::shape::{self, Kind, ON_OFF, Shape, YES_NO, attr};
use crate::xml::{Element, Writer};

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What it looks like to the guest.
    pub device: DiskDevice,
    /// Where its content comes from.
    pub source: DiskSource,
    /// What provides the content.
    pub driver: DiskDriver,
    /// The name in the guest, as in `vda`.
    pub target: String,
    /// What it is attached to.
    pub bus: DiskBus,
    /// Whether the guest may not write.
    pub readonly: bool,
    /// Further attributes of the target.
    pub target_kept: Element,
    /// Further attributes of the disk.
    pub kept_attributes: Vec<(String, String)>,
    /// Further elements, in the order they are written in.
    pub kept: Vec<Element>,
    /// The name in events and calls, as in `disk-sda`. Live only.
    pub alias: Option<String>,
}

words! {
    /// What a disk looks like.
    pub enum DiskDevice {
        /// A disk.
        Disk = "disk",
        /// A compact disc.
        Cdrom = "cdrom",
        /// A floppy disk.
        Floppy = "floppy",
        /// A device passed through with all its commands.
        Lun = "lun",
    }
}

words! {
    /// What disks are attached to.
    pub enum DiskBus {
        /// IDE.
        Ide = "ide",
        /// A controller of floppy disks.
        Fdc = "fdc",
        /// SCSI.
        Scsi = "scsi",
        /// Virtio.
        Virtio = "virtio",
        /// Xen's.
        Xen = "xen",
        /// USB.
        Usb = "usb",
        /// User mode Linux's.
        Uml = "uml",
        /// SATA.
        Sata = "sata",
        /// SD cards.
        Sd = "sd",
    }
}

/// Where the content of a disk comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSource {
    /// The kind of storage.
    pub kind: StorageKind,
    /// The element as it is written; None for a drive without a medium.
    pub element: Option<Element>,
}

impl DiskSource {
    fn parse(kind: StorageKind, disk: &Element) -> Result<Self> {
        const POLICY: Shape = Shape::new(
            "source",
            &[attr("startupPolicy", Kind::Word(&["mandatory", "requisite", "optional"]))],
        );
        let nothing = Self { kind: StorageKind::File, element: None };
        let Some(element) = disk.child("source") else { return Ok(nothing) };
        let mut kept = storage::source(kind, element)?;
        if let Some(policy) = POLICY.read(element)? {
            let source = kept.get_or_insert_with(|| shape::element("source", &[], Vec::new()));
            source.attributes.extend(policy.attributes);
        }
        if let Some(source) = &mut kept {
            fill_in(kind, source);
        }
        Ok(kept.map_or(nothing, |element| Self { kind, element: Some(element) }))
    }

    /// The path on the host, None for kinds that have none and for a drive without a medium.
    pub fn path(&self) -> Option<&str> {
        self.element.as_ref()?.attr(self.kind.path_attribute()?)
    }

    /// Whether there is nothing to read.
    fn is_empty(&self) -> bool {
        match (&self.element, self.kind.path_attribute()) {
            (None, _) => true,
            (Some(element), Some(path)) => element.attr(path).is_none(),
            (Some(element), None) => element.attributes.is_empty(),
        }
    }
}

/// What follows for disks, and not for images below an image.
fn fill_in(kind: StorageKind, source: &mut Element) {
    if kind == StorageKind::Nvme && source.attr("managed").is_none() {
        source.attributes.insert(1, ("managed".to_owned(), "yes".to_owned()));
    }
    if source.attr("protocol") == Some("iscsi") {
        let name = source.attributes.iter_mut().find(|(key, _)| key == "name");
        if let Some((_, name)) = name.filter(|(_, name)| !name.contains('/')) {
            name.push_str("/0");
        }
    }
}

impl Disk {
    pub(super) fn parse(element: &Element) -> Result<Self> {
        let kind = StorageKind::attr(element, "type")?.unwrap_or(StorageKind::File);
        let device = DiskDevice::attr(element, "device")?.unwrap_or(DiskDevice::Disk);
        let mut disk = Self {
            device,
            source: DiskSource::parse(kind, element)?,
            driver: DiskDriver::parse(element)?,
            target: String::new(),
            bus: DiskBus::Ide,
            readonly: element.child("readonly").is_some() || device == DiskDevice::Cdrom,
            target_kept: Element::default(),
            kept_attributes: attributes(element)?,
            kept: Vec::new(),
            alias: None,
        };
        disk.read_target(element)?;
        disk.read_kept(element)?;
        if disk.source.kind == StorageKind::VhostUser && !disk.has_attribute("snapshot") {
            disk.kept_attributes.push(("snapshot".to_owned(), "no".to_owned()));
        }
        // Nobody takes one of what nobody writes.
        let readonly = disk.readonly;
        disk.kept_attributes
            .retain(|(name, word)| !(readonly && name == "snapshot" && word == "no"));
        check::check(&disk, element)?;
        if disk.source.is_empty() && !matches!(device, DiskDevice::Cdrom | DiskDevice::Floppy) {
            return Err(device_error(element, ErrorCode::NoSource, &disk.target, "source ..."));
        }
        Ok(disk)
    }

    fn read_target(&mut self, disk: &Element) -> Result<()> {
        const TARGET: Shape = Shape::new(
            "target",
            &[
                attr("tray", Kind::Word(&["closed", "open"])).unless("closed"),
                attr("removable", Kind::Word(ON_OFF)),
                attr("rotation_rate", Kind::Number).unless("0"),
            ],
        );
        let target = disk.child("target").and_then(|target| Some((target, target.attr("dev")?)));
        let Some((element, name)) = target else {
            let source = self.source.path().unwrap_or_default();
            return Err(device_error(disk, ErrorCode::NoTarget, source, "target dev='...'"));
        };
        // As Xen's documents of old say.
        let name = name.strip_prefix("ioemu:").unwrap_or(name);
        name.clone_into(&mut self.target);
        let usual = DiskBus::of_name(name, self.device);
        self.bus = DiskBus::attr(element, "bus")?.unwrap_or(usual);
        self.target_kept = TARGET.read(element)?.unwrap_or_default();
        self.target_kept.line = element.line;
        Ok(())
    }

    /// In the order they are written in.
    fn read_kept(&mut self, disk: &Element) -> Result<()> {
        const DOMAIN: Shape = Shape::new("backenddomain", &[attr("name", Kind::Text).unless("")]);
        const SHAREABLE: Shape = Shape::new("shareable", &[]).bare();
        const TRANSIENT: Shape =
            Shape::new("transient", &[attr("shareBacking", Kind::Word(YES_NO)).unless("no")])
                .bare();
        let kept = &mut self.kept;
        kept.extend(disk.child("auth").map(storage::auth).transpose()?);
        kept.extend(storage::backing_store(disk)?);
        kept.extend(DOMAIN.read_one(disk)?);
        kept.extend(tuning::geometry(disk)?);
        kept.extend(tuning::block_sizes(disk)?);
        kept.extend(tuning::limits(disk)?);
        kept.extend(SHAREABLE.read_one(disk)?);
        kept.extend(TRANSIENT.read_one(disk)?);
        kept.extend(tuning::identity(disk)?);
        kept.extend(disk.child("encryption").map(storage::encryption).transpose()?);
        kept.extend(Place::BOOT.read(disk)?);
        // The name tells the place, if nothing else does.
        if disk.child("address").is_none()
            && let Some(drive) = name_index(&self.target).and_then(|index| self.bus.drive(index))
        {
            self.kept.push(drive.element());
        }
        Ok(())
    }

    /// One of the further elements.
    pub(super) fn kept(&self, name: &str) -> Option<&Element> {
        self.kept.iter().find(|element| element.name == name)
    }

    /// Whether others may have it at the same time.
    pub fn is_shareable(&self) -> bool {
        self.kept("shareable").is_some()
    }

    fn has_attribute(&self, name: &str) -> bool {
        self.kept_attributes.iter().any(|(key, _)| key == name)
    }

    /// Its place on a controller.
    pub(super) fn drive(&self) -> Option<Drive> {
        let address = self.kept("address").filter(|it| it.attr("type") == Some("drive"))?;
        Drive::read(address).ok()
    }

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        let mut attributes =
            vec![("type", self.source.kind.as_str()), ("device", self.device.as_str())];
        let kept = self.kept_attributes.iter();
        attributes.extend(kept.map(|(name, value)| (name.as_str(), value.as_str())));
        w.open("disk", &attributes);
        let (place, elements): (Vec<_>, Vec<_>) =
            self.elements().into_iter().partition(|element| element.name == "address");
        elements.iter().for_each(|element| shape::format(w, element));
        alias::format(w, self.alias.as_deref(), view);
        place.iter().for_each(|element| shape::format(w, element));
        w.close();
    }

    /// All elements, in libvirt's order.
    fn elements(&self) -> Vec<Element> {
        const ORDER: [&str; 10] = [
            "driver",
            "auth",
            "source",
            "backingStore",
            "backenddomain",
            "geometry",
            "blockio",
            "target",
            "iotune",
            "readonly",
        ];
        let mut elements: Vec<Element> = self.driver.element().into_iter().collect();
        elements.extend(self.source.element.clone());
        elements.push(self.target_element());
        if self.readonly {
            elements.push(shape::element("readonly", &[], Vec::new()));
        }
        elements.extend(self.kept.iter().cloned());
        // The others are at the end, in their own order.
        let rank = |element: &Element| ORDER.iter().position(|name| *name == element.name);
        elements.sort_by_key(|element| rank(element).unwrap_or(ORDER.len()));
        elements
    }

    fn target_element(&self) -> Element {
        let mut target = shape::element("target", &[("dev", self.target.clone())], Vec::new());
        target.attributes.push(("bus".to_owned(), self.bus.as_str().to_owned()));
        target.attributes.extend(self.target_kept.attributes.iter().cloned());
        target
    }
}

/// The attributes without effect on containers.
fn attributes(element: &Element) -> Result<Vec<(String, String)>> {
    const MODELS: &[&str] =
        &["default", "virtio", "virtio-transitional", "virtio-non-transitional"];
    const WORDS: Shape = Shape::new(
        "disk",
        &[
            attr("model", Kind::Word(MODELS)).unless("default"),
            attr("rawio", Kind::Word(YES_NO)),
            attr("sgio", Kind::Word(&["filtered", "unfiltered"])),
            attr("snapshot", Kind::Word(&["no", "internal", "external", "manual"])),
        ],
    );
    Ok(WORDS.read(element)?.unwrap_or_default().attributes)
}

#[cfg(test)]
mod tests;
