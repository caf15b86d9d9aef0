//! An image taken apart, as reports show it: layers with their lines, waste with its causes, kinds, packages.

pub mod causes;
pub mod html;
mod markdown;
mod text;
mod tree;

pub use crate::report::Format;
use crate::terminal::Paint;
use plimsoll_runtime::inspect::{EntryKind, FileKind, Inspected, Origins, kind_of, looks_secret};
use serde::Serialize;
use std::collections::BTreeMap;

pub use causes::Cause;
pub use tree::{Tree, of_layer, of_visible};

/// Everything `inspect` tells.
#[derive(Debug, Serialize)]
pub struct ImageReport {
    /// Version of this shape.
    pub version: u32,
    /// The image as it was named.
    pub image: String,
    /// Manifest digest, where there is a manifest.
    pub digest: Option<String>,
    /// Digest of the configuration: the image ID.
    pub id: String,
    /// `linux/amd64`
    pub platform: String,
    /// Bytes of all layers, uncompressed.
    pub size: u64,
    /// Bytes as a registry would get it, where that was asked for or the image came compressed.
    pub compressed: Option<u64>,
    /// The Dockerfile that lines are of.
    pub dockerfile: Option<String>,
    /// What came with the base image.
    pub base: Base,
    /// Layers, lowest first.
    pub layers: Vec<LayerOut>,
    /// Bytes of files that no container sees; each counts once.
    pub wasted_bytes: u64,
    /// Bytes of files whose content stands elsewhere too.
    pub duplicate_bytes: u64,
    /// Wasted and duplicate bytes that layers above the base brought.
    pub avoidable_bytes: u64,
    /// Where waste comes from, the largest first.
    pub causes: Vec<Cause>,
    /// Single wasted files, the largest first, at most 100.
    pub wasted: Vec<WastedOut>,
    /// Single duplicates, the largest first, at most 100.
    pub duplicates: Vec<DuplicateOut>,
    /// The largest files that a container sees, at most 100.
    pub largest_files: Vec<PathOut>,
    /// The largest directories, two levels deep, at most 100.
    pub largest_directories: Vec<PathOut>,
    /// Files by kind, the largest first.
    pub kinds: Vec<KindOut>,
    /// Programs that run as their owner.
    pub setuid: Vec<String>,
    /// Files that look like secrets.
    pub secrets: Vec<String>,
    /// Installed packages, the largest first.
    pub packages: Vec<PackageOut>,
    /// What a container sees.
    pub visible: VisibleOut,
    /// How containers start.
    pub config: plimsoll_runtime::image::ContainerConfig,
}

/// The base image's share.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Base {
    /// Layers that came with it.
    pub layers: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Its name, where known.
    pub name: Option<String>,
    /// How that is known: `dockerfile`, `option`, `annotation`, `store`, `history`; nothing where it is not.
    pub by: Option<&'static str>,
    /// The line of its FROM.
    pub line: Option<u32>,
}

/// A layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerOut {
    /// From 1.
    pub number: usize,
    /// Digest of the uncompressed tar.
    pub diff_id: String,
    /// Bytes of it.
    pub size: u64,
    /// Bytes as it was found.
    pub stored: u64,
    /// The instruction that made it: the Dockerfile's text, or what history says.
    pub instruction: String,
    /// As history says.
    pub created_by: Option<String>,
    /// Its first line in the Dockerfile.
    pub line: Option<u32>,
    /// Its last line.
    pub last_line: Option<u32>,
    /// Whether it came with the base image.
    pub base: bool,
    /// Entries, without whiteouts.
    pub entries: usize,
    /// Whiteouts and opaque directories.
    pub whiteouts: usize,
    /// Bytes of its files.
    pub file_bytes: u64,
    /// Bytes of its files that later layers hide.
    pub wasted: u64,
}

/// A wasted file.
#[derive(Debug, Serialize)]
pub struct WastedOut {
    /// Where.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// How it was hidden.
    pub how: &'static str,
    /// The layer that wrote it, from 1.
    pub written_by_layer: usize,
    /// The layer that hides it, from 1.
    pub hidden_by_layer: usize,
}

/// A file whose content stands elsewhere.
#[derive(Debug, Serialize)]
pub struct DuplicateOut {
    /// Where.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// The layer that wrote it, from 1.
    pub layer: usize,
    /// Where it stood before.
    pub same_as: String,
    /// In which layer, from 1.
    pub same_as_layer: usize,
}

/// A path and its bytes.
#[derive(Debug, Clone, Serialize)]
pub struct PathOut {
    /// Where.
    pub path: String,
    /// How many.
    pub bytes: u64,
}

/// Files of one kind.
#[derive(Debug, Serialize)]
pub struct KindOut {
    /// Which.
    pub kind: &'static str,
    /// Their bytes.
    pub bytes: u64,
    /// How many.
    pub files: usize,
    /// Bytes of those that layers above the base brought.
    pub above_base: u64,
}

