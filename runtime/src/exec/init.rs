//! The child's part: perform a [`Setup`] in one declared order and become its program.

use std::ffi::{CString, OsStr};
use std::fs;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::{Mode, SFlag, makedev, mknod, umask};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, chdir, chroot, pivot_root, sethostname, setsid};

use super::setup::{Failure, INIT_NAME, Job, Program, Setup, Sysfs};
use crate::owners::{self, Note};

use super::{ExecError, MountKind, SetupStep, interpreter, pty, seccomp, supervisor, sys};

type Done<T = ()> = Result<T, ExecError>;

/// The first line of `main` of every program that starts containers: when this process was started as `plimsoll-init`, it sets a
/// container up, becomes its process and never returns.
pub fn init_if_asked() {
    let mut args = std::env::args_os();
    if args.next().is_none_or(|name| name != OsStr::new(INIT_NAME)) {
        return;
    }
    let numbers: Vec<i32> = args.filter_map(|arg| arg.to_str()?.parse().ok()).collect();
    let &[setup, failure] = numbers.as_slice() else { std::process::exit(125) };
    let (setup, failure) = (sys::inherited(setup), sys::inherited(failure));
    let error = match perform(setup, &failure) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    let told = Failure { step: error.step, target: error.target.clone(), errno: error.errno as i32 };
    if let Ok(json) = serde_json::to_vec(&told) {
        let _ = fs::File::from(failure).write_all(&json);
    }
    std::process::exit(error.exit_code());
}

fn at(step: SetupStep, target: impl AsRef<Path>) -> impl FnOnce(Errno) -> ExecError {
    move |errno| ExecError::new(step, target, errno)
}

fn io_at(step: SetupStep, target: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> ExecError {
    move |error| ExecError::io(step, target, &error)
}

fn perform(setup: OwnedFd, failure: &OwnedFd) -> Result<std::convert::Infallible, ExecError> {
    sys::close_on_exec_from(3).map_err(at(SetupStep::Receive, "descriptors"))?;
    let mut file = fs::File::from(setup);
    let mut json = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut json)).map_err(io_at(SetupStep::Receive, "setup"))?;
    drop(file);
    let job: Job =
        serde_json::from_slice(&json).map_err(|_| ExecError::new(SetupStep::Receive, "setup", Errno::EBADMSG))?;
    match job {
        Job::Start(setup) => {
            let ready = Ready::new(&setup.program)?;
            start(&setup, &ready, failure)
        }
        Job::Join { pidfd, own_network, terminal, program } => {
            let ready = Ready::new(&program)?;
            join(sys::inherited(pidfd), own_network, terminal, &program, &ready, failure)
        }
    }
}

/// Performs a setup in a child that shares its parent's memory: no program is started but the container's. Comes back only with
/// why not; [`Unfit`](Borrowed::Unfit) when this program could be reached by the container's, and a start of its own is needed.
pub(crate) fn perform_borrowing(setup: &Setup, ready: &Ready, alive: &OwnedFd) -> Borrowed {
    let done = sys::close_on_exec_from(3)
        .map_err(at(SetupStep::Receive, "descriptors"))
        .and_then(|()| start(setup, ready, alive));
    match done {
        Ok(never) => match never {},
        Err(error) if error.step == SetupStep::Exec && error.errno == Errno::EXDEV => Borrowed::Unfit,
        Err(error) => Borrowed::Failed(error),
    }
}

/// Why a child that shares its parent's memory came back.
#[derive(Debug)]
pub(crate) enum Borrowed {
    /// It did not: it became its program.
    Gone,
    Unfit,
    Failed(ExecError),
}

/// What is put together before there is a child, so that nothing is left in memory that it shares.
pub(crate) struct Ready {
    args: sys::Strings,
    env: sys::Strings,
    /// Where the program is looked for, in this order.
    candidates: Vec<CString>,
    filter: Option<Vec<sys::BpfInstruction>>,
    /// The child shares its parent's memory, and so its program file.
    pub(crate) borrowing: bool,
}

