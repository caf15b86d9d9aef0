//! The system calls that nix does not wrap, each behind a safe signature. All `unsafe` of this program is here.

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
pub(crate) fn new_filesystem(kind: &CStr, attributes: u64) -> Result<OwnedFd, Errno> {
    NewFilesystem::open(kind)?.mount(attributes)
}

/// A filesystem being described to the kernel.
pub(crate) struct NewFilesystem(OwnedFd);

impl NewFilesystem {
    /// `fsopen(2)`
    #[expect(unsafe_code, reason = "fsopen has no wrapper")]
    pub(crate) fn open(kind: &CStr) -> Result<Self, Errno> {
        const FSOPEN_CLOEXEC: libc::c_uint = 1;
        // SAFETY: the name is a valid C string; a result that is no error is a descriptor nobody else owns.
        unsafe {
            let context = Errno::result(libc::syscall(libc::SYS_fsopen, kind.as_ptr(), FSOPEN_CLOEXEC))?;
            Ok(Self(OwnedFd::from_raw_fd(context as RawFd)))
        }
    }

    fn configure(&self, command: libc::c_uint, key: Option<&CStr>, value: Option<&CStr>) -> Result<(), Errno> {
        let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
        #[expect(unsafe_code, reason = "fsconfig has no wrapper")]
        // SAFETY: the texts are valid C strings or null, as the commands take them.
        let result =
            unsafe { libc::syscall(libc::SYS_fsconfig, self.0.as_raw_fd(), command, pointer(key), pointer(value), 0) };
        Errno::result(result).map(drop)
    }

    /// Sets `key=value`.
    pub(crate) fn set(&self, key: &CStr, value: &CStr) -> Result<(), Errno> {
        const FSCONFIG_SET_STRING: libc::c_uint = 1;
        self.configure(FSCONFIG_SET_STRING, Some(key), Some(value))
    }

    /// Sets `key`.
    pub(crate) fn flag(&self, key: &CStr) -> Result<(), Errno> {
        const FSCONFIG_SET_FLAG: libc::c_uint = 0;
        self.configure(FSCONFIG_SET_FLAG, Some(key), None)
    }

    /// Makes it, as a mount that is not yet attached anywhere.
    #[expect(unsafe_code, reason = "fsmount has no wrapper")]
    pub(crate) fn mount(&self, attributes: u64) -> Result<OwnedFd, Errno> {
        const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
        const FSMOUNT_CLOEXEC: libc::c_uint = 1;
        self.configure(FSCONFIG_CMD_CREATE, None, None)?;
        // SAFETY: the descriptor is open; a result that is no error is a descriptor nobody else owns.
        unsafe {
            let mount = libc::syscall(libc::SYS_fsmount, self.0.as_raw_fd(), FSMOUNT_CLOEXEC, attributes);
            Ok(OwnedFd::from_raw_fd(Errno::result(mount)? as RawFd))
        }
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
}

struct Plan {
    program: RawFd,
    args: *const *const libc::c_char,
    env: *const *const libc::c_char,
    keep: *const RawFd,
    keep_len: usize,
    errno: libc::c_int,
}

/// Starts a program in new namespaces; see [`spawn_borrowing`]. Gives the process ID and a descriptor for it.
#[expect(unsafe_code, reason = "execveat has no wrapper that allocates nothing")]
pub(crate) fn spawn_self(child: &Child<'_>) -> Result<(Pid, OwnedFd), Errno> {
    let args: Vec<*const libc::c_char> = child.args.iter().map(|arg| arg.as_ptr()).chain([std::ptr::null()]).collect();
    let env: [*const libc::c_char; 1] = [std::ptr::null()];
    let keep: Vec<RawFd> = child.keep.iter().map(AsRawFd::as_raw_fd).collect();
    let mut plan = Plan {
        program: child.program.as_raw_fd(),
        args: args.as_ptr(),
        env: env.as_ptr(),
        keep: keep.as_ptr(),
        keep_len: keep.len(),
        errno: 0,
    };
    let start = &mut || {
        // SAFETY: only system calls are made, and the pointers are as they were built above.
        unsafe {
            for index in 0..plan.keep_len {
                libc::fcntl(*plan.keep.add(index), libc::F_SETFD, 0);
            }
            libc::syscall(libc::SYS_execveat, plan.program, c"".as_ptr(), plan.args, plan.env, libc::AT_EMPTY_PATH);
            plan.errno = *libc::__errno_location();
        }
        1
    };
    let (pid, pidfd) = spawn_borrowing(&child.stdio, child.namespaces, start)?;
    if plan.errno != 0 {
        let _ = nix::sys::wait::waitpid(pid, None);
        return Err(Errno::from_raw(plan.errno));
    }
    Ok((pid, pidfd))
}

/// What a child of [`spawn_borrowing`] finds.
struct Borrower<'b> {
    stdio: [RawFd; 3],
    body: &'b mut dyn FnMut() -> i32,
    /// Set by the child once it is under way.
    errno: libc::c_int,
}

