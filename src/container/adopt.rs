//! Going on by another plan: after devices have come or gone.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::guard::Guard;
use super::protocol::{Attempt, Failure, LinkNames};
use super::start::Init;
use crate::plan::{LinkKind, Plan};

/// Loop devices that last as long as the container: held open, by the disks' names.
pub(super) struct Loops(Vec<(String, OwnedFd)>);

impl Loops {
    /// Those of a plan, with descriptors in its order.
    pub(super) fn new(plan: &Plan, fds: Vec<OwnedFd>) -> Result<Self, Failure> {
        if plan.loops.len() != fds.len() {
            let error = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(error).attempt("take over loop devices", "");
        }
        Ok(Self(plan.loops.iter().cloned().zip(fds).collect()))
    }

    /// Holds those of another plan instead; `new` are the ones not held yet.
    fn change(&mut self, plan: &Plan, new: Vec<OwnedFd>) -> Result<(), Failure> {
        let is_held = |name: &String| self.0.iter().any(|(held, _)| held == name);
        let missing: Vec<_> = plan.loops.iter().filter(|name| !is_held(name)).cloned().collect();
        if missing.len() != new.len() {
            let error = io::Error::from(io::ErrorKind::InvalidInput);
            return Err(error).attempt("take over loop devices", "");
        }
        self.0.retain(|(name, _)| plan.loops.contains(name));
        self.0.extend(missing.into_iter().zip(new));
        Ok(())
    }
}

/// Takes over a plan from a file, with what it means for links and loop devices, and a record.
pub(super) fn adopt(
    current: &Plan,
    init: &mut Init,
    guard: &Guard,
    loops: &mut Loops,
    names: Vec<LinkNames>,
    fds: Vec<OwnedFd>,
) -> Result<(Plan, OwnedFd), Failure> {
    let mut fds = fds.into_iter();
    let mut next = |what| {
        let missing = || io::Error::from(io::ErrorKind::UnexpectedEof);
        fds.next().ok_or_else(missing).attempt("take over", what)
    };
    let (plan, record) = (read(next("the plan")?)?, next("the record")?);
    if plan.links != current.links {
        adopt_links(&plan, init, guard, names)?;
    }
    loops.change(&plan, fds.collect())?;
    Ok((plan, record))
}

/// What is the host's has to be given back at the end, and that takes rights. What was made goes
/// with the container's namespace in any case.
fn adopt_links(
    plan: &Plan,
    init: &mut Init,
    guard: &Guard,
    names: Vec<LinkNames>,
) -> Result<(), Failure> {
    if guard.keeps_rights() {
        let adopted = guard.raise().and_then(|()| init.links.adopt(plan, names, Some(init.pid)));
        return guard.lower().and(adopted);
    }
    if let Some(link) = plan.links.iter().find(|link| link.kind == LinkKind::Host) {
        return Err(Failure {
            attempt: format!(
                "take {} from the host: the container's supervisor has given up the rights to \
                 give it back; it keeps them when the container starts with <on_reboot>restart or \
                 with an interface",
                link.guest
            ),
            path: String::new(),
            errno: 0,
        });
    }
    init.links.adopt(plan, names, None)
}

fn read(file: OwnedFd) -> Result<Plan, Failure> {
    let mut text = Vec::new();
    let mut file = File::from(file);
    file.rewind().and_then(|()| file.read_to_end(&mut text)).attempt("read the plan", "")?;
    serde_json::from_slice(&text).map_err(io::Error::other).attempt("read the plan", "")
}

/// A plan as a file in memory.
pub(super) fn written(plan: &Plan) -> Result<OwnedFd, Failure> {
    let write = || -> io::Result<OwnedFd> {
        let mut file = File::from(memfd_create(c"nsvirt-plan", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(&serde_json::to_vec(plan).map_err(io::Error::other)?)?;
        Ok(file.into())
    };
    write().attempt("write the plan", "")
}
