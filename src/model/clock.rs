//! `<clock>`: kept for the user; a container has the host's clock.

use super::read::{internal, number, words};
use super::shape::{self, Kind, Shape, YES_NO, attr};
use crate::error::Result;
use crate::xml::{Element, Node, Writer};

words! {
    /// What a clock that may be adjusted is adjusted from.
    pub enum ClockBasis {
        /// Coordinated universal time.
        Utc = "utc",
        /// The time of the host's zone.
        Localtime = "localtime",
    }
}

/// What the clock follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClockOffset {
    /// A time, set anew at each start when `reset`.
    Fixed {
        /// The time.
        basis: ClockBasis,
        /// Whether adjustments are forgotten.
        reset: bool,
    },
    /// A time with an adjustment in seconds.
    Variable {
        /// The adjustment.
        adjustment: i64,
        /// The time.
        basis: ClockBasis,
    },
    /// The time of a zone; its name.
    Timezone(String),
    /// A start in seconds since 1970.
    Absolute(u64),
}

/// The clock and its timers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// What it follows.
    pub offset: ClockOffset,
    /// `<timer>` elements, in the document's order.
    pub timers: Vec<Element>,
}

impl Default for Clock {
    fn default() -> Self {
        let offset = ClockOffset::Fixed { basis: ClockBasis::Utc, reset: false };
        Self { offset, timers: Vec::new() }
    }
}

impl Clock {
    pub(super) fn parse(root: &Element) -> Result<Self> {
        let offset = ClockOffset::parse(root)?;
        let timers =
            super::read::all(root, "clock", "timer").map(timer).collect::<Result<Vec<_>>>()?;
        Ok(Self { offset, timers })
    }

    /// Whether the document asks for a timer, and with it for its device.
    pub fn has_timer(&self, name: &str) -> bool {
        let wanted = |timer: &&Element| timer.attr("name") == Some(name);
        self.timers.iter().filter(wanted).any(|timer| timer.attr("present") != Some("no"))
    }

    pub(super) fn format(&self, w: &mut Writer) {
        let attributes = self.offset.attributes();
        let attributes: Vec<_> =
            attributes.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if self.timers.is_empty() {
            return w.empty("clock", &attributes);
        }
        w.open("clock", &attributes);
        self.timers.iter().for_each(|timer| shape::format(w, timer));
        w.close();
    }
}

impl ClockOffset {
    /// Reads the attributes; those of several elements count as one's.
    fn parse(root: &Element) -> Result<Self> {
        let value = |name| {
            let clocks = root.children_named("clock");
            let found = clocks.filter_map(|clock| Some((clock, clock.attr(name)?))).next();
            found.filter(|(_, value)| !value.is_empty())
        };
        let (element, offset) = match value("offset") {
            Some((element, offset)) => (element, offset),
            None => (root.child("clock").unwrap_or(root), "utc"),
        };
        let adjustment = value("adjustment").map(|(_, adjustment)| adjustment);
        match offset {
            "utc" => Self::fixed(element, ClockBasis::Utc, adjustment),
            "localtime" => Self::fixed(element, ClockBasis::Localtime, adjustment),
            "variable" => {
                let basis = value("basis").map_or("utc", |(_, basis)| basis);
                let basis = ClockBasis::from_word(basis).ok_or_else(|| {
                    element.unsupported(format_args!(
                        "unknown clock basis '{basis}': expected utc or localtime"
                    ))
                })?;
                // Anything else than a number counts as 0, as in libvirt.
                let adjustment = adjustment.and_then(number).unwrap_or(0);
                Ok(Self::Variable { adjustment, basis })
            }
            "timezone" => match value("timezone") {
                Some((_, name)) => Ok(Self::Timezone(name.to_owned())),
                None => Err(internal(
                    element,
                    "missing 'timezone' attribute for clock with offset='timezone'",
                )),
            },
            "absolute" => match value("start").and_then(|(_, start)| number(start)) {
                Some(start) => Ok(Self::Absolute(start)),
                None => Err(internal(
                    element,
                    "missing 'start' attribute for clock with offset='absolute': expected a number",
                )),
            },
            other => Err(element.unsupported(format_args!(
                "unknown clock offset '{other}': \
                 expected one of utc, localtime, variable, timezone, absolute"
            ))),
        }
    }

    fn fixed(element: &Element, basis: ClockBasis, adjustment: Option<&str>) -> Result<Self> {
        match adjustment {
            None => Ok(Self::Fixed { basis, reset: false }),
            Some("reset") => Ok(Self::Fixed { basis, reset: true }),
            Some(text) => match number(text) {
                Some(adjustment) => Ok(Self::Variable { adjustment, basis }),
                None => Err(element.error(format_args!(
                    "unknown clock adjustment '{text}': expected reset or a number of seconds"
                ))),
            },
        }
    }

