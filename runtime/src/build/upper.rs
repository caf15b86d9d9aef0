//! A layer being made on top of a file tree that is only looked at: what overlayfs does, without a mount.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use nix::errno::Errno;
use rayon::prelude::*;

use super::sparse::Sparse;
use crate::layer::{Entry, Kind, LayerError, TarWriter};
use crate::rootfs::{Node, NodeKind, Tree, bytes};

/// A tree with nothing in it but its root.
#[derive(Debug)]
pub(super) struct EmptyTree;

pub(super) const EMPTY_DIR: Node = Node {
    kind: NodeKind::Dir,
    mode: 0o755,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: (0, 0),
    ctime: (0, 0),
    inode: (0, 0),
    links: 1,
    device: 0,
};

impl Tree for EmptyTree {
    fn node(&self, path: &Path) -> io::Result<Option<Node>> {
        Ok(path.as_os_str().is_empty().then_some(EMPTY_DIR))
    }
    fn link(&self, _path: &Path) -> io::Result<PathBuf> {
        Err(Errno::ENOENT.into())
    }
    fn entries(&self, _path: &Path) -> io::Result<Vec<(OsString, Node)>> {
        Ok(Vec::new())
    }
    fn open(&self, _path: &Path) -> io::Result<File> {
        Err(Errno::ENOENT.into())
    }
    fn xattr(&self, _path: &Path, _name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// Where the bytes of a file come from.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// Here they are.
    Bytes(Vec<u8>),
    /// A file of one of the trees that are copied from, by number.
    Tree { tree: usize, path: PathBuf, size: u64 },
    /// A piece of a file set aside, by number.
    Spool { spool: usize, offset: u64, size: u64 },
    /// Pieces of such a file, with zeros between them.
    Sparse { spool: usize, file: Sparse },
}

impl Content {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Tree { size, .. } | Self::Spool { size, .. } => *size,
            Self::Sparse { file, .. } => file.size,
        }
    }
}

/// What an entry of the layer is.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Dir,
    File(Content),
    Symlink(PathBuf),
    Fifo,
    Device { block: bool, number: u64 },
}

/// An entry of the layer.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) body: Body,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: i64,
    pub(super) capability: Option<Vec<u8>>,
    /// Files with the same number are one file.
    pub(super) file: Option<u64>,
    /// A directory that is there below with the same owner and mode: written only as the parent of something.
    pub(super) same: bool,
    /// Nothing below is known of this path.
    fresh: bool,
    /// What it covers.
    below: Option<Node>,
}

/// Owner and mode of what is made on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What a directory that is made below a set-group-ID one gets of it. The kernel gives it the bit and the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// Both.
    Inherited,
    /// The bit: its owner is given to it afterwards.
    OwnerTold,
    /// The group: its mode is given to it afterwards.
    ModeTold,
}

impl Group {
    /// Where an owner may be given.
    pub(super) fn unless_told(owner: bool) -> Group {
        if owner { Group::OwnerTold } else { Group::Inherited }
    }
}

const SET_GROUP_ID: u32 = 0o2000;

/// A layer being made.
pub(super) struct Upper<'l> {
    lower: &'l dyn Tree,
    entries: BTreeMap<PathBuf, Made>,
    /// The time of what has none of its own.
    now: i64,
    files: u64,
}

impl Made {
    pub(super) fn new(body: Body, manner: Manner, mtime: i64) -> Self {
        let Manner { mode, uid, gid } = manner;
        Self { body, mode, uid, gid, mtime, capability: None, file: None, same: false, fresh: false, below: None }
    }

    /// Gives it another owner, and, unless it is a link, which has neither of its own, another mode and time.
    pub(super) fn say(&mut self, manner: &Manner, mtime: i64) {
        (self.uid, self.gid) = (manner.uid, manner.gid);
        if !matches!(self.body, Body::Symlink(_)) {
            (self.mode, self.mtime) = (manner.mode, mtime);
        }
    }
}

