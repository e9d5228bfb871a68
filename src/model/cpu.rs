//! `<cpu>`: the processor of a virtual machine; without effect on containers.

use std::collections::HashSet;

use super::Vcpus;
use super::read::number;
use super::shape::{self, Kind, ON_OFF, Shape, attr};
use crate::error::Result;
use crate::xml::{Element, Writer};

/// What is kept of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cpu {
    /// The element as it is written; None when nothing is left of it.
    pub element: Option<Element>,
    /// How many cells of memory the guest has.
    pub cells: usize,
    /// The memory of all cells, in KiB.
    pub memory: u64,
}

const MODES: &[&str] = &["custom", "host-model", "host-passthrough", "maximum"];

impl Cpu {
    pub(super) fn parse(root: &Element, vcpus: &Vcpus) -> Result<Self> {
        let (attributes, mut children) = match root.child("cpu") {
            Some(element) => parts(element)?,
            None => return Ok(Self::default()),
        };
        let numa = super::cpu_numa::parse(root, vcpus)?;
        let cells = || numa.iter().flat_map(|numa| numa.children_named("cell"));
        let memory = cells().filter_map(|cell| number::<u64>(cell.attr("memory")?));
        let (cells, memory) = (cells().count(), memory.fold(0, u64::saturating_add));
        children.extend(numa);
        let is_nothing = attributes.is_empty() && children.is_empty();
        let element = (!is_nothing).then(|| shape::element("cpu", &attributes, children));
        Ok(Self { element, cells, memory })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if let Some(element) = &self.element {
            shape::format(w, element);
        }
    }
}

