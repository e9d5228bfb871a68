//! `<cachetune>` and `<memorytune>`: parts of caches and of the way to memory.
//!
//! Without effect on containers. Both are kept as groups of processors: a `<memorytune>` of the
//! processors of a `<cachetune>` belongs to the same group, and groups do not overlap.

use super::memory::{bytes, split_bytes};
use super::read::{all, bad_value, number, number_attr, required};
use super::shape::{self, Kind, Shape, attr};
use super::{Bitmap, Vcpus};
use crate::error::{Error, ErrorCode, Result};
use crate::xml::{Element, Writer};

/// The groups, in the document's order.
pub type ResourceControl = Vec<ControlGroup>;

/// What a group of processors gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ControlGroup {
    /// The processors.
    pub vcpus: Bitmap,
    /// `<cache>` elements, by level, type and id.
    pub caches: Vec<Element>,
    /// `<node>` elements, by id.
    pub nodes: Vec<Element>,
    /// `<monitor>` elements of `<cachetune>`.
    pub cache_monitors: Vec<Element>,
    /// `<monitor>` elements of `<memorytune>`.
    pub memory_monitors: Vec<Element>,
}

/// Reads both families; as in libvirt, the caches come first.
pub(super) fn parse(root: &Element, vcpus: &Vcpus) -> Result<ResourceControl> {
    let mut groups = ResourceControl::new();
    for element in all(root, "cputune", "cachetune") {
        let Some(set) = group_set(element, vcpus)? else { continue };
        let caches = caches(element)?;
        let existing = find(&groups, element, &set)?;
        if existing.is_some() {
            return Err(element.error("Identical vcpus in cachetunes found"));
        }
        let cache_monitors = monitors(element, &set, true)?;
        if !caches.is_empty() || !cache_monitors.is_empty() {
            groups.push(ControlGroup {
                vcpus: set,
                caches,
                cache_monitors,
                ..ControlGroup::default()
            });
        }
    }
    for element in all(root, "cputune", "memorytune") {
        add_memory(&mut groups, element, vcpus)?;
    }
    Ok(groups)
}

fn add_memory(groups: &mut ResourceControl, element: &Element, vcpus: &Vcpus) -> Result<()> {
    let Some(set) = group_set(element, vcpus)? else { return Ok(()) };
    let existing = find(groups, element, &set)?;
    let mut nodes =
        existing.and_then(|at| groups.get(at)).map(|group| group.nodes.clone()).unwrap_or_default();
    add_nodes(element, &mut nodes)?;
    let monitors = monitors(element, &set, false)?;
    if nodes.is_empty() && monitors.is_empty() {
        return Ok(());
    }
    match existing.and_then(|at| groups.get_mut(at)) {
        Some(group) => {
            group.nodes = nodes;
            group.memory_monitors.extend(monitors);
        }
        None => groups.push(ControlGroup {
            vcpus: set,
            nodes,
            memory_monitors: monitors,
            ..ControlGroup::default()
        }),
    }

    Ok(())
}

/// The processors of a group without those that there are not; None when none is left.
fn group_set(element: &Element, vcpus: &Vcpus) -> Result<Option<Bitmap>> {
    let name = &element.name;
    let Some(text) = element.attr("vcpus") else {
        return Err(element.error(format_args!("Missing {name} attribute 'vcpus'")));
    };
    let Some(set) = Bitmap::parse(text) else {
        return Err(element.error(format_args!("Invalid {name} attribute 'vcpus' value '{text}'")));
    };
    Ok(Some(set.below(vcpus.maximum)).filter(|set| !set.is_empty()))
}

/// The group of exactly these processors.
fn find(groups: &[ControlGroup], element: &Element, set: &Bitmap) -> Result<Option<usize>> {
    let existing = groups.iter().position(|group| group.vcpus == *set);
    match existing.is_none() && groups.iter().any(|group| group.vcpus.overlaps(set)) {
        true => Err(element.error("Overlapping vcpus in resctrls")),
        false => Ok(existing),
    }
}

