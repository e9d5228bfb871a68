//! `<console>`: a terminal of the container, reached from outside.

use super::View;
use crate::error::Result;
use crate::xml::{Element, Writer};

/// libvirt's kinds of console devices; in a container they are all the same.
const TARGET_TYPES: [&str; 8] = [
    "lxc", "serial", "virtio", "xen", "uml", "openvz", "sclp", "sclplm",
];

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
        Self {
            target_port,
            target_type: "lxc".to_owned(),
            tty: None,
            alias: None,
        }
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
