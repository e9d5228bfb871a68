//! Loop devices (`loop(4)`): files as block devices.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LO_FLAGS_READ_ONLY: u32 = 1;
const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// `struct loop_config` of the kernel.
#[repr(C)]
struct Config {
    file: u32,
    block_size: u32,
    /// `lo_device` to `lo_sizelimit` of `struct loop_info64`.
    ranges: [u64; 5],
    /// `lo_number` to `lo_encrypt_key_size`.
    numbers: [u32; 3],
    flags: u32,
    /// Names and keys of the past.
    rest: [u64; 22],
    reserved: [u64; 8],
}

/// The number of a device that has no file; one is made if there is none. By the time it is used,
/// somebody else may have taken it.
pub fn free(control: BorrowedFd<'_>) -> io::Result<u32> {
    // SAFETY: no argument is read or written.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
    let number = super::check(number.into())?;
    u32::try_from(number).map_err(io::Error::other)
}

/// Gives a device a file, which it keeps open until nobody uses the device any more. `EBUSY` is the
/// answer where it has one already.
pub fn configure(device: BorrowedFd<'_>, file: BorrowedFd<'_>, readonly: bool) -> io::Result<()> {
    let config = Config {
        file: file.as_raw_fd() as u32,
        block_size: 0,
        ranges: [0; 5],
        numbers: [0; 3],
        flags: LO_FLAGS_AUTOCLEAR | if readonly { LO_FLAGS_READ_ONLY } else { 0 },
        rest: [0; 22],
        reserved: [0; 8],
    };
    // SAFETY: LOOP_CONFIGURE reads the structure, which has the kernel's layout.
    let done =
        unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, std::ptr::from_ref(&config)) };
    super::check(done.into()).map(drop)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_structure_is_the_kernels() {
        assert_eq!(size_of::<super::Config>(), 304);
        assert_eq!(std::mem::offset_of!(super::Config, flags), 8 + 52);
    }
}
