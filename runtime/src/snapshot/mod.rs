//! Root filesystems by chain ID: unpacked layers stacked with overlayfs.
//!
//! A layer is unpacked when a mount first needs it, never before; what a container wrote becomes the layer's unpacked form
//! by a rename. Unpacked forms are kept by ID map, since the owners on the disk depend on it.

mod error;
mod mount;
mod place;
mod reaper;
mod unpack;

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::digest::{Digest, chain_id};
use crate::image::{BlobRef, Layer, media};
use crate::layer::{DiffOptions, LayerWriter, Noted, TarWriter, XattrPrefix, write_diff};
use crate::owners;
use crate::store::Store;

pub use error::SnapshotError;
use place::Place;
use reaper::{Mounted, Reaper};

/// Unpacked layers of a store. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Snapshots {
    store: Store,
    place: Place,
    dir: PathBuf,
    prefix: XattrPrefix,
    // Goes before the reaper, which has to take its mount away.
    idle: Arc<Mutex<Option<Active>>>,
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
    /// What is below, topmost first.
    lower: Vec<PathBuf>,
    /// Mode and owner the root had.
    made: (u32, u32, u32),
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

    /// Whether it is as it was made, the root itself included.
    fn is_fresh(&self) -> bool {
        !self.is_changed() && facts(&self.upper).is_ok_and(|found| found == self.made) && {
            let mut names = [0_u8; 1024];
            let length = rustix::fs::listxattr(&self.upper, &mut names).unwrap_or(names.len());
            let mut names = names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
            names.all(|name| name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay."))
        }
    }
}

/// Mode and owner.
fn facts(path: &Path) -> io::Result<(u32, u32, u32)> {
    fs::symlink_metadata(path).map(|meta| (meta.mode(), meta.uid(), meta.gid()))
}