impl<'l> Upper<'l> {
    pub(super) fn new(lower: &'l dyn Tree, now: i64) -> Self {
        Self { lower, entries: BTreeMap::new(), now, files: 0 }
    }

    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// The first of many numbers for files that nobody else gets.
    pub(super) fn new_file_numbers(&mut self) -> u64 {
        self.files += 1 << 32;
        self.files
    }

    /// What this layer itself has at `path`.
    pub(super) fn made_mut(&mut self, path: &Path) -> Option<&mut Made> {
        self.entries.get_mut(path)
    }

    /// Makes `path`, free of links, and its missing parents. What is there stays as it is.
    pub(super) fn make_dirs(&mut self, path: &Path, manner: Manner, group: Group) -> io::Result<()> {
        let mut here = PathBuf::new();
        let mut parent = self.node(&here)?;
        for name in path.iter() {
            here.push(name);
            match self.node(&here)? {
                Some(node) if node.is_dir() => parent = Some(node),
                Some(_) => return Err(Errno::ENOTDIR.into()),
                None => {
                    let mut manner = manner;
                    if let Some(parent) = parent.filter(|parent| parent.mode & SET_GROUP_ID != 0) {
                        manner.mode |= if group == Group::ModeTold { 0 } else { SET_GROUP_ID };
                        manner.gid = if group == Group::OwnerTold { manner.gid } else { parent.gid };
                    }
                    let now = self.now;
                    self.put(here.clone(), Made::new(Body::Dir, manner, now))?;
                    parent = self.node(&here)?;
                }
            }
        }
        Ok(())
    }

    /// Puts something at `path`, whose parent is there. A directory over a directory changes its owner and mode.
    pub(super) fn put(&mut self, path: PathBuf, mut made: Made) -> io::Result<()> {
        let old = self.node(&path)?;
        let is_dir = matches!(made.body, Body::Dir);
        made.below = self.entries.get(&path).map_or(old, |known| known.below);
        match old {
            Some(node) if node.is_dir() != is_dir => {
                return Err(if is_dir { Errno::ENOTDIR.into() } else { Errno::EISDIR.into() });
            }
            Some(node) if is_dir => {
                let known = self.entries.get(&path);
                made.fresh = known.is_some_and(|known| known.fresh);
                let unchanged = (made.mode, made.uid, made.gid) == (node.mode, node.uid, node.gid);
                made.same = unchanged && known.is_none_or(|known| known.same);
            }
            Some(_) => {}
            None => made.fresh = true,
        }
        self.entries.insert(path, made);
        Ok(())
    }

    /// Puts something at `path` as the unpacking of an archive does: what is of another kind there goes, with all below it.
    pub(super) fn replace(&mut self, path: PathBuf, mut made: Made) -> io::Result<()> {
        let is_dir = matches!(made.body, Body::Dir);
        if self.node(&path)?.is_none_or(|node| node.is_dir() == is_dir) {
            return self.put(path, made);
        }
        self.entries.retain(|other, _| !other.starts_with(&path));
        made.fresh = true;
        made.below = None;
        self.entries.insert(path, made);
        Ok(())
    }

    /// Takes out what is below already, to the last bit: a layer says what changed.
    fn drop_unchanged(&mut self, trees: &[&(dyn Tree + Sync)], spools: &[File]) -> io::Result<()> {
        let mut unchanged = Vec::new();
        for (path, made) in &self.entries {
            if let Some(below) = &made.below
                && self.is_unchanged(path, made, below, trees, spools)?
            {
                unchanged.push(path.clone());
            }
        }
        for path in unchanged {
            self.entries.remove(&path);
        }
        Ok(())
    }

