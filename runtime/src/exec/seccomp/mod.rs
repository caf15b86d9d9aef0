//! The system call filter: Docker's default profile, as a binary search over the calls of each architecture.

mod calls;
mod notify;

use nix::libc;

use super::Capabilities;
use super::sys::BpfInstruction;

pub(crate) use notify::notifying;

/// When a call is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Always,
    /// With any of these capabilities.
    With(u64),
    /// Any address family but AF_VSOCK.
    Socket,
    /// Linux personalities of 64 and 32 bits, with or without address space randomization, and asking.
    Personality,
    /// No new namespaces without CAP_SYS_ADMIN.
    Clone,
    /// Its flags are in memory, where a filter cannot look: without CAP_SYS_ADMIN it is said not to exist, so that `clone` is used.
    Clone3,
}

const DAC_READ_SEARCH: u64 = 1 << 2;
const SYS_MODULE: u64 = 1 << 16;
const SYS_RAWIO: u64 = 1 << 17;
const SYS_CHROOT: u64 = 1 << 18;
const SYS_PTRACE: u64 = 1 << 19;
const SYS_PACCT: u64 = 1 << 20;
const SYS_ADMIN: u64 = 1 << 21;
const SYS_BOOT: u64 = 1 << 22;
const SYS_NICE: u64 = 1 << 23;
const SYS_TIME: u64 = 1 << 25;
const SYS_TTY_CONFIG: u64 = 1 << 26;
const SYSLOG: u64 = 1 << 34;
const PERFMON: u64 = 1 << 38;
const BPF: u64 = 1 << 39;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Allow,
    /// EPERM, as the profile's default.
    Refuse,
    /// ENOSYS: for calls newer than the table, so that programs fall back to what they used before.
    Unknown,
    Socket,
    Personality,
    Clone,
}

const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const AUDIT_ARCH_I386: u32 = 0x4000_0003;
const AUDIT_ARCH_AARCH64: u32 = 0xc000_00b7;

// Offsets in `struct seccomp_data`; little endian.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
const CLONE_NAMESPACES: u32 = 0x7e02_0000;
const AF_VSOCK: u32 = 40;
const PERSONALITIES: [u32; 5] = [0, 0x0008, 0x0002_0000, 0x0002_0008, 0xffff_ffff];

/// The filter; which calls it lets through depends on the capabilities, as in Docker.
pub(crate) fn program(capabilities: Capabilities) -> Vec<BpfInstruction> {
    // The architecture of this program first: it is what nearly every call comes from.
    let mut program = vec![load(ARCHITECTURE)];
    for (architecture, column) in architectures() {
        let mut body = vec![load(NUMBER)];
        body.extend(search(&ranges(capabilities, *column)));
        program.push(jump(libc::BPF_JEQ, *architecture, 1, 0));
        program.push(skip(body.len()));
        program.extend(body);
    }
    program.push(errno(libc::ENOSYS));
    program
}

fn architectures() -> &'static [(u32, usize)] {
    if cfg!(target_arch = "aarch64") {
        &[(AUDIT_ARCH_AARCH64, 2)]
    } else {
        &[(AUDIT_ARCH_X86_64, 0), (AUDIT_ARCH_I386, 1)]
    }
}

/// What becomes of each call number, as (first number, action) until the next one.
fn ranges(capabilities: Capabilities, column: usize) -> Vec<(u32, Action)> {
    let mut calls: Vec<(u32, Action)> = calls::CALLS
        .iter()
        .filter_map(|(_, x86_64, i386, aarch64, rule)| {
            let number = u32::try_from([*x86_64, *i386, *aarch64][column]).ok()?;
            Some((number, action(*rule, capabilities)))
        })
        .collect();
    calls.sort_by_key(|(number, _)| *number);
    let mut ranges: Vec<(u32, Action)> = Vec::new();
    let mut next = 0;
    let mut add = |first: u32, action: Action| {
        if ranges.last().is_none_or(|(_, last)| *last != action) {
            ranges.push((first, action));
        }
    };
    for (number, action) in calls {
        if number > next {
            add(next, Action::Refuse);
        }
        add(number, action);
        next = number + 1;
    }
    add(next, Action::Unknown);
    // The x32 calls of x86-64 have this bit.
    if column == 0 {
        add(0x4000_0000, Action::Refuse);
    }
    ranges
}

fn action(rule: Rule, capabilities: Capabilities) -> Action {
    let has = |any: u64| capabilities.0 & any != 0;
    match rule {
        Rule::Always => Action::Allow,
        Rule::With(any) if has(any) => Action::Allow,
        Rule::With(_) => Action::Refuse,
        Rule::Socket => Action::Socket,
        Rule::Personality => Action::Personality,
        Rule::Clone if has(SYS_ADMIN) => Action::Allow,
        Rule::Clone => Action::Clone,
        Rule::Clone3 if has(SYS_ADMIN) => Action::Allow,
        Rule::Clone3 => Action::Unknown,
    }
}

/// A binary search over ranges; every leaf returns.
fn search(ranges: &[(u32, Action)]) -> Vec<BpfInstruction> {
    match ranges {
        [] => vec![errno(libc::EPERM)],
        [(_, action)] => leaf(*action),
        _ => {
            let (left, right) = ranges.split_at(ranges.len() / 2);
            let (below, above) = (search(left), search(right));
            // A conditional jump reaches 255 instructions, an unconditional one any.
            let mut code = vec![jump(libc::BPF_JGE, right[0].0, 0, 1), skip(below.len())];
            code.extend(below);
            code.extend(above);
            code
        }
    }
}

