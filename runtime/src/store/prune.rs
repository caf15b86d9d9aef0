//! Removal of what nothing refers to, and the check of everything that is there.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::{Store, StoreError, as_index, io_error, remove_tree};
use crate::digest::{Digest, Hasher, chain_id};
use crate::image::{ImageConfig, Manifest};
use crate::owners;

/// What pruning keeps.
#[derive(Debug, Clone, Default)]
pub struct PruneOptions {
    /// Forget the step cache too, and with it the layers that only it refers to.
    pub cache: bool,
    /// Forget step cache entries that were not written within this time.
    pub cache_older_than: Option<Duration>,
    /// Forget unpacked layers; they are unpacked again when needed.
    pub snapshots: bool,
    /// Hash every blob first and remove the damaged ones.
    pub verify: bool,
}

/// What pruning removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Blobs.
    pub blobs: usize,
    /// Unpacked layers.
    pub snapshots: usize,
    /// Step cache entries.
    pub cache_entries: usize,
    /// Unfinished files and directories.
    pub unfinished: usize,
    /// Bytes of the removed blobs. Unpacked layers and unfinished things are not counted.
    pub bytes: u64,
}

/// What the check of a store saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Blobs hashed.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

/// Something wrong in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A blob's bytes do not have its digest.
    Damaged(Digest),
    /// A name that is no digest among the blobs.
    Foreign(PathBuf),
    /// An image that cannot be used, and why.
    Image(Option<String>, String),
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Problem::Damaged(digest) => write!(f, "blob {digest} does not have its digest"),
            Problem::Foreign(path) => write!(f, "{} is no blob", path.display()),
            Problem::Image(Some(name), reason) => write!(f, "image {name}: failed to {reason}"),
            Problem::Image(None, reason) => write!(f, "image without a name: failed to {reason}"),
        }
    }
}

/// Everything images and cache entries refer to.
#[derive(Default)]
pub(super) struct Reachable {
    pub(super) digests: HashSet<Digest>,
    pub(super) chains: HashSet<Digest>,
}

impl Reachable {
    /// Whatever a result of a step names.
    pub(super) fn note(&mut self, value: &Value) {
        let mut named = BTreeSet::new();
        digests_in(value, &mut named);
        self.digests.extend(&named);
        self.chains.extend(&named);
    }
}

impl Store {
    /// Removes what no image and no cache entry refers to, and everything unfinished. Fails with
    /// [`StoreError::Busy`] while another process uses the store.
    pub fn prune(&self, options: &PruneOptions) -> Result<Pruned, StoreError> {
        let _alone = self.alone()?;
        let mut pruned = Pruned::default();
        if options.verify {
            for problem in self.verify()?.problems {
                if let Problem::Damaged(digest) = problem {
                    self.remove_blob(&digest, &mut pruned)?;
                }
            }
        }
        let snapshots = self.path("snapshots");
        let tmp = self.path("tmp");
        for path in children(&tmp)? {
            // Mounts of a builder that was killed outside a namespace of its own.
            let _ = nix::mount::umount2(&path.join("root"), nix::mount::MntFlags::MNT_DETACH);
            remove_tree(&path).map_err(io_error("remove", &path))?;
            pruned.unfinished += 1;
        }
        let mut reachable = Reachable::default();
        for entry in &self.read_index()?.manifests {
            self.reach(&entry.digest, &mut reachable, 0);
        }
        self.reach_cache(options, &mut reachable, &mut pruned)?;
        let blobs = self.path("blobs/sha256");
        for path in children(&blobs)? {
            let digest = name_of(&path).and_then(|name| Digest::from_hex(name).ok());
            match digest {
                Some(digest) if !reachable.digests.contains(&digest) => self.remove_blob(&digest, &mut pruned)?,
                _ => {}
            }
        }
        let layers = self.path("layers");
        for path in children(&layers)? {
            let digest = name_of(&path).and_then(|name| Digest::from_hex(name.trim_end_matches(".json")).ok());
            if !digest.is_some_and(|digest| reachable.digests.contains(&digest)) {
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
            }
        }
        for mode in children(&snapshots)? {
            for path in children(&mode)? {
                let name = name_of(&path).map(|name| name.trim_end_matches(owners::SUFFIX));
                let chain = name.and_then(|name| Digest::from_hex(name).ok());
                if options.snapshots || !chain.is_some_and(|chain| reachable.chains.contains(&chain)) {
                    // Out of its place first, so that a kill in between leaves no half of it there.
                    let grave = self.scratch()?;
                    fs::rename(&path, grave.path().join("fs")).map_err(io_error("remove", &path))?;
                    pruned.snapshots += usize::from(name == name_of(&path));
                }
            }
        }
        Ok(pruned)
    }

