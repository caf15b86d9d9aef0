//! What a store takes on disk.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

use super::prune::{Reachable, children, name_of};
use super::{Store, StoreError, io_error};
use crate::digest::Digest;

/// Kinds of things in a store: how many, and their bytes on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Different images that have a name, and the blobs they need.
    pub images: Share,
    /// Unpacked layers.
    pub snapshots: Share,
    /// Results of build steps, and the blobs that only they need.
    pub results: Share,
    /// Blobs that nothing needs: what pruning frees.
    pub unneeded: Share,
}

/// How many, and how large.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// How many there are.
    pub count: usize,
    /// Bytes on disk.
    pub bytes: u64,
}

impl Store {
    /// Counts what is there. Others may add to it meanwhile.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let mut usage = Usage::default();
        let mut of_images = Reachable::default();
        let mut images = HashSet::new();
        for entry in &self.read_index()?.manifests {
            images.insert(entry.digest);
            self.reach(&entry.digest, &mut of_images, 0);
        }
        usage.images.count = images.len();
        let mut of_results = Reachable::default();
        usage.results.count = self.read_cache(&mut of_results)?;
        let blobs = self.path("blobs/sha256");
        for path in children(&blobs)? {
            let Some(digest) = name_of(&path).and_then(|name| Digest::from_hex(name).ok()) else { continue };
            let share = if of_images.digests.contains(&digest) {
                &mut usage.images
            } else if of_results.digests.contains(&digest) {
                &mut usage.results
            } else {
                usage.unneeded.count += 1;
                &mut usage.unneeded
            };
            share.bytes += fs::metadata(&path).map_or(0, |meta| meta.blocks() * 512);
        }
        let mut seen = HashSet::new();
        for mode in children(&self.path("snapshots"))? {
            for path in children(&mode)? {
                usage.snapshots.count += usize::from(path.is_dir());
                for entry in walkdir::WalkDir::new(&path) {
                    // Somebody else's files, or files that are just being removed, are not counted.
                    let Ok(meta) = entry.and_then(|entry| entry.metadata()) else { continue };
                    if meta.nlink() < 2 || meta.is_dir() || seen.insert((meta.dev(), meta.ino())) {
                        usage.snapshots.bytes += meta.blocks() * 512;
                    }
                }
            }
        }
        Ok(usage)
    }

    fn read_cache(&self, reachable: &mut Reachable) -> Result<usize, StoreError> {
        let mut count = 0;
        for path in children(&self.path("cache"))? {
            let bytes = match fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io_error("read", &path)(error)),
            };
            if let Ok(value) = serde_json::from_slice(&bytes) {
                reachable.note(&value);
                count += 1;
            }
        }
        Ok(count)
    }
}
