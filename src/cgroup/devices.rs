//! Which devices a group may use: a list for the version 1 controller, a program on version 2.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::plan::{DeviceKind, DeviceRule};
use crate::sys::bpf::{Instruction, attach_device_program, replace_device_program};

/// Allows a group of version 1 these devices and no other. The kernel takes this only while there
/// are no groups below; those made later inherit it.
pub(super) fn allow_only_v1(
    group: &Path,
    devices: &[DeviceRule],
    make_nodes: bool,
) -> io::Result<()> {
    fs::write(group.join("devices.deny"), "a")?;
    for kind in ["b", "c"].iter().filter(|_| make_nodes) {
        fs::write(group.join("devices.allow"), format!("{kind} *:* m"))?;
    }
    devices.iter().try_for_each(|rule| fs::write(group.join("devices.allow"), line(rule)))
}

/// Allows groups of version 1, each below the one before, what is new in a list of rules, and no
/// longer what is missing from it. Groups that the container has made itself lose what their parent
/// loses, and are left to decide what else they have.
pub(super) fn change_v1(
    groups: &[PathBuf],
    before: &[DeviceRule],
    after: &[DeviceRule],
) -> io::Result<()> {
    let gone = before.iter().filter(|rule| !after.contains(rule));
    for (rule, group) in gone.flat_map(|rule| groups.iter().map(move |group| (rule, group))) {
        fs::write(group.join("devices.deny"), line(rule))?;
    }
    // Again those that overlap with what was denied; what is allowed already stays so.
    for (rule, group) in after.iter().flat_map(|rule| groups.iter().map(move |it| (rule, it))) {
        fs::write(group.join("devices.allow"), line(rule))?;
    }
    Ok(())
}

/// Allows a group of version 2 these devices instead of those it was allowed before, at once.
pub(super) fn change_v2(group: &Path, devices: &[DeviceRule], make_nodes: bool) -> io::Result<()> {
    replace_device_program(File::open(group)?.as_fd(), &program(devices, make_nodes))
}

/// A rule as version 1 reads it.
fn line(rule: &DeviceRule) -> String {
    let kind = match rule.kind {
        DeviceKind::Block => 'b',
        DeviceKind::Char => 'c',
    };
    let minor = rule.minor.map_or_else(|| "*".to_owned(), |minor| minor.to_string());
    let access = if rule.write { "rwm" } else { "rm" };
    format!("{kind} {}:{minor} {access}", rule.major)
}

/// Allows a group of version 2, and all below it, these devices and no other.
pub(super) fn allow_only_v2(
    group: &Path,
    devices: &[DeviceRule],
    make_nodes: bool,
) -> io::Result<()> {
    attach_device_program(File::open(group)?.as_fd(), &program(devices, make_nodes))
}

/// What a program holds in which register.
mod register {
    pub(super) const ANSWER: u8 = 0;
    pub(super) const CONTEXT: u8 = 1;
    pub(super) const KIND: u8 = 2;
    pub(super) const MAJOR: u8 = 3;
    pub(super) const MINOR: u8 = 4;
    pub(super) const ACCESS: u8 = 5;
}

const ACCESS_IS_MKNOD: i32 = 1;
const ACCESS_HAS_WRITE: i32 = 4;

/// The decision as a program. The kernel calls it with a `struct bpf_cgroup_dev_ctx` (the first
/// word has the type of device in its lower half and the access in its upper one, then come major
/// and minor) and expects 1 for yes.
fn program(devices: &[DeviceRule], make_nodes: bool) -> Vec<Instruction> {
    use register::{ACCESS, ANSWER, KIND, MAJOR, MINOR};
    let mut program = vec![
        load(KIND, 0),
        copy(ACCESS, KIND),
        instruction(SHIFT_RIGHT, ACCESS, 0, 16),
        instruction(AND, KIND, 0, 0xffff),
        load(MAJOR, 4),
        load(MINOR, 8),
    ];
    if make_nodes {
        program.extend(yes_if(&[(JUMP_UNLESS_EQUAL, ACCESS, ACCESS_IS_MKNOD)]));
    }
    for rule in devices {
        let kind = match rule.kind {
            DeviceKind::Block => 1,
            DeviceKind::Char => 2,
        };
        let mut tests =
            vec![(JUMP_UNLESS_EQUAL, KIND, kind), (JUMP_UNLESS_EQUAL, MAJOR, rule.major as i32)];
        tests.extend(rule.minor.map(|minor| (JUMP_UNLESS_EQUAL, MINOR, minor as i32)));
        if !rule.write {
            tests.push((JUMP_IF_ANY_BIT, ACCESS, ACCESS_HAS_WRITE));
        }
        program.extend(yes_if(&tests));
    }
    program.extend([instruction(MOVE, ANSWER, 0, 0), instruction(EXIT, 0, 0, 0)]);
    program
}

