//! Loop devices (`loop(4)`): files as block devices.

use std::fs::{File, TryLockError};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;

const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
/// Times a free device may be snatched away.
const ATTEMPTS: usize = 64;
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

/// Opens an image, or a device; never waits, whatever the path turns out to be.
pub fn open(path: &Path, readonly: bool) -> io::Result<File> {
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    File::options().read(true).write(!readonly).custom_flags(flags.bits()).open(path)
}

/// Keeps others from using an image meanwhile, or (shared) from having it for themselves. The lock
/// belongs to the open file, which a loop device keeps: two of them on one file that is written
/// would destroy its file system.
pub fn lock(image: &File, shared: bool) -> io::Result<()> {
    let locked = if shared { image.try_lock_shared() } else { image.try_lock() };
    locked.map_err(|error| match error {
        TryLockError::WouldBlock => io::Error::other("another container or program has it locked"),
        TryLockError::Error(error) => error,
    })
}

/// A loop device for a file, and its path. It lets go of the file when nobody uses it any more;
/// until then the descriptor counts as a use.
pub fn attach(image: &File, readonly: bool) -> io::Result<(File, String)> {
    let control = File::options().read(true).write(true).open("/dev/loop-control")?;
    for _ in 1..ATTEMPTS {
        let name = format!("/dev/loop{}", free(control.as_fd())?);
        let device = open(Path::new(&name), readonly)?;
        match configure(device.as_fd(), image.as_fd(), readonly) {
            Err(error) if error.raw_os_error() == Some(Errno::EBUSY as i32) => {}
            configured => return configured.map(|()| (device, name)),
        }
    }
    Err(Errno::EBUSY.into())
}

/// The number of a device that has no file; one is made if there is none. By the time it is used,
/// somebody else may have taken it.
fn free(control: BorrowedFd<'_>) -> io::Result<u32> {
    // SAFETY: no argument is read or written.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
    let number = super::check(number.into())?;
    u32::try_from(number).map_err(io::Error::other)
}

/// Gives a device a file, which it keeps open until nobody uses the device any more. `EBUSY` is the
/// answer where it has one already.
fn configure(device: BorrowedFd<'_>, file: BorrowedFd<'_>, readonly: bool) -> io::Result<()> {
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
