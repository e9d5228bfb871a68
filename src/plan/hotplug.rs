//! Devices that come and go while the container runs: which part of its plan each of them is.
//!
//! The supervisor gets the plan that follows from it, so that a container which restarts itself
//! has what it had.

use serde::{Deserialize, Serialize};

use super::filesystems::added;
use super::unsupported::cannot_start;
use super::{Host, HostNode, Link, LinkKind, Plan, Present, Source, Step, Volume, links, nodes};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{DeviceKind, Domain, HostDeviceSource};

/// A device as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Part {
    /// A node, for what is on the host already.
    Node(HostNode),
    /// A network device.
    Link(Link),
    /// A file system.
    Mount(MountPart),
}

/// A file system that comes or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPart {
    /// Where it is.
    pub target: String,
    /// How it is mounted; volumes are numbered by [`MountPart::volumes`].
    pub steps: Vec<Step>,
    /// What is mounted before.
    pub volumes: Vec<Volume>,
}

/// What a device is that comes to a container, or why it cannot. `lone` is the domain with no other
/// devices than this one; `plan` is what the container runs by.
///
/// None is for a device of the host that is not there and need not be.
pub fn coming(
    lone: &Domain,
    device: &DeviceKind,
    host: &Host,
    present: &Present,
    plan: &Plan,
) -> Result<Option<Part>> {
    Ok(match device {
        DeviceKind::Disk(_) => only(nodes::of_devices(lone, present)?).map(Part::Node),
        DeviceKind::Host(device) => match device.source {
            HostDeviceSource::Net { .. } => only(new_links(lone, present, plan)?).map(Part::Link),
            _ => only(nodes::of_devices(lone, present)?).map(Part::Node),
        },
        DeviceKind::Interface(_) => only(new_links(lone, present, plan)?).map(Part::Link),
        DeviceKind::Filesystem(filesystem) => {
            let (steps, volumes) = added(lone, host, present, filesystem)?;
            Some(Part::Mount(MountPart { target: filesystem.target.clone(), steps, volumes }))
        }
        DeviceKind::Console(_) | DeviceKind::Fixed => return Err(not_live("attach")),
    })
}

/// What a device is that goes, None where there is nothing of it.
pub fn going(
    lone: &Domain,
    device: &DeviceKind,
    host: &Host,
    present: &Present,
    plan: &Plan,
) -> Result<Option<Part>> {
    let link = |guest: Option<&str>| {
        let link = plan.links.iter().find(|link| Some(link.guest.as_str()) == guest);
        link.cloned().map(Part::Link)
    };
    let node = |alias: Option<&str>| {
        let node = plan.nodes.iter().find(|node| alias == Some(&node.alias));
        node.cloned().map(Part::Node)
    };
    Ok(match device {
        DeviceKind::Disk(_) => node(device.alias()),
        DeviceKind::Host(found) => match &found.source {
            HostDeviceSource::Net { interface, .. } => link(Some(interface)),
            _ => node(device.alias()),
        },
        DeviceKind::Interface(interface) => link(interface.guest.as_deref()),
        DeviceKind::Filesystem(filesystem) if filesystem.target == "/" => {
            return Err(Error::new(
                ErrorCode::OperationInvalid,
                "the root file system cannot be detached from a running domain",
            ));
        }
        DeviceKind::Filesystem(filesystem) => {
            let (steps, volumes) = added(lone, host, present, filesystem)?;
            Some(Part::Mount(MountPart { target: filesystem.target.clone(), steps, volumes }))
        }
        DeviceKind::Console(_) | DeviceKind::Fixed => return Err(not_live("detach")),
    })
}

fn only<T>(all: Vec<T>) -> Option<T> {
    all.into_iter().next()
}

fn not_live(word: &str) -> Error {
    let text = format!("live {word} of device is not supported");
    Error::new(ErrorCode::ConfigUnsupported, text)
}

fn new_links(lone: &Domain, present: &Present, plan: &Plan) -> Result<Vec<Link>> {
    if !plan.private_network {
        let text = "the container has no network of its own that a network device could come to: \
                    it was started without interfaces and without <privnet/>";
        return Err(Error::new(ErrorCode::OperationInvalid, text));
    }
    let new = links::links(lone, present)?;
    for link in &new {
        if plan.links.iter().any(|other| other.guest == link.guest) {
            let text = format_args!(
                "a network device is called '{}' in the container already: choose another name in \
                 <guest dev>",
                link.guest
            );
            return Err(cannot_start(lone, text));
        }
    }
    Ok(new)
}

