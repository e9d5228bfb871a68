//! Network devices of a container: made and given from outside, set up inside, taken back.
//!
//! Only the supervisor has rights on the host, and only in the container's own network namespace
//! are its addresses and routes. So the supervisor makes the pairs and shares, with the container's
//! end in its namespace from the first instant on, and the child does the rest after its word:
//!
//! 1. The supervisor has made everything, or moved it in: [`Connected`].
//! 2. The child gives addresses, brings up, makes routes.
//!
//! At the end the supervisor removes what it made at once: left to itself the kernel does so some
//! time after the last process, when the next run of the container may want the same names. What
//! the host gave goes back under its name; the kernel would give cards to the first namespace of
//! the host and delete everything else.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use serde::{Deserialize, Serialize};

use super::protocol::{self, Attempt, Failure, LinkNames};
use super::start;
use crate::network::{Kind, Netlink, Refused, Target};
use crate::plan::{Link, LinkKind, MacvlanMode, Plan, Route};

/// The word that the links are there.
#[derive(Debug, Serialize, Deserialize)]
struct Connected;

/// What one run of a container has of links.
#[derive(Default)]
pub(super) struct Links {
    names: Vec<LinkNames>,
    /// What they were called before the container rebooted.
    earlier: Vec<LinkNames>,
    /// What the host's ends are known by.
    note: String,
    inside: Option<Inside>,
    /// Shares of the host's devices, by their numbers inside.
    shares: Vec<u32>,
    /// The host's devices, by their numbers inside, with their names.
    given: Vec<(u32, String)>,
}

/// The container's network namespace, seen from outside. It lasts as long as this.
pub(super) struct Inside {
    namespace: OwnedFd,
    host: OwnedFd,
    /// What acts in there.
    pub(super) netlink: Netlink,
}

impl Inside {
    fn open(pid: i32) -> Result<Self, Failure> {
        let path = format!("/proc/{pid}/ns/net");
        Self::enter(File::open(&path).attempt("open", &path)?.into())
    }

    /// Goes into a namespace and comes back.
    pub(super) fn enter(namespace: OwnedFd) -> Result<Self, Failure> {
        const OWN: &str = "/proc/self/ns/net";
        let host: OwnedFd = File::open(OWN).attempt("open", OWN)?.into();
        setns(&namespace, CloneFlags::CLONE_NEWNET).attempt("enter the container's network", "")?;
        let netlink = Netlink::open();
        setns(&host, CloneFlags::CLONE_NEWNET).attempt("return to the host's network", "")?;
        let netlink = netlink.attempt("configure the container's network", "")?;
        Ok(Self { namespace, host, netlink })
    }
}

impl Links {
    /// None yet, but names they had before.
    pub(super) fn called(earlier: &[LinkNames]) -> Self {
        Self { earlier: earlier.to_vec(), ..Self::default() }
    }

    /// What they are called, in the plan's order.
    pub(super) fn names(&self) -> &[LinkNames] {
        &self.names
    }

    /// Makes the links of the child `pid` and gives it the word. After a failure there may be some.
    pub(super) fn make(&mut self, plan: &Plan, pid: i32, report: &OwnedFd) -> Result<(), Failure> {
        if plan.links.is_empty() {
            return Ok(());
        }
        self.note = plan.files.link_note();
        let mut inside = Inside::open(pid)?;
        let mut host = Netlink::open().attempt("configure the host's network", "")?;
        let made =
            plan.links.iter().try_for_each(|link| self.make_one(link, &mut host, &mut inside));
        self.inside = Some(inside);
        made?;
        // 1.
        protocol::send(report.as_fd(), &Connected, &[]).attempt("reach the child", "")
    }

