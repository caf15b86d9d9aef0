//! File trees that no path leaves: a directory of the host opened once, and everything below it looked up inside.
//!
//! Nothing here follows a symbolic link in the kernel. [`resolve`] walks component by component and reads links itself, so that
//! `..` and absolute targets stop at the root, whoever wrote them.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat2, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use crate::owners;

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// A file with bytes.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    Char,
    /// A block device.
    Block,
}

/// What the tree knows of a path without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// Permission bits, set-user-ID and the like included.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of a file.
    pub size: u64,
    /// Seconds and nanoseconds of the last change of its content.
    pub mtime: (i64, u32),
    /// Seconds and nanoseconds of the last change of anything about it.
    pub ctime: (i64, u32),
    /// Device and inode: two names of one file have the same.
    pub inode: (u64, u64),
    /// Number of names.
    pub links: u64,
    /// Of a device: its number.
    pub device: u64,
}

impl Node {
    fn from_stat(stat: &FileStat) -> Self {
        let kind = match SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFDIR => NodeKind::Dir,
            SFlag::S_IFLNK => NodeKind::Symlink,
            SFlag::S_IFIFO => NodeKind::Fifo,
            SFlag::S_IFSOCK => NodeKind::Socket,
            SFlag::S_IFCHR => NodeKind::Char,
            SFlag::S_IFBLK => NodeKind::Block,
            _ => NodeKind::File,
        };
        let nanos = |value: i64| u32::try_from(value).unwrap_or(0);
        Self {
            kind,
            mode: stat.st_mode & 0o7777,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: (stat.st_mtime, nanos(stat.st_mtime_nsec)),
            ctime: (stat.st_ctime, nanos(stat.st_ctime_nsec)),
            inode: (stat.st_dev, stat.st_ino),
            links: stat.st_nlink,
            device: stat.st_rdev,
        }
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == NodeKind::Dir
    }
}

/// A file tree. Paths are relative to its root; no component of one is `..` and none but the last may be a symbolic link:
/// [`resolve`] makes such paths.
pub trait Tree {
    /// What stands at `path`, links not followed; nothing when nothing does.
    fn node(&self, path: &Path) -> io::Result<Option<Node>>;
    /// Where the symbolic link at `path` points.
    fn link(&self, path: &Path) -> io::Result<PathBuf>;
    /// The names in the directory at `path`, sorted by their bytes, with what they are.
    fn entries(&self, path: &Path) -> io::Result<Vec<(OsString, Node)>>;
    /// The file at `path`, for reading.
    fn open(&self, path: &Path) -> io::Result<File>;
    /// An extended attribute of what stands at `path`; nothing where there is none.
    fn xattr(&self, path: &Path, name: &str) -> io::Result<Option<Vec<u8>>>;
}

/// A directory of the host as a [`Tree`].
#[derive(Debug)]
pub struct DirTree {
    root: OwnedFd,
    path: PathBuf,
}

impl DirTree {
    /// Opens the directory; links in `path` itself are followed.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
        let root = nix::fcntl::open(path, flags, Mode::empty())?;
        Ok(Self { root, path: path.to_owned() })
    }

    /// Where it is on the host.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn at(&self, path: &Path, flags: OFlag) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(
            ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS,
        );
        Ok(openat2(&self.root, path, how)?)
    }

    /// An open file descriptor of whatever stands at `path`, good for `/proc/self/fd` and nothing else.
    pub fn handle(&self, path: &Path) -> io::Result<OwnedFd> {
        self.at(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)
    }

    fn parent(&self, path: &Path) -> io::Result<(OwnedFd, OsString)> {
        let name = path.file_name().ok_or(Errno::EINVAL)?.to_owned();
        let parent = path.parent().unwrap_or_else(|| Path::new(""));
        Ok((self.at(parent, OFlag::O_PATH | OFlag::O_DIRECTORY)?, name))
    }
}

fn nothing_there(error: &io::Error) -> bool {
    // A parent that is a file or a link has nothing below it.
    matches!(Errno::from_raw(error.raw_os_error().unwrap_or(0)), Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP)
}

