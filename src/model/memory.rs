//! `<memory>` and `<currentMemory>`, and the units all sizes share.

use crate::error::{Error, ErrorCode, Result};
use crate::xml::{Element, Writer};

/// The largest size, in KiB: 8 EiB less one, so that bytes fit a signed 64-bit number.
pub const MAX_KIB: u64 = (1 << 53) - 1;

/// The limit and the balloon's target, in KiB.
pub(super) fn parse(root: &Element) -> Result<(u64, u64)> {
    let memory = size(root, "memory")?.unwrap_or(0);
    if memory == 0 {
        let line = root
            .child("memory")
            .map_or(root.line, |element| element.line);
        return Err(Error::xml(
            line,
            "Memory size must be specified via <memory>",
        ));
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
        return Err(Error::in_document(
            ErrorCode::InvalidArg,
            element.line,
            detail,
        ));
    };
    let kib = (u128::from(value) * u128::from(bytes)).div_ceil(1024);
    u64::try_from(kib)
        .ok()
        .filter(|&kib| kib <= MAX_KIB)
        .ok_or_else(|| {
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
