//! Filters of system calls: from a plan's list to a program of the kernel's classic BPF.
//!
//! The program sees the number of a call, the way it came (`AUDIT_ARCH_*`) and its arguments as
//! numbers; what a pointer leads to it does not see. Calls that it allows whatever their arguments
//! are, which are most, cost nothing: the kernel finds that out once and remembers it.

use std::io;

use nix::libc;

use crate::plan::{CallFilter, CallWay, RefusedCall};
use crate::sys::seccomp::{self, Instruction};

/// From here on the numbers of x86_64 are those of its 32-bit variant, x32, which kernels are
/// built without or have switched off. Refused whole: it would be a third set of numbers.
const X32: u32 = 0x4000_0000;
const X86_64: u32 = 0xC000_003E;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const WAY: u32 = 4;
const ARGUMENTS: u32 = 16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

/// Refuses the calls of a filter to this process and all that follow from it, for good.
pub fn refuse(filter: &CallFilter) -> io::Result<()> {
    seccomp::install(&refusing(filter))
}

/// Refuses all calls but these, by their numbers in this program, with `ENOSYS`, for good.
pub fn allow_only(calls: &[libc::c_long]) -> io::Result<()> {
    let calls: Result<Vec<u32>, _> = calls.iter().map(|it| u32::try_from(*it)).collect();
    let way = native().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
    seccomp::install(&allowing(way, &calls.map_err(io::Error::other)?))
}

/// The way this program calls, on the architectures where containers run.
fn native() -> Option<u32> {
    Some(match std::env::consts::ARCH {
        "x86_64" => X86_64,
        "x86" => 0x4000_0003,
        "arm" => 0x4000_0028,
        "aarch64" => 0xC000_00B7,
        "riscv64" => 0xC000_00F3,
        "powerpc64" => 0xC000_0015,
        _ => return None,
    })
}

fn refusing(filter: &CallFilter) -> Vec<Instruction> {
    let mut program = vec![load(WAY)];
    for way in &filter.ways {
        let block = block(way);
        // A comparison skips 255 instructions at most.
        program.push(compare(libc::BPF_JEQ, way.audit, 1, 0));
        program.push(skip(block.len()));
        program.extend(block);
    }
    program.push(answer(refusal(libc::ENOSYS)));
    program
}

/// What happens to calls of one way.
fn block(way: &CallWay) -> Vec<Instruction> {
    let mut block = vec![load(NUMBER)];
    if way.audit == X86_64 {
        block.push(compare(libc::BPF_JGE, X32, 0, 1));
        block.push(answer(refusal(libc::ENOSYS)));
    }
    for same in way.refused.chunk_by(|a, b| a.number == b.number) {
        let mut tests: Vec<Instruction> = same.iter().flat_map(test).collect();
        if same.iter().all(|it| !it.when.is_empty()) {
            tests.push(answer(ALLOW));
        }
        let number = same.first().map_or(0, |it| it.number);
        block.push(compare(libc::BPF_JEQ, number, 0, length(tests.len())));
        block.extend(tests);
    }
    block.push(answer(ALLOW));
    block
}

/// Answers if all arguments are what they have to be for it.
fn test(refused: &RefusedCall) -> Vec<Instruction> {
    const EACH: usize = 2;
    let mut test = Vec::new();
    for (number, (argument, value)) in refused.when.iter().enumerate() {
        let left = (refused.when.len() - number - 1) * EACH;
        // The lower half comes first: all of these architectures are little-endian.
        test.push(load(ARGUMENTS + 8 * u32::from(*argument)));
        test.push(compare(libc::BPF_JEQ, *value, 0, length(left + 1)));
    }
    test.push(answer(refusal(refused.errno)));
    test
}

fn allowing(way: u32, calls: &[u32]) -> Vec<Instruction> {
    let mut program = vec![load(WAY), compare(libc::BPF_JEQ, way, 1, 0)];
    program.push(answer(refusal(libc::ENOSYS)));
    program.push(load(NUMBER));
    for call in calls {
        program.push(compare(libc::BPF_JEQ, *call, 0, 1));
        program.push(answer(ALLOW));
    }
    program.push(answer(refusal(libc::ENOSYS)));
    program
}

fn load(offset: u32) -> Instruction {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn compare(how: u32, operand: u32, if_true: u8, if_false: u8) -> Instruction {
    instruction(libc::BPF_JMP | how | libc::BPF_K, if_true, if_false, operand)
}

fn skip(instructions: usize) -> Instruction {
    let far = u32::try_from(instructions).unwrap_or(u32::MAX);
    instruction(libc::BPF_JMP | libc::BPF_JA, 0, 0, far)
}

fn answer(what: u32) -> Instruction {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, what)
}

