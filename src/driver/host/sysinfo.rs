//! What the host's firmware says of the host.

use std::fs;
use std::path::Path;

use crate::driver::{Driver, check_flags};
use crate::error::{Error, ErrorCode, Result};
use crate::xml::Writer;

/// Where the kernel shows the firmware's tables.
const TABLES: &str = "/sys/class/dmi/id";

/// Parts of the document, with the names of what is in them: libvirt's and the kernel's.
const PARTS: [(&str, &[(&str, &str)]); 4] = [
    (
        "bios",
        &[
            ("vendor", "bios_vendor"),
            ("version", "bios_version"),
            ("date", "bios_date"),
            ("release", "bios_release"),
        ],
    ),
    (
        "system",
        &[
            ("manufacturer", "sys_vendor"),
            ("product", "product_name"),
            ("version", "product_version"),
            ("serial", "product_serial"),
            ("uuid", "product_uuid"),
            ("sku", "product_sku"),
            ("family", "product_family"),
        ],
    ),
    (
        "baseBoard",
        &[
            ("manufacturer", "board_vendor"),
            ("product", "board_name"),
            ("version", "board_version"),
            ("serial", "board_serial"),
            ("asset", "board_asset_tag"),
        ],
    ),
    (
        "chassis",
        &[
            ("manufacturer", "chassis_vendor"),
            ("version", "chassis_version"),
            ("serial", "chassis_serial"),
            ("asset", "chassis_asset_tag"),
        ],
    ),
];

impl Driver {
    /// `<sysinfo type='smbios'>` of the host.
    pub fn sysinfo(&self, flags: u32) -> Result<String> {
        check_flags(flags, 0, "lxcConnectGetSysinfo")?;
        sysinfo(Path::new(TABLES)).ok_or_else(|| {
            let text = "Host SMBIOS information is not available";
            Error::new(ErrorCode::ConfigUnsupported, text)
        })
    }
}

/// What is in the tables; `None` where there are none.
fn sysinfo(tables: &Path) -> Option<String> {
    let entry = |file: &str| {
        let text = fs::read_to_string(tables.join(file)).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let mut w = Writer::new();
    let mut has_any = false;
    w.open("sysinfo", &[("type", "smbios")]);
    for (part, entries) in PARTS {
        let found: Vec<_> =
            entries.iter().filter_map(|(name, file)| Some((*name, entry(file)?))).collect();
        if found.is_empty() {
            continue;
        }
        has_any = true;
        w.open(part, &[]);
        for (name, text) in found {
            w.leaf("entry", &[("name", name)], &text);
        }
        w.close();
    }
    w.close();
    has_any.then(|| w.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_told_as_far_as_they_are_there() {
        let directory = std::env::temp_dir().join(format!("nsvirt-dmi-{}", std::process::id()));
        assert_eq!(sysinfo(&directory), None);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("bios_vendor"), "A & B\n").unwrap();
        fs::write(directory.join("bios_version"), "\n").unwrap();
        let found = sysinfo(&directory);
        fs::remove_dir_all(&directory).unwrap();
        let expected = "<sysinfo type='smbios'>\n  <bios>\n    \
                        <entry name='vendor'>A &amp; B</entry>\n  </bios>\n</sysinfo>\n";
        assert_eq!(found.as_deref(), Some(expected));
    }
}
