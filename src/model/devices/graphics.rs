//! `<graphics>`: ways to see a machine's screen. Containers have none.

use super::listen::Listens;
use super::spice::spice;
use crate::error::Result;
use crate::model::read::{internal, missing_attr, number};
use crate::model::shape::{self, Kind, Shape, YES_NO, attr};
use crate::xml::Element;

/// Names and values of attributes.
pub(super) type Attributes = Vec<(&'static str, String)>;

pub(super) fn graphics(device: &Element) -> Result<Element> {
    const SDL: Shape = Shape::new(
        "graphics",
        &[
            TYPE,
            attr("display", Kind::Text),
            attr("xauth", Kind::Text),
            attr("fullscreen", Kind::Word(YES_NO)).unless("no"),
        ],
    )
    .with(&[Shape::new("gl", &[attr("enable", Kind::Word(YES_NO)).required()])]);
    const DESKTOP: Shape = Shape::new(
        "graphics",
        &[TYPE, attr("display", Kind::Text), attr("fullscreen", Kind::Word(YES_NO)).unless("no")],
    );
    const EGL: Shape = Shape::new("graphics", &[TYPE])
        .with(&[Shape::new("gl", &[attr("rendernode", Kind::Text)])]);
    const TYPE_ONLY: Shape = Shape::new("graphics", &[TYPE]);
    let shape = match device.attr("type") {
        Some("vnc") => return vnc(device),
        Some("rdp") => return rdp(device),
        Some("spice") => return spice(device),
        Some("dbus") => return dbus(device),
        Some("sdl") => &SDL,
        Some("desktop") => &DESKTOP,
        Some("egl-headless") => &EGL,
        // Fails.
        _ => &TYPE_ONLY,
    };
    shape.read(device)?.ok_or_else(|| missing_attr(device, "type"))
}

const TYPE: shape::Attr =
    attr("type", Kind::Word(&["sdl", "vnc", "rdp", "desktop", "spice", "egl-headless", "dbus"]))
        .required();

/// Removes what only those may see who may see secrets.
pub(super) fn drop_secrets(graphics: &mut Element) {
    graphics.attributes.retain(|(name, _)| name != "passwd");
}

fn dbus(device: &Element) -> Result<Element> {
    const DBUS: Shape = Shape::new(
        "graphics",
        &[TYPE, attr("p2p", Kind::Word(YES_NO)).unless("no"), attr("address", Kind::Text)],
    )
    .with(&[GL, AUDIO]);
    let kept = DBUS.read(device)?.unwrap_or_default();
    if kept.attr("p2p").is_some() && kept.attr("address").is_some() {
        return Err(device.error("D-Bus p2p with an address is not supported"));
    }
    Ok(kept)
}

pub(super) const GL: Shape = Shape::new(
    "gl",
    &[attr("enable", Kind::Word(YES_NO)).required(), attr("rendernode", Kind::Text)],
);
/// Which `<audio>` a device uses.
pub(super) const AUDIO: Shape = Shape::new("audio", &[attr("id", Kind::Positive).required()]);

fn vnc(device: &Element) -> Result<Element> {
    const MORE: Shape = Shape::new(
        "graphics",
        &[
            attr("keymap", Kind::Text),
            attr(
                "sharePolicy",
                Kind::Word(&["default", "allow-exclusive", "force-shared", "ignore"]),
            )
            .unless("default"),
            attr("powerControl", Kind::Word(YES_NO)),
        ],
    )
    .with(&[AUDIO]);
    const WEBSOCKET: Shape = Shape::new("graphics", &[attr("websocket", Kind::Signed).unless("0")]);
    let (port, mut is_auto) = port_of(device)?;
    is_auto = match device.attr("autoport") {
        Some("yes") => true,
        Some("no") => false,
        _ => is_auto,
    };
    let port = match port {
        _ if is_auto => -1,
        -1 => 0,
        port => port,
    };
    let mut ports = Attributes::new();
    ports.extend((port != 0).then(|| ("port", port.to_string())));
    ports.push(("autoport", yes_no(is_auto)));
    let websocket = WEBSOCKET.read(device)?.unwrap_or_default();
    ports.extend(websocket.attr("websocket").map(|port| ("websocket", port.to_owned())));

    let listens = Listens::read(device)?;
    let mut attributes = vec![("type", "vnc".to_owned())];
    attributes.extend(listens.attributes(ports));
    attributes.extend(listens.socket().map(|path| ("socket", path.to_owned())));
    let more = MORE.read(device)?.unwrap_or_default();
    let mut kept = shape::element("graphics", &attributes, listens.elements());
    kept.attributes.extend(more.attributes);
    kept.children.extend(more.children);
    let password = password(device)?;
    if password.iter().any(|(name, value)| *name == "connected" && value != "keep") {
        return Err(device.unsupported("VNC supports connected='keep' only"));
    }
    extend(&mut kept, password);
    Ok(kept)
}

fn rdp(device: &Element) -> Result<Element> {
    let (port, is_auto) = port_of(device)?;
    let is_auto = is_auto || port == 0 || device.attr("autoport") == Some("yes");
    let port = if is_auto { 0 } else { port };
    let mut ports = vec![("port", port.to_string())];
    ports.extend(is_auto.then(|| ("autoport", yes_no(true))));
    for name in ["replaceUser", "multiUser"] {
        ports.extend((device.attr(name) == Some("yes")).then(|| (name, yes_no(true))));
    }
    let listens = Listens::read(device)?;
    let mut attributes = vec![("type", "rdp".to_owned())];
    attributes.extend(listens.attributes(ports));
    Ok(shape::element("graphics", &attributes, listens.elements()))
}

/// The port, and whether the driver is to find one, as -1 or no port says.
fn port_of(device: &Element) -> Result<(i32, bool)> {
    let Some(text) = device.attr("port") else { return Ok((0, true)) };
    let kind = device.attr("type").unwrap_or_default();
    let port = number(text)
        .ok_or_else(|| internal(device, format_args!("cannot parse {kind} port {text}")))?;
    Ok((port, port == -1))
}

pub(super) fn yes_no(value: bool) -> String {
    let word = if value { "yes" } else { "no" };
    word.to_owned()
}

pub(super) fn extend(element: &mut Element, attributes: Attributes) {
    let owned = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    element.attributes.extend(owned);
}

/// The password, how long it is valid, and what becomes of those who are connected.
pub(super) fn password(device: &Element) -> Result<Attributes> {
    let mut attributes = Attributes::new();
    let Some(password) = device.attr("passwd") else { return Ok(attributes) };
    attributes.push(("passwd", password.to_owned()));
    if let Some(text) = device.attr("passwdValidTo") {
        let time = time(text).ok_or_else(|| {
            internal(
                device,
                format_args!(
                    "cannot parse password validity time '{text}', expect YYYY-MM-DDTHH:MM:SS"
                ),
            )
        })?;
        attributes.push(("passwdValidTo", time));
    }
    if let Some(connected) = device.attr("connected") {
        if !["fail", "disconnect", "keep"].contains(&connected) {
            return Err(device.unsupported(format_args!(
                "unknown connected value {connected}: expected one of fail, disconnect, keep"
            )));
        }
        attributes.push(("connected", connected.to_owned()));
    }
    Ok(attributes)
}

/// A time of the calendar in libvirt's spelling.
fn time(text: &str) -> Option<String> {
    let (date, clock) = text.split_once('T')?;
    let numbers = |text: &str, separator| -> Option<[u32; 3]> {
        let numbers: Option<Vec<u32>> = text.split(separator).map(number).collect();
        numbers?.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return None,
    };
    let is_valid = (1..=9999).contains(&year)
        && (1..=days).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    is_valid.then(|| format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{fault, parse, printed_device};
    use crate::model::{DeviceFamily, View};

    /// There is no screen without a card.
    const NO_CARD: &str = "<video><model type='none'/></video>";

    fn printed(graphics: &str) -> String {
        printed_device(&format!("{graphics}{NO_CARD}")).replace(NO_CARD, "")
    }

    #[test]
    fn ports_are_given_or_found() {
        for (given, expected) in [
            ("type='vnc'", "type='vnc' port='-1' autoport='yes'"),
            ("type='vnc' port='5' autoport='yes'", "type='vnc' port='-1' autoport='yes'"),
            ("type='vnc' port='5'", "type='vnc' port='5' autoport='no'"),
            ("type='vnc' port='-1' autoport='no'", "type='vnc' autoport='no'"),
            ("type='rdp'", "type='rdp' port='0' autoport='yes'"),
            ("type='rdp' port='5' multiUser='yes'", "type='rdp' port='5' multiUser='yes'"),
            ("type='spice' port='-1' tlsPort='-1'", "type='spice' autoport='yes'"),
            ("type='spice' tlsPort='7'", "type='spice' tlsPort='7' autoport='no'"),
        ] {
            let expected = format!("<graphics {expected}><listen type='address'/></graphics>");
            assert_eq!(printed(&format!("<graphics {given}/>")), expected);
        }
    }

    #[test]
    fn the_first_place_is_repeated() {
        for (given, expected) in [
            (
                "type='vnc' listen='::1'/>",
                "type='vnc' port='-1' autoport='yes' listen='::1'>\
                 <listen type='address' address='::1'/></graphics>",
            ),
            (
                "type='vnc' port='5'><listen type='socket' socket='/s'/></graphics>",
                "type='vnc' socket='/s'><listen type='socket' socket='/s'/></graphics>",
            ),
            (
                "type='vnc' socket='/s' keymap='de'><listen type='network' network='n'/></graphics>",
                "type='vnc' socket='/s' keymap='de'><listen type='socket' socket='/s'/></graphics>",
            ),
            ("type='spice'/>", "type='spice'><listen type='none'/></graphics>"),
        ] {
            assert_eq!(printed(&format!("<graphics {given}")), format!("<graphics {expected}"));
        }
    }

    #[test]
    fn parts_are_written_in_their_order() {
        let text = "<graphics type='spice' autoport='yes' defaultMode='any'><gl enable='no'/>\
                    <image compression='off'/><channel name='record' mode='secure'/>\
                    <channel name='main' mode='any'/><channel name='main' mode='insecure'/>\
                    <channel name='cursor' mode='any'/></graphics>\
                    <graphics type='sdl' display=':0' fullscreen='no'/>\
                    <graphics type='dbus' p2p='yes'><audio id='1'/><gl enable='yes'/></graphics>";
        assert_eq!(
            printed(text),
            "<graphics type='spice' autoport='yes'><listen type='address'/>\
             <channel name='main' mode='insecure'/><channel name='record' mode='secure'/>\
             <image compression='off'/><gl enable='no'/></graphics>\
             <graphics type='sdl' display=':0'/>\
             <graphics type='dbus' p2p='yes'><gl enable='yes'/><audio id='1'/></graphics>"
        );
    }

    #[test]
    fn a_password_is_dropped_and_the_rest_stays() {
        let text = "<devices><graphics type='vnc' passwd='p' passwdValidTo='2020-1-1T0:0:0' \
                    connected='keep'/><video><model type='none'/></video></devices>";
        let mut domain = parse(text);
        let with = " passwd='p' passwdValidTo='2020-01-01T00:00:00' connected='keep'";
        assert!(domain.format(View::Inactive).contains(with));
        domain.devices.drop_secrets();
        let text = domain.format(View::Inactive);
        assert!(!text.contains(" passwd=") && text.contains(" passwdValidTo="), "{text}");
        assert_eq!(domain.devices.kept[0].0, DeviceFamily::Graphics);
    }

    #[test]
    fn times_are_of_the_calendar() {
        for text in ["2020-02-29T23:59:59", "2000-2-29T0:0:0", "9999-12-31T00:00:00"] {
            assert!(time(text).is_some(), "{text}");
        }
        for text in
            ["2021-02-29T00:00:00", "1900-02-29T0:0:0", "2020-13-01T0:0:0", "2020-1-1T24:0:0", ""]
        {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn faults() {
        for (graphics, expected) in [
            ("<graphics/>", "XML error: Missing required attribute 'type' in element 'graphics'"),
            ("<graphics type='vnc' port='x'/>", "internal error: cannot parse vnc port x"),
            (
                "<graphics type='vnc' passwd='x' connected='fail'/>",
                "unsupported configuration: VNC supports connected='keep' only",
            ),
            (
                "<graphics type='spice' passwd='x' connected='x'/>",
                "unsupported configuration: unknown connected value x: \
                 expected one of fail, disconnect, keep",
            ),
            (
                "<graphics type='vnc' passwd='x' passwdValidTo='x'/>",
                "internal error: cannot parse password validity time 'x', \
                 expect YYYY-MM-DDTHH:MM:SS",
            ),
            (
                "<graphics type='rdp'><listen type='none'/></graphics>",
                "unsupported configuration: listen type 'none' is not available for graphics \
                 type 'rdp'",
            ),
            (
                "<graphics type='vnc' listen='a'><listen type='address' address='b'/></graphics>",
                "unsupported configuration: graphics 'listen' attribute 'a' must match 'address' \
                 attribute of first listen element (found 'b')",
            ),
            (
                "<graphics type='vnc'><listen type='none' network='n'/></graphics>",
                "XML error: 'network' attribute is valid only for listen type 'network'",
            ),
            (
                "<graphics type='dbus' p2p='yes' address='a'/>",
                "XML error: D-Bus p2p with an address is not supported",
            ),
        ] {
            let error = fault(&format!("<devices>{graphics}{NO_CARD}</devices>"));
            assert_eq!(error.message.replacen("line 2: ", "", 1), expected, "{graphics}");
        }
    }
}
