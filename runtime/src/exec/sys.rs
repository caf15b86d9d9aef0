//! The system calls that nix does not wrap, each behind a safe signature. All `unsafe` of this program is here.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::unistd::Pid;

/// `open_tree(2)`: a detached copy of the mount at `path`, with those below it when `recursive`.
#[expect(unsafe_code, reason = "open_tree has no wrapper")]
pub(crate) fn open_tree(path: &CStr, recursive: bool) -> Result<OwnedFd, Errno> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | if recursive { libc::AT_RECURSIVE as u32 } else { 0 };
    // SAFETY: `path` is a valid C string for the whole call; a result that is no error is a descriptor nobody else owns.
    unsafe {
        let fd = Errno::result(libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// `fsopen(2)` to `fsmount(2)`: a new kernel filesystem of this type, not yet attached anywhere. `attributes` are `MOUNT_ATTR_…`.
#[expect(unsafe_code, reason = "these calls have no wrapper")]
pub(crate) fn new_filesystem(kind: &CStr, attributes: u64) -> Result<OwnedFd, Errno> {
    const FSOPEN_CLOEXEC: libc::c_uint = 1;
    const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
    const FSMOUNT_CLOEXEC: libc::c_uint = 1;
    // SAFETY: the name is a valid C string, the null pointers are what the create command takes, and results that are no error are
    // descriptors nobody else owns.
    unsafe {
        let context = Errno::result(libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC))?;
        let context = OwnedFd::from_raw_fd(context as RawFd);
        let null = std::ptr::null::<libc::c_void>();
        Errno::result(libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), FSCONFIG_CMD_CREATE, null, null, 0))?;
        let mount = libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), FSMOUNT_CLOEXEC, attributes);
        Ok(OwnedFd::from_raw_fd(Errno::result(mount)? as RawFd))
    }
}

/// `move_mount(2)`: attaches a detached mount to what `target` names.
#[expect(unsafe_code, reason = "move_mount has no wrapper")]
pub(crate) fn move_mount(tree: &OwnedFd, target: &OwnedFd) -> Result<(), Errno> {
    let empty = c"";
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both descriptors are open and the empty paths are valid C strings.
    let result = unsafe {
        libc::syscall(libc::SYS_move_mount, tree.as_raw_fd(), empty.as_ptr(), target.as_raw_fd(), empty.as_ptr(), flags)
    };
    Errno::result(result).map(drop)
}

/// `mount_setattr(2)`: makes a detached mount read-only, with everything below it when `recursive`.
#[expect(unsafe_code, reason = "mount_setattr has no wrapper")]
pub(crate) fn set_read_only(tree: &OwnedFd, recursive: bool) -> Result<(), Errno> {
    let attributes = libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the descriptor is open, the path a valid C string, and the size is that of the structure.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(result).map(drop)
}

/// `close_range(2)`: every descriptor from `first` on will be closed by exec.
#[expect(unsafe_code, reason = "close_range has no wrapper")]
pub(crate) fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    // SAFETY: no memory is passed; marking descriptors close-on-exec invalidates none of them.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    Errno::result(result).map(drop)
}

/// Takes over a descriptor that was inherited under a number told by the parent.
#[expect(unsafe_code, reason = "an inherited descriptor has only a number")]
pub(crate) fn inherited(fd: RawFd) -> OwnedFd {
    // SAFETY: called once for each number, by the child, for descriptors that the parent opened for it alone.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// `pidfd_send_signal(2)`.
#[expect(unsafe_code, reason = "pidfd_send_signal has no wrapper")]
pub(crate) fn pidfd_send_signal(pidfd: &OwnedFd, signal: i32) -> Result<(), Errno> {
    // SAFETY: the descriptor is open; a null siginfo asks the kernel to fill it in as kill(2) does.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    Errno::result(result).map(drop)
}

/// What a child of [`spawn_self`] is started with.
pub(crate) struct Child<'a> {
    /// Opened program file; executed by descriptor, so that the name needs not exist.
    pub(crate) program: BorrowedFd<'a>,
    pub(crate) args: &'a [CString],
    /// Standard input, output and error; `None` keeps the parent's.
    pub(crate) stdio: [Option<BorrowedFd<'a>>; 3],
    /// Descriptors that survive the exec under their own numbers.
    pub(crate) keep: &'a [BorrowedFd<'a>],
    /// `CLONE_NEW…`
    pub(crate) namespaces: libc::c_int,
    /// Whether the child dies with this thread.
    pub(crate) die_with_parent: bool,
}

