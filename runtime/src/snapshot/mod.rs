//! Root filesystems by chain ID: unpacked layers stacked with overlayfs.
//!
//! A layer is unpacked when a mount first needs it, never before; what a container wrote becomes the layer's unpacked form
//! by a rename. Unpacked forms are kept by ID map, since the owners on the disk depend on it.

mod error;
mod mount;
mod reaper;
mod unpack;

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::{Digest, chain_id};
use crate::image::{Layer, media};
use crate::layer::{DiffOptions, LayerWriter, Noted, TarWriter, XattrPrefix, write_diff};
use crate::owners;
use crate::store::Store;

pub use error::SnapshotError;
use reaper::{Mounted, Reaper};

/// Unpacked layers of a store. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Snapshots {
    store: Store,
    dir: PathBuf,
    prefix: XattrPrefix,
    reaper: Arc<Reaper>,
}

/// What a new layer says of itself.
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    /// The instruction, for [`Layer::created_by`].
    pub created_by: Option<String>,
    /// Times of the layer's entries later than this (seconds since 1970) become this.
    pub clamp: Option<i64>,
}

/// A writable root filesystem. It vanishes when dropped, unless committed.
#[derive(Debug)]
pub struct Active {
    mounted: Mounted,
    root: PathBuf,
    upper: PathBuf,
    parent: Vec<Layer>,
}

impl Active {
    /// The root filesystem.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What was written to it.
    pub fn upper(&self) -> &Path {
        &self.upper
    }

    /// The layers below.
    pub fn parent(&self) -> &[Layer] {
        &self.parent
    }

    /// A directory of the same filesystem that goes when this value goes, for files mounted into the root and the like.
    pub fn scratch(&self) -> &Path {
        self.mounted.path()
    }

    /// Whether anything was written.
    pub fn is_changed(&self) -> bool {
        fs::read_dir(&self.upper).map_or(true, |mut entries| entries.next().is_some())
    }
}

/// A root filesystem to read. Writing to it is refused where the kernel can tell.
#[derive(Debug)]
pub struct View {
    _mounted: Option<Mounted>,
    root: PathBuf,
}

impl View {
    /// The root filesystem.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Snapshots {
    /// The unpacked layers of this store, for the user namespace this process is in.
    pub fn new(store: &Store) -> Result<Snapshots, SnapshotError> {
        let prefix = XattrPrefix::here();
        let maps = |name: &str| fs::read(Path::new("/proc/self").join(name)).unwrap_or_default();
        let mode = match prefix {
            XattrPrefix::Trusted => "root".to_owned(),
            // Owners on the disk are what the map makes of those in the layers.
            XattrPrefix::User | XattrPrefix::Noted => {
                Digest::of(&[maps("uid_map"), maps("gid_map")].concat()).hex()[..16].to_owned()
            }
        };
        let dir = store.private_dir(&format!("snapshots/{mode}"))?;
        Ok(Snapshots { store: store.clone(), dir, prefix, reaper: Arc::default() })
    }

    /// The store below.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A writable root filesystem on top of these layers, lowest first.
    pub fn prepare(&self, parent: &[Layer]) -> Result<Active, SnapshotError> {
        let lower = self.ensure(parent)?;
        let scratch = self.store.scratch()?;
        let dir = scratch.path().to_owned();
        let (upper, work, root) = (dir.join("fs"), dir.join("work"), dir.join("root"));
        make_root(&upper, lower.first().map(PathBuf::as_path))?;
        if lower.is_empty() {
            let mounted = Mounted::new(&self.reaper, None, scratch);
            return Ok(Active { mounted, root: upper.clone(), upper, parent: parent.to_vec() });
        }
        for dir in [&work, &root] {
            fs::create_dir(dir).map_err(SnapshotError::io("create", dir))?;
        }
        let mount = mount::overlay(&self.dir, &lower, Some(&dir), &root, self.prefix)?;
        let mounted = Mounted::new(&self.reaper, Some(mount), scratch);
        Ok(Active { mounted, root, upper, parent: parent.to_vec() })
    }

    /// The layer of what was written. No process may be using the root any more.
    pub fn commit(&self, mut active: Active, options: &CommitOptions) -> Result<Layer, SnapshotError> {
        // Taking the mount away waits for every processor to notice; that needs nobody to wait with it.
        active.mounted.unmount();
        let lower = self.present(&active.parent);
        let mut writer = TarWriter::new(self.store.writer()?, options.clamp);
        let noted = write_diff(&active.upper, &lower, DiffOptions { prefix: self.prefix }, &mut writer)?;
        let layer = self.finish(&active.parent, writer, options)?;
        if layer.diff_id != Digest::EMPTY_LAYER {
            publish(&active.upper, &noted, &self.dir.join(layer.chain_id.hex()))?;
        }
        Ok(layer)
    }

