//! `bpf(2)`, as far as device control on cgroup version 2 needs it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// One instruction, as the kernel reads it (`struct bpf_insn`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation, its class and its mode.
    pub code: u8,
    /// Source register in the upper four bits, destination in the lower.
    pub registers: u8,
    /// Offset of memory or of a jump, in instructions.
    pub offset: i16,
    /// Constant operand.
    pub immediate: i32,
}

/// The part of `union bpf_attr` that loads a program.
#[repr(C)]
#[derive(Default)]
struct Load {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that attaches a program.
#[repr(C)]
struct Attach {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
    replaced: u32,
}

/// The part of `union bpf_attr` that lists the programs of a cgroup.
#[repr(C)]
#[derive(Default)]
struct Query {
    target: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

/// The part of `union bpf_attr` that finds a program by its number.
#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const PROG_QUERY: libc::c_int = 16;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const F_ALLOW_MULTI: u32 = 2;
const F_REPLACE: u32 = 4;

/// Loads a program that decides about devices, and attaches it to a cgroup of version 2, beside
/// whatever is attached there or above: all have to agree. It goes with the cgroup.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    attach(cgroup, &load(program)?, None)
}

/// Puts a program in the place of the one that [`attach_device_program`] has attached there, in one
/// step: there is no moment with none or with both.
pub fn replace_device_program(cgroup: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let replaced = attached(cgroup)?;
    attach(cgroup, &load(program)?, Some(&replaced))
}

fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    let load = Load {
        program_type: PROG_TYPE_CGROUP_DEVICE,
        instruction_count: program.len().try_into().map_err(io::Error::other)?,
        instructions: program.as_ptr() as u64,
        license: c"MIT".as_ptr() as u64,
        ..Load::default()
    };
    // SAFETY: the instructions and the licence outlive the call; the size passed is the struct's.
    let loaded = super::check(unsafe {
        libc::syscall(libc::SYS_bpf, PROG_LOAD, std::ptr::from_ref(&load), size_of::<Load>())
    })?;
    // SAFETY: a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(loaded as RawFd) })
}

fn attach(cgroup: BorrowedFd<'_>, program: &OwnedFd, replaced: Option<&OwnedFd>) -> io::Result<()> {
    let attach = Attach {
        target: cgroup.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        attach_type: ATTACH_CGROUP_DEVICE,
        flags: F_ALLOW_MULTI | if replaced.is_some() { F_REPLACE } else { 0 },
        replaced: replaced.map_or(0, |replaced| replaced.as_raw_fd() as u32),
    };
    // SAFETY: the descriptors are open; the size passed is the struct's.
    super::check(unsafe {
        libc::syscall(libc::SYS_bpf, PROG_ATTACH, std::ptr::from_ref(&attach), size_of::<Attach>())
    })
    .map(drop)
}

/// The one program that is attached to a cgroup itself.
fn attached(cgroup: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut ids = [0_u32; 2];
    let mut query = Query {
        target: cgroup.as_raw_fd() as u32,
        attach_type: ATTACH_CGROUP_DEVICE,
        ids: ids.as_mut_ptr() as u64,
        count: ids.len() as u32,
        ..Query::default()
    };
    // SAFETY: the array outlives the call and its length is passed; so is the struct's size.
    super::check(unsafe {
        libc::syscall(libc::SYS_bpf, PROG_QUERY, std::ptr::from_mut(&mut query), size_of::<Query>())
    })?;
    let [id, _] = ids;
    if query.count != 1 {
        let text = format!("expected one program for devices there, found {}", query.count);
        return Err(io::Error::other(text));
    }
    let wanted = ById { id, ..ById::default() };
    // SAFETY: the struct outlives the call and its size is passed.
    let found = super::check(unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROG_GET_FD_BY_ID,
            std::ptr::from_ref(&wanted),
            size_of::<ById>(),
        )
    })?;
    // SAFETY: a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(found as RawFd) })
}
