//! Families of which a container honours nothing and that need little more than their shape:
//! `<memoryBacking>`, `<pm>`, `<perf>`, `<keywrap>`, `<launchSecurity>`.

use super::digits::hexadecimal;
use super::read::{all, detail, internal, number};
use super::shape::{self, Kind, ON_OFF, Shape, YES_NO, attr};
use super::{Bitmap, memory};
use crate::error::Result;
use crate::xml::{Element, Node};

/// `<memoryBacking>`: what memory is made of, for a guest with so many cells.
pub(super) fn memory_backing(root: &Element, guest_cells: usize) -> Result<Option<Element>> {
    let find = |name| super::read::first(root, "memoryBacking", name);
    let mut children = Vec::new();
    children.extend(huge_pages(root, guest_cells)?);
    for name in ["nosharepages", "locked"] {
        children.extend(find(name).map(|_| shape::element(name, &[], Vec::new())));
    }
    for (name, attribute, words) in [
        ("source", "type", &["file", "anonymous", "memfd"][..]),
        ("access", "mode", &["shared", "private"]),
        ("allocation", "mode", &["immediate", "ondemand"]),
    ] {
        let Some(element) = find(name) else { continue };
        let mut attributes = Vec::new();
        match element.attr(attribute).filter(|word| !word.is_empty()) {
            Some(word) if !words.contains(&word) => {
                let words = words.join(", ");
                return Err(element.unsupported(format_args!(
                    "unknown memoryBacking/{name}/{attribute} '{word}': expected one of {words}"
                )));
            }
            word => attributes.extend(word.map(|word| (attribute, word.to_owned()))),
        }
        if name == "allocation"
            && let Some(text) = element.attr("threads")
        {
            let threads: u32 = number(text).ok_or_else(|| {
                element.error(format_args!(
                    "Failed to parse memory allocation threads '{text}': expected a number"
                ))
            })?;
            attributes.extend(Some(("threads", threads.to_string())).filter(|_| threads != 0));
        }
        if !attributes.is_empty() {
            children.push(shape::element(name, &attributes, Vec::new()));
        }
    }
    children.extend(find("discard").map(|_| shape::element("discard", &[], Vec::new())));
    Ok(Some(children)
        .filter(|children| !children.is_empty())
        .map(|children| shape::element("memoryBacking", &[], children)))
}

/// `<hugepages>`: sizes of pages, each for some cells of the guest or for all others.
fn huge_pages(root: &Element, guest_cells: usize) -> Result<Option<Element>> {
    if super::read::first(root, "memoryBacking", "hugepages").is_none() {
        return Ok(None);
    }
    let elements = all(root, "memoryBacking", "hugepages");
    let mut pages: Vec<(Option<Bitmap>, u64)> = Vec::new();
    for page in elements.flat_map(|element| element.children_named("page")) {
        let size = memory::bytes(page, "size", "unit")?.div_ceil(1024);
        if size == 0 {
            return Err(detail(page, "hugepage size can't be zero"));
        }
        let nodes = Bitmap::filled_attr(page, "nodeset")?;
        // Without cells the whole guest is node 0.
        let nodes = nodes.filter(|nodes| guest_cells != 0 || *nodes != Bitmap::from_iter([0]));
        check_nodes(page, &pages, nodes.as_ref(), size, guest_cells)?;
        pages.push((nodes, size));
    }
    let pages = pages.into_iter().map(|(nodes, size)| {
        let nodes = nodes.map(|nodes| ("nodeset", nodes.to_string()));
        let size = [("size", size.to_string()), ("unit", "KiB".to_owned())];
        shape::element("page", &size.into_iter().chain(nodes).collect::<Vec<_>>(), Vec::new())
    });
    Ok(Some(shape::element("hugepages", &[], pages.collect())))
}

