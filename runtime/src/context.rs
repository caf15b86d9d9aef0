//! The build context: a directory without what its ignore file leaves out, and digests of its files that are computed once.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, UNIX_EPOCH};

use plimsoll_analyzer::context::{Entry, EntryKind, Listing};
use plimsoll_parser::dockerignore::Ignore;
use rayon::prelude::*;

use crate::digest::{Digest, Hasher};
use crate::rootfs::{DirTree, Node, NodeKind, Tree};
use crate::store::{Store, StoreError};

/// A build context. As a [`Tree`] it shows what the ignore file leaves in.
#[derive(Debug)]
pub struct Context {
    tree: DirTree,
    ignore: Option<Ignore>,
    broken: Option<String>,
}

/// The most entries a [`Listing`] is made of.
const MAX_LISTED: usize = 500_000;
/// Files whose text rules read.
const READ_FOR_RULES: [&str; 5] = ["requirements.txt", "package.json", ".gitignore", ".dockerignore", "pyproject.toml"];
/// How much of them.
const MAX_TEXT: u64 = 64 << 10;

impl Context {
    /// Opens the directory. `ignore` is the text of the ignore file in force.
    pub fn open(directory: &Path, ignore: Option<&str>) -> io::Result<Self> {
        let tree = DirTree::open(directory)?;
        let (ignore, errors) = ignore.map(Ignore::parse).unzip();
        let broken = errors.and_then(|errors| errors.into_iter().next()).map(|error| error.message);
        Ok(Self { tree, ignore, broken })
    }

    /// What is wrong with the ignore file: nothing can then be said of what it leaves out.
    #[must_use]
    pub fn broken_ignore(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.tree.path()
    }

    /// The directory with nothing left out.
    #[must_use]
    pub fn whole(&self) -> &DirTree {
        &self.tree
    }

    /// Whether the ignore file leaves out something that is there.
    #[must_use]
    pub fn leaves_out(&self, path: &Path) -> bool {
        self.tree.node(path).ok().flatten().is_some_and(|node| self.is_hidden(path, &node))
    }

    fn is_hidden(&self, path: &Path, node: &Node) -> bool {
        let Some(ignore) = &self.ignore else { return false };
        if path.as_os_str().is_empty() {
            return false;
        }
        let text = path.to_string_lossy();
        if !ignore.is_excluded(&text) {
            return false;
        }
        if !node.is_dir() || !ignore.may_reinclude_below(&text) {
            return true;
        }
        let entries = self.tree.entries(path).unwrap_or_default();
        entries.iter().all(|(name, node)| self.is_hidden(&path.join(name), node))
    }

    /// Everything in the directory, whatever the ignore file says: what rules look at.
    pub fn listing(&self) -> io::Result<Listing> {
        self.listing_within(MAX_LISTED, Duration::MAX)
    }

    /// The same, the upper folders first, until so many entries are found or so much time has passed.
    pub fn listing_within(&self, most: usize, time: Duration) -> io::Result<Listing> {
        let began = Instant::now();
        let mut found = Vec::new();
        let mut pending = VecDeque::from([PathBuf::new()]);
        let mut truncated = false;
        while let Some(directory) = pending.pop_front() {
            if truncated || began.elapsed() > time {
                truncated = true;
                break;
            }
            let entries = match self.tree.entries(&directory) {
                Ok(entries) => entries,
                Err(error) if directory.as_os_str().is_empty() => return Err(error),
                // A directory nobody may read is there all the same.
                Err(_) => continue,
            };
            for (name, node) in entries {
                if found.len() >= most {
                    truncated = true;
                    break;
                }
                let path = directory.join(&name);
                let kind = match node.kind {
                    NodeKind::File => EntryKind::File,
                    NodeKind::Dir => EntryKind::Dir,
                    NodeKind::Symlink => EntryKind::Symlink,
                    _ => EntryKind::Other,
                };
                let is_file = kind == EntryKind::File;
                let wanted = is_file && node.size <= MAX_TEXT && READ_FOR_RULES.iter().any(|known| *known == name);
                found.push(Entry {
                    path: path.to_string_lossy().into_owned(),
                    kind,
                    size: if is_file { node.size } else { 0 },
                    executable: is_file && node.mode & 0o100 != 0,
                    text: if wanted { self.text(&path) } else { None },
                });
                if node.is_dir() {
                    pending.push_back(path);
                }
            }
        }
        let mut listing = Listing::new(found);
        listing.truncated = truncated;
        Ok(listing)
    }

    fn text(&self, path: &Path) -> Option<String> {
        let mut bytes = Vec::new();
        self.tree.open(path).ok()?.take(MAX_TEXT).read_to_end(&mut bytes).ok()?;
        String::from_utf8(bytes).ok()
    }
}

impl Tree for Context {
    fn node(&self, path: &Path) -> io::Result<Option<Node>> {
        Ok(self.tree.node(path)?.filter(|node| !self.is_hidden(path, node)))
    }

