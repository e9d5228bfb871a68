//! `<memtune>`: limits on memory beside the one in `<memory>`.

use super::MAX_KIB;
use super::memory::size_in;
use super::read::first;
use crate::error::Result;
use crate::xml::{Element, Writer};

/// The limits, each in KiB; None when there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryTune {
    /// What the container can use at most; in place of `<memory>`.
    pub hard_limit: Option<u64>,
    /// What it is pushed back to when the host is short of memory.
    pub soft_limit: Option<u64>,
    /// What it can count on.
    pub min_guarantee: Option<u64>,
    /// What it can use at most of memory and swap together.
    pub swap_hard_limit: Option<u64>,
}

impl MemoryTune {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let limit = |name| {
            let size = size_in(first(root, "memtune", name), format_args!("memtune/{name}"))?;
            // The largest number means that there is no limit.
            Ok(size.filter(|&size| size < MAX_KIB))
        };
        Ok(Self {
            hard_limit: limit("hard_limit")?,
            soft_limit: limit("soft_limit")?,
            // Unlike the limits, none is the same as 0.
            min_guarantee: limit("min_guarantee")?.filter(|&size| size != 0),
            swap_hard_limit: limit("swap_hard_limit")?,
        })
    }

    pub(super) fn format(self, w: &mut Writer) {
        if self == Self::default() {
            return;
        }
        w.open("memtune", &[]);
        for (name, limit) in [
            ("hard_limit", self.hard_limit),
            ("soft_limit", self.soft_limit),
            ("min_guarantee", self.min_guarantee),
            ("swap_hard_limit", self.swap_hard_limit),
        ] {
            if let Some(limit) = limit {
                w.leaf(name, &[("unit", "KiB")], &limit.to_string());
            }
        }
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};

    #[test]
    fn limits_are_kept_in_kib() {
        let text = "<memtune/><memtune><swap_hard_limit unit='G'>1</swap_hard_limit>\
                    <hard_limit unit='MiB'>1</hard_limit><min_guarantee>0</min_guarantee></memtune>";
        assert_eq!(
            printed(text),
            [
                "  <memtune>",
                "    <hard_limit unit='KiB'>1024</hard_limit>",
                "    <swap_hard_limit unit='KiB'>1048576</swap_hard_limit>",
                "  </memtune>",
            ]
        );
        let none = "<memtune><hard_limit>9007199254740991</hard_limit><soft_limit/></memtune>";
        assert_eq!(parse(none).memory_tune, super::MemoryTune::default());
        assert_eq!(
            parse("<memtune><soft_limit>0</soft_limit></memtune>").memory_tune.soft_limit,
            Some(0)
        );
    }

    #[test]
    fn faults() {
        assert_faults(&[(
            "<memtune><hard_limit>-1</hard_limit></memtune>",
            "XML error: line 2: Invalid value '-1' for element or attribute \
             './memtune/hard_limit[1]': expected a number",
        )]);
    }
}
