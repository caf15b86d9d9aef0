//! What a process in a container is, as plain data.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Capabilities, Stop, Ulimit, User};

/// One process in one root filesystem, and everything it may see.
#[derive(Debug, Clone)]
pub struct Process {
    /// The root filesystem, mounted and writable (unless [`read_only`](Self::read_only)), as an absolute path of the host.
    pub root: PathBuf,
    /// Where what is written to the root arises as a layer. Owners of links are noted by it where there is one ID.
    pub upper: Option<PathBuf>,
    /// Program and arguments. A program without a slash is looked for in the `PATH` of [`env`](Self::env), inside the root.
    pub args: Vec<String>,
    /// The environment, exactly this and in this order. Nothing is inherited.
    pub env: Vec<(String, String)>,
    /// Working directory inside the root; made (0755, owned by the user) when missing.
    pub cwd: String,
    /// Resolved IDs; see [`lookup_user`](super::lookup_user).
    pub user: User,
    /// Hostname in the container's UTS namespace.
    pub hostname: String,
    /// Which network the process sees.
    pub network: Network,
    /// With a network of its own: this namespace, made before, instead of a new one.
    pub namespace: Option<Arc<OwnedFd>>,
    /// Mounts beyond `/proc`, `/sys` and `/dev`, made in this order.
    pub mounts: Vec<Mount>,
    /// Which files under `/etc` are shown by mounts that leave no trace.
    pub etc_files: EtcFiles,
    /// Further lines of `/etc/hosts`: address and names.
    pub extra_hosts: Vec<(String, String)>,
    /// Where standard input comes from.
    pub stdin: Input,
    /// Where standard output goes.
    pub stdout: Output,
    /// Where standard error goes.
    pub stderr: Output,
    /// The process gets a terminal of its own for all three streams, whatever they say above; see
    /// [`Container::attach`](super::Container::attach).
    pub terminal: bool,
    /// The capability bounding set; intersected with what this process has.
    pub capabilities: Capabilities,
    /// Set `no_new_privs` before exec.
    pub no_new_privileges: bool,
    /// The system call filter.
    pub seccomp: Seccomp,
    /// Masked paths, read-only kernel files: on unless `--security=insecure`.
    pub security: Security,
    /// The root filesystem is read-only; mounts are as they say.
    pub read_only: bool,
    /// A small init is process 1, reaps orphans and forwards signals; otherwise the process itself is.
    pub init: bool,
    /// Limits of memory, CPU and processes, where this machine lets us set them.
    pub limits: Limits,
    /// Bytes of `/dev/shm`; 64 MiB when nothing.
    pub shm_size: Option<u64>,
    /// Limits of resources, set before anything else of the program.
    pub ulimits: Vec<Ulimit>,
    /// What ends it from another thread; [`run_streaming`](super::run_streaming) heeds it.
    pub stop: Option<Arc<Stop>>,
}

impl Process {
    /// A process as `RUN` means it: root, Docker's default capabilities and filter, the host's network, output captured.
    pub fn new(root: impl Into<PathBuf>, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            root: root.into(),
            upper: None,
            args: args.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            cwd: "/".to_owned(),
            user: User::root(),
            hostname: "buildkitsandbox".to_owned(),
            network: Network::Host,
            namespace: None,
            mounts: Vec::new(),
            etc_files: EtcFiles::Build,
            extra_hosts: Vec::new(),
            stdin: Input::Null,
            stdout: Output::Capture,
            stderr: Output::Capture,
            terminal: false,
            capabilities: Capabilities::DOCKER_DEFAULT,
            no_new_privileges: false,
            seccomp: Seccomp::Default,
            security: Security::Sandbox,
            read_only: false,
            init: false,
            limits: Limits::default(),
            shm_size: None,
            ulimits: Vec::new(),
            stop: None,
        }
    }

    /// The value of a variable, the last one if it is there twice.
    pub fn env_value(&self, name: &str) -> Option<&str> {
        self.env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets a variable, in its old place if it was there.
    pub fn set_env(&mut self, name: &str, value: impl Into<String>) {
        match self.env.iter_mut().find(|(key, _)| key == name) {
            Some(found) => found.1 = value.into(),
            None => self.env.push((name.to_owned(), value.into())),
        }
    }
}

