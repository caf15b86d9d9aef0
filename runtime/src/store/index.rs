//! Names of images: `index.json`, changed under a lock and replaced by rename.

use std::fs::{self, File};
use std::io::Write;

use serde_json::Value;

use super::{Store, StoreError, as_index, choose, io_error, open_lock, to_json};
use crate::digest::Digest;
use crate::image::{BlobRef, Descriptor, Image, Index, Manifest, Platform, media};
use crate::reference::Reference;

/// A name in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Tagged {
    /// The full reference. What other tools wrote into the layout may be any text, or nothing.
    pub reference: Option<String>,
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Platform, when noted.
    pub platform: Option<Platform>,
}

/// Held while `index.json` is read and replaced.
pub(super) struct IndexGuard {
    _lock: File,
}

impl Store {
    /// The image of this name for this machine, if there is one. A reference with a digest also finds an untagged image.
    pub fn resolve(&self, reference: &str) -> Result<Option<Image>, StoreError> {
        self.resolve_for(reference, &Platform::host())
    }

    /// The image of this name for this platform, if there is one.
    pub fn resolve_for(&self, reference: &str, platform: &Platform) -> Result<Option<Image>, StoreError> {
        let reference = Reference::parse(reference)?;
        let full = reference.to_string();
        let index = self.read_index()?;
        let named: Vec<&Descriptor> = index.manifests.iter().filter(|entry| names(entry, &full)).collect();
        let exact = |entry: &&&Descriptor| entry.platform.as_ref().is_some_and(|found| found.satisfies(platform));
        let open = |entry: &&&Descriptor| entry.platform.is_none();
        if let Some(entry) = named.iter().find(exact).or_else(|| named.iter().find(open)) {
            let image = self.image_for(&entry.digest, platform)?;
            if image.config.architecture.is_empty() || image.platform().satisfies(platform) || entry.platform.is_some()
            {
                return Ok(Some(image));
            }
        }
        if let Some(digest) = reference.digest
            && self.has(&digest)
        {
            let bytes = self.read_blob(&digest)?;
            let here = as_index(&bytes)
                .is_none_or(|index| choose(&index, platform).is_some_and(|manifest| self.has(&manifest.digest)));
            if here {
                return self.image_for(&digest, platform).map(Some);
            }
        }
        Ok(None)
    }

    /// Gives an image a name, taking it from the image of the same platform that had it. A name that says so already
    /// is not written again.
    pub fn tag(&self, reference: &str, manifest: &Digest) -> Result<(), StoreError> {
        let full = Reference::parse(reference)?.to_string();
        self.name_manifest(&full, manifest)
    }

    /// As [`Store::tag`], for names that are no references (an archive may hold any).
    pub(crate) fn name_manifest(&self, full: &str, manifest: &Digest) -> Result<(), StoreError> {
        let bytes = self.read_blob(manifest)?;
        let size = bytes.len() as u64;
        let parsed: Manifest = serde_json::from_slice(&bytes).map_err(|source| StoreError::Json {
            what: "the manifest",
            path: self.blob_path(manifest),
            source,
        })?;
        let platform = self.platform_of(&parsed);
        let media_type = if parsed.media_type.is_empty() { media::MANIFEST } else { &parsed.media_type };
        let mut entry = Descriptor::new(media_type, BlobRef { digest: *manifest, size });
        entry.platform = platform;
        entry.annotations.insert(media::REF_NAME.to_owned(), full.to_owned());
        let same = |index: &Index| index.manifests.contains(&entry);
        if same(&self.read_index()?) {
            return Ok(());
        }
        let _guard = self.lock_index()?;
        let mut index = self.read_index()?;
        if same(&index) {
            return Ok(());
        }
        index.manifests.retain(|old| {
            !(names(old, full)
                && match (&old.platform, &entry.platform) {
                    (Some(old), Some(new)) => old.satisfies(new),
                    _ => true,
                })
        });
        index.manifests.push(entry);
        index.manifests.sort_by(|a, b| key(a).cmp(&key(b)));
        self.write_index(&index)
    }

    /// Takes a name away, for all platforms. False when there was none. The blobs stay until pruned.
    pub fn untag(&self, reference: &str) -> Result<bool, StoreError> {
        let full = Reference::parse(reference).map_or_else(|_| reference.to_owned(), |found| found.to_string());
        let _guard = self.lock_index()?;
        let mut index = self.read_index()?;
        let before = index.manifests.len();
        index.manifests.retain(|entry| !names(entry, &full));
        if index.manifests.len() == before {
            return Ok(false);
        }
        self.write_index(&index)?;
        Ok(true)
    }

    /// All names, sorted.
    pub fn list(&self) -> Result<Vec<Tagged>, StoreError> {
        let index = self.read_index()?;
        let tagged = index.manifests.into_iter().map(|entry| Tagged {
            reference: entry.annotations.get(media::REF_NAME).cloned(),
            manifest: entry.digest,
            platform: entry.platform,
        });
        let mut tagged: Vec<Tagged> = tagged.collect();
        tagged.sort_by(|a, b| (&a.reference, a.manifest).cmp(&(&b.reference, b.manifest)));
        Ok(tagged)
    }

    pub(super) fn lock_index(&self) -> Result<IndexGuard, StoreError> {
        let path = self.path("index.lock");
        let lock = open_lock(&path)?;
        lock.lock().map_err(io_error("lock", &path))?;
        Ok(IndexGuard { _lock: lock })
    }

    pub(super) fn read_index(&self) -> Result<Index, StoreError> {
        let path = self.path("index.json");
        let bytes = fs::read(&path).map_err(io_error("read", &path))?;
        serde_json::from_slice(&bytes).map_err(|source| StoreError::Json { what: "the index of images", path, source })
    }

    /// The names are what a power cut must not take, so this file alone is flushed before it gets its place.
    pub(super) fn write_index(&self, index: &Index) -> Result<(), StoreError> {
        let (temp, path) = (self.temp_path(), self.path("index.json"));
        let write = || {
            let mut file = File::create_new(&temp)?;
            file.write_all(&to_json(index))?;
            file.sync_data()?;
            fs::rename(&temp, &path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&temp);
            io_error("write", &path)(error)
        })
    }

    fn platform_of(&self, manifest: &Manifest) -> Option<Platform> {
        let config: Value = serde_json::from_slice(&self.read_blob(&manifest.config.digest).ok()?).ok()?;
        let text = |name: &str| config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        Some(Platform {
            os: text("os")?.to_owned(),
            architecture: text("architecture")?.to_owned(),
            variant: text("variant").map(str::to_owned),
            other: std::collections::BTreeMap::new(),
        })
    }
}

fn key(entry: &Descriptor) -> (Option<&String>, Digest) {
    (entry.annotations.get(media::REF_NAME), entry.digest)
}

/// Whether an entry has this name. Other tools write short names into a layout.
fn names(entry: &Descriptor, full: &str) -> bool {
    entry
        .annotations
        .get(media::REF_NAME)
        .is_some_and(|name| name == full || Reference::parse(name).is_ok_and(|reference| reference.to_string() == full))
}
