use super::Exported;
use crate::error::Result;
use crate::xml::Element;

pub(super) fn export(_domain: &Element) -> Result<Exported> {
    Ok(Exported { config: String::new(), notes: Vec::new() })
}
