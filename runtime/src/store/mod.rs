//! Images on disk: an OCI image layout with what a builder needs beside it.
//!
//! ```text
//! oci-layout  index.json  blobs/sha256/…      any OCI tool reads these
//! layers/<diff id>.json                       uncompressed size of a layer, and its compressed forms
//! snapshots/<ID map>/<chain id>/fs            unpacked layers, ready to be stacked
//! cache/<key>.json                            what build steps gave
//! tmp/                                        everything unfinished
//! lock  index.lock  boot
//! ```
//! Everything is published by a rename inside the same filesystem, so a process killed at any moment leaves only things
//! below `tmp/` or unreferenced blobs; [`Store::prune`] removes both. Every user of a store holds a shared lock on it,
//! pruning an exclusive one.

mod cache;
mod error;
mod index;
mod prune;
mod scratch;
mod usage;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::digest::{Digest, Hasher, chain_id};
use crate::image::{BlobRef, Descriptor, Image, ImageConfig, Index, Layer, Manifest, Platform, media};
use crate::layer::decode;

pub use error::StoreError;
pub(crate) use error::io_error;
pub use index::Tagged;
pub use prune::{Problem, PruneOptions, Pruned, Verified};
pub use scratch::Scratch;
pub(crate) use scratch::{remove_tree, remove_tree_at};
pub use usage::{Share, Usage};

/// The largest manifest, index or configuration that is read.
const MAX_JSON: u64 = 16 << 20;
/// The most layers an image may have.
const MAX_LAYERS: usize = 500;

/// A store of images. Cloning is cheap; all clones share one lock, held until the last is dropped.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    lock: File,
    next: AtomicU64,
}

/// What `layers/<diff id>.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    /// Size of the uncompressed tar.
    pub(crate) size: u64,
    /// Compressed forms of it.
    #[serde(default)]
    pub(crate) blobs: Vec<Descriptor>,
}

impl Store {
    /// Opens the store in this directory and makes it when there is none. Waits while it is being pruned.
    pub fn open(root: impl AsRef<Path>) -> Result<Store, StoreError> {
        let root = root.as_ref();
        if !root.join("oci-layout").exists() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(0o700);
            builder.create(root).map_err(io_error("create the store", root))?;
            for name in ["blobs/sha256", "layers", "snapshots", "cache", "tmp"] {
                let path = root.join(name);
                fs::create_dir_all(&path).map_err(io_error("create", &path))?;
            }
        }
        let root = root.canonicalize().map_err(io_error("open the store", root))?;
        let path = root.join("lock");
        let lock = open_lock(&path)?;
        lock.lock_shared().map_err(io_error("lock", &path))?;
        let store = Store(Arc::new(Inner { root, lock, next: AtomicU64::new(0) }));
        if !store.path("index.json").exists() {
            let _guard = store.lock_index()?;
            if !store.path("index.json").exists() {
                store.write_index(&Index::default())?;
            }
        }
        if !store.path("oci-layout").exists() {
            store.publish(br#"{"imageLayoutVersion":"1.0.0"}"#, &store.path("oci-layout"))?;
        }
        store.forget_snapshots_of_another_boot()?;
        Ok(store)
    }

    /// Where the store is when nobody says: `PLIMSOLL_STORE`, or `plimsoll` below the XDG data directory.
    pub fn default_root() -> PathBuf {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(store) = variable("PLIMSOLL_STORE") {
            return store;
        }
        let data = variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
        let data = data.or_else(|| variable("HOME").map(|home| home.join(".local/share")));
        data.unwrap_or_else(|| PathBuf::from("/var/lib")).join("plimsoll")
    }

    /// The store's directory, an absolute path without symbolic links.
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// A directory of the store's owner beside the images, made when missing; pruning leaves it alone.
    pub fn private_dir(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.path(name);
        if !path.is_dir() {
            fs::create_dir_all(&path).map_err(io_error("create", &path))?;
        }
        Ok(path)
    }

