//! What is behind a character device on the host: a terminal, a file, a socket, and so on.
//!
//! Consoles, serial and parallel ports and channels have one, and so have the back ends of some
//! other devices. Only terminals are of use to a container.

use super::label;
use crate::error::{Error, ErrorCode, Result};
use crate::model::read::{internal, missing_attr, unknown_word, words};
use crate::model::shape::{self, Kind, ON_OFF, Shape, YES_NO, attr};
use crate::xml::{Element, Node};

words! {
    /// What kind of thing it is.
    pub enum CharacterSource {
        /// Nothing.
        Null = "null",
        /// A virtual console of a graphical display.
        VirtualConsole = "vc",
        /// A terminal that is made when the domain starts.
        Pty = "pty",
        /// A device of the host.
        Device = "dev",
        /// A file that output is written to.
        File = "file",
        /// A pair of named pipes.
        Pipe = "pipe",
        /// Standard input and output of the domain's process.
        Stdio = "stdio",
        /// Datagrams.
        Udp = "udp",
        /// A TCP connection.
        Tcp = "tcp",
        /// A Unix socket.
        Unix = "unix",
        /// A channel of SPICE with a fixed purpose.
        SpiceVmc = "spicevmc",
        /// A channel of SPICE with a name.
        SpicePort = "spiceport",
        /// A pair of connected terminals.
        Nmdm = "nmdm",
        /// A SPICE agent in the emulator.
        VdAgent = "qemu-vdagent",
        /// A channel of a D-Bus display.
        Dbus = "dbus",
    }
}

impl CharacterSource {
    /// What the `type` of a device says, a terminal when it says nothing.
    pub(super) fn of(device: &Element) -> Result<Self> {
        device.attr("type").map_or(Ok(Self::Pty), |word| Self::named(device, word))
    }

    /// What a word says that stands for the type.
    pub(super) fn named(device: &Element, word: &str) -> Result<Self> {
        Self::from_word(word).ok_or_else(|| {
            let known = Self::WORDS.join(", ");
            device.unsupported(format_args!(
                "unknown type presented to host for character device: {word}: \
                 expected one of {known}"
            ))
        })
    }

    /// [`Self::of`] with an error of the family's own: `unknown WHAT 'WORD'`.
    pub(super) fn required(device: &Element, word: &str, what: &str, behind: &str) -> Result<Self> {
        let unknown = || unknown_word(device, what, word, behind, Self::WORDS);
        Self::from_word(word).ok_or_else(unknown)
    }
}

/// What a family allows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules {
    /// Security labels of the source count.
    pub(super) labels: bool,
    /// A Unix socket may be without a path; the driver makes one up.
    pub(super) path_is_optional: bool,
}

impl Rules {
    /// Devices that are nothing but a character device.
    pub(super) const DEVICE: Self = Self { labels: true, path_is_optional: false };
    /// Back ends of other devices.
    pub(super) const BACKEND: Self = Self { labels: false, path_is_optional: false };
    /// Back ends that say themselves what is missing.
    pub(super) const LENIENT: Self = Self { labels: false, path_is_optional: true };

    /// What is kept of the sources, protocol and log of a device, in the order they are written.
    pub(super) fn read(self, device: &Element, kind: CharacterSource) -> Result<Vec<Element>> {
        let most = if kind == CharacterSource::Udp { 2 } else { 1 };
        for (name, most, word) in [
            (
                "source",
                most,
                if most == 2 { "two source elements are" } else { "one source element is" },
            ),
            ("protocol", 1, "one protocol element is"),
            ("log", 1, "one log element is"),
        ] {
            if device.children_named(name).count() > most {
                return Err(device.error(format_args!("only {word} allowed for character device")));
            }
        }
        let mut kept = self.sources(device, kind)?;
        if kind == CharacterSource::Tcp {
            kept.push(protocol(device)?);
        }
        kept.extend(log(device)?);
        Ok(kept)
    }

