//! What can go wrong with a layer. Messages are worded to follow "failed to".

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;

/// What went wrong with a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The operating system refused something about a file of the layer.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// The stream could not be read or written.
    #[error("{action} the layer's tar: {source}")]
    Stream {
        /// Reading or writing.
        action: &'static str,
        /// The answer.
        source: io::Error,
    },
    /// A file changed its size while it was read.
    #[error("read {path}: it shrank while it was read", path = .0.display())]
    Shrank(PathBuf),
    /// An entry that cannot be what it says.
    #[error("unpack `{}`: {reason}", String::from_utf8_lossy(name))]
    Entry {
        /// Its name.
        name: Vec<u8>,
        /// Why not.
        reason: String,
    },
    /// A bound was passed.
    #[error("unpack the layer: it has more than {limit} {what}")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// The bytes are not those of the diff ID.
    #[error("unpack layer {expected}: its bytes have digest {actual}")]
    Digest {
        /// The diff ID.
        expected: Digest,
        /// What they have.
        actual: Digest,
    },
}

impl LayerError {
    pub(crate) fn entry(name: &[u8], reason: impl Into<String>) -> LayerError {
        LayerError::Entry { name: name.to_vec(), reason: reason.into() }
    }
}

pub(crate) fn file_error(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(nix::errno::Errno) -> LayerError {
    move |errno| LayerError::Io { action, path: path.as_ref().to_owned(), source: errno.into() }
}

pub(crate) fn stream_error(action: &'static str) -> impl FnOnce(io::Error) -> LayerError {
    move |source| LayerError::Stream { action, source }
}
