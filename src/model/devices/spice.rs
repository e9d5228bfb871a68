//! `<graphics type='spice'>`: a server for screens, sound and more. Containers have none.

use super::graphics::{Attributes, GL, extend, password, yes_no};
use super::listen::Listens;
use crate::error::Result;
use crate::model::shape::{self, Kind, ON_OFF, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

pub(super) fn spice(device: &Element) -> Result<Element> {
    const PORTS: Shape = Shape::new(
        "graphics",
        &[
            attr("port", Kind::Signed).unless("0"),
            attr("tlsPort", Kind::Signed).unless("0"),
            attr("autoport", Kind::Word(YES_NO)),
        ],
    );
    const MORE: Shape = Shape::new(
        "graphics",
        &[attr("keymap", Kind::Text), attr("defaultMode", Kind::Word(CHANNEL_MODES)).unless("any")],
    );
    let given = PORTS.read(device)?.unwrap_or_default();
    let (port, tls) = (given.attr("port"), given.attr("tlsPort"));
    let is_auto = given.attr("autoport") == Some("yes") || port == Some("-1") && tls == port;
    let mut ports = Attributes::new();
    for (name, value) in [("port", port), ("tlsPort", tls)] {
        let value = value.filter(|_| !is_auto);
        ports.extend(value.map(|value| (name, value.to_owned())));
    }
    let is_reachable = is_auto || !ports.is_empty();
    ports.push(("autoport", yes_no(is_auto)));
    let mut listens = Listens::read(device)?;
    if !is_reachable {
        listens.hide();
    }
    let mut attributes = vec![("type", "spice".to_owned())];
    attributes.extend(listens.attributes(ports));
    let mut kept = shape::element("graphics", &attributes, listens.elements());
    kept.attributes.extend(MORE.read(device)?.unwrap_or_default().attributes);
    extend(&mut kept, password(device)?);
    let channels = spice_channels(device)?;
    kept.children.extend(channels.into_iter().map(Node::Element));
    for shape in SPICE_PARTS {
        kept.children.extend(shape.read_one(device)?.map(Node::Element));
    }
    Ok(kept)
}

const CHANNEL_MODES: &[&str] = &["any", "secure", "insecure"];

/// How the stream is made, in the order it is written.
const SPICE_PARTS: &[Shape] = &[
    Shape::new(
        "image",
        &[attr("compression", Kind::Word(&["auto_glz", "auto_lz", "quic", "glz", "lz", "off"]))
            .required()],
    ),
    Shape::new("jpeg", &[attr("compression", Kind::Word(WHEN)).required()]),
    Shape::new("zlib", &[attr("compression", Kind::Word(WHEN)).required()]),
    Shape::new("playback", &[attr("compression", Kind::Word(ON_OFF)).required()]),
    Shape::new("streaming", &[attr("mode", Kind::Word(&["filter", "all", "off"])).required()]),
    Shape::new("mouse", &[attr("mode", Kind::Word(&["server", "client"])).required()]),
    Shape::new("clipboard", &[attr("copypaste", Kind::Word(YES_NO)).required()]),
    Shape::new("filetransfer", &[attr("enable", Kind::Word(YES_NO)).required()]),
    GL,
];
const WHEN: &[&str] = &["auto", "never", "always"];

/// Which parts of the stream must be encrypted; of several for one part the last counts.
fn spice_channels(device: &Element) -> Result<Vec<Element>> {
    const NAMES: &[&str] =
        &["main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir"];
    const CHANNEL: Shape = Shape::new(
        "channel",
        &[
            attr("name", Kind::Word(NAMES)).required(),
            attr("mode", Kind::Word(CHANNEL_MODES)).required(),
        ],
    )
    .many();
    let mut read = CHANNEL.read_in(device)?;
    read.reverse();
    let of = |name: &&str| read.iter().find(|channel| channel.attr("name") == Some(name));
    let kept = NAMES.iter().filter_map(of).filter(|it| it.attr("mode") != Some("any"));
    Ok(kept.cloned().collect())
}
