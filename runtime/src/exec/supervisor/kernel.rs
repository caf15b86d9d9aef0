//! The system calls of a supervisor, each behind a safe signature.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;

use crate::exec::sys::BpfInstruction;

/// A system call that waits for its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) id: u64,
    /// The calling thread, as this process sees it.
    pub(super) pid: i32,
    pub(super) number: i64,
    pub(super) args: [u64; 6],
}

/// The answer to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The kernel carries it out as if nobody had looked.
    Continue,
    /// It is done; this is its result.
    Value(i64),
    /// It failed.
    Error(Errno),
    /// A descriptor was put into the process; the call is answered already.
    Given,
}

/// Installs a filter on this thread whose notifications are read from the descriptor.
#[expect(unsafe_code, reason = "seccomp has no wrapper")]
pub(crate) fn listen(program: &[BpfInstruction]) -> Result<OwnedFd, Errno> {
    let header = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    let install = |flags: libc::c_ulong| {
        // SAFETY: the kernel copies `len` instructions from a slice that holds as many, and writes none.
        let result =
            unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const header) };
        Errno::result(result)
    };
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Without the flag (5.19) a signal makes a call begin anew while it is being answered.
    let fd = match install(listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(Errno::EINVAL) => install(listener)?,
        other => other?,
    };
    // SAFETY: a result that is no error is a descriptor nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Asks the kernel to switch between caller and supervisor without waking other processors (6.6); only faster.
#[expect(unsafe_code, reason = "this ioctl has no wrapper")]
pub(super) fn switch_directly(listener: &OwnedFd) {
    const SYNC_WAKE_UP: libc::c_ulong = 1;
    // SAFETY: the request takes a number, no memory.
    let _ = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
}

/// Waits for a call.
#[expect(unsafe_code, reason = "this ioctl has no wrapper")]
pub(super) fn receive(listener: &OwnedFd) -> Result<Call, Errno> {
    // SAFETY: the structure is plain data, for which zeros are valid and asked for; the request fills it.
    let found = unsafe {
        let mut found: libc::seccomp_notif = std::mem::zeroed();
        Errno::result(libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut found))?;
        found
    };
    Ok(Call { id: found.id, pid: found.pid as i32, number: i64::from(found.data.nr), args: found.data.args })
}

/// Answers a call. That it is gone by now is no error.
#[expect(unsafe_code, reason = "this ioctl has no wrapper")]
pub(super) fn respond(listener: &OwnedFd, id: u64, answer: Answer) {
    let mut response = libc::seccomp_notif_resp { id, val: 0, error: 0, flags: 0 };
    match answer {
        Answer::Continue => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        Answer::Value(value) => response.val = value,
        Answer::Error(errno) => response.error = -(errno as i32),
        Answer::Given => return,
    }
    // SAFETY: the request reads the structure whose address it gets.
    let _ = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
}

/// Whether the call still waits: what was read of its process before this was that process's.
#[expect(unsafe_code, reason = "this ioctl has no wrapper")]
pub(super) fn still_waits(listener: &OwnedFd, id: u64) -> bool {
    // SAFETY: the request reads the number whose address it gets.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0 }
}

/// Puts a descriptor into the calling process and answers the call with its number there.
#[expect(unsafe_code, reason = "this ioctl has no wrapper")]
pub(super) fn give(listener: &OwnedFd, id: u64, fd: &OwnedFd, close_on_exec: bool) -> Result<(), Errno> {
    let request = libc::seccomp_notif_addfd {
        id,
        flags: libc::SECCOMP_ADDFD_FLAG_SEND as u32,
        srcfd: fd.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
    };
    // SAFETY: the request reads the structure whose address it gets, and duplicates an open descriptor.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const request) };
    Errno::result(result).map(drop)
}

/// The soft limit of file locks of a process, which the kernel counts no more but hands on to children and through exec.
#[expect(unsafe_code, reason = "prlimit has no wrapper that only reads")]
pub(super) fn mark(pid: i32) -> Option<u64> {
    let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: no new limit is given, and the old one is written to the structure.
    let result = unsafe { libc::prlimit(pid, libc::RLIMIT_LOCKS, std::ptr::null(), &raw mut found) };
    (result == 0 && found.rlim_cur != libc::RLIM_INFINITY).then_some(found.rlim_cur)
}

/// Sets that limit.
#[expect(unsafe_code, reason = "prlimit of another process has no wrapper")]
pub(super) fn set_mark(pid: i32, mark: u64) -> Result<(), Errno> {
    let wanted = libc::rlimit { rlim_cur: mark, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the new limit is read from the structure, the old one not asked for.
    let result = unsafe { libc::prlimit(pid, libc::RLIMIT_LOCKS, &raw const wanted, std::ptr::null_mut()) };
    Errno::result(result).map(drop)
}

/// `statx(2)` of an open file, with the caller's wishes.
#[expect(unsafe_code, reason = "the kernel's own structure is needed, to hand it on")]
pub(super) fn statx(file: BorrowedFd<'_>, flags: i32, mask: u32) -> Result<libc::statx, Errno> {
    // SAFETY: the structure is plain data for which zeros are valid; the call fills it; the empty path is a valid C string.
    unsafe {
        let mut found: libc::statx = std::mem::zeroed();
        let flags = flags | libc::AT_EMPTY_PATH;
        Errno::result(libc::statx(file.as_raw_fd(), c"".as_ptr(), flags, mask, &raw mut found))?;
        Ok(found)
    }
}

/// What [`bytes`] may be asked for: structures that the kernel itself would have copied out whole.
pub(super) trait Plain {}
impl Plain for libc::stat {}
impl Plain for libc::statx {}

/// A structure as the bytes that a process reads.
#[expect(unsafe_code, reason = "a structure as bytes")]
pub(super) fn bytes<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: the structures were zeroed or filled by the kernel, padding included, and live as long as the slice.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}