/// The network a container sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// The host's.
    Host,
    /// A namespace of its own with nothing but a loopback device: `--network=none`.
    None,
    /// As `None`, but probed and forwarded to from outside through the namespace.
    Private,
}

impl Network {
    /// Whether the container gets a network namespace of its own.
    pub fn is_own(self) -> bool {
        self != Self::Host
    }
}

/// Files under `/etc` that the machine knows and the image does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EtcFiles {
    /// None.
    None,
    /// `resolv.conf` and `hosts`, read-only, as a build shows them: what a step writes to `hostname` goes into its layer.
    Build,
    /// `resolv.conf`, `hosts` and `hostname`, writable, as `docker run` shows them.
    Run,
}

/// Something shown to the process at a path of its root.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute path inside the root; symbolic links are followed inside the root. Missing mount points are made and
    /// removed again afterwards.
    pub target: String,
    /// What is mounted.
    pub kind: MountKind,
    /// Writes are refused.
    pub read_only: bool,
}

/// What a [`Mount`] shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum MountKind {
    /// A file or directory of the host.
    Bind {
        /// Where it is on the host, already resolved: what this path names when the process starts is what is shown.
        source: PathBuf,
        /// Mounts below it are shown too.
        recursive: bool,
    },
    /// An empty directory in memory.
    Tmpfs {
        /// Bytes it may hold.
        size: Option<u64>,
        /// Mode of the directory.
        mode: u32,
        /// Whether programs may be started from it.
        exec: bool,
    },
    /// A small file in memory that never touches a disk: secrets, `/etc/resolv.conf`.
    File {
        /// What it holds.
        content: Vec<u8>,
        /// Its mode, such as 0o400.
        mode: u32,
        /// Its owner.
        uid: u32,
        /// Its group.
        gid: u32,
    },
}

impl Mount {
    /// A bind mount with everything mounted below it.
    pub fn bind(source: impl Into<PathBuf>, target: impl Into<String>, read_only: bool) -> Self {
        Self { target: target.into(), kind: MountKind::Bind { source: source.into(), recursive: true }, read_only }
    }

    /// An empty directory in memory, mode 1777 as Docker makes it.
    pub fn tmpfs(target: impl Into<String>, size: Option<u64>) -> Self {
        Self { target: target.into(), kind: MountKind::Tmpfs { size, mode: 0o1777, exec: true }, read_only: false }
    }

    /// A read-only file in memory.
    pub fn file(target: impl Into<String>, content: impl Into<Vec<u8>>, mode: u32, uid: u32, gid: u32) -> Self {
        Self {
            target: target.into(),
            kind: MountKind::File { content: content.into(), mode, uid, gid },
            read_only: true,
        }
    }
}

/// Where standard input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// `/dev/null`: empty.
    Null,
    /// This process's own.
    Inherit,
    /// These bytes.
    Bytes(Vec<u8>),
}

/// Where an output stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// This process's own.
    Inherit,
    /// To whoever runs the process.
    Capture,
    /// Nowhere.
    Null,
}

/// The system call filter of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seccomp {
    /// Docker's default profile.
    Default,
    /// None.
    Unconfined,
}

/// How much of the kernel the process may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Security {
    /// Docker's masked and read-only paths.
    Sandbox,
    /// `--security=insecure`: nothing masked. Capabilities and filter are said separately.
    Insecure,
}

/// Limits of a container. `None` means not limited by us.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// CPUs, such as 1.5.
    pub cpus: Option<f64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Wall-clock time after which everything is killed; applied by [`run`](super::run).
    pub time: Option<Duration>,
}
