//! The steps that make layers without running anything: COPY, ADD, WORKDIR.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plimsoll_analyzer::context::has_wildcard;
use plimsoll_parser::dockerignore::Ignore;

use super::copy::{Copying, copy, land, make_parent};
use super::gather::{GatherError, Source, Taking, digest, field, gather};
use super::upper::{Body, Content, EmptyTree, Group, Made, Manner, Upper};
use super::{BuildError, Builder, Cached, Done, KEY_VERSION, Place, Result, archive, chain, fetch, repository};
use crate::digest::{Digest, Hasher};
use crate::image::Layer;
use crate::layer::LayerError;
use crate::plan::{Chmod, CopyAction};
use crate::rootfs::{DirTree, NodeKind, Tree, clean, read_small, resolve};
use crate::snapshot::{CommitOptions, SnapshotError, View};

/// Where files come from.
enum Origin {
    Context,
    Image { name: String, layers: Vec<Layer> },
}

/// What a COPY or ADD takes, in order.
enum Taken {
    /// Something of the tree.
    Source(Source),
    /// Something fetched.
    Remote(fetch::Fetched),
    /// A commit that is not fetched yet.
    Commit(repository::Wanted),
    /// Its files.
    Checkout(repository::Checkout),
}

/// A file tree that is mounted as long as this lives.
struct Mounted {
    tree: DirTree,
    _view: View,
}

/// At most this much of a passwd or group file is read.
const MAX_ACCOUNTS: u64 = 4 << 20;