fn stat_in(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<Node> {
    let stat = fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    Ok(Node::from_stat(&owned(stat, directory, name.as_bytes())?))
}

/// With the owner as the layer has it.
fn owned(mut stat: FileStat, directory: BorrowedFd<'_>, name: &[u8]) -> io::Result<FileStat> {
    if owners::are_noted()
        && let Some(note) = owners::note_of(directory, name, stat.st_mode)?
    {
        note.correct(&mut stat);
    }
    Ok(stat)
}

impl Tree for DirTree {
    fn node(&self, path: &Path) -> io::Result<Option<Node>> {
        match self.handle(path) {
            Ok(handle) => Ok(Some(Node::from_stat(&owned(fstat(&handle)?, handle.as_fd(), b"")?))),
            Err(error) if nothing_there(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn link(&self, path: &Path) -> io::Result<PathBuf> {
        let (parent, name) = self.parent(path)?;
        Ok(PathBuf::from(readlinkat(parent, name.as_os_str())?))
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<(OsString, Node)>> {
        let mut directory = Dir::from_fd(self.at(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?)?;
        let mut names = Vec::new();
        for entry in directory.iter() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name.to_vec()));
            }
        }
        names.sort_unstable();
        let mut entries = Vec::with_capacity(names.len());
        for name in names {
            let node = stat_in(directory.as_fd(), &name)?;
            entries.push((name, node));
        }
        Ok(entries)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        // A pipe that took the file's place must not hold us up.
        Ok(File::from(self.at(path, OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK)?))
    }

    fn xattr(&self, path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
        let handle = self.handle(path)?;
        // A handle of this kind has no attributes of its own to ask for; the link in /proc leads to the file itself.
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&handle));
        let mut value = vec![0; 256];
        loop {
            match rustix::fs::getxattr(path.as_str(), name, value.as_mut_slice()) {
                Ok(length) => {
                    value.truncate(length);
                    return Ok(Some(value));
                }
                Err(rustix::io::Errno::RANGE) if value.len() < 1 << 16 => value.resize(1 << 16, 0),
                Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::LOOP) => {
                    return Ok(None);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Links followed before a path is given up, as the kernel does.
const MAX_LINKS: usize = 40;

/// Where a path leads inside a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// Relative to the root, free of links except perhaps the last component. Empty for the root itself.
    pub path: PathBuf,
    /// What stands there; nothing when it, or a parent, is missing.
    pub node: Option<Node>,
}

/// Follows `path` inside `tree` as a process whose root is the tree would. What is missing keeps its name: the rest of the path
/// is taken as it stands, `..` included. A link as last component is followed when `follow` is set, also when it dangles.
pub fn resolve(tree: &dyn Tree, path: &Path, follow: bool) -> io::Result<Resolved> {
    let mut done = PathBuf::new();
    let mut node = tree.node(&done)?;
    let mut links = 0;
    let mut todo: Vec<OsString> = components(path);
    while let Some(name) = todo.pop() {
        if name == ".." {
            if done.pop() {
                node = tree.node(&done)?;
            }
            continue;
        }
        if node.is_some_and(|n| !n.is_dir()) && node.is_some() {
            return Err(Errno::ENOTDIR.into());
        }
        let here = done.join(&name);
        let found = if node.is_some() { tree.node(&here)? } else { None };
        let is_link = found.is_some_and(|n| n.kind == NodeKind::Symlink);
        if is_link && (follow || !todo.is_empty()) {
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::ELOOP.into());
            }
            let target = tree.link(&here)?;
            if target.is_absolute() {
                done = PathBuf::new();
                node = tree.node(&done)?;
            }
            todo.extend(components(&target));
            continue;
        }
        done = here;
        node = found;
    }
    Ok(Resolved { path: done, node })
}

/// The components in reverse order, `..` kept, `.` and the root dropped.
fn components(path: &Path) -> Vec<OsString> {
    let mut parts: Vec<OsString> = path
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            _ => None,
        })
        .collect();
    parts.reverse();
    parts
}

/// A path relative to a root with `.`, `..` and doubled slashes taken out; `..` stops at the root.
#[must_use]
pub fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            _ => {}
        }
    }
    clean
}

/// The whole of a small file inside `tree`, links followed; nothing when it is not there. At most `limit` bytes are read.
pub fn read_small(tree: &dyn Tree, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let Ok(found) = resolve(tree, path, true) else { return Ok(None) };
    match found.node {
        Some(node) if node.kind == NodeKind::File => {
            let mut bytes = Vec::new();
            tree.open(&found.path)?.take(limit).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        _ => Ok(None),
    }
}

/// Bytes of a path, as they stand in a tar header.
#[must_use]
pub fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, DirTree) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("real/in")).expect("directories");
        std::fs::write(at("real/f"), "f").expect("a file");
        for (target, name) in [
            ("/real", "abs"),
            ("../../../etc", "real/up"),
            ("abs/in", "chain"),
            ("/gone/far", "dangling"),
            ("loop", "loop"),
        ] {
            symlink(target, at(name)).expect("a link");
        }
        let tree = DirTree::open(dir.path()).expect("the tree");
        (dir, tree)
    }

    fn lead(path: &str) -> String {
        let (_dir, tree) = tree();
        resolve(&tree, Path::new(path), true).map_or_else(|e| e.to_string(), |r| r.path.display().to_string())
    }

    #[test]
    fn links_stay_inside() {
        assert_eq!(lead("/abs/f"), "real/f");
        assert_eq!(lead("chain/../f"), "real/f");
        assert_eq!(lead("real/up/passwd"), "etc/passwd");
        assert_eq!(lead("../../abs"), "real");
        assert_eq!(lead("dangling/x"), "gone/far/x");
        assert!(lead("loop/x").contains("symbolic links"));
        assert!(lead("real/f/x").contains("Not a directory"));
    }

    #[test]
    fn the_last_link_may_be_kept() {
        let (_dir, tree) = tree();
        let found = resolve(&tree, Path::new("abs"), false).expect("a link");
        assert_eq!(found.node.map(|n| n.kind), Some(NodeKind::Symlink));
        assert!(tree.open(Path::new("abs/f")).is_err(), "the kernel must not follow links");
    }
}