    fn sources(self, device: &Element, kind: CharacterSource) -> Result<Vec<Element>> {
        use CharacterSource as S;
        let none = Element { line: device.line, ..Element::default() };
        let source = device.child("source").unwrap_or(&none);
        let labels = if self.labels { label::read(source)? } else { Vec::new() };
        let kept = match kind {
            S::Null | S::VirtualConsole | S::Pty | S::Stdio | S::SpiceVmc => None,
            S::Device | S::Pipe => with(&PATH, &["path"], source, labels)?,
            S::File => with(&FILE, &["path"], source, labels)?,
            S::Unix => self.unix(source, labels)?,
            S::Tcp => with(&TCP, &["host", "service"], source, reconnect(source)?)?,
            S::Udp => return udp(device),
            S::Nmdm if source.attr("master").is_some() != source.attr("slave").is_some() => {
                let detail = "Should define both master and slave path attributes for nmdm device";
                return Err(internal(source, detail));
            }
            S::Nmdm => NMDM.read(source)?,
            S::VdAgent => VDAGENT.read(source)?,
            S::SpicePort | S::Dbus => match CHANNEL.read(source)? {
                None if kind == S::Dbus && device.name == "redirdev" => Some(shape::element(
                    "source",
                    &[("channel", "org.qemu.usbredir".to_owned())],
                    Vec::new(),
                )),
                None => {
                    let detail = "Missing source channel attribute for char device";
                    return Err(source.unsupported(detail));
                }
                kept => {
                    check_channel(source)?;
                    kept
                }
            },
        };
        Ok(kept.into_iter().collect())
    }

    fn unix(self, source: &Element, labels: Vec<Element>) -> Result<Option<Element>> {
        let needed: &[_] = if self.path_is_optional { &[] } else { &["path"] };
        let kept = with(&UNIX, needed, source, labels)?;
        let reconnect = reconnect(source)?.into_iter().map(Node::Element);
        // Without a path nothing is kept: it will all be made up.
        Ok(kept.filter(|kept| kept.attr("path").is_some()).map(|mut kept| {
            kept.children.extend(reconnect);
            kept
        }))
    }
}

const MODES: Kind = Kind::Word(&["connect", "bind"]);
const PATH: Shape = Shape::new("source", &[attr("path", Kind::Text)]);
const FILE: Shape =
    Shape::new("source", &[attr("path", Kind::Text), attr("append", Kind::Word(ON_OFF))]);
const UNIX: Shape =
    Shape::new("source", &[attr("mode", MODES).or("connect"), attr("path", Kind::Text)]);
const TCP: Shape = Shape::new(
    "source",
    &[
        attr("mode", MODES).or("connect"),
        attr("host", Kind::Text),
        attr("service", Kind::Text),
        attr("tls", Kind::Word(YES_NO)),
    ],
);
const NMDM: Shape = Shape::new("source", &[attr("master", Kind::Text), attr("slave", Kind::Text)]);
/// Names of channels are letters, digits, and a few marks.
fn check_channel(source: &Element) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    match source.attr("channel").filter(|name| !name.chars().all(is_plain)) {
        None => Ok(()),
        Some(name) => {
            let detail = format!(
                "Invalid character in source channel for char device: '{name}', expected letters, \
                 digits, '.', '-' and '_'"
            );
            Err(Error::in_document(ErrorCode::InvalidArg, source.line, detail))
        }
    }
}

const CHANNEL: Shape = Shape::new("source", &[attr("channel", Kind::Text)]);
const VDAGENT: Shape = Shape::new("source", &[]).with(&[
    Shape::new("clipboard", &[attr("copypaste", Kind::Word(YES_NO)).required()]),
    Shape::new("mouse", &[attr("mode", Kind::Word(&["server", "client"])).required()]),
]);

