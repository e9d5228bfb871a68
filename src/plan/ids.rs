//! The user namespace: which ids of the container are which of the host.

use super::build::unsupported;
use super::{Host, IdMaps, IdRange};
use crate::error::{Error, ErrorCode, Result};
use crate::model::{self, Domain};

/// Lines the kernel takes in a map.
const LINES: usize = 340;
/// Bytes it takes: less than a page, of the smallest pages there are.
const BYTES: usize = 4095;

/// The maps of the document, both empty for a container without a user namespace.
///
/// This is where a profile would give every container a range of its own.
pub(super) fn id_maps(domain: &Domain, host: &Host) -> Result<IdMaps> {
    let rows = |ranges: &[model::IdRange]| {
        let row = |range: &model::IdRange| IdRange {
            inside: range.start,
            outside: range.target,
            count: range.count,
        };
        ranges.iter().map(row).collect::<Vec<_>>()
    };
    let maps = IdMaps { uids: rows(&domain.idmap.uids), gids: rows(&domain.idmap.gids) };
    if !maps.is_empty() && !host.user_namespaces {
        return Err(unsupported(
            "Kernel doesn't support user namespace: <idmap> needs it, and \
             /proc/sys/user/max_user_namespaces above 0",
        ));
    }
    for (kind, rows) in [("uid", &maps.uids), ("gid", &maps.gids)] {
        check(kind, rows, host.allow_host_root_ids)?;
    }
    Ok(maps)
}

fn check(kind: &str, rows: &[IdRange], allow_host_root: bool) -> Result<()> {
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
        if outside == 0 && !allow_host_root {
            return Err(unsupported(format!(
                "<{kind} start='{inside}' target='0' count='{count}'/> makes the container's \
                 {kind} {inside} the host's root, from which a user name space is to protect: \
                 choose another target, or set allow_host_root_ids in the daemon's configuration"
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

impl IdMaps {
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
    use super::*;

    fn row(inside: u32, outside: u32, count: u32) -> IdRange {
        IdRange { inside, outside, count }
    }

    fn fault(rows: &[IdRange]) -> String {
        check("uid", rows, false).unwrap_err().message
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
        check("uid", &[row(0, 1000, 1), row(1, 100_001, 65_535)], false).unwrap();
        check("uid", &[row(0, 0, 1)], true).unwrap();
        assert!(fault(&[row(0, 0, 65_536)]).contains("allow_host_root_ids"));
        assert!(fault(&[row(0, 1, 0)]).contains("count from 1"));
        assert!(fault(&[row(0, u32::MAX, 1)]).contains("4294967294"));
        assert!(fault(&[row(0, 1, 9), row(8, 50, 1)]).contains("start 8 twice"));
        assert!(fault(&[row(0, 7, 2), row(2, 1, 7)]).contains("target 7 twice"));
        let many: Vec<_> = (0..341).map(|id| row(id, id + 1, 1)).collect();
        let error = check("uid", &many, false).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArg);
        check("uid", &many[..340], false).unwrap();
        let wide: Vec<_> =
            (0..200).map(|id| row(2 * id + 1_000_000, id + 1_000_000_000, 1)).collect();
        assert!(fault(&wide).contains("bytes"));
    }
}