    fn link(&self, path: &Path) -> io::Result<PathBuf> {
        self.tree.link(path)
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<(OsString, Node)>> {
        let mut entries = self.tree.entries(path)?;
        if self.ignore.is_some() {
            entries.retain(|(name, node)| !self.is_hidden(&path.join(name), node));
        }
        Ok(entries)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        self.tree.open(path)
    }

    // Attributes of the author's machine do not reach the image.
    fn xattr(&self, _path: &Path, _name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// Digests of files, kept by what the filesystem says of them so that an unchanged file is not read again.
#[derive(Debug)]
pub struct Digests {
    store: Store,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_stamp: HashMap<Stamp, Digest>,
    changed: bool,
}

/// What changes whenever a file's content does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Stamp {
    inode: (u64, u64),
    size: u64,
    mtime: (i64, u32),
    ctime: (i64, u32),
}

impl Stamp {
    fn of(node: &Node) -> Self {
        Self { inode: node.inode, size: node.size, mtime: node.mtime, ctime: node.ctime }
    }
}

/// First line of the file; another version is not read.
const MAGIC: &[u8; 8] = b"plimctx1";
const RECORD: usize = 8 * 3 + 12 * 2 + 32;
/// More is not kept.
const MAX_KEPT: usize = 400_000;
/// A file changed this shortly before it was read may change again without a new time.
const SETTLED: u128 = 50_000_000;
/// The same where times have whole seconds.
const SETTLED_COARSE: u128 = 2_000_000_000;

impl Digests {
    /// The digests this store remembers.
    #[must_use]
    pub fn open(store: &Store) -> Self {
        let bytes = std::fs::read(store.path("context-digests")).unwrap_or_default();
        let mut known = Known::default();
        if let Some(records) = bytes.strip_prefix(MAGIC) {
            known.by_stamp.reserve(records.len() / RECORD);
            known.by_stamp.extend(records.chunks_exact(RECORD).filter_map(read_record));
        }
        Self { store: store.clone(), known: Mutex::new(known) }
    }

    /// Writes what is new, for the next build.
    pub fn save(&self) -> Result<(), StoreError> {
        let Ok(mut known) = self.known.lock() else { return Ok(()) };
        if !known.changed {
            return Ok(());
        }
        known.changed = false;
        let mut bytes = MAGIC.to_vec();
        for (stamp, digest) in known.by_stamp.iter().take(MAX_KEPT) {
            for number in [stamp.inode.0, stamp.inode.1, stamp.size] {
                bytes.extend(number.to_le_bytes());
            }
            for (seconds, nanos) in [stamp.mtime, stamp.ctime] {
                bytes.extend(seconds.to_le_bytes());
                bytes.extend(nanos.to_le_bytes());
            }
            bytes.extend(digest.as_bytes());
        }
        self.store.publish(&bytes, &self.store.path("context-digests"))
    }

    /// The digests of these files of `tree`, in their order.
    pub fn of(&self, tree: &(dyn Tree + Sync), files: &[(PathBuf, Node)]) -> Result<Vec<Digest>, (PathBuf, io::Error)> {
        let mut digests: Vec<Option<Digest>> = match self.known.lock() {
            Ok(known) => files.iter().map(|(_, node)| known.by_stamp.get(&Stamp::of(node)).copied()).collect(),
            Err(_) => vec![None; files.len()],
        };
        let missing: Vec<usize> =
            digests.iter().enumerate().filter(|(_, digest)| digest.is_none()).map(|(index, _)| index).collect();
        if missing.is_empty() {
            return Ok(digests.into_iter().flatten().collect());
        }
        let read: Vec<(usize, Digest)> = missing
            .into_par_iter()
            .with_min_len(16)
            .filter_map(|index| files.get(index).map(|(path, _)| (index, path)))
            .map(|(index, path)| match read_digest(tree, path) {
                Ok(digest) => Ok((index, digest)),
                Err(error) => Err((path.clone(), error)),
            })
            .collect::<Result<_, _>>()?;
        let now = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
        for (index, digest) in read {
            if let Some(slot) = digests.get_mut(index) {
                *slot = Some(digest);
            }
            let Some((_, node)) = files.get(index) else { continue };
            if is_settled(node, now)
                && let Ok(mut known) = self.known.lock()
            {
                known.by_stamp.insert(Stamp::of(node), digest);
                known.changed = true;
            }
        }
        Ok(digests.into_iter().flatten().collect())
    }
}

fn is_settled(node: &Node, now: u128) -> bool {
    let coarse = node.ctime.1 == 0 && node.mtime.1 == 0;
    let changed = u128::try_from(node.ctime.0).unwrap_or(0) * 1_000_000_000 + u128::from(node.ctime.1);
    changed + if coarse { SETTLED_COARSE } else { SETTLED } < now
}

fn read_digest(tree: &dyn Tree, path: &Path) -> io::Result<Digest> {
    let mut file = tree.open(path)?;
    let mut hasher = Hasher::new();
    let mut buffer = [0; 32 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

fn read_record(record: &[u8]) -> Option<(Stamp, Digest)> {
    let (numbers, digest) = record.split_at_checked(RECORD - 32)?;
    let mut rest = numbers;
    let mut take = |count: usize| {
        let (head, tail) = rest.split_at_checked(count)?;
        rest = tail;
        Some(head)
    };
    let inode = (u64::from_le_bytes(take(8)?.try_into().ok()?), u64::from_le_bytes(take(8)?.try_into().ok()?));
    let size = u64::from_le_bytes(take(8)?.try_into().ok()?);
    let mut time = || {
        let seconds = i64::from_le_bytes(take(8)?.try_into().ok()?);
        Some((seconds, u32::from_le_bytes(take(4)?.try_into().ok()?)))
    };
    let stamp = Stamp { inode, size, mtime: time()?, ctime: time()? };
    Some((stamp, Digest::from_bytes(digest.try_into().ok()?)))
}
