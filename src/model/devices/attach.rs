//! What follows from all disks, controllers and devices of the host together: their order, numbers
//! of controllers, places of drives, the controllers that must be there, and what contradicts each
//! other. [`Devices::complete`] says in which order.

use std::collections::{BTreeMap, BTreeSet};

use super::info::Drive;
use super::{Controller, ControllerKind, DeviceFamily, Devices, Disk, DiskBus, disk, hostdev};
use crate::error::Result;
use crate::model::read::detail;
use crate::xml::Element;

/// The most controllers of a kind that a document may ask for without writing them down. libvirt
/// has no limit, and makes as many as memory allows of one number.
pub(super) const MAX_IMPLIED: u32 = 1024;

impl Devices {
    /// Puts the disks of `elements`, so far in the order of the document, into libvirt's.
    ///
    /// libvirt puts each with those of its bus, by its name. When it first reads a document, those
    /// without a bus are of one; when it reads what it has written, all have theirs. The order that
    /// stays is that of the second time.
    pub(super) fn order_disks(&mut self, elements: &[&Element]) {
        let disks = std::mem::take(&mut self.disks);
        let elements = elements.iter().filter(|element| element.name == "disk");
        let written = elements.map(|disk| disk.child("target").and_then(|it| it.attr("bus")));
        let mut first = Vec::with_capacity(disks.len());
        written.zip(disks).for_each(|(bus, disk)| insert_disk(&mut first, bus, disk));
        let mut second = Vec::with_capacity(first.len());
        first.into_iter().for_each(|(_, disk)| insert_disk(&mut second, disk.bus, disk));
        self.disks = second.into_iter().map(|(_, disk)| disk).collect();
    }

    /// Puts one more disk among those that are in order.
    pub(super) fn insert_disk(&mut self, disk: Disk) {
        let disks = std::mem::take(&mut self.disks).into_iter();
        let mut ordered = disks.map(|disk| (disk.bus, disk)).collect();
        insert_disk(&mut ordered, disk.bus, disk);
        self.disks = ordered.into_iter().map(|(_, disk)| disk).collect();
    }

    /// Puts a controller where libvirt does: with those of its kind, by its number. One without a
    /// number comes last, one with companions before them.
    pub(super) fn insert_controller(&mut self, new: Controller) {
        let same = self.controllers.iter().enumerate().filter(|(_, other)| other.kind == new.kind);
        let at = match new.index {
            None => before_or_after(same, |_| false),
            Some(_) => before_or_after(same, |other| {
                other.index > new.index
                    || (other.index == new.index && other.is_companion() && !new.is_companion())
            }),
        };
        self.controllers.insert(at.unwrap_or(self.controllers.len()), new);
    }

    /// Puts all controllers in order.
    ///
    /// libvirt does so only when it reads what it has written; then the order would change with a
    /// restart of the daemon.
    pub(super) fn order_controllers(&mut self) {
        let controllers = std::mem::take(&mut self.controllers);
        controllers.into_iter().for_each(|controller| self.insert_controller(controller));
    }

    /// Gives every controller a number among those of its kind.
    pub(super) fn number_controllers(&mut self) -> Result<()> {
        let mut taken: BTreeMap<ControllerKind, BTreeSet<u32>> = BTreeMap::new();
        let mut free: BTreeMap<ControllerKind, u32> = BTreeMap::new();
        for controller in &self.controllers {
            let Some(index) = controller.index else { continue };
            let is_new = taken.entry(controller.kind).or_default().insert(index);
            if !is_new && controller.kind != ControllerKind::Usb {
                return Err(controller.kept.error(format_args!(
                    "Multiple '{}' controllers with index '{index}'",
                    controller.kind.as_str()
                )));
            }
        }
        for at in 0..self.controllers.len() {
            let shared = self.shared_index(at);
            let Some(controller) = self.controllers.get_mut(at) else { break };
            let taken = taken.entry(controller.kind).or_default();
            let free = free.entry(controller.kind).or_default();
            while taken.contains(free) {
                *free += 1;
            }
            let index = controller.index.or(shared).unwrap_or(*free);
            controller.index = Some(index);
            taken.insert(index);
            controller.check_number()?;
        }
        Ok(())
    }