    /// A directory below `tmp/` that is removed, with all it holds, when the value is dropped.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        loop {
            let path = self.temp_path();
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Scratch::new(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error("create", &path)(error)),
            }
        }
    }

    /// Where a blob is, or would be.
    pub fn blob_path(&self, digest: &Digest) -> PathBuf {
        let mut path = self.path("blobs/sha256");
        path.push(digest.hex());
        path
    }

    /// Whether this blob is here.
    pub fn has(&self, digest: &Digest) -> bool {
        self.blob_path(digest).is_file()
    }

    /// Whether this blob is here with its full size.
    pub fn has_blob(&self, blob: &BlobRef) -> bool {
        fs::metadata(self.blob_path(&blob.digest)).is_ok_and(|meta| meta.is_file() && meta.len() == blob.size)
    }

    /// Starts a new blob.
    pub fn writer(&self) -> Result<BlobWriter, StoreError> {
        loop {
            let path = self.temp_path();
            match OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(&path) {
                Ok(file) => {
                    let hasher = Some(Hasher::new());
                    return Ok(BlobWriter {
                        store: self.clone(),
                        path: Some(path),
                        file,
                        hasher,
                        size: 0,
                        kept: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(io_error("create", &path)(error)),
            }
        }
    }

    /// A writer that goes on where an earlier one for this blob was cut off, be it by the end of its process. Where another
    /// process is at it, or nothing is there, it begins anew.
    pub fn resume(&self, wanted: &BlobRef) -> Result<BlobWriter, StoreError> {
        let path = self.path("tmp").join(format!("blob-{}", wanted.digest.hex()));
        let failed = || io_error("open", &path);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o644);
        let mut file = options.open(&path).map_err(failed())?;
        // Whoever had it may have published it between the opening and the lock: then this is the blob, and not ours to write.
        let place = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let is_there = |file: &File| {
            fs::metadata(&path).is_ok_and(|meta| file.metadata().is_ok_and(|own| place(own) == place(meta)))
        };
        if file.try_lock().is_err() || !is_there(&file) {
            return self.writer();
        }
        let mut hasher = Hasher::new();
        let mut size = io::copy(&mut (&file).take(wanted.size.saturating_add(1)), &mut hasher).map_err(failed())?;
        if size > wanted.size {
            file.set_len(0).and_then(|()| file.rewind()).map_err(failed())?;
            (hasher, size) = (Hasher::new(), 0);
        }
        Ok(BlobWriter { store: self.clone(), path: Some(path), file, hasher: Some(hasher), size, kept: false })
    }

    /// Stores these bytes.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<BlobRef, StoreError> {
        let blob = BlobRef { digest: Digest::of(bytes), size: bytes.len() as u64 };
        if !self.has_blob(&blob) {
            self.publish(bytes, &self.blob_path(&blob.digest))?;
        }
        Ok(blob)
    }

    /// Opens a blob for streaming. Who reads it to the end must hash it, as unpacking and exporting do; a blob whose
    /// size is known should be asked for with [`Store::open_sized`].
    pub fn open_blob(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.blob_path(digest);
        match File::open(&path) {
            Ok(file) => Ok(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::Missing { digest: *digest }),
            Err(error) => Err(io_error("open", &path)(error)),
        }
    }

    /// Opens a blob whose size must be this.
    pub fn open_sized(&self, blob: &BlobRef) -> Result<File, StoreError> {
        let file = self.open_blob(&blob.digest)?;
        let actual = file.metadata().map_err(io_error("inspect", self.blob_path(&blob.digest)))?.len();
        if actual != blob.size {
            return Err(StoreError::Size { digest: blob.digest, expected: blob.size, actual });
        }
        Ok(file)
    }

    /// Reads a small blob (manifest, index, configuration) and checks its digest.
    pub fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let file = self.open_blob(digest)?;
        file.take(MAX_JSON + 1).read_to_end(&mut bytes).map_err(io_error("read", self.blob_path(digest)))?;
        if bytes.len() as u64 > MAX_JSON {
            return Err(StoreError::invalid(digest, format!("it is larger than {MAX_JSON} bytes")));
        }
        let actual = Digest::of(&bytes);
        if actual != *digest {
            return Err(StoreError::Digest { expected: *digest, actual });
        }
        Ok(bytes)
    }

    /// Writes configuration and manifest of an image whose layers are in the store.
    pub fn put_image(
        &self,
        config: &ImageConfig,
        layers: &[Layer],
        annotations: &BTreeMap<String, String>,
    ) -> Result<Image, StoreError> {
        let mut config = config.clone();
        config.rootfs.diff_ids = layers.iter().map(|layer| layer.diff_id).collect();
        "layers".clone_into(&mut config.rootfs.kind);
        let config_blob = self.put_bytes(&to_json(&config))?;
        let mut descriptors = Vec::with_capacity(layers.len());
        for layer in layers {
            let blob = layer.blob.ok_or(StoreError::Missing { digest: layer.diff_id })?;
            descriptors.push(Descriptor::new(&layer.media_type, blob));
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: media::MANIFEST.to_owned(),
            config: Descriptor::new(media::CONFIG, config_blob),
            layers: descriptors,
            annotations: annotations.clone(),
            other: BTreeMap::new(),
        };
        let manifest = self.put_bytes(&to_json(&manifest))?;
        Ok(Image {
            manifest: manifest.digest,
            config_digest: config_blob.digest,
            config,
            layers: layers.to_vec(),
            annotations: annotations.clone(),
        })
    }

    /// The image with this manifest (or, of an index, the manifest for this machine).
    pub fn image(&self, manifest: &Digest) -> Result<Image, StoreError> {
        self.image_for(manifest, &Platform::host())
    }

    /// The image with this manifest or, of an index, the manifest for this platform.
    pub fn image_for(&self, manifest: &Digest, platform: &Platform) -> Result<Image, StoreError> {
        let mut digest = *manifest;
        let mut bytes = self.read_blob(&digest)?;
        for _ in 0..4 {
            let Some(index) = as_index(&bytes) else { break };
            let chosen = choose(&index, platform)
                .ok_or_else(|| StoreError::invalid(&digest, format!("it has no image for {platform}")))?;
            digest = chosen.digest;
            bytes = self.read_blob(&digest)?;
        }
        let bad_json = |what: &'static str, digest: &Digest, source| StoreError::Json {
            what,
            path: self.blob_path(digest),
            source,
        };
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(|source| bad_json("the manifest", &digest, source))?;
        let config: ImageConfig = serde_json::from_slice(&self.read_blob(&manifest.config.digest)?)
            .map_err(|source| bad_json("the configuration", &manifest.config.digest, source))?;
        let diff_ids = &config.rootfs.diff_ids;
        if diff_ids.len() != manifest.layers.len() {
            let reason = format!("{} layers in it, {} in its configuration", manifest.layers.len(), diff_ids.len());
            return Err(StoreError::invalid(&digest, reason));
        }
        if diff_ids.len() > MAX_LAYERS {
            return Err(StoreError::invalid(&digest, format!("it has more than {MAX_LAYERS} layers")));
        }
        let mut made_by = config.history.iter().filter(|entry| !entry.empty_layer);
        let mut layers = Vec::with_capacity(diff_ids.len());
        let mut below: Option<Digest> = None;
        for (descriptor, diff_id) in manifest.layers.iter().zip(diff_ids) {
            let chain = chain_id(below.as_ref(), diff_id);
            below = Some(chain);
            let created_by = made_by.next().and_then(|entry| entry.created_by.clone());
            layers.push(self.layer(descriptor, diff_id, chain, created_by)?);
        }
        Ok(Image {
            manifest: digest,
            config_digest: manifest.config.digest,
            config,
            layers,
            annotations: manifest.annotations,
        })
    }

    fn layer(
        &self,
        descriptor: &Descriptor,
        diff_id: &Digest,
        chain_id: Digest,
        created_by: Option<String>,
    ) -> Result<Layer, StoreError> {
        let blob = descriptor.blob();
        let size = if descriptor.digest == *diff_id {
            blob.size
        } else {
            match self.layer_record(diff_id) {
                Some(record) => record.size,
                None => self.measure(descriptor, diff_id)?,
            }
        };
        let media_type = descriptor.media_type.clone();
        Ok(Layer { diff_id: *diff_id, chain_id, size, media_type, blob: Some(blob), created_by })
    }

    /// Reads a compressed layer through for its uncompressed size, checks both digests and notes the result.
    pub(crate) fn measure(&self, descriptor: &Descriptor, diff_id: &Digest) -> Result<u64, StoreError> {
        let file = self.open_sized(&descriptor.blob())?;
        let path = self.blob_path(&descriptor.digest);
        let mut outer = decode::Hashing::new(file);
        let mut inner = decode::Hashing::new(decode::decoder(&mut outer).map_err(io_error("read", &path))?);
        io::copy(&mut inner, &mut io::sink()).map_err(io_error("decompress", &path))?;
        let (actual, size) = inner.finish_counted();
        // What follows the compressed stream still belongs to the blob.
        io::copy(&mut outer, &mut io::sink()).map_err(io_error("read", &path))?;
        let whole = outer.finish_counted().0;
        if whole != descriptor.digest {
            return Err(StoreError::Digest { expected: descriptor.digest, actual: whole });
        }
        if actual != *diff_id {
            return Err(StoreError::Digest { expected: *diff_id, actual });
        }
        self.note_layer(diff_id, size, Some(descriptor))?;
        Ok(size)
    }

    /// What is noted of a layer.
    pub(crate) fn layer_record(&self, diff_id: &Digest) -> Option<LayerRecord> {
        let bytes = fs::read(self.path("layers").join(format!("{}.json", diff_id.hex()))).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Notes a layer's uncompressed size and a compressed form of it.
    pub(crate) fn note_layer(
        &self,
        diff_id: &Digest,
        size: u64,
        compressed: Option<&Descriptor>,
    ) -> Result<(), StoreError> {
        let mut record = self.layer_record(diff_id).unwrap_or(LayerRecord { size, blobs: Vec::new() });
        if let Some(new) = compressed
            && !record.blobs.iter().any(|old| old.digest == new.digest)
        {
            record.blobs.push(Descriptor::new(&new.media_type, new.blob()));
        } else if compressed.is_some() && record.size == size {
            return Ok(());
        }
        record.size = size;
        self.publish(&to_json(&record), &self.path("layers").join(format!("{}.json", diff_id.hex())))
    }

    /// Everything written so far is on the disk when this returns.
    pub fn sync(&self) -> Result<(), StoreError> {
        nix::unistd::syncfs(&self.0.lock).map_err(|errno| io_error("sync", &self.0.root)(errno.into()))
    }

    /// Writes a file beside its place and renames it there.
    pub(crate) fn publish(&self, bytes: &[u8], path: &Path) -> Result<(), StoreError> {
        let mut temp = Unfinished { path: Some(self.temp_path()) };
        let place = temp.path.clone().unwrap_or_default();
        let written = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&place);
        written.and_then(|mut file| file.write_all(bytes)).map_err(io_error("write", &place))?;
        fs::rename(&place, path).map_err(io_error("create", path))?;
        temp.path = None;
        Ok(())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.root.join(name)
    }

    pub(crate) fn temp_path(&self) -> PathBuf {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let nanos = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.subsec_nanos());
        // The address tells apart two stores of one process, the time two processes with one number in two namespaces.
        let own = Arc::as_ptr(&self.0) as usize;
        self.path("tmp").join(format!("{}-{own:x}-{number}-{nanos}", std::process::id()))
    }

    /// Unpacked files that were not on the disk when a machine stopped may be there with their names and without
    /// their bytes; blobs are hashed whenever they are unpacked, so those of another boot are made anew from them.
    fn forget_snapshots_of_another_boot(&self) -> Result<(), StoreError> {
        let Ok(current) = fs::read("/proc/sys/kernel/random/boot_id") else { return Ok(()) };
        let path = self.path("boot");
        if fs::read(&path).is_ok_and(|known| known == current) {
            return Ok(());
        }
        let _guard = self.lock_index()?;
        match fs::read(&path) {
            Ok(known) if known == current => return Ok(()),
            Ok(_) => {
                let old = self.scratch()?;
                let snapshots = self.path("snapshots");
                fs::rename(&snapshots, old.path().join("snapshots")).map_err(io_error("move", &snapshots))?;
                fs::create_dir(&snapshots).map_err(io_error("create", &snapshots))?;
            }
            Err(_) => {}
        }
        self.publish(&current, &path)
    }
}