    /// Makes one. It is among the names as soon as there is something of it.
    fn make_one(
        &mut self,
        link: &Link,
        host: &mut Netlink,
        inside: &mut Inside,
    ) -> Result<(), Failure> {
        let guest = &link.guest;
        let named = |host, index| LinkNames { host, guest: guest.clone(), index };
        match &link.kind {
            LinkKind::Bridge { target, bridge, isolated } => {
                let (name, index) = self.make_pair(link, target.as_deref(), host, inside)?;
                self.names.push(named(Some(name.clone()), None));
                let attempt = format!("add bridge {bridge} port");
                let bridge = host.find(bridge).attempt(&attempt, &name)?.index;
                host.enslave(index, bridge, *isolated).attempt(&attempt, &name)?;
                host.up(index).attempt("bring up link", &name)
            }
            LinkKind::Ethernet { target, addresses, routes } => {
                let (name, index) = self.make_pair(link, target.as_deref(), host, inside)?;
                self.names.push(named(Some(name.clone()), None));
                for address in addresses {
                    host.add_address(index, address)
                        .attempt(&format!("give address {} to link", address.address), &name)?;
                }
                host.up(index).attempt("bring up link", &name)?;
                for route in routes {
                    host.add_route(index, route).attempt(&way(route), &name)?;
                }
                Ok(())
            }
            LinkKind::Direct { parent, mode } => {
                let attempt = format!("make a share of link {parent} called");
                let parent = host.find(parent).attempt(&attempt, guest)?.index;
                let target = target(link, inside);
                host.create(Kind::Macvlan(parent, *mode), &target).attempt(&attempt, guest)?;
                let index = inside.netlink.find(guest).attempt("find link", guest)?.index;
                self.names.push(named(None, Some(index)));
                self.shares.push(index);
                if *mode == MacvlanMode::Passthrough {
                    // It has got the device's own, and the device has it back afterwards.
                    inside
                        .netlink
                        .set_mac(index, link.mac)
                        .attempt("set the address of link", guest)?;
                }
                Ok(())
            }
            LinkKind::Host => {
                let index = host.find(guest).attempt("find link", guest)?.index;
                host.move_to(index, inside.namespace.as_fd(), guest)
                    .attempt("move into the container link", guest)?;
                let index = inside.netlink.find(guest).attempt("find link", guest)?.index;
                self.names.push(named(None, Some(index)));
                self.given.push((index, guest.clone()));
                Ok(())
            }
        }
    }

    /// Makes a pair; answers with name and number of the host's end.
    fn make_pair(
        &self,
        link: &Link,
        name: Option<&str>,
        host: &mut Netlink,
        inside: &Inside,
    ) -> Result<(String, u32), Failure> {
        let target = target(link, inside);
        let name = self.candidates(link, name).find_map(|name| {
            match host.create(Kind::Veth(&name), &target) {
                // Another has it, maybe since this instant.
                Err(Refused { errno: Errno::EEXIST, .. }) => None,
                made => Some(made.attempt("make a pair of links", &name).map(|()| name)),
            }
        });
        let taken = || Err(Refused::from(Errno::EEXIST)).attempt("make a pair for", &link.guest);
        let name = name.unwrap_or_else(taken)?;
        let index = host.find(&name).attempt("find link", &name)?.index;
        host.note(index, &self.note).attempt("note whose it is on link", &name)?;
        Ok((name, index))
    }

    /// Names for the host's end: what the document says, or else what it was called before a
    /// reboot, or else the first that is free.
    fn candidates<'a>(
        &'a self,
        link: &Link,
        name: Option<&'a str>,
    ) -> Box<dyn Iterator<Item = String> + 'a> {
        /// More than a bridge has ports.
        const MOST: u32 = 1 << 16;
        if let Some(name) = name {
            return Box::new(std::iter::once(name.to_owned()));
        }
        let earlier = self.earlier.iter().find(|earlier| earlier.guest == link.guest);
        let earlier = earlier.and_then(|earlier| earlier.host.clone()).into_iter();
        Box::new(earlier.chain((0..MOST).map(|number| format!("vnet{number}"))))
    }

    /// Takes over links that somebody else has made or removed, for their end; `names` are those of
    /// all there are now. Where nothing can be done for it, there is no `pid` of the container.
    pub(super) fn adopt(
        &mut self,
        plan: &Plan,
        names: Vec<LinkNames>,
        pid: Option<i32>,
    ) -> Result<(), Failure> {
        if let Some(pid) = pid.filter(|_| self.inside.is_none() && !names.is_empty()) {
            self.inside = Some(Inside::open(pid)?);
        }
        self.note = plan.files.link_note();
        let kinds = || plan.links.iter().zip(&names);
        let numbered = |kind: fn(&LinkKind) -> bool| {
            let those = kinds().filter(move |(link, _)| kind(&link.kind));
            those.filter_map(|(link, names)| Some((names.index?, link.guest.clone())))
        };
        let shares = numbered(|kind| matches!(kind, LinkKind::Direct { .. }));
        self.shares = shares.map(|(index, _)| index).collect();
        self.given = numbered(|kind| *kind == LinkKind::Host).collect();
        self.names = names;
        Ok(())
    }

    /// Removes what was made and gives back what was given; the container's processes are gone.
    pub(super) fn clear(&mut self) -> Result<(), Failure> {
        let Some(mut inside) = self.inside.take() else { return Ok(()) };
        let mut host = Netlink::open().attempt("configure the host's network", "")?;
        let removed = host.remove_noted(&self.note).attempt("remove the container's links", "");
        for index in self.shares.drain(..) {
            match inside.netlink.remove(index) {
                // The container has removed it itself.
                Err(Refused { errno: Errno::ENODEV, .. }) => {}
                removed => removed.attempt("remove the container's share of a link", "")?,
            }
        }
        for (index, name) in self.given.drain(..) {
            inside
                .netlink
                .move_to(index, inside.host.as_fd(), &name)
                .attempt("move back to the host link", name)?;
        }
        removed
    }
}