    fn attributes(&self) -> Vec<(&'static str, String)> {
        let (offset, more) = match self {
            Self::Fixed { basis, reset: false } => (basis.as_str(), vec![]),
            Self::Fixed { basis, reset: true } => {
                (basis.as_str(), vec![("adjustment", "reset".to_owned())])
            }
            Self::Variable { adjustment, basis } => {
                let basis = ("basis", basis.as_str().to_owned());
                ("variable", vec![("adjustment", adjustment.to_string()), basis])
            }
            Self::Timezone(name) => ("timezone", vec![("timezone", name.clone())]),
            Self::Absolute(start) => ("absolute", vec![("start", start.to_string())]),
        };
        [("offset", offset.to_owned())].into_iter().chain(more).collect()
    }
}

fn timer(element: &Element) -> Result<Element> {
    const NAMES: &[&str] =
        &["platform", "pit", "rtc", "hpet", "tsc", "kvmclock", "hypervclock", "armvtimer"];
    const POLICIES: &[&str] = &["delay", "catchup", "merge", "discard"];
    const TIMER: Shape = Shape::new(
        "timer",
        &[
            attr("name", Kind::Word(NAMES)).required(),
            attr("present", Kind::Word(YES_NO)),
            attr("tickpolicy", Kind::Word(POLICIES)),
            attr("track", Kind::Word(&["boot", "guest", "wall", "realtime"])),
            attr("frequency", Kind::Long),
            attr("mode", Kind::Word(&["auto", "native", "emulate", "paravirt", "smpsafe"])),
        ],
    )
    .with(&[Shape::new(
        "catchup",
        &[attr("threshold", Kind::Long), attr("slew", Kind::Long), attr("limit", Kind::Long)],
    )]);
    let mut kept = TIMER.read(element)?.unwrap_or_default();
    drop_zeros(&mut kept);
    let name = kept.attr("name").unwrap_or_default();
    if kept.child("catchup").is_some() && kept.attr("tickpolicy") != Some("catchup") {
        return Err(element.error(
            "setting of timer catchup policies is only supported with tickpolicy='catchup'",
        ));
    }
    if kept.attr("frequency").is_some() && name != "tsc" {
        return Err(element
            .unsupported(format_args!("timer {name} doesn't support setting of timer frequency")));
    }
    Ok(kept)
}

/// A number of 0 is none.
fn drop_zeros(element: &mut Element) {
    element.attributes.retain(|(_, value)| value != "0");
    element.children.retain_mut(|node| match node {
        Node::Element(child) => {
            drop_zeros(child);
            !child.attributes.is_empty()
        }
        _ => true,
    });
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, parse, printed};
    use super::Clock;

    #[test]
    fn utc_unless_told() {
        for text in ["", "<clock/>", "<clock offset=''/>", "<clock basis='localtime'/>"] {
            assert_eq!(parse(text).clock, Clock::default(), "{text}");
        }
    }

    #[test]
    fn offsets_are_normalised_as_libvirt_does() {
        for (text, expected) in [
            ("offset='localtime' start='4'", "offset='localtime'"),
            ("offset='utc' adjustment='reset'", "offset='utc' adjustment='reset'"),
            (
                "offset='localtime' adjustment='5'",
                "offset='variable' adjustment='5' basis='localtime'",
            ),
            ("offset='variable' adjustment='x'", "offset='variable' adjustment='0' basis='utc'"),
            ("offset='timezone' timezone='A/B'", "offset='timezone' timezone='A/B'"),
            ("offset='absolute' start='5'", "offset='absolute' start='5'"),
        ] {
            let expected = format!("  <clock {expected}/>");
            assert_eq!(printed(&format!("<clock {text}/>")), [expected], "{text}");
        }
    }

    #[test]
    fn timers_are_kept() {
        let text = "<clock><timer name='rtc' track='guest' tickpolicy='catchup'>\
                    <catchup limit='1' slew='+2'/></timer><timer name='hpet' present='no'/></clock>";
        assert_eq!(
            printed(text),
            [
                "  <clock offset='utc'>",
                "    <timer name='rtc' tickpolicy='catchup' track='guest'>",
                "      <catchup slew='2' limit='1'/>",
                "    </timer>",
                "    <timer name='hpet' present='no'/>",
                "  </clock>",
            ]
        );
        let clock = parse(text).clock;
        assert!(clock.has_timer("rtc") && !clock.has_timer("hpet"));
    }

    #[test]
    fn faults() {
        assert_faults(&[
            (
                "<clock offset='foo'/>",
                "unsupported configuration: line 2: unknown clock offset 'foo': \
                 expected one of utc, localtime, variable, timezone, absolute",
            ),
            (
                "<clock offset='absolute' start='-5'/>",
                "internal error: line 2: missing 'start' attribute for clock with \
                 offset='absolute': expected a number",
            ),
            (
                "<clock><timer name='hpet' frequency='5'/></clock>",
                "unsupported configuration: line 2: timer hpet doesn't support setting of timer \
                 frequency",
            ),
        ]);
    }
}