fn caches(element: &Element) -> Result<Vec<Element>> {
    const TYPES: &[&str] = &["both", "code", "data"];
    const CACHE: Shape = Shape::new(
        "cache",
        &[
            attr("id", Kind::Number).required(),
            attr("level", Kind::Number).required(),
            attr("type", Kind::Word(TYPES)).required(),
        ],
    );
    let mut caches: Vec<(u32, usize, u32, Element)> = Vec::new();
    for found in element.children_named("cache") {
        let Some(mut kept) = CACHE.read(found)? else { continue };
        let value = |name| kept.attr(name).and_then(number).unwrap_or(0);
        let kind = kept.attr("type").unwrap_or_default();
        let (id, level) = (value("id"), value("level"));
        let order = TYPES.iter().position(|word| *word == kind).unwrap_or(0);
        let collides = |(other_level, other, other_id, _): &(u32, usize, u32, Element)| {
            (*other_level, *other_id) == (level, id)
                && (*other == order || *other == 0 || order == 0)
        };
        if caches.iter().any(collides) {
            return Err(found.error(format_args!(
                "Colliding cache allocations for cache level '{level}' id '{id}', type '{kind}'"
            )));
        }
        let (size, unit) = split_bytes(bytes(found, "size", "unit")?);
        kept.attributes.push(("size".to_owned(), size.to_string()));
        kept.attributes.push(("unit".to_owned(), unit.to_owned()));
        caches.push((level, order, id, kept));
    }
    caches.sort_by_key(|(level, order, id, _)| (*level, *order, *id));
    Ok(caches.into_iter().map(|(.., kept)| kept).collect())
}

fn add_nodes(element: &Element, nodes: &mut Vec<Element>) -> Result<()> {
    for found in element.children_named("node") {
        let id: u32 = required(found, "id", number_attr(found, "id")?)?;
        let bandwidth: u32 = required(found, "bandwidth", number_attr(found, "bandwidth")?)?;
        if bandwidth > 100 {
            let text = bandwidth.to_string();
            let expected = "Memory Bandwidth value exceeding 100 is invalid.";
            return Err(bad_value(found, "bandwidth", &text, expected));
        }
        let attributes = [("id", id.to_string()), ("bandwidth", bandwidth.to_string())];
        let kept = shape::element("node", &attributes, Vec::new());
        if nodes.iter().any(|other| other.attr("id") == kept.attr("id")) {
            let detail = format_args!("Memory Bandwidth already defined for node {id}");
            return Err(found.error(detail));
        }
        nodes.push(kept);
    }
    nodes.sort_by_key(|node| node.attr("id").and_then(number::<u32>));
    Ok(())
}

/// The monitors of a group: of all its processors, or of some that no other monitor has.
fn monitors(element: &Element, group: &Bitmap, of_cache: bool) -> Result<Vec<Element>> {
    let mut seen: Vec<Bitmap> = Vec::new();
    let mut kept = Vec::new();
    for monitor in element.children_named("monitor") {
        let level = monitor_level(monitor, of_cache)?;
        let Some(text) = monitor.attr("vcpus") else {
            return Err(monitor.error("Missing monitor attribute 'vcpus'"));
        };
        let Some(set) = Bitmap::parse(text) else {
            return Err(
                monitor.error(format_args!("Invalid monitor attribute 'vcpus' value '{text}'"))
            );
        };
        let conflict = match () {
            () if !set.is_subset(group) => Some("Monitor vcpus conflicts with allocation"),
            () if seen.contains(&set) => Some("Identical vcpus found in same type monitors"),
            () if set != *group
                && seen.iter().any(|other| other != group && other.overlaps(&set)) =>
            {
                Some("vcpus overlaps in resctrl groups")
            }
            () => None,
        };
        if let Some(detail) = conflict {
            let detail = format_args!("{detail}: '{text}'");
            return Err(Error::in_document(ErrorCode::InvalidArg, monitor.line, detail));
        }
        let level = level.map(|level| ("level", level.to_string()));
        let attributes: Vec<_> = level.into_iter().chain([("vcpus", set.to_string())]).collect();
        kept.push(shape::element("monitor", &attributes, Vec::new()));
        seen.push(set);
    }
    Ok(kept)
}