struct Plan {
    program: RawFd,
    args: *const *const libc::c_char,
    env: *const *const libc::c_char,
    stdio: [RawFd; 3],
    keep: *const RawFd,
    keep_len: usize,
    die_with_parent: bool,
    errno: libc::c_int,
}

/// Starts a program in new namespaces: the child shares this memory until its exec (as vfork does), so that nothing is copied, and
/// this thread sleeps until then. Gives the process ID and a descriptor for it.
#[expect(unsafe_code, reason = "clone with namespaces, a pidfd and shared memory has no wrapper")]
pub(crate) fn spawn_self(child: &Child<'_>) -> Result<(Pid, OwnedFd), Errno> {
    extern "C" fn in_child(plan: *mut libc::c_void) -> libc::c_int {
        // SAFETY: `plan` points to the parent's value, which outlives this function because the parent sleeps until exec or exit;
        // only system calls are made, no memory is allocated, no lock is taken, and the pointers in it are as `spawn_self` built them.
        unsafe {
            let plan = &mut *plan.cast::<Plan>();
            if plan.die_with_parent {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            }
            for (number, &fd) in plan.stdio.iter().enumerate() {
                if fd >= 0 && libc::dup2(fd, number as RawFd) < 0 {
                    plan.errno = *libc::__errno_location();
                    return 1;
                }
            }
            for index in 0..plan.keep_len {
                libc::fcntl(*plan.keep.add(index), libc::F_SETFD, 0);
            }
            libc::syscall(libc::SYS_execveat, plan.program, c"".as_ptr(), plan.args, plan.env, libc::AT_EMPTY_PATH);
            plan.errno = *libc::__errno_location();
            1
        }
    }

    let args: Vec<*const libc::c_char> = child.args.iter().map(|arg| arg.as_ptr()).chain([std::ptr::null()]).collect();
    let env: [*const libc::c_char; 1] = [std::ptr::null()];
    let keep: Vec<RawFd> = child.keep.iter().map(AsRawFd::as_raw_fd).collect();
    let mut plan = Plan {
        program: child.program.as_raw_fd(),
        args: args.as_ptr(),
        env: env.as_ptr(),
        stdio: child.stdio.map(|fd| fd.map_or(-1, |fd| fd.as_raw_fd())),
        keep: keep.as_ptr(),
        keep_len: keep.len(),
        die_with_parent: child.die_with_parent,
        errno: 0,
    };
    const STACK_WORDS: usize = 8 * 1024;
    let mut stack: Vec<u128> = vec![0; STACK_WORDS];
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD | child.namespaces;

    // No handler may run in the child while it shares this memory.
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    // SAFETY: the stack is large enough for a function that makes a few system calls, aligned to 16 bytes, and lives until the child
    // has left it; `plan` and everything it points to live as long; `pidfd` is written by the kernel before the call returns.
    let pid = Errno::result(unsafe {
        libc::clone(in_child, stack.as_mut_ptr().add(STACK_WORDS).cast(), flags, (&raw mut plan).cast(), &raw mut pidfd)
    });
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    let pid = Pid::from_raw(pid?);
    // SAFETY: clone succeeded with CLONE_PIDFD, so this is a new descriptor of ours.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    if plan.errno != 0 {
        let _ = nix::sys::wait::waitpid(pid, None);
        return Err(Errno::from_raw(plan.errno));
    }
    Ok((pid, pidfd))
}

/// `fork(2)`, for a process that is known to have one thread: `None` in the child.
#[expect(unsafe_code, reason = "fork is unsafe in a threaded process")]
pub(crate) fn fork_single_threaded() -> Result<Option<Pid>, Errno> {
    // SAFETY: the callers are the init child, which starts no thread, and `userns::enter`, which counts threads before.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(Some(child)),
        nix::unistd::ForkResult::Child => Ok(None),
    }
}

