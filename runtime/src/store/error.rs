//! What can go wrong in a store. Messages are worded to follow "failed to".

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, DigestError};
use crate::reference::ReferenceError;

/// What went wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    /// A blob is not here.
    #[error("find blob {digest} in the store")]
    Missing {
        /// Which.
        digest: Digest,
    },
    /// Bytes do not have their digest.
    #[error("verify {expected}: its bytes have digest {actual}")]
    Digest {
        /// What they should have.
        expected: Digest,
        /// What they have.
        actual: Digest,
    },
    /// A blob has the wrong size.
    #[error("verify {digest}: it should have {expected} bytes and has {actual}")]
    Size {
        /// Which.
        digest: Digest,
        /// What it should have.
        expected: u64,
        /// What it has.
        actual: u64,
    },
    /// A document does not read.
    #[error("read {what} in {path}: {source}", path = path.display())]
    Json {
        /// Which document.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// An image contradicts itself or a bound.
    #[error("use {digest} as an image: {reason}")]
    Invalid {
        /// Its manifest.
        digest: Digest,
        /// Why.
        reason: String,
    },
    /// No image of this name.
    #[error("find image {0} in the store")]
    NoImage(String),
    /// Others are using the store.
    #[error("lock the store {path} alone: other builds or containers are using it", path = .0.display())]
    Busy(PathBuf),
    /// A reference does not read.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A digest does not read.
    #[error(transparent)]
    BadDigest(#[from] DigestError),
}

impl StoreError {
    /// What to do about it, when that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            StoreError::Io { source, .. } if source.raw_os_error() == Some(nix::libc::ENOSPC) => {
                Some("the disk is full: free some space, `plimsoll prune` may help".to_owned())
            }
            StoreError::Io { source, path, .. } if source.kind() == io::ErrorKind::PermissionDenied => Some(format!(
                "another user made {}: name a store of your own with --store or PLIMSOLL_STORE",
                path.display()
            )),
            StoreError::Missing { .. } | StoreError::Digest { .. } | StoreError::Size { .. } => {
                Some("the blob is incomplete or damaged: `plimsoll prune --verify` removes it; then pull, load or build again".to_owned())
            }
            StoreError::Busy(_) => Some("wait until they end and prune again".to_owned()),
            _ => None,
        }
    }

    pub(crate) fn invalid(digest: &Digest, reason: String) -> StoreError {
        StoreError::Invalid { digest: *digest, reason }
    }
}

/// For `map_err`: the system's answer with what was tried on what.
pub(crate) fn io_error(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { action, path: path.as_ref().to_owned(), source }
}
