//! `<video>`: video cards. Containers have none.

use super::family::DeviceFamily;
use super::info::Place;
use super::virtio;
use crate::error::{Error, Result};
use crate::model::read::{internal, known_word, number};
use crate::model::shape::{self, Kind, Shape, YES_NO, attr};
use crate::xml::Element;

const MODELS: &[&str] = &[
    "default",
    "vga",
    "cirrus",
    "vmvga",
    "xen",
    "vbox",
    "qxl",
    "parallels",
    "virtio",
    "gop",
    "none",
    "bochs",
    "ramfb",
];

pub(super) fn video(device: &Element) -> Result<Element> {
    const NONE: &str = "missing video model and cannot determine default";
    let Some(given) = device.child("model") else { return Err(internal(device, NONE)) };
    let kind = match given.attr("type") {
        None | Some("" | "default") => return Err(internal(given, NONE)),
        Some(_) => known_word(given, "type", "video model", MODELS)?.unwrap_or_default(),
    };
    let driver = driver(device, kind)?;
    let mut attributes = vec![("type", kind.to_owned())];
    attributes.extend(sizes(given, kind)?);
    if given.attr("primary") == Some("yes") {
        attributes.push(("primary", "yes".to_owned()));
    }
    let mut parts = Vec::new();
    let is_vhostuser = driver.as_ref().is_some_and(|it| it.attr("name") == Some("vhostuser"));
    // Nothing is left of what a card that is none has.
    parts.extend(acceleration(given, is_vhostuser || kind == "none")?);
    parts.extend(resolution(given)?);
    let place = Place::PLAIN.read(device)?;
    if kind == "none" {
        let model = shape::element("model", &[("type", kind.to_owned())], Vec::new());
        return Ok(shape::element("video", &[], vec![model]));
    }
    let mut children: Vec<_> = driver.into_iter().collect();
    children.push(shape::element("model", &attributes, parts));
    children.extend(place);
    Ok(shape::element("video", &[], children))
}

fn driver(device: &Element, model: &str) -> Result<Option<Element>> {
    const NAME: Shape = Shape::new("driver", &[attr("name", Kind::Word(&["qemu", "vhostuser"]))]);
    let Some(given) = device.child("driver") else { return Ok(None) };
    let options = virtio::options_of(device, matches!(model, "virtio" | "none"))?;
    let mut driver = options.unwrap_or_else(|| shape::element("driver", &[], Vec::new()));
    let vgaconf = given.attr("vgaconf").filter(|word| shape::ON_OFF.contains(word));
    driver.attributes.extend(vgaconf.map(|word| ("vgaconf".to_owned(), word.to_owned())));
    driver.attributes.extend(NAME.read(given)?.unwrap_or_default().attributes);
    if driver.attr("name") == Some("vhostuser") && model != "virtio" {
        let detail = "'vhostuser' driver is only supported with 'virtio' device";
        return Err(given.unsupported(detail));
    }
    Ok(Some(driver).filter(|driver| !driver.attributes.is_empty()))
}

/// Memory in KiB, some of it a power of two, and the number of screens.
fn sizes(model: &Element, kind: &str) -> Result<Vec<(&'static str, String)>> {
    let read = |name: &'static str| -> Result<Option<u32>> {
        let Some(text) = model.attr(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        number(text).map(Some).ok_or_else(|| bad_size(model, name, text))
    };
    let power = |name, value: u32| {
        let rounded = value.checked_next_power_of_two();
        rounded.ok_or_else(|| bad_size(model, name, &value.to_string()))
    };
    let mut sizes = Vec::new();
    for name in ["ram", "vram", "vram64", "vgamem"] {
        let given = read(name)?;
        let given = given.filter(|size| *size != 0);
        if kind != "qxl" && name != "vram" && given.is_some() {
            return Err(model
                .unsupported(format_args!("{name} attribute only supported for video type qxl")));
        }
        let default = match (name, kind) {
            ("ram" | "vram", "qxl") => 65536,
            ("vram", "vga" | "cirrus" | "vmvga" | "bochs") => 16384,
            ("vram", "xen") => 4096,
            _ => 0,
        };
        let value = match given.unwrap_or(default) {
            value if value != 0 && matches!(name, "ram" | "vram") => power(name, value)?,
            value => value,
        };
        sizes.extend(Some((name, value.to_string())).filter(|_| value != 0));
    }
    let heads = match model.attr("heads").filter(|text| !text.is_empty()) {
        None => 1,
        Some(text) => number::<u32>(text)
            .ok_or_else(|| internal(model, format_args!("cannot parse video heads '{text}'")))?,
    };
    sizes.push(("heads", heads.max(1).to_string()));
    Ok(sizes)
}

fn bad_size(model: &Element, name: &str, text: &str) -> Error {
    model.error(format_args!("cannot parse video {name} '{text}': expected a number of KiB"))
}

fn acceleration(model: &Element, is_vhostuser: bool) -> Result<Option<Element>> {
    const ACCELERATION: Shape = Shape::new(
        "acceleration",
        &[
            attr("accel3d", Kind::Word(YES_NO)),
            attr("accel2d", Kind::Word(YES_NO)),
            attr("rendernode", Kind::Text),
        ],
    );
    let Some(given) = model.child("acceleration") else { return Ok(None) };
    let kept = ACCELERATION.read(given)?;
    match &kept {
        None => Err(given.unsupported("missing values for acceleration")),
        Some(kept) if kept.attr("rendernode").is_some() && !is_vhostuser => {
            Err(given.unsupported("unsupported rendernode accel attribute without 'vhostuser'"))
        }
        Some(_) => Ok(kept),
    }
}

