//! A container that could not be started.

use std::fmt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// A container that could not be started: the step, its object and the kernel's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecError {
    /// What was being done.
    pub step: SetupStep,
    /// To what.
    pub target: PathBuf,
    /// The kernel's answer.
    pub errno: Errno,
}

/// The steps of setting a container up, in the order in which they are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SetupStep {
    /// Hand the setup over, make pipes and files for it.
    Prepare,
    /// Make a missing mount point.
    MountPoint,
    /// Put the container into its control group.
    ControlGroup,
    /// Start the child in its namespaces.
    Namespaces,
    /// Read the setup in the child.
    Receive,
    /// Leave the session of the parent.
    Session,
    /// Set the hostname.
    Hostname,
    /// Bring up the loopback device.
    Loopback,
    /// Stop mounts from propagating.
    Propagation,
    /// Take hold of the source of a mount.
    OpenSource,
    /// Make the root filesystem the root.
    PivotRoot,
    /// Mount a kernel filesystem.
    MountKernel,
    /// Make a device node.
    Device,
    /// Make one of the mounts asked for.
    Mount,
    /// Hide or protect a kernel file.
    Mask,
    /// Make the root filesystem read-only.
    ReadOnly,
    /// Enter or make the working directory.
    WorkingDirectory,
    /// Make a pseudo terminal.
    Terminal,
    /// Join the namespaces of a running container.
    Join,
    /// Set the limit of a resource.
    Limit,
    /// Drop capabilities.
    Capabilities,
    /// Become the user.
    User,
    /// Install the system call filter.
    Seccomp,
    /// Answer calls about owners where there is one ID.
    Supervisor,
    /// Start the program.
    Exec,
    /// Wait for the process.
    Wait,
}

impl ExecError {
    pub(crate) fn new(step: SetupStep, target: impl AsRef<Path>, errno: Errno) -> Self {
        Self { step, target: target.as_ref().to_owned(), errno }
    }

    pub(crate) fn io(step: SetupStep, target: impl AsRef<Path>, error: &std::io::Error) -> Self {
        Self::new(step, target, Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)))
    }

    /// What the user can do about it, where we know.
    pub fn help(&self) -> Option<&'static str> {
        match (self.step, self.errno) {
            (SetupStep::Namespaces, Errno::EPERM) => Some(
                "namespaces are not allowed here: run as root with CAP_SYS_ADMIN, or allow unprivileged user namespaces",
            ),
            (SetupStep::Namespaces, Errno::ENOSPC) => Some("raise the limits under /proc/sys/user (max_*_namespaces)"),
            (SetupStep::MountKernel, Errno::EPERM) if self.target.ends_with("proc") => {
                Some("unmask /proc of the outer container (docker run --security-opt systempaths=unconfined)")
            }
            (SetupStep::Loopback, Errno::EPERM) => Some(
                "a network of its own needs CAP_NET_ADMIN as well (docker run --cap-add NET_ADMIN); `optimize --verify` asks \
                 containers in one, `build` and `run --network host` go without",
            ),
            (SetupStep::ControlGroup, _) => Some(
                "limits need a writable control group: run as root, or with systemd-run --user --scope -p Delegate=yes",
            ),
            (SetupStep::Exec, Errno::ENOEXEC) => {
                Some("the program is for another architecture, or a script without a #! line")
            }
            (SetupStep::Exec, Errno::ENOENT) => Some("the program, or the interpreter it names, is not in the image"),
            _ => None,
        }
    }

    /// The exit code `docker run` gives: 127 not found, 126 not executable, 125 everything else.
    pub fn exit_code(&self) -> i32 {
        match (self.step, self.errno) {
            (SetupStep::Exec, Errno::ENOENT) => 127,
            (SetupStep::Exec, _) => 126,
            _ => 125,
        }
    }
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.step {
            SetupStep::Prepare => "prepare",
            SetupStep::MountPoint => "make the mount point",
            SetupStep::ControlGroup => "enter the control group",
            SetupStep::Namespaces => "start a process in new namespaces for",
            SetupStep::Receive => "read the setup from",
            SetupStep::Session => "start a session for",
            SetupStep::Hostname => "set the hostname to",
            SetupStep::Loopback => "bring up the loopback device",
            SetupStep::Propagation => "stop mount propagation from",
            SetupStep::OpenSource => "open the source of the mount",
            SetupStep::PivotRoot => "make the root of",
            SetupStep::MountKernel => "mount",
            SetupStep::Device => "make the device",
            SetupStep::Mount => "mount onto",
            SetupStep::Mask => "protect",
            SetupStep::ReadOnly => "make read-only",
            SetupStep::WorkingDirectory => "enter the working directory",
            SetupStep::Terminal => "make a terminal at",
            SetupStep::Join => "join the namespaces of",
            SetupStep::Limit => "set the limit of",
            SetupStep::Capabilities => "set capabilities",
            SetupStep::User => "become the user",
            SetupStep::Seccomp => "install the system call filter",
            SetupStep::Supervisor => "supervise calls about owners with",
            SetupStep::Exec => "run",
            SetupStep::Wait => "wait for",
        };
        write!(f, "failed to {what} {}: {}: {}", self.target.display(), errno_name(self.errno), self.errno.desc())
    }
}

impl std::error::Error for ExecError {}

fn errno_name(errno: Errno) -> String {
    format!("{errno:?}")
}
