//! `<idmap>`: the user name space of the container.

use super::read::{all, number};
use crate::error::Result;
use crate::xml::{Element, Writer};

/// Which ids of the container are which of the host; nothing for no user name space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdMap {
    /// Users, by `start`; the first is the container's root.
    pub uids: Vec<IdRange>,
    /// Groups, by `start`; the first is the container's root.
    pub gids: Vec<IdRange>,
}

/// A row of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// The first id in the container.
    pub start: u32,
    /// The id on the host that it is.
    pub target: u32,
    /// How many follow each other.
    pub count: u32,
}

impl IdMap {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let (uids, gids) = (ranges(root, "uid")?, ranges(root, "gid")?);
        let element = root.child("idmap").unwrap_or(root);
        if uids.is_empty() != gids.is_empty() {
            return Err(element.unsupported("uid and gid should be mapped both"));
        }
        let from_root = |ranges: &[IdRange]| ranges.first().is_none_or(|range| range.start == 0);
        if !from_root(&uids) || !from_root(&gids) {
            return Err(element
                .unsupported("You must map the root user of container: start='0' is missing"));
        }
        Ok(Self { uids, gids })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if *self == Self::default() {
            return;
        }
        w.open("idmap", &[]);
        for (name, ranges) in [("uid", &self.uids), ("gid", &self.gids)] {
            for IdRange { start, target, count } in ranges {
                let [start, target, count] = [start, target, count].map(u32::to_string);
                w.empty(name, &[("start", &start), ("target", &target), ("count", &count)]);
            }
        }
        w.close();
    }
}

fn ranges(root: &Element, name: &str) -> Result<Vec<IdRange>> {
    let range = |element: &Element| {
        let value = |name| element.attr(name).and_then(number);
        match (value("start"), value("target"), value("count")) {
            (Some(start), Some(target), Some(count)) => Ok(IdRange { start, target, count }),
            _ => Err(element.error(
                "invalid idmap start/target/count settings: expected three numbers of 32 bits",
            )),
        }
    };
    let mut ranges: Vec<_> = all(root, "idmap", name).map(range).collect::<Result<_>>()?;
    ranges.sort_by_key(|range| range.start);
    Ok(ranges)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, printed};

    #[test]
    fn ranges_are_sorted() {
        let text = "<idmap><gid start='0' target='7' count='1'/><uid start='5' target='9' \
                    count='1'/><uid start='0' target='7' count='5'/></idmap>";
        assert_eq!(
            printed(text),
            [
                "  <idmap>",
                "    <uid start='0' target='7' count='5'/>",
                "    <uid start='5' target='9' count='1'/>",
                "    <gid start='0' target='7' count='1'/>",
                "  </idmap>",
            ]
        );
        assert!(printed("<idmap><foo/></idmap>").is_empty());
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<idmap><uid start='0' target='1' count='1'/></idmap>",
                "unsupported configuration: line 2: uid and gid should be mapped both",
            ),
            (
                "<idmap><uid start='5' target='1' count='1'/>\
                 <gid start='0' target='1' count='1'/></idmap>",
                "unsupported configuration: line 2: You must map the root user of container: \
                 start='0' is missing",
            ),
            (
                "<idmap><uid start='0' target='4294967296' count='1'/></idmap>",
                "XML error: line 2: invalid idmap start/target/count settings: expected three \
                 numbers of 32 bits",
            ),
        ]);
    }
}