/// A package.
#[derive(Debug, Clone, Serialize)]
pub struct PackageOut {
    /// `dpkg`, `apk`, `rpm`, `pip`, `npm`, `gem`, `cargo`
    pub manager: &'static str,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its files.
    pub files: usize,
    /// The layer that brought most of it, from 1.
    pub layer: usize,
}

/// What a container sees.
#[derive(Debug, Serialize)]
pub struct VisibleOut {
    /// Paths.
    pub paths: usize,
    /// Bytes of files.
    pub bytes: u64,
}

/// Rows kept of single files.
const KEPT: usize = 100;

/// What is known of an image beside its bytes.
#[derive(Debug, Default)]
pub struct Beside<'a> {
    /// What it is called.
    pub name: String,
    /// The Dockerfile and the lines it gave.
    pub dockerfile: Option<(String, Origins)>,
    /// Layers of the base image, and how that is known.
    pub base: Option<(usize, &'static str, Option<String>)>,
    /// Bytes as a registry would get it.
    pub compressed: Option<u64>,
    /// What is known of the Dockerfile's own mistakes.
    pub mending: Option<&'a crate::mend::Mending>,
}

impl ImageReport {
    /// The report of an image.
    pub fn new(found: &Inspected, beside: &Beside<'_>) -> Self {
        let origins = beside.dockerfile.as_ref().map(|(_, origins)| origins);
        let base = base_of(found, beside);
        let layers: Vec<LayerOut> =
            (0..found.layers.len()).filter_map(|number| layer(found, number, origins, base.layers)).collect();
        let causes = causes::find(found, &layers, &base, beside.mending);
        let wasted = found.wasted.iter();
        let duplicates = found.duplicates.iter();
        let above = |layer: usize| layer >= base.layers;
        let avoidable = wasted.clone().filter(|one| above(one.hidden)).map(|one| one.bytes).sum::<u64>()
            + duplicates.clone().filter(|one| above(one.layer)).map(|one| one.bytes).sum::<u64>();
        let (setuid, secrets) = marked(found);
        Self {
            version: 1,
            image: beside.name.clone(),
            digest: found.manifest.map(|digest| digest.to_string()),
            id: found.id.to_string(),
            platform: format!("{}/{}", found.config.os, found.config.architecture),
            size: found.size(),
            compressed: beside.compressed,
            dockerfile: beside.dockerfile.as_ref().map(|(name, _)| name.clone()),
            wasted_bytes: wasted.clone().map(|one| one.bytes).sum(),
            duplicate_bytes: duplicates.clone().map(|one| one.bytes).sum(),
            avoidable_bytes: avoidable,
            wasted: wasted
                .take(KEPT)
                .map(|one| WastedOut {
                    path: rooted(&one.path),
                    bytes: one.bytes,
                    how: one.how.as_str(),
                    written_by_layer: one.written + 1,
                    hidden_by_layer: one.hidden + 1,
                })
                .collect(),
            duplicates: duplicates
                .take(KEPT)
                .map(|one| DuplicateOut {
                    path: rooted(&one.path),
                    bytes: one.bytes,
                    layer: one.layer + 1,
                    same_as: rooted(&one.of),
                    same_as_layer: one.of_layer + 1,
                })
                .collect(),
            largest_files: largest(found.visible.iter().map(|file| (rooted(&file.path), file.bytes))),
            largest_directories: directories(found),
            kinds: kinds(found, base.layers),
            setuid,
            secrets,
            packages: packages(found),
            visible: VisibleOut { paths: found.visible.len(), bytes: found.visible_bytes() },
            config: found.config.config.clone(),
            causes,
            layers,
            base,
        }
    }
}

fn rooted(path: &str) -> String {
    format!("/{path}")
}

fn base_of(found: &Inspected, beside: &Beside<'_>) -> Base {
    let (layers, by, name) = match (&beside.base, &beside.dockerfile) {
        (Some((layers, by, name)), _) => (*layers, Some(*by), name.clone()),
        (None, Some((_, origins))) => {
            let layers = found.layers.iter().filter(|layer| layer.history.is_some_and(|at| at < origins.base)).count();
            (layers, Some("dockerfile"), origins.base_name.clone())
        }
        (None, None) => (0, None, None),
    };
    let from = beside.dockerfile.as_ref().and_then(|(_, origins)| origins.from.as_ref());
    let name = name.or_else(|| beside.dockerfile.as_ref().and_then(|(_, origins)| origins.base_name.clone()));
    let bytes = found.layers.iter().take(layers).map(|layer| layer.size).sum();
    Base { layers, bytes, name, by, line: from.map(|from| from.line) }
}

