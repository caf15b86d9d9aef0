//! Mount points that a root filesystem lacks: made before a container starts, removed after it ended when they are still empty,
//! with the times of their parents as before, so that a layer shows no trace of them.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, fchmodat, fstat, fstatat, mkdirat, utimensat,
};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::{ExecError, SetupStep};

/// Symbolic links followed for one path, as the kernel's limit.
const MAX_LINKS: usize = 40;

/// What a mount point has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PointKind {
    File,
    Directory,
}

/// The mount points made in one root; dropping it removes those that are empty.
#[derive(Debug, Default)]
pub(crate) struct MountPoints {
    made: Vec<Made>,
}

#[derive(Debug)]
struct Made {
    parent: OwnedFd,
    name: OsString,
    kind: PointKind,
}

impl MountPoints {
    /// Makes what is missing of `target` inside `root`, whose symbolic links, absolute or not, stay inside. With `keep`, what is made
    /// stays when this value goes.
    pub(crate) fn add(&mut self, root: &Path, target: &str, kind: PointKind, keep: bool) -> Result<(), ExecError> {
        let made = ensure(root, target, kind).map_err(|errno| ExecError::new(SetupStep::MountPoint, target, errno))?;
        if !keep {
            self.made.extend(made);
        }
        Ok(())
    }
}

impl Drop for MountPoints {
    fn drop(&mut self) {
        while let Some(made) = self.made.pop() {
            let Ok(times) = fstat(&made.parent) else { continue };
            let removed = match made.kind {
                PointKind::Directory => unlinkat(&made.parent, made.name.as_os_str(), UnlinkatFlags::RemoveDir).is_ok(),
                PointKind::File => {
                    let found = fstatat(&made.parent, made.name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW);
                    found.is_ok_and(|found| is(&found, SFlag::S_IFREG) && found.st_size == 0)
                        && unlinkat(&made.parent, made.name.as_os_str(), UnlinkatFlags::NoRemoveDir).is_ok()
                }
            };
            if removed {
                restore_times(&made.parent, &times);
            }
        }
    }
}

fn is(stat: &FileStat, kind: SFlag) -> bool {
    stat.st_mode & SFlag::S_IFMT.bits() == kind.bits()
}

fn restore_times(dir: &OwnedFd, times: &FileStat) {
    // A failure costs a directory entry in the layer, nothing else.
    let _ = utimensat(
        dir,
        ".",
        &TimeSpec::new(times.st_atime, times.st_atime_nsec),
        &TimeSpec::new(times.st_mtime, times.st_mtime_nsec),
        UtimensatFlags::NoFollowSymlink,
    );
}

const DIRECTORY: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

fn ensure(root: &Path, target: &str, kind: PointKind) -> Result<Vec<Made>, Errno> {
    // Directories from the root to where the walk is; the first is the root and never leaves.
    let mut walk: Vec<OwnedFd> = vec![open(root, DIRECTORY, Mode::empty())?];
    let mut todo: VecDeque<OsString> = components(OsStr::new(target));
    let mut made = Vec::new();
    let mut links = 0;
    while let Some(name) = todo.pop_front() {
        if name == ".." {
            if walk.len() > 1 {
                walk.pop();
            }
            continue;
        }
        let Some(here) = walk.last() else { return Err(Errno::EINVAL) };
        let last = todo.is_empty();
        match fstatat(here, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) if is(&found, SFlag::S_IFLNK) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::ELOOP);
                }
                let to = readlinkat(here, name.as_os_str())?;
                if to.as_bytes().starts_with(b"/") {
                    walk.truncate(1);
                }
                for component in components(&to).into_iter().rev() {
                    todo.push_front(component);
                }
                // A link to `/` or `.` at the end leaves nothing to look at.
                continue;
            }
            Ok(found) if is(&found, SFlag::S_IFDIR) => {
                let next = openat(here, name.as_os_str(), DIRECTORY, Mode::empty())?;
                walk.push(next);
            }
            Ok(_) if last && kind == PointKind::File => {}
            Ok(_) => return Err(Errno::ENOTDIR),
            Err(Errno::ENOENT) => {
                let times = fstat(here)?;
                let is_file = last && kind == PointKind::File;
                if is_file {
                    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                    openat(here, name.as_os_str(), flags, Mode::from_bits_truncate(0o644))?;
                } else {
                    mkdirat(here, name.as_os_str(), Mode::from_bits_truncate(0o755))?;
                    // Whatever our umask is.
                    fchmodat(here, name.as_os_str(), Mode::from_bits_truncate(0o755), FchmodatFlags::FollowSymlink)?;
                }
                restore_times(here, &times);
                let parent = here.try_clone().map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
                if is_file {
                    made.push(Made { parent, name, kind: PointKind::File });
                } else {
                    let next = openat(here, name.as_os_str(), DIRECTORY, Mode::empty())?;
                    made.push(Made { parent, name, kind: PointKind::Directory });
                    walk.push(next);
                }
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(made)
}

fn components(path: &OsStr) -> VecDeque<OsString> {
    path.as_bytes()
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty() && *name != b".")
        .map(|name| OsString::from_vec(name.to_vec()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn made_and_removed_without_a_trace() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        let before = fs::metadata(root.path().join("etc")).unwrap();
        {
            let mut points = MountPoints::default();
            points.add(root.path(), "/etc/resolv.conf", PointKind::File, false).unwrap();
            points.add(root.path(), "/a/b/c", PointKind::Directory, false).unwrap();
            points.add(root.path(), "/proc", PointKind::Directory, true).unwrap();
            assert!(root.path().join("etc/resolv.conf").is_file());
            assert!(root.path().join("a/b/c").is_dir());
            fs::write(root.path().join("a/b/kept"), "x").unwrap();
        }
        assert!(!root.path().join("etc/resolv.conf").exists());
        assert!(!root.path().join("a/b/c").exists());
        assert!(root.path().join("a/b/kept").exists());
        assert!(root.path().join("proc").is_dir());
        let after = fs::metadata(root.path().join("etc")).unwrap();
        assert_eq!((before.mtime(), before.mtime_nsec()), (after.mtime(), after.mtime_nsec()));
    }

    #[test]
    fn links_stay_inside_and_may_dangle() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        symlink("../run/resolve/stub.conf", root.path().join("etc/resolv.conf")).unwrap();
        symlink(outside.path(), root.path().join("out")).unwrap();
        symlink("/loop", root.path().join("loop")).unwrap();
        let mut points = MountPoints::default();
        points.add(root.path(), "/etc/resolv.conf", PointKind::File, false).unwrap();
        assert!(root.path().join("run/resolve/stub.conf").is_file());
        points.add(root.path(), "/out/x", PointKind::Directory, false).unwrap();
        points.add(root.path(), "/../../../escape", PointKind::Directory, false).unwrap();
        assert!(fs::read_dir(outside.path()).unwrap().next().is_none());
        assert!(root.path().join("escape").is_dir());
        let error = points.add(root.path(), "/loop/x", PointKind::Directory, false).unwrap_err();
        assert_eq!(error.errno, Errno::ELOOP);
        drop(points);
        assert!(!root.path().join("run").exists());
        assert!(!root.path().join("escape").exists());
    }
}