    /// A layer of which `fill` writes the tar. It is not unpacked until a mount needs it.
    pub fn commit_tar<E: From<SnapshotError>>(
        &self,
        parent: &[Layer],
        options: &CommitOptions,
        fill: impl FnOnce(&mut LayerWriter) -> Result<(), E>,
    ) -> Result<Layer, E> {
        let mut writer = TarWriter::new(self.store.writer().map_err(SnapshotError::from)?, options.clamp);
        fill(&mut writer)?;
        Ok(self.finish(parent, writer, options)?)
    }

    /// The root filesystem of these layers, to be read.
    pub fn view(&self, layers: &[Layer]) -> Result<View, SnapshotError> {
        let lower = self.ensure(layers)?;
        match lower.as_slice() {
            [] => {
                let scratch = self.store.scratch()?;
                let root = scratch.path().join("fs");
                make_root(&root, None)?;
                Ok(View { _mounted: Some(Mounted::new(&self.reaper, None, scratch)), root })
            }
            // A layer with nothing below holds no marks of overlayfs: it is the root filesystem.
            [only] => Ok(View { _mounted: None, root: only.clone() }),
            _ => {
                let scratch = self.store.scratch()?;
                let root = scratch.path().join("root");
                fs::create_dir(&root).map_err(SnapshotError::io("create", &root))?;
                let links = scratch.path().to_owned();
                let mount = mount::overlay_read_only(&self.dir, &lower, &links, &root, self.prefix)?;
                Ok(View { _mounted: Some(Mounted::new(&self.reaper, Some(mount), scratch)), root })
            }
        }
    }

    /// Waits until everything that was dropped is gone. Dropping the last clone does so too.
    pub fn settle(&self) {
        self.reaper.settle();
    }

    /// Unpacks those of these layers that are not yet.
    pub fn unpack(&self, layers: &[Layer]) -> Result<(), SnapshotError> {
        self.ensure(layers).map(|_| ())
    }

    /// The unpacked layers, topmost first, those without entries left out.
    fn ensure(&self, layers: &[Layer]) -> Result<Vec<PathBuf>, SnapshotError> {
        let mut lower: Vec<PathBuf> = Vec::with_capacity(layers.len());
        for layer in layers.iter().filter(|layer| layer.diff_id != Digest::EMPTY_LAYER) {
            let path = self.dir.join(layer.chain_id.hex());
            if !path.is_dir() {
                let below: Vec<&Path> = lower.iter().rev().map(PathBuf::as_path).collect();
                let scratch = self.store.scratch()?;
                let fs = scratch.path().join("fs");
                make_root(&fs, below.first().copied())?;
                let noted = unpack::unpack(&self.store, layer, &fs, &below, self.prefix)?;
                publish(&fs, &noted, &path)?;
            }
            if self.prefix == XattrPrefix::Noted {
                owners::read(&path).map_err(SnapshotError::io("read the owners of", &path))?;
            }
            lower.push(path);
        }
        lower.reverse();
        Ok(lower)
    }

    /// Where these layers are unpacked; they are, or the root above them could not have been mounted.
    fn present(&self, layers: &[Layer]) -> Vec<PathBuf> {
        let held = layers.iter().rev().filter(|layer| layer.diff_id != Digest::EMPTY_LAYER);
        held.map(|layer| self.dir.join(layer.chain_id.hex())).collect()
    }

    fn finish(&self, parent: &[Layer], writer: LayerWriter, options: &CommitOptions) -> Result<Layer, SnapshotError> {
        let (blob, _) = writer.finish()?;
        let blob = blob.commit(None)?;
        Ok(Layer {
            diff_id: blob.digest,
            chain_id: chain_id(parent.last().map(|layer| &layer.chain_id), &blob.digest),
            size: blob.size,
            media_type: media::LAYER.to_owned(),
            blob: Some(blob),
            created_by: options.created_by.clone(),
        })
    }
}

/// Makes the root directory of a layer: as the layer below has it.
fn make_root(path: &Path, below: Option<&Path>) -> Result<(), SnapshotError> {
    fs::create_dir(path).map_err(SnapshotError::io("create", path))?;
    let (mode, uid, gid) = match below {
        Some(below) => {
            let meta = fs::metadata(below).map_err(SnapshotError::io("inspect", below))?;
            let (uid, gid) = owners::owner_of(below, &meta).map_err(SnapshotError::io("inspect", below))?;
            (meta.mode() & 0o7777, uid, gid)
        }
        None => (0o755, 0, 0),
    };
    let fail = SnapshotError::io("set owner and mode of", path);
    let set = || {
        owners::give(path, uid, gid)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    set().map_err(fail)
}

/// Gives an unpacked layer its place. Another that came first is as good.
fn publish(from: &Path, noted: &Noted, to: &Path) -> Result<(), SnapshotError> {
    owners::keep(to, &noted.0).map_err(SnapshotError::io("note the owners of", to))?;
    match fs::rename(from, to) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => Ok(()),
        Err(error) => Err(SnapshotError::io("create", to)(error)),
    }
}

#[cfg(test)]
mod tests;
