//! COPY and ADD as BuildKit means them: where things land, what they are made of, what is refused.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::gather::Source;
use super::upper::{Body, Content, Group, Made, Manner, Upper};
use crate::plan::{Chmod, symbolic_mode};
use crate::rootfs::{Node, NodeKind, Tree, clean, resolve};

/// What BuildKit's own process takes from every mode it makes something with.
const UMASK: u32 = 0o022;

/// How things are copied.
#[derive(Clone, Debug)]
pub(super) struct Copying {
    /// Owner and group of `--chown`.
    pub(super) chown: Option<(u32, u32)>,
    /// `--chmod`
    pub(super) chmod: Option<Chmod>,
    /// Whether what is copied keeps its owner.
    pub(super) keeps_owners: bool,
}

/// Why something cannot be copied to its destination.
#[derive(Debug)]
pub(super) struct CopyError {
    pub(super) path: PathBuf,
    pub(super) reason: String,
}

impl Copying {
    pub(super) fn manner(&self, mode: u32, owner: (u32, u32), is_dir: bool) -> Manner {
        let mode = match &self.chmod {
            Some(Chmod::Octal(mode)) => *mode,
            Some(Chmod::Symbolic(text)) => symbolic_mode(text, mode, is_dir).unwrap_or(mode),
            None => mode,
        };
        let (uid, gid) = self.chown.unwrap_or(owner);
        Manner { mode, uid, gid }
    }

    /// What is made on the way: of `--chmod` only what an octal number says below 1000, and only what the mask lets through.
    pub(super) fn made_dir(&self) -> Manner {
        let mode = match &self.chmod {
            Some(Chmod::Octal(mode)) => mode & 0o777 & !UMASK,
            _ => 0o755,
        };
        let (uid, gid) = self.chown.unwrap_or((0, 0));
        Manner { mode, uid, gid }
    }

    fn group(&self) -> Group {
        Group::unless_told(self.chown.is_some())
    }

    fn of(&self, node: &Node) -> Manner {
        let owner = if self.keeps_owners { (node.uid, node.gid) } else { (0, 0) };
        if node.kind == NodeKind::Symlink {
            let (uid, gid) = self.chown.unwrap_or(owner);
            return Manner { mode: 0o777, uid, gid };
        }
        self.manner(node.mode, owner, node.is_dir())
    }
}

fn refused(path: &Path) -> impl Fn(io::Error) -> CopyError + '_ {
    move |error| CopyError {
        path: path.to_owned(),
        reason: match error.raw_os_error() {
            Some(nix::libc::ENOTDIR) => "cannot copy a directory over something that is none".to_owned(),
            Some(nix::libc::EISDIR) => "cannot overwrite a directory with something that is none".to_owned(),
            _ => error.to_string(),
        },
    }
}

/// Where a destination leads: links followed, the directory it names made.
pub(super) fn land(upper: &mut Upper<'_>, destination: &str, copying: &Copying) -> Result<PathBuf, CopyError> {
    let path = Path::new(destination);
    let ensure = if destination.ends_with('/') { path } else { path.parent().unwrap_or(path) };
    let ensured = resolve(upper, ensure, true).map_err(refused(ensure))?.path;
    upper.make_dirs(&clean(&ensured), copying.made_dir(), copying.group()).map_err(refused(ensure))?;
    Ok(resolve(upper, path, true).map_err(refused(path))?.path)
}

/// Copies one source of tree number `number`.
pub(super) fn copy(
    upper: &mut Upper<'_>,
    tree: &dyn Tree,
    number: usize,
    source: &Source,
    destination: &str,
    copying: &Copying,
) -> Result<(), CopyError> {
    let mut target = land(upper, destination, copying)?;
    let there = upper.node(&target).map_err(refused(&target))?;
    // Names of one file are one file within one source.
    let mut files: HashMap<(u64, u64), u64> = HashMap::new();
    let base = upper.new_file_numbers();
    let mut file_number = |node: &Node| {
        (node.kind == NodeKind::File && node.links > 1).then(|| {
            let next = base + files.len() as u64;
            *files.entry(node.inode).or_insert(next)
        })
    };
    if !source.node.is_dir() {
        if there.is_some_and(|node| node.is_dir()) {
            target.push(&source.name);
        }
        make_parent(upper, &target, copying)?;
        return place(upper, tree, number, &source.root, &source.node, target, copying, file_number(&source.node));
    }
    if there.is_some_and(|node| !node.is_dir()) {
        return Err(refused(&target)(nix::errno::Errno::ENOTDIR.into()));
    }
    upper.make_dirs(&target, copying.made_dir(), copying.group()).map_err(refused(&target))?;
    for below in &source.below {
        let path = target.join(&below.path);
        if below.node.is_dir()
            && (source.partial || below.parent_only)
            && upper.node(&path).map_err(refused(&path))?.is_some_and(|n| n.is_dir())
        {
            continue;
        }
        let mut node = below.node;
        if below.parent_only {
            // It is as its original, but was changed just now.
            node.mtime = (upper.now(), 0);
        }
        place(upper, tree, number, &source.root.join(&below.path), &node, path, copying, file_number(&below.node))?;
    }
    // The root of a context has no time of its own.
    let own_time = !source.root.as_os_str().is_empty() || copying.keeps_owners;
    let time =
        if own_time && !source.below.iter().any(|below| below.parent_only) { source.node.mtime.0 } else { upper.now() };
    upper.touch(&target, time).map_err(refused(&target))
}

/// Makes the directory a file goes to: a dangling link may have led anywhere.
pub(super) fn make_parent(upper: &mut Upper<'_>, target: &Path, copying: &Copying) -> Result<(), CopyError> {
    let parent = target.parent().unwrap_or_else(|| Path::new(""));
    upper.make_dirs(parent, copying.made_dir(), copying.group()).map_err(refused(parent))
}

#[expect(clippy::too_many_arguments, reason = "two places, what stands at one, and how it comes to the other")]
fn place(
    upper: &mut Upper<'_>,
    tree: &dyn Tree,
    number: usize,
    from: &Path,
    node: &Node,
    to: PathBuf,
    copying: &Copying,
    file: Option<u64>,
) -> Result<(), CopyError> {
    let mut manner = copying.of(node);
    let unreadable = |error: io::Error| CopyError { path: from.to_owned(), reason: error.to_string() };
    let body = match node.kind {
        NodeKind::Dir => Body::Dir,
        NodeKind::File => Body::File(Content::Tree { tree: number, path: from.to_owned(), size: node.size }),
        NodeKind::Symlink => Body::Symlink(tree.link(from).map_err(unreadable)?),
        NodeKind::Fifo => Body::Fifo,
        // BuildKit's copy makes a character device of a block device too.
        NodeKind::Char | NodeKind::Block => Body::Device { block: false, number: node.device },
        // The context's transfer turns a socket into an empty file; a layer cannot hold one.
        NodeKind::Socket if copying.keeps_owners => return Ok(()),
        NodeKind::Socket => {
            manner = copying.manner(0o755, (0, 0), false);
            Body::File(Content::Bytes(Vec::new()))
        }
    };
    let mut made = Made::new(body, manner, node.mtime.0);
    made.file = file;
    if node.kind == NodeKind::File && copying.keeps_owners {
        made.capability = tree.xattr(from, "security.capability").map_err(unreadable)?;
    }
    upper.put(to.clone(), made).map_err(refused(&to))
}
