//! Starting a container, waiting for it and ending it.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::Mode;
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::pipe2;

use super::cgroup::ControlGroups;
use super::collect::{Background, Captured, Streams};
use super::init::{Borrowed, Ready, close, perform_borrowing};
use super::mount_points::{MountPoints, PointKind};
use super::setup::{Failure, INIT_NAME, Job, Program, Setup, Sysfs};
use super::supervisor::Supervisor;
use super::{
    Capabilities, EtcFiles, ExecError, Input, Mount, MountKind, Output, Process, Seccomp, Security, SetupStep, pty,
    sys, terminal,
};
use crate::{owners, userns};

/// A running container. Dropping it kills everything in it and removes the mount points that were made for it.
///
/// The container dies with the thread that started it.
#[derive(Debug)]
pub struct Container {
    running: Running,
    own_network: bool,
    output: Background,
    outcome: Option<Outcome>,
    terminal: Option<OwnedFd>,
    _kept: Kept,
}

/// What exists for a container; goes after its process, which holds it busy.
#[derive(Debug, Default)]
struct Kept {
    points: MountPoints,
    groups: ControlGroups,
    supervisor: Option<Supervisor>,
}

/// A started process; killed and reaped when dropped.
#[derive(Debug)]
struct Running {
    pid: i32,
    pidfd: OwnedFd,
    started: Instant,
    reaped: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Exited(i32),
    /// A signal of this number ended it.
    Signaled(i32),
    /// It was killed because its time was over.
    TimedOut,
}

impl Status {
    /// The exit code as `docker run` gives it: 128 plus the signal's number; 124 when time was over.
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128 + signal,
            Self::TimedOut => 124,
        }
    }
}

/// What became of a process that ran. That it failed is no error.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What it wrote to standard output, when that was captured; of more than 16 MiB, the end.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error, when that was captured; of more than 16 MiB, the end.
    pub stderr: Vec<u8>,
    /// From start to end, setup included.
    pub duration: Duration,
}

impl Outcome {
    /// Whether it exited with 0.
    pub fn success(&self) -> bool {
        self.status == Status::Exited(0)
    }

    fn new(status: Status, captured: Captured, started: Instant) -> Self {
        Self { status, stdout: captured.stdout, stderr: captured.stderr, duration: started.elapsed() }
    }
}

/// One of the two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Starts the process in namespaces of its own.
pub fn spawn(process: &Process) -> Result<Container, ExecError> {
    let (started, kept) = start(process)?;
    Ok(Container {
        running: started.running,
        own_network: process.network.is_own(),
        output: Background::start(started.streams),
        outcome: None,
        terminal: started.terminal,
        _kept: kept,
    })
}

/// Runs the process to its end and gives what it wrote.
pub fn run(process: &Process) -> Result<Outcome, ExecError> {
    run_streaming(process, &mut |_, _| {})
}

/// Runs the process to its end; `line` gets every line of captured output as it comes, without its newline. What was
/// written is in the outcome too.
pub fn run_streaming(process: &Process, line: &mut dyn FnMut(Stream, &[u8])) -> Result<Outcome, ExecError> {
    let (started, _kept) = start(process)?;
    let watched = process.stop.as_ref().map(|stop| stop.watch(started.running.pidfd.as_fd())).transpose();
    let _watched = watched.map_err(|error| ExecError::io(SetupStep::Wait, "the process", &error))?;
    started.running.finish(started.streams, process.limits.time, line)
}

impl Running {
    /// Reads the streams on this thread until the process ends.
    fn finish(
        mut self,
        mut streams: Streams,
        time: Option<Duration>,
        line: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Outcome, ExecError> {
        let failed = |errno| ExecError::new(SetupStep::Wait, "the process", errno);
        let mut captured = Captured::default();
        let deadline = time.map(|time| self.started + time);
        let ended = streams.read_until_end(&self.pidfd, deadline, &mut captured, line).map_err(failed)?;
        if !ended {
            self.signal(libc::SIGKILL)?;
            streams.read_until_end(&self.pidfd, None, &mut captured, line).map_err(failed)?;
        }
        let status = self.reap()?;
        Ok(Outcome::new(if ended { status } else { Status::TimedOut }, captured, self.started))
    }

    fn signal(&self, signal: i32) -> Result<(), ExecError> {
        match sys::pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(ExecError::new(SetupStep::Wait, "the process", errno)),
        }
    }

