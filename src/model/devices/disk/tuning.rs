//! What is kept of a disk's limits, sizes and identity.

use crate::error::Result;
use crate::model::read::{internal, number};
use crate::model::shape::{self, Kind, Shape, attr};
use crate::xml::{Element, Node};

/// The geometry of old disks, when all three numbers are there.
pub(super) fn geometry(disk: &Element) -> Result<Option<Element>> {
    const GEOMETRY: Shape = Shape::new(
        "geometry",
        &[
            attr("cyls", Kind::Number).unless("0"),
            attr("heads", Kind::Number).unless("0"),
            attr("secs", Kind::Number).unless("0"),
            attr("trans", Kind::Word(&["default", "none", "auto", "lba"])).unless("default"),
        ],
    );
    let is_whole =
        |kept: &Element| ["cyls", "heads", "secs"].iter().all(|name| kept.attr(name).is_some());
    Ok(GEOMETRY.read_one(disk)?.filter(is_whole))
}

/// The sizes of blocks.
pub(super) fn block_sizes(disk: &Element) -> Result<Option<Element>> {
    const SIZES: Shape = Shape::new(
        "blockio",
        &[
            attr("logical_block_size", Kind::Number).unless("0"),
            attr("physical_block_size", Kind::Number).unless("0"),
        ],
    );
    SIZES.read_one(disk)
}

/// Who a disk says it is.
pub(super) fn identity(disk: &Element) -> Result<Vec<Element>> {
    let mut kept = Vec::new();
    for name in ["serial", "wwn", "vendor", "product"] {
        let Some(element) = disk.child(name) else { continue };
        let text = element.text();
        if text.is_empty() {
            continue;
        }
        match name {
            "wwn" if !is_wwn(&text) => {
                let expected = "expected 16 hexadecimal digits";
                return Err(internal(element, format_args!("Malformed wwn: {text}, {expected}")));
            }
            "vendor" => check_printable(element, &text, 8)?,
            "product" => check_printable(element, &text, 16)?,
            _ => (),
        }
        kept.push(shape::leaf(name, &[], text));
    }
    Ok(kept)
}

fn is_wwn(text: &str) -> bool {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    digits.len() == 16 && digits.bytes().all(|c| c.is_ascii_hexdigit())
}

fn check_printable(element: &Element, text: &str, most: usize) -> Result<()> {
    let name = &element.name;
    if !text.bytes().all(|c| c == b' ' || c.is_ascii_graphic()) {
        return Err(element.error(format_args!("disk {name} is not printable string")));
    }
    if text.len() > most {
        let text = format_args!("disk {name} is more than {most} characters");
        return Err(element.unsupported(text));
    }
    Ok(())
}

/// What limits count.
const COUNTED: [&str; 6] = [
    "total_bytes_sec",
    "read_bytes_sec",
    "write_bytes_sec",
    "total_iops_sec",
    "read_iops_sec",
    "write_iops_sec",
];

/// The limits of a disk; 0 is none.
pub(super) fn limits(disk: &Element) -> Result<Option<Element>> {
    let all: Vec<&Element> = disk.children_named("iotune").collect();
    let mut kept = shape::element("iotune", &[], Vec::new());
    let mut keep = |element| kept.children.push(Node::Element(element));
    for suffix in ["", "_max"] {
        for name in COUNTED {
            let name = format!("{name}{suffix}");
            limit(first(&all, &name))?.into_iter().for_each(&mut keep);
        }
    }
    limit(first(&all, "size_iops_sec"))?.into_iter().for_each(&mut keep);
    let group = first(&all, "group_name").map(Element::text).filter(|group| !group.is_empty());
    group.into_iter().for_each(|group| keep(shape::leaf("group_name", &[], group)));
    for name in COUNTED {
        limit(first(&all, &format!("{name}_max_length")))?.into_iter().for_each(&mut keep);
    }
    if let Some(element) = all.first() {
        check_totals(&kept, element)?;
    }
    Ok(Some(kept).filter(|kept| !kept.children.is_empty()))
}

/// The first element of a name in any of several.
fn first<'a>(all: &[&'a Element], name: &str) -> Option<&'a Element> {
    all.iter().flat_map(|element| element.elements()).find(|element| element.name == name)
}

fn limit(element: Option<&Element>) -> Result<Option<Element>> {
    let Some(element) = element else { return Ok(None) };
    let text = element.text();
    if text.is_empty() {
        return Ok(None);
    }
    let Some(limit) = number::<u64>(&text) else {
        return Err(element.error(format_args!(
            "disk iotune field '{}' must be an integer, not '{text}'",
            element.name
        )));
    };
    let kept = shape::leaf(&element.name, &[], limit.to_string());
    Ok(Some(kept).filter(|_| limit != 0))
}

/// A limit is for both directions together or for each.
fn check_totals(kept: &Element, element: &Element) -> Result<()> {
    for what in ["bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max"] {
        let has = |direction| kept.child(&format!("{direction}_{what}")).is_some();
        if has("total") && (has("read") || has("write")) {
            return Err(element.error(format_args!(
                "total and read/write {what} cannot be set at the same time"
            )));
        }
    }
    Ok(())
}

/// The group whose limits a disk shares without having any of its own.
pub(in crate::model::devices) fn borrowed_group(limits: &Element) -> Option<String> {
    let mut members = limits.elements();
    let group = members.next().filter(|member| member.name == "group_name")?;
    members.next().is_none().then(|| group.text())
}
