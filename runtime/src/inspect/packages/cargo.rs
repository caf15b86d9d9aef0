//! Rust programs that list their crates, as `cargo auditable` builds them.

use serde::Deserialize;
use std::collections::HashMap;

use super::{Owned, Package, Seen};
use crate::inspect::index::{LayerIndex, read_files};
use crate::inspect::{InspectError, Source};

/// The largest program that is read for its list.
const LARGEST: u64 = 1 << 30;
/// The longest list.
const LONGEST: usize = 8 << 20;

#[derive(Deserialize)]
struct List {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    #[serde(default)]
    root: bool,
    #[serde(default)]
    kind: String,
}

pub(super) fn find(
    source: &Source,
    layers: &[LayerIndex],
    seen: &Seen<'_>,
    owned: &Owned,
) -> Result<Vec<Package>, InspectError> {
    let mut wanted: HashMap<usize, HashMap<&str, usize>> = HashMap::new();
    for (at, file) in seen.visible.iter().enumerate() {
        if layers[file.layer].entries[file.entry].marks.auditable && !owned.0.contains(&at) {
            wanted.entry(file.layer).or_default().insert(&file.path, at);
        }
    }
    let mut found = Vec::new();
    for (layer, files) in wanted {
        let Some(from) = source.layers.get(layer) else { continue };
        let list = |path: &str, bytes: Vec<u8>| {
            let json = auditable_info::json_from_slice(&bytes, LONGEST).ok();
            let Some(list) = json.and_then(|json| serde_json::from_str::<List>(&json).ok()) else { return };
            let program: Vec<usize> = files.get(path).copied().into_iter().collect();
            for one in list.packages.into_iter().filter(|one| one.kind != "build") {
                // How many bytes of a program come from which crate cannot be told: all count to the program's own.
                let files: &[usize] = if one.root { &program } else { &[] };
                let mut package = seen.package("cargo", one.name, one.version, files);
                package.layer = layer;
                found.push(package);
            }
        };
        read_files(from.open()?, &|path| files.contains_key(path), LARGEST, list)
            .map_err(|source| InspectError::Layer { layer: layer + 1, diff_id: from.diff_id, source })?;
    }
    found.dedup();
    Ok(found)
}