fn refusal(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.unsigned_abs() & libc::SECCOMP_RET_DATA
}

fn instruction(code: u32, if_true: u8, if_false: u8, operand: u32) -> Instruction {
    // Codes have 16 bits.
    Instruction { code: code as u16, if_true, if_false, operand }
}

/// How far a comparison skips. What is too far makes a program that the kernel does not take.
fn length(instructions: usize) -> u8 {
    u8::try_from(instructions).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer; None for a program that it would not take.
    fn run(program: &[Instruction], way: u32, number: u32, arguments: [u64; 6]) -> Option<u32> {
        let (mut at, mut accumulator) = (0_usize, 0_u32);
        loop {
            let Instruction { code, if_true, if_false, operand } = *program.get(at)?;
            at += 1;
            let code = u32::from(code);
            match code & 7 {
                libc::BPF_LD => {
                    accumulator = match operand {
                        NUMBER => number,
                        WAY => way,
                        _ => {
                            let offset = operand.checked_sub(ARGUMENTS)?;
                            let argument = arguments.get(offset as usize / 8)?;
                            let half = if offset % 8 == 0 { *argument } else { argument >> 32 };
                            half as u32
                        }
                    };
                }
                libc::BPF_RET => return Some(operand),
                libc::BPF_JMP => {
                    let holds = match code & 0xF0 {
                        libc::BPF_JA => {
                            at += operand as usize;
                            continue;
                        }
                        libc::BPF_JEQ => accumulator == operand,
                        libc::BPF_JGE => accumulator >= operand,
                        _ => return None,
                    };
                    at += usize::from(if holds { if_true } else { if_false });
                }
                _ => return None,
            }
        }
    }

    fn plain(number: u32) -> RefusedCall {
        RefusedCall { number, when: Vec::new(), errno: libc::EPERM }
    }

    const EPERM: Option<u32> = Some(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    const ENOSYS: Option<u32> = Some(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32);
    const ALLOWED: Option<u32> = Some(ALLOW);
    const I386: u32 = 0x4000_0003;

    #[test]
    fn what_is_listed_is_refused_in_its_own_way_only() {
        let ways = vec![
            // More than a comparison could skip.
            CallWay { audit: X86_64, refused: (300..600).map(plain).collect() },
            CallWay { audit: I386, refused: vec![plain(7)] },
        ];
        let program = refusing(&CallFilter { ways });
        let of = |way, number| run(&program, way, number, [0; 6]);
        assert_eq!([of(X86_64, 299), of(X86_64, 300), of(X86_64, 599)], [ALLOWED, EPERM, EPERM]);
        assert_eq!([of(X86_64, 600), of(X86_64, 7)], [ALLOWED; 2]);
        assert_eq!([of(I386, 7), of(I386, 300)], [EPERM, ALLOWED]);
        assert_eq!([of(X86_64, X32), of(X86_64, X32 | 300), of(0xC000_00B7, 1)], [ENOSYS; 3]);
    }

    #[test]
    fn arguments_are_compared_as_the_kernel_reads_them() {
        let when =
            |number, when: &[(u8, u32)], errno| RefusedCall { number, when: when.to_vec(), errno };
        let refused = vec![
            when(16, &[(1, 0x5412)], libc::EPERM),
            when(16, &[(1, 0x541C)], libc::ENOSYS),
            when(41, &[(0, 16), (2, 9)], libc::EPERM),
            plain(42),
        ];
        let program = refusing(&CallFilter { ways: vec![CallWay { audit: X86_64, refused }] });
        let of = |number, a, b, c| run(&program, X86_64, number, [a, b, c, 0, 0, 0]);
        assert_eq!([of(16, 0, 0x5412, 0), of(16, 9, 0x1_0000_5412, 9)], [EPERM; 2]);
        assert_eq!([of(16, 0, 0x541C, 0), of(16, 0x5412, 0x5413, 0)], [ENOSYS, ALLOWED]);
        assert_eq!(
            [of(41, 16, 3, 9), of(41, 16, 3, 0), of(41, 2, 3, 9)],
            [EPERM, ALLOWED, ALLOWED]
        );
        assert_eq!([of(42, 0, 0, 0), of(43, 0, 0, 0)], [EPERM, ALLOWED]);
    }

    #[test]
    fn only_what_is_listed_is_allowed() {
        let program = allowing(X86_64, &[0, 1, 231]);
        let of = |way, number| run(&program, way, number, [0; 6]);
        assert_eq!([of(X86_64, 0), of(X86_64, 1), of(X86_64, 231)], [ALLOWED; 3]);
        assert_eq!([of(X86_64, 2), of(X86_64, X32 | 1), of(I386, 1)], [ENOSYS; 3]);
        assert!(native().is_some());
    }
}
