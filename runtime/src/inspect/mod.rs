//! Where an image's bytes come from: the paths of every layer, and what of them a later layer hides.
//!
//! Layers are read as streams; only their tables of paths are kept in memory, never contents.

use std::collections::{BTreeMap, HashMap};

use crate::image::{Image, Layer};
use crate::layer::{Contents, LayerError, Limits, read_contents};
use crate::store::{Store, StoreError};

/// An image taken apart.
#[derive(Debug, Clone, Default)]
pub struct Inspected {
    /// One for each layer, lowest first.
    pub layers: Vec<LayerContents>,
    /// Bytes of files that no container sees, largest first: overwritten or deleted by a later layer. Each byte counts once.
    pub wasted: Vec<Wasted>,
    /// What a container sees: number of paths and bytes of files (hard links counted once).
    pub visible: (usize, u64),
    /// The largest files that a container sees, largest first.
    pub largest: Vec<(String, u64)>,
    /// Bytes a container sees by directory, two levels deep, largest first.
    pub directories: Vec<(String, u64)>,
}

/// What one layer holds.
#[derive(Debug, Clone, Default)]
pub struct LayerContents {
    /// Entries, whiteouts included.
    pub entries: usize,
    /// Whiteouts and opaque directories.
    pub whiteouts: usize,
    /// Bytes of its files.
    pub bytes: u64,
    /// Bytes of its files that later layers hide.
    pub wasted: u64,
}

/// A file that was written and is hidden later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wasted {
    /// Its path.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// The layer that wrote it.
    pub written: usize,
    /// The layer that hides it.
    pub hidden: usize,
    /// How.
    pub how: Hidden,
}

/// How a later layer hides a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// Another content in its place.
    Overwritten,
    /// Written again with the same size: most often only its owner, mode or time changed.
    SameSize,
    /// Deleted.
    Deleted,
}

/// Why an image could not be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The store.
    #[error("failed to {0}")]
    Store(#[from] StoreError),
    /// A layer.
    #[error("failed to read layer {layer}: {source}")]
    Layer {
        /// Which, from 0.
        layer: usize,
        /// Why not.
        source: LayerError,
    },
}

/// Rows kept of each list.
const KEPT: usize = 100;

/// Reads every layer of an image.
pub fn inspect(store: &Store, image: &Image) -> Result<Inspected, InspectError> {
    let mut found = Inspected::default();
    let mut live: BTreeMap<String, (u64, usize)> = BTreeMap::new();
    for (index, layer) in image.layers.iter().enumerate() {
        let entries = contents(store, layer, index)?;
        let mut summary = LayerContents { entries: entries.len(), ..LayerContents::default() };
        // A layer's whiteouts hide what is below it, never what it brings itself.
        for entry in &entries {
            match entry {
                Contents::Whiteout(path) => {
                    summary.whiteouts += 1;
                    hide_below(&mut live, path, true, index, &mut found);
                }
                Contents::Opaque(path) => {
                    summary.whiteouts += 1;
                    hide_below(&mut live, path, false, index, &mut found);
                }
                Contents::Path { .. } => {}
            }
        }
        for entry in entries {
            let Contents::Path { path, bytes, is_dir } = entry else { continue };
            summary.bytes += bytes;
            if is_dir {
                live.entry(path).or_insert((0, index));
                continue;
            }
            if let Some((before, written)) = live.insert(path.clone(), (bytes, index))
                && before > 0
                && written != index
            {
                let how = if before == bytes { Hidden::SameSize } else { Hidden::Overwritten };
                found.wasted.push(Wasted { path, bytes: before, written, hidden: index, how });
            }
        }
        found.layers.push(summary);
    }
    for wasted in &found.wasted {
        if let Some(layer) = found.layers.get_mut(wasted.written) {
            layer.wasted += wasted.bytes;
        }
    }
    found.wasted.sort_by(|a, b| (b.bytes, &a.path).cmp(&(a.bytes, &b.path)));
    found.visible = (live.len(), live.values().map(|(bytes, _)| bytes).sum());
    let mut directories: HashMap<&str, u64> = HashMap::new();
    for (path, (bytes, _)) in &live {
        let end = path.match_indices('/').nth(1).map_or(path.len(), |(at, _)| at);
        let end = if path.matches('/').count() < 2 { path.rfind('/').unwrap_or(0) } else { end };
        if let Some(directory) = path.get(..end) {
            *directories.entry(directory).or_default() += bytes;
        }
    }
    let named = |path: &str| if path.is_empty() { "/".to_owned() } else { format!("/{path}") };
    found.directories =
        directories.into_iter().filter(|(_, bytes)| *bytes > 0).map(|(path, bytes)| (named(path), bytes)).collect();
    largest_first(&mut found.directories);
    found.largest =
        live.iter().filter(|(_, (bytes, _))| *bytes > 0).map(|(path, (bytes, _))| (named(path), *bytes)).collect();
    largest_first(&mut found.largest);
    Ok(found)
}

fn largest_first(list: &mut Vec<(String, u64)>) {
    list.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    list.truncate(KEPT);
}

/// Takes away `path` (when `itself`) and everything below it.
fn hide_below(
    live: &mut BTreeMap<String, (u64, usize)>,
    path: &str,
    itself: bool,
    layer: usize,
    found: &mut Inspected,
) {
    let below = format!("{path}/");
    let mut gone: Vec<String> =
        live.range(below.clone()..).take_while(|(p, _)| p.starts_with(&below)).map(|(p, _)| p.clone()).collect();
    if itself {
        gone.push(path.to_owned());
    }
    for path in gone {
        if let Some((bytes, written)) = live.remove(&path)
            && bytes > 0
        {
            found.wasted.push(Wasted { path, bytes, written, hidden: layer, how: Hidden::Deleted });
        }
    }
}

fn contents(store: &Store, layer: &Layer, index: usize) -> Result<Vec<Contents>, InspectError> {
    let blob = layer.blob.ok_or(StoreError::Missing { digest: layer.diff_id })?;
    let file = store.open_sized(&blob)?;
    read_contents(file, Limits::default()).map_err(|source| InspectError::Layer { layer: index, source })
}
