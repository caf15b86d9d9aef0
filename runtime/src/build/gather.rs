//! What a COPY or ADD takes from a file tree, found before anything is copied: enough to say whether it was copied before.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use plimsoll_analyzer::context::{has_wildcard, wildcard_matches};
use plimsoll_parser::dockerignore::Ignore;
use rayon::prelude::*;

use crate::context::Digests;
use crate::digest::Hasher;
use crate::rootfs::{Node, NodeKind, Tree, bytes, clean, resolve};

/// One thing that is copied: a file, or a directory with what is below it.
#[derive(Debug)]
pub(super) struct Source {
    /// The last name it was called by: what it becomes in a directory.
    pub(super) name: OsString,
    /// Where it is in its tree, links followed.
    pub(super) root: PathBuf,
    /// What stands there.
    pub(super) node: Node,
    /// What is below it, parents first, names sorted.
    pub(super) below: Vec<Below>,
    /// Whether only a part of it is taken: directories that are there already then stay as they are.
    pub(super) partial: bool,
}

impl Source {
    /// Where in its tree something of it is.
    pub(super) fn place(&self, below: &Path) -> PathBuf {
        if below.as_os_str().is_empty() { self.root.clone() } else { self.root.join(below) }
    }
}

/// Something below a directory that is copied.
#[derive(Debug)]
pub(super) struct Below {
    /// Relative to the source.
    pub(super) path: PathBuf,
    pub(super) node: Node,
    /// A directory that is only there because of what is below it.
    pub(super) parent_only: bool,
}

/// Why a source cannot be copied.
#[derive(Debug)]
pub(super) enum GatherError {
    /// Nothing there.
    NotFound { source: String },
    /// It is there and cannot be read.
    Io { path: PathBuf, source: io::Error },
    /// A pattern does not read.
    Pattern(String),
}

/// How a source is taken.
pub(super) struct Taking<'a> {
    pub(super) exclude: &'a [String],
    pub(super) parents: bool,
}

/// Finds what `source` names in `tree`.
pub(super) fn gather(tree: &(dyn Tree + Sync), source: &str, taking: &Taking<'_>) -> Result<Vec<Source>, GatherError> {
    let exclude = match taking.exclude {
        [] => None,
        patterns => Some(
            Ignore::from_patterns(patterns.iter().map(String::as_str))
                .map_err(|error| GatherError::Pattern(format!("--exclude: {error}")))?,
        ),
    };
    if taking.parents {
        return Ok(vec![with_parents(tree, source, exclude.as_ref())?]);
    }
    let mut found = Vec::new();
    for path in matches(tree, source)? {
        let fail = |source| GatherError::Io { path: path.clone(), source };
        let resolved = match resolve(tree, &path, true) {
            Ok(resolved) => resolved,
            Err(error) if matches!(error.raw_os_error(), Some(nix::libc::ENOTDIR | nix::libc::ELOOP)) => {
                return Err(GatherError::NotFound { source: source.to_owned() });
            }
            Err(error) => return Err(fail(error)),
        };
        let Some(node) = resolved.node else { return Err(GatherError::NotFound { source: source.to_owned() }) };
        let name = clean(&path).file_name().map(OsStr::to_owned).unwrap_or_default();
        let below =
            if node.is_dir() { walk(tree, &resolved.path, Path::new(""), exclude.as_ref())? } else { Vec::new() };
        found.push(Source { name, root: resolved.path, node, below, partial: exclude.is_some() });
    }
    Ok(found)
}

/// Folders of a folder that are worth being walked at the same time.
const SIDE_BY_SIDE: usize = 8;

