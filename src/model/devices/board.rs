//! `<watchdog>`, `<nvram>`, `<panic>` and `<iommu>`: parts of a machine's board. Containers have
//! none. `<input>` and `<memory>` are not even kept.

use super::info::Place;
use super::paravirtual::placed;
use crate::error::Result;
use crate::model::read::{bad_word, internal, known_word, missing_attr};
use crate::model::shape::{self, Kind, ON_OFF, Shape, attr};
use crate::xml::{Element, Node};

pub(super) fn watchdog(device: &Element) -> Result<Element> {
    const MODELS: &[&str] = &["i6300esb", "ib700", "diag288"];
    const ACTIONS: &[&str] =
        &["reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi"];
    let Some(model) = known_word(device, "model", "watchdog model", MODELS)? else {
        return Err(internal(device, "watchdog must contain model name"));
    };
    let action = known_word(device, "action", "watchdog action", ACTIONS)?.unwrap_or("reset");
    let attributes = [("model", model.to_owned()), ("action", action.to_owned())];
    Ok(shape::element("watchdog", &attributes, Place::PLAIN.read(device)?))
}

pub(super) fn nvram(device: &Element) -> Result<Element> {
    const NVRAM: Shape = Shape::new("nvram", &[]).bare();
    placed(&NVRAM, device)
}

/// A panic device that says nothing at all is not written.
pub(super) fn panic(device: &Element) -> Result<Option<Element>> {
    const MODELS: &[&str] = &["default", "isa", "pseries", "hyperv", "s390"];
    let model = known_word(device, "model", "panic model", MODELS)?;
    let model = model.filter(|model| *model != "default");
    let attributes: Vec<_> = model.into_iter().map(|model| ("model", model.to_owned())).collect();
    let kept = shape::element("panic", &attributes, Place::PLAIN.read(device)?);
    Ok(Some(kept).filter(|it| !it.attributes.is_empty() || !it.children.is_empty()))
}

pub(super) fn iommu(device: &Element) -> Result<Element> {
    const IOMMU: Shape = Shape::new(
        "iommu",
        &[attr("model", Kind::Word(&["intel", "smmuv3", "virtio"])).required()],
    );
    const DRIVER: Shape = Shape::new(
        "driver",
        &[
            attr("intremap", Kind::Word(ON_OFF)),
            attr("caching_mode", Kind::Word(ON_OFF)),
            attr("eim", Kind::Word(ON_OFF)),
            attr("iotlb", Kind::Word(ON_OFF)),
            attr("aw_bits", Kind::Number).unless("0"),
        ],
    );
    let mut kept = IOMMU.read(device)?.unwrap_or_default();
    let model = kept.attr("model").unwrap_or_default();
    let driver = DRIVER.read_one(device)?;
    if model != "intel" && driver.is_some() {
        return Err(device
            .error(format_args!("iommu model '{model}' doesn't support additional attributes")));
    }
    if let Some(driver) = &driver
        && driver.attr("eim") == Some("on")
        && driver.attr("intremap") != Some("on")
    {
        let detail = "IOMMU eim requires interrupt remapping to be enabled";
        return Err(device.unsupported(detail));
    }
    let place = Place::PLAIN.read(device)?;
    if model != "virtio" && device.child("address").is_some() {
        return Err(device.error(format_args!("iommu model '{model}' can't have address")));
    }
    let parts = driver.into_iter().chain(place);
    kept.children.extend(parts.map(Node::Element));
    Ok(kept)
}

/// libvirt's driver for containers takes no input devices.
pub(super) fn input(device: &Element) -> Result<Option<Element>> {
    const TYPES: &[&str] = &["mouse", "tablet", "keyboard", "passthrough", "evdev"];
    const BUSES: &[&str] = &["ps2", "usb", "xen", "parallels", "virtio", "none"];
    const MODELS: &[&str] = &["virtio", "virtio-transitional", "virtio-non-transitional"];
    if known_word(device, "type", "input device type", TYPES)?.is_none() {
        return Err(internal(device, "missing input device type"));
    }
    known_word(device, "bus", "input bus type", BUSES)?;
    known_word(device, "model", "input model", MODELS)?;
    let detail = "Input devices are not supported by this virtualization driver.";
    Err(internal(device, detail))
}

/// Nor modules of memory: the limit is `<memory>` of the domain.
pub(super) fn memory(device: &Element) -> Result<Option<Element>> {
    const MODELS: &[&str] = &["dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc"];
    match device.attr("model") {
        None => Err(missing_attr(device, "model")),
        Some(model) if !MODELS.contains(&model) => Err(bad_word(device, "model", model, MODELS)),
        Some(_) => Err(device.unsupported(
            "memory devices are not supported by this driver: a container's only memory is \
             <memory> of <domain>",
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_device_faults, parse, printed_device};

    #[test]
    fn they_are_normalised() {
        let text = "<watchdog model='ib700'/><nvram/><panic/><panic model='isa'/>\
                    <iommu model='intel'><driver aw_bits='0' iotlb='on'/></iommu>";
        assert_eq!(
            printed_device(text),
            "<watchdog model='ib700' action='reset'/><nvram></nvram><panic model='isa'/>\
             <iommu model='intel'><driver iotlb='on'/></iommu>"
        );
    }

    #[test]
    fn interrupts_are_remapped_with_a_split_controller_only() {
        let iommu = "<iommu model='intel'><driver intremap='on'/></iommu>";
        let detail = "unsupported configuration: IOMMU interrupt remapping requires split I/O \
                      APIC (ioapic driver='qemu')";
        assert_device_faults(&[(iommu, detail)]);
        parse(&format!("<features><ioapic driver='qemu'/></features><devices>{iommu}</devices>"));
    }

    #[test]
    fn faults() {
        assert_device_faults(&[
            ("<watchdog/>", "internal error: watchdog must contain model name"),
            (
                "<watchdog model='x'/>",
                "unsupported configuration: unknown watchdog model 'x': \
                 expected one of i6300esb, ib700, diag288",
            ),
            (
                "<iommu model='virtio'><driver eim='off'/></iommu>",
                "XML error: iommu model 'virtio' doesn't support additional attributes",
            ),
            (
                "<iommu model='intel'><address type='pci'/></iommu>",
                "XML error: iommu model 'intel' can't have address",
            ),
            (
                "<iommu model='intel'><driver eim='on'/></iommu>",
                "unsupported configuration: IOMMU eim requires interrupt remapping to be enabled",
            ),
            (
                "<input type='mouse' bus='ps2'/>",
                "internal error: Input devices are not supported by this virtualization driver.",
            ),
            ("<input/>", "internal error: missing input device type"),
            (
                "<memory model='dimm'/>",
                "unsupported configuration: memory devices are not supported by this driver: a \
                 container's only memory is <memory> of <domain>",
            ),
        ]);
    }
}
