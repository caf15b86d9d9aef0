//! Being root somewhere: the namespaces in which everything that builds or runs takes place.

use std::fmt;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill, raise};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, User, getegid, geteuid, getpid, getppid, pipe2, setresgid, setresuid};

use crate::exec::sys;

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
    /// Root as root, everybody else with subordinate IDs, or with one ID where there are none.
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
            Self::Kernel { errno: Errno::EPERM, .. } if geteuid().is_root() => Some(
                "this is root without CAP_SYS_ADMIN, and user namespaces are refused: give the outer container the \
                 capability (docker run --cap-add SYS_ADMIN) or a filter that lets namespaces through \
                 (--security-opt seccomp=unconfined), and --security-opt systempaths=unconfined"
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
    let map = choose(kind)?;
    Ok(*CURRENT.get_or_init(|| map))
}

/// The ID map of the first [`enter`]; `None` before.
pub fn current() -> Option<IdMap> {
    CURRENT.get().copied()
}

static CURRENT: OnceLock<IdMap> = OnceLock::new();

/// Why [`enter`] made do with one ID, and what to do about it; `None` when it did not, or was asked to.
pub fn why_one_id() -> Option<&'static (String, Option<String>)> {
    WHY_ONE_ID.get()
}

/// Set before the fork, and so known on its other side.
static WHY_ONE_ID: OnceLock<(String, Option<String>)> = OnceLock::new();

fn choose(kind: Kind) -> Result<IdMap, UsernsError> {
    let (uid, gid) = (geteuid(), getegid());
    if uid.is_root() && kind == Kind::Auto {
        match unshare(CloneFlags::CLONE_NEWNS) {
            Ok(()) => {
                keep_mounts_private()?;
                let ids = ids_here();
                return Ok(if ids.initial { IdMap::Root } else { IdMap::Nested { ids: ids.count } });
            }
            Err(Errno::EPERM) => {}
            Err(errno) => return Err(UsernsError::Kernel { what: "make a mount namespace", errno }),
        }
        // Root in a container without CAP_SYS_ADMIN: the same IDs, in a user namespace where it has it.
        let ids = ids_here().count;
        if let Ok(map) = fork_into(IdMap::Nested { ids }) {
            return Ok(map);
        }
    }
    if kind == Kind::Single {
        return fork_into(IdMap::Single { uid: uid.as_raw(), gid: gid.as_raw() });
    }
    let user = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    let range = |file: &'static str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        subordinate_range(&text, &user, uid.as_raw()).ok_or_else(|| UsernsError::NoSubordinateIds {
            user: user.clone(),
            id: uid.as_raw(),
            file,
        })
    };
    let ranges = range("/etc/subuid").and_then(|uids| Ok((uids, range("/etc/subgid")?)));
    let entered = ranges
        .and_then(|(uids, gids)| fork_into(IdMap::Subordinate { uid: uid.as_raw(), gid: gid.as_raw(), uids, gids }));
    match entered {
        // One's own ID can be mapped by anybody.
        Err(error @ (UsernsError::NoSubordinateIds { .. } | UsernsError::Helper { .. })) if kind == Kind::Auto => {
            let _ = WHY_ONE_ID.set((error.to_string(), error.help()));
            fork_into(IdMap::Single { uid: uid.as_raw(), gid: gid.as_raw() })
        }
        other => other,
    }
}

/// The largest range of a user, named by login name or number.
fn subordinate_range(text: &str, user: &str, id: u32) -> Option<(u32, u32)> {
    let id = id.to_string();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.trim().split(':');
            let name = fields.next()?;
            let first: u32 = fields.next()?.parse().ok()?;
            let count: u32 = fields.next()?.parse().ok()?;
            ((name == user || name == id) && count > 0).then_some((first, count))
        })
        .max_by_key(|(_, count)| *count)
}

fn keep_mounts_private() -> Result<(), UsernsError> {
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .map_err(|errno| UsernsError::Kernel { what: "make the mounts private", errno })
}

