//! What the child is told: everything it will do, as data, and the answer it gives when it cannot.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Capabilities, Mount, SetupStep, Ulimit, User};

/// Name under which the child is started; its arguments are the numbers of its descriptors.
pub(crate) const INIT_NAME: &str = "plimsoll-init";

/// The child's task.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Job {
    /// Set a container up and become its process.
    Start(Setup),
    /// Join the container whose process 1 the pidfd of this number names, and run a further process in it.
    /// With `terminal`, standard input is a socket over which the master side of a terminal made inside is sent.
    Join { pidfd: i32, own_network: bool, terminal: bool, program: Program },
}

/// A container to be set up, in the order of the fields.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// `cgroup.procs` files to enter.
    pub(crate) control_groups: Vec<PathBuf>,
    pub(crate) hostname: String,
    pub(crate) own_network: bool,
    /// Descriptor of the network namespace to enter.
    pub(crate) namespace: Option<i32>,
    pub(crate) root: PathBuf,
    /// Device nodes can be made; otherwise the host's are bound.
    pub(crate) make_devices: bool,
    /// The group `tty` exists in the ID map.
    pub(crate) tty_group: bool,
    pub(crate) sys: Sysfs,
    /// The machine has control groups of version 2 alone, which can be shown as the container's own.
    pub(crate) show_groups: bool,
    pub(crate) mounts: Vec<Mount>,
    /// Bytes of `/dev/shm`.
    pub(crate) shm_size: u64,
    /// Mask and protect kernel files.
    pub(crate) sandbox: bool,
    pub(crate) read_only: bool,
    /// Descriptor of a socket over which the master side of a new terminal is sent; standard streams are its other side.
    pub(crate) terminal: Option<i32>,
    /// Stay as process 1 and reap.
    pub(crate) reaper: bool,
    pub(crate) program: Program,
}

/// How `/sys` is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sysfs {
    /// A new instance: needs to own the network namespace.
    Mount,
    /// The host's, read-only.
    Bind,
}

/// The last steps: becoming the user and the program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: String,
    pub(crate) user: User,
    /// Supplementary groups can be set; not in a user namespace of one ID.
    pub(crate) set_groups: bool,
    /// Descriptor of a socket over which the supervisor gets its end of the filter; the IDs are then left as they are.
    pub(crate) supervisor: Option<i32>,
    pub(crate) bounding: Capabilities,
    /// What is in the bounding set now and must not stay.
    pub(crate) dropped: Capabilities,
    pub(crate) no_new_privileges: bool,
    pub(crate) filter: bool,
    pub(crate) ulimits: Vec<Ulimit>,
}

/// Why the child gave up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) step: SetupStep,
    pub(crate) target: PathBuf,
    pub(crate) errno: i32,
}
