//! The time of day, in words.

use std::time::{Duration, SystemTime};

/// A point in time as `2026-11-24 13:07:55.646+0000` (UTC), the form of libvirt's logs.
pub fn utc(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = libc::time_t::try_from(since.as_secs()).unwrap_or(libc::time_t::MAX);
    // SAFETY: tm is plain data; all zero is valid.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to values that outlive the call; on failure tm is left alone.
    unsafe { libc::gmtime_r(&raw const seconds, &raw mut tm) };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}+0000",
        i64::from(tm.tm_year) + 1900,
        tm.tm_mon + 1,
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec,
        since.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        let after = |millis| utc(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        assert_eq!(after(0), "1970-01-01 00:00:00.000+0000");
        assert_eq!(after(951_782_399_007), "2000-02-28 23:59:59.007+0000");
        assert_eq!(after(951_782_400_000), "2000-02-29 00:00:00.000+0000");
    }
}
