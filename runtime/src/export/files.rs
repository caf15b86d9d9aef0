//! The files of an image without its layers: as a folder, or as one tar.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, futimens, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{LinkatFlags, UnlinkatFlags, linkat, mkfifoat, symlinkat, unlinkat};

use super::error::ExportError;
use crate::image::Layer;
use crate::layer::{Entry, Kind, LayerError, TarWriter};
use crate::rootfs::{DirTree, Node, NodeKind, Tree, bytes};
use crate::snapshot::Snapshots;

/// Writes the files as a tar: sorted, owners and hard links kept. Times later than `clamp` become `clamp`.
pub fn export_tar(
    snapshots: &Snapshots,
    layers: &[Layer],
    clamp: Option<i64>,
    destination: impl Write,
) -> Result<(), ExportError> {
    let mut writer = TarWriter::new(destination, clamp);
    if !layers.is_empty() {
        let view = snapshots.view(layers)?;
        let tree = DirTree::open(view.root()).map_err(ExportError::io("open", view.root()))?;
        tar_below(&tree, Path::new(""), &mut writer, &mut HashMap::new(), &As::Image)?;
    }
    let (mut destination, _) = writer.finish()?;
    destination.flush().map_err(ExportError::io("write", Path::new("the archive")))
}

/// Writes a tree as the context of a build: all owned by root, without what is hidden.
pub(crate) fn tar_tree<W: Write>(
    tree: &dyn Tree,
    writer: &mut TarWriter<W>,
    hidden: &[&Path],
) -> Result<(), ExportError> {
    tar_below(tree, Path::new(""), writer, &mut HashMap::new(), &As::Context { hidden })
}

/// What a tree is written as.
enum As<'h> {
    Image,
    Context { hidden: &'h [&'h Path] },
}

type Links = HashMap<(u64, u64), PathBuf>;

fn tar_below<W: Write>(
    tree: &dyn Tree,
    directory: &Path,
    writer: &mut TarWriter<W>,
    links: &mut Links,
    written_as: &As<'_>,
) -> Result<(), ExportError> {
    let fail = |path: &Path, source: io::Error| {
        ExportError::from(LayerError::Io { action: "read", path: Path::new("/").join(path), source })
    };
    for (name, node) in tree.entries(directory).map_err(|error| fail(directory, error))? {
        let path = directory.join(&name);
        if matches!(written_as, As::Context { hidden } if hidden.contains(&path.as_path())) {
            continue;
        }
        let target;
        let (major, minor) = (nix::sys::stat::major(node.device), nix::sys::stat::minor(node.device));
        let (major, minor) = (u32::try_from(major).unwrap_or(0), u32::try_from(minor).unwrap_or(0));
        let kind = match node.kind {
            NodeKind::Dir => Kind::Dir,
            NodeKind::File => match known(links, &node, &path) {
                Some(first) => {
                    target = first;
                    Kind::HardLink(bytes(&target))
                }
                None => Kind::File { size: node.size },
            },
            NodeKind::Symlink => {
                target = tree.link(&path).map_err(|error| fail(&path, error))?;
                Kind::Symlink(bytes(&target))
            }
            NodeKind::Fifo => Kind::Fifo,
            NodeKind::Char => Kind::Char { major, minor },
            NodeKind::Block => Kind::Block { major, minor },
            NodeKind::Socket => continue,
        };
        let mut xattrs = Vec::new();
        if node.kind == NodeKind::File
            && matches!(written_as, As::Image)
            && let Some(value) = tree.xattr(&path, "security.capability").map_err(|error| fail(&path, error))?
        {
            xattrs.push((b"security.capability".to_vec(), value));
        }
        let entry = Entry {
            path: bytes(&path),
            kind,
            mode: node.mode,
            uid: if matches!(written_as, As::Image) { node.uid } else { 0 },
            gid: if matches!(written_as, As::Image) { node.gid } else { 0 },
            mtime: node.mtime.0,
            xattrs: &xattrs,
        };
        if matches!(kind, Kind::File { .. }) {
            let mut file = tree.open(&path).map_err(|error| fail(&path, error))?;
            writer.entry_with(&entry, &mut file)?;
        } else {
            writer.entry(&entry)?;
        }
        if node.is_dir() {
            tar_below(tree, &path, writer, links, written_as)?;
        }
    }
    Ok(())
}