fn resolution(model: &Element) -> Result<Option<Element>> {
    const RESOLUTION: Shape = Shape::new(
        "resolution",
        &[attr("x", Kind::Number).required(), attr("y", Kind::Number).required()],
    );
    let kept = RESOLUTION.read_one(model)?;
    let is_zero = |it: &Element| it.attributes.iter().any(|(_, value)| value == "0");
    if kept.as_ref().is_some_and(is_zero) {
        return Err(model.unsupported("video resolution values must be greater than 0"));
    }
    Ok(kept)
}

/// Puts the primary card in front of the others; without one it is the first.
pub(super) fn order(devices: &mut [(DeviceFamily, Element)]) {
    let cards = devices.iter_mut().filter(|(family, _)| *family == DeviceFamily::Video);
    let mut cards: Vec<&mut Element> = cards.map(|(_, card)| card).collect();
    let primary = cards.iter().position(|card| is_primary(card)).unwrap_or(0);
    // One step at a time, since the cards stay in their places among other devices.
    for place in (1..=primary).rev() {
        if let [.., one, other] = cards.split_at_mut(place + 1).0 {
            std::mem::swap(*one, *other);
        }
    }
    let model = cards.first_mut().and_then(|card| card.child_mut("model"));
    if let Some(model) = model
        && model.attr("type") != Some("none")
        && model.attr("primary").is_none()
    {
        model.attributes.push(("primary".to_owned(), "yes".to_owned()));
    }
}

/// Whether the document makes it the primary card.
pub(super) fn is_primary(card: &Element) -> bool {
    card.child("model").is_some_and(|model| model.attr("primary") == Some("yes"))
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_device_faults, printed_device};

    #[test]
    fn sizes_have_defaults_and_are_powers_of_two() {
        for (given, expected) in [
            ("type='vga'", "type='vga' vram='16384' heads='1'"),
            ("type='vga' vram='5000' heads='2'", "type='vga' vram='8192' heads='2'"),
            ("type='xen' vram=''", "type='xen' vram='4096' heads='1'"),
            ("type='virtio'", "type='virtio' heads='1'"),
            (
                "type='qxl' ram='3' vram64='3' vgamem='3'",
                "type='qxl' ram='4' vram='65536' vram64='3' vgamem='3' heads='1'",
            ),
        ] {
            let printed = printed_device(&format!("<video><model {given}/></video>"));
            assert_eq!(printed, format!("<video><model {expected} primary='yes'/></video>"));
        }
        let none = "<video><driver name='qemu'/><model type='none' vram='1'/></video>";
        assert_eq!(printed_device(none), "<video><model type='none'/></video>");
    }

    #[test]
    fn the_primary_card_comes_first() {
        let text = "<video><model type='gop'/></video><sound model='ac97'/>\
                    <video><model type='ramfb' primary='x'/></video>\
                    <video><model type='virtio' primary='yes'/></video>";
        assert_eq!(
            printed_device(text),
            "<sound model='ac97'/><video><model type='virtio' heads='1' primary='yes'/></video>\
             <video><model type='gop' heads='1'/></video>\
             <video><model type='ramfb' heads='1'/></video>"
        );
    }

    #[test]
    fn parts_are_kept() {
        let text = "<video><driver name='vhostuser' vgaconf='on' iommu='on'/>\
                    <model type='virtio'><resolution x='5' y='6'/>\
                    <acceleration accel2d='no' accel3d='yes' rendernode='/r'/></model></video>";
        assert_eq!(
            printed_device(text),
            "<video><driver iommu='on' vgaconf='on' name='vhostuser'/>\
             <model type='virtio' heads='1' primary='yes'>\
             <acceleration accel3d='yes' accel2d='no' rendernode='/r'/>\
             <resolution x='5' y='6'/></model></video>"
        );
    }

    #[test]
    fn faults() {
        let model = |rest: &str| format!("<video><model {rest}</video>");
        let none = "internal error: missing video model and cannot determine default";
        assert_device_faults(&[
            ("<video/>", none),
            (&model("type=''/>"), none),
            (
                &model("type='vga' ram='1'/>"),
                "unsupported configuration: ram attribute only supported for video type qxl",
            ),
            (
                &model("type='vga' vram='x'/>"),
                "XML error: cannot parse video vram 'x': expected a number of KiB",
            ),
            (&model("type='vga' heads='x'/>"), "internal error: cannot parse video heads 'x'"),
            (
                &model("type='vga'><acceleration/></model>"),
                "unsupported configuration: missing values for acceleration",
            ),
            (
                &model("type='vga'><resolution x='0' y='1'/></model>"),
                "unsupported configuration: video resolution values must be greater than 0",
            ),
            (
                "<video><driver ats='on'/><model type='vga'/></video>",
                "unsupported configuration: ats driver option is only supported for virtio \
                 devices",
            ),
        ]);
    }
}
