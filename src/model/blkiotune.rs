//! `<blkiotune>`: shares and limits of block devices.

use super::read::{all, first, number, number_in};
use crate::error::Result;
use crate::xml::{Element, Writer};

/// The container's share of all devices, and what it may do on single ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockTune {
    /// The share; 0 when none is set.
    pub weight: u32,
    /// Single devices, in the document's order; each path comes once, with a limit.
    pub devices: Vec<BlockDeviceTune>,
}

/// The share and the limits of one device; 0 when not set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockDeviceTune {
    /// The device's node on the host; not empty.
    pub path: String,
    /// The share.
    pub weight: u32,
    /// Reads in a second.
    pub read_iops_sec: u32,
    /// Writes in a second.
    pub write_iops_sec: u32,
    /// Bytes read in a second.
    pub read_bytes_sec: u64,
    /// Bytes written in a second.
    pub write_bytes_sec: u64,
}

impl BlockTune {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        // A weight that is no number counts as none, as in libvirt.
        let weight = number_in(first(root, "blkiotune", "weight")).unwrap_or_default();
        let mut devices: Vec<BlockDeviceTune> = Vec::new();
        for element in all(root, "blkiotune", "device") {
            let device = BlockDeviceTune::parse(element)?;
            if devices.iter().any(|other| other.path == device.path) {
                let path = device.path;
                let detail = format_args!("duplicate blkio device path '{path}'");
                return Err(element.unsupported(detail));
            }
            devices.push(device);
        }
        devices.retain(BlockDeviceTune::is_set);
        Ok(Self { weight: weight.unwrap_or(0), devices })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if *self == Self::default() {
            return;
        }
        w.open("blkiotune", &[]);
        if self.weight != 0 {
            w.leaf("weight", &[], &self.weight.to_string());
        }
        self.devices.iter().for_each(|device| device.format(w));
        w.close();
    }
}

impl BlockDeviceTune {
    fn parse(element: &Element) -> Result<Self> {
        let Some(path) = element.child_text("path") else {
            return Err(element.unsupported("missing per-device path: <device> needs a <path>"));
        };
        Ok(Self {
            path,
            weight: limit(element, "weight")?,
            read_iops_sec: limit(element, "read_iops_sec")?,
            write_iops_sec: limit(element, "write_iops_sec")?,
            read_bytes_sec: limit(element, "read_bytes_sec")?,
            write_bytes_sec: limit(element, "write_bytes_sec")?,
        })
    }

    /// The numbers with their elements, in the order they are written in.
    fn limits(&self) -> [(&'static str, u64); 5] {
        [
            ("weight", self.weight.into()),
            ("read_iops_sec", self.read_iops_sec.into()),
            ("write_iops_sec", self.write_iops_sec.into()),
            ("read_bytes_sec", self.read_bytes_sec),
            ("write_bytes_sec", self.write_bytes_sec),
        ]
    }

    /// Whether anything is limited; otherwise the device is not kept.
    pub fn is_set(&self) -> bool {
        self.limits().iter().any(|&(_, limit)| limit != 0)
    }

    fn format(&self, w: &mut Writer) {
        w.open("device", &[]);
        w.leaf("path", &[], &self.path);
        for (name, limit) in self.limits().into_iter().filter(|&(_, limit)| limit != 0) {
            w.leaf(name, &[], &limit.to_string());
        }
        w.close();
    }
}

/// A number of a device, 0 when there is none.
fn limit<T: std::str::FromStr + Default>(device: &Element, name: &str) -> Result<T> {
    let Some(text) = device.child_text(name) else { return Ok(T::default()) };
    number(&text).ok_or_else(|| {
        let name = name.replace('_', " ");
        device.unsupported(format_args!("could not parse {name} {text}: expected a number"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};

    #[test]
    fn limits_are_kept_in_libvirts_order() {
        let text = "<blkiotune><device><path>/dev/a&lt;</path><read_bytes_sec>1</read_bytes_sec>\
                    <write_iops_sec>4</write_iops_sec></device><weight>500</weight></blkiotune>";
        assert_eq!(
            printed(text),
            [
                "  <blkiotune>",
                "    <weight>500</weight>",
                "    <device>",
                "      <path>/dev/a&lt;</path>",
                "      <write_iops_sec>4</write_iops_sec>",
                "      <read_bytes_sec>1</read_bytes_sec>",
                "    </device>",
                "  </blkiotune>",
            ]
        );
        let nothing = "<blkiotune><weight>x</weight><device><path>a</path></device></blkiotune>";
        assert!(printed(nothing).is_empty());
        assert_eq!(parse(nothing).block_tune, super::BlockTune::default());
    }

    #[test]
    fn faults() {
        let device = |inside: &str| format!("<blkiotune><device>{inside}</device></blkiotune>");
        let path = "<path>a</path>";
        assert_faults(&[
            (
                &device("<weight>1</weight>"),
                "unsupported configuration: line 2: missing per-device path: \
                 <device> needs a <path>",
            ),
            (
                &device(&format!("{path}<read_iops_sec>-1</read_iops_sec>")),
                "unsupported configuration: line 2: could not parse read iops sec -1: \
                 expected a number",
            ),
            (
                &device(&format!("{path}</device><device>{path}")),
                "unsupported configuration: line 2: duplicate blkio device path 'a'",
            ),
        ]);
    }
}
