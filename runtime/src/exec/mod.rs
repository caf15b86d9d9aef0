//! One process in one root filesystem.
//!
//! The parent decides everything as data ([`Process`], turned into a [`setup::Setup`]); the child only performs it, in one
//! declared order, and replaces itself by the process. The child shares the parent's memory until then, as with vfork: starting
//! a program to set a container up takes longer than setting it up. Where that will not do (an init that stays, a terminal,
//! joining, or [a program that could lead back](interpreter)), the child is a fresh single-threaded start of the same program
//! under the name `plimsoll-init`; a failure then comes back through a close-on-exec pipe as (step, target, errno), and end of
//! file means exec happened.
//!
//! A program that starts containers calls [`init_if_asked`] as the first thing in `main`.

mod ca_bundle;
mod capabilities;
mod cgroup;
mod collect;
mod container;
mod error;
mod forward;
mod init;
mod interpreter;
mod mount_points;
mod network;
mod process;
mod pty;
mod seccomp;
mod setup;
mod stop;
mod supervisor;
pub(crate) mod sys;
mod terminal;
mod ulimit;
mod user;

pub use ca_bundle::{CA_BUNDLE_PATH, CA_BUNDLE_POINTS, CaBundle, ca_bundle_mounts};
pub use capabilities::Capabilities;
pub use container::{Container, Joiner, Outcome, Signals, Status, Stream, run, run_streaming, spawn};
pub use error::{ExecError, SetupStep};
pub use forward::Forwarder;
pub use init::init_if_asked;
pub use network::{NetworkError, Switch};
pub use process::{EtcFiles, Input, Limits, Mount, MountKind, Network, Output, Process, Seccomp, Security};
pub use stop::{Stop, signal_named};
pub use terminal::{Terminal, open_terminal};
pub use ulimit::Ulimit;
pub use user::{User, UserError, lookup as lookup_user, lookup_group};

/// `PATH` of a process whose environment has none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
