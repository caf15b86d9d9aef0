//! The upper directory of an overlay mount as a layer.
//!
//! What stands in the upper directory but equals what the lower layers show (a directory that only lies on the way to
//! a change, a file copied up by a `chown` that changed nothing) is left out, as BuildKit does; a directory on the way
//! to a change is written before it. An opaque directory becomes one whiteout for each name it hides.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::libc;
use nix::sys::stat::{Mode, major, minor};

use super::error::{LayerError, file_error};
use super::lower::{DIRECTORY, Lower, list};
use super::overlay::{XattrPrefix, Xattrs, is_opaque, is_whiteout, kept_xattrs};
use super::writer::{Entry, Kind, TarWriter};
use crate::owners::{self, ByPath, Note};

/// No path of a container can be deeper than this and still be used.
const MAX_DEPTH: usize = 2048;

/// How a diff is made.
#[derive(Debug, Clone, Copy)]
pub struct DiffOptions {
    /// Where overlayfs keeps its marks.
    pub prefix: XattrPrefix,
}

/// Writes what `upper` changes on top of `lower` (unpacked layers, topmost first).
pub fn write_diff<W: Write, P: AsRef<Path>>(
    upper: &Path,
    lower: &[P],
    options: DiffOptions,
    writer: &mut TarWriter<W>,
) -> Result<Noted, LayerError> {
    let root = open(upper, DIRECTORY, Mode::empty()).map_err(file_error("open", upper))?;
    let names = list(&root).map_err(|source| LayerError::Io { action: "list", path: upper.to_owned(), source })?;
    let opaque = is_opaque(&root, options.prefix).unwrap_or(false);
    if names.is_empty() && !opaque {
        return Ok(Noted::default());
    }
    let lower = Lower::open(lower, options.prefix).map_err(|source| LayerError::Io {
        action: "open a layer below",
        path: upper.to_owned(),
        source,
    })?;
    let mut walk = Walk {
        writer,
        prefix: options.prefix,
        path: Vec::new(),
        links: HashMap::new(),
        waiting: Vec::new(),
        noted: ByPath::new(),
    };
    walk.dir(&root, names, &lower, opaque, 0)?;
    Ok(Noted(walk.noted))
}

/// Owners in the upper directory that stand nowhere in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted(pub(crate) ByPath);

struct Walk<'w, W: Write> {
    writer: &'w mut TarWriter<W>,
    prefix: XattrPrefix,
    /// Path of the directory being walked.
    path: Vec<u8>,
    /// Where an inode with several links was written first.
    links: HashMap<(u64, u64), Vec<u8>>,
    /// Unchanged directories down to here that were not written yet.
    waiting: Vec<Waiting>,
    noted: ByPath,
}

struct Waiting {
    path: Vec<u8>,
    stat: libc::stat,
    xattrs: Xattrs,
}