type Attributes = Vec<(&'static str, String)>;

/// The attributes and the children without `<numa>`.
fn parts(element: &Element) -> Result<(Attributes, Vec<Element>)> {
    let mode = mode(element)?;
    let (model, is_named) = model(element, mode)?;
    let mut attributes = attributes(element, mode, is_named)?;
    let mut children = Vec::new();
    children.extend(model);
    children.extend(vendor(element, is_named)?.filter(|_| has_model(mode)));
    for shape in PARTS {
        children.extend(shape.read_one(element)?);
    }
    if let Some(topology) = children.iter().find(|child| child.name == "topology") {
        check_topology(element, topology)?;
    }
    check_cache(element)?;
    children.extend(features(element, mode, is_named)?);
    if mode == "custom" && !is_named {
        attributes.clear();
    }
    Ok((attributes, children))
}

/// The parts that are no more than attributes.
const PARTS: &[Shape] = &[
    Shape::new(
        "topology",
        &[
            attr("sockets", Kind::Positive).required(),
            attr("dies", Kind::Positive).or("1"),
            attr("cores", Kind::Positive).required(),
            attr("threads", Kind::Positive).required(),
        ],
    ),
    Shape::new(
        "cache",
        &[
            attr("level", Kind::Number),
            attr("mode", Kind::Word(&["emulate", "passthrough", "disable"])).required(),
        ],
    ),
    Shape::new(
        "maxphysaddr",
        &[
            attr("mode", Kind::Word(&["emulate", "passthrough"])).required(),
            attr("bits", Kind::Number),
        ],
    ),
];

/// Whether a model and its vendor are kept; other modes check and forget them.
fn has_model(mode: &str) -> bool {
    ["custom", "host-model"].contains(&mode)
}

fn mode(element: &Element) -> Result<&str> {
    let mode = element.attr("mode").unwrap_or("custom");
    match MODES.contains(&mode) {
        true => Ok(mode),
        false => Err(element.unsupported(format_args!(
            "Invalid mode attribute '{mode}': expected one of {}",
            MODES.join(", ")
        ))),
    }
}

fn attributes(element: &Element, mode: &str, is_named: bool) -> Result<Attributes> {
    const ATTRIBUTES: Shape = Shape::new(
        "cpu",
        &[
            attr("match", Kind::Word(&["minimum", "exact", "strict"])),
            attr("check", Kind::Word(&["default", "none", "partial", "full"])),
            attr("migratable", Kind::Word(ON_OFF)),
        ],
    );
    let read = ATTRIBUTES.read(element)?.unwrap_or_default();
    let given = |name| read.attr(name).filter(|&value| value != "default");
    let value = |name: &'static str| given(name).map(|value| (name, value.to_owned()));
    if value("migratable").is_some() && !["host-passthrough", "maximum"].contains(&mode) {
        return Err(element.unsupported(
            "Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode",
        ));
    }
    if mode == "custom" && !is_named && value("check").is_some() {
        return Err(element.unsupported("check attribute specified for CPU with no model"));
    }
    let mut attributes = vec![("mode", mode.to_owned())];
    if mode == "custom" {
        attributes.push(value("match").unwrap_or(("match", "exact".to_owned())));
    }
    attributes.extend(value("check"));
    attributes.extend(value("migratable"));
    Ok(attributes)
}

/// The model as it is written, and whether it has a name.
fn model(element: &Element, mode: &str) -> Result<(Option<Element>, bool)> {
    let Some(found) = element.child("model") else { return Ok((None, false)) };
    let name = found.text();
    if !has_model(mode) {
        return Ok((None, !name.is_empty()));
    }
    let fallback = found.attr("fallback").unwrap_or("allow");
    if !["allow", "forbid"].contains(&fallback) {
        return Err(found.unsupported(format_args!(
            "Invalid fallback attribute '{fallback}': expected allow or forbid"
        )));
    }
    let vendor_id = found.attr("vendor_id");
    if vendor_id.is_some_and(|id| id.len() != 12) {
        return Err(found.error("vendor_id must be exactly 12 characters long"));
    }
    if vendor_id.is_some_and(|id| id.contains(',')) {
        return Err(found.error("vendor id is invalid: it contains a comma"));
    }
    let mut attributes = Vec::new();
    if !name.is_empty() {
        attributes.push(("fallback", fallback.to_owned()));
    }
    attributes.extend(vendor_id.map(|id| ("vendor_id", id.to_owned())));
    let is_named = !name.is_empty();
    let kept = match is_named {
        true => Some(shape::leaf("model", &attributes, name)),
        false if attributes.is_empty() => None,
        false => Some(shape::element("model", &attributes, Vec::new())),
    };
    Ok((kept, is_named))
}

fn vendor(element: &Element, is_named: bool) -> Result<Option<Element>> {
    match element.child_text("vendor") {
        Some(_) if !is_named => Err(element.error("CPU vendor specified without CPU model")),
        vendor => Ok(vendor.map(|vendor| shape::leaf("vendor", &[], vendor))),
    }
}

/// The processors must be countable.
fn check_topology(element: &Element, topology: &Element) -> Result<()> {
    let counts = topology.attributes.iter().filter_map(|(_, value)| number::<u32>(value));
    match counts.into_iter().try_fold(1_u32, u32::checked_mul) {
        Some(_) => Ok(()),
        None => Err(element
            .unsupported(format_args!("cpu topology results in more than {} cpus", u32::MAX))),
    }
}

fn check_cache(element: &Element) -> Result<()> {
    let Some(cache) = element.child("cache") else { return Ok(()) };
    if let Some(second) = element.children_named("cache").nth(1) {
        return Err(second.error("at most one CPU cache element may be specified"));
    }
    match cache.attr("level").and_then(number::<u32>) {
        Some(level) if !(1..=3).contains(&level) => {
            Err(cache
                .error(format_args!("invalid CPU cache level '{level}', must be in range [1,3]")))
        }
        _ => Ok(()),
    }
}

fn features(element: &Element, mode: &str, is_named: bool) -> Result<Vec<Element>> {
    const POLICIES: &[&str] = &["force", "require", "optional", "disable", "forbid"];
    let mut features: Vec<Element> = Vec::new();
    let mut names = HashSet::new();
    for feature in element.children_named("feature") {
        if mode == "custom" && !is_named {
            return Err(element.error("Non-empty feature list specified without CPU model"));
        }
        let policy = feature.attr("policy").unwrap_or("require");
        if !POLICIES.contains(&policy) {
            return Err(feature.unsupported(format_args!(
                "Invalid CPU feature policy '{policy}': expected one of {}",
                POLICIES.join(", ")
            )));
        }
        let Some(name) = feature.attr("name").filter(|name| !name.is_empty()) else {
            return Err(feature.error("Invalid CPU feature name: expected name='...'"));
        };
        if !names.insert(name) {
            let detail = format_args!("CPU feature '{name}' specified more than once");
            return Err(feature.error(detail));
        }
        let attributes = [("policy", policy.to_owned()), ("name", name.to_owned())];
        features.push(shape::element("feature", &attributes, Vec::new()));
    }
    Ok(features)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};

    #[test]
    fn what_names_no_model_is_dropped() {
        for text in ["<cpu/>", "<cpu mode='custom' match='strict'/>", "<cpu><model/></cpu>"] {
            assert!(printed(text).is_empty(), "{text}");
        }
        assert_eq!(printed("<cpu mode='host-model'/>"), ["  <cpu mode='host-model'/>"]);
    }

    #[test]
    fn models_are_kept_in_libvirts_order() {
        let text = "<cpu><feature name='x'/><topology cores='2' sockets='1' threads='1'/>\
                    <vendor>V</vendor><model>m</model></cpu>";
        assert_eq!(
            printed(text),
            [
                "  <cpu mode='custom' match='exact'>",
                "    <model fallback='allow'>m</model>",
                "    <vendor>V</vendor>",
                "    <topology sockets='1' dies='1' cores='2' threads='1'/>",
                "    <feature policy='require' name='x'/>",
                "  </cpu>",
            ]
        );
    }

    #[test]
    fn cells_are_kept_and_counted() {
        let text = "<cpu><numa><cell memory='1' unit='MiB' cpus='0'/></numa></cpu>";
        assert_eq!(parse(text).cpu.cells, 1);
        assert_eq!(printed(text)[2], "      <cell id='0' cpus='0' memory='1024' unit='KiB'/>");
    }

    #[test]
    fn distances_hold_in_both_directions() {
        let text = "<vcpu>2</vcpu><cpu><numa><cell memory='1'><distances><sibling id='1' \
                    value='21'/></distances></cell><cell memory='1'/></numa></cpu>";
        let lines = printed(text);
        let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        assert_eq!((count("value='21'"), count("value='10'")), (2, 2), "{lines:?}");
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<cpu mode='x'/>",
                "unsupported configuration: line 2: Invalid mode attribute 'x': expected one of \
                 custom, host-model, host-passthrough, maximum",
            ),
            (
                "<cpu><feature name='x'/></cpu>",
                "XML error: line 2: Non-empty feature list specified without CPU model",
            ),
            (
                "<cpu><numa><cell cpus='0-9' memory='1'/></numa></cpu>",
                "internal error: line 2: Number of CPUs in <numa> exceeds the <vcpu> count",
            ),
        ]);
    }
}
