//! systemd's names for what libvirt names otherwise.

use std::path::PathBuf;

/// The scope of one run of a domain: a unit, and where its control groups are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::driver) struct Scope {
    /// `machine-lxc\x2d0123abcd\x2dweb.scope`
    pub(in crate::driver) unit: String,
    /// `machine.slice`
    pub(in crate::driver) slice: String,
}

impl Scope {
    /// The scope for a domain in a partition. A name that was in use a moment ago may be known to
    /// systemd still, so each run has one of its own.
    pub(in crate::driver) fn new(partition: &str, domain: &str, run: u32) -> Self {
        let slice: Vec<String> = parts(partition).map(escape).collect();
        Self {
            unit: format!("machine-{}.scope", escape(&format!("lxc-{run:08x}-{domain}"))),
            slice: format!("{}.slice", slice.join("-")),
        }
    }

    /// Its control group below each hierarchy: a slice is below those whose names begin its own.
    pub(in crate::driver) fn path(&self) -> PathBuf {
        let name = self.slice.trim_end_matches(".slice");
        let ends = name.match_indices('-').map(|(end, _)| end).chain([name.len()]);
        let slices = ends.filter_map(|end| Some(format!("{}.slice", name.get(..end)?)));
        slices.chain([self.unit.clone()]).collect()
    }
}

fn parts(partition: &str) -> impl Iterator<Item = &str> {
    partition.split('/').filter(|part| !part.is_empty() && *part != ".")
}

/// A string as one part of a unit's name: what is no letter, digit or one of `:_.` is written by
/// its number.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b":_".contains(&byte) || byte == b'.' && at > 0;
        if plain {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("\\x{byte:02x}"));
        }
    }
    escaped
}

/// libvirt's name of a machine, `lxc-ID-NAME`: letters, digits, and single `-` and `.`.
pub(in crate::driver) fn machine(id: u32, domain: &str) -> String {
    const LONGEST: usize = 64;
    let mut name = format!("lxc-{id}-");
    for c in domain.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)) {
        let doubled = "-.".contains(c) && name.ends_with(['-', '.']);
        if !doubled && name.len() < LONGEST {
            name.push(c);
        }
    }
    name.trim_end_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_slices_in_slices() {
        let scope = Scope::new("/machine", "web-1", 0xabcd);
        assert_eq!(scope.unit, "machine-lxc\\x2d0000abcd\\x2dweb\\x2d1.scope");
        assert_eq!(scope.path(), PathBuf::from("machine.slice").join(&scope.unit));
        let deep = Scope::new("/machine/a-b/.c/", "x", 0);
        assert_eq!(deep.slice, "machine-a\\x2db-\\x2ec.slice");
        let expected = "machine.slice/machine-a\\x2db.slice/machine-a\\x2db-\\x2ec.slice";
        assert_eq!(deep.path(), PathBuf::from(expected).join(&deep.unit));
    }

    #[test]
    fn machines_have_libvirts_names() {
        assert_eq!(machine(7, "web"), "lxc-7-web");
        assert_eq!(machine(7, "-a_b..c-."), "lxc-7-ab.c");
        assert_eq!(machine(7, "é"), "lxc-7");
        assert_eq!(machine(7, &"x".repeat(99)).len(), 64);
    }
}
