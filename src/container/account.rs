//! Who init is: names looked up in the container's own files, by this program's own readers.
//!
//! The C library would do it, and load whatever module the tree's `nsswitch.conf` names into a
//! process with all capabilities. The files are the container's to write, so they are taken for
//! hostile: only regular files, only so many bytes, and what is no entry is passed over.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use nix::fcntl::OFlag;
use nix::sys::stat::{SFlag, fstat};
use nix::unistd::{Gid, Uid, fchown, setgroups, setresgid, setresuid};

use super::place::Root;
use super::protocol::{Attempt, Failure};
use crate::plan::{Account, IdMaps};

/// Most bytes of a file that are read.
const FILE_LIMIT: u64 = 1 << 20;
/// Most groups a user is in, as the kernel has it (`NGROUPS_MAX`).
const GROUP_LIMIT: usize = 65_536;

/// A user with groups, in numbers of the container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    uid: u32,
    gid: u32,
    /// Supplementary groups.
    groups: Vec<u32>,
}

impl Identity {
    /// Looks an account up in `/etc/passwd` and `/etc/group` of this process's root. `attempt` says
    /// what it is wanted for.
    pub(super) fn find(
        account: Option<&Account>,
        maps: &IdMaps,
        attempt: &str,
    ) -> Result<Self, Failure> {
        let Some(account) = account else {
            return Ok(Self::default());
        };
        let (passwd, group) = (read("/etc/passwd")?, read("/etc/group")?);
        let found = resolve(account, &passwd, &group).and_then(|it| it.check(maps).map(|()| it));
        found.attempt(attempt, "")
    }

    /// Fails when the container has not all of the ids.
    fn check(&self, maps: &IdMaps) -> io::Result<()> {
        let lacks = |rows, id| !maps.is_empty() && IdMaps::outside(rows, id).is_none();
        let groups = self.groups.iter().chain([&self.gid]);
        let user = lacks(&maps.uids, self.uid).then(|| format!("user {}", self.uid));
        let group = groups.into_iter().find(|gid| lacks(&maps.gids, **gid));
        match user.or_else(|| group.map(|gid| format!("group {gid}"))) {
            Some(id) => Err(io::Error::other(format!("<idmap> has no {id}"))),
            None => Ok(()),
        }
    }

    /// Makes this process the user, for good. What was to end with another process does not any
    /// more (`PR_SET_PDEATHSIG`).
    pub(super) fn assume(&self) -> Result<(), Failure> {
        let groups: Vec<Gid> = self.groups.iter().copied().map(Gid::from_raw).collect();
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        setgroups(&groups).attempt("take the groups of user", uid)?;
        setresgid(gid, gid, gid).attempt("become group", gid)?;
        setresuid(uid, uid, uid).attempt("become user", uid)
    }

    /// Gives the user a terminal.
    pub(super) fn own(&self, terminal: impl AsFd) -> nix::Result<()> {
        if self.uid == 0 {
            return Ok(());
        }
        fchown(terminal, Some(Uid::from_raw(self.uid)), None)
    }
}

/// The text of a file of the container; none is as good as an empty one.
fn read(path: &str) -> Result<String, Failure> {
    // A FIFO would wait for a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let read = || -> io::Result<String> {
        let file = match Root::current()?.open(path, flags) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
            result => File::from(result?),
        };
        let is_regular = fstat(&file)?.st_mode & SFlag::S_IFMT.bits() == SFlag::S_IFREG.bits();
        if !is_regular {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut bytes = Vec::new();
        file.take(FILE_LIMIT + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > FILE_LIMIT {
            return Err(io::Error::other("it is longer than 1 MiB"));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().attempt("look up who init is in", path)
}

/// The account in numbers, from the texts of `passwd(5)` and `group(5)`.
fn resolve(account: &Account, passwd: &str, group: &str) -> io::Result<Identity> {
    let (uid, entry) = user(&account.user, passwd)?;
    let own = entry.and_then(|user| user.group).unwrap_or_default();
    let gid = match number(&account.group) {
        _ if account.group.is_empty() => own,
        Some(gid) => gid?,
        None => match entries(group, 3).find(|it| it.name == account.group) {
            Some(entry) => entry.id,
            None => unnamed("Group", &account.group, "/etc/group")?,
        },
    };
    let mut groups: Vec<u32> = entry.iter().filter_map(|user| user.group).chain([gid]).collect();
    if let Some(user) = entry {
        let is_member = |it: &Entry<'_>| it.members.split(',').any(|name| name == user.name);
        groups.extend(entries(group, 3).filter(is_member).map(|it| it.id));
    }
    groups.sort_unstable();
    groups.dedup();
    groups.truncate(GROUP_LIMIT);
    Ok(Identity { uid, gid, groups })
}

fn user<'a>(name: &str, passwd: &'a str) -> io::Result<(u32, Option<Entry<'a>>)> {
    let by_id = |uid| entries(passwd, 4).find(|it| it.id == uid);
    if let Some(uid) = number(name) {
        return uid.map(|uid| (uid, by_id(uid)));
    }
    match entries(passwd, 4).find(|it| it.name == name) {
        Some(entry) => Ok((entry.id, Some(entry))),
        None => unnamed("User", name, "/etc/passwd").map(|uid| (uid, by_id(uid))),
    }
}

/// The number after a `+`; `None` for what is to be looked up first.
fn number(text: &str) -> Option<io::Result<u32>> {
    let digits = text.strip_prefix('+')?;
    Some(id(digits).ok_or_else(|| {
        io::Error::other(format!("'{text}' is no id: expected + and a number up to 4294967294"))
    }))
}

/// What no entry has as its name may be a number still.
fn unnamed(kind: &str, name: &str, file: &str) -> io::Result<u32> {
    id(name).ok_or_else(|| {
        io::Error::other(format!("{kind} '{name}' doesn't exist: {file} of the container has none"))
    })
}

/// Digits only: no sign, no blank, no other base. The highest number means "no id" in calls.
fn id(digits: &str) -> Option<u32> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|id| is_number && *id != u32::MAX)
}

