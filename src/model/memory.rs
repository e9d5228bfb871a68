//! `<memory>` and `<currentMemory>`, and the units all sizes share.

use crate::error::{Error, ErrorCode, Result};
use crate::xml::{Element, Writer};

/// The largest size, in KiB: 8 EiB less one, so that bytes fit a signed 64-bit number.
pub const MAX_KIB: u64 = (1 << 53) - 1;

/// The limit and the balloon's target, in KiB.
pub(super) fn parse(root: &Element) -> Result<(u64, u64)> {
    let memory = size(root, "memory")?.unwrap_or(0);
    if memory == 0 {
        let line = root.child("memory").map_or(root.line, |element| element.line);
        return Err(Error::xml(line, "Memory size must be specified via <memory>"));
    }
    let current = size(root, "currentMemory")?.filter(|current| (1..=memory).contains(current));
    Ok((memory, current.unwrap_or(memory)))
}

pub(super) fn format(w: &mut Writer, memory: u64, current: u64) {
    w.leaf("memory", &[("unit", "KiB")], &memory.to_string());
    w.leaf("currentMemory", &[("unit", "KiB")], &current.to_string());
}

fn size(root: &Element, name: &str) -> Result<Option<u64>> {
    let Some(element) = root.child(name) else {
        return Ok(None);
    };
    let text = element.text();
    if text.is_empty() {
        return Ok(None);
    }
    let value = text.parse().map_err(|_| {
        element.error(format_args!(
            "Invalid value '{text}' for element or attribute './{name}[1]': expected a number"
        ))
    })?;
    to_kib(element, value, element.attr("unit")).map(Some)
}

/// A size in KiB, rounded up; `element` is the one to name in errors.
pub(super) fn to_kib(element: &Element, value: u64, unit: Option<&str>) -> Result<u64> {
    let unit = unit.filter(|unit| !unit.is_empty()).unwrap_or("KiB");
    let Some(bytes) = unit_bytes(unit) else {
        let detail = format!("unknown suffix '{unit}': expected bytes, KiB, MiB, GiB or the like");
        return Err(Error::in_document(ErrorCode::InvalidArg, element.line, detail));
    };
    let kib = (u128::from(value) * u128::from(bytes)).div_ceil(1024);
    u64::try_from(kib).ok().filter(|&kib| kib <= MAX_KIB).ok_or_else(|| {
        let detail = format!("value too large: {value}{unit}");
        Error::in_document(ErrorCode::Overflow, element.line, detail)
    })
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
    use super::super::samples::{assert_faults, fault, parse};
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
        let error = super::parse(&crate::xml::parse("\n<domain/>").unwrap()).unwrap_err();
        assert_eq!(error.message, missing);
    }
}
