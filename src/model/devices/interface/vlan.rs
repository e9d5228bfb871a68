//! `<vlan>`: the virtual networks a link belongs to.

use crate::error::Result;
use crate::model::read::{number_attr, required, words};
use crate::xml::{Element, Writer};

/// Tags of virtual networks; one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// Whether frames keep their tags on the way to the container; with several tags always.
    pub trunk: bool,
    /// The virtual networks, in the order of the document.
    pub tags: Vec<VlanTag>,
}

/// A virtual network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VlanTag {
    /// Its number, at most 4095.
    pub id: u16,
    /// Whether and how frames without a tag belong to it; of one tag at most.
    pub native: Option<NativeMode>,
}

words! {
    /// What happens to frames of the native network.
    pub enum NativeMode {
        /// They get its tag.
        Tagged = "tagged",
        /// They stay without.
        Untagged = "untagged",
    }
}

const MOST: u32 = 4095;

impl Vlan {
    pub(super) fn parse(interface: &Element) -> Result<Option<Self>> {
        let Some(element) = interface.child("vlan") else { return Ok(None) };
        let tags = element.children_named("tag").map(VlanTag::parse).collect::<Result<Vec<_>>>()?;
        let natives = tags.iter().filter(|tag| tag.native.is_some()).count();
        if natives > 1 {
            return Err(element.error("duplicate native vlan setting: one tag can be native"));
        }
        if tags.is_empty() {
            return Err(element.error(
                "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement",
            ));
        }
        let trunk = match element.attr("trunk").filter(|word| !word.is_empty()) {
            None => tags.len() > 1,
            Some(word) if word.eq_ignore_ascii_case("yes") => true,
            Some(word) if !word.eq_ignore_ascii_case("no") => {
                return Err(element.error(format_args!(
                    "invalid \"trunk='{word}'\" in <vlan> - must be yes or no"
                )));
            }
            Some(_) if tags.len() > 1 => {
                return Err(element.error(
                    "invalid \"trunk='no'\" in <vlan> - trunk='yes' is required for more than one \
                     vlan tag",
                ));
            }
            Some(_) if natives > 0 => {
                return Err(element.error(
                    "invalid configuration in <vlan> - \"trunk='no'\" is not allowed with a \
                     native vlan id",
                ));
            }
            Some(_) => false,
        };
        Ok(Some(Self { trunk, tags }))
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let trunk = [("trunk", "yes")];
        w.open("vlan", if self.trunk { &trunk } else { &[] });
        for tag in &self.tags {
            let id = tag.id.to_string();
            let mut attributes = vec![("id", id.as_str())];
            attributes.extend(tag.native.map(|native| ("nativeMode", native.as_str())));
            w.empty("tag", &attributes);
        }
        w.close();
    }
}

impl VlanTag {
    fn parse(element: &Element) -> Result<Self> {
        let id = required(element, "id", number_attr::<u32>(element, "id")?)?;
        match u16::try_from(id) {
            Ok(small) if id <= MOST => {
                Ok(Self { id: small, native: NativeMode::attr(element, "nativeMode")? })
            }
            _ => {
                let text = format!("vlan tag id {id} too large (maximum {MOST})");
                Err(element.error(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{assert_faults, printed};

    fn devices(vlan: &str) -> String {
        format!(
            "<devices><interface type='user'><mac address='52:54:00:0:0:1'/>{vlan}</interface>\
             </devices>"
        )
    }

    #[test]
    fn several_tags_are_a_trunk() {
        let first = |text: &str| printed(&devices(text))[2].trim().to_owned();
        assert_eq!(first("<vlan><tag id='1'/><tag id='2'/></vlan>"), "<vlan trunk='yes'>");
        assert_eq!(first("<vlan trunk='YES'><tag id='1'/></vlan>"), "<vlan trunk='yes'>");
        assert_eq!(first("<vlan trunk='no'><tag id='1'/></vlan>"), "<vlan>");
        assert_eq!(first("<vlan trunk=''><tag id='1' nativeMode='tagged'/></vlan>"), "<vlan>");
        let text = devices("<vlan><tag nativeMode='untagged' id='4095'/></vlan>");
        assert_eq!(printed(&text)[3], "        <tag id='4095' nativeMode='untagged'/>");
    }

    #[test]
    fn faults() {
        for (text, expected) in [
            (
                "<vlan/>",
                "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement",
            ),
            ("<vlan><tag/></vlan>", "Missing required attribute 'id' in element 'tag'"),
            ("<vlan><tag id='4096'/></vlan>", "vlan tag id 4096 too large (maximum 4095)"),
            (
                "<vlan trunk='no'><tag id='1'/><tag id='1'/></vlan>",
                "invalid \"trunk='no'\" in <vlan> - trunk='yes' is required for more than one \
                 vlan tag",
            ),
            (
                "<vlan trunk='no'><tag id='1' nativeMode='tagged'/></vlan>",
                "invalid configuration in <vlan> - \"trunk='no'\" is not allowed with a native \
                 vlan id",
            ),
            (
                "<vlan trunk='x'><tag id='1'/></vlan>",
                "invalid \"trunk='x'\" in <vlan> - must be yes or no",
            ),
            (
                "<vlan><tag id='1' nativeMode='tagged'/><tag id='2' nativeMode='tagged'/></vlan>",
                "duplicate native vlan setting: one tag can be native",
            ),
        ] {
            assert_faults(&[(&devices(text), &format!("XML error: line 2: {expected}"))]);
        }
    }
}
