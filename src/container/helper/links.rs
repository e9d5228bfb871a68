//! Network devices of a container that runs.

use super::{Attempt, Container, Failure, LinkNames, LinkState};
use crate::container::links::{self, Inside};
use crate::network::Netlink;
use crate::plan::Link;

fn inside(container: &Container<'_>) -> Result<Inside, Failure> {
    Inside::enter(container.namespace("net")?.into())
}

fn host() -> Result<Netlink, Failure> {
    Netlink::open().attempt("configure the host's network", "")
}

/// Makes one, in the container's namespace from the first instant on, and sets it up as at a start.
pub(super) fn make(
    container: &Container<'_>,
    link: &Link,
    note: &str,
) -> Result<LinkNames, Failure> {
    let mut inside = inside(container)?;
    let mut host = host()?;
    let (names, set_up) = links::plug(link, note, &mut host, &mut inside);
    match (names, set_up) {
        (Some(names), Ok(())) => Ok(names),
        (None, Ok(())) => Err(super::fault(format!("find link {}", link.guest))),
        (None, Err(failure)) => Err(failure),
        (Some(names), Err(failure)) => {
            match links::unplug(link, &names, note, &mut host, &mut inside) {
                Ok(()) => Err(failure),
                Err(left) => Err(super::fault(format!(
                    "{}; then {left}",
                    failure.to_string().trim_start_matches("cannot ")
                ))),
            }
        }
    }
}

pub(super) fn remove(
    container: &Container<'_>,
    link: &Link,
    names: &LinkNames,
    note: &str,
) -> Result<(), Failure> {
    links::unplug(link, names, note, &mut host()?, &mut inside(container)?)
}

pub(super) fn turn(container: &Container<'_>, link: &Link) -> Result<(), Failure> {
    let mut inside = inside(container)?;
    let index = inside.netlink.find(&link.guest).attempt("find link", &link.guest)?.index;
    if !link.up {
        return inside.netlink.down(index).attempt("bring down link", &link.guest);
    }
    links::set_up_again(link, &mut inside.netlink)
}

pub(super) fn list(container: &Container<'_>) -> Result<Vec<LinkState>, Failure> {
    let mut netlink = inside(container)?.netlink;
    let addresses = netlink.addresses().attempt("list addresses", "")?;
    let links = netlink.states().attempt("list links", "")?;
    let state = |link: crate::network::State| {
        let own = addresses.iter().filter(|address| address.index == link.index);
        LinkState {
            addresses: own.map(|own| (own.address, own.prefix)).collect(),
            name: link.name,
            mac: link.mac,
            traffic: link.traffic,
        }
    };
    Ok(links.into_iter().map(state).collect())
}
