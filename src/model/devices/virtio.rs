//! What `<driver>` may say of every device of the virtio kind.

use crate::error::Result;
use crate::model::shape::{Kind, ON_OFF, Shape, attr};
use crate::xml::Element;

/// The attributes.
pub(super) const DRIVER: Shape = Shape::new(
    "driver",
    &[
        attr("iommu", Kind::Word(ON_OFF)),
        attr("ats", Kind::Word(ON_OFF)),
        attr("packed", Kind::Word(ON_OFF)),
        attr("page_per_vq", Kind::Word(ON_OFF)),
    ],
);

/// The attributes in a `<driver>`, in the order they are written in.
pub(super) fn options(driver: &Element) -> Result<Vec<(String, String)>> {
    Ok(DRIVER.read(driver)?.unwrap_or_default().attributes)
}

/// The options of a device, which may have some only if it is of the virtio kind.
pub(super) fn options_of(device: &Element, is_virtio: bool) -> Result<Option<Element>> {
    let options = DRIVER.read_one(device)?;
    let first = options.as_ref().and_then(|options| options.attributes.first());
    match first.filter(|_| !is_virtio) {
        None => Ok(options),
        Some((name, _)) => {
            let what = if name == "page_per_vq" { "option" } else { "driver option" };
            Err(device
                .unsupported(format_args!("{name} {what} is only supported for virtio devices")))
        }
    }
}
