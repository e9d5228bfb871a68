//! `<console>`: a terminal of the container, reached from outside.

use super::chardev::{CharacterSource, Rules};
use super::info::Place;
use super::ports;
use crate::error::Result;
use crate::model::read::unknown_word;
use crate::model::{View, shape};
use crate::xml::{Element, Writer};

/// libvirt's kinds of console devices; in a container they are all the same.
const TARGET_TYPES: &[&str] =
    &["lxc", "serial", "virtio", "xen", "uml", "openvz", "sclp", "sclplm", "none"];

/// One console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// What it is on the host; a container with other than terminals does not start.
    pub source: CharacterSource,
    /// Its position among the consoles; port 0 is the container's `/dev/console`.
    pub target_port: u32,
    /// The kind the document asks for, `lxc` by default; kept, without effect.
    pub target_type: String,
    /// The source's `<source>`, `<protocol>` and `<log>`; the first two are without effect.
    pub connection: Vec<Element>,
    /// Its place in a machine; without effect.
    pub place: Vec<Element>,
    /// The terminal on the host, as in `/dev/pts/5`. Live only.
    pub tty: Option<String>,
    /// The name in events and calls, as in `console0`. Live only.
    pub alias: Option<String>,
}

impl Console {
    /// A terminal as it is before the container starts.
    pub fn new(target_port: u32) -> Self {
        Self {
            source: CharacterSource::Pty,
            target_port,
            target_type: "lxc".to_owned(),
            connection: Vec::new(),
            place: Vec::new(),
            tty: None,
            alias: None,
        }
    }

    /// The file that gets what is printed, and whether what it holds before stays (`<log>`).
    pub fn log(&self) -> Option<(&str, bool)> {
        let log = self.connection.iter().find(|element| element.name == "log")?;
        Some((log.attr("file")?, log.attr("append") == Some("on")))
    }

    /// Reads a console; its port is where it stands, whatever the document says.
    pub(super) fn parse(element: &Element, port: u32) -> Result<Self> {
        let source = CharacterSource::of(element)?;
        if source == CharacterSource::SpiceVmc {
            return Err(ports::not_for_spice(element));
        }
        let mut console = Self {
            source,
            connection: Rules::DEVICE.read(element, source)?,
            place: Place::PLAIN.read(element)?,
            ..Self::new(port)
        };
        let Some(target) = element.child("target") else {
            return Ok(console);
        };
        ports::number_of(target)?;
        if let Some(kind) = target.attr("type") {
            if !TARGET_TYPES.contains(&kind) {
                let behind = " specified for character device";
                return Err(unknown_word(target, "target type", kind, behind, TARGET_TYPES));
            }
            if kind == "serial" && console.target_port > 0 {
                return Err(target.unsupported("Only the first console can be a serial port"));
            }
            if kind != "none" {
                kind.clone_into(&mut console.target_type);
            }
        }
        Ok(console)
    }

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        let live = |value: &Option<String>| value.clone().filter(|_| view == View::Live);
        let tty = live(&self.tty);
        let kind = ("type", self.source.as_str());
        // Of old, the first console's terminal is an attribute as well.
        match tty.as_ref().filter(|_| self.target_port == 0) {
            Some(tty) => w.open("console", &[kind, ("tty", tty)]),
            None => w.open("console", &[kind]),
        }
        if let Some(tty) = &tty {
            w.empty("source", &[("path", tty)]);
        }
        self.connection.iter().for_each(|element| shape::format(w, element));
        let port = self.target_port.to_string();
        w.empty("target", &[("type", &self.target_type), ("port", &port)]);
        if let Some(alias) = live(&self.alias) {
            w.empty("alias", &[("name", &alias)]);
        }
        self.place.iter().for_each(|element| shape::format(w, element));
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{assert_faults, parse, printed};

    #[test]
    fn ports_are_positions_and_live_parts_are_not_read() {
        let text = "<devices><console type='pty' tty='/dev/pts/5'><source path='/dev/pts/5'/>\
                    <target type='serial' port='7'/><alias name='console0'/></console>\
                    <console><target type='none' port='-1'/></console></devices>";
        let consoles = parse(text).devices.consoles;
        let serial = Console { target_type: "serial".to_owned(), ..Console::new(0) };
        assert_eq!(consoles, [serial, Console::new(1)]);
        assert_eq!(printed(text)[1], "      <target type='serial' port='0'/>");
    }

    #[test]
    fn what_has_no_effect_is_kept() {
        let text = "<devices><console type='file'><source path='/f' append='on'/>\
                    <log file='/l' append='off'/><target port='0'/><acpi index='3'/>\
                    </console></devices>";
        let expected = [
            "    <console type='file'>",
            "      <source path='/f' append='on'/>",
            "      <log file='/l' append='off'/>",
            "      <target type='lxc' port='0'/>",
            "      <acpi index='3'/>",
            "    </console>",
        ];
        assert_eq!(printed(text), expected);
        let console = &parse(text).devices.consoles[0];
        assert_eq!(console.source, CharacterSource::File);
        assert_eq!(console.log(), Some(("/l", false)));
        assert_eq!(Console::new(0).log(), None);
    }

    #[test]
    fn live_parts_are_written_for_the_live_view_only() {
        let mut domain = parse("<devices><console><acpi index='3'/></console></devices>");
        domain.id = Some(42);
        domain.devices.consoles[0].tty = Some("/dev/pts/5".to_owned());
        domain.devices.consoles[0].alias = Some("console0".to_owned());
        let live = domain.format(View::Live);
        assert!(live.starts_with("<domain type='lxc' id='42'>\n"));
        assert!(live.contains(
            "    <console type='pty' tty='/dev/pts/5'>\n      <source path='/dev/pts/5'/>\n      \
             <target type='lxc' port='0'/>\n      <alias name='console0'/>\n      \
             <acpi index='3'/>\n    </console>\n"
        ));
        let inactive = domain.format(View::Inactive);
        assert!(!inactive.contains("id=") && !inactive.contains("/dev/pts"));
        assert!(!inactive.contains("alias"));
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<devices><console type='foo'/></devices>",
                "unsupported configuration: line 2: unknown type presented to host for character \
                 device: foo: expected one of null, vc, pty, dev, file, pipe, stdio, udp, tcp, \
                 unix, spicevmc, spiceport, nmdm, qemu-vdagent, dbus",
            ),
            (
                "<devices><console/>\n<console><target type='serial'/></console></devices>",
                "unsupported configuration: line 3: Only the first console can be a serial port",
            ),
            (
                "<devices><console>\n<target port='x'/></console></devices>",
                "XML error: line 3: Invalid port number: x",
            ),
            (
                "<devices><console>\n<target type='foo'/></console></devices>",
                "unsupported configuration: line 3: unknown target type 'foo' specified for \
                 character device: expected one of lxc, serial, virtio, xen, uml, openvz, sclp, \
                 sclplm, none",
            ),
            (
                "<devices><console type='spicevmc'/></devices>",
                "unsupported configuration: line 2: spicevmc device type only supports virtio",
            ),
        ]);
    }
}
