//! Where layers are unpacked and written to: in the store, or in memory where overlayfs cannot write to the store's filesystem.
//!
//! So it is in most containers of a CI, whose own root is an overlay. Unpacked layers are then not kept for the next process;
//! blobs and results of steps are.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{FsType, statfs};

use super::error::SnapshotError;
use super::mount;
use crate::layer::XattrPrefix;
use crate::store::{Scratch, Store};

/// Filesystems on which an overlay's upper directory is refused, or is by some versions and servers (`linux/magic.h`): they
/// are tried. Others are taken without.
const DOUBTFUL: [i64; 10] = [
    0x794c_7630, // overlayfs
    0x6573_5546, // FUSE
    0x6969,      // NFS
    0x0102_1997, // 9p
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB
    0x4d44,      // FAT
    0x2011_bab0, // exFAT
    0xf15f,      // eCryptfs
    0x00c3_6400, // Ceph
];

/// Where a store's layers are unpacked.
#[derive(Debug, Clone)]
pub(super) struct Place {
    store: Store,
    /// A tmpfs of this process' mount namespace.
    memory: Option<Arc<Path>>,
}

/// The stores of this process that have one, with it.
static IN_MEMORY: Mutex<Vec<(PathBuf, Arc<Path>)>> = Mutex::new(Vec::new());

impl Place {
    /// For the layers of this store.
    pub(super) fn of(store: &Store, prefix: XattrPrefix) -> Result<Place, SnapshotError> {
        let place = Place { store: store.clone(), memory: None };
        let kind = statfs(store.root()).map(|found| found.filesystem_type());
        if !kind.is_ok_and(|FsType(kind)| DOUBTFUL.contains(&kind)) {
            return Ok(place);
        }
        let mut made = IN_MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, memory)) = made.iter().find(|(root, _)| root == store.root()) {
            return Ok(Place { memory: Some(Arc::clone(memory)), ..place });
        }
        if place.takes_writes(prefix)? {
            return Ok(place);
        }
        let memory: Arc<Path> = mount_memory(store)?.into();
        made.push((store.root().to_owned(), Arc::clone(&memory)));
        Ok(Place { memory: Some(memory), ..place })
    }

    /// Whether layers are unpacked in memory.
    pub(super) fn is_memory(&self) -> bool {
        self.memory.is_some()
    }

    /// A directory that stays as long as the store, or in memory as long as this process.
    pub(super) fn private_dir(&self, name: &str) -> Result<PathBuf, SnapshotError> {
        let Some(memory) = &self.memory else { return Ok(self.store.private_dir(name)?) };
        let path = memory.join(name);
        fs::create_dir_all(&path).map_err(SnapshotError::io("create", &path))?;
        Ok(path)
    }

    /// A directory that goes when the value does.
    pub(super) fn scratch(&self) -> Result<Scratch, SnapshotError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let Some(memory) = &self.memory else { return Ok(self.store.scratch()?) };
        let path = memory.join("tmp").join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
        fs::DirBuilder::new().mode(0o700).create(&path).map_err(SnapshotError::io("create", &path))?;
        Ok(Scratch::new(path))
    }

    /// Whether an overlay can have its upper directory here, and a layer what it removes.
    fn takes_writes(&self, prefix: XattrPrefix) -> Result<bool, SnapshotError> {
        let scratch = self.scratch()?;
        let dir = scratch.path();
        for name in ["below", "fs", "work"] {
            let path = dir.join(name);
            fs::create_dir(&path).map_err(SnapshotError::io("create", &path))?;
        }
        match mount::overlay(dir, &[dir.join("below")], Some(dir), &dir.join("work"), prefix) {
            Ok(_) => Ok(true),
            Err(SnapshotError::Mount { errno: Errno::EINVAL | Errno::EOPNOTSUPP, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A tmpfs over a directory of the store, which is empty for everybody else: this process has a mount namespace of its own.
fn mount_memory(store: &Store) -> Result<PathBuf, SnapshotError> {
    let path = store.private_dir("memory")?;
    // Pages are taken when they are written; what a container of a CI may have in all is for its own limit to say.
    let options = Some("mode=0700,size=80%");
    mount(Some("plimsoll"), &path, Some("tmpfs"), MsFlags::MS_NODEV, options)
        .map_err(|errno| SnapshotError::io("mount memory on", &path)(errno.into()))?;
    let tmp = path.join("tmp");
    fs::create_dir(&tmp).map_err(SnapshotError::io("create", &tmp))?;
    Ok(path)
}
