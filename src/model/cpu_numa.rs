//! `<cpu><numa>`: the memory cells of a virtual machine; without effect on containers.

use std::collections::{BTreeMap, HashSet};

use super::read::{first, internal, number_attr, required};
use super::shape::{self, Kind, Shape, YES_NO, attr};
use super::{Bitmap, Vcpus, memory};
use crate::error::Result;
use crate::xml::{Element, Node};

/// A cell: its processors, and the element as it is written.
struct Cell {
    vcpus: Option<Bitmap>,
    element: Element,
}

/// What is kept of the first `<numa>` of each `<cpu>`, which count as one.
pub(super) fn parse(root: &Element, vcpus: &Vcpus) -> Result<Option<Element>> {
    let Some(first) = first(root, "cpu", "numa") else { return Ok(None) };
    let firsts = root.children_named("cpu").filter_map(|cpu| cpu.child("numa"));
    let children = firsts.flat_map(|numa| numa.children.iter().cloned());
    let numa = &Element { children: children.collect(), ..first.clone() };
    let count = numa.children_named("cell").count();
    if count == 0 {
        return Err(numa.error("NUMA topology defined without NUMA cells"));
    }
    let distances = distances(numa, count)?;
    let mut cells: Vec<Option<Cell>> = std::iter::repeat_with(|| None).take(count).collect();
    for (position, element) in numa.children_named("cell").enumerate() {
        let id = number_attr(element, "id")?.map_or(position, |id: u32| id as usize);
        let Some(slot) = cells.get_mut(id) else {
            return Err(element.error(
                "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or \
                 ranges not starting from 0 are not allowed",
            ));
        };
        if slot.is_some() {
            let detail = format_args!("Duplicate NUMA cell info for cell id '{id}'");
            return Err(element.error(detail));
        }
        *slot = Some(Cell::parse(element, id, distances.get(&id))?);
    }
    let cells: Vec<Cell> = cells.into_iter().flatten().collect();
    check_processors(numa, &cells, vcpus)?;
    let interconnects = interconnects(numa, &cells)?;
    let mut children: Vec<_> = cells.into_iter().map(|cell| cell.element).collect();
    children.extend(interconnects);
    Ok(Some(shape::element("numa", &[], children)))
}

/// Ways lead from cells with processors to cells or their caches; each is given once.
fn interconnects(numa: &Element, cells: &[Cell]) -> Result<Option<Element>> {
    let Some(mut kept) = INTERCONNECTS.read_one(numa)? else { return Ok(None) };
    kept.children.iter_mut().for_each(|node| match node {
        Node::Element(way) => {
            way.attributes.retain(|(name, value)| name != "cache" || value != "0")
        }
        Node::Text(_) | Node::Comment(_) => {}
    });
    for way in kept.elements() {
        check_way(numa, way, cells)?;
    }
    let way = |element: &Element| {
        ["initiator", "target", "cache", "type"].map(|name| element.attr(name).map(str::to_owned))
    };
    let mut seen = HashSet::new();
    for element in kept.elements() {
        let key = (element.name.clone(), way(element));
        if !seen.insert(key) {
            return Err(numa.error("Duplicate info for NUMA latencies"));
        }
    }
    Ok(Some(kept))
}

fn check_way(numa: &Element, way: &Element, cells: &[Cell]) -> Result<()> {
    let end = |name: &str| {
        let id = way.attr(name).unwrap_or_default();
        id.parse().ok().and_then(|id: usize| cells.get(id)).ok_or_else(|| {
            numa.error(format_args!(
                "'{name}' refers to a non-existent NUMA node: there is no '{id}'"
            ))
        })
    };
    let (initiator, target) = (end("initiator")?, end("target")?);
    if initiator.vcpus.is_none() {
        return Err(numa.error("NUMA nodes without CPUs can't be initiator"));
    }
    let has_cache = |level: &str| {
        target.element.children_named("cache").any(|cache| cache.attr("level") == Some(level))
    };
    match way.attr("cache").filter(|level| !has_cache(level)) {
        None => Ok(()),
        Some(level) => Err(numa.error(format_args!(
            "'cache' refers to a non-existent NUMA node cache: the target has none of level {level}"
        ))),
    }
}

const INTERCONNECTS: Shape = Shape::new("interconnects", &[]).with(&[
    Shape::new(
        "latency",
        &[
            attr("initiator", Kind::Number).required(),
            attr("target", Kind::Number).required(),
            attr("cache", Kind::Number),
            attr("type", Kind::Word(&["access", "read", "write"])).required(),
            attr("value", Kind::Long).required(),
        ],
    )
    .many(),
    Shape::new(
        "bandwidth",
        &[
            attr("initiator", Kind::Number).required(),
            attr("target", Kind::Number).required(),
            attr("cache", Kind::Number),
            attr("type", Kind::Word(&["access", "read", "write"])).required(),
            attr("value", Kind::Long).required(),
            attr("unit", Kind::Text).or("KiB"),
        ],
    )
    .many(),
]);

fn check_processors(numa: &Element, cells: &[Cell], vcpus: &Vcpus) -> Result<()> {
    let mut taken = Bitmap::default();
    for (id, cell) in cells.iter().enumerate() {
        let Some(set) = &cell.vcpus else { continue };
        if taken.overlaps(set) {
            let mut before = cells.iter().take(id).map(|cell| cell.vcpus.as_ref());
            let other = before.position(|other| other.is_some_and(|other| other.overlaps(set)));
            return Err(numa.unsupported(format_args!(
                "NUMA cells {id} and {} have overlapping vCPU ids",
                other.unwrap_or(id)
            )));
        }
        taken.add(set);
    }
    let highest = taken.iter().last().map_or(0, |last| last + 1);
    match highest > vcpus.maximum {
        true => Err(internal(numa, "Number of CPUs in <numa> exceeds the <vcpu> count")),
        false => Ok(()),
    }
}