impl<W: Write> Walk<'_, W> {
    fn dir(
        &mut self,
        upper: &OwnedFd,
        mut names: Vec<Vec<u8>>,
        lower: &Lower,
        opaque: bool,
        depth: usize,
    ) -> Result<(), LayerError> {
        if depth > MAX_DEPTH {
            return Err(LayerError::Limit { what: "levels of directories", limit: MAX_DEPTH as u64 });
        }
        let mut hidden = Vec::new();
        if opaque && !lower.is_empty() {
            let present: std::collections::HashSet<&[u8]> = names.iter().map(Vec::as_slice).collect();
            let below = lower.names().map_err(|source| self.error("list", source))?;
            hidden = below.into_iter().filter(|name| !present.contains(name.as_slice())).collect();
        }
        let mut all: Vec<(Vec<u8>, bool)> = names.drain(..).map(|name| (name, true)).collect();
        all.extend(hidden.into_iter().map(|name| (name, false)));
        all.sort_unstable();
        for (name, present) in all {
            let length = self.path.len();
            if length > 0 {
                self.path.push(b'/');
            }
            self.path.extend_from_slice(&name);
            let done = if present { self.child(upper, &name, lower, opaque, depth) } else { self.whiteout() };
            self.path.truncate(length);
            done?;
        }
        Ok(())
    }

    fn child(
        &mut self,
        upper: &OwnedFd,
        name: &[u8],
        lower: &Lower,
        opaque: bool,
        depth: usize,
    ) -> Result<(), LayerError> {
        let mut stat = self.prefix.stat(upper, name).map_err(|errno| self.errno("inspect", errno))?;
        let below = lower.stat(name).map_err(|source| self.error("inspect", source))?;
        if self.prefix == XattrPrefix::Noted && !owners::has_attributes(stat.st_mode) {
            self.note(upper, name, &mut stat, below.map(|(stat, _)| stat))?;
        }
        if is_whiteout(&stat) {
            return if below.is_some() { self.whiteout() } else { Ok(()) };
        }
        match stat.st_mode & libc::S_IFMT {
            libc::S_IFDIR => {
                let dir = openat(upper, name, DIRECTORY, Mode::empty()).map_err(|errno| self.errno("open", errno))?;
                let xattrs = kept_xattrs(&dir).map_err(|errno| self.errno("read the attributes of", errno))?;
                let mark = self.waiting.len();
                let same = match below {
                    Some((old, at)) if same_owner_and_mode(&stat, &old) => {
                        self.same_capability(&xattrs, at, name, DIRECTORY)?
                    }
                    _ => false,
                };
                self.waiting.push(Waiting { path: self.path.clone(), stat, xattrs });
                if !same {
                    self.write_waiting()?;
                }
                let opaque = opaque || is_opaque(&dir, self.prefix).map_err(|source| self.error("inspect", source))?;
                let lower = match below {
                    Some((old, _)) if old.st_mode & libc::S_IFMT == libc::S_IFDIR => {
                        lower.child(name).map_err(|source| self.error("open", source))?
                    }
                    _ => Lower::none(self.prefix),
                };
                let names = list(&dir).map_err(|source| self.error("list", source))?;
                self.dir(&dir, names, &lower, opaque, depth + 1)?;
                self.waiting.truncate(mark);
                Ok(())
            }
            // Nobody listens on it any more.
            libc::S_IFSOCK => Ok(()),
            kind => {
                if let Some((old, at)) = below
                    && self.same(upper, name, &stat, &old, at)?
                {
                    return Ok(());
                }
                self.write_waiting()?;
                self.node(upper, name, &stat, kind)
            }
        }
    }

    /// What is no file and no directory tells its owner nowhere else. Of what only came up from the layers below, nothing is
    /// known yet.
    fn note(
        &mut self,
        upper: &OwnedFd,
        name: &[u8],
        stat: &mut libc::stat,
        below: Option<libc::stat>,
    ) -> Result<(), LayerError> {
        // A device that a note stands for is a file, whose note is in its attributes.
        if is_whiteout(stat) || matches!(stat.st_mode & libc::S_IFMT, libc::S_IFCHR | libc::S_IFBLK) {
            return Ok(());
        }
        let known = owners::note_of(upper, name, stat.st_mode).map_err(|source| self.error("inspect", source))?;
        if let Some(old) = below
            && known.is_none()
            && old.st_mode & libc::S_IFMT == stat.st_mode & libc::S_IFMT
        {
            (stat.st_uid, stat.st_gid) = (old.st_uid, old.st_gid);
        }
        if (stat.st_uid, stat.st_gid) != (0, 0) {
            self.noted.insert(self.path.clone(), Note::owner(stat.st_uid, stat.st_gid));
        }
        Ok(())
    }

    fn node(&mut self, upper: &OwnedFd, name: &[u8], stat: &libc::stat, kind: u32) -> Result<(), LayerError> {
        let mut file = None;
        let target;
        let mut xattrs = Vec::new();
        let linked = (stat.st_nlink > 1).then(|| self.links.get(&(stat.st_dev, stat.st_ino)).cloned()).flatten();
        let what = match (kind, &linked) {
            (_, Some(first)) => Kind::HardLink(first),
            (libc::S_IFREG, None) => {
                let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let opened = openat(upper, name, flags, Mode::empty()).map_err(|errno| self.errno("open", errno))?;
                xattrs = kept_xattrs(&opened).map_err(|errno| self.errno("read the attributes of", errno))?;
                file = Some(File::from(opened));
                Kind::File { size: u64::try_from(stat.st_size).unwrap_or(0) }
            }
            (libc::S_IFLNK, None) => {
                let read = readlinkat(upper, name).map_err(|errno| self.errno("read", errno))?;
                target = std::os::unix::ffi::OsStringExt::into_vec(read);
                Kind::Symlink(&target)
            }
            (libc::S_IFIFO, None) => Kind::Fifo,
            (libc::S_IFCHR | libc::S_IFBLK, None) => {
                let number = |part: u64| u32::try_from(part).unwrap_or(0);
                let (major, minor) = (number(major(stat.st_rdev)), number(minor(stat.st_rdev)));
                if kind == libc::S_IFCHR { Kind::Char { major, minor } } else { Kind::Block { major, minor } }
            }
            _ => return Ok(()),
        };
        let entry = entry(&self.path, what, stat, &xattrs);
        match &mut file {
            Some(file) => self.writer.entry_with(&entry, file)?,
            None => self.writer.entry(&entry)?,
        }
        if stat.st_nlink > 1 && linked.is_none() {
            self.links.insert((stat.st_dev, stat.st_ino), self.path.clone());
        }
        Ok(())
    }

    fn whiteout(&mut self) -> Result<(), LayerError> {
        self.write_waiting()?;
        self.writer.whiteout(&self.path)
    }

    fn write_waiting(&mut self) -> Result<(), LayerError> {
        for dir in &mut self.waiting {
            // An empty path marks what is written.
            if !dir.path.is_empty() {
                self.writer.entry(&entry(&dir.path, Kind::Dir, &dir.stat, &dir.xattrs))?;
                dir.path.clear();
            }
        }
        Ok(())
    }

    /// Whether a file that was copied up is still what it was.
    fn same(
        &self,
        upper: &OwnedFd,
        name: &[u8],
        new: &libc::stat,
        old: &libc::stat,
        below: &OwnedFd,
    ) -> Result<bool, LayerError> {
        if !same_owner_and_mode(new, old)
            || new.st_rdev != old.st_rdev
            || new.st_size != old.st_size
            || new.st_mtime != old.st_mtime
        {
            return Ok(false);
        }
        // Times from a tar are whole seconds; two changes may lie in one.
        let whole = new.st_mtime_nsec == 0 || old.st_mtime_nsec == 0;
        if !whole && new.st_mtime_nsec != old.st_mtime_nsec {
            return Ok(false);
        }
        match new.st_mode & libc::S_IFMT {
            libc::S_IFLNK => {
                let target = |dir: &OwnedFd| readlinkat(dir, name).map_err(|errno| self.errno("read", errno));
                Ok(target(upper)? == target(below)?)
            }
            libc::S_IFREG => {
                let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let file = openat(upper, name, flags, Mode::empty()).map_err(|errno| self.errno("open", errno))?;
                let xattrs = kept_xattrs(&file).map_err(|errno| self.errno("read the attributes of", errno))?;
                if !self.same_capability(&xattrs, below, name, flags)? {
                    return Ok(false);
                }
                if !whole || new.st_size == 0 {
                    return Ok(true);
                }
                let other = openat(below, name, flags, Mode::empty()).map_err(|errno| self.errno("open", errno))?;
                same_content(File::from(file), File::from(other)).map_err(|source| self.error("read", source))
            }
            _ => Ok(true),
        }
    }

    fn same_capability(
        &self,
        xattrs: &[(Vec<u8>, Vec<u8>)],
        below: &OwnedFd,
        name: &[u8],
        flags: OFlag,
    ) -> Result<bool, LayerError> {
        let old = openat(below, name, flags, Mode::empty()).map_err(|errno| self.errno("open", errno))?;
        let old = kept_xattrs(&old).map_err(|errno| self.errno("read the attributes of", errno))?;
        Ok(old == xattrs)
    }

    fn errno(&self, action: &'static str, errno: Errno) -> LayerError {
        self.error(action, errno.into())
    }

    fn error(&self, action: &'static str, source: io::Error) -> LayerError {
        let path: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(&self.path);
        LayerError::Io { action, path: PathBuf::from("/").join(path), source }
    }
}

fn entry<'e>(path: &'e [u8], kind: Kind<'e>, stat: &libc::stat, xattrs: &'e [(Vec<u8>, Vec<u8>)]) -> Entry<'e> {
    // The mode of a link is of no use to anyone and differs between filesystems.
    let mode = if matches!(kind, Kind::Symlink(_)) { 0o777 } else { stat.st_mode & 0o7777 };
    Entry { path, kind, mode, uid: stat.st_uid, gid: stat.st_gid, mtime: stat.st_mtime, xattrs }
}

fn same_owner_and_mode(a: &libc::stat, b: &libc::stat) -> bool {
    a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid
}

fn same_content(mut a: File, mut b: File) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let read = a.read(&mut left)?;
        if read == 0 {
            return Ok(b.read(&mut right)? == 0);
        }
        if b.read_exact(&mut right[..read]).is_err() || left[..read] != right[..read] {
            return Ok(false);
        }
    }
}
