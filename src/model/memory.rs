//! `<memory>` and `<currentMemory>`, and the units all sizes share.

use std::fmt::Display;

use super::read::{bad_word, number};
use super::shape::ON_OFF;
use crate::error::{Error, ErrorCode, Result};
use crate::xml::{Element, Writer};

/// The largest size, in KiB: 8 EiB less one, so that bytes fit a signed 64-bit number.
pub const MAX_KIB: u64 = (1 << 53) - 1;

/// The limit and the balloon's target, in KiB. Without a limit, it is the memory of all cells of a
/// virtual machine.
pub(super) fn parse(root: &Element, of_cells: u64) -> Result<(u64, u64)> {
    let memory = size_in(root.child("memory"), "memory")?.unwrap_or(0);
    let memory = if memory == 0 { of_cells.min(MAX_KIB) } else { memory };
    if memory == 0 {
        let line = root.child("memory").map_or(root.line, |element| element.line);
        return Err(Error::xml(line, "Memory size must be specified via <memory>"));
    }
    check_max(root, memory)?;
    let current = size_in(root.child("currentMemory"), "currentMemory")?;
    let current = current.filter(|current| (1..=memory).contains(current));
    Ok((memory, current.unwrap_or(memory)))
}

/// Whether the document wants the memory in core dumps, or says nothing about it.
pub(super) fn parse_dump_core(root: &Element) -> Result<Option<bool>> {
    match root.child("memory").and_then(|memory| Some((memory, memory.attr("dumpCore")?))) {
        None => Ok(None),
        Some((_, "on")) => Ok(Some(true)),
        Some((_, "off")) => Ok(Some(false)),
        Some((memory, other)) => Err(bad_word(memory, "dumpCore", other, ON_OFF)),
    }
}

/// `<maxMemory>`: checked as libvirt does, then refused, since nothing can be plugged in.
fn check_max(root: &Element, memory: u64) -> Result<()> {
    let Some(element) = root.child("maxMemory") else { return Ok(()) };
    let maximum = size_in(Some(element), "maxMemory")?.unwrap_or(0);
    let slots = match element.attr("slots") {
        None => 0,
        Some(text) => number::<u32>(text).ok_or_else(|| {
            element.error(format_args!(
                "Failed to parse memory slot count '{text}': expected a number"
            ))
        })?,
    };
    match (maximum, slots) {
        (0, 0) => Ok(()),
        (0, _) | (_, 0) => {
            Err(element.error("both maximum memory size and memory slot count must be specified"))
        }
        _ if maximum < memory => Err(element
            .error("maximum memory size must be equal or greater than the actual memory size")),
        _ => Err(element.unsupported(
            "memory hotplug tunables <maxMemory> are not supported: the limit is <memory>",
        )),
    }
}

pub(super) fn format(w: &mut Writer, memory: u64, current: u64, dump_core: Option<bool>) {
    let unit = ("unit", "KiB");
    let text = memory.to_string();
    match dump_core {
        Some(true) => w.leaf("memory", &[("dumpCore", "on"), unit], &text),
        Some(false) => w.leaf("memory", &[("dumpCore", "off"), unit], &text),
        None => w.leaf("memory", &[unit], &text),
    }
    w.leaf("currentMemory", &[("unit", "KiB")], &current.to_string());
}

/// The size an element holds, in KiB; None when it is absent or empty. Errors name it by `path`.
pub(super) fn size_in(element: Option<&Element>, path: impl Display) -> Result<Option<u64>> {
    let Some(element) = element else { return Ok(None) };
    let text = element.text();
    if text.is_empty() {
        return Ok(None);
    }
    let value = number(&text).ok_or_else(|| bad_size(element, &text, path))?;
    to_kib(element, value, element.attr("unit")).map(Some)
}