impl Ready {
    pub(crate) fn new(program: &Program) -> Done<Self> {
        let failed = |errno| ExecError::new(SetupStep::Exec, program.args.first().map_or("", String::as_str), errno);
        let text = |bytes: Vec<u8>| CString::new(bytes).map_err(|_| failed(Errno::EINVAL));
        let args = program.args.iter().map(|arg| text(arg.clone().into_bytes())).collect::<Done<Vec<_>>>()?;
        let env = program.env.iter().map(|(name, value)| text(format!("{name}={value}").into_bytes()));
        let env = env.collect::<Done<Vec<_>>>()?;
        let name = program.args.first().ok_or_else(|| failed(Errno::EINVAL))?;
        // As execvp(3), with the `PATH` of the process's own environment.
        let candidates = if name.contains('/') {
            vec![text(name.clone().into_bytes())?]
        } else if name.is_empty() {
            Vec::new()
        } else {
            let path = program.env.iter().rev().find(|(key, _)| key == "PATH");
            let path = path.map_or(super::DEFAULT_PATH, |(_, path)| path);
            let folder =
                |folder: &str| if folder.is_empty() { format!("./{name}") } else { format!("{folder}/{name}") };
            path.split(':').map(|at| text(folder(at).into_bytes())).collect::<Done<Vec<_>>>()?
        };
        let filter = program.filter.then(|| seccomp::program(program.bounding));
        let (args, env) = (sys::Strings::new(args), sys::Strings::new(env));
        Ok(Self { args, env, candidates, filter, borrowing: false })
    }
}

/// The order in which a container comes to be.
fn start(setup: &Setup, ready: &Ready, failure: &OwnedFd) -> Result<std::convert::Infallible, ExecError> {
    for group in &setup.control_groups {
        fs::write(group, "0").map_err(io_at(SetupStep::ControlGroup, group))?;
    }
    if !setup.control_groups.is_empty() {
        // Only now, so that the groups are what the container sees as the root.
        unshare(CloneFlags::CLONE_NEWCGROUP).map_err(at(SetupStep::ControlGroup, "a namespace"))?;
    }
    setsid().map_err(at(SetupStep::Session, "the container"))?;
    umask(Mode::empty());
    sethostname(&setup.hostname).map_err(at(SetupStep::Hostname, &setup.hostname))?;
    if let Some(namespace) = setup.namespace {
        setns(sys::inherited(namespace), CloneFlags::CLONE_NEWNET).map_err(at(SetupStep::Join, "the network"))?;
    }
    if setup.own_network {
        sys::loopback_up().map_err(at(SetupStep::Loopback, "lo"))?;
    }
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(at(SetupStep::Propagation, "/"))?;
    let sources = Sources::open(setup)?;
    enter_root(&setup.root)?;
    let groups_shown = kernel_mounts(setup, &sources)?;
    for (number, (wanted, source)) in setup.mounts.iter().zip(&sources.mounts).enumerate() {
        make_mount(number, wanted, source.as_ref(), setup.program.supervisor.is_some())?;
    }
    if setup.sandbox {
        // The host's control groups are not in a `/sys` of our own, nor under those of our own.
        let groups = (setup.sys == Sysfs::Bind && !groups_shown).then_some(CONTROL_GROUPS);
        mask(groups)?;
    }
    if setup.read_only {
        let root = open_inside("/", OFlag::O_PATH).map_err(at(SetupStep::ReadOnly, "/"))?;
        sys::set_read_only(&root, false).map_err(at(SetupStep::ReadOnly, "/"))?;
    }
    if let Some(socket) = setup.terminal {
        let owner = if setup.program.supervisor.is_some() { 0 } else { setup.program.user.uid };
        pty::make(&sys::inherited(socket), owner).map_err(at(SetupStep::Terminal, "/dev/pts"))?;
    }
    drop(sources);
    if setup.reaper {
        hold_signals();
        if let Some(child) = sys::fork_single_threaded().map_err(at(SetupStep::Namespaces, "the process"))? {
            close(failure);
            reap(child);
        }
    }
    become_program(&setup.program, ready, failure)
}