impl Plan {
    /// The first name of a network device that no other in the container has by plan.
    pub fn free_link_name(&self) -> String {
        let is_free = |name: &String| self.links.iter().all(|link| link.guest != *name);
        let mut names = (0_u32..).map(|number| format!("eth{number}"));
        names.find(is_free).unwrap_or_default()
    }

    /// Takes out of a document what the container does not have: on record before it came, and
    /// then it did not.
    pub fn correct(&self, domain: &mut Domain) {
        let has_node = |alias: &Option<String>| {
            self.nodes.iter().any(|node| alias.as_ref() == Some(&node.alias))
        };
        let has_link = |guest: Option<&str>| self.links.iter().any(|it| guest == Some(&it.guest));
        let devices = &mut domain.devices;
        devices.disks.retain(|disk| has_node(&disk.alias));
        devices.interfaces.retain(|it| it.guest.is_none() || has_link(it.guest.as_deref()));
        devices.host_devices.retain(|device| match &device.source {
            HostDeviceSource::Net { interface, .. } => has_link(Some(interface)),
            // An optional one may be missing from the start.
            HostDeviceSource::Subsystem { .. } => true,
            HostDeviceSource::Storage { .. } | HostDeviceSource::Misc { .. } => {
                has_node(&device.alias)
            }
        });
        devices.filesystems.retain(|filesystem| {
            let is_it = |step: &Step| {
                matches!(step, Step::Mount { target, .. } if *target == filesystem.target)
            };
            filesystem.target == "/" || self.steps.iter().any(is_it)
        });
    }

    /// The same plan with a part more. Links of `<interface>` come before the host's.
    #[must_use]
    pub fn with(&self, part: &Part) -> Self {
        let mut plan = self.clone();
        match part {
            Part::Node(node) => {
                plan.limits.devices.push(node.rule());
                plan.steps.push(node.step());
                plan.nodes.push(node.clone());
            }
            Part::Link(link) if link.kind == LinkKind::Host => plan.links.push(link.clone()),
            Part::Link(link) => {
                let is_host = |link: &Link| link.kind == LinkKind::Host;
                let at = plan.links.iter().position(is_host).unwrap_or(plan.links.len());
                plan.links.insert(at, link.clone());
            }
            Part::Mount(part) => {
                let before = plan.volumes.len();
                let steps = part.steps.iter().cloned();
                plan.steps.extend(steps.map(|step| renumbered(step, |number| number + before)));
                plan.volumes.extend(part.volumes.iter().cloned());
            }
        }
        plan
    }

    /// The same plan without a part of it.
    #[must_use]
    pub fn without(&self, part: &Part) -> Self {
        let mut plan = self.clone();
        match part {
            Part::Node(node) => {
                remove_last(&mut plan.limits.devices, |rule| *rule == node.rule());
                let is_its = |step: &Step| *step == node.step();
                let later = remove_last(&mut plan.steps, is_its);
                later.or_else(|| remove_last(&mut plan.first_steps, is_its));
                remove_last(&mut plan.nodes, |other| other == node);
            }
            Part::Link(link) => plan.links.retain(|other| other.guest != link.guest),
            Part::Mount(part) => plan.take_mount(part),
        }
        plan
    }

    fn take_mount(&mut self, part: &MountPart) {
        for step in &part.steps {
            // A volume has another number by now, a directory may be somewhere else.
            let is_it = |other: &Step| match (other, step) {
                (Step::Mount { target, .. }, Step::Mount { target: wanted, .. }) => {
                    target == wanted
                }
                _ => other == step,
            };
            let gone = remove_last(&mut self.steps, is_it);
            let Some(Step::Mount { source: Source::Volume(gone), .. }) = gone else { continue };
            if gone < self.volumes.len() {
                self.volumes.remove(gone);
            }
            let down = |number: usize| if number > gone { number - 1 } else { number };
            let steps = std::mem::take(&mut self.steps);
            self.steps = steps.into_iter().map(|step| renumbered(step, down)).collect();
            if let super::RootSource::Volume(number) = &mut self.root.source {
                *number = down(*number);
            }
        }
    }
}

fn renumbered(step: Step, number: impl Fn(usize) -> usize) -> Step {
    match step {
        Step::Mount { source: Source::Volume(volume), target, attributes } => {
            Step::Mount { source: Source::Volume(number(volume)), target, attributes }
        }
        step => step,
    }
}

