//! The names by which events and calls mean the devices of a container that runs.
//!
//! A name is given once and never to another device while the container runs. libvirt's driver
//! names consoles only; the others are called as its driver for machines calls them.

use std::collections::HashSet;

use super::{Devices, LiveInterface};
use crate::model::View;
use crate::xml::{Element, Writer};

/// Writes the name of a device that has one.
pub(super) fn format(w: &mut Writer, alias: Option<&str>, view: View) {
    if let Some(alias) = alias.filter(|_| view == View::Live) {
        w.empty("alias", &[("name", alias)]);
    }
}

impl Devices {
    /// Gives every device a name that has none.
    pub fn name_all(&mut self) {
        let disks = self.disks.iter_mut();
        disks.for_each(|it| it.alias = Some(format!("disk-{}", it.target)));
        number(self.filesystems.iter_mut().map(|it| &mut it.alias).collect(), "fs");
        let interfaces = self.interfaces.iter_mut();
        let aliases = interfaces.map(|it| &mut it.live.get_or_insert_default().alias);
        number(aliases.collect(), "net");
        number(self.host_devices.iter_mut().map(|it| &mut it.alias).collect(), "hostdev");
        number(self.consoles.iter_mut().map(|it| &mut it.alias).collect(), "console");
    }

    /// Gives devices the names that are on record: `devices` is what these were written as.
    pub(in crate::model) fn take_aliases(&mut self, devices: &Element) {
        let named = |name: &'static str| {
            let all = devices.children_named(name);
            all.map(|it| it.child("alias").and_then(|it| it.attr("name")).map(str::to_owned))
        };
        self.disks.iter_mut().zip(named("disk")).for_each(|(it, alias)| it.alias = alias);
        let filesystems = self.filesystems.iter_mut().zip(named("filesystem"));
        filesystems.for_each(|(it, alias)| it.alias = alias);
        for (interface, alias) in self.interfaces.iter_mut().zip(named("interface")) {
            interface.live = Some(LiveInterface { alias, ..LiveInterface::default() });
        }
        let host_devices = self.host_devices.iter_mut().zip(named("hostdev"));
        host_devices.for_each(|(it, alias)| it.alias = alias);
        self.consoles.iter_mut().zip(named("console")).for_each(|(it, alias)| it.alias = alias);
    }
}

/// Gives those without a name the next numbers.
fn number(aliases: Vec<&mut Option<String>>, prefix: &str) {
    let mut taken: HashSet<String> = aliases.iter().filter_map(|it| (**it).clone()).collect();
    let mut next = 0_u32;
    for alias in aliases.into_iter().filter(|it| it.is_none()) {
        let mut name = format!("{prefix}{next}");
        while !taken.insert(name.clone()) {
            next = next.saturating_add(1);
            name = format!("{prefix}{next}");
        }
        *alias = Some(name);
    }
}