/// The first name of a file that has several.
fn known(links: &mut Links, node: &Node, path: &Path) -> Option<PathBuf> {
    if node.links < 2 {
        return None;
    }
    let first = links.entry(node.inode).or_insert_with(|| path.to_owned());
    (first != path).then(|| first.clone())
}

/// Writes the files into a folder: what is there already and not in the image stays. All belongs to whoever asked for it.
/// Devices are left out; how many is the answer.
pub fn export_files(snapshots: &Snapshots, layers: &[Layer], destination: &Path) -> Result<usize, ExportError> {
    std::fs::create_dir_all(destination).map_err(ExportError::io("create", destination))?;
    if layers.is_empty() {
        return Ok(0);
    }
    let view = snapshots.view(layers)?;
    let tree = DirTree::open(view.root()).map_err(ExportError::io("open", view.root()))?;
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
    let root = nix::fcntl::open(destination, flags, Mode::empty())
        .map_err(|errno| ExportError::io("open", destination)(errno.into()))?;
    let mut target = Target { tree: &tree, destination, root: root.as_fd(), links: Links::new(), left_out: 0 };
    target.below(Path::new(""), root.as_fd())?;
    Ok(target.left_out)
}

struct Target<'t> {
    tree: &'t DirTree,
    destination: &'t Path,
    root: BorrowedFd<'t>,
    links: Links,
    left_out: usize,
}

impl Target<'_> {
    fn below(&mut self, directory: &Path, at: BorrowedFd<'_>) -> Result<(), ExportError> {
        let entries = self.tree.entries(directory).map_err(ExportError::io("read", directory))?;
        for (name, node) in entries {
            let path = directory.join(&name);
            self.put(&path, &name, &node, at)
                .map_err(ExportError::io("write", &self.destination.join(&path)))?
                .map_or(Ok(()), |opened| {
                    self.below(&path, opened.as_fd())?;
                    finish(&opened, &node).map_err(ExportError::io("write", &self.destination.join(&path)))
                })?;
        }
        Ok(())
    }

    /// Puts one thing; a directory is handed back to be filled.
    fn put(&mut self, path: &Path, name: &OsStr, node: &Node, at: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
        let private = Mode::S_IRUSR | Mode::S_IWUSR;
        if node.is_dir() {
            let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_RDONLY;
            return match mkdirat(at, name, Mode::S_IRWXU) {
                Ok(()) => Ok(Some(openat(at, name, flags, Mode::empty())?)),
                Err(Errno::EEXIST) => match openat(at, name, flags, Mode::empty()) {
                    Ok(there) => Ok(Some(there)),
                    // A link there must not lead the files elsewhere.
                    Err(Errno::ENOTDIR | Errno::ELOOP) => {
                        unlinkat(at, name, UnlinkatFlags::NoRemoveDir)?;
                        mkdirat(at, name, Mode::S_IRWXU)?;
                        Ok(Some(openat(at, name, flags, Mode::empty())?))
                    }
                    Err(errno) => Err(errno.into()),
                },
                Err(errno) => Err(errno.into()),
            };
        }
        match unlinkat(at, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        match node.kind {
            NodeKind::File => {
                if let Some(first) = known(&mut self.links, node, path) {
                    linkat(self.root, &first, at, name, LinkatFlags::empty())?;
                    return Ok(None);
                }
                let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_WRONLY;
                let mut file = std::fs::File::from(openat(at, name, flags, private)?);
                io::copy(&mut self.tree.open(path)?, &mut file)?;
                finish(&file, node)?;
            }
            NodeKind::Symlink => {
                symlinkat(&self.tree.link(path)?, at, name)?;
                let (now, time) = times(node);
                utimensat(at, name, &now, &time, UtimensatFlags::NoFollowSymlink)?;
            }
            NodeKind::Fifo => {
                mkfifoat(at, name, Mode::from_bits_truncate(node.mode))?;
            }
            _ => self.left_out += 1,
        }
        Ok(None)
    }
}

fn times(node: &Node) -> (TimeSpec, TimeSpec) {
    let time = TimeSpec::new(node.mtime.0, node.mtime.1.into());
    (time, time)
}

/// Owners are the caller's, so that no file of theirs may run as its owner: set-user-ID and set-group-ID of files go.
fn finish(file: impl AsFd, node: &Node) -> io::Result<()> {
    let mode = if node.is_dir() { node.mode } else { node.mode & 0o1777 };
    fchmod(&file, Mode::from_bits_truncate(mode))?;
    let (access, change) = times(node);
    futimens(&file, &access, &change)?;
    Ok(())
}
