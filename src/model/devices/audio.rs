//! `<sound>` and `<audio>`: sound cards, and where on the host their sound goes. Containers have
//! neither.

use super::graphics::AUDIO;
use super::info::Place;
use crate::error::Result;
use crate::model::read::unknown_word;
use crate::model::shape::{self, Attr, Kind, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

pub(super) fn sound(device: &Element) -> Result<Element> {
    const SOUND: Shape = Shape::new(
        "sound",
        &[attr(
            "model",
            Kind::Word(&["sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7"]),
        )
        .required()],
    );
    const CODECS: &[&str] = &["duplex", "micro", "output"];
    let mut kept = SOUND.read(device)?.unwrap_or_default();
    if matches!(kept.attr("model"), Some("ich6" | "ich9")) {
        for codec in device.children_named("codec") {
            let kind = codec.attr("type").unwrap_or("(null)");
            if !CODECS.contains(&kind) {
                return Err(unknown_word(codec, "codec type", kind, "", CODECS));
            }
            let codec = shape::element("codec", &[("type", kind.to_owned())], Vec::new());
            kept.children.push(Node::Element(codec));
        }
    }
    let parts = AUDIO.read_one(device)?.into_iter().chain(Place::PLAIN.read(device)?);
    kept.children.extend(parts.map(Node::Element));
    Ok(kept)
}

/// What a kind of back end has besides what all have.
struct Backend {
    kind: &'static str,
    attrs: &'static [Attr],
    /// The attributes of each direction.
    stream: &'static [Attr],
}

const COUNT: Attr = attr("bufferCount", Kind::Number).unless("0");

const BACKENDS: &[Backend] = &[
    Backend { kind: "none", attrs: &[], stream: &[] },
    Backend { kind: "alsa", attrs: &[], stream: &[attr("dev", Kind::Text)] },
    Backend { kind: "coreaudio", attrs: &[], stream: &[COUNT] },
    Backend {
        kind: "jack",
        attrs: &[],
        stream: &[
            attr("serverName", Kind::Text),
            attr("clientName", Kind::Text),
            attr("connectPorts", Kind::Text),
            attr("exactName", Kind::Word(YES_NO)),
        ],
    },
    Backend {
        kind: "oss",
        attrs: &[
            attr("tryMMap", Kind::Word(YES_NO)),
            attr("exclusive", Kind::Word(YES_NO)),
            attr("dspPolicy", Kind::Signed),
        ],
        stream: &[attr("dev", Kind::Text), COUNT, attr("tryPoll", Kind::Word(YES_NO))],
    },
    Backend {
        kind: "pulseaudio",
        attrs: &[attr("serverName", Kind::Text)],
        stream: &[
            attr("name", Kind::Text),
            attr("streamName", Kind::Text),
            attr("latency", Kind::Number).unless("0"),
        ],
    },
    Backend {
        kind: "sdl",
        attrs: &[attr("driver", Kind::Word(&["esd", "alsa", "arts", "pulseaudio"]))],
        stream: &[COUNT],
    },
    Backend { kind: "spice", attrs: &[], stream: &[] },
    Backend { kind: "file", attrs: &[attr("path", Kind::Text)], stream: &[] },
    Backend { kind: "dbus", attrs: &[], stream: &[] },
];

pub(super) fn audio(device: &Element) -> Result<Element> {
    const TYPE: Attr = attr(
        "type",
        Kind::Word(&[
            "none",
            "alsa",
            "coreaudio",
            "jack",
            "oss",
            "pulseaudio",
            "sdl",
            "spice",
            "file",
            "dbus",
        ]),
    )
    .required();
    const ALL: Shape = Shape::new(
        "audio",
        &[attr("id", Kind::Positive).required(), TYPE, attr("timerPeriod", Kind::Positive)],
    );
    // libvirt's order of the questions.
    TYPE.read(device)?;
    let mut kept = ALL.read(device)?.unwrap_or_default();
    let of_kind = |backend: &&Backend| kept.attr("type") == Some(backend.kind);
    let Some(backend) = BACKENDS.iter().find(of_kind) else { return Ok(kept) };
    let policy = device.attr("dspPolicy").filter(|policy| policy.trim_start().starts_with('-'));
    for attr in backend.attrs {
        let value = attr.read(device)?.map(|value| (attr.name().to_owned(), value));
        kept.attributes.extend(value);
    }
    if let Some(policy) = policy
        && backend.kind == "oss"
    {
        return Err(device.error(format_args!("cannot parse 'dspPolicy' value '{policy}'")));
    }
    for direction in ["input", "output"] {
        if let Some(element) = device.child(direction) {
            kept.children.extend(stream(element, backend)?.map(Node::Element));
        }
    }
    Ok(kept)
}

/// How sound goes in one direction.
fn stream(element: &Element, backend: &Backend) -> Result<Option<Element>> {
    const ATTRS: &[Attr] = &[
        attr("mixingEngine", Kind::Word(YES_NO)),
        attr("fixedSettings", Kind::Word(YES_NO)),
        attr("voices", Kind::Positive),
        attr("bufferLength", Kind::Positive),
    ];
    const SETTINGS: Shape = Shape::new(
        "settings",
        &[
            attr("frequency", Kind::Positive),
            attr("channels", Kind::Positive),
            attr("format", Kind::Word(&["s8", "u8", "s16", "u16", "s32", "u32", "f32"])),
        ],
    )
    .bare();
    let mut kept = shape::element(&element.name, &[], Vec::new());
    for attr in ATTRS.iter().chain(backend.stream) {
        let value = attr.read(element)?.map(|value| (attr.name().to_owned(), value));
        kept.attributes.extend(value);
    }
    let is_fixed = kept.attr("fixedSettings") == Some("yes");
    if is_fixed && kept.attr("mixingEngine") != Some("yes") {
        return Err(element.unsupported("fixed audio settings requires mixing engine"));
    }
    if element.child("settings").is_some() && !is_fixed {
        let detail = "audio settings specified without fixed settings flag";
        return Err(element.unsupported(detail));
    }
    if is_fixed {
        let empty = || shape::element("settings", &[], Vec::new());
        let settings = SETTINGS.read_one(element)?.unwrap_or_else(empty);
        kept.children.push(Node::Element(settings));
    }
    Ok(Some(kept).filter(|kept| !kept.attributes.is_empty()))
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_device_faults, printed_device};

    #[test]
    fn cards_and_back_ends_are_kept() {
        let text = "<audio type='oss' id='02' dspPolicy='0' serverName='x'><output dev='/o' \
                    tryPoll='no' bufferCount='0'/><input mixingEngine='yes' fixedSettings='yes'/>\
                    </audio><sound model='ich6'><audio id='2'/><codec type='micro'/></sound>\
                    <sound model='usb'><codec type='foo'/></sound><audio id='3' type='none'/>";
        assert_eq!(
            printed_device(text),
            "<sound model='ich6'><codec type='micro'/><audio id='2'/></sound><sound model='usb'/>\
             <audio id='2' type='oss' dspPolicy='0'><input mixingEngine='yes' \
             fixedSettings='yes'><settings/></input><output dev='/o' tryPoll='no'/></audio>\
             <audio id='3' type='none'/>"
        );
    }

    #[test]
    fn faults() {
        assert_device_faults(&[
            ("<audio/>", "XML error: Missing required attribute 'type' in element 'audio'"),
            (
                "<audio id='0' type='none'/>",
                "XML error: Invalid value for attribute 'id' in element 'audio': \
                 Zero is not permitted",
            ),
            (
                "<audio id='1' type='oss' dspPolicy='-3'/>",
                "XML error: cannot parse 'dspPolicy' value '-3'",
            ),
            (
                "<audio id='1' type='none'><input fixedSettings='yes'/></audio>",
                "unsupported configuration: fixed audio settings requires mixing engine",
            ),
            (
                "<audio id='1' type='none'><input><settings/></input></audio>",
                "unsupported configuration: audio settings specified without fixed settings flag",
            ),
            (
                "<sound model='ich9'><codec type='x'/></sound>",
                "unsupported configuration: unknown codec type 'x': \
                 expected one of duplex, micro, output",
            ),
        ]);
    }
}
