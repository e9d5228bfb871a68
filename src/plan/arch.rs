//! Architectures: the host's own, and the one of 32 bits that a host of 64 bits runs as well.

/// What a container on a host of an architecture may be: the host's own architecture, then its
/// 32-bit alternative, each with the size of a word in bits.
pub fn guest_archs(host: &str) -> Vec<(&str, u32)> {
    let narrow = match host {
        "x86_64" => Some("i686"),
        "aarch64" => Some("armv7l"),
        "s390x" => Some("s390"),
        "ppc64" => Some("ppc"),
        "sparc64" => Some("sparc"),
        "mips64" => Some("mips"),
        "mips64el" => Some("mipsel"),
        "parisc64" => Some("parisc"),
        _ => None,
    };
    let width = if narrow.is_some() || host.contains("64") { 64 } else { 32 };
    std::iter::once((host, width)).chain(narrow.map(|arch| (arch, 32))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_the_host_and_its_32_bit_alternative() {
        assert_eq!(guest_archs("x86_64"), [("x86_64", 64), ("i686", 32)]);
        assert_eq!(guest_archs("riscv64"), [("riscv64", 64)]);
        assert_eq!(guest_archs("armv7l"), [("armv7l", 32)]);
    }
}
