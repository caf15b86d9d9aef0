//! One directory as the layers below show it, read without a mount.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::libc;
use nix::sys::stat::{Mode, fstatat};

use super::overlay::{XattrPrefix, is_opaque, is_whiteout};

/// A directory merged from several layers, topmost first. Empty where no lower layer has it.
#[derive(Debug)]
pub struct Lower {
    dirs: Vec<OwnedFd>,
    prefix: XattrPrefix,
}

pub(crate) const DIRECTORY: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

impl Lower {
    /// No lower layers.
    pub fn none(prefix: XattrPrefix) -> Lower {
        Lower { dirs: Vec::new(), prefix }
    }

    /// The roots of unpacked layers, topmost first.
    pub fn open<P: AsRef<Path>>(roots: &[P], prefix: XattrPrefix) -> io::Result<Lower> {
        let mut dirs = Vec::with_capacity(roots.len());
        for root in roots {
            let dir = open(root.as_ref(), DIRECTORY, Mode::empty())?;
            let opaque = is_opaque(&dir, prefix)?;
            dirs.push(dir);
            if opaque {
                break;
            }
        }
        Ok(Lower { dirs, prefix })
    }

    /// Whether no lower layer has this directory.
    pub fn is_empty(&self) -> bool {
        self.dirs.is_empty()
    }

    /// What `name` is in here, and in which of the layers; none when it is not, or removed.
    pub(crate) fn stat(&self, name: &[u8]) -> io::Result<Option<(libc::stat, &OwnedFd)>> {
        for dir in &self.dirs {
            match self.prefix.stat(dir, name) {
                Ok(stat) if is_whiteout(&stat) => return Ok(None),
                Ok(stat) => return Ok(Some((stat, dir))),
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(None)
    }

    /// The directory `name` in here; empty when it is none.
    pub(crate) fn child(&self, name: &[u8]) -> io::Result<Lower> {
        let mut dirs = Vec::new();
        for dir in &self.dirs {
            match openat(dir, name, DIRECTORY, Mode::empty()) {
                Ok(child) => {
                    let opaque = is_opaque(&child, self.prefix)?;
                    dirs.push(child);
                    if opaque {
                        break;
                    }
                }
                Err(Errno::ENOENT) => {}
                // A file, link or whiteout hides what is below it.
                Err(Errno::ENOTDIR | Errno::ELOOP) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(Lower { dirs, prefix: self.prefix })
    }

    /// All names in here.
    pub(crate) fn names(&self) -> io::Result<BTreeSet<Vec<u8>>> {
        let mut names = BTreeSet::new();
        let mut hidden = BTreeSet::new();
        for dir in &self.dirs {
            for name in list(dir)? {
                if names.contains(&name) || hidden.contains(&name) {
                    continue;
                }
                let stat = fstatat(dir, name.as_slice(), AtFlags::AT_SYMLINK_NOFOLLOW)?;
                if is_whiteout(&stat) {
                    hidden.insert(name)
                } else {
                    names.insert(name)
                };
            }
        }
        Ok(names)
    }
}

/// The names in a directory, without `.` and `..`, in no order.
pub(crate) fn list(dir: impl AsFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    // An offset of its own: the descriptor may be listed again.
    let again = openat(dir, ".", DIRECTORY, Mode::empty())?;
    let mut buffer = Vec::with_capacity(32 << 10);
    let mut entries = rustix::fs::RawDir::new(again, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let name = entry.map_err(io::Error::from)?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(name);
        }
    }
    Ok(names)
}
