//! overlayfs mounts, each owned by a value that undoes it.
//!
//! Where the kernel takes layers one by one (6.8), it is told so. Older ones take a mount's options in one page: there paths
//! are given relative to a directory, and where even these are too long, through links named by numbers. The working directory
//! belongs to a whole process, so that such a mount is made by a thread with one of its own.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::libc::{MOUNT_ATTR_NODEV, MOUNT_ATTR_RDONLY};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;

use super::error::SnapshotError;
use crate::exec::sys;
use crate::layer::XattrPrefix;

/// What the kernel takes, with some room for the fixed options.
const PAGE: usize = 4096 - 256;

/// Whether the kernel knows `volatile` (5.10): no sync when a file is written back or the mount taken away.
static VOLATILE: AtomicBool = AtomicBool::new(true);

/// Whether the kernel takes layers one by one.
static ONE_BY_ONE: AtomicBool = AtomicBool::new(true);

/// A mount that is taken away when dropped.
#[derive(Debug)]
pub(super) struct Mount {
    target: PathBuf,
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Detached, so that whoever still has a file open keeps it and nobody can reach anything new.
        let _ = umount2(&self.target, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW);
    }
}

/// Mounts `lower` (topmost first, all in `dir`) with `fs` and `work` of `own` on `target`.
pub(super) fn overlay(
    dir: &Path,
    lower: &[PathBuf],
    own: Option<&Path>,
    target: &Path,
    prefix: XattrPrefix,
) -> Result<Mount, SnapshotError> {
    let links = own.unwrap_or(target);
    stack(dir, lower, links, own.is_some(), target, prefix)
}

/// Mounts `lower` on `target` to be read; `links` is a directory for links if they are needed.
pub(super) fn overlay_read_only(
    dir: &Path,
    lower: &[PathBuf],
    links: &Path,
    target: &Path,
    prefix: XattrPrefix,
) -> Result<Mount, SnapshotError> {
    stack(dir, lower, links, false, target, prefix)
}

fn one_by_one(lower: &[PathBuf], own: Option<&Path>, target: &Path, prefix: XattrPrefix) -> Result<(), Errno> {
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL);
    let overlay = sys::NewFilesystem::open(c"overlay")?;
    overlay.set(c"source", c"overlay")?;
    for layer in lower {
        overlay.set(c"lowerdir+", &text(layer)?)?;
    }
    let mut attributes = MOUNT_ATTR_NODEV;
    match own {
        Some(own) => {
            overlay.set(c"upperdir", &text(&own.join("fs"))?)?;
            overlay.set(c"workdir", &text(&own.join("work"))?)?;
            overlay.flag(c"volatile")?;
        }
        None => attributes |= MOUNT_ATTR_RDONLY,
    }
    overlay.set(c"index", c"off")?;
    match prefix {
        XattrPrefix::User | XattrPrefix::Noted => overlay.flag(c"userxattr")?,
        XattrPrefix::Trusted => {
            overlay.set(c"redirect_dir", c"off")?;
            overlay.set(c"metacopy", c"off")?;
        }
    }
    let tree = overlay.mount(attributes)?;
    let at = open(target, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    sys::move_mount(&tree, &at)
}

fn stack(
    dir: &Path,
    lower: &[PathBuf],
    own: &Path,
    writable: bool,
    target: &Path,
    prefix: XattrPrefix,
) -> Result<Mount, SnapshotError> {
    if ONE_BY_ONE.load(Ordering::Relaxed) {
        match one_by_one(lower, writable.then_some(own), target, prefix) {
            Ok(()) => return Ok(Mount { target: target.to_owned() }),
            // An older kernel, or something that mount(2) has a better answer to.
            Err(Errno::EINVAL | Errno::ENOSYS) => ONE_BY_ONE.store(false, Ordering::Relaxed),
            Err(_) => {}
        }
    }
    let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut names: Vec<String> = lower.iter().map(name).collect();
    let mut from = dir.to_owned();
    let elsewhere = lower.iter().any(|path| path.parent() != Some(dir));
    if elsewhere || names.iter().map(|name| name.len() + 1).sum::<usize>() > PAGE - own.as_os_str().len() * 2 {
        from = own.join("l");
        std::fs::create_dir(&from).map_err(SnapshotError::io("create", &from))?;
        for (number, path) in lower.iter().enumerate() {
            let link = from.join(number.to_string());
            symlink(path, &link).map_err(SnapshotError::io("create", &link))?;
        }
        names = (0..lower.len()).map(|number| number.to_string()).collect();
    }
    let mut options = format!("lowerdir={}", names.join(":"));
    match prefix {
        XattrPrefix::User | XattrPrefix::Noted => options.push_str(",userxattr,index=off"),
        XattrPrefix::Trusted => options.push_str(",redirect_dir=off,metacopy=off,index=off"),
    }
    let mut flags = MsFlags::MS_NODEV;
    if writable {
        let id = own.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // From `snapshots/<map>` or from `tmp/<id>/l`, both two below the store.
        let up = if from == dir { format!("../../tmp/{id}") } else { "..".to_owned() };
        options.push_str(&format!(",upperdir={up}/fs,workdir={up}/work"));
    } else {
        flags |= MsFlags::MS_RDONLY;
    }
    let volatile = writable && VOLATILE.load(Ordering::Relaxed);
    let attempt = |options: &str| -> Result<(), Errno> {
        std::thread::scope(|scope| {
            let made = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, || {
                unshare(CloneFlags::CLONE_FS)?;
                nix::unistd::chdir(&from)?;
                mount(Some("overlay"), target, Some("overlay"), flags, Some(options))
            });
            made.map_err(|_| Errno::EAGAIN)?.join().unwrap_or(Err(Errno::EIO))
        })
    };
    let mut made = Err(Errno::EINVAL);
    if volatile {
        made = attempt(&format!("{options},volatile"));
    }
    if made == Err(Errno::EINVAL) {
        made = attempt(&options);
        if volatile && made.is_ok() {
            VOLATILE.store(false, Ordering::Relaxed);
        }
    }
    match made {
        Ok(()) => Ok(Mount { target: target.to_owned() }),
        Err(errno) => Err(SnapshotError::Mount { target: target.to_owned(), layers: lower.len(), errno }),
    }
}