fn check_nodes(
    page: &Element,
    pages: &[(Option<Bitmap>, u64)],
    nodes: Option<&Bitmap>,
    size: u64,
    guest_cells: usize,
) -> Result<()> {
    let missing = nodes.and_then(|nodes| nodes.iter().find(|&node| node as usize >= guest_cells));
    if let Some(node) = missing {
        return Err(detail(page, format_args!("hugepages: node {node} not found")));
    }
    for (other, other_size) in pages {
        match (nodes, other) {
            (None, None) => {
                let text = format!("two master hugepages detected: {size} and {other_size}");
                return Err(detail(page, text));
            }
            (Some(nodes), Some(other)) if nodes.overlaps(other) => {
                let text = format!("nodeset of hugepages {size} and {other_size} overlap");
                return Err(detail(page, text));
            }
            _ => {}
        }
    }
    Ok(())
}

/// `<pm>`: ways to sleep.
pub(super) fn power(root: &Element) -> Result<Option<Element>> {
    const STATES: &[Shape] = &[
        Shape::new("suspend-to-mem", &[attr("enabled", Kind::Word(YES_NO))]),
        Shape::new("suspend-to-disk", &[attr("enabled", Kind::Word(YES_NO))]),
    ];
    let mut states = Vec::new();
    for shape in STATES {
        let Some(element) = super::read::first(root, "pm", shape.name()) else { continue };
        states.extend(shape.read(element)?);
    }
    Ok(group("pm", states))
}

/// libvirt's events, in the order they are written in.
const EVENTS: &[&str] = &[
    "cmt",
    "mbmt",
    "mbml",
    "cpu_cycles",
    "instructions",
    "cache_references",
    "cache_misses",
    "branch_instructions",
    "branch_misses",
    "bus_cycles",
    "stalled_cycles_frontend",
    "stalled_cycles_backend",
    "ref_cpu_cycles",
    "cpu_clock",
    "task_clock",
    "page_faults",
    "context_switches",
    "cpu_migrations",
    "page_faults_min",
    "page_faults_maj",
    "alignment_faults",
    "emulation_faults",
];

/// `<perf>`: events to count.
pub(super) fn perf(root: &Element) -> Result<Option<Element>> {
    const EVENT: Shape = Shape::new(
        "event",
        &[
            attr("name", Kind::Word(EVENTS)).required(),
            attr("enabled", Kind::Word(YES_NO)).required(),
        ],
    );
    let twice = |element: &Element, name: &str| {
        element.error(format_args!("perf event '{name}' was already specified"))
    };
    named(root, "perf", &EVENT, EVENTS, twice)
}

/// `<keywrap>`: ciphers.
pub(super) fn key_wrap(root: &Element) -> Result<Option<Element>> {
    const CIPHERS: &[&str] = &["aes", "dea"];
    const CIPHER: Shape = Shape::new(
        "cipher",
        &[
            attr("name", Kind::Word(CIPHERS)).required(),
            attr("state", Kind::Word(ON_OFF)).required(),
        ],
    );
    let twice = |element: &Element, name: &str| {
        let text = "A domain definition can have no more than one cipher node with name";
        internal(element, format_args!("{text} {name}"))
    };
    named(root, "keywrap", &CIPHER, CIPHERS, twice)
}

/// Elements with names, each at most once, in the order of the names.
fn named(
    root: &Element,
    outer: &str,
    shape: &Shape,
    order: &[&str],
    twice: impl Fn(&Element, &str) -> crate::error::Error,
) -> Result<Option<Element>> {
    let mut children: Vec<Element> = Vec::new();
    for element in all(root, outer, shape.name()) {
        let Some(kept) = shape.read(element)? else { continue };
        let name = kept.attr("name");
        if children.iter().any(|other| other.attr("name") == name) {
            return Err(twice(element, name.unwrap_or_default()));
        }
        children.push(kept);
    }
    children.sort_by_key(|child| order.iter().position(|name| child.attr("name") == Some(*name)));
    Ok(group(outer, children))
}

fn group(name: &str, children: Vec<Element>) -> Option<Element> {
    (!children.is_empty()).then(|| shape::element(name, &[], children))
}