/// Where a process will have something mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point<'p> {
    /// On a file.
    File(&'p str),
    /// On a directory.
    Directory(&'p str),
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
        let place = Place::of(store, prefix)?;
        let dir = place.private_dir(&format!("snapshots/{mode}"))?;
        Ok(Snapshots { store: store.clone(), place, dir, prefix, idle: Arc::default(), reaper: Arc::default() })
    }

    /// Whether overlayfs cannot write to the filesystem of the store, so that this process unpacks layers in memory.
    pub fn are_in_memory(&self) -> bool {
        self.place.is_memory()
    }

    /// The same for whoever has one container at a time: what it leaves is taken away when it is dropped, not behind its back.
    #[must_use]
    pub fn one_at_a_time(self) -> Snapshots {
        self.reaper.stay_here();
        self
    }

    /// The store below.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// A writable root filesystem on top of these layers, lowest first.
    pub fn prepare(&self, parent: &[Layer]) -> Result<Active, SnapshotError> {
        self.prepare_with(parent, &[])
    }

    /// The same, in which these paths exist where the layers have nothing there. They are no part of what was written, and the
    /// layers' links and files at or above them go first.
    pub fn prepare_with(&self, parent: &[Layer], points: &[Point<'_>]) -> Result<Active, SnapshotError> {
        let mut lower = self.ensure(parent)?;
        if !lower.is_empty() && !points.is_empty() {
            lower.push(self.points(points)?);
        }
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut idle) = idle
            && idle.lower == lower
        {
            idle.parent = parent.to_vec();
            return Ok(idle);
        }
        let scratch = self.place.scratch()?;
        let dir = scratch.path().to_owned();
        // Mounted over the work directory, which only the kernel looks into meanwhile.
        let (upper, root) = (dir.join("fs"), dir.join("work"));
        let below = lower.first().map(PathBuf::as_path);
        make_root(&upper, below)?;
        let made = facts(&upper).map_err(SnapshotError::io("inspect", &upper))?;
        let parent = parent.to_vec();
        if lower.is_empty() {
            let mounted = Mounted::new(&self.reaper, None, scratch);
            return Ok(Active { mounted, root: upper.clone(), upper, parent, lower, made });
        }
        fs::create_dir(&root).map_err(SnapshotError::io("create", &root))?;
        let mount = mount::overlay(&self.dir, &lower, Some(&dir), &root, self.prefix)?;
        let mounted = Mounted::new(&self.reaper, Some(mount), scratch);
        Ok(Active { mounted, root, upper, parent, lower, made })
    }

    /// A directory that holds these paths and nothing else.
    fn points(&self, points: &[Point<'_>]) -> Result<PathBuf, SnapshotError> {
        let mode = self.dir.file_name().unwrap_or_default();
        let dir = self.place.private_dir("points")?;
        let name = Digest::of(format!("{mode:?} {points:?}").as_bytes()).hex();
        let path = dir.join(&name[..16]);
        if path.is_dir() {
            return Ok(path);
        }
        let scratch = self.place.scratch()?;
        let fresh = scratch.path().join("fs");
        make_root(&fresh, None)?;
        for point in points {
            let (Point::File(target) | Point::Directory(target)) = point;
            let mut at = fresh.clone();
            let mut names = Path::new(target.trim_start_matches('/')).iter().peekable();
            while let Some(name) = names.next() {
                at.push(name);
                let is_file = names.peek().is_none() && matches!(point, Point::File(_));
                let (made, mode) =
                    if is_file { (fs::File::create(&at).map(drop), 0o644) } else { (fs::create_dir(&at), 0o755) };
                match made {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    made => made.and_then(|()| fs::set_permissions(&at, fs::Permissions::from_mode(mode))),
                }
                .map_err(SnapshotError::io("create", &at))?;
            }
        }
        place(&fresh, &path)?;
        Ok(path)
    }

    /// The layer of what was written. No process may be using the root any more.
    pub fn commit(&self, mut active: Active, options: &CommitOptions) -> Result<Layer, SnapshotError> {
        if active.is_fresh() && !active.parent.is_empty() {
            // Who wrote nothing leaves the root as it was, for the next who needs the same.
            let layer = self.empty_layer(&active.parent, options)?;
            let old = self.idle.lock().unwrap_or_else(PoisonError::into_inner).replace(active);
            drop(old);
            return Ok(layer);
        }
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

    /// A layer with nothing in it.
    fn empty_layer(&self, parent: &[Layer], options: &CommitOptions) -> Result<Layer, SnapshotError> {
        const EMPTY: [u8; 1024] = [0; 1024];
        let mut blob = BlobRef { digest: Digest::EMPTY_LAYER, size: EMPTY.len() as u64 };
        if !self.store.has_blob(&blob) {
            blob = self.store.put_bytes(&EMPTY)?;
        }
        Ok(on_top_of(parent, blob, options))
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
                let scratch = self.place.scratch()?;
                let root = scratch.path().join("fs");
                make_root(&root, None)?;
                Ok(View { _mounted: Some(Mounted::new(&self.reaper, None, scratch)), root })
            }
            // A layer with nothing below holds no marks of overlayfs: it is the root filesystem.
            [only] => Ok(View { _mounted: None, root: only.clone() }),
            _ => {
                let scratch = self.place.scratch()?;
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
        drop(self.idle.lock().unwrap_or_else(PoisonError::into_inner).take());
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
                let scratch = self.place.scratch()?;
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
        Ok(on_top_of(parent, blob.commit(None)?, options))
    }
}

fn on_top_of(parent: &[Layer], blob: BlobRef, options: &CommitOptions) -> Layer {
    Layer {
        diff_id: blob.digest,
        chain_id: chain_id(parent.last().map(|layer| &layer.chain_id), &blob.digest),
        size: blob.size,
        media_type: media::LAYER.to_owned(),
        blob: Some(blob),
        created_by: options.created_by.clone(),
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
    place(from, to)
}

fn place(from: &Path, to: &Path) -> Result<(), SnapshotError> {
    match fs::rename(from, to) {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) => Ok(()),
        Err(error) => Err(SnapshotError::io("create", to)(error)),
    }
}

#[cfg(test)]
mod tests;