/// The size an element holds, in bytes, which it also means without a unit; None when it is absent
/// or empty. Errors name it by `path`.
pub(super) fn bytes_in(element: Option<&Element>, path: &str) -> Result<Option<u64>> {
    let Some(element) = element else { return Ok(None) };
    let text = element.text();
    if text.is_empty() {
        return Ok(None);
    }
    let value = number(&text).ok_or_else(|| bad_size(element, &text, path))?;
    let unit = element.attr("unit").filter(|unit| !unit.is_empty()).unwrap_or("bytes");
    to_bytes(element, value, unit).map(Some)
}

fn bad_size(element: &Element, text: &str, path: impl Display) -> Error {
    element.error(format_args!(
        "Invalid value '{text}' for element or attribute './{path}[1]': expected a number"
    ))
}

/// A size in KiB, rounded up; `element` is the one to name in errors.
pub(super) fn to_kib(element: &Element, value: u64, unit: Option<&str>) -> Result<u64> {
    let unit = unit.filter(|unit| !unit.is_empty()).unwrap_or("KiB");
    let bytes = unit_bytes(unit).ok_or_else(|| unknown_unit(element, unit))?;
    let kib = (u128::from(value) * u128::from(bytes)).div_ceil(1024);
    let kib = u64::try_from(kib).ok().filter(|&kib| kib <= MAX_KIB);
    kib.ok_or_else(|| too_large(element, value, unit))
}

/// The size in an attribute that must be there, with the unit in another, in bytes.
pub(super) fn bytes(element: &Element, value: &str, unit: &str) -> Result<u64> {
    let text = element.attr(value).unwrap_or_default();
    let unit = element.attr(unit).filter(|unit| !unit.is_empty()).unwrap_or("KiB");
    let Some(number) = number::<u64>(text) else {
        let detail = match text {
            "" => format!("missing element or attribute './@{value}'"),
            _ => format!("Invalid value '{text}' for element or attribute './@{value}'"),
        };
        return Err(element.error(detail));
    };
    to_kib(element, number, Some(unit))?;
    to_bytes(element, number, unit)
}

/// A size in bytes that is no size of memory: it may be twice as large.
pub(super) fn to_bytes(element: &Element, number: u64, unit: &str) -> Result<u64> {
    let factor = unit_bytes(unit).ok_or_else(|| unknown_unit(element, unit))?;
    number.checked_mul(factor).ok_or_else(|| too_large(element, number, unit))
}

fn unknown_unit(element: &Element, unit: &str) -> Error {
    let detail = format!("unknown suffix '{unit}': expected bytes, KiB, MiB, GiB or the like");
    Error::in_document(ErrorCode::InvalidArg, element.line, detail)
}

fn too_large(element: &Element, value: u64, unit: &str) -> Error {
    let detail = format!("value too large: {value}{unit}");
    Error::in_document(ErrorCode::Overflow, element.line, detail)
}