/// Goes on in a child inside new user and mount namespaces. Only the child comes back, or an error.
fn fork_into(map: IdMap) -> Result<IdMap, UsernsError> {
    let kernel = |what: &'static str| move |errno: Errno| UsernsError::Kernel { what, errno };
    // `unshare` of a user namespace, and a fork that goes on as this program, need a process of one thread.
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(UsernsError::Threads(threads));
    }
    let (from_child, to_parent) = pipe2(OFlag::O_CLOEXEC).map_err(kernel("make a pipe"))?;
    let (from_parent, to_child) = pipe2(OFlag::O_CLOEXEC).map_err(kernel("make a pipe"))?;
    let parent = getpid();
    let Some(child) = sys::fork_single_threaded().map_err(kernel("fork"))? else {
        drop((from_child, to_child));
        return match in_child(map, parent, to_parent, from_parent) {
            Ok(()) => Ok(map),
            Err(()) => std::process::exit(125),
        };
    };
    drop((to_parent, from_parent));
    // Namespaces are there, or the errno why not.
    let mut answer = String::new();
    let _ = File::from(from_child).read_to_string(&mut answer);
    let mapped = match answer.trim().parse::<i32>() {
        Ok(0) => write_maps(map, child),
        Ok(errno) => {
            Err(UsernsError::Kernel { what: "make a user and a mount namespace", errno: Errno::from_raw(errno) })
        }
        Err(_) => Err(UsernsError::Kernel { what: "make a user and a mount namespace", errno: Errno::ECHILD }),
    };
    let gone_on = mapped.and_then(|()| {
        File::from(to_child)
            .write_all(b"go")
            .map_err(|_| UsernsError::Kernel { what: "start the child in its namespaces", errno: Errno::EPIPE })
    });
    match gone_on {
        Ok(()) => wait_as(child),
        Err(error) => {
            let _ = kill(child, Signal::SIGKILL);
            let _ = waitpid(child, None);
            Err(error)
        }
    }
}

fn in_child(map: IdMap, parent: Pid, to_parent: OwnedFd, from_parent: OwnedFd) -> Result<(), ()> {
    let mut made = unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS);
    if let (Ok(()), IdMap::Single { uid, gid }) = (made, map) {
        // Nobody's help is needed to map oneself.
        made = std::fs::write("/proc/self/setgroups", "deny")
            .and_then(|()| std::fs::write("/proc/self/uid_map", format!("0 {uid} 1")))
            .and_then(|()| std::fs::write("/proc/self/gid_map", format!("0 {gid} 1")))
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)));
    }
    let errno = made.err().map_or(0, |errno| errno as i32);
    File::from(to_parent).write_all(errno.to_string().as_bytes()).map_err(drop)?;
    let mut go = Vec::new();
    File::from(from_parent).read_to_end(&mut go).map_err(drop)?;
    if go != b"go" {
        return Err(());
    }
    let (root_user, root_group) = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(root_group, root_group, root_group).map_err(drop)?;
    setresuid(root_user, root_user, root_user).map_err(drop)?;
    // After the change of IDs, which clears it.
    set_pdeathsig(Signal::SIGKILL).map_err(drop)?;
    if getppid() != parent {
        return Err(());
    }
    keep_mounts_private().map_err(drop)
}

fn write_maps(map: IdMap, child: Pid) -> Result<(), UsernsError> {
    match map {
        IdMap::Root | IdMap::Single { .. } => Ok(()),
        IdMap::Nested { ids } => {
            let write = |file: &str| std::fs::write(format!("/proc/{child}/{file}"), format!("0 0 {ids}"));
            write("uid_map").and_then(|()| write("gid_map")).map_err(|error| UsernsError::Kernel {
                what: "map the IDs of the user namespace",
                errno: Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)),
            })
        }
        IdMap::Subordinate { uid, gid, uids, gids } => {
            let start = |tool: &'static str, own: u32, (first, count): (u32, u32)| {
                let numbers = [child.as_raw() as u32, 0, own, 1, 1, first, count];
                Command::new(tool)
                    .args(numbers.map(|number| number.to_string()))
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .map_err(|error| UsernsError::Helper { tool, message: error.to_string() })
            };
            let finish = |tool: &'static str, child: std::process::Child| {
                let output = child
                    .wait_with_output()
                    .map_err(|error| UsernsError::Helper { tool, message: error.to_string() })?;
                if output.status.success() {
                    return Ok(());
                }
                let said = String::from_utf8_lossy(&output.stderr);
                Err(UsernsError::Helper { tool, message: format!("{} ({})", said.trim(), output.status) })
            };
            // Both at once: each is a process start.
            let users = start("newuidmap", uid, uids)?;
            let groups = start("newgidmap", gid, gids);
            finish("newuidmap", users)?;
            finish("newgidmap", groups?)
        }
    }
}

