//! Results of build steps by key: small JSON values, replaced by rename, free to vanish at any time.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Store, StoreError, to_json};
use crate::digest::Digest;

impl Store {
    /// What was put under this key. An entry that does not read counts as none.
    ///
    /// The entry promises nothing about the blobs it names: ask [`Store::has_blob`].
    pub fn cache_get<T: DeserializeOwned>(&self, key: &Digest) -> Option<T> {
        serde_json::from_slice(&fs::read(self.cache_path(key)).ok()?).ok()
    }

    /// Puts a value under this key. Blobs and chain IDs whose digests stand anywhere in it survive pruning as long as
    /// the entry does.
    pub fn cache_put<T: Serialize>(&self, key: &Digest, value: &T) -> Result<(), StoreError> {
        self.publish(&to_json(value), &self.cache_path(key))
    }

    /// Forgets what was put under this key.
    pub fn cache_remove(&self, key: &Digest) {
        let _ = fs::remove_file(self.cache_path(key));
    }

    fn cache_path(&self, key: &Digest) -> PathBuf {
        self.path("cache").join(format!("{}.json", key.hex()))
    }
}
