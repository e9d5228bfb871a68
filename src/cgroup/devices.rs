//! Which devices a group may use: a list for the version 1 controller, a program on version 2.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::sys::bpf::{Instruction, attach_device_program};

/// A character device: its major number, and its minor number or all of them.
pub type CharDevice = (u32, Option<u32>);

/// Allows a group of version 1 these devices and no other. The kernel takes this only while there
/// are no groups below; those made later inherit it.
pub(super) fn allow_only_v1(
    group: &Path,
    devices: &[CharDevice],
    make_nodes: bool,
) -> io::Result<()> {
    fs::write(group.join("devices.deny"), "a")?;
    for kind in ["b", "c"].iter().filter(|_| make_nodes) {
        fs::write(group.join("devices.allow"), format!("{kind} *:* m"))?;
    }
    for (major, minor) in devices {
        let minor = minor.map_or_else(|| "*".to_owned(), |minor| minor.to_string());
        fs::write(group.join("devices.allow"), format!("c {major}:{minor} rwm"))?;
    }
    Ok(())
}

/// Allows a group of version 2, and all below it, these devices and no other.
pub(super) fn allow_only_v2(
    group: &Path,
    devices: &[CharDevice],
    make_nodes: bool,
) -> io::Result<()> {
    attach_device_program(File::open(group)?.as_fd(), &program(devices, make_nodes))
}

/// The decision as a program. The kernel calls it with a `struct bpf_cgroup_dev_ctx` in register
/// 1 (the first word has the type of device in its lower half and the access in its upper one,
/// then come major and minor) and expects 1 in register 0 for yes.
fn program(devices: &[CharDevice], make_nodes: bool) -> Vec<Instruction> {
    const DEVICE_IS_CHAR: i32 = 2;
    const ACCESS_IS_MKNOD: i32 = 1;
    let mut program = vec![load(2, 0)];
    if make_nodes {
        program.extend([
            copy(5, 2),
            instruction(SHIFT_RIGHT, 5, 0, 16),
            instruction(JUMP_UNLESS_EQUAL, 5, 2, ACCESS_IS_MKNOD),
            instruction(MOVE, 0, 0, 1),
            instruction(EXIT, 0, 0, 0),
        ]);
    }
    program.extend([
        instruction(AND, 2, 0, 0xffff),
        // A character device goes on behind the refusal.
        instruction(JUMP_IF_EQUAL, 2, 2, DEVICE_IS_CHAR),
        instruction(MOVE, 0, 0, 0),
        instruction(EXIT, 0, 0, 0),
        load(3, 4),
        load(4, 8),
    ]);
    for (major, minor) in devices {
        // Each test skips the rest of its rule.
        let minor = minor.map(|minor| instruction(JUMP_UNLESS_EQUAL, 4, 2, minor as i32));
        let skip = if minor.is_some() { 3 } else { 2 };
        program.push(instruction(JUMP_UNLESS_EQUAL, 3, skip, *major as i32));
        program.extend(minor);
        program.push(instruction(MOVE, 0, 0, 1));
        program.push(instruction(EXIT, 0, 0, 0));
    }
    program.extend([instruction(MOVE, 0, 0, 0), instruction(EXIT, 0, 0, 0)]);
    program
}

/// Operations on 32 bits (`bpf_common.h` and `bpf.h` of the kernel's interface).
const LOAD_WORD: u8 = 0x61;
const AND: u8 = 0x54;
const MOVE: u8 = 0xb4;
const COPY: u8 = 0xbc;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP_IF_EQUAL: u8 = 0x16;
const JUMP_UNLESS_EQUAL: u8 = 0x56;
const EXIT: u8 = 0x95;

fn load(register: u8, offset: i16) -> Instruction {
    const CONTEXT: u8 = 1;
    Instruction { code: LOAD_WORD, registers: CONTEXT << 4 | register, offset, immediate: 0 }
}

fn copy(to: u8, from: u8) -> Instruction {
    Instruction { code: COPY, registers: from << 4 | to, offset: 0, immediate: 0 }
}

fn instruction(code: u8, register: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: register, offset, immediate }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do with a program, for the few operations there are.
    fn decide(program: &[Instruction], context: [u32; 3]) -> u32 {
        let mut registers = [0_u32; 6];
        let mut at = 0_usize;
        loop {
            let Instruction { code, registers: names, offset, immediate } = program[at];
            let name = usize::from(names & 0xf);
            at += 1;
            match code {
                LOAD_WORD => registers[name] = context[offset as usize / 4],
                AND => registers[name] &= immediate as u32,
                COPY => registers[name] = registers[usize::from(names >> 4)],
                SHIFT_RIGHT => registers[name] >>= immediate,
                MOVE => registers[name] = immediate as u32,
                JUMP_IF_EQUAL if registers[name] == immediate as u32 => at += offset as usize,
                JUMP_UNLESS_EQUAL if registers[name] != immediate as u32 => at += offset as usize,
                EXIT => return registers[0],
                _ => {}
            }
        }
    }

    #[test]
    fn only_what_is_listed_is_allowed() {
        let program = program(&[(1, Some(3)), (136, None), (5, Some(2))], false);
        let ask = |kind, major, minor| decide(&program, [0x6_0000_u32 | kind, major, minor]) == 1;
        assert!(ask(2, 1, 3) && ask(2, 136, 0) && ask(2, 136, 77) && ask(2, 5, 2));
        assert!(!ask(2, 1, 1) && !ask(2, 5, 1) && !ask(2, 10, 3) && !ask(1, 1, 3));
    }

    #[test]
    fn nodes_may_be_made_for_devices_that_do_not_open() {
        const BLOCK: u32 = 1;
        const MKNOD: u32 = 1 << 16;
        const READ: u32 = 2 << 16;
        let ask = |make_nodes, access| {
            decide(&program(&[(1, Some(3))], make_nodes), [access | BLOCK, 8, 0]) == 1
        };
        assert!(ask(true, MKNOD) && !ask(true, READ) && !ask(true, READ | MKNOD));
        assert!(!ask(false, MKNOD) && !ask(false, READ));
    }
}