fn walk(
    tree: &(dyn Tree + Sync),
    root: &Path,
    directory: &Path,
    exclude: Option<&Ignore>,
) -> Result<Vec<Below>, GatherError> {
    let here = root.join(directory);
    let entries = tree.entries(&here).map_err(|source| GatherError::Io { path: here.clone(), source })?;
    let visit = |(name, node): (OsString, Node)| {
        let path = directory.join(name);
        let excluded = exclude.is_some_and(|ignore| ignore.is_excluded(&path.to_string_lossy()));
        if !node.is_dir() {
            let found = (!excluded).then_some(Below { path, node, parent_only: false });
            return Ok(found.into_iter().collect());
        }
        if excluded && !exclude.is_some_and(|ignore| ignore.may_reinclude_below(&path.to_string_lossy())) {
            return Ok(Vec::new());
        }
        let below = walk(tree, root, &path, exclude)?;
        if excluded && below.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(below.len() + 1);
        found.push(Below { path, node, parent_only: excluded });
        found.extend(below);
        Ok(found)
    };
    let folders = entries.iter().filter(|(_, node)| node.is_dir()).count();
    let parts: Vec<Vec<Below>> = if folders >= SIDE_BY_SIDE {
        entries.into_par_iter().with_min_len(4).map(visit).collect::<Result<_, _>>()?
    } else {
        entries.into_iter().map(visit).collect::<Result<_, _>>()?
    };
    Ok(parts.into_iter().flatten().collect())
}

/// `--parents`: the path after a `/./` is kept, everything that matches is taken.
fn with_parents(tree: &(dyn Tree + Sync), source: &str, exclude: Option<&Ignore>) -> Result<Source, GatherError> {
    let not_found = || GatherError::NotFound { source: source.to_owned() };
    // A `./` at the beginning is no pivot.
    let trimmed = source.trim_start_matches("./");
    let (base, pattern) = trimmed.split_once("/./").unwrap_or(("", trimmed));
    let base = clean(Path::new(base));
    let resolved = resolve(tree, &base, true).map_err(|source| GatherError::Io { path: base.clone(), source })?;
    let node = resolved.node.filter(Node::is_dir).ok_or_else(not_found)?;
    let pattern = clean(Path::new(pattern));
    let pattern = pattern.to_string_lossy();
    let include = Ignore::from_patterns([pattern.as_ref()]).map_err(|error| GatherError::Pattern(error.to_string()))?;
    let mut below = Vec::new();
    if pattern.is_empty() {
        below = walk(tree, &resolved.path, Path::new(""), exclude)?;
    } else {
        let fixed: Vec<&str> = pattern.split('/').take_while(|part| !has_wildcard(part)).collect();
        walk_included(tree, &resolved.path, Path::new(""), &include, &fixed, exclude, &mut below)?;
        if below.is_empty() && !has_wildcard(&pattern) {
            return Err(not_found());
        }
    }
    Ok(Source { name: OsString::new(), root: resolved.path, node, below, partial: true })
}

fn walk_included(
    tree: &dyn Tree,
    root: &Path,
    directory: &Path,
    include: &Ignore,
    fixed: &[&str],
    exclude: Option<&Ignore>,
    found: &mut Vec<Below>,
) -> Result<(), GatherError> {
    let here = root.join(directory);
    let entries = tree.entries(&here).map_err(|source| GatherError::Io { path: here.clone(), source })?;
    let depth = directory.iter().count();
    for (name, node) in entries {
        // Where the pattern begins with plain names, nothing else can match.
        if fixed.get(depth).is_some_and(|wanted| name != **wanted) {
            continue;
        }
        let path = directory.join(name);
        let text = path.to_string_lossy();
        if exclude.is_some_and(|ignore| ignore.is_excluded(&text)) {
            continue;
        }
        let included = include.is_excluded(&text);
        let at = found.len();
        found.push(Below { path: path.clone(), node, parent_only: !included });
        if node.is_dir() {
            walk_included(tree, root, &path, include, fixed, exclude, found)?;
        }
        if !included && found.len() == at + 1 {
            found.pop();
        }
    }
    Ok(())
}

