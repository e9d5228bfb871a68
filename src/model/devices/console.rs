//! `<console>`: a terminal of the container, reached from outside.

use crate::error::Result;
use crate::model::View;
use crate::xml::{Element, Writer};

/// libvirt's kinds of console devices; in a container they are all the same.
const TARGET_TYPES: [&str; 8] =
    ["lxc", "serial", "virtio", "xen", "uml", "openvz", "sclp", "sclplm"];

/// One console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Console {
    /// Its position among the consoles; port 0 is the container's `/dev/console`.
    pub target_port: u32,
    /// The kind the document asks for, `lxc` by default; kept, without effect.
    pub target_type: String,
    /// The terminal on the host, as in `/dev/pts/5`. Live only.
    pub tty: Option<String>,
    /// The name in events and calls, as in `console0`. Live only.
    pub alias: Option<String>,
}

impl Console {
    /// A console as it is before the container starts.
    pub fn new(target_port: u32) -> Self {
        Self { target_port, target_type: "lxc".to_owned(), tty: None, alias: None }
    }

    /// Reads a console; its port is where it stands, whatever the document says.
    pub(super) fn parse(element: &Element, port: u32) -> Result<Self> {
        if element.attr("type").is_some_and(|kind| kind != "pty") {
            return Err(element.unsupported("Only PTY console types are supported"));
        }
        let mut console = Self::new(port);
        let Some(target) = element.child("target") else {
            return Ok(console);
        };
        if let Some(port) = target.attr("port")
            && port.parse::<u32>().is_err()
        {
            return Err(target.error(format_args!("Invalid port number: {port}")));
        }
        if let Some(kind) = target.attr("type") {
            if !TARGET_TYPES.contains(&kind) {
                return Err(target.unsupported(format_args!(
                    "unknown target type '{kind}' specified for character device"
                )));
            }
            if kind == "serial" && console.target_port > 0 {
                return Err(target.unsupported("Only the first console can be a serial port"));
            }
            kind.clone_into(&mut console.target_type);
        }
        Ok(console)
    }

    pub(super) fn format(&self, w: &mut Writer, view: View) {
        let live = |value: &Option<String>| value.clone().filter(|_| view == View::Live);
        let tty = live(&self.tty);
        match &tty {
            Some(tty) => w.open("console", &[("type", "pty"), ("tty", tty)]),
            None => w.open("console", &[("type", "pty")]),
        }
        if let Some(tty) = &tty {
            w.empty("source", &[("path", tty)]);
        }
        let port = self.target_port.to_string();
        w.empty("target", &[("type", &self.target_type), ("port", &port)]);
        if let Some(alias) = live(&self.alias) {
            w.empty("alias", &[("name", &alias)]);
        }
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
                    <console/></devices>";
        let consoles = parse(text).devices.consoles;
        let serial = Console { target_type: "serial".to_owned(), ..Console::new(0) };
        assert_eq!(consoles, [serial, Console::new(1)]);
        assert_eq!(printed(text)[1], "      <target type='serial' port='0'/>");
    }

    #[test]
    fn live_parts_are_written_for_the_live_view_only() {
        let mut domain = parse("<devices><console/></devices>");
        domain.id = Some(42);
        domain.devices.consoles[0].tty = Some("/dev/pts/5".to_owned());
        domain.devices.consoles[0].alias = Some("console0".to_owned());
        let live = domain.format(View::Live);
        assert!(live.starts_with("<domain type='lxc' id='42'>\n"));
        assert!(live.contains(
            "    <console type='pty' tty='/dev/pts/5'>\n      <source path='/dev/pts/5'/>\n      \
             <target type='lxc' port='0'/>\n      <alias name='console0'/>\n    </console>\n"
        ));
        let inactive = domain.format(View::Inactive);
        assert!(!inactive.contains("id=") && !inactive.contains("/dev/pts"));
        assert!(!inactive.contains("alias"));
    }

    #[test]
    fn faults() {
        let pty = "unsupported configuration: line 2: Only PTY console types are supported";
        assert_faults(&[
            ("<devices><console type='file'/></devices>", pty),
            ("<devices><console type=''/></devices>", pty),
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
                 character device",
            ),
        ]);
    }
}