    fn reap(&mut self) -> Result<Status, ExecError> {
        let status = loop {
            match waitid(Id::PIDFd(self.pidfd.as_fd()), WaitPidFlag::WEXITED) {
                Err(Errno::EINTR) => {}
                other => break other,
            }
        };
        self.reaped = true;
        match status.map_err(|errno| ExecError::new(SetupStep::Wait, "the process", errno))? {
            WaitStatus::Signaled(_, signal, _) => Ok(Status::Signaled(signal as i32)),
            WaitStatus::Exited(_, code) => Ok(Status::Exited(code)),
            _ => Ok(Status::Exited(0)),
        }
    }

    /// Whether the process ends within `timeout`.
    fn ends_within(&self, timeout: Option<Duration>) -> Result<bool, ExecError> {
        ends_within(&self.pidfd, timeout)
    }
}

/// Whether a process ends within `timeout`.
fn ends_within(pidfd: &OwnedFd, timeout: Option<Duration>) -> Result<bool, ExecError> {
    // One that is too far away to be told is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let wait = match left {
            None => PollTimeout::NONE,
            Some(Duration::ZERO) => PollTimeout::ZERO,
            Some(left) => PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
        };
        match poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], wait) {
            Ok(0) if left == Some(Duration::ZERO) => return Ok(false),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(ExecError::new(SetupStep::Wait, "the process", errno)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = sys::pidfd_send_signal(&self.pidfd, libc::SIGKILL);
            let _ = self.reap();
        }
    }
}

/// Signals the first process of a container.
pub struct Signals(OwnedFd);

impl Signals {
    /// Sends the signal of this number. A process that has ended is no error.
    pub fn send(&self, signal: i32) -> Result<(), ExecError> {
        match sys::pidfd_send_signal(&self.0, signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(ExecError::new(SetupStep::Wait, "the process", errno)),
        }
    }

    /// Whether the process ends within this time.
    pub fn ends_within(&self, time: Duration) -> bool {
        ends_within(&self.0, Some(time)).unwrap_or(true)
    }
}

/// Starts further processes in a running container.
#[derive(Debug)]
pub struct Joiner {
    pidfd: OwnedFd,
    own_network: bool,
}

impl Joiner {
    /// Runs a further process with these standard streams, as `docker exec` does. Root, mounts, network and hostname of
    /// `process` are not looked at: they are the container's. With [`Process::terminal`] standard input is the socket of a
    /// [`Terminal`](super::Terminal), and the process gets a terminal for all three.
    pub fn run(&self, process: &Process, streams: [OwnedFd; 3]) -> Result<Outcome, ExecError> {
        self.run_with(process, Stdio { own: streams.map(Some), stdout: None, stderr: None })
    }

    fn run_with(&self, process: &Process, stdio: Stdio) -> Result<Outcome, ExecError> {
        let started = Instant::now();
        let pidfd = self.pidfd.as_fd();
        let mut program = program(process);
        let mut keep = vec![pidfd];
        let supervised = match owners::are_noted() {
            true => Some(Supervisor::start(&process.user, process.upper.as_deref())?),
            false => None,
        };
        if let Some((_, socket)) = &supervised {
            program.supervisor = Some(socket.as_raw_fd());
            keep.push(socket.as_fd());
        }
        let (own_network, terminal) = (self.own_network, process.terminal);
        let job = Job::Join { pidfd: pidfd.as_raw_fd(), own_network, terminal, program };
        let started = start_job(process, stdio, &job, 0, &keep, started)?;
        // Our end of the child's socket goes, so that the supervisor learns of a child that never came so far.
        let _supervisor = supervised.map(|(supervisor, _)| supervisor);
        started.running.finish(started.streams, process.limits.time, &mut |_, _| {})
    }
}

impl Container {
    /// The process ID of process 1 of the container, as seen from here.
    pub fn pid(&self) -> i32 {
        self.running.pid
    }

    /// Whether the container has a network namespace of its own.
    pub fn has_own_network(&self) -> bool {
        self.own_network
    }

    /// Sends a signal to process 1. A process that has ended is no error.
    pub fn signal(&self, signal: Signal) -> Result<(), ExecError> {
        if self.outcome.is_some() { Ok(()) } else { self.running.signal(signal as i32) }
    }