    /// Hashes every blob and reads every image.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        let mut verified = Verified::default();
        let blobs = self.path("blobs/sha256");
        for path in children(&blobs)? {
            let Some(digest) = name_of(&path).and_then(|name| Digest::from_hex(name).ok()) else {
                verified.problems.push(Problem::Foreign(path));
                continue;
            };
            let mut hasher = Hasher::new();
            let mut file = File::open(&path).map_err(io_error("open", &path))?;
            verified.bytes += io::copy(&mut file, &mut hasher).map_err(io_error("read", &path))?;
            verified.blobs += 1;
            if hasher.finish() != digest {
                verified.problems.push(Problem::Damaged(digest));
            }
        }
        for tagged in self.list()? {
            let platform = tagged.platform.clone().unwrap_or_else(crate::image::Platform::host);
            match self.image_for(&tagged.manifest, &platform) {
                Err(error) => verified.problems.push(Problem::Image(tagged.reference, error.to_string())),
                Ok(image) => {
                    for blob in image.layers.iter().filter_map(|layer| layer.blob) {
                        if let Err(error) = self.open_sized(&blob) {
                            verified.problems.push(Problem::Image(tagged.reference.clone(), error.to_string()));
                        }
                    }
                }
            }
        }
        Ok(verified)
    }

    fn remove_blob(&self, digest: &Digest, pruned: &mut Pruned) -> Result<(), StoreError> {
        let path = self.blob_path(digest);
        pruned.bytes += fs::metadata(&path).map_or(0, |meta| meta.len());
        pruned.blobs += 1;
        fs::remove_file(&path).map_err(io_error("remove", &path))
    }

    /// Follows indexes and manifests. What does not read refers to nothing.
    pub(super) fn reach(&self, digest: &Digest, reachable: &mut Reachable, depth: usize) {
        if depth > 8 || !reachable.digests.insert(*digest) {
            return;
        }
        let Ok(bytes) = self.read_blob(digest) else { return };
        if let Some(index) = as_index(&bytes) {
            for entry in &index.manifests {
                self.reach(&entry.digest, reachable, depth + 1);
            }
        } else if let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) {
            reachable.digests.insert(manifest.config.digest);
            reachable.digests.extend(manifest.layers.iter().map(|layer| layer.digest));
            let config = self.read_blob(&manifest.config.digest).unwrap_or_default();
            if let Ok(config) = serde_json::from_slice::<ImageConfig>(&config) {
                let mut below = None;
                for diff_id in &config.rootfs.diff_ids {
                    let chain = chain_id(below.as_ref(), diff_id);
                    reachable.digests.insert(*diff_id);
                    reachable.chains.insert(chain);
                    below = Some(chain);
                }
            }
        }
    }

    fn reach_cache(
        &self,
        options: &PruneOptions,
        reachable: &mut Reachable,
        pruned: &mut Pruned,
    ) -> Result<(), StoreError> {
        let now = SystemTime::now();
        let cache = self.path("cache");
        for path in children(&cache)? {
            let age =
                || fs::metadata(&path).and_then(|meta| meta.modified()).ok().and_then(|at| now.duration_since(at).ok());
            let old = options.cache_older_than.is_some_and(|limit| age().is_some_and(|age| age > limit));
            let value = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            match value {
                Some(value) if !options.cache && !old => reachable.note(&value),
                _ => {
                    fs::remove_file(&path).map_err(io_error("remove", &path))?;
                    pruned.cache_entries += 1;
                }
            }
        }
        Ok(())
    }

    /// The exclusive lock, back to the shared one when dropped.
    fn alone(&self) -> Result<Alone<'_>, StoreError> {
        match self.0.lock.try_lock() {
            Ok(()) => Ok(Alone(self)),
            Err(_) => {
                // A failed conversion may have given up the shared lock.
                self.0.lock.lock_shared().map_err(io_error("lock", &self.0.root))?;
                Err(StoreError::Busy(self.0.root.clone()))
            }
        }
    }
}

struct Alone<'s>(&'s Store);

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        let _ = self.0.0.lock.lock_shared();
    }
}

fn digests_in(value: &Value, found: &mut BTreeSet<Digest>) {
    match value {
        Value::String(text) => found.extend(text.parse::<Digest>().ok()),
        Value::Array(values) => values.iter().for_each(|value| digests_in(value, found)),
        Value::Object(map) => {
            for (key, value) in map {
                found.extend(key.parse::<Digest>().ok());
                digests_in(value, found);
            }
        }
        _ => {}
    }
}

pub(super) fn children(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("list", dir)(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(io_error("list", dir))?.path());
    }
    paths.sort();
    Ok(paths)
}

pub(super) fn name_of(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}
