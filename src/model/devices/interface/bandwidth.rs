//! `<bandwidth>`: limits on what goes over a link.

use crate::error::{Error, ErrorCode, Result};
use crate::model::read::{detail, number};
use crate::xml::{Element, Writer};

use super::addresses::borrowed;

/// Limits of both directions, as the container sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkBandwidth {
    /// What comes in.
    pub inbound: Option<Rate>,
    /// What goes out.
    pub outbound: Option<Rate>,
}

/// Limits of a direction; no number is 0, and one is always there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// The rate over time, in KiB per second.
    pub average: Option<u64>,
    /// The most at a time, in KiB per second.
    pub peak: Option<u64>,
    /// What is granted even when the network is busy, in KiB per second. Only of what comes in
    /// from a virtual network.
    pub floor: Option<u64>,
    /// How much may go at the peak rate, in KiB.
    pub burst: Option<u64>,
}

impl LinkBandwidth {
    /// Reads the first `<bandwidth>`; a floor only where `takes_floor`.
    pub(super) fn parse(interface: &Element, takes_floor: bool) -> Result<Self> {
        let Some(element) = interface.child("bandwidth") else { return Ok(Self::default()) };
        if element.attr("classID").is_some() {
            let text = "classID attribute not supported on <bandwidth> in this usage context: \
                        only port groups of networks have it";
            return Err(detail(element, text));
        }
        let inbound = direction(element, "inbound")?;
        if let Some((element, Rate { floor: Some(_), .. })) = inbound
            && !takes_floor
        {
            return Err(element.unsupported(
                "floor attribute is not supported for this config: only interfaces of type \
                 'network' have it",
            ));
        }
        let outbound = direction(element, "outbound")?;
        if let Some((element, Rate { floor: Some(_), .. })) = outbound {
            return Err(element.unsupported("'floor' attribute allowed only in <inbound> element"));
        }
        let rate = |found: Option<(&Element, Rate)>| {
            found.map(|(_, rate)| rate).filter(|rate| *rate != Rate::default())
        };
        Ok(Self { inbound: rate(inbound), outbound: rate(outbound) })
    }

    pub(super) fn format(&self, w: &mut Writer) {
        if *self == Self::default() {
            return;
        }
        w.open("bandwidth", &[]);
        for (name, rate) in [("inbound", self.inbound), ("outbound", self.outbound)] {
            let Some(rate) = rate else { continue };
            let numbers = [
                ("average", rate.average),
                ("peak", rate.peak),
                ("floor", rate.floor),
                ("burst", rate.burst),
            ];
            let numbers: Vec<_> = numbers
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?.to_string())))
                .collect();
            w.empty(name, &borrowed(&numbers));
        }
        w.close();
    }
}

fn direction<'a>(bandwidth: &'a Element, name: &'a str) -> Result<Option<(&'a Element, Rate)>> {
    let mut elements = bandwidth.children_named(name);
    let Some(element) = elements.next() else { return Ok(None) };
    if let Some(second) = elements.next() {
        return Err(detail(second, format_args!("Only one child <{name}> element allowed")));
    }
    let has = |name| element.attr(name).is_some();
    if !has("average") {
        if !has("floor") {
            return Err(detail(element, "Missing mandatory average or floor attributes"));
        }
        if has("peak") || has("burst") {
            return Err(element.unsupported("'peak' and 'burst' require 'average' attribute"));
        }
    }
    let rate = Rate {
        average: limit(element, "average")?,
        peak: limit(element, "peak")?,
        floor: limit(element, "floor")?,
        burst: limit(element, "burst")?,
    };
    // Without an average there is nothing to exceed.
    let (peak, burst) = (rate.average.and(rate.peak), rate.average.and(rate.burst));
    Ok(Some((element, Rate { peak, burst, ..rate })))
}

/// A number; 0 is none.
fn limit(element: &Element, name: &str) -> Result<Option<u64>> {
    let Some(text) = element.attr(name) else { return Ok(None) };
    let value: Option<u64> = number(text);
    let value = value.ok_or_else(|| {
        Error::in_document(
            ErrorCode::ConfigUnsupported,
            element.line,
            format_args!(
                "could not convert bandwidth {name} value '{text}': expected a non-negative number"
            ),
        )
    })?;
    Ok(Some(value).filter(|value| *value != 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::samples::{fault, parse, printed};

    fn devices(bandwidth: &str) -> String {
        format!(
            "<devices><interface type='network'><source network='n'/><mac address='52:54:00:0:0:1'/>\
             <bandwidth>{bandwidth}</bandwidth></interface></devices>"
        )
    }

    #[test]
    fn limits_come_back_in_libvirts_order() {
        let text = devices(
            "<outbound average=' 5' peak='0'/>\
             <inbound burst='3' floor='4' peak='2' average='1'/>",
        );
        assert_eq!(
            printed(&text)[3..7],
            [
                "      <bandwidth>",
                "        <inbound average='1' peak='2' floor='4' burst='3'/>",
                "        <outbound average='5'/>",
                "      </bandwidth>",
            ]
        );
    }

    #[test]
    fn what_limits_nothing_is_dropped() {
        for text in ["", "<inbound average='0' peak='5'/>", "<inbound floor='0'/>"] {
            let bandwidth = &parse(&devices(text)).devices.interfaces[0].bandwidth;
            assert_eq!(*bandwidth, LinkBandwidth::default(), "{text}");
        }
    }

    #[test]
    fn faults() {
        use ErrorCode::{ConfigUnsupported, XmlDetail};
        for (text, code, expected) in [
            ("<inbound/>", XmlDetail, "Missing mandatory average or floor"),
            ("<inbound peak='1'/>", XmlDetail, "Missing mandatory average or floor"),
            ("<inbound floor='1' peak='1'/>", ConfigUnsupported, "'peak' and 'burst' require"),
            ("<inbound average='x'/>", ConfigUnsupported, "could not convert bandwidth average"),
            ("<inbound average='-1'/>", ConfigUnsupported, "value '-1': expected a non-negative"),
            ("<outbound floor='1'/>", ConfigUnsupported, "'floor' attribute allowed only in"),
            ("<inbound average='1'/><inbound/>", XmlDetail, "Only one child <inbound> element"),
        ] {
            let error = fault(&devices(text));
            assert!(error.code == code && error.message.contains(expected), "{text}: {error}");
        }
        let text = "<devices><interface type='user'><bandwidth><inbound floor='1'/></bandwidth>\
                    </interface></devices>";
        assert!(fault(text).message.contains("floor attribute is not supported for this config"));
    }
}
