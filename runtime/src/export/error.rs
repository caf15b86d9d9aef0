//! What can go wrong when images are written or read. Messages are worded to follow "failed to".

use std::io;
use std::path::{Path, PathBuf};

use crate::layer::LayerError;
use crate::store::StoreError;

/// What went wrong when images were written or read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tar stream.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A root filesystem.
    #[error(transparent)]
    Snapshot(#[from] crate::snapshot::SnapshotError),
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
    /// What should be an image is none.
    #[error("load images from {path}: {reason}", path = path.display())]
    NotImages {
        /// From where.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl ExportError {
    /// What to do about it, when that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            ExportError::Store(error) => error.help(),
            ExportError::Io { source, .. } if source.raw_os_error() == Some(nix::libc::ENOSPC) => {
                Some("the disk is full: free some space or write somewhere else".to_owned())
            }
            ExportError::NotImages { .. } => Some(
                "an OCI image layout (a directory or a tar of one) or a tar of `docker save` is expected".to_owned(),
            ),
            _ => None,
        }
    }

    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ExportError + use<> {
        let path = path.to_owned();
        move |source| ExportError::Io { action, path, source }
    }
}
