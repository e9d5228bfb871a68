//! Small settings of interfaces, most of them of cards of machines.

use super::{InterfaceSource, LinkState, parse_address, written};
use crate::error::Result;
use crate::model::devices::virtio;
use crate::model::read::{bad_value, detail, number, without_repeated_slashes};
use crate::model::shape::{self, Kind, ON_OFF, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

/// The attribute of the first element of a name that has it; empty is none.
pub(super) fn first_attr<'a>(parent: &'a Element, name: &'a str, attr: &str) -> Option<&'a str> {
    let value = parent.children_named(name).find_map(|element| element.attr(attr));
    value.filter(|value| !value.is_empty())
}

pub(super) fn link(interface: &Element) -> Result<Option<LinkState>> {
    let Some(word) = first_attr(interface, "link", "state") else { return Ok(None) };
    LinkState::from_word(word).map(Some).ok_or_else(|| {
        interface
            .unsupported(format_args!("unknown interface link state '{word}': expected up or down"))
    })
}

pub(super) fn mtu(interface: &Element) -> Result<Option<u32>> {
    let Some(text) = first_attr(interface, "mtu", "size") else { return Ok(None) };
    let size = number(text).ok_or_else(|| {
        interface.error(format_args!("malformed mtu size '{text}': expected a number"))
    })?;
    Ok(Some(size).filter(|size| *size != 0))
}

/// What is kept of an interface with the given source and card, without its place in a machine.
pub(super) fn read(
    interface: &Element,
    source: &InterfaceSource,
    model: Option<&str>,
) -> Result<Vec<Element>> {
    let is_virtio = models::is_virtio(model);
    let mut kept = forwards(interface)?;
    for (name, attribute) in [("downscript", "path"), ("backenddomain", "name")] {
        let value = first_attr(interface, name, attribute);
        kept.extend(
            value.map(|value| shape::element(name, &[(attribute, value.to_owned())], Vec::new())),
        );
    }
    let is_made_here = !matches!(source, InterfaceSource::HostDevice { .. });
    if is_made_here {
        kept.extend(driver(interface, is_virtio)?);
    }
    kept.extend(backend(interface, is_virtio && is_made_here)?);
    kept.extend(tune(interface)?);
    kept.extend(teaming(interface)?);
    kept.extend(coalesce(interface)?);
    Ok(kept)
}

/// `<portForward>`: ports of the host for the guest.
fn forwards(interface: &Element) -> Result<Vec<Element>> {
    const FORWARD: Shape = Shape::new(
        "portForward",
        &[
            attr("proto", Kind::Word(&["tcp", "udp"])).required(),
            attr("address", Kind::Text),
            attr("dev", Kind::Text),
        ],
    )
    .with(&[Shape::new(
        "range",
        &[
            attr("start", Kind::Positive),
            attr("end", Kind::Positive),
            attr("to", Kind::Positive),
            attr("exclude", Kind::Word(YES_NO)),
        ],
    )
    .many()])
    .many();
    let mut forwards = FORWARD.read_in(interface)?;
    for forward in &mut forwards {
        for (name, value) in &mut forward.attributes {
            if name == "address" {
                *value = parse_address(value).map(written).ok_or_else(|| {
                    interface.error(format_args!("Invalid address '{value}' in <portForward>"))
                })?;
            }
        }
        // Without a start there is no end.
        for node in &mut forward.children {
            if let Node::Element(range) = node
                && range.attr("start").is_none()
            {
                range.attributes.retain(|(name, _)| name == "exclude");
            }
        }
        let says_nothing =
            |node: &Node| matches!(node, Node::Element(range) if range.attributes.is_empty());
        forward.children.retain(|node| !says_nothing(node));
    }
    Ok(forwards)
}

/// `<driver>`: of a virtio card, and some of it must not be there for others.
fn driver(interface: &Element, is_virtio: bool) -> Result<Option<Element>> {
    const OFFLOADS: &[Shape] = &[
        Shape::new(
            "host",
            &[
                attr("csum", Kind::Word(ON_OFF)),
                attr("gso", Kind::Word(ON_OFF)),
                attr("tso4", Kind::Word(ON_OFF)),
                attr("tso6", Kind::Word(ON_OFF)),
                attr("ecn", Kind::Word(ON_OFF)),
                attr("ufo", Kind::Word(ON_OFF)),
                attr("mrg_rxbuf", Kind::Word(ON_OFF)),
            ],
        ),
        Shape::new(
            "guest",
            &[
                attr("csum", Kind::Word(ON_OFF)),
                attr("tso4", Kind::Word(ON_OFF)),
                attr("tso6", Kind::Word(ON_OFF)),
                attr("ecn", Kind::Word(ON_OFF)),
                attr("ufo", Kind::Word(ON_OFF)),
            ],
        ),
    ];
    const DRIVER: Shape = Shape::new(
        "driver",
        &[
            attr("name", Kind::Word(&["qemu", "vhost"])),
            attr("txmode", Kind::Word(&["iothread", "timer"])),
            attr("ioeventfd", Kind::Word(ON_OFF)),
            attr("event_idx", Kind::Word(ON_OFF)),
            attr("queues", Kind::Number),
            attr("rx_queue_size", Kind::Number),
            attr("tx_queue_size", Kind::Number),
            attr("rss", Kind::Word(ON_OFF)),
            attr("rss_hash_report", Kind::Word(ON_OFF)),
        ],
    )
    .with(OFFLOADS)
    .bare();
    let options = virtio::options_of(interface, is_virtio)?;
    if !is_virtio {
        return Ok(None);
    }
    let Some(mut driver) = DRIVER.read_one(interface)? else { return Ok(None) };
    // What libvirt takes for the default.
    driver.attributes.retain(|(name, value)| match name.as_str() {
        "queues" => value != "0" && value != "1",
        _ => value != "0",
    });
    driver.attributes.extend(options.into_iter().flat_map(|options| options.attributes));
    let nothing = driver.attributes.is_empty() && driver.children.is_empty();
    Ok(Some(driver).filter(|_| !nothing))
}

/// `<backend>`: the devices of the host that a hypervisor opens.
fn backend(interface: &Element, is_virtio: bool) -> Result<Option<Element>> {
    let Some(element) = interface.child("backend") else { return Ok(None) };
    if let Some(kind) = element.attr("type") {
        return Err(bad_value(element, "type", kind, "Expected no type"));
    }
    let mut attributes = Vec::new();
    attributes.extend(element.attr("tap").map(|tap| ("tap", without_repeated_slashes(tap))));
    let vhost = element.attr("vhost").filter(|_| is_virtio);
    attributes.extend(vhost.map(|vhost| ("vhost", without_repeated_slashes(vhost))));
    attributes.extend(element.attr("logFile").map(|file| ("logFile", file.to_owned())));
    Ok(Some(attributes)
        .filter(|attributes| !attributes.is_empty())
        .map(|attributes| shape::element("backend", &attributes, Vec::new())))
}

/// `<tune>`: how much may wait to be sent.
fn tune(interface: &Element) -> Result<Option<Element>> {
    let sndbuf = interface.children_named("tune").find_map(|tune| tune.child("sndbuf"));
    let Some(sndbuf) = sndbuf.filter(|sndbuf| !sndbuf.text().is_empty()) else {
        return Ok(None);
    };
    let text = sndbuf.text();
    let size: u64 = number(&text).ok_or_else(|| {
        sndbuf.error(format_args!("sndbuf must be a positive integer, not '{text}'"))
    })?;
    let sndbuf = shape::leaf("sndbuf", &[], size.to_string());
    Ok(Some(shape::element("tune", &[], vec![sndbuf])))
}

/// `<teaming>`: two cards of a machine that are one.
pub(in crate::model::devices) fn teaming(device: &Element) -> Result<Option<Element>> {
    let persistent = first_attr(device, "teaming", "persistent");
    let kind = match (first_attr(device, "teaming", "type"), persistent) {
        (Some(kind), _) => kind,
        (None, None) => return Ok(None),
        (None, Some(_)) => "(null)",
    };
    let fault = match (kind, persistent) {
        ("persistent", Some(_)) => {
            "teaming persistent attribute not allowed if teaming type is 'persistent'".to_owned()
        }
        ("transient", None) => {
            "teaming persistent attribute must be set if teaming type is 'transient'".to_owned()
        }
        ("persistent" | "transient", persistent) => {
            let mut attributes = vec![("type", kind.to_owned())];
            attributes.extend(persistent.map(|name| ("persistent", name.to_owned())));
            return Ok(Some(shape::element("teaming", &attributes, Vec::new())));
        }
        _ => format!("unknown teaming type '{kind}': expected persistent or transient"),
    };
    Err(device.unsupported(fault))
}

/// `<coalesce>`: how many frames may wait for an interrupt.
fn coalesce(interface: &Element) -> Result<Option<Element>> {
    let Some(element) = interface.child("coalesce") else { return Ok(None) };
    let frames = element.children_named("rx").flat_map(|rx| rx.children_named("frames"));
    let max = frames.into_iter().find_map(|frames| frames.attr("max"));
    let Some(text) = max.filter(|max| !max.is_empty()) else { return Ok(None) };
    let max: u32 = number(text).ok_or_else(|| {
        detail(
            interface,
            format_args!("cannot parse value '{text}' for coalesce parameter: expected a number"),
        )
    })?;
    if max == 0 {
        return Ok(None);
    }
    let frames = shape::element("frames", &[("max", max.to_string())], Vec::new());
    let rx = shape::element("rx", &[], vec![frames]);
    Ok(Some(shape::element("coalesce", &[], vec![rx])))
}

/// `<model>`: the cards libvirt knows.
pub(super) mod models {
    use super::first_attr;
    use crate::error::{Error, ErrorCode, Result};
    use crate::xml::Element;

    const MODELS: &[&str] = &[
        "netfront",
        "rtl8139",
        "virtio",
        "e1000",
        "e1000e",
        "virtio-transitional",
        "virtio-non-transitional",
        "usb-net",
        "spapr-vlan",
        "lan9118",
        "scm91c111",
        "vlance",
        "vmxnet",
        "vmxnet2",
        "vmxnet3",
        "Am79C970A",
        "Am79C973",
        "82540EM",
        "82545EM",
        "82543GC",
    ];

    /// The card, in whatever case; None when it is not known to be any.
    pub(in super::super) fn read(interface: &Element) -> Result<Option<&'static str>> {
        let Some(name) = first_attr(interface, "model", "type") else { return Ok(None) };
        if name.chars().any(|c| !c.is_ascii_alphanumeric() && c != '-' && c != '_') {
            return Err(Error::in_document(
                ErrorCode::InvalidArg,
                interface.line,
                format_args!(
                    "Model name contains invalid characters: '{name}' may have letters, digits, \
                     - and _"
                ),
            ));
        }
        if name.eq_ignore_ascii_case("unknown") {
            return Ok(None);
        }
        let known = MODELS.iter().find(|known| known.eq_ignore_ascii_case(name));
        known.copied().map(Some).ok_or_else(|| {
            interface.unsupported(format_args!(
                "driver does not support net model '{name}': expected one of {}",
                MODELS.join(", ")
            ))
        })
    }

    /// Whether a card is one of virtio's.
    pub(in super::super) fn is_virtio(model: Option<&str>) -> bool {
        matches!(model, Some("virtio" | "virtio-transitional" | "virtio-non-transitional"))
    }
}
