//! `<listen>` of `<graphics>`: where clients connect to.

use super::graphics::Attributes;
use crate::error::Result;
use crate::model::shape::{Kind, Shape, attr};
use crate::xml::Element;

/// Where a server listens; there is always a first place, and the `<graphics>` repeats it.
pub(super) struct Listens {
    first: Listen,
    others: Vec<Listen>,
}

enum Listen {
    Address(Option<String>),
    Network(String),
    Socket(Option<String>),
    Nowhere,
}

impl Listens {
    /// Those of a server. Its own attributes `listen` and `socket` must agree with the first.
    pub(super) fn read(graphics: &Element) -> Result<Self> {
        let elements = graphics.children_named("listen");
        let mut listens = elements.map(|element| Listen::read(element, graphics));
        let first = listens.next().transpose()?.unwrap_or(Listen::Address(None));
        let first = first.agreed(graphics)?;
        Ok(Self { first, others: listens.collect::<Result<_>>()? })
    }

    /// There is no port to connect to.
    pub(super) fn hide(&mut self) {
        if matches!(self.first, Listen::Address(_)) {
            self.first = Listen::Nowhere;
        }
    }

    /// The attributes that say how to connect, given those for an address.
    pub(super) fn attributes(&self, mut ports: Attributes) -> Attributes {
        match &self.first {
            Listen::Address(address) => {
                ports.extend(address.clone().map(|address| ("listen", address)));
                ports
            }
            Listen::Network(_) => ports,
            Listen::Socket(_) | Listen::Nowhere => Attributes::new(),
        }
    }

    /// The path of the first place, if it is a socket.
    pub(super) fn socket(&self) -> Option<&str> {
        match &self.first {
            Listen::Socket(path) => path.as_deref(),
            _ => None,
        }
    }

    /// As they are written.
    pub(super) fn elements(&self) -> Vec<Element> {
        std::iter::once(&self.first).chain(&self.others).map(Listen::element).collect()
    }
}

impl Listen {
    fn read(element: &Element, graphics: &Element) -> Result<Self> {
        const TYPES: &[&str] = &["address", "network", "socket", "none"];
        const TYPE: Shape = Shape::new("listen", &[attr("type", Kind::Word(TYPES)).required()]);
        let kept = TYPE.read(element)?.unwrap_or_default();
        let kind = kept.attr("type").unwrap_or_default();
        let value = |name| element.attr(name).filter(|value| !value.is_empty()).map(str::to_owned);
        let server = graphics.attr("type").unwrap_or_default();
        if matches!(kind, "socket" | "none") && !matches!(server, "vnc" | "spice") {
            return Err(element.unsupported(format_args!(
                "listen type '{kind}' is not available for graphics type '{server}'"
            )));
        }
        match (kind, value("network")) {
            ("network", Some(network)) => Ok(Self::Network(network)),
            ("network", None) => {
                Err(element.error("'network' attribute is required for listen type 'network'"))
            }
            (_, Some(_)) => {
                Err(element.error("'network' attribute is valid only for listen type 'network'"))
            }
            ("address", None) => Ok(Self::Address(value("address"))),
            ("socket", None) => Ok(Self::Socket(value("socket"))),
            _ => Ok(Self::Nowhere),
        }
    }

    /// What it is together with the attributes of `<graphics>`.
    fn agreed(self, graphics: &Element) -> Result<Self> {
        let socket = graphics.attr("socket").filter(|_| graphics.attr("type") == Some("vnc"));
        let listen = graphics.attr("listen").filter(|address| !address.is_empty());
        match (self, socket, listen) {
            (Self::Nowhere, ..) => Ok(Self::Nowhere),
            (Self::Socket(Some(path)), Some(socket), _) if path != socket => Err(graphics
                .unsupported(format_args!(
                    "graphics 'socket' attribute '{socket}' must match 'socket' attribute of \
                     first listen element (found '{path}')"
                ))),
            (_, Some(socket), _) => Ok(Self::Socket(Some(socket.to_owned()))),
            (Self::Address(Some(address)), None, Some(listen)) if address != listen => {
                Err(graphics.unsupported(format_args!(
                    "graphics 'listen' attribute '{listen}' must match 'address' attribute of \
                     first listen element (found '{address}')"
                )))
            }
            (Self::Address(None), None, Some(listen)) => Ok(Self::Address(Some(listen.to_owned()))),
            (first, None, _) => Ok(first),
        }
    }

    fn element(&self) -> Element {
        let (kind, value) = match self {
            Self::Address(address) => ("address", address.clone().map(|it| ("address", it))),
            Self::Network(network) => ("network", Some(("network", network.clone()))),
            Self::Socket(path) => ("socket", path.clone().map(|path| ("socket", path))),
            Self::Nowhere => ("none", None),
        };
        let mut attributes = vec![("type", kind.to_owned())];
        attributes.extend(value);
        crate::model::shape::element("listen", &attributes, Vec::new())
    }
}
