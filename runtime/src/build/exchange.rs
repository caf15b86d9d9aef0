//! Results of steps for other stores: an image whose configuration says which step made each layer.
//!
//! Being an image, it travels as any other: in a layout, through a registry, or as part of the image that was built.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Built, Cached};
use crate::digest::Digest;
use crate::image::{Image, ImageConfig, Layer};
use crate::store::{Store, StoreError};

/// The field of a configuration that has the steps.
const FIELD: &str = "org.plimsoll.cache.v1";

/// A step and its result.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    key: Digest,
    /// Which of the image's layers.
    layer: usize,
    chain_id: Digest,
    size: u64,
    created: String,
    /// Milliseconds it took to make.
    #[serde(default)]
    took: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
}

/// Results of steps, by key.
#[derive(Clone, Debug, Default)]
pub struct Results(pub(super) BTreeMap<Digest, Cached>);

impl Results {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that made these layers.
    fn of(&self, layers: &[Layer]) -> Self {
        let own = |cached: &Cached| layers.iter().any(|layer| layer.chain_id == cached.layer.chain_id);
        Self(self.0.iter().filter(|(_, cached)| own(cached)).map(|(key, cached)| (*key, cached.clone())).collect())
    }

    fn entries(&self, layers: &[Layer]) -> Vec<Entry> {
        let find = |cached: &Cached| layers.iter().position(|layer| layer.diff_id == cached.layer.diff_id);
        let entry = |(key, cached): (&Digest, &Cached)| {
            Some(Entry {
                key: *key,
                layer: find(cached)?,
                chain_id: cached.layer.chain_id,
                size: cached.layer.size,
                created: cached.created.clone(),
                took: cached.took,
                created_by: cached.layer.created_by.clone(),
            })
        };
        self.0.iter().filter_map(entry).collect()
    }
}

/// An image that holds the results of a build: of all its stages, or only of those steps that made the image's own layers.
pub fn cache_image(store: &Store, built: &Built, all_stages: bool) -> Result<Image, StoreError> {
    let results = if all_stages { built.results.clone() } else { built.results.of(&built.image.layers) };
    let mut layers: Vec<Layer> = Vec::new();
    for cached in results.0.values() {
        if !layers.iter().any(|layer| layer.diff_id == cached.layer.diff_id) {
            layers.push(cached.layer.clone());
        }
    }
    let config = ImageConfig {
        architecture: built.image.config.architecture.clone(),
        os: built.image.config.os.clone(),
        variant: built.image.config.variant.clone(),
        other: field(&results.entries(&layers)),
        ..ImageConfig::default()
    };
    store.put_image(&config, &layers, &BTreeMap::new())
}

/// The same image with the results of its own steps in its configuration.
pub fn with_inline_cache(store: &Store, built: &Built) -> Result<Image, StoreError> {
    let mut config = built.image.config.clone();
    config.other.extend(field(&built.results.of(&built.image.layers).entries(&built.image.layers)));
    store.put_image(&config, &built.image.layers, &built.image.annotations)
}

fn field(entries: &[Entry]) -> BTreeMap<String, serde_json::Value> {
    serde_json::to_value(entries).map(|value| (FIELD.to_owned(), value)).into_iter().collect()
}

/// Takes the results that an image in the store has; says how many.
pub fn take_cache(store: &Store, image: &Image) -> Result<usize, StoreError> {
    let Some(value) = image.config.other.get(FIELD) else { return Ok(0) };
    let entries: Vec<Entry> = serde_json::from_value(value.clone()).unwrap_or_default();
    let mut taken = 0;
    for entry in entries {
        let Some(layer) = image.layers.get(entry.layer) else { continue };
        if store
            .cache_get::<Cached>(&entry.key)
            .is_some_and(|known| known.layer.blob.is_some_and(|blob| store.has_blob(&blob)))
        {
            continue;
        }
        let layer = Layer { chain_id: entry.chain_id, size: entry.size, created_by: entry.created_by, ..layer.clone() };
        store.cache_put(&entry.key, &Cached { layer, created: entry.created, took: entry.took })?;
        taken += 1;
    }
    Ok(taken)
}