    /// The number of the USB controller before, if both are of one group.
    fn shared_index(&self, at: usize) -> Option<u32> {
        let controller = self.controllers.get(at)?;
        let before = self.controllers.get(at.checked_sub(1)?)?;
        if !controller.is_usb2() || !before.is_usb2() {
            return None;
        }
        let is_same = |other: &Controller| {
            other.kind == controller.kind
                && other.index == before.index
                && other.model == controller.model
        };
        before.index.filter(|_| !self.controllers.iter().take(at).any(is_same))
    }

    /// Controllers of USB go together.
    pub(super) fn check_usb_controllers(&self) -> Result<()> {
        let usb = || self.controllers.iter().filter(|it| it.kind == ControllerKind::Usb);
        let disabled = usb().find(|controller| controller.disables_usb());
        if let Some(disabled) = disabled
            && usb().count() > 1
        {
            let text = "Can't add another USB controller: USB is disabled for this domain";
            return Err(detail(&disabled.kept, text));
        }
        if let Some(first) = usb().next()
            && usb().all(Controller::is_companion)
        {
            return Err(detail(&first.kept, "No master USB controller specified"));
        }
        Ok(())
    }

    /// No two disks have one name or one place.
    pub(super) fn check_disks(&self) -> Result<()> {
        let mut targets: BTreeMap<&str, &Disk> = BTreeMap::new();
        let mut drives: BTreeMap<(DiskBus, Drive), &Disk> = BTreeMap::new();
        for disk in &self.disks {
            let source = |disk: &Disk| disk.source.path().unwrap_or("<null>").to_owned();
            if let Some(other) = targets.insert(&disk.target, disk) {
                return Err(disk.target_kept.error(format_args!(
                    "target '{}' duplicated for disk sources '{}' and '{}'",
                    disk.target,
                    source(other),
                    source(disk)
                )));
            }
            let Some(drive) = disk.drive() else { continue };
            if let Some(other) = drives.insert((disk.bus, drive), disk) {
                let Drive { controller, bus, target, unit } = drive;
                return Err(disk.target_kept.unsupported(format_args!(
                    "Found duplicate drive address for disk with target name '{}' \
                     controller='{controller}' bus='{bus}' target='{target}' unit='{unit}'",
                    other.target
                )));
            }
        }
        Ok(())
    }

    /// Disks that name a group and no limits have those of its first disk with limits.
    pub(super) fn share_limits(&mut self) {
        let mut groups: BTreeMap<String, Element> = BTreeMap::new();
        for limits in self.disks.iter().filter_map(|disk| disk.kept("iotune")) {
            if let Some(group) = limits.child_text("group_name")
                && disk::borrowed_group(limits).is_none()
            {
                groups.entry(group).or_insert_with(|| limits.clone());
            }
        }
        let limits = self.disks.iter_mut().flat_map(|disk| &mut disk.kept);
        for limits in limits.filter(|element| element.name == "iotune") {
            let lender = disk::borrowed_group(limits).and_then(|group| groups.get(&group));
            if let Some(lender) = lender {
                lender.clone_into(limits);
            }
        }
    }

    /// SCSI devices of the host are drives, too. Returns the last controller they are on.
    pub(super) fn place_host_devices(&mut self) -> Result<Option<u32>> {
        let scsi = || self.disks.iter().filter(|disk| disk.bus == DiskBus::Scsi);
        for drive in self.host_devices.iter().filter_map(hostdev::drive) {
            if let Some(disk) = scsi().find(|disk| disk.drive() == Some(drive)) {
                let (name, Drive { controller, bus, target, unit }) = (&disk.target, drive);
                return Err(disk.target_kept.unsupported(format_args!(
                    "using disk target name '{name}' conflicts with SCSI host device address \
                     controller='{controller}' bus='{bus}' target='{target}' unit='{unit}'"
                )));
            }
        }
        let taken: Vec<_> = scsi().filter_map(Disk::drive).collect();
        Ok(hostdev::place(&mut self.host_devices, taken.into_iter()))
    }