fn leaf(action: Action) -> Vec<BpfInstruction> {
    let refuse = errno(libc::EPERM);
    match action {
        Action::Allow => vec![give(libc::SECCOMP_RET_ALLOW)],
        Action::Refuse => vec![refuse],
        Action::Unknown => vec![errno(libc::ENOSYS)],
        Action::Socket => {
            vec![load(FIRST_ARGUMENT), jump(libc::BPF_JEQ, AF_VSOCK, 0, 1), refuse, give(libc::SECCOMP_RET_ALLOW)]
        }
        Action::Clone => vec![
            load(FIRST_ARGUMENT),
            jump(libc::BPF_JSET, CLONE_NAMESPACES, 0, 1),
            refuse,
            give(libc::SECCOMP_RET_ALLOW),
        ],
        Action::Personality => {
            let mut code = vec![load(FIRST_ARGUMENT)];
            for value in PERSONALITIES {
                code.push(jump(libc::BPF_JEQ, value, 0, 1));
                code.push(give(libc::SECCOMP_RET_ALLOW));
            }
            code.push(refuse);
            code
        }
    }
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> BpfInstruction {
    BpfInstruction { code: code as u16, jt, jf, k }
}

fn load(offset: u32) -> BpfInstruction {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn jump(condition: u32, value: u32, if_true: u8, if_false: u8) -> BpfInstruction {
    instruction(libc::BPF_JMP | condition | libc::BPF_K, if_true, if_false, value)
}

fn skip(instructions: usize) -> BpfInstruction {
    instruction(libc::BPF_JMP | libc::BPF_JA, 0, 0, instructions as u32)
}

fn give(action: u32) -> BpfInstruction {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action)
}

fn errno(number: i32) -> BpfInstruction {
    give(libc::SECCOMP_RET_ERRNO | number as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel does.
    fn answer(capabilities: Capabilities, architecture: u32, number: u32, argument: u32) -> u32 {
        let program = program(capabilities);
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let BpfInstruction { code, jt, jf, k } = program[at];
            at += 1;
            let code = u32::from(code);
            match code & 0x07 {
                libc::BPF_LD => {
                    accumulator = match k {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        FIRST_ARGUMENT => argument,
                        other => panic!("loads {other}"),
                    }
                }
                libc::BPF_RET => return k,
                _ => {
                    let jumps = match code & 0xf0 {
                        libc::BPF_JA => {
                            at += k as usize;
                            continue;
                        }
                        libc::BPF_JEQ => accumulator == k,
                        libc::BPF_JGE => accumulator >= k,
                        libc::BPF_JSET => accumulator & k != 0,
                        other => panic!("jumps {other:x}"),
                    };
                    at += usize::from(if jumps { jt } else { jf });
                }
            }
        }
    }

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
    const EPERM: u32 = libc::SECCOMP_RET_ERRNO | 1;
    const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | 38;

    #[test]
    fn every_call_of_the_table_gets_its_answer() {
        for capabilities in [Capabilities::NONE, Capabilities::DOCKER_DEFAULT, Capabilities::ALL] {
            for (architecture, column) in [(AUDIT_ARCH_X86_64, 0), (AUDIT_ARCH_I386, 1)] {
                if !architectures().iter().any(|(known, _)| *known == architecture) {
                    continue;
                }
                for (name, x86_64, i386, _, rule) in calls::CALLS {
                    let Ok(number) = u32::try_from([*x86_64, *i386][column]) else { continue };
                    let wanted = match action(*rule, capabilities) {
                        Action::Refuse => EPERM,
                        Action::Unknown => ENOSYS,
                        _ => ALLOW,
                    };
                    assert_eq!(answer(capabilities, architecture, number, 0), wanted, "{name} on {architecture:x}");
                }
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn arguments_and_unknown_calls() {
        let docker = Capabilities::DOCKER_DEFAULT;
        let ask = |number, argument| answer(docker, AUDIT_ARCH_X86_64, number, argument);
        let number = |call: i64| call as u32;
        assert_eq!(ask(number(libc::SYS_socket), 2), ALLOW);
        assert_eq!(ask(number(libc::SYS_socket), AF_VSOCK), EPERM);
        assert_eq!(ask(number(libc::SYS_clone), libc::SIGCHLD as u32), ALLOW);
        assert_eq!(ask(number(libc::SYS_clone), libc::CLONE_NEWUSER as u32), EPERM);
        assert_eq!(ask(number(libc::SYS_clone3), 0), ENOSYS);
        assert_eq!(ask(number(libc::SYS_personality), 0x0008), ALLOW);
        assert_eq!(ask(number(libc::SYS_personality), 0x0004_0000), EPERM);
        assert_eq!(ask(number(libc::SYS_mount), 0), EPERM);
        assert_eq!(ask(number(libc::SYS_keyctl), 0), EPERM);
        assert_eq!(ask(number(libc::SYS_io_uring_setup), 0), EPERM);
        assert_eq!(ask(number(libc::SYS_chroot), 0), ALLOW);
        assert_eq!(ask(9999, 0), ENOSYS);
        assert_eq!(ask(0x4000_0000, 0), EPERM);
        assert_eq!(answer(docker, AUDIT_ARCH_AARCH64, 0, 0), ENOSYS);
        assert_eq!(answer(Capabilities::ALL, AUDIT_ARCH_X86_64, number(libc::SYS_clone3), 0), ALLOW);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn numbers_are_the_kernels() {
        for (name, number) in [
            ("read", libc::SYS_read),
            ("openat2", libc::SYS_openat2),
            ("clone3", libc::SYS_clone3),
            ("statx", libc::SYS_statx),
        ] {
            let row = calls::CALLS.iter().find(|row| row.0 == name).unwrap();
            assert_eq!(i64::from(row.1), number, "{name}");
        }
        let mut names: Vec<&str> = calls::CALLS.iter().map(|row| row.0).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), calls::CALLS.len());
    }
}