fn layer(found: &Inspected, number: usize, origins: Option<&Origins>, base: usize) -> Option<LayerOut> {
    let layer = found.layers.get(number)?;
    let origin = layer.history.and_then(|at| origins?.entries.get(at)?.as_ref()).filter(|_| number >= base);
    let said = layer.created_by.as_deref().unwrap_or_default();
    Some(LayerOut {
        number: number + 1,
        diff_id: layer.diff_id.to_string(),
        size: layer.size,
        stored: layer.stored,
        instruction: origin.map_or_else(|| instruction(said), |origin| origin.text.clone()),
        created_by: layer.created_by.clone(),
        line: origin.map(|origin| origin.line),
        last_line: origin.map(|origin| origin.last_line),
        base: number < base,
        entries: layer.index.entries.len(),
        whiteouts: layer.index.whiteouts.len() + layer.index.opaque.len(),
        file_bytes: layer.bytes,
        wasted: layer.wasted,
    })
}

/// What history says, as a Dockerfile would have it.
pub fn instruction(said: &str) -> String {
    let said = said.trim().strip_suffix("# buildkit").unwrap_or(said).trim();
    let said = match said.strip_prefix("/bin/sh -c #(nop)") {
        Some(rest) => rest.trim().to_owned(),
        None => match said.strip_prefix("/bin/sh -c ") {
            Some(rest) => format!("RUN {rest}"),
            None => said.strip_prefix("RUN /bin/sh -c ").map_or_else(|| said.to_owned(), |rest| format!("RUN {rest}")),
        },
    };
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn largest(rows: impl Iterator<Item = (String, u64)>) -> Vec<PathOut> {
    let mut rows: Vec<PathOut> =
        rows.filter(|(_, bytes)| *bytes > 0).map(|(path, bytes)| PathOut { path, bytes }).collect();
    rows.sort_by(|a, b| (b.bytes, &a.path).cmp(&(a.bytes, &b.path)));
    rows.truncate(KEPT);
    rows
}

fn directories(found: &Inspected) -> Vec<PathOut> {
    let mut by_folder: BTreeMap<&str, u64> = BTreeMap::new();
    for file in &found.visible {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let end = folder.match_indices('/').nth(1).map_or(folder.len(), |(at, _)| at);
        *by_folder.entry(folder.get(..end).unwrap_or(folder)).or_default() += file.bytes;
    }
    largest(by_folder.into_iter().map(|(path, bytes)| (rooted(path), bytes)))
}

fn kinds(found: &Inspected, base: usize) -> Vec<KindOut> {
    let mut by_kind: BTreeMap<FileKind, KindOut> = BTreeMap::new();
    for file in found.visible.iter().filter(|file| file.bytes > 0) {
        let kind = kind_of(&file.path);
        let row = by_kind.entry(kind).or_insert(KindOut { kind: kind.as_str(), bytes: 0, files: 0, above_base: 0 });
        row.bytes += file.bytes;
        row.files += 1;
        if file.layer >= base {
            row.above_base += file.bytes;
        }
    }
    let mut rows: Vec<KindOut> = by_kind.into_values().collect();
    rows.sort_by(|a, b| (b.bytes, a.kind).cmp(&(a.bytes, b.kind)));
    rows
}

/// Programs that run as their owner or group, and files that look like secrets.
fn marked(found: &Inspected) -> (Vec<String>, Vec<String>) {
    let (mut setuid, mut secrets) = (Vec::new(), Vec::new());
    for file in &found.visible {
        let entry = found.entry(file);
        if entry.kind == EntryKind::File && entry.mode & 0o6000 != 0 {
            setuid.push(rooted(&file.path));
        }
        if entry.kind == EntryKind::File && entry.size > 0 && (entry.marks.private_key || looks_secret(&file.path)) {
            secrets.push(rooted(&file.path));
        }
    }
    // A secret that a later layer deletes is still in the image.
    for one in &found.wasted {
        let entries = found.layers.get(one.written).map(|layer| &layer.index.entries);
        let key = entries.is_some_and(|entries| entries.iter().any(|e| e.path == one.path && e.marks.private_key));
        if one.how == plimsoll_runtime::inspect::Hidden::Deleted && (looks_secret(&one.path) || key) {
            secrets.push(format!("{} (deleted later, still in layer {})", rooted(&one.path), one.written + 1));
        }
    }
    (setuid, secrets)
}

fn packages(found: &Inspected) -> Vec<PackageOut> {
    let packages = found.packages.iter().map(|package| PackageOut {
        manager: package.manager,
        name: package.name.clone(),
        version: package.version.clone(),
        bytes: package.bytes,
        files: package.files,
        layer: package.layer + 1,
    });
    packages.collect()
}

/// The report in the format that was asked for, with a line end.
pub fn render(format: Format, report: &ImageReport, found: &Inspected, top: usize, color: bool) -> String {
    match format {
        Format::Text => text::text(report, top, Paint(color)),
        Format::Json => serde_json::to_string_pretty(report).unwrap_or_default() + "\n",
        Format::Markdown => markdown::markdown(report, top),
        Format::Html => html::page(report, found),
    }
}

/// A text cut to so many characters.
pub fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).collect::<String>() + "…"
}