fn target<'a>(link: &'a Link, inside: &'a Inside) -> Target<'a> {
    let namespace = inside.namespace.as_fd();
    Target { namespace, name: &link.guest, mac: link.mac, mtu: link.mtu }
}

/// Sets up the container's ends, in the child.
pub(super) fn set_up(plan: &Plan, reporter: &OwnedFd) -> Result<(), Failure> {
    if plan.links.is_empty() {
        return Ok(());
    }
    let told = protocol::receive::<Connected>(reporter.as_fd()).attempt("wait for links", "")?;
    told.ok_or_else(start::killed)?;
    // 2.
    let mut netlink = Netlink::open().attempt("configure the container's network", "")?;
    set_up_all(&plan.links, &mut netlink)
}

fn set_up_all(links: &[Link], netlink: &mut Netlink) -> Result<(), Failure> {
    let mut indexes = Vec::new();
    for link in links {
        let index = netlink.find(&link.guest).attempt("find link", &link.guest)?.index;
        indexes.push(index);
        for address in &link.addresses {
            let attempt = format!("give address {} to link", address.address);
            netlink.add_address(index, address).attempt(&attempt, &link.guest)?;
        }
        if link.up {
            netlink.up(index).attempt("bring up link", &link.guest)?;
        }
    }
    // A gateway may be behind any of them.
    for (link, index) in links.iter().zip(indexes) {
        for route in &link.routes {
            netlink.add_route(index, route).attempt(&way(route), &link.guest)?;
        }
    }
    Ok(())
}

/// Brings a link up that was down: what the kernel has kept of its addresses and routes is no error.
pub(super) fn set_up_again(link: &Link, netlink: &mut Netlink) -> Result<(), Failure> {
    let is_there = |result: Result<(), Refused>| match result {
        Err(Refused { errno: Errno::EEXIST, .. }) => Ok(()),
        result => result,
    };
    let index = netlink.find(&link.guest).attempt("find link", &link.guest)?.index;
    for address in &link.addresses {
        let attempt = format!("give address {} to link", address.address);
        is_there(netlink.add_address(index, address)).attempt(&attempt, &link.guest)?;
    }
    netlink.up(index).attempt("bring up link", &link.guest)?;
    for route in &link.routes {
        is_there(netlink.add_route(index, route)).attempt(&way(route), &link.guest)?;
    }
    Ok(())
}

/// Makes one link of a container that runs. There are names as soon as there is something of it.
pub(super) fn plug(
    link: &Link,
    note: &str,
    host: &mut Netlink,
    inside: &mut Inside,
) -> (Option<LinkNames>, Result<(), Failure>) {
    let mut links = Links { note: note.to_owned(), ..Links::default() };
    let made = links.make_one(link, host, inside);
    let set_up = made.and_then(|()| set_up_all(std::slice::from_ref(link), &mut inside.netlink));
    (links.names.pop(), set_up)
}

/// Removes one link of a container that runs, or gives it back. One that the container has removed
/// itself is no error.
pub(super) fn unplug(
    link: &Link,
    names: &LinkNames,
    note: &str,
    host: &mut Netlink,
    inside: &mut Inside,
) -> Result<(), Failure> {
    let is_gone = |result: Result<(), Refused>| match result {
        Err(Refused { errno: Errno::ENODEV, .. }) => Ok(()),
        result => result,
    };
    match (&link.kind, &names.host, names.index) {
        (LinkKind::Bridge { .. } | LinkKind::Ethernet { .. }, Some(name), _) => {
            let found = match host.find(name) {
                Err(Refused { errno: Errno::ENODEV, .. }) => return Ok(()),
                found => found.attempt("find link", name)?,
            };
            if found.note.as_deref() != Some(note) {
                return Ok(());
            }
            is_gone(host.remove(found.index)).attempt("remove link", name)
        }
        (LinkKind::Direct { .. }, _, Some(index)) => {
            is_gone(inside.netlink.remove(index)).attempt("remove link", &link.guest)
        }
        (LinkKind::Host, _, Some(index)) => inside
            .netlink
            .move_to(index, inside.host.as_fd(), &link.guest)
            .attempt("move back to the host link", &link.guest),
        _ => Err(Refused::from(Errno::ENODEV)).attempt("find link", &link.guest),
    }
}

/// Completes "cannot ... LINK".
fn way(route: &Route) -> String {
    let Route { network, prefix, gateway, .. } = route;
    format!("make the route to {network}/{prefix} by {gateway} through link")
}