    /// A way to signal process 1 from another thread, however long this value lives.
    pub fn signals(&self) -> Result<Signals, ExecError> {
        let failed = |error| ExecError::io(SetupStep::Wait, "the process", &error);
        Ok(Signals(self.running.pidfd.try_clone().map_err(failed)?))
    }

    /// Waits until the process ends, however long it takes.
    pub fn wait(&mut self) -> Result<Outcome, ExecError> {
        self.running.ends_within(None)?;
        self.ended()
    }

    /// Waits at most this long; `None` when the process still runs.
    pub fn wait_timeout(&mut self, timeout: Duration) -> Result<Option<Outcome>, ExecError> {
        if self.outcome.is_some() || self.running.ends_within(Some(timeout))? {
            self.ended().map(Some)
        } else {
            Ok(None)
        }
    }

    fn ended(&mut self) -> Result<Outcome, ExecError> {
        if let Some(outcome) = &self.outcome {
            return Ok(outcome.clone());
        }
        let status = self.running.reap()?;
        let outcome = Outcome::new(status, self.output.finish(), self.running.started);
        Ok(self.outcome.insert(outcome).clone())
    }

    /// Asks the process to stop, and kills it when it has not after `patience`; at once when it cannot hear the signal, because
    /// process 1 of a namespace gets only those that it handles.
    pub fn stop(&mut self, signal: Signal, patience: Duration) -> Result<Outcome, ExecError> {
        let patience = if self.hears(signal) { patience } else { Duration::ZERO };
        self.signal(signal)?;
        // In slices, each of which counts for what it was meant to be: while this process or the machine slept, so did the
        // container.
        let mut left = patience;
        loop {
            let slice = left.min(Duration::from_millis(200));
            if let Some(outcome) = self.wait_timeout(slice)? {
                return Ok(outcome);
            }
            left -= slice;
            if left.is_zero() {
                break;
            }
        }
        self.signal(Signal::SIGKILL)?;
        self.wait()
    }