/// Waits for the child that goes on in our place, forwards signals to it, and ends as it does.
fn wait_as(child: Pid) -> ! {
    let mut signals = SigSet::empty();
    for signal in [
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGTERM,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGCHLD,
    ] {
        signals.add(signal);
    }
    let _ = signals.thread_block();
    let Ok(events) = SignalFd::new(&signals) else { std::process::exit(125) };
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => std::process::exit(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                sys::default_signals();
                let _ = raise(signal);
                std::process::exit(128 + signal as i32);
            }
            Err(Errno::ECHILD) => std::process::exit(125),
            Ok(_) | Err(_) => {}
        }
        let Ok(Some(event)) = events.read_signal() else { continue };
        // What the terminal sends goes to every process of the foreground group, the child among them.
        let from_terminal = event.ssi_code == SI_KERNEL;
        if let Ok(signal) = Signal::try_from(event.ssi_signo as i32)
            && signal != Signal::SIGCHLD
            && !from_terminal
        {
            let _ = kill(child, signal);
        }
    }
}

const SI_KERNEL: i32 = 0x80;

/// The IDs this process can use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids {
    /// Not in a user namespace.
    pub(crate) initial: bool,
    /// How many from 0 on.
    pub(crate) count: u32,
}

/// The number by which the kernel knows the first of all user namespaces.
const INITIAL_NAMESPACE: &str = "user:[4026531837]";

pub(crate) fn ids_here() -> Ids {
    let namespace = std::fs::read_link("/proc/self/ns/user").unwrap_or_default();
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    Ids { initial: namespace.as_os_str() == INITIAL_NAMESPACE, count: mapped_ids(&map) }
}

/// How many IDs from 0 on a map has.
fn mapped_ids(text: &str) -> u32 {
    let mut count = 0;
    for line in text.lines() {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        if let &[inside, _, length] = numbers.as_slice()
            && inside <= count
        {
            count = count.max(inside.saturating_add(length));
        }
    }
    count
}

/// Supplementary groups can be set here.
pub(crate) fn may_set_groups() -> bool {
    std::fs::read_to_string("/proc/self/setgroups").map_or(true, |text| text.trim() != "deny")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_by_name_and_number() {
        let text = "other:100000:65536\nann:165536:65536\n1001:300000:131072\nann:1:0\nbroken\n";
        assert_eq!(subordinate_range(text, "ann", 1000), Some((165_536, 65_536)));
        assert_eq!(subordinate_range(text, "ann", 1001), Some((300_000, 131_072)));
        assert_eq!(subordinate_range(text, "nobody", 65534), None);
    }

    #[test]
    fn id_maps_as_the_kernel_writes_them() {
        assert_eq!(mapped_ids("         0          0 4294967295\n"), u32::MAX);
        assert_eq!(mapped_ids("         0       1000          1\n         1     100000      65536\n"), 65_537);
        assert_eq!(mapped_ids("0 1000 1\n"), 1);
    }

    #[test]
    fn maps_are_named() {
        let map = IdMap::Subordinate { uid: 1000, gid: 1000, uids: (100_000, 65_536), gids: (100_000, 65_536) };
        assert_eq!(map.to_string(), "rootless, subordinate IDs 100000+65536");
        assert_eq!(IdMap::Root.to_string(), "root");
    }
}
