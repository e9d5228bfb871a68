//! The user namespace: which ids of the container are which of the host.

use super::build::unsupported;
use super::isolation::Profile;
use super::{Host, IdMaps, IdRange, Present};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{self, Domain};

/// Lines the kernel takes in a map.
const LINES: usize = 340;
/// Bytes it takes: less than a page, of the smallest pages there are.
const BYTES: usize = 4095;

/// The maps of the document, both empty for a container without a user namespace.
///
/// This is where a profile would give every container a range of its own.
pub(super) fn id_maps(domain: &Domain, host: &Host, present: &Present) -> Result<IdMaps> {
    let maps = IdMaps::of(domain);
    if !maps.is_empty() && !host.user_namespaces {
        return Err(unsupported(
            "Kernel doesn't support user namespace: <idmap> needs it, and \
             /proc/sys/user/max_user_namespaces above 0",
        ));
    }
    for (kind, rows) in [("uid", &maps.uids), ("gid", &maps.gids)] {
        check(kind, rows)?;
    }
    if !Profile::of(domain, host).any_ids {
        check_whose(domain, &maps, present)?;
    }
    Ok(maps)
}

/// One of the two maps.
type Rows = fn(&IdMaps) -> &Vec<IdRange>;

/// Refuses ids that are somebody else's: with them the container's root is another's as well.
fn check_whose(domain: &Domain, maps: &IdMaps, present: &Present) -> Result<()> {
    let kinds: [(&str, Rows); 2] = [("uid", |maps| &maps.uids), ("gid", |maps| &maps.gids)];
    for (kind, rows) in kinds {
        let root = rows(maps).iter().find(|row| row.outside == 0);
        if let Some(IdRange { inside, count, .. }) = root {
            return Err(unsupported(format!(
                "<{kind} start='{inside}' target='0' count='{count}'/> makes the container's \
                 {kind} {inside} the host's root, from which a user name space is to protect: \
                 choose another target, or the isolation profile 'compat'"
            )));
        }
        for (other, theirs) in &present.id_maps {
            let overlaps = |a: &&IdRange| rows(theirs).iter().any(|b| a.overlaps(b));
            if let Some(IdRange { inside, outside, count }) = rows(maps).iter().find(overlaps) {
                return Err(unsupported(format!(
                    "<{kind} start='{inside}' target='{outside}' count='{count}'/> has ids of \
                     domain '{other}', which runs: its users and those of domain '{}' would be the \
                     same to the kernel: choose another target, or the isolation profile 'compat'",
                    domain.name
                )));
            }
        }
    }
    Ok(())
}

fn check(kind: &str, rows: &[IdRange]) -> Result<()> {
    let text = IdMaps::text(rows);
    if rows.len() > LINES || text.len() > BYTES {
        let detail = format!(
            "Too many id maps defined: <idmap> has {} {kind}s in {} bytes, the kernel takes \
             {LINES} in {BYTES}",
            rows.len(),
            text.len()
        );
        return Err(Error::new(ErrorCode::InvalidArg, detail));
    }
    for row in rows {
        let IdRange { inside, outside, count } = *row;
        let is_row = |first: u32| count > 0 && first.checked_add(count).is_some();
        if !is_row(inside) || !is_row(outside) {
            return Err(unsupported(format!(
                "<{kind} start='{inside}' target='{outside}' count='{count}'/> is no row of ids: \
                 expected a count from 1 on, and no id above 4294967294"
            )));
        }
    }
    for (name, first) in [("start", inside as fn(&IdRange) -> u32), ("target", outside)] {
        let mut sorted: Vec<&IdRange> = rows.iter().collect();
        sorted.sort_by_key(|row| first(row));
        let twice = sorted.windows(2).find_map(|pair| match pair {
            [a, b] if first(b) - first(a) < a.count => Some(first(b)),
            _ => None,
        });
        if let Some(id) = twice {
            return Err(unsupported(format!("the {kind}s of <idmap> have {name} {id} twice")));
        }
    }
    Ok(())
}

fn inside(row: &IdRange) -> u32 {
    row.inside
}

fn outside(row: &IdRange) -> u32 {
    row.outside
}

impl IdRange {
    fn overlaps(&self, other: &Self) -> bool {
        let last = |row: &Self| row.outside.saturating_add(row.count.saturating_sub(1));
        self.outside <= last(other) && other.outside <= last(self)
    }
}

impl IdMaps {
    /// The maps of a document.
    pub fn of(domain: &Domain) -> Self {
        let rows = |ranges: &[model::IdRange]| {
            let row = |range: &model::IdRange| IdRange {
                inside: range.start,
                outside: range.target,
                count: range.count,
            };
            ranges.iter().map(row).collect::<Vec<_>>()
        };
        Self { uids: rows(&domain.idmap.uids), gids: rows(&domain.idmap.gids) }
    }