/// What is taken from the host before it goes out of sight.
struct Sources {
    mounts: Vec<Option<OwnedFd>>,
    devices: Vec<(&'static str, OwnedFd)>,
    /// In a user namespace these can be made only while the host's are in sight.
    proc: OwnedFd,
    sys: OwnedFd,
}

const DEVICES: [(&str, u64, u64); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

impl Sources {
    fn open(setup: &Setup) -> Done<Self> {
        let tree = |path: &Path, recursive: bool| {
            let failed = |errno| ExecError::new(SetupStep::OpenSource, path, errno);
            let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| failed(Errno::EINVAL))?;
            match sys::open_tree(&name, recursive) {
                // In a user namespace a mount cannot be taken without those that hide parts of it.
                Err(Errno::EINVAL) if !recursive => sys::open_tree(&name, true),
                other => other,
            }
            .map_err(failed)
        };
        let mut mounts = Vec::new();
        for wanted in &setup.mounts {
            mounts.push(match &wanted.kind {
                MountKind::Bind { source, recursive } => Some(tree(source, *recursive)?),
                _ => None,
            });
        }
        let mut devices = Vec::new();
        if !setup.make_devices {
            for (name, ..) in DEVICES {
                devices.push((name, tree(&Path::new("/dev").join(name), false)?));
            }
        }
        let plain = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
        let proc = sys::new_filesystem(c"proc", plain).map_err(at(SetupStep::MountKernel, "/proc"))?;
        let sys = match setup.sys {
            Sysfs::Bind => tree(Path::new("/sys"), true)?,
            Sysfs::Mount => {
                let protect = if setup.sandbox { libc::MOUNT_ATTR_RDONLY } else { 0 };
                sys::new_filesystem(c"sysfs", plain | protect).map_err(at(SetupStep::MountKernel, "/sys"))?
            }
        };
        Ok(Self { mounts, devices, proc, sys })
    }
}

fn enter_root(root: &Path) -> Done {
    let failed = || at(SetupStep::PivotRoot, root.to_owned());
    mount(Some(root), root, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>).map_err(failed())?;
    chdir(root).map_err(failed())?;
    // The old root comes to lie over the new one and is taken off: no folder for it is needed.
    match pivot_root(".", ".") {
        Ok(()) => umount2(".", MntFlags::MNT_DETACH).map_err(failed())?,
        // Docker's filter lets a container with CAP_SYS_ADMIN mount, and refuses this call: as an initial RAM disk is left.
        Err(Errno::EPERM) => {
            mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>).map_err(failed())?;
            chroot(".").map_err(failed())?;
        }
        Err(errno) => return Err(failed()(errno)),
    }
    chdir("/").map_err(failed())
}

/// Opens a path of the root we are in, never through the magic links of `/proc`.
fn open_inside(path: &str, flags: OFlag) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(flags | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
    openat2(nix::fcntl::AT_FDCWD, path, how)
}

fn attach(tree: &OwnedFd, target: &str, read_only: bool) -> Result<(), Errno> {
    if read_only {
        sys::set_read_only(tree, true)?;
    }
    sys::move_mount(tree, &open_inside(target, OFlag::O_PATH)?)
}

/// Says whether the container's own control groups are shown.
fn kernel_mounts(setup: &Setup, sources: &Sources) -> Done<bool> {
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let own = |target: &str| {
        // A link in the image must not send a kernel filesystem elsewhere.
        open_inside(target, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW)
    };
    let kernel = |kind: &str, target: &str, flags: MsFlags, data: Option<&str>| {
        own(target)
            .and_then(|_| mount(Some(kind), target, Some(kind), flags, data))
            .map_err(at(SetupStep::MountKernel, target))
    };
    own("/proc")
        .and_then(|target| sys::move_mount(&sources.proc, &target))
        .map_err(at(SetupStep::MountKernel, "/proc"))?;
    kernel("tmpfs", "/dev", MsFlags::MS_NOSUID | MsFlags::MS_STRICTATIME, Some("mode=755,size=65536k"))?;
    for name in ["pts", "shm", "mqueue"] {
        fs::create_dir(Path::new("/dev").join(name)).map_err(io_at(SetupStep::MountKernel, "/dev"))?;
    }
    let pts = if setup.tty_group {
        "newinstance,ptmxmode=0666,mode=0620,gid=5"
    } else {
        "newinstance,ptmxmode=0666,mode=0620"
    };
    kernel("devpts", "/dev/pts", MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, Some(pts))?;
    kernel("tmpfs", "/dev/shm", plain, Some(&format!("mode=1777,size={}", setup.shm_size)))?;
    kernel("mqueue", "/dev/mqueue", plain, None)?;
    devices(setup, sources)?;
    if setup.sys == Sysfs::Bind && setup.sandbox {
        sys::set_read_only(&sources.sys, true).map_err(at(SetupStep::MountKernel, "/sys"))?;
    }
    own("/sys")
        .and_then(|target| sys::move_mount(&sources.sys, &target))
        .map_err(at(SetupStep::MountKernel, "/sys"))?;
    // An outer container may refuse it; then there are none to be seen.
    let protect = if setup.sandbox { MsFlags::MS_RDONLY } else { MsFlags::empty() };
    Ok(setup.show_groups && kernel("cgroup2", CONTROL_GROUPS, plain | protect, None).is_ok())
}

