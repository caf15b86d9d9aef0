//! Images made by hand, as docker archives: for tests that ask what stands in an image, not how it was built.

use std::path::Path;

use plimsoll_runtime::digest::Digest;
use serde_json::{Value, json};

/// A file of a layer: path, bytes, owner, mode.
#[derive(Debug, Clone)]
pub struct Item {
    path: String,
    bytes: Vec<u8>,
    owner: u64,
    mode: u32,
}

/// A file of root's with these bytes.
pub fn item(path: &str, bytes: impl AsRef<[u8]>) -> Item {
    Item { path: path.to_owned(), bytes: bytes.as_ref().to_vec(), owner: 0, mode: 0o644 }
}

impl Item {
    /// Where it is.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same elsewhere.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The same with another owner.
    #[must_use]
    pub fn owned(mut self, owner: u64) -> Self {
        self.owner = owner;
        self
    }

    /// The same with another mode.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }
}

/// Bytes that stand nowhere else and do not compress, the same each time.
pub fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// An image: what history says, and the files of the instructions that made a layer.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    steps: Vec<(String, Option<Vec<Item>>)>,
}

impl Archive {
    /// Without layers.
    pub fn new() -> Self {
        Self::default()
    }

    /// With another layer.
    #[must_use]
    pub fn layer(mut self, created_by: &str, items: impl IntoIterator<Item = Item>) -> Self {
        self.steps.push((created_by.to_owned(), Some(items.into_iter().collect())));
        self
    }

    /// With an instruction that makes none.
    #[must_use]
    pub fn empty(mut self, created_by: &str) -> Self {
        self.steps.push((created_by.to_owned(), None));
        self
    }

    /// Writes it.
    pub fn write(&self, path: &Path, tag: &str) {
        let layers: Vec<Vec<u8>> = self.steps.iter().filter_map(|(_, items)| items.as_deref().map(tar)).collect();
        let ids: Vec<String> = layers.iter().map(|bytes| Digest::of(bytes).to_string()).collect();
        let history: Vec<Value> = self
            .steps
            .iter()
            .map(|(said, items)| json!({ "created_by": said, "empty_layer": items.is_none() }))
            .collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": ids }, "history": history,
        });
        let config = config.to_string().into_bytes();
        let names: Vec<String> =
            ids.iter().map(|id| format!("{}/layer.tar", id.trim_start_matches("sha256:"))).collect();
        let config_name = format!("{}.json", Digest::of(&config).hex());
        let manifest = json!([{ "Config": config_name, "RepoTags": [tag], "Layers": names }]).to_string();
        let mut all: Vec<Item> = names.iter().zip(layers).map(|(name, bytes)| item(name, bytes)).collect();
        all.push(item(&config_name, config));
        all.push(item("manifest.json", manifest));
        std::fs::write(path, tar(&all)).expect("own folder");
    }
}

fn tar(items: &[Item]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let mut header = tar::Header::new_gnu();
        header.set_size(item.bytes.len() as u64);
        header.set_mode(item.mode);
        header.set_uid(item.owner);
        header.set_gid(item.owner);
        header.set_mtime(0);
        builder.append_data(&mut header, &item.path, item.bytes.as_slice()).expect("memory");
    }
    builder.into_inner().expect("memory")
}
