//! `<filterref>`: which packets pass a link.

use crate::xml::{Element, Writer};

/// A network filter and the values of its variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterReference {
    /// The name of the filter.
    pub filter: String,
    /// Names and values, sorted by name. A name may come several times: its values are a list.
    pub parameters: Vec<(String, String)>,
}

impl FilterReference {
    /// Reads a reference; without a filter it is none.
    pub(super) fn parse(interface: &Element) -> Option<Self> {
        let element = interface.child("filterref")?;
        let filter = element.attr("filter")?.to_owned();
        let parameters = element.children_named("parameter").filter_map(|parameter| {
            let (name, value) = (parameter.attr("name")?, parameter.attr("value")?);
            // Others are dropped, as in libvirt.
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let is_in_value = |c: char| c.is_ascii_alphanumeric() || "_.:".contains(c);
            let is_value = !value.is_empty() && value.chars().all(is_in_value);
            (is_name && is_value).then(|| (name.to_owned(), value.to_owned()))
        });
        let mut parameters: Vec<_> = parameters.collect();
        parameters.sort_by(|(one, _), (other, _)| one.cmp(other));
        Some(Self { filter, parameters })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let attributes = [("filter", self.filter.as_str())];
        if self.parameters.is_empty() {
            return w.empty("filterref", &attributes);
        }
        w.open("filterref", &attributes);
        for (name, value) in &self.parameters {
            w.empty("parameter", &[("name", name), ("value", value)]);
        }
        w.close();
    }
}

#[cfg(test)]
mod tests {
    use crate::model::samples::{parse, printed};

    fn devices(kind: &str, filter: &str) -> String {
        format!(
            "<devices><interface type='{kind}'><mac address='52:54:00:0:0:1'/>{filter}</interface>\
             </devices>"
        )
    }

    #[test]
    fn parameters_are_sorted_and_lists_stay_in_order() {
        let parameter = |name, value| format!("<parameter name='{name}' value='{value}'/>");
        let text = devices(
            "ethernet",
            &format!(
                "<filterref filter='f'>{}{}{}{}{}<parameter name='x'/></filterref>",
                parameter("IP", "1.2.3.5"),
                parameter("A_1", "fe80::1"),
                parameter("IP", "1.2.3.4"),
                parameter("a b", "1"),
                parameter("b", "1-2"),
            ),
        );
        assert_eq!(
            printed(&text)[2..7],
            [
                "      <filterref filter='f'>",
                "        <parameter name='A_1' value='fe80::1'/>",
                "        <parameter name='IP' value='1.2.3.5'/>",
                "        <parameter name='IP' value='1.2.3.4'/>",
                "      </filterref>",
            ]
        );
    }

    #[test]
    fn without_a_filter_or_a_host_end_there_is_none() {
        for text in
            [devices("ethernet", "<filterref/>"), devices("user", "<filterref filter='f'/>")]
        {
            assert_eq!(parse(&text).devices.interfaces[0].filter, None);
        }
    }
}
