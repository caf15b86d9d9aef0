//! What a gate remembers of an image: sizes of layers, of what is in them, and of packages; as `plimsoll.lock` keeps it.

use crate::report::image::{ImageReport, LayerOut, Tree, of_layer};
use miette::{IntoDiagnostic, Result, miette};
use plimsoll_runtime::inspect::Inspected;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Its name on disk.
pub const NAME: &str = "plimsoll.lock";

/// The whole file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Lock {
    /// Version of this shape.
    pub version: u32,
    /// One for each target.
    #[serde(default)]
    pub image: BTreeMap<String, Snapshot>,
}

/// An image at one time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Snapshot {
    /// Digest of the configuration.
    pub id: String,
    /// Bytes, uncompressed.
    pub size: u64,
    /// Bytes as a registry gets it, where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compressed: Option<u64>,
    /// Bytes of the build context, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u64>,
    /// Name of the base image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Layers that came with it.
    #[serde(default)]
    pub base_layers: usize,
    /// What stands in the context, where large.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context_files: BTreeMap<String, u64>,
    /// Bytes of packages by `manager name version`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, u64>,
    /// Layers, lowest first.
    #[serde(default)]
    pub layer: Vec<SnapLayer>,
}

/// A layer at one time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SnapLayer {
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// Bytes of it.
    pub size: u64,
    /// The instruction that made it.
    pub instruction: String,
    /// Bytes by path, of what is large; folders with all below, ending in a slash.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub paths: BTreeMap<String, u64>,
}

impl Snapshot {
    /// Of an image that was taken apart. Paths below `least` bytes, or a thousandth of their layer, are left out.
    pub fn of(report: &ImageReport, found: &Inspected, least: u64) -> Self {
        let packages = report
            .packages
            .iter()
            .map(|package| (format!("{} {} {}", package.manager, package.name, package.version), package.bytes));
        let layers = report.layers.iter().zip(&found.layers).map(|(layer, index)| {
            let tree = of_layer(index, least.max(index.bytes / 1000));
            let mut paths = BTreeMap::new();
            flatten(&tree, "", &mut paths);
            let LayerOut { diff_id, size, instruction, .. } = layer.clone();
            SnapLayer { diff_id, size, instruction, paths }
        });
        Self {
            id: report.id.clone(),
            size: report.size,
            compressed: report.compressed,
            context: None,
            base: report.base.name.clone(),
            base_layers: report.base.layers,
            context_files: BTreeMap::new(),
            packages: packages.collect(),
            layer: layers.collect(),
        }
    }
}

fn flatten(tree: &Tree, path: &str, paths: &mut BTreeMap<String, u64>) {
    for child in tree.children.iter().filter(|child| !child.name.starts_with('…')) {
        let path = format!("{path}/{}", child.name);
        // A folder stays one where all that is in it is small.
        if child.children.is_empty() {
            paths.insert(if child.files > 1 { path + "/" } else { path }, child.bytes);
        } else {
            flatten(child, &path, paths);
            paths.insert(path + "/", child.bytes);
        }
    }
}

impl Lock {
    /// Reads it; nothing where there is no file.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(crate::files::unreadable(path, &error)),
        };
        let wrong = |why: &str| {
            let help = "`plimsoll gate --update-baseline` writes it anew";
            miette!(help = help, "failed to read the baseline {}: {why}", path.display())
        };
        let lock: Self = toml::from_str(&text).map_err(|error| wrong(error.message()))?;
        if lock.version != 1 {
            return Err(wrong(&format!("it has version {}, and this plimsoll knows 1", lock.version)));
        }
        Ok(Some(lock))
    }

    /// Writes it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = toml::to_string(self).into_diagnostic()?;
        let head = "# What `plimsoll gate` compares with; `plimsoll gate --update-baseline` writes it.\n\n";
        crate::files::write_atomically(path, format!("{head}{text}").as_bytes())
    }
}
