//! Reading images: what any tool wrote, and what nobody should have.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde::Deserialize;

use super::compress::oci_media_type;
use super::error::ExportError;
use crate::digest::Digest;
use crate::image::{BlobRef, Descriptor, Image, ImageConfig, Index, Manifest, Platform, media};
use crate::layer::{Compression, decoder};
use crate::reference::Reference;
use crate::store::{Store, StoreError, as_index, to_json};

/// How deep indexes may lie in one another.
const MAX_NESTING: usize = 4;
/// How many images one source may hold.
const MAX_IMAGES: usize = 1000;

/// An image that was loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The name it was given in the store, if the source had one for it.
    pub reference: Option<String>,
    /// The image.
    pub image: Image,
}

/// One element of a docker archive's `manifest.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DockerEntry {
    pub(crate) config: String,
    #[serde(default)]
    pub(crate) repo_tags: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) layers: Vec<String>,
}

/// Loads every image of an OCI layout (directory or archive) or docker archive, compressed or not. `-` is standard
/// input. `name` is for a single image whose source names it by a bare tag or not at all.
pub fn load(store: &Store, source: &Path, name: Option<&str>) -> Result<Vec<Loaded>, ExportError> {
    let name = name.map(|name| Reference::parse(name).map(|name| name.to_string())).transpose();
    let name = name.map_err(StoreError::from)?;
    let mut loaded = if source.is_dir() {
        from_directory(store, source)?
    } else if source == Path::new("-") {
        from_archive(store, io::stdin(), source)?
    } else {
        from_archive(store, File::open(source).map_err(ExportError::io("open", source))?, source)?
    };
    if let ([only], Some(name)) = (loaded.as_mut_slice(), &name) {
        only.reference = Some(name.clone());
    }
    for image in &loaded {
        if let Some(reference) = &image.reference {
            store.name_manifest(reference, &image.image.manifest)?;
        }
    }
    Ok(loaded)
}

fn from_directory(store: &Store, source: &Path) -> Result<Vec<Loaded>, ExportError> {
    let path = source.join("index.json");
    let bytes = read_small(File::open(&path).map_err(ExportError::io("open", &path))?, &path)?;
    let index = parse_index(&bytes, source)?;
    let mut fetch = |wanted: &Descriptor| -> Result<bool, ExportError> {
        if store.has_blob(&wanted.blob()) {
            return Ok(true);
        }
        let path = source.join("blobs/sha256").join(wanted.digest.hex());
        let mut file = match File::open(&path) {
            Ok(file) => file.take(wanted.size.saturating_add(1)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(ExportError::io("open", &path)(error)),
        };
        let mut writer = store.writer()?;
        copy(&mut file, &mut writer, &path)?;
        writer.commit(Some(&wanted.blob()))?;
        Ok(true)
    };
    from_index(store, &index, source, &mut fetch)
}

fn from_archive(store: &Store, stream: impl Read + Send, source: &Path) -> Result<Vec<Loaded>, ExportError> {
    let stream = decoder(stream).map_err(ExportError::io("read", source))?;
    let mut archive = tar::Archive::new(stream);
    let mut files: BTreeMap<String, BlobRef> = BTreeMap::new();
    let mut links: BTreeMap<String, String> = BTreeMap::new();
    for entry in archive.entries().map_err(ExportError::io("read", source))? {
        let mut entry = entry.map_err(ExportError::io("read", source))?;
        let name = normal("", &String::from_utf8_lossy(&entry.path_bytes()));
        let kind = entry.header().entry_type();
        if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
            let mut writer = store.writer()?;
            copy(&mut entry, &mut writer, source)?;
            let expected = name.strip_prefix("blobs/sha256/").and_then(|hex| Digest::from_hex(hex).ok());
            let size = writer.size();
            let expected = expected.map(|digest| BlobRef { digest, size });
            files.insert(name, writer.commit(expected.as_ref())?);
        } else if (kind.is_symlink() || kind.is_hard_link())
            && let Some(target) = entry.link_name_bytes()
        {
            let target = String::from_utf8_lossy(&target).into_owned();
            let beside = if kind.is_symlink() { name.rsplit_once('/').map_or("", |(dir, _)| dir) } else { "" };
            links.insert(name.clone(), normal(beside, &target));
        }
        if files.len() > 100_000 {
            return Err(not_images(source, "it has more than 100000 files"));
        }
    }
    let find = |name: &str| {
        let mut name = normal("", name);
        for _ in 0..8 {
            match links.get(&name) {
                Some(target) => name.clone_from(target),
                None => break,
            }
        }
        files.get(&name).copied()
    };
    // Docker's own manifest first: it knows all the tags, and its layers need no media type.
    if let Some(manifest) = find("manifest.json") {
        let bytes = store.read_blob(&manifest.digest)?;
        if let Ok(entries) = serde_json::from_slice::<Vec<DockerEntry>>(&bytes) {
            return from_docker(store, &entries, source, &find);
        }
    }
    let Some(index) = find("index.json") else {
        return Err(not_images(source, "it has neither an index.json nor a manifest.json"));
    };
    let index = parse_index(&store.read_blob(&index.digest)?, source)?;
    let mut fetch = |wanted: &Descriptor| Ok(store.has_blob(&wanted.blob()));
    from_index(store, &index, source, &mut fetch)
}

/// Brings a blob into the store; false when the source does not have it.
type Fetch<'f> = &'f mut dyn FnMut(&Descriptor) -> Result<bool, ExportError>;