/// A line of one of the files.
#[derive(Debug, Clone, Copy)]
struct Entry<'a> {
    name: &'a str,
    id: u32,
    /// The fourth field as a number: a user's group.
    group: Option<u32>,
    /// The fourth field as it is: a group's members.
    members: &'a str,
}

/// The entries that have a name, a number and at least so many fields.
fn entries(text: &str, fields: usize) -> impl Iterator<Item = Entry<'_>> {
    text.lines().filter_map(move |line| {
        let mut parts = line.split(':');
        let (name, _password) = (parts.next()?, parts.next()?);
        let (uid, fourth) = (id(parts.next()?)?, parts.next());
        let is_whole = !name.is_empty() && (fields < 4 || fourth.is_some());
        let members = fourth.unwrap_or_default();
        is_whole.then_some(Entry { name, id: uid, group: id(members), members })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
                          # nobody reads this\n\
                          www:x:33:34::/srv:/bin/false\n\
                          :x:9:9:::\n\
                          bad:x:+8:8:::\n\
                          short:x:7\n\
                          1000:x:77:78:::\n";
    const GROUP: &str = "root:x:0:\nwww-data:x:34:\nlog:x:4:syslog,www\nwheel:x:10:wwww,root\n\
                         mail:x:8:www\n";

    fn of(user: &str, group: &str) -> io::Result<(u32, u32, Vec<u32>)> {
        let account = Account { user: user.to_owned(), group: group.to_owned() };
        resolve(&account, PASSWD, GROUP).map(|it| (it.uid, it.gid, it.groups))
    }

    #[test]
    fn names_numbers_and_groups() {
        assert_eq!(of("www", "www-data").unwrap(), (33, 34, vec![4, 8, 34]));
        assert_eq!(of("www", "+0").unwrap(), (33, 0, vec![0, 4, 8, 34]));
        assert_eq!(of("+33", "mail").unwrap(), (33, 8, vec![4, 8, 34]));
        assert_eq!(of("+0", "+0").unwrap(), (0, 0, vec![0, 10]));
        // A user's own group, and root's for who has no entry.
        assert_eq!(of("www", "").unwrap(), (33, 34, vec![4, 8, 34]));
        assert_eq!(of("+5", "").unwrap(), (5, 0, vec![0]));
        // A name of digits is a name first, unless it has a plus.
        assert_eq!(of("1000", "10").unwrap(), (77, 10, vec![10, 78]));
        assert_eq!(of("+1000", "+10").unwrap(), (1000, 10, vec![10]));
    }

    #[test]
    fn what_is_nobody_is_an_error() {
        let message = |user, group| of(user, group).unwrap_err().to_string();
        assert!(message("nobody", "+0").starts_with("User 'nobody' doesn't exist"));
        assert!(message("www", "adm").starts_with("Group 'adm' doesn't exist"));
        for text in ["+", "+x", "+-1", "++1", "+ 1", "+0x0", "+4294967295", "+4294967296"] {
            assert!(message(text, "+0").contains("expected + and a number"), "{text}");
        }
        for text in ["", "-1", "0x0", "4294967295", "bad", "short", " www"] {
            assert!(message(text, "+0").contains("doesn't exist"), "{text}");
        }
    }

    #[test]
    fn hostile_files_are_read_in_one_pass_and_give_no_more_groups_than_there_are() {
        let colons = ":".repeat(100_000);
        assert_eq!(entries(&colons, 3).count(), 0);
        let many: String = (0..70_000).map(|id| format!("g{id}:x:{id}:www\n")).collect();
        let account = Account { user: "www".to_owned(), group: "+0".to_owned() };
        let groups = resolve(&account, PASSWD, &many).unwrap().groups;
        assert_eq!(groups.len(), GROUP_LIMIT);
    }
}