/// Answers yes, unless one of the tests jumps over that.
fn yes_if(tests: &[(u8, u8, i32)]) -> Vec<Instruction> {
    const YES: usize = 2;
    let from_end = (1..=tests.len()).rev();
    let mut part: Vec<_> = tests
        .iter()
        .zip(from_end)
        .map(|(&(code, register, value), left)| {
            instruction(code, register, (left - 1 + YES) as i16, value)
        })
        .collect();
    part.extend([instruction(MOVE, register::ANSWER, 0, 1), instruction(EXIT, 0, 0, 0)]);
    part
}

/// Operations on 32 bits (`bpf_common.h` and `bpf.h` of the kernel's interface).
const LOAD_WORD: u8 = 0x61;
const AND: u8 = 0x54;
const MOVE: u8 = 0xb4;
const COPY: u8 = 0xbc;
const SHIFT_RIGHT: u8 = 0x74;
const JUMP_UNLESS_EQUAL: u8 = 0x56;
const JUMP_IF_ANY_BIT: u8 = 0x46;
const EXIT: u8 = 0x95;

fn load(register: u8, offset: i16) -> Instruction {
    let registers = register::CONTEXT << 4 | register;
    Instruction { code: LOAD_WORD, registers, offset, immediate: 0 }
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
                JUMP_IF_ANY_BIT if registers[name] & immediate as u32 != 0 => {
                    at += offset as usize;
                }
                JUMP_UNLESS_EQUAL if registers[name] != immediate as u32 => at += offset as usize,
                EXIT => return registers[0],
                _ => {}
            }
        }
    }

    const NULL: DeviceRule =
        DeviceRule { kind: DeviceKind::Char, major: 1, minor: Some(3), write: true };
    const TERMINALS: DeviceRule = DeviceRule { major: 136, minor: None, ..NULL };
    const DISK: DeviceRule =
        DeviceRule { kind: DeviceKind::Block, major: 8, minor: Some(16), write: false };

    const BLOCK: u32 = 1;
    const CHAR: u32 = 2;
    const MKNOD: u32 = 1 << 16;
    const READ: u32 = 2 << 16;
    const WRITE: u32 = 4 << 16;

    #[test]
    fn only_what_is_listed_is_allowed() {
        let program = program(&[NULL, TERMINALS, DISK], false);
        let ask = |access, major, minor| decide(&program, [access, major, minor]) == 1;
        let both = CHAR | READ | WRITE;
        assert!(ask(both, 1, 3) && ask(both, 136, 0) && ask(both | MKNOD, 136, 77));
        assert!(!ask(both, 1, 1) && !ask(both, 8, 16) && !ask(BLOCK | READ, 1, 3));
        assert!(ask(BLOCK | READ, 8, 16) && ask(BLOCK | MKNOD, 8, 16));
        assert!(!ask(BLOCK | WRITE, 8, 16) && !ask(BLOCK | READ | WRITE, 8, 16));
        assert!(!ask(BLOCK | READ, 8, 17));
        let lines = [NULL, TERMINALS, DISK].map(|rule| line(&rule));
        assert_eq!(lines, ["c 1:3 rwm", "c 136:* rwm", "b 8:16 rm"]);
    }

    #[test]
    fn nodes_may_be_made_for_devices_that_do_not_open() {
        let ask =
            |make_nodes, access| decide(&program(&[NULL], make_nodes), [access | BLOCK, 8, 0]) == 1;
        assert!(ask(true, MKNOD) && !ask(true, READ) && !ask(true, READ | MKNOD));
        assert!(!ask(false, MKNOD) && !ask(false, READ));
    }

    /// A group of version 2 of this test, where the host has that version and lets us.
    fn own_group() -> Option<PathBuf> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let mount = mounts.lines().find(|line| line.contains(" cgroup2 "))?;
        let top = Path::new(mount.split(' ').nth(1)?);
        let group = top.join(format!("nsvirt-devices-{}", std::process::id()));
        fs::create_dir(&group).ok().map(|()| group)
    }

    /// Whether a process of the group can read a device.
    fn reads(group: &Path, device: &str) -> bool {
        let line = format!("echo $$ >{}/cgroup.procs && : <{device}", group.display());
        let shell = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        shell.status.success()
    }

    #[test]
    fn another_list_takes_the_place_of_the_first() {
        let Some(group) = own_group() else {
            return println!("skipped: there are no control groups of version 2 to make one in");
        };
        let zero = DeviceRule { minor: Some(5), ..NULL };
        let before = reads(&group, "/dev/zero");
        allow_only_v2(&group, &[NULL], false).unwrap();
        let first = ["/dev/null", "/dev/zero"].map(|device| reads(&group, device));
        change_v2(&group, &[NULL, zero], false).unwrap();
        let more = ["/dev/null", "/dev/zero"].map(|device| reads(&group, device));
        change_v2(&group, &[zero], false).unwrap();
        let other = ["/dev/null", "/dev/zero"].map(|device| reads(&group, device));
        fs::remove_dir(&group).unwrap();
        assert!(before);
        assert_eq!([first, more, other], [[true, false], [true, true], [false, true]]);
    }
}