fn devices(setup: &Setup, sources: &Sources) -> Done {
    if setup.make_devices {
        for (name, major, minor) in DEVICES {
            let path = Path::new("/dev").join(name);
            mknod(&path, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(major, minor))
                .map_err(at(SetupStep::Device, path))?;
        }
    }
    for (name, tree) in &sources.devices {
        let path = format!("/dev/{name}");
        make_file(&path, 0o666, b"").and_then(|()| attach(tree, &path, false)).map_err(at(SetupStep::Device, path))?;
    }
    let links = [
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
        ("/proc/self/fd/1", "stdout"),
        ("/proc/self/fd/2", "stderr"),
        ("pts/ptmx", "ptmx"),
        ("/proc/kcore", "core"),
    ];
    for (to, name) in links {
        let path = Path::new("/dev").join(name);
        symlink(to, &path).map_err(io_at(SetupStep::Device, path))?;
    }
    Ok(())
}

fn make_file(path: &str, mode: u32, content: &[u8]) -> Result<(), Errno> {
    let make = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(content)
    };
    make().map_err(|error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)))
}

/// `noted`: owners are noted, because the kernel knows only one.
fn make_mount(number: usize, wanted: &super::Mount, source: Option<&OwnedFd>, noted: bool) -> Done {
    let failed = || at(SetupStep::Mount, wanted.target.clone());
    match (&wanted.kind, source) {
        (MountKind::Bind { .. }, Some(tree)) => {
            let is_file = nix::sys::stat::fstat(tree).is_ok_and(|found| found.st_mode & 0o170_000 != 0o040_000);
            ensure_target(&wanted.target, is_file)?;
            attach(tree, &wanted.target, wanted.read_only).map_err(failed())
        }
        (MountKind::Bind { .. }, None) => Err(failed()(Errno::ENOENT)),
        (MountKind::Tmpfs { size, mode, exec }, _) => {
            ensure_target(&wanted.target, false)?;
            let target = open_inside(&wanted.target, OFlag::O_PATH | OFlag::O_DIRECTORY).map_err(failed())?;
            let size = size.map(|size| format!(",size={size}")).unwrap_or_default();
            let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            if wanted.read_only {
                flags |= MsFlags::MS_RDONLY;
            }
            if !exec {
                flags |= MsFlags::MS_NOEXEC;
            }
            let path = format!("/proc/self/fd/{}", target.as_raw_fd());
            let data = format!("mode={mode:o}{size}");
            mount(Some("tmpfs"), path.as_str(), Some("tmpfs"), flags, Some(data.as_str())).map_err(failed())
        }
        (MountKind::File { content, mode, uid, gid }, _) => {
            ensure_target(&wanted.target, true)?;
            // Made in the memory of /dev, bound to its place, and then nameless.
            let name = format!("/dev/.plimsoll-{number}");
            let bind = || {
                make_file(&name, *mode, content)?;
                if noted {
                    // Files in memory have attributes since Linux 6.6; before, this one is root's.
                    let _ = owners::set_attribute(name.as_bytes(), Note::owner(*uid, *gid));
                } else {
                    nix::unistd::chown(name.as_str(), Some(Uid::from_raw(*uid)), Some(Gid::from_raw(*gid)))?;
                }
                let path = CString::new(name.as_str()).map_err(|_| Errno::EINVAL)?;
                attach(&sys::open_tree(&path, false)?, &wanted.target, wanted.read_only)?;
                nix::unistd::unlink(name.as_str())
            };
            bind().map_err(failed())
        }
    }
}