/// What a shape keeps of a source, with children that were read already; some attributes must be
/// there.
fn with(
    shape: &Shape,
    needed: &[&str],
    source: &Element,
    children: Vec<Element>,
) -> Result<Option<Element>> {
    let mut kept = shape.read(source)?;
    if let Some(name) = needed.iter().find(|name| source.attr(name).is_none()) {
        let detail = format_args!("Missing source {name} attribute for char device");
        return Err(internal(source, detail));
    }
    if let Some(kept) = &mut kept {
        kept.children.extend(children.into_iter().map(Node::Element));
    }
    Ok(kept)
}

/// Whether a client tries again when the server goes away.
fn reconnect(source: &Element) -> Result<Vec<Element>> {
    const ENABLED: Shape = Shape::new("reconnect", &[attr("enabled", Kind::Word(YES_NO))]);
    const TIMEOUT: Shape = Shape::new("reconnect", &[attr("timeout", Kind::Number)]);
    let Some(element) = source.child("reconnect") else { return Ok(Vec::new()) };
    let Some(mut kept) = ENABLED.read(element)? else { return Ok(Vec::new()) };
    if source.attr("mode") == Some("bind") {
        return Err(internal(element, "chardev reconnect is possible only for connect mode"));
    }
    if kept.attr("enabled") == Some("yes") {
        let timeout = TIMEOUT.read(element)?.ok_or_else(|| missing_attr(element, "timeout"))?;
        kept.attributes.extend(timeout.attributes);
    }
    Ok(vec![kept])
}

/// Both ends of datagrams: where from (that may be left out) and where to.
fn udp(device: &Element) -> Result<Vec<Element>> {
    const UDP: Shape = Shape::new(
        "source",
        &[attr("mode", MODES).or("connect"), attr("host", Kind::Text), attr("service", Kind::Text)],
    );
    let (mut from, mut to) = (None, None);
    for source in device.children_named("source") {
        let Some(kept) = UDP.read(source)? else { continue };
        let end = if kept.attr("mode") == Some("bind") { &mut from } else { &mut to };
        end.get_or_insert(kept);
    }
    let to = to.filter(|to| to.attr("service").is_some()).ok_or_else(|| {
        internal(
            device,
            "Missing source service attribute for char device: <source mode='connect'>",
        )
    })?;
    let from = from.filter(|from| from.attributes.len() > 1);
    Ok(from.into_iter().chain([to]).collect())
}

fn protocol(device: &Element) -> Result<Element> {
    const WORDS: &[&str] = &["raw", "telnet", "telnets", "tls"];
    let word = device.child("protocol").and_then(|protocol| protocol.attr("type"));
    let word = word.unwrap_or("raw");
    if !WORDS.contains(&word) {
        let known = WORDS.join(", ");
        let detail = format_args!("Unknown protocol '{word}': expected one of {known}");
        return Err(device.unsupported(detail));
    }
    Ok(shape::element("protocol", &[("type", word.to_owned())], Vec::new()))
}

