//! `seccomp(2)`: a program that the kernel asks about each system call.

use std::io;

/// One instruction of classic BPF, as the kernel reads it (`struct sock_filter`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation, its class and its mode.
    pub code: u16,
    /// Instructions to skip where a comparison holds.
    pub if_true: u8,
    /// Instructions to skip where it does not.
    pub if_false: u8,
    /// Constant operand.
    pub operand: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: libc::c_ushort,
    instructions: *const Instruction,
}

/// Has this process, which has one thread, and all that follow from it asked, for good. Needs
/// `CAP_SYS_ADMIN` in the user namespace, or that no privileges can be gained.
pub fn install(program: &[Instruction]) -> io::Result<()> {
    let program = Program {
        length: program.len().try_into().map_err(io::Error::other)?,
        instructions: program.as_ptr(),
    };
    const NO_FLAGS: libc::c_uint = 0;
    // SAFETY: the program and its instructions outlive the call; the length is theirs.
    super::check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            NO_FLAGS,
            std::ptr::from_ref(&program),
        )
    })
    .map(drop)
}