fn monitor_level(monitor: &Element, of_cache: bool) -> Result<Option<u32>> {
    if !of_cache {
        return Ok(None);
    }
    match required(monitor, "level", number_attr(monitor, "level")?)? {
        3 => Ok(Some(3)),
        level => Err(monitor
            .error(format_args!("Invalid monitor cache level '{level}': only 3 is monitored"))),
    }
}

pub(super) fn format(w: &mut Writer, groups: &[ControlGroup]) {
    for group in groups {
        format_group(w, "cachetune", group, [&group.caches, &group.cache_monitors]);
    }
    for group in groups {
        format_group(w, "memorytune", group, [&group.nodes, &group.memory_monitors]);
    }
}

fn format_group(w: &mut Writer, name: &str, group: &ControlGroup, parts: [&Vec<Element>; 2]) {
    if parts.iter().all(|part| part.is_empty()) {
        return;
    }
    w.open(name, &[("vcpus", &group.vcpus.to_string())]);
    parts.into_iter().flatten().for_each(|element| shape::format(w, element));
    w.close();
}

#[cfg(test)]
mod tests {
    use super::super::samples::{fault, printed};

    fn tuned(inside: &str) -> String {
        format!("<vcpu>8</vcpu><cputune>{inside}</cputune>")
    }

    #[test]
    fn parts_are_sorted_and_processors_that_are_not_there_cut() {
        let text = "<memorytune vcpus='0'><node id='1' bandwidth='60'/></memorytune>\
                    <memorytune vcpus='0'><node id='0' bandwidth='1'/></memorytune>\
                    <cachetune vcpus='7-9'><cache id='0' level='3' type='data' size='7'/>\
                    <cache id='0' level='3' type='code' size='1000' unit='MB'/>\
                    <monitor level='3' vcpus='7'/></cachetune>\
                    <cachetune vcpus='8'/><cachetune vcpus='1'/>";
        assert_eq!(
            printed(&tuned(text))[2..],
            [
                "    <cachetune vcpus='7'>",
                "      <cache id='0' level='3' type='code' size='1000000000' unit='B'/>",
                "      <cache id='0' level='3' type='data' size='7' unit='KiB'/>",
                "      <monitor level='3' vcpus='7'/>",
                "    </cachetune>",
                "    <memorytune vcpus='0'>",
                "      <node id='0' bandwidth='1'/>",
                "      <node id='1' bandwidth='60'/>",
                "    </memorytune>",
                "  </cputune>",
            ]
        );
    }

    #[test]
    fn faults() {
        let cache = "<cache id='0' level='3' type='both' size='1'/>";
        let cases = [
            (format!("<cachetune vcpus='0'>{cache}{cache}</cachetune>"), "Colliding"),
            (
                format!(
                    "<cachetune vcpus='0-1'>{cache}</cachetune>\
                     <cachetune vcpus='1-2'>{cache}</cachetune>"
                ),
                "Overlapping vcpus",
            ),
            (
                "<memorytune vcpus='0'><node id='0' bandwidth='101'/></memorytune>".to_owned(),
                "exceeding 100",
            ),
            (
                "<memorytune vcpus='0'><monitor vcpus='1'/></memorytune>".to_owned(),
                "conflicts with allocation: '1'",
            ),
        ];
        for (text, expected) in cases {
            let message = fault(&tuned(&text)).message;
            assert!(message.contains(expected), "{message}");
        }
    }
}