impl Cell {
    fn parse(element: &Element, id: usize, distances: Option<&Row>) -> Result<Self> {
        const CELL: Shape = Shape::new(
            "cell",
            &[
                attr("memAccess", Kind::Word(&["shared", "private"])),
                attr("discard", Kind::Word(YES_NO)),
            ],
        );
        const CACHE: Shape = Shape::new(
            "cache",
            &[
                attr("level", Kind::Positive).required(),
                attr("associativity", Kind::Word(&["none", "direct", "full"])).required(),
                attr("policy", Kind::Word(&["none", "writeback", "writethrough"])).required(),
            ],
        );
        let vcpus = Bitmap::attr(element, "cpus")?.filter(|set| !set.is_empty());
        let size = memory::bytes(element, "memory", "unit")?.div_ceil(1024);
        let mut attributes = vec![("id", id.to_string())];
        attributes.extend(vcpus.as_ref().map(|set| ("cpus", set.to_string())));
        attributes.extend([("memory", size.to_string()), ("unit", "KiB".to_owned())]);
        let mut kept = shape::element("cell", &attributes, Vec::new());
        kept.attributes.extend(CELL.read(element)?.unwrap_or_default().attributes);
        kept.children.extend(distances.map(siblings).map(Node::Element));
        for cache in element.children_named("cache") {
            let Some(mut copy) = CACHE.read(cache)? else { continue };
            check_level(cache, &copy, &kept)?;
            copy.attributes.retain(|(_, value)| value != "none");
            copy.children.push(Node::Element(cache_part(cache, "size", "KiB")?));
            let line = cache_part(cache, "line", "B")?;
            copy.children.extend(Some(line).filter(has_value).map(Node::Element));
            kept.children.push(Node::Element(copy));
        }
        Ok(Self { vcpus, element: kept })
    }
}

/// There are three levels, and each cell has one cache of each.
fn check_level(cache: &Element, read: &Element, cell: &Element) -> Result<()> {
    let level = read.attr("level").unwrap_or_default();
    if !["1", "2", "3"].contains(&level) {
        return Err(cache.error(format_args!("invalid cache level '{level}': expected 1, 2 or 3")));
    }
    match cell.children_named("cache").any(|other| other.attr("level") == Some(level)) {
        true => Err(cache.error(format_args!("Cache level '{level}' already defined"))),
        false => Ok(()),
    }
}

/// A number with the unit it is written with; as in libvirt, the unit it was given with is not read.
fn cache_part(cache: &Element, name: &str, unit: &str) -> Result<Element> {
    let missing = || cache.error(format_args!("missing element or attribute './{name}/@value'"));
    let part = cache.child(name).filter(|part| part.attr("value").is_some()).ok_or_else(missing)?;
    let number = memory::bytes(part, "value", "")?.div_ceil(1024);
    let attributes = [("value", number.to_string()), ("unit", unit.to_owned())];
    Ok(shape::element(name, &attributes, Vec::new()))
}

fn has_value(part: &Element) -> bool {
    part.attr("value") != Some("0")
}

/// The distances of a cell to others, by their numbers.
type Row = BTreeMap<usize, u32>;

/// Distances of all cells that have any: 10 to itself, up to 255 to others. What is given for one
/// direction only holds for the other as well.
fn distances(numa: &Element, count: usize) -> Result<BTreeMap<usize, Row>> {
    let mut rows: BTreeMap<usize, Row> = BTreeMap::new();
    for (position, cell) in numa.children_named("cell").enumerate() {
        let id = number_attr(cell, "id")?.map_or(position, |id: u32| id as usize);
        let Some(distances) = cell.child("distances") else { continue };
        let mut siblings = distances.children_named("sibling").peekable();
        if siblings.peek().is_none() {
            return Err(distances.error("NUMA distances defined without siblings"));
        }
        for sibling in siblings {
            let (other, value) = distance(sibling, id, count)?;
            rows.entry(id).or_default().insert(other, value);
            rows.entry(id).or_default().entry(id).or_insert(10);
            rows.entry(other).or_default().entry(other).or_insert(10);
            rows.entry(other).or_default().entry(id).or_insert(value);
        }
    }
    Ok(rows)
}

fn distance(sibling: &Element, id: usize, count: usize) -> Result<(usize, u32)> {
    let other: u32 = required(sibling, "id", number_attr(sibling, "id")?)?;
    let value: u32 = required(sibling, "value", number_attr(sibling, "value")?)?;
    let other = other as usize;
    if other >= count {
        return Err(sibling.error(format_args!(
            "'sibling_id {other}' does not refer to a valid cell within NUMA 'cell id {id}'"
        )));
    }
    match (10..=255).contains(&value) && (value == 10) == (other == id) {
        true => Ok((other, value)),
        false => Err(sibling.error(format_args!(
            "'value {value}' is invalid for 'sibling id {other}' under NUMA 'cell id {id}': \
             expected 10 for itself, 11 to 255 for others"
        ))),
    }
}

fn siblings(row: &Row) -> Element {
    let siblings = row.iter().map(|(other, value)| {
        let attributes = [("id", other.to_string()), ("value", value.to_string())];
        shape::element("sibling", &attributes, Vec::new())
    });
    shape::element("distances", &[], siblings.collect())
}