impl Builder<'_> {
    /// WORKDIR.
    pub(super) fn make_dir(
        &self,
        path: &str,
        owner: &str,
        parent: &[Layer],
        place: &Place,
        use_cache: bool,
    ) -> Result<Done> {
        let mut hasher = self.key(b"workdir", parent);
        field(&mut hasher, path.as_bytes());
        field(&mut hasher, owner.as_bytes());
        let key = hasher.finish();
        if let Some(entry) = self.known(&key, use_cache) {
            return Ok(Done { key, cached: true, entry });
        }
        let below = self.mounted(parent, place)?;
        let lower: &dyn Tree = below.as_ref().map_or(&EmptyTree as &dyn Tree, |mounted| &mounted.tree);
        let (uid, gid) = self.owner(lower, owner);
        let mut upper = Upper::new(lower, self.now());
        let refused = |error: std::io::Error| BuildError::Copy {
            place: Box::new(place.clone()),
            path: PathBuf::from(path),
            reason: error.to_string(),
        };
        let target = resolve(&upper, Path::new(path), true).map_err(refused)?.path;
        upper
            .make_dirs(&clean(&target), Manner { mode: 0o755, uid, gid }, Group::unless_told(!owner.is_empty()))
            .map_err(refused)?;
        let entry = self.commit_upper(&key, parent, upper, &[], &[], place)?;
        Ok(Done { key, cached: false, entry })
    }

    /// COPY and ADD.
    pub(super) fn copy(
        &self,
        action: &CopyAction,
        stage: usize,
        parent: &[Layer],
        place: &Place,
        use_cache: bool,
    ) -> Result<Done> {
        let origin = match &action.from {
            None => Origin::Context,
            Some(name) => Origin::Image { name: name.clone(), layers: self.origin(name, stage, place)? },
        };
        let said = self.said(action, parent);
        // With the same stage below there is no need to look into it.
        let quick = match &origin {
            Origin::Image { layers, .. } => {
                let mut hasher = said.clone();
                field(&mut hasher, b"whole image");
                field(&mut hasher, &chain(layers));
                Some(hasher.finish())
            }
            Origin::Context => None,
        };
        if let Some(quick) = &quick
            && let Some(entry) = self.known(quick, use_cache)
        {
            return Ok(Done { key: *quick, cached: true, entry });
        }
        let mounted = match &origin {
            Origin::Image { layers, .. } => self.mounted(layers, place)?,
            Origin::Context => None,
        };
        let keeps_owners = matches!(origin, Origin::Image { .. });
        if matches!(origin, Origin::Context) {
            self.check_ignore(place)?;
            self.check_wildcards(action, place)?;
        }
        if action.link || parent.is_empty() {
            self.check_owner(action, place)?;
        }
        let (mut taken, key) = {
            let tree: &(dyn Tree + Sync) = match (&origin, &mounted) {
                (Origin::Context, _) => &self.context,
                (_, Some(mounted)) => &mounted.tree,
                (_, None) => &EmptyTree,
            };
            let mut taken = Vec::new();
            let mut hasher = said;
            for source in &action.sources {
                if action.add
                    && let Some(parsed) = crate::git::parse(source)
                {
                    let wanted = self.repository(source, parsed, action, place)?;
                    field(&mut hasher, wanted.commit.id.as_bytes());
                    taken.push(Taken::Commit(wanted));
                    continue;
                }
                if action.add && fetch::is_remote(source) {
                    let fetched = fetch::fetch(source, action, self.store).map_err(|reason| BuildError::Fetch {
                        place: Box::new(place.clone()),
                        url: source.clone(),
                        reason,
                    })?;
                    field(&mut hasher, fetched.digest.as_bytes());
                    taken.push(Taken::Remote(fetched));
                    continue;
                }
                let taking = Taking { exclude: &action.exclude, parents: action.parents };
                let gathered = gather(tree, source, &taking).map_err(|e| self.gather_error(e, &origin, place))?;
                digest(tree, &gathered, &self.digests, keeps_owners, &mut hasher)
                    .map_err(|e| self.gather_error(e, &origin, place))?;
                taken.extend(gathered.into_iter().map(Taken::Source));
            }
            (taken, hasher.finish())
        };
        if let Some(entry) = self.known(&key, use_cache) {
            if let Some(quick) = &quick {
                self.put(quick, &entry)?;
            }
            return Ok(Done { key, cached: true, entry });
        }
        for taken in &mut taken {
            if let Taken::Commit(wanted) = taken {
                *taken = Taken::Checkout(self.checkout(wanted, action, place)?);
            }
        }
        let below = self.mounted(parent, place)?;
        let tree: &(dyn Tree + Sync) = match (&origin, &mounted) {
            (Origin::Context, _) => &self.context,
            (_, Some(mounted)) => &mounted.tree,
            (_, None) => &EmptyTree,
        };
        let base: &dyn Tree = below.as_ref().map_or(&EmptyTree as &dyn Tree, |mounted| &mounted.tree);
        let chown = action.chown.as_deref().map(|owner| self.owner(base, owner));
        let copying = Copying { chown, chmod: action.chmod.clone(), keeps_owners };
        // A linked layer knows nothing of what is below it.
        let lower = if action.link { &EmptyTree as &dyn Tree } else { base };
        let mut upper = Upper::new(lower, self.time_of(&taken, !action.inline.is_empty()));
        let mut spools = Vec::new();
        self.fill(&mut upper, tree, action, &taken, &copying, &mut spools, place)?;
        let mut trees = vec![tree];
        trees.extend(taken.iter().filter_map(|taken| match taken {
            Taken::Checkout(checkout) => Some(&checkout.tree as &(dyn Tree + Sync)),
            _ => None,
        }));
        let entry = self.commit_upper(&key, parent, upper, &trees, &spools, place)?;
        if let Some(quick) = &quick {
            self.put(quick, &entry)?;
        }
        Ok(Done { key, cached: false, entry })
    }

    /// An ignore file that does not read.
    pub(super) fn check_ignore(&self, place: &Place) -> Result<()> {
        match self.context.broken_ignore() {
            None => Ok(()),
            Some(reason) => Err(BuildError::Instruction {
                place: Box::new(place.clone()),
                message: format!("the ignore file of the context does not read: {reason}"),
                help: Some("mend the pattern: what it leaves out cannot be told".to_owned()),
            }),
        }
    }

    /// A wildcard that no matcher reads.
    fn check_wildcards(&self, action: &CopyAction, place: &Place) -> Result<()> {
        let wild = action.sources.iter().filter(|source| !action.add || !fetch::is_remote(source));
        for source in wild.filter(|source| has_wildcard(source)) {
            if let Err(error) = Ignore::from_patterns([source.as_str()]) {
                return Err(BuildError::Instruction {
                    place: Box::new(place.clone()),
                    message: format!("{source}: {error}"),
                    help: Some("put a backslash before what is meant literally".to_owned()),
                });
            }
        }
        Ok(())
    }

    /// Names of users are looked up in what is below; nothing below knows none.
    fn check_owner(&self, action: &CopyAction, place: &Place) -> Result<()> {
        let names = action.chown.iter().flat_map(|owner| owner.splitn(2, ':'));
        match names.into_iter().find(|name| !name.is_empty() && *name != "root" && number(name).is_none()) {
            None => Ok(()),
            Some(name) => Err(BuildError::Instruction {
                place: Box::new(place.clone()),
                message: format!("--chown={name}: this layer stands on nothing that could say who {name} is"),
                help: Some("give the numbers: --chown=UID:GID".to_owned()),
            }),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one call, from what was found to where it goes")]
    fn fill(
        &self,
        upper: &mut Upper<'_>,
        tree: &(dyn Tree + Sync),
        action: &CopyAction,
        taken: &[Taken],
        copying: &Copying,
        spools: &mut Vec<File>,
        place: &Place,
    ) -> Result<()> {
        let refused = |error: super::copy::CopyError| BuildError::Copy {
            place: Box::new(place.clone()),
            path: Path::new("/").join(error.path),
            reason: error.reason,
        };
        let mut trees = 1;
        for taken in taken {
            match taken {
                Taken::Commit(_) => {}
                Taken::Checkout(checkout) => {
                    copy(upper, &checkout.tree, trees, &checkout.source, &action.destination, copying)
                        .map_err(refused)?;
                    trees += 1;
                }
                Taken::Source(source) => {
                    if action.add && action.unpack != Some(false) && source.node.kind == NodeKind::File {
                        let opened = tree.open(&source.root).map_err(|error| BuildError::Copy {
                            place: Box::new(place.clone()),
                            path: source.root.clone(),
                            reason: error.to_string(),
                        })?;
                        if let Some(spool) =
                            archive::open(opened, self.store).map_err(|e| self.unpack_error(e, source, place))?
                        {
                            let number = spools.len();
                            archive::unpack(&spool, number, upper, &action.destination, copying)
                                .map_err(|e| self.unpack_error(e, source, place))?;
                            spools.push(spool);
                            continue;
                        }
                    }
                    copy(upper, tree, 0, source, &action.destination, copying).map_err(refused)?;
                }
                Taken::Remote(fetched) => {
                    let number = spools.len();
                    let file = fetched.file.try_clone().map_err(|source| BuildError::Layer {
                        place: Box::new(place.clone()),
                        source: SnapshotError::from(LayerError::Stream { action: "read", source }),
                    })?;
                    if action.unpack == Some(true)
                        && let Some(spool) =
                            archive::open(file.try_clone().map_err(|e| self.spool_error(e, place))?, self.store)
                                .map_err(|e| self.spool_error(e, place))?
                    {
                        archive::unpack(&spool, number, upper, &action.destination, copying)
                            .map_err(|e| self.spool_error(e, place))?;
                        spools.push(spool);
                        continue;
                    }
                    let content = Content::Spool { spool: number, offset: 0, size: fetched.size };
                    self.put_named(upper, &fetched.name, content, 0o600, fetched.mtime, action, copying)
                        .map_err(refused)?;
                    spools.push(file);
                }
            }
        }
        for (name, text) in &action.inline {
            let content = Content::Bytes(text.clone().into_bytes());
            self.put_named(upper, name, content, 0o644, upper.now(), action, copying).map_err(refused)?;
        }
        Ok(())
    }

    /// Puts a file of that name at or in the destination.
    #[expect(clippy::too_many_arguments, reason = "a file's own facts, and where it goes")]
    fn put_named(
        &self,
        upper: &mut Upper<'_>,
        name: &str,
        content: Content,
        mode: u32,
        mtime: i64,
        action: &CopyAction,
        copying: &Copying,
    ) -> Result<(), super::copy::CopyError> {
        let mut target = land(upper, &action.destination, copying)?;
        let fail = |target: &Path, error: std::io::Error| super::copy::CopyError {
            path: target.to_owned(),
            reason: error.to_string(),
        };
        if upper.node(&target).map_err(|e| fail(&target, e))?.is_some_and(|node| node.is_dir()) {
            target.push(Path::new(name).file_name().unwrap_or_default());
        }
        make_parent(upper, &target, copying)?;
        let made = Made::new(Body::File(content), copying.manner(mode, (0, 0), false), mtime);
        upper.put(target.clone(), made).map_err(|e| fail(&target, e))
    }

    fn spool_error(&self, source: std::io::Error, place: &Place) -> BuildError {
        BuildError::Layer {
            place: Box::new(place.clone()),
            source: SnapshotError::from(LayerError::Stream { action: "unpack", source }),
        }
    }

    fn unpack_error(&self, error: std::io::Error, source: &Source, place: &Place) -> BuildError {
        BuildError::Copy {
            place: Box::new(place.clone()),
            path: Path::new("/").join(&source.name),
            reason: format!("the archive cannot be unpacked: {error}"),
        }
    }

    /// What the key of every step has.
    pub(super) fn key(&self, kind: &[u8], parent: &[Layer]) -> Hasher {
        let mut hasher = Hasher::new();
        field(&mut hasher, KEY_VERSION);
        field(&mut hasher, kind);
        field(&mut hasher, &chain(parent));
        field(&mut hasher, self.options.epoch.map(i64::to_le_bytes).as_ref().map_or(&[][..], |bytes| bytes));
        hasher
    }

    fn said(&self, action: &CopyAction, parent: &[Layer]) -> Hasher {
        let mut hasher = self.key(if action.add { b"add" } else { b"copy" }, parent);
        let chmod = match &action.chmod {
            None => String::new(),
            Some(Chmod::Octal(mode)) => format!("{mode:o}"),
            Some(Chmod::Symbolic(text)) => text.clone(),
        };
        let flags = [
            u8::from(action.link),
            u8::from(action.parents),
            u8::from(action.keep_git_dir),
            action.unpack.map_or(2, u8::from),
            u8::from(action.from.is_some()),
        ];
        field(&mut hasher, action.destination.as_bytes());
        field(&mut hasher, action.chown.as_deref().unwrap_or_default().as_bytes());
        field(&mut hasher, chmod.as_bytes());
        field(&mut hasher, &flags);
        field(&mut hasher, &(action.sources.len() as u64).to_le_bytes());
        for text in action.sources.iter().chain(&action.exclude) {
            field(&mut hasher, text.as_bytes());
        }
        for (name, text) in &action.inline {
            field(&mut hasher, name.as_bytes());
            field(&mut hasher, text.as_bytes());
        }
        hasher
    }

    /// The time of what has none: the newest of what is copied, so that the same files give the same layer.
    fn time_of(&self, taken: &[Taken], inline: bool) -> i64 {
        if self.options.epoch.is_some() || inline {
            return self.now();
        }
        let newest = taken
            .iter()
            .flat_map(|taken| match taken {
                Taken::Source(source) => {
                    let own = (!source.node.is_dir()).then_some(source.node.mtime.0);
                    own.into_iter().chain(source.below.iter().map(|below| below.node.mtime.0)).collect::<Vec<_>>()
                }
                Taken::Remote(fetched) => vec![fetched.mtime],
                Taken::Checkout(checkout) => vec![checkout.source.node.mtime.0],
                Taken::Commit(_) => Vec::new(),
            })
            .max();
        newest.unwrap_or_else(|| self.now())
    }

    /// These layers as a tree, mounted; nothing for no layers.
    fn mounted(&self, layers: &[Layer], place: &Place) -> Result<Option<Mounted>> {
        if layers.is_empty() {
            return Ok(None);
        }
        let view = self.snapshots.view(layers).map_err(|e| self.snapshot_error(e, place))?;
        let tree = DirTree::open(view.root()).map_err(|source| BuildError::Layer {
            place: Box::new(place.clone()),
            source: SnapshotError::from(LayerError::Io { action: "open", path: view.root().to_owned(), source }),
        })?;
        Ok(Some(Mounted { tree, _view: view }))
    }

    fn commit_upper(
        &self,
        key: &Digest,
        parent: &[Layer],
        upper: Upper<'_>,
        trees: &[&(dyn Tree + Sync)],
        spools: &[File],
        place: &Place,
    ) -> Result<Cached> {
        let layer = self
            .snapshots
            .commit_tar(parent, &CommitOptions::default(), |writer| {
                upper.write(writer, trees, spools).map_err(SnapshotError::from)
            })
            .map_err(|e| self.snapshot_error(e, place))?;
        self.keep(key, layer)
    }

    /// `user[:group]` in a root: names are looked up there, and one that is not there is root, as BuildKit has it.
    pub(super) fn owner(&self, root: &dyn Tree, spec: &str) -> (u32, u32) {
        let (user, group) = match spec.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (spec, None),
        };
        let accounts = |path: &str| -> Arc<str> {
            let bytes = read_small(root, Path::new(path), MAX_ACCOUNTS).ok().flatten().unwrap_or_default();
            Arc::from(String::from_utf8_lossy(&bytes))
        };
        let (uid, own_group) = match number(user) {
            Some(uid) => (uid, uid),
            None if user.is_empty() => (0, 0),
            None => {
                let passwd = accounts("etc/passwd");
                let found = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find_map(|fields| {
                    match fields.as_slice() {
                        [name, _, uid, gid, ..] if *name == user => Some((uid.parse().ok()?, gid.parse().ok()?)),
                        _ => None,
                    }
                });
                found.unwrap_or((0, 0))
            }
        };
        let gid = match group {
            None => own_group,
            Some("") => 0,
            Some(group) => number(group).unwrap_or_else(|| {
                let groups = accounts("etc/group");
                let found = groups.lines().map(|line| line.split(':').collect::<Vec<_>>()).find_map(|fields| {
                    match fields.as_slice() {
                        [name, _, gid, ..] if *name == group => gid.parse().ok(),
                        _ => None,
                    }
                });
                found.unwrap_or(own_group)
            }),
        };
        (uid, gid)
    }

    fn gather_error(&self, error: GatherError, origin: &Origin, place: &Place) -> BuildError {
        match error {
            GatherError::NotFound { source } => {
                let (origin, ignored, similar) = match origin {
                    Origin::Context => {
                        let path = clean(Path::new(&source));
                        ("the build context".to_owned(), self.context.leaves_out(&path), similar(&self.context, &path))
                    }
                    Origin::Image { name, .. } => (name.clone(), false, None),
                };
                BuildError::NotFound { place: Box::new(place.clone()), source_path: source, origin, ignored, similar }
            }
            GatherError::Io { path, source } => match origin {
                Origin::Context => BuildError::Context { path: self.context.path().join(path), source },
                Origin::Image { .. } => BuildError::Layer {
                    place: Box::new(place.clone()),
                    source: SnapshotError::from(LayerError::Io {
                        action: "read",
                        path: Path::new("/").join(path),
                        source,
                    }),
                },
            },
            GatherError::Pattern(message) => {
                BuildError::Instruction { place: Box::new(place.clone()), message, help: None }
            }
        }
    }
}

/// An ID, when it is one: BuildKit reads larger numbers as names.
fn number(text: &str) -> Option<u32> {
    text.parse::<i32>().ok().and_then(|id| u32::try_from(id).ok())
}

/// A name beside `path` that looks like it.
fn similar(tree: &dyn Tree, path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let parent = path.parent().unwrap_or_else(|| Path::new(""));
    let entries = tree.entries(parent).ok()?;
    let names = entries.iter().filter_map(|(name, _)| name.to_str());
    let near = names
        .map(|other| (distance(&name.to_lowercase(), &other.to_lowercase()), other))
        .filter(|(distance, _)| *distance <= 1 + name.len() / 4)
        .min()?;
    Some(parent.join(near.1).to_string_lossy().into_owned())
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let here = (diagonal + usize::from(from != *to)).min(left + 1).min(*above + 1);
            diagonal = std::mem::replace(above, here);
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
