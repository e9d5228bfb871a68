//! `<numatune>`: which memory nodes of the host the container uses.

use super::read::{all, first, number_attr, required, words};
use super::{Bitmap, VcpuPlacement, Vcpus};
use crate::error::Result;
use crate::xml::{Element, Writer};

words! {
    /// How memory is taken from nodes.
    pub enum NumaMode {
        /// From these nodes only.
        Strict = "strict",
        /// From these nodes first.
        Preferred = "preferred",
        /// From these nodes in turn.
        Interleave = "interleave",
        /// From nodes the control group allows.
        Restrictive = "restrictive",
    }
}

/// The nodes of the whole container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumaMemory {
    /// How memory is taken.
    pub mode: NumaMode,
    /// From where; None when a placement service chooses.
    pub nodeset: Option<Bitmap>,
}

/// The host's memory nodes for a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NumaTune {
    /// For the whole container.
    pub memory: Option<NumaMemory>,
    /// For single cells of the guest, by number; without effect on containers.
    pub cells: Vec<(u32, NumaMode, Bitmap)>,
}

impl NumaTune {
    /// Reads it for a guest with so many cells. Automatic placement of memory and of processors
    /// go together, so each may turn on the
    /// other, unless the document pins processors.
    pub(super) fn parse(
        root: &Element,
        vcpus: &mut Vcpus,
        is_pinned: bool,
        guest_cells: usize,
    ) -> Result<Self> {
        if let Some(second) = root.children_named("numatune").nth(1) {
            return Err(second.error("only one numatune is supported"));
        }
        let automatic = vcpus.placement == VcpuPlacement::Auto;
        let memory = match first(root, "numatune", "memory") {
            Some(element) => NumaMemory::parse(element, automatic)?,
            None => automatic.then_some(NumaMemory { mode: NumaMode::Strict, nodeset: None }),
        };
        let is_automatic = memory.as_ref().is_some_and(|memory| memory.nodeset.is_none());
        if is_automatic && !is_pinned && vcpus.cpuset.is_none() {
            vcpus.placement = VcpuPlacement::Auto;
        }
        let mode = memory.as_ref().map(|memory| memory.mode);
        let cells = cells(root, mode, guest_cells)?;
        if let Some(element) = first(root, "numatune", "memnode").filter(|_| is_automatic) {
            return Err(element
                .unsupported("Per-node binding is not compatible with automatic NUMA placement."));
        }
        Ok(Self { memory, cells })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if *self == Self::default() {
            return;
        }
        w.open("numatune", &[]);
        if let Some(NumaMemory { mode, nodeset }) = &self.memory {
            let mode = ("mode", mode.as_str());
            match nodeset {
                Some(nodeset) => w.empty("memory", &[mode, ("nodeset", &nodeset.to_string())]),
                None => w.empty("memory", &[mode, ("placement", "auto")]),
            }
        }
        for (cell, mode, nodeset) in &self.cells {
            let attributes = [
                ("cellid", &*cell.to_string()),
                ("mode", mode.as_str()),
                ("nodeset", &nodeset.to_string()),
            ];
            w.empty("memnode", &attributes);
        }
        w.close();
    }
}

impl NumaMemory {
    fn parse(element: &Element, automatic: bool) -> Result<Option<Self>> {
        let (mode, placement) = (element.attr("mode"), element.attr("placement"));
        let nodeset = Bitmap::filled_attr(element, "nodeset")?;
        if mode.is_none() && placement.is_none() && nodeset.is_none() {
            return Ok(None);
        }
        let mode = NumaMode::from_word(mode.unwrap_or("strict")).ok_or_else(|| {
            let mode = mode.unwrap_or_default();
            let words = NumaMode::WORDS.join(", ");
            element.unsupported(format_args!(
                "Unsupported NUMA memory tuning mode '{mode}': expected one of {words}"
            ))
        })?;
        let automatic = match placement {
            None => automatic && nodeset.is_none(),
            Some("auto") => true,
            Some("static") => false,
            Some(other) => {
                return Err(element.unsupported(format_args!(
                    "Unsupported NUMA memory placement mode '{other}': expected static or auto"
                )));
            }
        };
        match nodeset {
            _ if automatic => Ok(Some(Self { mode, nodeset: None })),
            Some(nodeset) => Ok(Some(Self { mode, nodeset: Some(nodeset) })),
            None => Err(element.unsupported(
                "nodeset for NUMA memory tuning must be set if 'placement' is 'static'",
            )),
        }
    }
}