/// The paths a source names: itself, or whatever its wildcards match, in the order of a walk.
fn matches(tree: &dyn Tree, source: &str) -> Result<Vec<PathBuf>, GatherError> {
    let path = clean(Path::new(source));
    let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let Some(first) = parts.iter().position(|part| has_wildcard(part)) else { return Ok(vec![path]) };
    let (fixed, patterns) = parts.split_at(first);
    let base: PathBuf = fixed.iter().collect();
    // Nothing may match, but where it could must be there.
    let not_found = || GatherError::NotFound { source: source.to_owned() };
    let resolved = resolve(tree, &base, true).map_err(|_| not_found())?;
    resolved.node.filter(Node::is_dir).ok_or_else(not_found)?;
    let mut found = Vec::new();
    match_below(tree, &resolved.path, patterns, &mut found)?;
    Ok(found)
}

fn match_below(
    tree: &dyn Tree,
    directory: &Path,
    patterns: &[String],
    found: &mut Vec<PathBuf>,
) -> Result<(), GatherError> {
    let Some((pattern, rest)) = patterns.split_first() else { return Ok(()) };
    let entries = tree.entries(directory).map_err(|source| GatherError::Io { path: directory.to_owned(), source })?;
    for (name, node) in entries {
        if !wildcard_matches(pattern, &name.to_string_lossy()) {
            continue;
        }
        let path = directory.join(name);
        if rest.is_empty() {
            found.push(path);
        } else if node.is_dir() {
            match_below(tree, &path, rest, found)?;
        }
    }
    Ok(())
}

/// Feeds everything about the sources that reaches the image to a step's key.
pub(super) fn digest(
    tree: &(dyn Tree + Sync),
    sources: &[Source],
    digests: &Digests,
    keeps_owners: bool,
    hasher: &mut Hasher,
) -> Result<(), GatherError> {
    let mut files: Vec<(PathBuf, Node)> = Vec::new();
    let mut each = |path: PathBuf, node: &Node| {
        if node.kind == NodeKind::File {
            files.push((path, *node));
        }
    };
    for source in sources {
        each(source.root.clone(), &source.node);
        for below in &source.below {
            each(source.place(&below.path), &below.node);
        }
    }
    let read = digests.of(tree, &files).map_err(|(path, source)| GatherError::Io { path, source })?;
    let mut read = read.iter();
    let mut inodes = std::collections::HashMap::new();
    for source in sources {
        inodes.clear();
        field(hasher, b"source");
        field(hasher, source.name.as_encoded_bytes());
        field(hasher, &[u8::from(source.partial)]);
        let all = std::iter::once((Path::new(""), &source.node, false))
            .chain(source.below.iter().map(|below| (below.path.as_path(), &below.node, below.parent_only)));
        for (number, (path, node, parent_only)) in all.enumerate() {
            field(hasher, bytes(path));
            field(hasher, &[kind_byte(node.kind), u8::from(parent_only)]);
            field(hasher, &node.mode.to_le_bytes());
            if keeps_owners {
                field(hasher, &node.uid.to_le_bytes());
                field(hasher, &node.gid.to_le_bytes());
            }
            let place = source.place(path);
            let fail = |source| GatherError::Io { path: place.clone(), source };
            match node.kind {
                NodeKind::File => {
                    if let Some(digest) = read.next() {
                        field(hasher, digest.as_bytes());
                    }
                    if node.links > 1 {
                        let first: usize = *inodes.entry(node.inode).or_insert(number);
                        field(hasher, &first.to_le_bytes());
                    }
                    if keeps_owners {
                        let capability = tree.xattr(&place, "security.capability").map_err(fail)?;
                        field(hasher, capability.as_deref().unwrap_or_default());
                    }
                }
                NodeKind::Symlink => field(hasher, bytes(&tree.link(&place).map_err(fail)?)),
                NodeKind::Char | NodeKind::Block => field(hasher, &node.device.to_le_bytes()),
                _ => {}
            }
        }
    }
    Ok(())
}

fn kind_byte(kind: NodeKind) -> u8 {
    match kind {
        NodeKind::File => b'f',
        NodeKind::Dir => b'd',
        NodeKind::Symlink => b'l',
        NodeKind::Fifo => b'p',
        NodeKind::Socket => b's',
        NodeKind::Char => b'c',
        NodeKind::Block => b'b',
    }
}

/// Feeds one field so that no two lists of fields read the same.
pub(super) fn field(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}