/// JSON as it is stored. These types hold nothing that cannot be written.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// The index in these bytes, if that is what they hold.
pub(crate) fn as_index(bytes: &[u8]) -> Option<Index> {
    serde_json::from_slice::<Index>(bytes).ok().filter(|index| {
        media::is_index(&index.media_type) || (index.media_type.is_empty() && !index.manifests.is_empty())
    })
}

/// The manifest of an index for this platform.
pub(crate) fn choose<'i>(index: &'i Index, platform: &Platform) -> Option<&'i Descriptor> {
    let image = |descriptor: &&Descriptor| {
        descriptor.annotations.get("vnd.docker.reference.type").map(String::as_str) != Some("attestation-manifest")
    };
    let manifests: Vec<&Descriptor> = index.manifests.iter().filter(image).collect();
    let satisfies = |exact: bool, descriptor: &&&Descriptor| {
        descriptor.platform.as_ref().is_some_and(|found| {
            found.satisfies(platform)
                || (!exact && found.os == platform.os && found.architecture == platform.architecture)
        })
    };
    manifests
        .iter()
        .find(|descriptor| satisfies(true, descriptor))
        .or_else(|| manifests.iter().find(|descriptor| satisfies(false, descriptor)))
        .or_else(|| manifests.first().filter(|only| manifests.len() == 1 && only.platform.is_none()))
        .copied()
}