    fn is_unchanged(
        &self,
        path: &Path,
        made: &Made,
        below: &Node,
        trees: &[&(dyn Tree + Sync)],
        spools: &[File],
    ) -> io::Result<bool> {
        let facts = (below.mode, below.uid, below.gid, below.mtime.0);
        if (made.mode, made.uid, made.gid, made.mtime) != facts {
            return Ok(false);
        }
        match (&made.body, below.kind) {
            (Body::Fifo, NodeKind::Fifo) => Ok(true),
            (Body::Symlink(to), NodeKind::Symlink) => Ok(self.lower.link(path)? == *to),
            (Body::Device { block, number }, kind @ (NodeKind::Char | NodeKind::Block)) => {
                Ok(*block == (kind == NodeKind::Block) && *number == below.device)
            }
            (Body::File(content), NodeKind::File) if content.size() == below.size => {
                if made.capability != self.lower.xattr(path, "security.capability")? {
                    return Ok(false);
                }
                let gone = || io::Error::from(Errno::EBADF);
                let mut there = self.lower.open(path)?;
                match content {
                    Content::Bytes(bytes) => same_bytes(&mut bytes.as_slice(), &mut there),
                    Content::Tree { tree, path, .. } => {
                        let mut file = trees.get(*tree).ok_or_else(gone)?.open(path)?;
                        same_bytes(&mut file, &mut there)
                    }
                    Content::Spool { spool, offset, size } => {
                        let file = spools.get(*spool).ok_or_else(gone)?;
                        same_bytes(&mut At { file, offset: *offset }.take(*size), &mut there)
                    }
                    Content::Sparse { spool, file } => {
                        same_bytes(&mut file.read(spools.get(*spool).ok_or_else(gone)?), &mut there)
                    }
                }
            }
            _ => Ok(false),
        }
    }

