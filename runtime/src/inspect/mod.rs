//! Where an image's bytes come from: the paths of every layer, what of them a later layer hides, and what they are.
//!
//! Layers are read as streams, several at once; their indexes are kept in memory, never their bytes.

mod index;
mod kinds;
mod merge;
mod origin;
mod packages;
mod source;
#[cfg(test)]
pub(crate) mod testing;

use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::digest::Digest;
use crate::image::ImageConfig;
use crate::layer::{LayerError, Limits};
use crate::store::StoreError;

pub use index::{Entry, EntryKind, LayerIndex, Marks, read_index};
pub use kinds::{FileKind, kind_of, looks_secret};
pub use merge::{Duplicate, Hidden, Visible, Wasted};
pub use origin::{Origin, Origins, align, pair};
pub use packages::Package;
pub use source::{Source, SourceLayer};

/// An image taken apart.
#[derive(Debug)]
pub struct Inspected {
    /// The names it has where it was found.
    pub names: Vec<String>,
    /// Digest of its manifest, where it has one.
    pub manifest: Option<Digest>,
    /// Digest of the configuration: the image ID.
    pub id: Digest,
    /// The configuration.
    pub config: ImageConfig,
    /// Annotations of the manifest.
    pub annotations: std::collections::BTreeMap<String, String>,
    /// One for each layer, lowest first.
    pub layers: Vec<LayerReport>,
    /// Files that no container sees, largest first: overwritten, deleted or given to another owner by a later layer.
    pub wasted: Vec<Wasted>,
    /// Files whose content stands elsewhere too, largest first; the one written first is not among them.
    pub duplicates: Vec<Duplicate>,
    /// What a container sees, by path.
    pub visible: Vec<Visible>,
    /// What is installed, largest first.
    pub packages: Vec<Package>,
}

/// What one layer holds.
#[derive(Debug)]
pub struct LayerReport {
    /// Digest of its uncompressed tar.
    pub diff_id: Digest,
    /// Bytes of it.
    pub size: u64,
    /// Bytes as it was found, compressed or not.
    pub stored: u64,
    /// The instruction that made it, as history has it.
    pub created_by: Option<String>,
    /// Its entry in the history.
    pub history: Option<usize>,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes of its files that later layers hide.
    pub wasted: u64,
    /// What it holds.
    pub index: LayerIndex,
}

/// Why an image could not be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The store.
    #[error("failed to {0}")]
    Store(#[from] StoreError),
    /// A layer.
    #[error("failed to read layer {layer} ({diff_id}): {source}")]
    Layer {
        /// Which, from 1.
        layer: usize,
        /// Its digest.
        diff_id: Digest,
        /// Why not.
        source: LayerError,
    },
    /// A file.
    #[error("failed to {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// Something that is no image.
    #[error("failed to read {} as an image: {reason}", path.display())]
    NotImages {
        /// What.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A daemon's command.
    #[error("failed to get {name} from {engine}: {reason}")]
    Engine {
        /// `docker` or `podman`.
        engine: String,
        /// The image.
        name: String,
        /// What it said.
        reason: String,
    },
}

impl InspectError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> InspectError {
        let path = path.to_owned();
        move |source| InspectError::Io { action, path, source }
    }

    /// What may help.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Engine { .. } => Some("is the daemon running, and does it have the image?".to_owned()),
            Self::NotImages { .. } => {
                Some("an OCI layout (folder or archive) or a docker archive is expected".to_owned())
            }
            Self::Store(error) => error.help(),
            _ => None,
        }
    }
}

/// Reads every layer of an image.
pub fn inspect(source: &Source) -> Result<Inspected, InspectError> {
    let mut indexes = source
        .layers
        .par_iter()
        .enumerate()
        .map(|(number, layer)| {
            read_index(layer.open()?, Limits::default()).map_err(|source| InspectError::Layer {
                layer: number + 1,
                diff_id: layer.diff_id,
                source,
            })
        })
        .collect::<Result<Vec<LayerIndex>, InspectError>>()?;
    let kept = indexes.iter_mut().map(|index| std::mem::take(&mut index.kept)).collect::<Vec<_>>();
    let merged = merge::merge(&indexes);
    let packages = packages::find(source, &indexes, &merged.visible, kept)?;
    let mut wasted_by = vec![0; indexes.len()];
    for one in &merged.wasted {
        wasted_by[one.written] += one.bytes;
    }
    let mut history = source.config.history.iter().enumerate().filter(|(_, entry)| !entry.empty_layer);
    let layers = source.layers.iter().zip(indexes).zip(wasted_by).map(|((layer, index), wasted)| {
        let entry = history.next();
        LayerReport {
            diff_id: layer.diff_id,
            size: index.size,
            stored: layer.stored,
            created_by: entry.and_then(|(_, entry)| entry.created_by.clone()),
            history: entry.map(|(number, _)| number),
            bytes: index.entries.iter().map(|entry| entry.size).sum(),
            wasted,
            index,
        }
    });
    Ok(Inspected {
        names: source.names.clone(),
        manifest: source.manifest,
        id: source.id,
        config: source.config.clone(),
        annotations: source.annotations.clone(),
        layers: layers.collect(),
        wasted: merged.wasted,
        duplicates: merged.duplicates,
        visible: merged.visible,
        packages,
    })
}

impl Inspected {
    /// Bytes of all layers, uncompressed.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.size).sum()
    }

    /// Bytes of files that a container sees.
    pub fn visible_bytes(&self) -> u64 {
        self.visible.iter().map(|file| file.bytes).sum()
    }

    /// The entry of a layer that a container sees at this path.
    pub fn entry(&self, file: &Visible) -> &Entry {
        &self.layers[file.layer].index.entries[file.entry]
    }
}