/// Mount points in the root filesystem were made by the parent; those inside `/dev` or another mount are made here.
fn ensure_target(target: &str, is_file: bool) -> Done {
    if open_inside(target, OFlag::O_PATH).is_ok() {
        return Ok(());
    }
    let path = Path::new(target);
    let directory = if is_file { path.parent().unwrap_or(path) } else { path };
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o755)
        .create(directory)
        .map_err(io_at(SetupStep::MountPoint, target))?;
    if is_file {
        make_file(target, 0o644, b"").map_err(at(SetupStep::MountPoint, target))?;
    }
    Ok(())
}

const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// Kernel files that tell about the host or that work on it, hidden as Docker hides them.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Kernel files that may be read.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

fn mask(also: Option<&'static str>) -> Done {
    let null = open_inside("/dev/null", OFlag::O_PATH).map_err(at(SetupStep::Mask, "/dev/null"))?;
    let null = format!("/proc/self/fd/{}", null.as_raw_fd());
    let mut empty = None;
    for path in MASKED.into_iter().chain(also) {
        match mount(Some(null.as_str()), path, None::<&str>, MsFlags::MS_BIND, None::<&str>) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(Errno::ENOTDIR) => {
                // One empty filesystem hides all folders: each further one would cost as much as the first.
                let hidden = match empty {
                    Some(first) => mount(Some(first), path, None::<&str>, MsFlags::MS_BIND, None::<&str>),
                    None => {
                        let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
                        mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some("size=0k,mode=555"))
                    }
                };
                hidden.map_err(at(SetupStep::Mask, path))?;
                empty = empty.or(Some(path));
            }
            Err(errno) => return Err(ExecError::new(SetupStep::Mask, path, errno)),
        }
    }
    for path in READ_ONLY {
        let name = CString::new(path).map_err(|_| ExecError::new(SetupStep::Mask, path, Errno::EINVAL))?;
        match sys::open_tree(&name, true).and_then(|tree| attach(&tree, path, true)) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(ExecError::new(SetupStep::Mask, path, errno)),
        }
    }
    Ok(())
}

fn join(
    pidfd: OwnedFd,
    own_network: bool,
    terminal: bool,
    program: &Program,
    ready: &Ready,
    failure: &OwnedFd,
) -> Result<std::convert::Infallible, ExecError> {
    let mut namespaces = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWCGROUP;
    if own_network {
        namespaces |= CloneFlags::CLONE_NEWNET;
    }
    setns(&pidfd, namespaces).map_err(at(SetupStep::Join, "the container"))?;
    drop(pidfd);
    setsid().map_err(at(SetupStep::Session, "the process"))?;
    if terminal {
        let owner = if program.supervisor.is_some() { 0 } else { program.user.uid };
        let failed = |error: std::io::Error| ExecError::io(SetupStep::Terminal, "standard input", &error);
        let socket = std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
        pty::make(&socket, owner).map_err(at(SetupStep::Terminal, "/dev/pts"))?;
        // The program begins when its terminal has its size; whoever has gone meanwhile gives it none.
        let _ = nix::unistd::read(&socket, &mut [0]);
    }
    hold_signals();
    // Only children are in the joined process namespace.
    if let Some(child) = sys::fork_single_threaded().map_err(at(SetupStep::Namespaces, "the process"))? {
        close(failure);
        reap(child);
    }
    become_program(program, ready, failure)
}

/// Closes a descriptor that is only borrowed here; this process will not use it again.
pub(crate) fn close(fd: &OwnedFd) {
    drop(sys::inherited(fd.as_raw_fd()));
}

/// What a reaping parent forwards: everything but what its own mistakes would raise.
fn held_signals() -> SigSet {
    let mut signals = SigSet::all();
    for own in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGTRAP, Signal::SIGABRT] {
        signals.remove(own);
    }
    signals
}

/// Before the fork, so that none is lost between it and the first wait; the child unblocks all before its exec.
fn hold_signals() {
    let _ = held_signals().thread_block();
}