    /// Takes note that the directory at `path`, free of links, has this time of change.
    pub(super) fn touch(&mut self, path: &Path, mtime: i64) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        if let Some(made) = self.entries.get_mut(path) {
            made.mtime = mtime;
            return Ok(());
        }
        if let Some(node) = self.lower.node(path)? {
            let manner = Manner { mode: node.mode, uid: node.uid, gid: node.gid };
            let mut made = Made::new(Body::Dir, manner, mtime);
            made.same = true;
            self.entries.insert(path.to_owned(), made);
        }
        Ok(())
    }

    /// Writes the layer. Parents of what changed are part of it.
    pub(super) fn write<W: io::Write>(
        mut self,
        writer: &mut TarWriter<W>,
        trees: &[&(dyn Tree + Sync)],
        spools: &[File],
    ) -> Result<(), LayerError> {
        self.drop_unchanged(trees, spools).map_err(|source| LayerError::Stream { action: "compare", source })?;
        self.add_parents().map_err(|source| LayerError::Stream { action: "look for the parents of", source })?;
        let wanted = self.small_files();
        if wanted.len() < AHEAD_FROM {
            return self.write_with(writer, trees, spools, None);
        }
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(2);
            scope.spawn(move || read_ahead(&wanted, trees, &sender));
            self.write_with(writer, trees, spools, Some(Ahead { receiver, batch: Vec::new().into_iter() }))
        })
    }

    /// The small files that are copied from trees, in the order of the layer.
    fn small_files(&self) -> Vec<Wanted<'_>> {
        let mut seen = HashSet::new();
        let mut wanted = Vec::new();
        for made in self.entries.values().filter(|made| !made.same) {
            let Body::File(content) = &made.body else { continue };
            if made.file.is_some_and(|file| !seen.insert(file)) {
                continue;
            }
            if let Content::Tree { tree, path, size } = content
                && *size <= SMALL
            {
                wanted.push(Wanted { tree: *tree, path, size: *size });
            }
        }
        wanted
    }

    fn write_with<W: io::Write>(
        &self,
        writer: &mut TarWriter<W>,
        trees: &[&(dyn Tree + Sync)],
        spools: &[File],
        mut ahead: Option<Ahead>,
    ) -> Result<(), LayerError> {
        let mut first_names: HashMap<u64, &Path> = HashMap::new();
        for (path, made) in &self.entries {
            if made.same {
                continue;
            }
            let target;
            // Names of one file: whatever it is, but for a directory, which has one.
            let number = made.file.filter(|_| !matches!(made.body, Body::Dir));
            let first = number.and_then(|number| first_names.get(&number).copied());
            if let (Some(number), None) = (number, first) {
                first_names.insert(number, path);
            }
            let kind = match (first, &made.body) {
                (Some(first), _) => Kind::HardLink(bytes(first)),
                (None, Body::Dir) => Kind::Dir,
                (None, Body::Fifo) => Kind::Fifo,
                (None, Body::Symlink(to)) => {
                    target = to.clone();
                    Kind::Symlink(bytes(&target))
                }
                (None, Body::Device { block, number }) => {
                    let (major, minor) = (device_major(*number), device_minor(*number));
                    if *block { Kind::Block { major, minor } } else { Kind::Char { major, minor } }
                }
                (None, Body::File(content)) => Kind::File { size: content.size() },
            };
            let xattrs: Vec<(Vec<u8>, Vec<u8>)> = match (&made.capability, kind) {
                (Some(value), Kind::File { .. }) => vec![(b"security.capability".to_vec(), value.clone())],
                _ => Vec::new(),
            };
            let entry = Entry {
                path: bytes(path),
                kind,
                mode: made.mode,
                uid: made.uid,
                gid: made.gid,
                mtime: made.mtime,
                xattrs: &xattrs,
            };
            let (Body::File(content), Kind::File { .. }) = (&made.body, kind) else {
                writer.entry(&entry)?;
                continue;
            };
            let read_error = |source| LayerError::Io { action: "read", path: path.clone(), source };
            match content {
                Content::Bytes(bytes) => writer.entry_with(&entry, &mut bytes.as_slice())?,
                Content::Tree { size, .. } if *size <= SMALL && ahead.is_some() => {
                    let bytes =
                        ahead.as_mut().and_then(Ahead::next).ok_or_else(|| read_error(Errno::EPIPE.into()))??;
                    writer.entry_with(&entry, &mut bytes.as_slice())?;
                }
                Content::Tree { tree, path: from, size: _ } => {
                    let tree = trees.get(*tree).ok_or_else(|| read_error(Errno::EBADF.into()))?;
                    let mut file = tree.open(from).map_err(|source| LayerError::Io {
                        action: "open",
                        path: from.clone(),
                        source,
                    })?;
                    writer.entry_with(&entry, &mut file)?;
                }
                Content::Spool { spool, offset, size } => {
                    let file = spools.get(*spool).ok_or_else(|| read_error(Errno::EBADF.into()))?;
                    let mut piece = At { file, offset: *offset }.take(*size);
                    writer.entry_with(&entry, &mut piece)?;
                }
                Content::Sparse { spool, file } => {
                    let spool = spools.get(*spool).ok_or_else(|| read_error(Errno::EBADF.into()))?;
                    writer.entry_with(&entry, &mut file.read(spool))?;
                }
            }
        }
        Ok(())
    }

    fn add_parents(&mut self) -> io::Result<()> {
        let changed: Vec<PathBuf> =
            self.entries.iter().filter(|(_, made)| !made.same).map(|(path, _)| path.clone()).collect();
        for path in changed {
            let mut parent = path.parent();
            while let Some(directory) = parent.filter(|directory| !directory.as_os_str().is_empty()) {
                if !self.entries.contains_key(directory) {
                    self.touch(directory, self.now)?;
                }
                match self.entries.get_mut(directory) {
                    // Whoever changed it has seen to its parents too.
                    Some(made) if !made.same => break,
                    Some(made) => made.same = false,
                    None => {}
                }
                parent = directory.parent();
            }
        }
        Ok(())
    }
}