fn cells(
    root: &Element,
    memory_mode: Option<NumaMode>,
    guest_cells: usize,
) -> Result<Vec<(u32, NumaMode, Bitmap)>> {
    let mut cells: Vec<(u32, NumaMode, Bitmap)> = Vec::new();
    for element in all(root, "numatune", "memnode") {
        if guest_cells == 0 {
            return Err(element.error("Element 'memnode' is invalid without any guest NUMA cells"));
        }
        let cell: u32 = required(element, "cellid", number_attr(element, "cellid")?)?;
        if cell as usize >= guest_cells {
            return Err(element.error(format_args!(
                "Argument 'cellid' in memnode element must correspond to existing guest's NUMA \
                 cell, and there is no '{cell}'"
            )));
        }
        if cells.iter().any(|(other, ..)| *other == cell) {
            let detail = format_args!("Multiple memnode elements with cellid {cell}");
            return Err(element.error(detail));
        }
        let mode = NumaMode::attr(element, "mode")?.unwrap_or(NumaMode::Strict);
        if memory_mode == Some(NumaMode::Restrictive) && mode != NumaMode::Restrictive {
            return Err(element.error(
                "'restrictive' mode is required in memnode element when mode is 'restrictive' in \
                 memory element",
            ));
        }
        let nodeset = Bitmap::filled_attr(element, "nodeset")?.ok_or_else(|| {
            element.error("Missing required nodeset attribute in memnode element")
        })?;
        cells.push((cell, mode, nodeset));
    }
    cells.sort_by_key(|(cell, ..)| *cell);
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};
    use super::*;

    #[test]
    fn memory_and_processors_are_placed_together() {
        let both = [
            "  <vcpu placement='auto'>1</vcpu>",
            "  <numatune>",
            "    <memory mode='strict' placement='auto'/>",
            "  </numatune>",
        ];
        for text in [
            "<vcpu placement='auto'>1</vcpu>",
            "<vcpu placement='auto'>1</vcpu><numatune><memory mode='strict'/></numatune>",
            "<numatune><memory placement='auto' nodeset='0'/></numatune>",
        ] {
            assert_eq!(printed(text), both, "{text}");
        }
        let pinned = "<vcpu cpuset='0'>1</vcpu><numatune><memory placement='auto'/></numatune>";
        assert_eq!(parse(pinned).vcpus.placement, VcpuPlacement::Static);
        let pinned = "<cputune><emulatorpin cpuset='0'/></cputune>\
                      <numatune><memory placement='auto'/></numatune>";
        assert_eq!(parse(pinned).vcpus.placement, VcpuPlacement::Static);
        assert_eq!(parse("<numatune><memory/></numatune>").numa_tune, NumaTune::default());
    }

    #[test]
    fn nodes_are_kept() {
        assert_eq!(
            printed("<numatune><memory mode='interleave' nodeset='0,2,3'/></numatune>"),
            ["  <numatune>", "    <memory mode='interleave' nodeset='0,2-3'/>", "  </numatune>"]
        );
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<numatune><memory mode='strict'/></numatune>",
                "unsupported configuration: line 2: nodeset for NUMA memory tuning must be set if \
                 'placement' is 'static'",
            ),
            (
                "<numatune><memory mode='x' nodeset='0'/></numatune>",
                "unsupported configuration: line 2: Unsupported NUMA memory tuning mode 'x': \
                 expected one of strict, preferred, interleave, restrictive",
            ),
            (
                "<numatune><memnode cellid='0' nodeset='0'/></numatune>",
                "XML error: line 2: Element 'memnode' is invalid without any guest NUMA cells",
            ),
        ]);
    }
}