    /// Whether process 1 handles the signal, blocks it to fetch it later, or waits for signals right now.
    fn hears(&self, signal: Signal) -> bool {
        let bit = 1_u64 << (signal as i32 - 1);
        let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", self.running.pid)) else { return true };
        threads.flatten().any(|thread| {
            let read = |name: &str| std::fs::read_to_string(thread.path().join(name));
            // While it waits, the signals it waits for do not count as blocked.
            let (Ok(status), Ok(call)) = (read("status"), read("syscall")) else { return true };
            let waits = call.split_whitespace().next() == Some(SIGTIMEDWAIT.to_string().as_str());
            let masks = status
                .lines()
                .filter_map(|line| line.strip_prefix("SigCgt:").or_else(|| line.strip_prefix("SigBlk:")))
                .filter_map(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            waits || masks.fold(0, |all, mask| all | mask) & bit != 0
        })
    }

    /// What it wrote so far, standard output and standard error.
    pub fn output_so_far(&self) -> (Vec<u8>, Vec<u8>) {
        let captured = self.output.so_far();
        (captured.stdout, captured.stderr)
    }

    /// Connects this process's terminal to the container's until the container ends: keys, output and size. For a process that
    /// was started with [`Process::terminal`]; for others this waits.
    pub fn attach(&mut self) -> Result<Outcome, ExecError> {
        match self.terminal.take() {
            Some(master) => terminal::attach(self, &master),
            None => self.wait(),
        }
    }

    /// The master side of the container's terminal, for whoever drives it otherwise.
    pub fn take_terminal(&mut self) -> Option<OwnedFd> {
        self.terminal.take()
    }

    /// Runs a further process in the running container, as `docker exec` does. Root, mounts, network and hostname of `process`
    /// are not looked at: they are the container's.
    pub fn run_inside(&self, process: &Process) -> Result<Outcome, ExecError> {
        let process = &Process { terminal: false, ..process.clone() };
        self.joiner()?.run_with(process, Stdio::new(process)?)
    }

    /// A way to start further processes in it from another thread. It is of no use once the container has ended.
    pub fn joiner(&self) -> Result<Joiner, ExecError> {
        let failed = |error| ExecError::io(SetupStep::Wait, "the process", &error);
        Ok(Joiner { pidfd: self.running.pidfd.try_clone().map_err(failed)?, own_network: self.own_network })
    }
}

/// The program file of this process, through a read-only mount of its own: a process that becomes root in a container could
/// otherwise write to the program through `/proc/self/exe` while it is being set up.
fn own_program() -> Result<BorrowedFd<'static>, ExecError> {
    static PROGRAM: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(program) = PROGRAM.get() {
        return Ok(program.as_fd());
    }
    let name = c"/proc/self/exe";
    let read_only = sys::open_tree(name, false).and_then(|tree| sys::set_read_only(&tree, false).map(|()| tree));
    let program = match read_only {
        Ok(tree) => tree,
        Err(_) => open(name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(|errno| ExecError::new(SetupStep::Prepare, "/proc/self/exe", errno))?,
    };
    Ok(PROGRAM.get_or_init(|| program).as_fd())
}

struct Started {
    running: Running,
    streams: Streams,
    terminal: Option<OwnedFd>,
}

fn start(process: &Process) -> Result<(Started, Kept), ExecError> {
    let started = Instant::now();
    let mut kept = Kept { groups: ControlGroups::new(&process.limits)?, ..Kept::default() };
    let mut setup = setup(process, &mut kept.points)?;
    let mut handed = None;
    if owners::are_noted() {
        let (supervisor, socket) = Supervisor::start(&process.user, process.upper.as_deref())?;
        setup.program.supervisor = Some(socket.as_raw_fd());
        kept.supervisor = Some(supervisor);
        handed = Some(socket);
    }
    setup.control_groups = kept.groups.entrances();
    let mut namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    if setup.control_groups.is_empty() {
        namespaces |= libc::CLONE_NEWCGROUP;
    }
    let mut keep: Vec<BorrowedFd<'_>> = handed.iter().map(AsFd::as_fd).collect();
    if process.network.is_own() {
        match &process.namespace {
            Some(namespace) => {
                setup.namespace = Some(namespace.as_raw_fd());
                keep.push(namespace.as_fd());
            }
            None => namespaces |= libc::CLONE_NEWNET,
        }
    }
    if !process.terminal
        && !process.init
        && setup.program.supervisor.is_none()
        && let Some(running) = start_borrowing(process, &setup, namespaces, started)?
    {
        return Ok((running, kept));
    }
    if !process.terminal {
        let job = Job::Start(setup);
        return Ok((start_job(process, Stdio::new(process)?, &job, namespaces, &keep, started)?, kept));
    }
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .map_err(|errno| ExecError::new(SetupStep::Terminal, "a socket", errno))?;
    setup.terminal = Some(theirs.as_raw_fd());
    let bare = Process { stdin: Input::Null, stdout: Output::Null, stderr: Output::Null, ..process.clone() };
    keep.push(theirs.as_fd());
    let mut started = start_job(&bare, Stdio::new(&bare)?, &Job::Start(setup), namespaces, &keep, started)?;
    drop(theirs);
    started.terminal =
        Some(pty::receive(&ours).map_err(|errno| ExecError::new(SetupStep::Terminal, "/dev/pts", errno))?);
    Ok((started, kept))
}

fn program(process: &Process) -> Program {
    let bounding = Capabilities(process.capabilities.0 & sys::effective_capabilities());
    Program {
        args: process.args.clone(),
        env: process.env.clone(),
        cwd: if process.cwd.is_empty() { "/".to_owned() } else { process.cwd.clone() },
        user: process.user.clone(),
        set_groups: userns::may_set_groups(),
        supervisor: None,
        bounding,
        dropped: Capabilities(bounding_here().0 & !bounding.0),
        no_new_privileges: process.no_new_privileges,
        filter: process.seccomp == Seccomp::Default,
        ulimits: process.ulimits.clone(),
    }
}

/// The capability bounding set of this process.
fn bounding_here() -> Capabilities {
    static HERE: OnceLock<Capabilities> = OnceLock::new();
    *HERE.get_or_init(|| {
        let known = (0..64).map_while(|number| sys::bounding_has(number).map(|has| (number, has)));
        Capabilities(known.filter(|(_, has)| *has).fold(0, |set, (number, _)| set | 1 << number))
    })
}

/// Everything the child needs to know; missing mount points are made on the way.
fn setup(process: &Process, points: &mut MountPoints) -> Result<Setup, ExecError> {
    let ids = userns::ids_here();
    for target in ["/proc", "/dev", "/sys"] {
        // As Docker, which leaves these in an image that had none.
        points.add(&process.root, target, PointKind::Directory, true)?;
    }
    let mut mounts = etc_files(process);
    mounts.extend(process.mounts.iter().cloned());
    let mut covered: Vec<&str> = vec!["/proc", "/dev", "/sys"];
    for mount in &mounts {
        if !covered.iter().any(|above| is_below(&mount.target, above)) {
            let kind = match &mount.kind {
                MountKind::Bind { source, .. } => {
                    let found = std::fs::metadata(source)
                        .map_err(|error| ExecError::io(SetupStep::OpenSource, source, &error))?;
                    if found.is_dir() { PointKind::Directory } else { PointKind::File }
                }
                MountKind::Tmpfs { .. } => PointKind::Directory,
                MountKind::File { .. } => PointKind::File,
            };
            points.add(&process.root, &mount.target, kind, false)?;
        }
        covered.push(&mount.target);
    }
    let own_network = process.network.is_own();
    Ok(Setup {
        control_groups: Vec::new(),
        hostname: process.hostname.clone(),
        own_network,
        namespace: None,
        root: process.root.clone(),
        make_devices: ids.initial && Capabilities(sys::effective_capabilities()).has(MKNOD),
        tty_group: ids.count > TTY_GROUP,
        sys: if own_network || ids.initial { Sysfs::Mount } else { Sysfs::Bind },
        show_groups: statfs("/sys/fs/cgroup").is_ok_and(|found| found.filesystem_type() == CGROUP2_SUPER_MAGIC),
        mounts,
        shm_size: process.shm_size.unwrap_or(64 << 20),
        sandbox: process.security == Security::Sandbox,
        read_only: process.read_only,
        terminal: None,
        reaper: process.init,
        program: program(process),
    })
}

const SIGTIMEDWAIT: libc::c_long = libc::SYS_rt_sigtimedwait;
const MKNOD: u32 = 27;
const TTY_GROUP: u32 = 5;

fn is_below(path: &str, above: &str) -> bool {
    Path::new(path).starts_with(above) && Path::new(path) != Path::new(above)
}

fn etc_files(process: &Process) -> Vec<Mount> {
    if process.etc_files == EtcFiles::None {
        return Vec::new();
    }
    let mut hosts = format!("127.0.0.1\tlocalhost {}\n::1\tlocalhost ip6-localhost ip6-loopback\n", process.hostname);
    for (address, names) in &process.extra_hosts {
        hosts.push_str(&format!("{address}\t{names}\n"));
    }
    let resolv = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    let mut files =
        vec![Mount::file("/etc/resolv.conf", resolv, 0o644, 0, 0), Mount::file("/etc/hosts", hosts, 0o644, 0, 0)];
    if process.etc_files == EtcFiles::Run {
        files.push(Mount::file("/etc/hostname", format!("{}\n", process.hostname), 0o644, 0, 0));
        for file in &mut files {
            file.read_only = false;
        }
    }
    files
}

/// The standard streams of a process: the sides that are its own, and those that are ours.
struct Stdio {
    own: [Option<OwnedFd>; 3],
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Stdio {
    fn new(process: &Process) -> Result<Self, ExecError> {
        let prepare = |what: &'static str| move |errno: Errno| ExecError::new(SetupStep::Prepare, what, errno);
        let null = || open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).map_err(prepare("/dev/null"));
        let stdin = match &process.stdin {
            Input::Null => Some(null()?),
            Input::Inherit => None,
            Input::Bytes(bytes) => Some(memory_file(bytes)?),
        };
        let output = |wanted: Output| match wanted {
            Output::Inherit => Ok((None, None)),
            Output::Null => Ok((None, Some(null()?))),
            Output::Capture => {
                pipe2(OFlag::O_CLOEXEC).map(|(ours, theirs)| (Some(ours), Some(theirs))).map_err(prepare("a pipe"))
            }
        };
        let (stdout, stdout_child) = output(process.stdout)?;
        let (stderr, stderr_child) = output(process.stderr)?;
        Ok(Self { own: [stdin, stdout_child, stderr_child], stdout, stderr })
    }

