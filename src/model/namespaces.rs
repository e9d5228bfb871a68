//! `<lxc:namespace>`: name spaces shared with other containers, processes or `ip netns`.

use super::metadata::namespace;
use super::read::{internal, words};
use crate::error::Result;
use crate::xml::{Element, Writer};

/// The name space of the element itself.
pub(super) const URI: &str = "http://libvirt.org/schemas/domain/lxc/1.0";

words! {
    /// What a name space is taken from.
    pub enum ShareSource {
        /// Nothing.
        None = "none",
        /// Another container, by its name.
        Name = "name",
        /// A process of the host, by its id.
        Pid = "pid",
        /// A name of `ip netns`.
        Netns = "netns",
    }
}

/// Where a name space is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The kind; not [`ShareSource::None`].
    pub source: ShareSource,
    /// The name or number, as written.
    pub value: String,
}

/// The name spaces that are not the container's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharedNamespaces {
    /// Whether the document has the element, maybe with sources of `none` only.
    pub present: bool,
    /// The network.
    pub net: Option<Share>,
    /// System V IPC and POSIX message queues.
    pub ipc: Option<Share>,
    /// The host name.
    pub uts: Option<Share>,
}

impl SharedNamespaces {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let mut shared = Self::default();
        let is_ours = |element: &&Element| {
            local(&element.name) == "namespace"
                && namespace(&element.name, &[element, root]) == Some(URI)
        };
        for child in root.elements().filter(is_ours).flat_map(Element::elements) {
            let name = local(&child.name);
            let slot = match name {
                "sharenet" => &mut shared.net,
                "shareipc" => &mut shared.ipc,
                "shareuts" => &mut shared.uts,
                _ => {
                    return Err(child.unsupported(format_args!(
                        "unsupported Namespace feature: {name}: \
                         expected sharenet, shareipc or shareuts"
                    )));
                }
            };
            *slot = Share::parse(child)?;
            shared.present = true;
        }
        Ok(shared)
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if !self.present {
            return;
        }
        w.open("lxc:namespace", &[]);
        for (name, share) in
            [("lxc:sharenet", &self.net), ("lxc:shareipc", &self.ipc), ("lxc:shareuts", &self.uts)]
        {
            if let Some(Share { source, value }) = share {
                w.empty(name, &[("type", source.as_str()), ("value", value)]);
            }
        }
        w.close();
    }
}

impl Share {
    fn parse(element: &Element) -> Result<Option<Self>> {
        let (Some(kind), Some(value)) = (element.attr("type"), element.attr("value")) else {
            let detail = "No lxc environment type specified: expected type='...' and value='...'";
            return Err(internal(element, detail));
        };
        match ShareSource::from_word(kind) {
            None => Err(internal(
                element,
                format_args!(
                    "Unknown LXC namespace source '{kind}': expected one of {}",
                    ShareSource::WORDS.join(", ")
                ),
            )),
            Some(ShareSource::None) => Ok(None),
            Some(source) => Ok(Some(Self { source, value: value.to_owned() })),
        }
    }
}

fn local(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, local)| local)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{fault, parse, printed};
    use super::*;

    fn shared(inside: &str) -> String {
        format!("<l:namespace xmlns:l='{URI}'>{inside}</l:namespace>")
    }

    #[test]
    fn sources_are_kept_under_libvirts_prefix() {
        let text = shared(
            "<l:shareuts type='name' value='a'/><l:sharenet type='pid' value='&lt;'/>\
                           <l:shareipc type='none' value=''/>",
        );
        assert_eq!(
            printed(&text),
            [
                "<domain type='lxc' xmlns:lxc='http://libvirt.org/schemas/domain/lxc/1.0'>",
                "  <lxc:namespace>",
                "    <lxc:sharenet type='pid' value='&lt;'/>",
                "    <lxc:shareuts type='name' value='a'/>",
                "  </lxc:namespace>",
            ]
        );
        assert_eq!(parse(&shared("")).shared_namespaces, SharedNamespaces::default());
        assert_eq!(parse("<namespace><x/></namespace>").shared_namespaces.net, None);
    }

    #[test]
    fn faults() {
        let message = |inside| fault(&shared(inside)).message;
        let missing = message("<l:sharenet type='none'/>");
        assert!(
            missing.starts_with("internal error: line 2: No lxc environment type"),
            "{missing}"
        );
        assert!(message("<l:shareuser/>").contains("unsupported Namespace feature: shareuser"));
        assert!(message("<l:sharenet type='x' value='a'/>").contains("source 'x'"));
    }
}