/// A file that output is written to as well.
fn log(device: &Element) -> Result<Option<Element>> {
    const LOG: Shape =
        Shape::new("log", &[attr("file", Kind::Text), attr("append", Kind::Word(ON_OFF))]);
    Ok(LOG.read_one(device)?.filter(|log| log.attr("file").is_some()))
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_device_faults, printed_device};

    #[test]
    fn each_kind_keeps_what_it_has() {
        let everything = "<source path='/p' append='on' mode='bind' host='h' service='s' tls='yes' \
                          channel='c' master='/m' slave='/s'><mouse mode='client'/></source>\
                          <protocol type='telnet'/><log file='/l' append='off'/>";
        for (kind, expected) in [
            ("null", ""),
            ("pty", ""),
            ("dev", "<source path='/p'/>"),
            ("file", "<source path='/p' append='on'/>"),
            ("unix", "<source mode='bind' path='/p'/>"),
            (
                "tcp",
                "<source mode='bind' host='h' service='s' tls='yes'/><protocol type='telnet'/>",
            ),
            ("spiceport", "<source channel='c'/>"),
            ("nmdm", "<source master='/m' slave='/s'/>"),
            ("qemu-vdagent", "<source><mouse mode='client'/></source>"),
        ] {
            let printed = printed_device(&format!("<serial type='{kind}'>{everything}</serial>"));
            let expected = format!(
                "<serial type='{kind}'>{expected}<log file='/l' append='off'/>\
                 <target port='0'/></serial>"
            );
            assert_eq!(printed, expected);
        }
    }

    #[test]
    fn what_is_not_said_is_filled_in() {
        let tcp = "<parallel type='tcp'><source host='h' service='1'>\
                   <reconnect enabled='no' timeout='5'/></source></parallel>";
        assert_eq!(
            printed_device(tcp),
            "<parallel type='tcp'><source mode='connect' host='h' service='1'>\
             <reconnect enabled='no'/></source><protocol type='raw'/>\
             <target port='0'/></parallel>"
        );
        let udp = "<parallel type='udp'><source service='1'/>\
                   <source mode='bind' host='b'/></parallel>";
        assert_eq!(
            printed_device(udp),
            "<parallel type='udp'><source mode='bind' host='b'/>\
             <source mode='connect' service='1'/><target port='0'/></parallel>"
        );
    }

    #[test]
    fn labels_are_kept_when_they_say_something() {
        let labels = "<seclabel model='dac' relabel='no'/><seclabel model='x'/>\
                      <seclabel model='selinux'><label>l</label></seclabel>";
        assert_eq!(
            printed_device(&format!(
                "<parallel type='dev'><source path='/p'>{labels}</source></parallel>"
            )),
            "<parallel type='dev'><source path='/p'><seclabel model='dac' relabel='no'/>\
             <seclabel model='selinux' relabel='yes'><label>l</label></seclabel></source>\
             <target port='0'/></parallel>"
        );
    }

    #[test]
    fn faults() {
        assert_device_faults(&[
            (
                "<serial type='dev'/>",
                "internal error: Missing source path attribute for char device",
            ),
            (
                "<serial type='tcp'><source host='h'/></serial>",
                "internal error: Missing source service attribute for char device",
            ),
            (
                "<serial type='udp'><source mode='bind' service='1'/></serial>",
                "internal error: Missing source service attribute for char device: \
                 <source mode='connect'>",
            ),
            (
                "<serial type='dbus'/>",
                "unsupported configuration: Missing source channel attribute for char device",
            ),
            (
                "<serial type='nmdm'><source master='/m'/></serial>",
                "internal error: Should define both master and slave path attributes for nmdm \
                 device",
            ),
            (
                "<serial type='unix'><source mode='bind' path='/p'><reconnect enabled='no'/>\
                 </source></serial>",
                "internal error: chardev reconnect is possible only for connect mode",
            ),
            (
                "<serial type='unix'><source path='/p'><reconnect enabled='yes'/></source>\
                 </serial>",
                "XML error: Missing required attribute 'timeout' in element 'reconnect'",
            ),
            (
                "<serial><source/><source/></serial>",
                "XML error: only one source element is allowed for character device",
            ),
            (
                "<serial type='udp'><source/><source/><source/></serial>",
                "XML error: only two source elements are allowed for character device",
            ),
            (
                "<serial type='tcp'><source host='h' service='1'/><protocol type='x'/></serial>",
                "unsupported configuration: Unknown protocol 'x': \
                 expected one of raw, telnet, telnets, tls",
            ),
            (
                "<serial><source><seclabel model='a'/><seclabel model='a'/></source></serial>",
                "seclabel for model a is already provided",
            ),
            (
                "<serial><source><seclabel model='a' relabel='no'><label>x</label></seclabel>\
                 </source></serial>",
                "XML error: Cannot specify a label if relabelling is turned off. model=a",
            ),
        ]);
    }
}