fn remove_last<T>(list: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> Option<T> {
    list.iter().rposition(is_it).map(|at| list.remove(at))
}

#[cfg(test)]
mod tests {
    use super::super::CgroupVersion;
    use super::super::tests::{domain_with, host_with};
    use super::super::{Device, DeviceKind as NodeKind, Placement, RunFiles, build};
    use super::*;
    use crate::model::Device as Sent;

    fn plan(devices: &str) -> Plan {
        let root = "<filesystem><source dir='/r'/><target dir='/'/></filesystem><console/>";
        let domain = domain_with(&format!("<devices>{root}{devices}</devices>"));
        let files = RunFiles { socket: "/s".into(), exit: "/e".into(), log: "/l".into() };
        let host = host_with(CgroupVersion::V2);
        build(&domain, &host, &Present::default(), Placement::default(), files).unwrap()
    }

    fn device(text: &str) -> (Domain, DeviceKind) {
        let domain = domain_with(&format!("<devices>{text}</devices>"));
        (domain, Sent::parse(text).unwrap().kind)
    }

    fn part(text: &str, plan: &Plan, present: &Present) -> Result<Option<Part>> {
        let (lone, device) = device(text);
        coming(&lone, &device, &host_with(CgroupVersion::V2), present, plan)
    }

    const IMAGE: &str = "<filesystem type='file'><source file='/N.img'/><target dir='/N'/>\
                         </filesystem>";

    #[test]
    fn what_comes_and_goes_leaves_the_plan_as_it_was() {
        let image = |name: &str| IMAGE.replace('N', name);
        let before =
            plan(&(image("a") + "<filesystem><source dir='/x'/><target dir='/x'/></filesystem>"));
        let number = Device { kind: NodeKind::Block, major: 7, minor: 3 };
        let present =
            Present { devices: vec![("/dev/d".to_owned(), Some(number))], ..Present::default() };
        let disk = "<disk type='block'><source dev='/dev/d'/><target dev='sdb'/></disk>";
        for text in [
            disk,
            &image("b"),
            "<filesystem type='ram'><source usage='1'/><target dir='/t'/></filesystem>",
        ] {
            let part = part(text, &before, &present).unwrap().unwrap();
            let after = before.with(&part);
            assert_ne!(after, before, "{text}");
            assert_eq!(after.without(&part), before, "{text}");
        }
        // One from the start goes as well, and the numbers of the others follow.
        let part = |name: &str| part(&image(name), &before, &present).unwrap().unwrap();
        let after = before.with(&part("b")).without(&part("a"));
        assert_eq!(after.volumes, [Volume::Image { path: "/b.img".into(), readonly: false }]);
        let sources = after.steps.iter().filter_map(|step| match step {
            Step::Mount { source: Source::Volume(number), target, .. } => {
                Some((*number, target.as_str()))
            }
            _ => None,
        });
        assert_eq!(sources.collect::<Vec<_>>(), [(0, "/b")]);
    }

    #[test]
    fn links_have_names_of_their_own_and_interfaces_come_first() {
        let links = vec![
            super::super::HostLink { name: "br0".to_owned(), is_bridge: true },
            super::super::HostLink { name: "card".to_owned(), is_bridge: false },
        ];
        let present = Present { links, ..Present::default() };
        let mut before = plan("");
        let bridge = |guest: &str| {
            format!(
                "<interface type='bridge'><source bridge='br0'/><guest dev='{guest}'/></interface>"
            )
        };
        let card = "<hostdev mode='capabilities' type='net'><source><interface>card</interface>\
                    </source></hostdev>";
        let error = part(card, &before, &present).unwrap_err();
        assert_eq!(error.code, ErrorCode::OperationInvalid);
        before.private_network = true;
        let with_card = before.with(&part(card, &before, &present).unwrap().unwrap());
        assert_eq!(with_card.free_link_name(), "eth0");
        let both = with_card.with(&part(&bridge("eth0"), &with_card, &present).unwrap().unwrap());
        let names: Vec<_> = both.links.iter().map(|link| link.guest.as_str()).collect();
        assert_eq!((names, both.free_link_name()), (vec!["eth0", "card"], "eth1".to_owned()));
        let error = part(&bridge("eth0"), &both, &present).unwrap_err();
        assert!(error.message.contains("is called 'eth0' in the container already"), "{error}");
    }

    #[test]
    fn the_root_and_what_is_no_device_stay() {
        let plan = plan("");
        let host = host_with(CgroupVersion::V2);
        let going = |text: &str| {
            let (lone, device) = device(text);
            going(&lone, &device, &host, &Present::default(), &plan)
        };
        let root = "<filesystem><source dir='/r'/><target dir='/'/></filesystem>";
        assert_eq!(going(root).unwrap_err().code, ErrorCode::OperationInvalid);
        assert_eq!(going("<console/>").unwrap_err().code, ErrorCode::ConfigUnsupported);
        let disk = "<disk type='block'><source dev='/dev/d'/><target dev='sdb'/></disk>";
        assert_eq!(going(disk).unwrap(), None);
    }
}