/// Starts a child in new namespaces that dies with this thread and runs `body` until that becomes another program. The child
/// shares this memory until then (as vfork does), so that nothing is copied, and this thread sleeps. What `body` returns is
/// the child's exit code. Gives the process ID and a descriptor for it.
///
/// `body` has a copy of the descriptors and its own working directory, root and credentials. It must not wait for this thread,
/// nor end the process otherwise than by returning, nor change IDs through the C library, which would want to tell all threads.
/// Once it has changed them, nobody may look into this memory any more (`PR_SET_DUMPABLE`); that stays so.
#[expect(unsafe_code, reason = "clone with namespaces, a pidfd and shared memory has no wrapper")]
pub(crate) fn spawn_borrowing(
    stdio: &[Option<BorrowedFd<'_>>; 3],
    namespaces: libc::c_int,
    body: &mut dyn FnMut() -> i32,
) -> Result<(Pid, OwnedFd), Errno> {
    extern "C" fn in_child(borrower: *mut libc::c_void) -> libc::c_int {
        // SAFETY: `borrower` points to the parent's value, which outlives this function and which nobody else looks at, because the
        // parent's thread sleeps until exec or exit.
        let borrower = unsafe { &mut *borrower.cast::<Borrower<'_>>() };
        // SAFETY: system calls on numbers; the process is left without running what the parent registered for its own end.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            for (number, &fd) in borrower.stdio.iter().enumerate() {
                if fd >= 0 && libc::dup2(fd, number as RawFd) < 0 {
                    borrower.errno = *libc::__errno_location();
                    libc::_exit(1);
                }
            }
        }
        let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&mut *borrower.body)).unwrap_or(125);
        exit_now(code)
    }

    let mut borrower = Borrower { stdio: stdio.map(|fd| fd.map_or(-1, |fd| fd.as_raw_fd())), body, errno: 0 };
    // Zeros from the system: pages that are not used cost nothing.
    const STACK_WORDS: usize = 32 * 1024;
    let mut stack: Vec<u128> = vec![0; STACK_WORDS];
    let mut pidfd: RawFd = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD | namespaces;

    // No handler may run in the child while it shares this memory.
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before))?;
    // SAFETY: the stack is large enough for setting a container up, aligned to 16 bytes, and lives until the child has left it;
    // `borrower` and everything it points to live as long; `pidfd` is written by the kernel before the call returns.
    let pid = Errno::result(unsafe {
        let top = stack.as_mut_ptr().add(STACK_WORDS).cast();
        libc::clone(in_child, top, flags, (&raw mut borrower).cast(), &raw mut pidfd)
    });
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    let pid = Pid::from_raw(pid?);
    // SAFETY: clone succeeded with CLONE_PIDFD, so this is a new descriptor of ours.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    if borrower.errno != 0 {
        let _ = nix::sys::wait::waitpid(pid, None);
        return Err(Errno::from_raw(borrower.errno));
    }
    Ok((pid, pidfd))
}

/// Ends this process at once, without what the program registered for its end.
#[expect(unsafe_code, reason = "_exit has no wrapper")]
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: nothing runs after it.
    unsafe { libc::_exit(code) }
}

/// Real, effective and saved group, and with `groups` the supplementary ones, of this thread alone.
#[expect(unsafe_code, reason = "the C library's calls change all threads, which a child that shares memory must not")]
pub(crate) fn become_groups(gid: u32, groups: Option<&[u32]>) -> Result<(), Errno> {
    // SAFETY: the list is as long as is said, and only read.
    unsafe {
        if let Some(groups) = groups {
            Errno::result(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()))?;
        }
        Errno::result(libc::syscall(libc::SYS_setresgid, gid, gid, gid)).map(drop)
    }
}

/// Real, effective and saved user of this thread alone.
#[expect(unsafe_code, reason = "as with groups")]
pub(crate) fn become_user(uid: u32) -> Result<(), Errno> {
    // SAFETY: no memory is passed.
    Errno::result(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) }).map(drop)
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

/// Arguments or an environment as `execve` takes them.
pub(crate) struct Strings {
    _texts: Vec<CString>,
    pointers: Vec<*const libc::c_char>,
}

impl Strings {
    pub(crate) fn new(texts: Vec<CString>) -> Self {
        let pointers = texts.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect();
        Self { _texts: texts, pointers }
    }
}

/// `execve(2)`; comes back only with an error. Allocates nothing, since whoever shares memory would keep it for ever.
#[expect(unsafe_code, reason = "nix's allocates the lists")]
pub(crate) fn exec(path: &CStr, args: &Strings, env: &Strings) -> Errno {
    // SAFETY: both lists end with a null pointer and point to strings that live as long as they do.
    unsafe {
        libc::execve(path.as_ptr(), args.pointers.as_ptr(), env.pointers.as_ptr());
    }
    Errno::last()
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