    /// The controllers that drives are on, and those before them.
    pub(super) fn add_drive_controllers(&mut self, last_of_host: Option<u32>) -> Result<()> {
        for (kind, bus) in [
            (ControllerKind::Scsi, DiskBus::Scsi),
            (ControllerKind::Fdc, DiskBus::Fdc),
            (ControllerKind::Ide, DiskBus::Ide),
            (ControllerKind::Sata, DiskBus::Sata),
        ] {
            let mut last = last_of_host.filter(|_| kind == ControllerKind::Scsi);
            for disk in self.disks.iter().filter(|disk| disk.bus == bus) {
                let Some(drive) = disk.drive() else { continue };
                if drive.controller >= MAX_IMPLIED {
                    let (name, number) = (&disk.target, drive.controller);
                    return Err(disk.target_kept.unsupported(format_args!(
                        "the disk '{name}' is on controller {number}: \
                         at most {MAX_IMPLIED} controllers of a kind are supported"
                    )));
                }
                last = last.max(Some(drive.controller));
            }
            for index in last.into_iter().flat_map(|last| 0..=last) {
                self.require(kind, index);
            }
        }
        Ok(())
    }

    /// Adds a controller at the end, if it is not there.
    fn require(&mut self, kind: ControllerKind, index: u32) {
        let is_it = |it: &Controller| it.kind == kind && it.index == Some(index);
        if !self.controllers.iter().any(is_it) {
            self.controllers.push(Controller::new(kind, index));
        }
    }

    /// The controllers that channels, consoles and smart cards are attached to.
    pub(super) fn add_port_controllers(&mut self) {
        let mut indexes = Vec::new();
        for (_, channel) in self.kept.iter().filter(|(it, _)| *it == DeviceFamily::Channel) {
            let target = channel.child("target").and_then(|target| target.attr("type"));
            let index = controller_of(channel.elements(), "virtio-serial").unwrap_or(0);
            indexes.extend(Some(index).filter(|_| target == Some("virtio")));
        }
        for console in self.consoles.iter().filter(|console| console.target_type == "virtio") {
            indexes.push(controller_of(console.place.iter(), "virtio-serial").unwrap_or(0));
        }
        indexes.into_iter().for_each(|index| self.require(ControllerKind::VirtioSerial, index));
        let cards = self.kept.iter().filter(|(it, _)| *it == DeviceFamily::Smartcard);
        let readers: Vec<_> =
            cards.filter_map(|(_, card)| controller_of(card.elements(), "ccid")).collect();
        readers.into_iter().for_each(|index| self.require(ControllerKind::Ccid, index));
    }
}

/// Puts a disk with those of its bus, by its name.
fn insert_disk<B: Copy + PartialEq>(disks: &mut Vec<(B, Disk)>, bus: B, disk: Disk) {
    let index = disk::name_index(&disk.target);
    let same_bus = disks.iter().enumerate().filter(|(_, (other, _))| *other == bus);
    let at = before_or_after(same_bus, |(_, other)| disk::name_index(&other.target) > index);
    disks.insert(at.unwrap_or(disks.len()), (bus, disk));
}

/// Where to put something into a list: before the first that shall come after it, else after the
/// last of those it belongs to.
fn before_or_after<'a, T: 'a>(
    group: impl Iterator<Item = (usize, &'a T)>,
    is_after: impl Fn(&T) -> bool,
) -> Option<usize> {
    let mut end = None;
    for (at, other) in group {
        if is_after(other) {
            return Some(at);
        }
        end = Some(at + 1);
    }
    end
}

/// The controller that an address of a type names, None when there is no such address.
fn controller_of<'a>(mut place: impl Iterator<Item = &'a Element>, kind: &str) -> Option<u32> {
    let is_it = |it: &&Element| it.name == "address" && it.attr("type") == Some(kind);
    place.find(is_it)?.attr("controller")?.parse().ok()
}

#[cfg(test)]
mod tests;