fn open_lock(path: &Path) -> Result<File, StoreError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path);
    open.map_err(io_error("open", path))
}

/// A file below `tmp/` that goes away unless it was renamed.
struct Unfinished {
    path: Option<PathBuf>,
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}

/// A blob being written. It is nowhere to be seen until [`BlobWriter::commit`] and goes away when dropped before.
#[derive(Debug)]
pub struct BlobWriter {
    store: Store,
    path: Option<PathBuf>,
    file: File,
    hasher: Option<Hasher>,
    size: u64,
    kept: bool,
}

impl BlobWriter {
    /// Leaves what was written so far to the next [`Store::resume`] for the same blob.
    pub fn keep(mut self) {
        self.kept = true;
    }

    /// Bytes written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Publishes the blob under its digest. With `expected`, digest and size must be these or nothing is published.
    pub fn commit(mut self, expected: Option<&BlobRef>) -> Result<BlobRef, StoreError> {
        let digest = self.hasher.take().unwrap_or_default().finish();
        let blob = BlobRef { digest, size: self.size };
        if let Some(expected) = expected {
            if expected.digest != digest {
                return Err(StoreError::Digest { expected: expected.digest, actual: digest });
            }
            if expected.size != self.size {
                return Err(StoreError::Size { digest, expected: expected.size, actual: self.size });
            }
        }
        self.publish(blob)
    }

    fn publish(mut self, blob: BlobRef) -> Result<BlobRef, StoreError> {
        if self.store.has_blob(&blob) {
            return Ok(blob);
        }
        if let Some(path) = self.path.take() {
            let place = self.store.blob_path(&blob.digest);
            if let Err(error) = fs::rename(&path, &place) {
                self.path = Some(path);
                return Err(io_error("create", &place)(error));
            }
        }
        Ok(blob)
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[..written]);
        }
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if let (Some(path), false) = (&self.path, self.kept) {
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests;
