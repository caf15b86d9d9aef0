//! The calls that a supervisor answers where the kernel knows one ID.

use nix::libc;

use super::{ARCHITECTURE, BpfInstruction, NUMBER, architectures, give, jump, load};

/// Where the low half of an argument stands.
const fn argument(number: u32) -> u32 {
    16 + 8 * number
}

/// Calls that are always handed over.
const CALLS: &[libc::c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_creat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    libc::SYS_mknodat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_execve,
    libc::SYS_execveat,
];

/// Calls that are handed over when this argument asks for a new file.
const OPENING: &[(libc::c_long, u32)] = &[
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, 1),
    (libc::SYS_openat, 2),
];

/// Calls that are handed over when this argument has this value: limits in which the supervisor keeps who a process is (and
/// which PAM sets anew), and the wish to keep capabilities.
const ASKING: &[(libc::c_long, u32, u32)] = &[
    (libc::SYS_setrlimit, 0, libc::RLIMIT_LOCKS),
    (libc::SYS_prlimit64, 1, libc::RLIMIT_LOCKS),
    (libc::SYS_prctl, 0, libc::PR_SET_KEEPCAPS as u32),
];

/// `O_CREAT`, and what `O_TMPFILE` has beyond `O_DIRECTORY`.
const CREATES: u32 = libc::O_CREAT as u32 | (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

/// A filter that hands these calls to whoever listens and lets all others through. `openat2`, whose flags a filter cannot see,
/// is said not to exist, so that programs ask for `openat`; calls of other architectures are the kernel's.
pub(crate) fn notifying() -> Vec<BpfInstruction> {
    let (notify, allow) = (give(libc::SECCOMP_RET_USER_NOTIF), give(libc::SECCOMP_RET_ALLOW));
    let mut program = vec![load(ARCHITECTURE), jump(libc::BPF_JEQ, architectures()[0].0, 1, 0), allow, load(NUMBER)];
    for call in CALLS {
        program.extend([jump(libc::BPF_JEQ, *call as u32, 0, 1), notify]);
    }
    for (call, flags) in OPENING {
        program.extend([
            jump(libc::BPF_JEQ, *call as u32, 0, 4),
            load(argument(*flags)),
            jump(libc::BPF_JSET, CREATES, 0, 1),
            notify,
            allow,
        ]);
    }
    for (call, number, value) in ASKING {
        program.extend([
            jump(libc::BPF_JEQ, *call as u32, 0, 4),
            load(argument(*number)),
            jump(libc::BPF_JEQ, *value, 0, 1),
            notify,
            allow,
        ]);
    }
    program.extend([jump(libc::BPF_JEQ, libc::SYS_openat2 as u32, 0, 1), super::errno(libc::ENOSYS), allow]);
    program
}