    /// Whether the container has no user namespace.
    pub fn is_empty(&self) -> bool {
        self.uids.is_empty()
    }

    /// Rows as `/proc/PID/uid_map` takes them.
    pub fn text(rows: &[IdRange]) -> String {
        let line =
            |IdRange { inside, outside, count }: &IdRange| format!("{inside} {outside} {count}\n");
        rows.iter().map(line).collect()
    }

    /// The id of the host that an id of the container is.
    pub fn outside(rows: &[IdRange], id: u32) -> Option<u32> {
        rows.iter().find_map(|row| {
            let offset = id.checked_sub(row.inside).filter(|offset| *offset < row.count)?;
            row.outside.checked_add(offset)
        })
    }

    /// Whether an id of the host is one of the container's.
    pub fn has_outside(rows: &[IdRange], id: u32) -> bool {
        rows.iter().any(|row| id.checked_sub(row.outside).is_some_and(|it| it < row.count))
    }
}

#[cfg(test)]
mod tests {
    use super::super::CgroupVersion;
    use super::super::tests::{domain_with, host_with};
    use super::*;

    fn row(inside: u32, outside: u32, count: u32) -> IdRange {
        IdRange { inside, outside, count }
    }

    fn fault(rows: &[IdRange]) -> String {
        check("uid", rows).unwrap_err().message
    }

    #[test]
    fn ids_are_looked_up_both_ways_to_the_ends_of_a_row() {
        let rows = [row(0, 100_000, 5), row(5, 200_000, 1)];
        assert_eq!(IdMaps::text(&rows), "0 100000 5\n5 200000 1\n");
        let outside: Vec<_> = (0..7).map(|id| IdMaps::outside(&rows, id)).collect();
        assert_eq!(outside[0], Some(100_000));
        assert_eq!(outside[4..], [Some(100_004), Some(200_000), None]);
        assert!(IdMaps::has_outside(&rows, 100_004) && IdMaps::has_outside(&rows, 200_000));
        assert!(!IdMaps::has_outside(&rows, 100_005) && !IdMaps::has_outside(&rows, 99_999));
    }

    #[test]
    fn what_the_kernel_or_the_host_would_suffer_from_is_refused() {
        check("uid", &[row(0, 1000, 1), row(1, 100_001, 65_535)]).unwrap();
        assert!(fault(&[row(0, 1, 0)]).contains("count from 1"));
        assert!(fault(&[row(0, u32::MAX, 1)]).contains("4294967294"));
        assert!(fault(&[row(0, 1, 9), row(8, 50, 1)]).contains("start 8 twice"));
        assert!(fault(&[row(0, 7, 2), row(2, 1, 7)]).contains("target 7 twice"));
        let many: Vec<_> = (0..341).map(|id| row(id, id + 1, 1)).collect();
        let error = check("uid", &many).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArg);
        check("uid", &many[..340]).unwrap();
        let wide: Vec<_> =
            (0..200).map(|id| row(2 * id + 1_000_000, id + 1_000_000_000, 1)).collect();
        assert!(fault(&wide).contains("bytes"));
    }

    #[test]
    fn ids_of_others_are_refused_in_the_hardened_profile_only() {
        let row_of = |outside, count| row(0, outside, count);
        let with = |profile: &str, uids: &str, gids: &str| {
            let row = |kind, target| format!("<{kind} start='0' target='{target}' count='1000'/>");
            let domain = domain_with(&format!(
                "<n:isolation xmlns:n='urn:nsvirt:domain:1.0' profile='{profile}'/>\
                 <idmap>{}{}</idmap>",
                row("uid", uids),
                row("gid", gids)
            ));
            let other = IdMaps { uids: vec![row_of(5000, 1000)], gids: vec![row_of(7000, 1000)] };
            let id_maps = vec![("other".to_owned(), other)];
            id_maps_with(&domain, id_maps).map(|_| ()).map_err(|error| error.message)
        };
        assert_eq!(with("hardened", "6000", "6000"), Ok(()));
        assert_eq!(with("hardened", "4000", "8000"), Ok(()));
        assert!(with("hardened", "5999", "1").unwrap_err().contains("domain 'other', which runs"));
        assert!(with("hardened", "1", "6001").unwrap_err().contains("<gid start='0'"));
        assert!(with("hardened", "0", "1").unwrap_err().contains("the host's root"));
        for (uids, gids) in [("5999", "1"), ("1", "6001"), ("0", "0")] {
            assert_eq!(with("compat", uids, gids), Ok(()));
        }
    }

    fn id_maps_with(domain: &Domain, id_maps: Vec<(String, IdMaps)>) -> Result<IdMaps> {
        let present = Present { id_maps, ..Present::default() };
        super::id_maps(domain, &host_with(CgroupVersion::V2), &present)
    }
}
