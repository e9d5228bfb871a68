//! `<resource>`: where in the cgroup tree the container belongs.

use crate::error::Result;
use crate::xml::{Element, Writer};

pub(super) fn parse(root: &Element) -> Result<Option<String>> {
    let partition = root.child("resource").and_then(|resource| resource.child("partition"));
    let Some(element) = partition else {
        return Ok(None);
    };
    let path = element.text();
    if path.is_empty() {
        return Err(element.error("<partition> needs a path, as in /machine"));
    }
    if path.split('/').any(|component| component == "..") || path.contains(char::is_control) {
        return Err(element.error(format_args!(
            "the partition '{}' must not contain '..' or control characters",
            path.escape_debug()
        )));
    }
    Ok(Some(path))
}

pub(super) fn format(w: &mut Writer, partition: Option<&str>) {
    if let Some(partition) = partition {
        w.open("resource", &[]);
        w.leaf("partition", &[], partition);
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};

    #[test]
    fn partitions_are_kept() {
        assert_eq!(
            printed("<resource><partition>/a/b</partition></resource>"),
            ["  <resource>", "    <partition>/a/b</partition>", "  </resource>"]
        );
        assert_eq!(parse("<resource/>").partition, None);
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<resource><partition/></resource>",
                "XML error: line 2: <partition> needs a path, as in /machine",
            ),
            (
                "<resource><partition>/a/../b</partition></resource>",
                "XML error: line 2: the partition '/a/../b' must not contain '..' or control \
                 characters",
            ),
        ]);
    }
}
