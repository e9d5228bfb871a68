//! Addresses as the C library reads and writes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::digits::c_digits;

/// An address as the C library reads numeric ones: of IPv4 also with fewer parts, in octal and in
/// hexadecimal.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let number = |part: &str| u32::try_from(c_digits(part)?).ok();
    let parts: Vec<u32> = text.split('.').map(number).collect::<Option<_>>()?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|part| *part > 255) {
        return None;
    }
    // The last part fills the bytes the others leave.
    let rest = 32 - 8 * u32::try_from(leading.len()).ok()?;
    if u64::from(*last) >= 1 << rest {
        return None;
    }
    let shift = |(index, part): (u32, &u32)| part << (24 - 8 * index);
    let leading: u32 = (0..).zip(leading).map(shift).sum();
    Some(IpAddr::V4(Ipv4Addr::from(leading | last)))
}

/// An address as the C library writes it: IPv6 with a dotted end also where the rest is zero.
pub(super) fn written(address: IpAddr) -> String {
    match address {
        IpAddr::V6(v6) if v6.to_bits() >> 32 == 0 && v6.to_bits() > 0xffff => {
            let low = u32::try_from(v6.to_bits()).unwrap_or_default();
            format!("::{}", Ipv4Addr::from(low))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_in_one_form() {
        for (given, expected) in [
            ("1.2.3", "1.2.0.3"),
            ("1.2.65535", "1.2.255.255"),
            ("16909060", "1.2.3.4"),
            ("0X10.02.3.010", "16.2.3.8"),
            ("2001:DB8:0:0::1", "2001:db8::1"),
            ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
            ("::1.2.3.4", "::1.2.3.4"),
            ("::0.1.0.0", "::0.1.0.0"),
            ("::0.0.0.1", "::1"),
            ("::", "::"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
            ("::ffff:0:1.2.3.4", "::ffff:0:102:304"),
        ] {
            assert_eq!(parse_address(given).map(written).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_address() {
        for text in
            ["+1.2.3.4", "1..3.4", "1.2.3.4.5", "1.2.3.08", "4294967296", "fe80::1%lo", "0x"]
        {
            assert_eq!(parse_address(text), None, "{text}");
        }
    }
}