fn from_index(store: &Store, index: &Index, source: &Path, fetch: Fetch<'_>) -> Result<Vec<Loaded>, ExportError> {
    let mut loaded = Vec::new();
    for entry in &index.manifests {
        let names = [entry.annotations.get("io.containerd.image.name"), entry.annotations.get(media::REF_NAME)];
        // A bare tag, as most layouts have, names no repository.
        let mut names = names.into_iter().flatten().filter(|name| name.contains(['/', ':']));
        let reference = names.find_map(|name| Reference::parse(name).ok()).map(|name| name.to_string());
        walk(store, entry, reference.as_deref(), source, fetch, 0, &mut loaded)?;
    }
    if loaded.is_empty() {
        return Err(not_images(source, "its index names no image that it holds"));
    }
    Ok(loaded)
}

fn walk(
    store: &Store,
    entry: &Descriptor,
    reference: Option<&str>,
    source: &Path,
    fetch: Fetch<'_>,
    depth: usize,
    loaded: &mut Vec<Loaded>,
) -> Result<(), ExportError> {
    if depth > MAX_NESTING || loaded.len() > MAX_IMAGES {
        return Err(not_images(source, "its indexes lie too deep in one another"));
    }
    if entry.annotations.get("vnd.docker.reference.type").is_some_and(|kind| kind == "attestation-manifest") {
        return Ok(());
    }
    if !fetch(entry)? {
        // An index may name more platforms than a layout holds.
        return if depth > 0 { Ok(()) } else { Err(StoreError::Missing { digest: entry.digest }.into()) };
    }
    let bytes = store.read_blob(&entry.digest)?;
    if let Some(index) = as_index(&bytes) {
        for inner in &index.manifests {
            walk(store, inner, reference, source, fetch, depth + 1, loaded)?;
        }
        return Ok(());
    }
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| not_images(source, format!("manifest {} does not read: {error}", entry.digest)))?;
    for blob in manifest.layers.iter().chain([&manifest.config]) {
        if !fetch(blob)? {
            return Err(StoreError::Missing { digest: blob.digest }.into());
        }
    }
    let image = store.image_for(&entry.digest, &Platform::host())?;
    loaded.push(Loaded { reference: reference.map(str::to_owned), image });
    Ok(())
}

fn from_docker(
    store: &Store,
    entries: &[DockerEntry],
    source: &Path,
    find: &dyn Fn(&str) -> Option<BlobRef>,
) -> Result<Vec<Loaded>, ExportError> {
    let mut loaded = Vec::new();
    for entry in entries {
        let missing = |name: &str| not_images(source, format!("it names `{name}` and does not hold it"));
        let config = find(&entry.config).ok_or_else(|| missing(&entry.config))?;
        let parsed: ImageConfig = serde_json::from_slice(&store.read_blob(&config.digest)?)
            .map_err(|error| not_images(source, format!("configuration `{}` does not read: {error}", entry.config)))?;
        if parsed.rootfs.diff_ids.len() != entry.layers.len() {
            return Err(not_images(source, format!("`{}` has another number of layers", entry.config)));
        }
        let mut layers = Vec::new();
        for (name, diff_id) in entry.layers.iter().zip(&parsed.rootfs.diff_ids) {
            let blob = find(name).ok_or_else(|| missing(name))?;
            let mut first = [0; 4];
            let path = store.blob_path(&blob.digest);
            let mut file = store.open_sized(&blob)?;
            let read = file.read(&mut first).map_err(ExportError::io("read", &path))?;
            let compression = Compression::of(&first[..read]);
            let descriptor = Descriptor::new(oci_media_type(compression), blob);
            if blob.digest != *diff_id {
                store.measure(&descriptor, diff_id)?;
            }
            layers.push(descriptor);
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: media::MANIFEST.to_owned(),
            config: Descriptor::new(media::CONFIG, config),
            layers,
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        };
        let manifest = store.put_bytes(&to_json(&manifest))?;
        let image = store.image_for(&manifest.digest, &Platform::host())?;
        let tags = entry.repo_tags.iter().flatten().filter_map(|tag| Reference::parse(tag).ok());
        let tags: Vec<String> = tags.map(|tag| tag.to_string()).collect();
        if tags.is_empty() {
            loaded.push(Loaded { reference: None, image: image.clone() });
        }
        loaded.extend(tags.into_iter().map(|tag| Loaded { reference: Some(tag), image: image.clone() }));
    }
    if loaded.is_empty() {
        return Err(not_images(source, "its manifest names no image"));
    }
    Ok(loaded)
}

fn parse_index(bytes: &[u8], source: &Path) -> Result<Index, ExportError> {
    serde_json::from_slice(bytes).map_err(|error| not_images(source, format!("its index does not read: {error}")))
}

fn not_images(path: &Path, reason: impl Into<String>) -> ExportError {
    ExportError::NotImages { path: path.to_owned(), reason: reason.into() }
}

fn read_small(file: File, path: &Path) -> Result<Vec<u8>, ExportError> {
    let mut bytes = Vec::new();
    file.take(16 << 20).read_to_end(&mut bytes).map_err(ExportError::io("read", path))?;
    Ok(bytes)
}

fn copy(from: &mut impl Read, to: &mut impl Write, path: &Path) -> Result<(), ExportError> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = from.read(&mut buffer).map_err(ExportError::io("read", path))?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read]).map_err(ExportError::io("write a blob from", path))?;
    }
}

/// A path in an archive without `.`, `..` and doubled slashes.
pub(crate) fn normal(beside: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let beside = if path.starts_with('/') { "" } else { beside };
    for part in beside.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