/// `<launchSecurity>`: how a machine's memory is encrypted.
pub(super) fn launch_security(root: &Element) -> Result<Option<Element>> {
    const SECURITY: Shape =
        Shape::new("launchSecurity", &[attr("type", Kind::Word(&["sev", "s390-pv"])).required()]);
    const HASHES: Shape = Shape::new("launchSecurity", &[attr("kernelHashes", Kind::Word(YES_NO))]);
    let Some(element) = root.child("launchSecurity") else { return Ok(None) };
    let Some(mut kept) = SECURITY.read(element)? else { return Ok(None) };
    if kept.attr("type") != Some("sev") {
        return Ok(Some(kept));
    }
    kept.attributes.extend(HASHES.read(element)?.unwrap_or_default().attributes);
    let policy = element.child_text("policy").and_then(|text| hexadecimal(&text));
    let Some(policy) = policy.and_then(|policy| u32::try_from(policy).ok()) else {
        return Err(element.error("failed to get launch security policy: expected a hex number"));
    };
    let mut children = Vec::new();
    for name in ["cbitpos", "reducedPhysBits"] {
        let Some(text) = element.child_text(name) else { continue };
        let value: u32 = number(&text).ok_or_else(|| {
            element.error(format_args!(
                "Invalid format for launch security {name} '{text}': expected a number"
            ))
        })?;
        children.push(shape::leaf(name, &[], value.to_string()));
    }
    children.push(shape::leaf("policy", &[], format!("0x{policy:04x}")));
    for name in ["dhCert", "session"] {
        children.extend(element.child_text(name).map(|text| shape::leaf(name, &[], text)));
    }
    kept.children.extend(children.into_iter().map(Node::Element));
    Ok(Some(kept))
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, printed};

    #[test]
    fn families_are_kept_in_libvirts_order() {
        let text = "<memoryBacking><discard/><locked/><allocation threads='5'/><source/>\
                    <hugepages><page size='2' unit='MiB' nodeset='0'/></hugepages></memoryBacking>";
        assert_eq!(
            printed(text)[1..7],
            [
                "    <hugepages>",
                "      <page size='2048' unit='KiB'/>",
                "    </hugepages>",
                "    <locked/>",
                "    <allocation threads='5'/>",
                "    <discard/>",
            ]
        );
        let text =
            "<perf><event name='mbml' enabled='no'/><event name='cmt' enabled='yes'/></perf>";
        assert_eq!(printed(text)[1], "    <event name='cmt' enabled='yes'/>");
        let text = "<keywrap><cipher name='dea' state='on'/></keywrap><keywrap>\
                    <cipher name='aes' state='off'/></keywrap>";
        assert_eq!(printed(text)[1], "    <cipher name='aes' state='off'/>");
        let text =
            "<launchSecurity type='sev'><policy>3</policy><cbitpos>47</cbitpos></launchSecurity>";
        assert_eq!(
            printed(text)[1..3],
            ["    <cbitpos>47</cbitpos>", "    <policy>0x0003</policy>"]
        );
        assert!(printed("<pm/><perf/><keywrap/><memoryBacking/>").is_empty());
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<memoryBacking><access mode='x'/></memoryBacking>",
                "unsupported configuration: line 2: unknown memoryBacking/access/mode 'x': \
                 expected one of shared, private",
            ),
            (
                "<memoryBacking><hugepages><page size='4' nodeset='1'/></hugepages></memoryBacking>",
                "line 2: hugepages: node 1 not found",
            ),
            (
                "<perf><event name='foo'/></perf>",
                &format!(
                    "XML error: line 2: Invalid value for attribute 'name' in element 'event': \
                     'foo'. Expected one of {}",
                    super::EVENTS.join(", ")
                ),
            ),
            (
                "<launchSecurity type='sev'/>",
                "XML error: line 2: failed to get launch security policy: expected a hex number",
            ),
        ]);
    }
}