impl Tree for Upper<'_> {
    fn node(&self, path: &Path) -> io::Result<Option<Node>> {
        if let Some(made) = self.entries.get(path) {
            let kind = match made.body {
                Body::Dir => NodeKind::Dir,
                Body::File(_) => NodeKind::File,
                Body::Symlink(_) => NodeKind::Symlink,
                Body::Fifo => NodeKind::Fifo,
                Body::Device { block: false, .. } => NodeKind::Char,
                Body::Device { block: true, .. } => NodeKind::Block,
            };
            return Ok(Some(Node { kind, mode: made.mode, uid: made.uid, gid: made.gid, ..EMPTY_DIR }));
        }
        if path
            .parent()
            .and_then(|parent| self.entries.get(parent))
            .is_some_and(|parent| parent.fresh || !matches!(parent.body, Body::Dir))
        {
            return Ok(None);
        }
        self.lower.node(path)
    }

    fn link(&self, path: &Path) -> io::Result<PathBuf> {
        match self.entries.get(path) {
            Some(Made { body: Body::Symlink(target), .. }) => Ok(target.clone()),
            _ => self.lower.link(path),
        }
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<(OsString, Node)>> {
        self.lower.entries(path)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        self.lower.open(path)
    }

    fn xattr(&self, path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
        self.lower.xattr(path, name)
    }
}

/// Files of at most this many bytes are read ahead, while those before them are written.
const SMALL: u64 = 64 << 10;
/// When there are at least this many of them.
const AHEAD_FROM: usize = 64;
/// As much is read at once.
const BATCH: u64 = 1 << 20;

/// A file to be read ahead.
struct Wanted<'w> {
    tree: usize,
    path: &'w Path,
    size: u64,
}

type FileBytes = Result<Vec<u8>, LayerError>;

/// What was read, in order.
struct Ahead {
    receiver: Receiver<Vec<FileBytes>>,
    batch: std::vec::IntoIter<FileBytes>,
}

impl Ahead {
    fn next(&mut self) -> Option<FileBytes> {
        loop {
            if let Some(read) = self.batch.next() {
                return Some(read);
            }
            self.batch = self.receiver.recv().ok()?.into_iter();
        }
    }
}

/// Reads all of them, batch after batch, until nobody listens any more.
fn read_ahead(wanted: &[Wanted<'_>], trees: &[&(dyn Tree + Sync)], sender: &SyncSender<Vec<FileBytes>>) {
    let read = |wanted: &Wanted<'_>| {
        let fail = |action: &'static str| {
            move |source: io::Error| LayerError::Io { action, path: wanted.path.to_owned(), source }
        };
        let tree = trees.get(wanted.tree).ok_or_else(|| fail("read")(Errno::EBADF.into()))?;
        let file = tree.open(wanted.path).map_err(fail("open"))?;
        let mut bytes = Vec::with_capacity(usize::try_from(wanted.size).unwrap_or(0) + 1);
        file.take(wanted.size).read_to_end(&mut bytes).map_err(fail("read"))?;
        Ok(bytes)
    };
    let mut rest = wanted;
    while !rest.is_empty() {
        let mut sum = 0;
        let full = rest.iter().position(|wanted| {
            sum += wanted.size;
            sum >= BATCH
        });
        let (batch, later) = rest.split_at(full.map_or(rest.len(), |last| last + 1));
        rest = later;
        if sender.send(batch.par_iter().with_min_len(16).map(read).collect()).is_err() {
            return;
        }
    }
}

fn device_major(number: u64) -> u32 {
    u32::try_from(nix::sys::stat::major(number)).unwrap_or(0)
}

fn device_minor(number: u64) -> u32 {
    u32::try_from(nix::sys::stat::minor(number)).unwrap_or(0)
}

/// Whether two readers give the same.
fn same_bytes(one: &mut dyn Read, other: &mut dyn Read) -> io::Result<bool> {
    const PIECE: u64 = 64 << 10;
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        left.clear();
        right.clear();
        let count = one.take(PIECE).read_to_end(&mut left)?;
        other.take(PIECE).read_to_end(&mut right)?;
        if left != right {
            return Ok(false);
        }
        if count == 0 {
            return Ok(true);
        }
    }
}

/// Reads a file from an offset on, whatever its cursor does.
struct At<'f> {
    file: &'f File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}