    fn of_child(&self) -> [Option<BorrowedFd<'_>>; 3] {
        self.own.each_ref().map(|fd| fd.as_ref().map(AsFd::as_fd))
    }

    /// The child has its sides now.
    fn streams(self) -> Streams {
        Streams::new(self.stdout, self.stderr)
    }
}

/// Starts a container from this very memory; `None` when that will not do for its program.
fn start_borrowing(
    process: &Process,
    setup: &Setup,
    namespaces: libc::c_int,
    started: Instant,
) -> Result<Option<Started>, ExecError> {
    let program = process.args.first().map_or("", String::as_str);
    let stdio = Stdio::new(process)?;
    // Nothing is written to it: its other end goes when this process does.
    let (ours, theirs) =
        pipe2(OFlag::O_CLOEXEC).map_err(|errno| ExecError::new(SetupStep::Prepare, "a pipe", errno))?;
    let mut ready = Ready::new(&setup.program)?;
    ready.borrowing = true;
    let mut ended = Borrowed::Gone;
    let body = &mut || {
        // Only the child's copy of it.
        close(&ours);
        ended = perform_borrowing(setup, &ready, &theirs);
        1
    };
    let (pid, pidfd) = sys::spawn_borrowing(&stdio.of_child(), namespaces, body)
        .map_err(|errno| ExecError::new(SetupStep::Namespaces, program, errno))?;
    let mut running = Running { pid: pid.as_raw(), pidfd, started, reaped: false };
    match ended {
        Borrowed::Gone => Ok(Some(Started { running, streams: stdio.streams(), terminal: None })),
        Borrowed::Unfit => running.reap().map(|_| None),
        Borrowed::Failed(error) => {
            running.reap()?;
            Err(error)
        }
    }
}

fn start_job(
    process: &Process,
    mut stdio: Stdio,
    job: &Job,
    namespaces: libc::c_int,
    keep: &[BorrowedFd<'_>],
    started: Instant,
) -> Result<Started, ExecError> {
    let prepare = |what: &'static str| move |errno: Errno| ExecError::new(SetupStep::Prepare, what, errno);
    let setup = memory_file(&serde_json::to_vec(job).map_err(|_| prepare("the setup")(Errno::EINVAL))?)?;
    let (failure, failure_child) = pipe2(OFlag::O_CLOEXEC).map_err(prepare("a pipe"))?;
    let args: Vec<CString> =
        [INIT_NAME.to_owned(), setup.as_raw_fd().to_string(), failure_child.as_raw_fd().to_string()]
            .into_iter()
            .filter_map(|arg| CString::new(arg).ok())
            .collect();
    let mut kept = vec![setup.as_fd(), failure_child.as_fd()];
    kept.extend_from_slice(keep);
    let child = sys::Child { program: own_program()?, args: &args, stdio: stdio.of_child(), keep: &kept, namespaces };
    let (pid, pidfd) = sys::spawn_self(&child).map_err(|errno| {
        ExecError::new(SetupStep::Namespaces, process.args.first().map_or("", String::as_str), errno)
    })?;
    let mut running = Running { pid: pid.as_raw(), pidfd, started, reaped: false };
    drop((std::mem::take(&mut stdio.own), failure_child, setup));

    let mut told = Vec::new();
    File::from(failure)
        .read_to_end(&mut told)
        .map_err(|error| ExecError::io(SetupStep::Receive, "the child's answer", &error))?;
    if told.is_empty() {
        return Ok(Started { running, streams: stdio.streams(), terminal: None });
    }
    running.reap()?;
    Err(match serde_json::from_slice::<Failure>(&told) {
        Ok(failure) => ExecError { step: failure.step, target: failure.target, errno: Errno::from_raw(failure.errno) },
        Err(_) => ExecError::new(SetupStep::Receive, "the child's answer", Errno::EBADMSG),
    })
}

fn memory_file(bytes: &[u8]) -> Result<OwnedFd, ExecError> {
    let failed = |error: std::io::Error| ExecError::io(SetupStep::Prepare, "a file in memory", &error);
    let fd = memfd_create(c"plimsoll", MFdFlags::MFD_CLOEXEC)
        .map_err(|errno| ExecError::new(SetupStep::Prepare, "a file in memory", errno))?;
    let mut file = File::from(fd);
    file.write_all(bytes).and_then(|()| file.rewind()).map_err(failed)?;
    Ok(file.into())
}
