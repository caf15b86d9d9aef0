//! What can go wrong with root filesystems. Messages are worded to follow "failed to".

use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::layer::LayerError;
use crate::store::StoreError;

/// What went wrong with a root filesystem.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// overlayfs was refused.
    #[error("mount overlayfs of {layers} layers on {path}: {errno}", path = target.display())]
    Mount {
        /// Where.
        target: PathBuf,
        /// How many layers.
        layers: usize,
        /// The answer.
        errno: Errno,
    },
    /// The operating system refused.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
}

impl SnapshotError {
    /// What to do about it, when that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            SnapshotError::Store(error) => error.help(),
            SnapshotError::Mount { errno: Errno::EPERM, .. } => Some(
                "overlayfs needs root or an unprivileged user namespace (Linux 5.11 or newer); `plimsoll doctor` says which this machine allows".to_owned(),
            ),
            SnapshotError::Mount { errno: Errno::EINVAL, .. } => Some(
                "the store may lie on a filesystem overlayfs cannot write to (another overlay, NFS): name one on a disk with --store".to_owned(),
            ),
            SnapshotError::Io { source, .. } | SnapshotError::Layer(LayerError::Io { source, .. } | LayerError::Stream { source, .. })
                if source.raw_os_error() == Some(nix::libc::ENOSPC) =>
            {
                Some("the disk is full, or memory where images are unpacked there (`plimsoll doctor` says so): free some space, `plimsoll prune` may help, or name a store on another disk with --store".to_owned())
            }
            _ => None,
        }
    }

    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SnapshotError + use<> {
        let path = path.to_owned();
        move |source| SnapshotError::Io { action, path, source }
    }
}