/// Waits for the process, reaps whatever else ends, forwards signals, and exits as the process did.
fn reap(child: Pid) -> ! {
    let signals = held_signals();
    loop {
        loop {
            match waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == child => std::process::exit(code),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => std::process::exit(128 + signal as i32),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => break,
                Ok(_) | Err(_) => {}
            }
        }
        match signals.wait() {
            Ok(Signal::SIGCHLD) | Err(_) => {}
            Ok(signal) => {
                let _ = kill(child, signal);
            }
        }
    }
}

/// Gives up what the process must not have, becomes its user and then the process.
fn become_program(program: &Program, ready: &Ready, failure: &OwnedFd) -> Result<std::convert::Infallible, ExecError> {
    umask(Mode::from_bits_truncate(0o022));
    enter_directory(&program.cwd)?;
    let user = &program.user;
    let user_failed = || at(SetupStep::User, format!("{}:{}", user.uid, user.gid));
    if program.no_new_privileges {
        nix::sys::prctl::set_no_new_privs().map_err(at(SetupStep::Capabilities, "no_new_privs"))?;
    }
    for limit in &program.ulimits {
        limit.apply().map_err(at(SetupStep::Limit, limit.name()))?;
    }
    for number in (0..64).filter(|number| program.dropped.has(*number)) {
        sys::bounding_drop(number).map_err(at(SetupStep::Capabilities, "the bounding set"))?;
    }
    match program.supervisor {
        None => {
            sys::become_groups(user.gid, program.set_groups.then_some(&user.groups)).map_err(user_failed())?;
        }
        // The first of the filters: from here on the supervisor answers this process too.
        Some(socket) => {
            supervisor::submit(&sys::inherited(socket)).map_err(at(SetupStep::Supervisor, "a filter"))?;
        }
    }
    // The filter needs CAP_SYS_ADMIN, and becoming the user loses it; no call below is refused by the filter.
    if let Some(filter) = &ready.filter {
        sys::install_filter(filter).map_err(at(SetupStep::Seccomp, "the default profile"))?;
    }
    if program.supervisor.is_none() {
        sys::become_user(user.uid).map_err(user_failed())?;
    }
    let keep = if user.uid == 0 { program.bounding.0 & sys::effective_capabilities() } else { 0 };
    sys::set_capabilities(keep).map_err(at(SetupStep::Capabilities, "the process"))?;
    // Becoming the user took this away; and whoever waits may be gone by now.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(at(SetupStep::Session, "the process"))?;
    let mut told = [PollFd::new(failure.as_fd(), PollFlags::empty())];
    if poll(&mut told, PollTimeout::ZERO).is_ok() && told[0].any().unwrap_or(false) {
        sys::exit_now(137);
    }
    // The directory may be open to the user alone.
    let inside = std::env::current_dir().map_err(io_at(SetupStep::WorkingDirectory, &program.cwd))?;
    if !inside.is_absolute() {
        return Err(ExecError::new(SetupStep::WorkingDirectory, &program.cwd, Errno::EXDEV));
    }
    drop(inside);
    sys::default_signals();
    let errno = search_and_exec(ready);
    Err(ExecError::new(SetupStep::Exec, program.args.first().map_or("", String::as_str), errno))
}

fn enter_directory(cwd: &str) -> Done {
    let failed = || at(SetupStep::WorkingDirectory, cwd.to_owned());
    match chdir(cwd) {
        Err(Errno::ENOENT) => {
            fs::create_dir_all(cwd).map_err(io_at(SetupStep::WorkingDirectory, cwd))?;
            chdir(cwd).map_err(failed())
        }
        other => other.map_err(failed()),
    }
}

fn search_and_exec(ready: &Ready) -> Errno {
    let mut answer = Errno::ENOENT;
    for candidate in &ready.candidates {
        if ready.borrowing && !interpreter::is_plain(candidate) {
            return Errno::EXDEV;
        }
        match sys::exec(candidate, &ready.args, &ready.env) {
            Errno::ENOENT | Errno::ENOTDIR => {}
            Errno::EACCES => answer = Errno::EACCES,
            errno => return errno,
        }
    }
    answer
}
