//! `<resource>`: where in the cgroup tree the container belongs.

use crate::error::{Error, ErrorCode, Result};
use crate::xml::{Element, Writer};

/// What the container is accounted to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resource {
    pub(super) partition: Option<String>,
    pub(super) fibrechannel_appid: Option<String>,
}

impl Resource {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let Some(element) = root.child("resource") else { return Ok(Self::default()) };
        if let Some(second) = root.children_named("resource").nth(1) {
            return Err(second.error("only one resource element is supported"));
        }
        let resource = Self {
            partition: element.child("partition").map_or(Ok(None), partition)?,
            fibrechannel_appid: appid(element)?,
        };
        match resource == Self::default() {
            true => Err(element.error("<resource> needs a <partition> or a <fibrechannel>")),
            false => Ok(resource),
        }
    }
}

fn partition(element: &Element) -> Result<Option<String>> {
    let path = element.text();
    if path.split('/').any(|component| component == "..") || path.contains(char::is_control) {
        return Err(element.error(format_args!(
            "the partition '{}' must not contain '..' or control characters",
            path.escape_debug()
        )));
    }
    Ok(Some(path).filter(|path| !path.is_empty()))
}

fn appid(resource: &Element) -> Result<Option<String>> {
    let element = resource.child("fibrechannel");
    let id = element.and_then(|element| Some((element, element.attr("appid")?)));
    let Some((element, id)) = id.filter(|(_, id)| !id.is_empty()) else { return Ok(None) };
    if !id.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(element.error("Fibre Channel 'appid' is not a printable string"));
    }
    if id.len() > 128 {
        let detail = "Fibre Channel 'appid' string length must be between [1, 128]";
        return Err(Error::in_document(ErrorCode::InvalidArg, element.line, detail));
    }
    Ok(Some(id.to_owned()))
}

pub(super) fn format(w: &mut Writer, partition: Option<&str>, appid: Option<&str>) {
    if partition.or(appid).is_none() {
        return;
    }
    w.open("resource", &[]);
    w.optional_leaf("partition", partition);
    if let Some(appid) = appid {
        w.empty("fibrechannel", &[("appid", appid)]);
    }
    w.close();
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, printed};

    #[test]
    fn both_are_kept() {
        let text = "<resource><fibrechannel appid='a b'/><partition>/a/b</partition></resource>";
        assert_eq!(
            printed(text),
            [
                "  <resource>",
                "    <partition>/a/b</partition>",
                "    <fibrechannel appid='a b'/>",
                "  </resource>",
            ]
        );
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<resource/>",
                "XML error: line 2: <resource> needs a <partition> or a <fibrechannel>",
            ),
            (
                "<resource><partition/></resource>",
                "XML error: line 2: <resource> needs a <partition> or a <fibrechannel>",
            ),
            (
                "<resource><partition>/a/../b</partition></resource>",
                "XML error: line 2: the partition '/a/../b' must not contain '..' or control \
                 characters",
            ),
            (
                "<resource><fibrechannel appid='é'/></resource>",
                "XML error: line 2: Fibre Channel 'appid' is not a printable string",
            ),
        ]);
    }
}
