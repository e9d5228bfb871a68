//! System calls as numbers, which is how the kernel and its filters see them.

use std::ffi::CString;
use std::io;

/// Makes a call. Pointers among the arguments lead to memory of the caller's that outlives it.
pub(crate) fn call(number: i64, arguments: &[u64]) -> io::Result<i64> {
    let mut all = [0_u64; 6];
    for (slot, argument) in all.iter_mut().zip(arguments) {
        *slot = *argument;
    }
    let [a, b, c, d, e, f] = all;
    // SAFETY: each caller passes integers, or addresses of values that it holds over the call and
    // that are as large as the call takes them to be.
    let result = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A string for the kernel.
pub(crate) fn text(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

/// Its address.
pub(crate) fn address(text: &CString) -> u64 {
    text.as_ptr() as u64
}

/// The address of a value.
pub(crate) fn of<T>(value: &T) -> u64 {
    std::ptr::from_ref(value) as u64
}

/// `getpid(2)` by the way that 32-bit programs call.
#[cfg(target_arch = "x86_64")]
pub(crate) fn getpid_32() -> i64 {
    const GETPID: i64 = 20;
    let mut result = GETPID;
    // SAFETY: the call has no arguments and changes nothing but the register of its result.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("rax") result, out("r8") _, out("r9") _, out("r10") _, out("r11") _)
    };
    result
}

/// Makes a child; 0 in the child.
pub(crate) fn fork() -> i32 {
    // SAFETY: this program has one thread.
    unsafe { libc::fork() }
}

/// Ends this process at once.
pub(crate) fn leave(status: i32) -> ! {
    // SAFETY: nothing has to be done at the end.
    unsafe { libc::_exit(status) }
}

/// Waits for a child; whether it ended with this status.
pub(crate) fn ended_with(child: i32, status: i32) -> bool {
    let mut how = 0;
    // SAFETY: the address is of an int that is written.
    let waited = unsafe { libc::waitpid(child, &raw mut how, 0) };
    waited == child && libc::WIFEXITED(how) && libc::WEXITSTATUS(how) == status
}

/// Has the terminal not print what is typed: one row types, and rows are printed.
pub(crate) fn stop_echo() {
    // SAFETY: plain integers, which the next call fills.
    let mut settings: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: the address is of settings that are written.
    if unsafe { libc::tcgetattr(0, &raw mut settings) } == 0 {
        settings.c_lflag &= !libc::ECHO;
        // SAFETY: the address is of settings that are read.
        unsafe { libc::tcsetattr(0, libc::TCSANOW, &raw const settings) };
    }
}
