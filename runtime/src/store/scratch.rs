//! Directories that vanish, and removal of trees that may hold anything.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fchmod, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// A directory that is removed when this value is dropped.
#[derive(Debug)]
pub struct Scratch {
    path: Option<PathBuf>,
}

impl Scratch {
    pub(crate) fn new(path: PathBuf) -> Scratch {
        Scratch { path: Some(path) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new("/nonexistent"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = remove_tree(&path);
        }
    }
}

/// Removes the directory `name` in `parent` and all it holds, at most 128 levels of it.
pub(crate) fn remove_tree_at(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let name: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(name);
    let device = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?.st_dev;
    remove_level(parent, name, device, 0, &mut |_, _| Err(Errno::ELOOP))
}

/// Removes a directory and all it holds: whatever its modes and however deep, without following links and without
/// leaving its filesystem.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    };
    let parent = File::open(parent)?;
    let device = match fstatat(&parent, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => stat.st_dev,
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    match unlinkat(&parent, name, UnlinkatFlags::RemoveDir) {
        Ok(()) => return Ok(()),
        Err(Errno::ENOTDIR) => return fs::remove_file(path),
        Err(_) => {}
    }
    // A stack of open directories would run out of descriptors in a tree of 100,000 levels: directories found too
    // deep are moved up beside the tree and removed from there.
    let mut pending = vec![name.to_owned()];
    let mut moved = 0;
    while let Some(name) = pending.pop() {
        remove_level(parent.as_fd(), name.as_os_str(), device, 0, &mut |from, below| {
            moved += 1;
            let mut to = path.file_name().unwrap_or_default().to_owned();
            to.push(format!(".{moved}"));
            nix::fcntl::renameat(from, below, &parent, to.as_os_str())?;
            pending.push(to);
            Ok(())
        })?;
    }
    Ok(())
}

type Defer<'a> = &'a mut dyn FnMut(BorrowedFd<'_>, &std::ffi::OsStr) -> nix::Result<()>;

fn remove_level(
    parent: BorrowedFd<'_>,
    name: &std::ffi::OsStr,
    device: u64,
    depth: usize,
    defer: Defer<'_>,
) -> io::Result<()> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let open = |parent, name| openat(parent, name, flags, Mode::empty());
    let dir = match open(parent, name) {
        Ok(dir) => dir,
        Err(Errno::EACCES) => {
            let path = openat(parent, name, flags | OFlag::O_PATH, Mode::empty())?;
            let by_descriptor = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&path));
            nix::sys::stat::fchmodat(
                nix::fcntl::AT_FDCWD,
                by_descriptor.as_str(),
                Mode::S_IRWXU,
                nix::sys::stat::FchmodatFlags::FollowSymlink,
            )?;
            open(parent, name)?
        }
        Err(errno) => return Err(errno.into()),
    };
    let stat = fstat(&dir)?;
    if stat.st_dev != device {
        return Err(io::Error::other("a filesystem is mounted below"));
    }
    if stat.st_mode & 0o700 != 0o700 {
        fchmod(&dir, Mode::S_IRWXU)?;
    }
    let mut listing = nix::dir::Dir::from_fd(dir.try_clone()?)?;
    for entry in listing.iter() {
        let entry = entry?;
        let child = entry.file_name();
        if matches!(child.to_bytes(), b"." | b"..") {
            continue;
        }
        let child: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(child.to_bytes());
        let is_dir = match entry.file_type() {
            Some(kind) => kind == nix::dir::Type::Directory,
            None => fstatat(&dir, child, AtFlags::AT_SYMLINK_NOFOLLOW)?.st_mode & 0o170_000 == 0o040_000,
        };
        if !is_dir {
            unlinkat(&dir, child, UnlinkatFlags::NoRemoveDir)?;
        } else if depth >= 128 {
            defer(dir.as_fd(), child)?;
        } else {
            remove_level(dir.as_fd(), child, device, depth + 1, defer)?;
        }
    }
    Ok(unlinkat(parent, name, UnlinkatFlags::RemoveDir)?)
}