/// A size in the largest unit that divides it; libvirt has none above this.
pub(super) fn split_bytes(bytes: u64) -> (u64, &'static str) {
    let units = [(50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let fits = |(shift, _): &(u32, _)| bytes != 0 && bytes.trailing_zeros() >= *shift;
    match units.into_iter().find(fits) {
        Some((shift, unit)) => (bytes >> shift, unit),
        None => (bytes, "B"),
    }
}

/// The bytes in a unit: `b`, `byte`, `bytes`, or a letter (alone or with `iB`: powers of 1024;
/// with `B`: powers of 1000), in any case.
fn unit_bytes(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    if ["b", "byte", "bytes"].contains(&unit.as_str()) {
        return Some(1);
    }
    let mut chars = unit.chars();
    let letter = chars.next()?;
    let power = "kmgtpe".chars().position(|known| known == letter)?;
    let base: u64 = match chars.as_str() {
        "" | "ib" => 1024,
        "b" => 1000,
        _ => return None,
    };
    base.checked_pow(u32::try_from(power).ok()? + 1)
}

#[cfg(test)]
mod tests {
    use super::super::samples::{assert_faults, fault, parse, printed};
    use super::*;

    #[test]
    fn units_are_libvirts() {
        let table: &[(u64, &str, u64)] = &[
            (7, "", 7),
            (1025, "b", 2),
            (1, "byte", 1),
            (1024, "bytes", 1),
            (1025, "B", 2),
            (1025, "KB", 1001),
            (1025, "kb", 1001),
            (7, "k", 7),
            (7, "K", 7),
            (7, "KiB", 7),
            (7, "kib", 7),
            (7, "MB", 6836),
            (7, "m", 7168),
            (7, "M", 7168),
            (7, "MiB", 7168),
            (1, "GB", 976_563),
            (7, "G", 7_340_032),
            (7, "GiB", 7_340_032),
            (7, "TB", 6_835_937_500),
            (7, "TiB", 7_516_192_768),
            (7, "PB", 6_835_937_500_000),
            (7, "P", 7_696_581_394_432),
            (7, "EB", 6_835_937_500_000_000),
            (7, "E", 7_881_299_347_898_368),
            (MAX_KIB, "KiB", MAX_KIB),
        ];
        for (value, unit, kib) in table {
            let domain = parse(&format!("<memory unit='{unit}'>{value}</memory>"));
            assert_eq!(domain.memory, *kib, "{value} {unit}");
        }
        assert_eq!(parse("<memory>+010</memory>").memory, 10);
    }

    #[test]
    fn current_memory_is_between_one_and_memory() {
        for (text, expected) in [("", 1024), ("0", 1024), ("1", 1), ("1024", 1024), ("1025", 1024)]
        {
            let domain = parse(&format!("<currentMemory>{text}</currentMemory>"));
            assert_eq!(domain.current_memory, expected, "{text}");
        }
        assert_eq!(parse("").current_memory, 1024);
        let cells =
            "<memory>0</memory><cpu><numa><cell memory='3'/><cell memory='4'/></numa></cpu>";
        assert_eq!(parse(cells).memory, 7);
    }

    #[test]
    fn core_dumps_are_kept() {
        assert_eq!(
            printed("<memory dumpCore='off'>1024</memory>"),
            ["  <memory dumpCore='off' unit='KiB'>1024</memory>"]
        );
    }

    #[test]
    fn hot_plug_is_checked_and_refused() {
        let both = "XML error: line 2: both maximum memory size and memory slot count must be \
                    specified";
        assert_faults(&[
            ("<maxMemory>4096</maxMemory>", both),
            ("<maxMemory slots='4'/>", both),
            (
                "<maxMemory slots='4'>100</maxMemory>",
                "XML error: line 2: maximum memory size must be equal or greater than the actual \
                 memory size",
            ),
            (
                "<maxMemory slots='4'>4096</maxMemory>",
                "unsupported configuration: line 2: memory hotplug tunables <maxMemory> are not \
                 supported: the limit is <memory>",
            ),
        ]);
    }

    #[test]
    fn faults() {
        let missing = "XML error: line 2: Memory size must be specified via <memory>";
        let invalid = |text: &str, name: &str| {
            format!(
                "XML error: line 2: Invalid value '{text}' for element or attribute \
                 './{name}[1]': expected a number"
            )
        };
        assert_faults(&[
            ("<memory>0</memory>", missing),
            ("<memory/>", missing),
            ("<memory>-5</memory>", &invalid("-5", "memory")),
            ("<memory> 5 </memory>", &invalid(" 5 ", "memory")),
            ("<memory>99999999999999999999</memory>", &invalid("99999999999999999999", "memory")),
            ("<currentMemory>x</currentMemory>", &invalid("x", "currentMemory")),
            (
                "<memory unit='foo'>1</memory>",
                "invalid argument: line 2: unknown suffix 'foo': \
                 expected bytes, KiB, MiB, GiB or the like",
            ),
            ("<memory unit='E'>8</memory>", "numerical overflow: line 2: value too large: 8E"),
            (
                "<memory>9007199254740992</memory>",
                "numerical overflow: line 2: value too large: 9007199254740992KiB",
            ),
        ]);
        assert_eq!(fault("<memory unit='k iB'>1</memory>").code, ErrorCode::InvalidArg);
        let error = super::parse(&crate::xml::parse("\n<domain/>").unwrap(), 0).unwrap_err();
        assert_eq!(error.message, missing);
    }
}