/// Resets every signal to its default action and unblocks all: what Rust's runtime and a careful parent change.
#[expect(unsafe_code, reason = "installing a signal action is unsafe")]
pub(crate) fn default_signals() {
    for signal in Signal::iterator() {
        if !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP) {
            // SAFETY: the default action runs no code of ours.
            let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) };
        }
    }
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

#[repr(C)]
struct CapHeader {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct CapData {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;

/// `capget(2)`: the effective set of this process.
#[expect(unsafe_code, reason = "capget has no wrapper")]
pub(crate) fn effective_capabilities() -> u64 {
    let mut header = CapHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let mut data = [CapData::default(); 2];
    // SAFETY: version 3 reads the header and writes two data structures, which is what is there.
    unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    u64::from(data[0].effective) | u64::from(data[1].effective) << 32
}

/// `capset(2)`: permitted and effective become `set`, inheritable empty; and no ambient ones.
#[expect(unsafe_code, reason = "capset has no wrapper")]
pub(crate) fn set_capabilities(set: u64) -> Result<(), Errno> {
    let mut header = CapHeader { version: CAPABILITY_VERSION_3, pid: 0 };
    let half = |bits: u32| CapData { effective: bits, permitted: bits, inheritable: 0 };
    let data = [half(set as u32), half((set >> 32) as u32)];
    // SAFETY: version 3 reads the header and two data structures, which is what is there.
    unsafe {
        libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        Errno::result(libc::syscall(libc::SYS_capset, &raw mut header, data.as_ptr())).map(drop)
    }
}

/// Whether the bounding set holds a capability; `None` when the kernel does not know its number.
#[expect(unsafe_code, reason = "this prctl has no wrapper")]
pub(crate) fn bounding_has(number: u32) -> Option<bool> {
    // SAFETY: no memory is passed.
    match unsafe { libc::prctl(libc::PR_CAPBSET_READ, number as libc::c_ulong, 0, 0, 0) } {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Takes a capability out of the bounding set.
#[expect(unsafe_code, reason = "this prctl has no wrapper")]
pub(crate) fn bounding_drop(number: u32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number as libc::c_ulong, 0, 0, 0) }).map(drop)
}

/// Brings the loopback device of this network namespace up.
#[expect(unsafe_code, reason = "these ioctls have no wrapper")]
pub(crate) fn loopback_up() -> Result<(), Errno> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: the structure is plain data for which zeros are valid; both calls read and write it only, and it names a device.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        Errno::result(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as libc::Ioctl, &raw mut request)).map(drop)
    }
}

/// One instruction of classic BPF.
pub(crate) type BpfInstruction = libc::sock_filter;

/// Installs a system call filter on this thread.
#[expect(unsafe_code, reason = "seccomp has no wrapper")]
pub(crate) fn install_filter(program: &[BpfInstruction]) -> Result<(), Errno> {
    let header = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies `len` instructions from a slice that holds as many, and writes none.
    let result = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const header) };
    Errno::result(result).map(drop)
}

/// `sethostname`, `setgroups`, … are wrapped by nix; `execve` that only comes back with an error is too.
pub(crate) fn exec(path: &CStr, args: &[CString], env: &[CString]) -> Errno {
    let answer: Result<Infallible, Errno> = nix::unistd::execve(path, args, env);
    match answer {
        Err(errno) => errno,
    }
}

/// Makes a terminal the controlling one of this session.
#[expect(unsafe_code, reason = "TIOCSCTTY has no wrapper")]
pub(crate) fn control_terminal(terminal: &OwnedFd) -> Result<(), Errno> {
    // SAFETY: the descriptor is open and this request takes a number, no memory.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) }).map(drop)
}

/// The size of a terminal; `None` when it is none.
#[expect(unsafe_code, reason = "TIOCGWINSZ has no wrapper")]
pub(crate) fn window_size(terminal: &BorrowedFd<'_>) -> Option<libc::winsize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptor is open and the request writes the structure whose address it gets.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (result == 0 && size.ws_row > 0).then_some(size)
}

/// Sets the size of a terminal, whose programs are told by SIGWINCH.
#[expect(unsafe_code, reason = "TIOCSWINSZ has no wrapper")]
pub(crate) fn set_window_size(terminal: &BorrowedFd<'_>, size: libc::winsize) {
    // SAFETY: the descriptor is open and the request reads the structure whose address it gets.
    unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
}
