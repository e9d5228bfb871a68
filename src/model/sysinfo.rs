//! `<sysinfo>`: what firmware would say of a machine; without effect on containers.

use super::Uuid;
use super::read::detail;
use super::shape::{self, Kind, Shape, attr};
use crate::error::Result;
use crate::xml::{Element, Node};

/// The tables of the firmware, and their entries, in the order they are written in.
const TABLES: &[(&str, &[&str])] = &[
    ("bios", &["vendor", "version", "date", "release"]),
    ("system", &["manufacturer", "product", "version", "serial", "uuid", "sku", "family"]),
    ("baseBoard", &["manufacturer", "product", "version", "serial", "asset", "location"]),
    ("chassis", &["manufacturer", "version", "serial", "asset", "sku"]),
];

pub(super) fn parse(root: &Element, uuid: Uuid) -> Result<Vec<Element>> {
    const SYSINFO: Shape =
        Shape::new("sysinfo", &[attr("type", Kind::Word(&["smbios", "fwcfg"])).required()]);
    let mut kept = Vec::new();
    for element in root.children_named("sysinfo") {
        let Some(mut copy) = SYSINFO.read(element)? else { continue };
        let children = match copy.attr("type") {
            Some("smbios") => tables(element, uuid)?,
            _ => firmware(element)?,
        };
        copy.children.extend(children.into_iter().map(Node::Element));
        kept.push(copy);
    }
    Ok(kept)
}

fn tables(element: &Element, uuid: Uuid) -> Result<Vec<Element>> {
    let mut tables = Vec::new();
    for (name, names) in TABLES {
        // Boards may be several.
        let count = if *name == "baseBoard" { usize::MAX } else { 1 };
        for table in element.children_named(name).take(count) {
            tables.extend(entries(table, names, uuid)?);
        }
    }
    let strings = element.child("oemStrings").map(|strings| strings.children_named("entry"));
    let strings: Vec<_> = strings
        .into_iter()
        .flatten()
        .map(|entry| shape::leaf("entry", &[], entry.text()))
        .collect();
    if !strings.is_empty() {
        tables.push(shape::element("oemStrings", &[], strings));
    }
    Ok(tables)
}

fn entries(table: &Element, names: &[&str], uuid: Uuid) -> Result<Option<Element>> {
    let mut entries = Vec::new();
    for name in names {
        let found = table.children_named("entry").find(|entry| entry.attr("name") == Some(name));
        let Some((entry, text)) = found.map(|entry| (entry, entry.text())) else { continue };
        if text.is_empty() {
            continue;
        }
        match *name {
            "date" => check_date(entry, &text)?,
            "uuid" => check_uuid(entry, &text, uuid)?,
            _ => {}
        }
        entries.push(shape::leaf("entry", &[("name", (*name).to_owned())], text));
    }
    Ok((!entries.is_empty()).then(|| shape::element(&table.name, &[], entries)))
}

/// Month, day and year, of two or four digits.
fn check_date(entry: &Element, text: &str) -> Result<()> {
    let parts: Vec<&str> = text.split('/').collect();
    let number = |text: &str| text.parse::<u32>().ok();
    let is_valid = match parts.as_slice() {
        [month, day, year] => {
            number(month).is_some_and(|month| (1..=12).contains(&month))
                && number(day).is_some_and(|day| (1..=31).contains(&day))
                && number(year).is_some_and(|year| year < 100 || (1900..=9999).contains(&year))
        }
        _ => false,
    };
    match is_valid {
        true => Ok(()),
        false => Err(detail(
            entry,
            format_args!("Invalid BIOS 'date' format '{text}': expected mm/dd/yyyy"),
        )),
    }
}

fn check_uuid(entry: &Element, text: &str, uuid: Uuid) -> Result<()> {
    match super::identity::read_uuid(text) {
        None => Err(detail(entry, "malformed <sysinfo> uuid element: expected 32 hex digits")),
        Some(other) if other != uuid => {
            Err(detail(entry, "UUID mismatch between <uuid> and <sysinfo>"))
        }
        Some(_) => Ok(()),
    }
}

fn firmware(element: &Element) -> Result<Vec<Element>> {
    let entry = |entry: &Element| {
        let Some(name) = entry.attr("name") else {
            return Err(entry.error("Firmware entry is missing 'name' attribute"));
        };
        let name = ("name", name.to_owned());
        match (entry.attr("file"), entry.text()) {
            (Some(file), _) => {
                Ok(shape::element("entry", &[name, ("file", file.to_owned())], Vec::new()))
            }
            (None, text) if !text.trim_ascii().is_empty() => {
                Ok(shape::leaf("entry", &[name], text))
            }
            _ => Err(entry.error("Firmware entry must have either value or 'file' attribute")),
        }
    };
    element.children_named("entry").map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{fault, printed};

    #[test]
    fn tables_are_sorted_and_unknown_entries_dropped() {
        let text = "<sysinfo type='smbios'><system><entry name='sku'>k</entry>\
                    <entry name='product'>p</entry></system><bios><entry name='foo'>x</entry>\
                    <entry name='date'>01/02/20</entry></bios><oemStrings><entry>a</entry>\
                    </oemStrings></sysinfo><sysinfo type='fwcfg'><entry name='o' file='/f'/></sysinfo>";
        assert_eq!(
            printed(text),
            [
                "  <sysinfo type='smbios'>",
                "    <bios>",
                "      <entry name='date'>01/02/20</entry>",
                "    </bios>",
                "    <system>",
                "      <entry name='product'>p</entry>",
                "      <entry name='sku'>k</entry>",
                "    </system>",
                "    <oemStrings>",
                "      <entry>a</entry>",
                "    </oemStrings>",
                "  </sysinfo>",
                "  <sysinfo type='fwcfg'>",
                "    <entry name='o' file='/f'/>",
                "  </sysinfo>",
            ]
        );
    }

    #[test]
    fn faults() {
        for (text, expected) in [
            ("<sysinfo type='x'/>", "'x'. Expected one of smbios, fwcfg"),
            (
                "<sysinfo type='smbios'><bios><entry name='date'>13/02/2020</entry></bios></sysinfo>",
                "expected mm/dd/yyyy",
            ),
            (
                "<sysinfo type='smbios'><system>\
                 <entry name='uuid'>43dc0cf8-809b-4adb-9bea-a9abb5f3d90e</entry></system></sysinfo>",
                "UUID mismatch",
            ),
            ("<sysinfo type='fwcfg'><entry name='a'/></sysinfo>", "either value or 'file'"),
        ] {
            let message = fault(text).message;
            assert!(message.ends_with(expected) || message.contains(expected), "{message}");
        }
    }
}
