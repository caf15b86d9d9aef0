//! Writing images.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::compress::compress_layer;
use super::error::ExportError;
use crate::digest::Hasher;
use crate::image::{BlobRef, Descriptor, Image, Index, Manifest, media};
use crate::layer::{Compression, Entry, Kind, TarWriter};
use crate::reference::Reference;
use crate::store::{Store, StoreError, to_json};

const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// An OCI image layout, a directory.
    OciDirectory,
    /// A tar of an OCI image layout.
    OciArchive,
    /// What `docker load` reads; an OCI image layout at the same time.
    DockerArchive,
}

/// How it is written.
#[derive(Debug, Clone, Copy)]
pub struct ExportOptions {
    /// What.
    pub format: Format,
    /// The layers' compression; none keeps each as it is in the store.
    pub compression: Option<Compression>,
    /// Its level, or the default one.
    pub level: Option<i32>,
}

/// An image and the names it shall have.
#[derive(Debug, Clone)]
pub struct Named<'i> {
    /// The image.
    pub image: &'i Image,
    /// Its names; an OCI layout takes any, a docker archive those with a tag.
    pub references: Vec<String>,
}

/// Files of an archive or directory: small ones by their bytes, blobs by their digests.
struct Content {
    files: BTreeMap<String, Vec<u8>>,
    blobs: BTreeSet<(crate::digest::Digest, u64)>,
}

/// Writes images to a path. A directory that is a layout already gains them; a file is replaced whole or not at all.
pub fn export(
    store: &Store,
    images: &[Named<'_>],
    options: &ExportOptions,
    destination: &Path,
) -> Result<(), ExportError> {
    if options.format == Format::OciDirectory {
        return write_directory(store, images, options, destination);
    }
    let mut name = destination.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = destination.with_file_name(name);
    let written = File::create(&part).map_err(ExportError::io("create", &part)).and_then(|file| {
        export_to(store, images, options, file)?;
        fs::rename(&part, destination).map_err(ExportError::io("create", destination))
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    written
}

/// Writes an archive to a stream.
pub fn export_to(
    store: &Store,
    images: &[Named<'_>],
    options: &ExportOptions,
    destination: impl Write,
) -> Result<(), ExportError> {
    let content = collect(store, images, options, Index::default())?;
    let mut tar = TarWriter::new(destination, None);
    let dir = Entry { path: b"blobs", kind: Kind::Dir, mode: 0o755, uid: 0, gid: 0, mtime: 0, xattrs: &[] };
    tar.entry(&dir)?;
    tar.entry(&Entry { path: b"blobs/sha256", ..dir })?;
    for (digest, size) in &content.blobs {
        let blob = BlobRef { digest: *digest, size: *size };
        let path = format!("blobs/sha256/{}", digest.hex());
        let entry = Entry { path: path.as_bytes(), kind: Kind::File { size: *size }, mode: 0o644, ..dir };
        let mut reader = Hashing { inner: store.open_sized(&blob)?, hasher: Hasher::new() };
        tar.entry_with(&entry, &mut reader)?;
        reader.check(&blob)?;
    }
    for (name, bytes) in &content.files {
        tar.file(&Entry { path: name.as_bytes(), mode: 0o644, ..dir }, bytes)?;
    }
    let (mut destination, _) = tar.finish()?;
    destination.flush().map_err(ExportError::io("write", Path::new("the archive")))
}

fn write_directory(
    store: &Store,
    images: &[Named<'_>],
    options: &ExportOptions,
    destination: &Path,
) -> Result<(), ExportError> {
    let blobs = destination.join("blobs/sha256");
    fs::create_dir_all(&blobs).map_err(ExportError::io("create", &blobs))?;
    let index = destination.join("index.json");
    let before = match fs::read(&index) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| ExportError::NotImages {
            path: index.clone(),
            reason: format!("its index does not read: {error}"),
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Index::default(),
        Err(error) => return Err(ExportError::io("read", &index)(error)),
    };
    let content = collect(store, images, options, before)?;
    for (digest, size) in &content.blobs {
        let path = blobs.join(digest.hex());
        if fs::metadata(&path).is_ok_and(|meta| meta.len() == *size) {
            continue;
        }
        let blob = BlobRef { digest: *digest, size: *size };
        let mut reader = Hashing { inner: store.open_sized(&blob)?, hasher: Hasher::new() };
        replace(&path, |file| {
            copy(&mut reader, file)?;
            Ok(())
        })?;
        if let Err(error) = reader.check(&blob) {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
    }
    // The index last: before it the images are not there.
    for name in ["oci-layout", "index.json"] {
        if let Some(bytes) = content.files.get(name) {
            replace(&destination.join(name), |file| file.write_all(bytes))?;
        }
    }
    Ok(())
}

fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<(), ExportError> {
    let part = PathBuf::from(format!("{}.{}.part", path.display(), std::process::id()));
    let write = || {
        let mut file = File::create(&part)?;
        fill(&mut file)?;
        fs::rename(&part, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&part);
        ExportError::io("write", path)(error)
    })
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read])?;
    }
}

fn collect(
    store: &Store,
    images: &[Named<'_>],
    options: &ExportOptions,
    mut index: Index,
) -> Result<Content, ExportError> {
    let docker = options.format == Format::DockerArchive;
    let mut content = Content { files: BTreeMap::new(), blobs: BTreeSet::new() };
    let mut docker_manifest = Vec::new();
    for Named { image, references } in images {
        let (manifest, bytes) = manifest_for(store, image, options)?;
        let blob = store.put_bytes(&bytes)?;
        let all = manifest.layers.iter().chain([&manifest.config]).map(Descriptor::blob).chain([blob]);
        content.blobs.extend(all.map(|blob| (blob.digest, blob.size)));
        let media_type = if manifest.media_type.is_empty() { media::MANIFEST } else { &manifest.media_type };
        let mut entry = Descriptor::new(media_type, blob);
        entry.platform = Some(image.platform()).filter(|platform| !platform.os.is_empty());
        let names: Vec<Option<&String>> =
            if references.is_empty() { vec![None] } else { references.iter().map(Some).collect() };
        for name in names {
            let mut entry = entry.clone();
            if let Some(name) = name {
                entry.annotations.insert(media::REF_NAME.to_owned(), name.clone());
                if let Ok(full) = Reference::parse(name) {
                    entry.annotations.insert("io.containerd.image.name".to_owned(), full.to_string());
                }
                index.manifests.retain(|old| old.annotations.get(media::REF_NAME) != Some(name));
            }
            if !index.manifests.contains(&entry) {
                index.manifests.push(entry);
            }
        }
        if docker {
            let path = |descriptor: &Descriptor| format!("blobs/sha256/{}", descriptor.digest.hex());
            let tags = references.iter().filter_map(|name| Reference::parse(name).ok());
            let tags: Vec<String> = tags.filter(|name| name.tag.is_some()).map(|name| name.familiar()).collect();
            docker_manifest.push(json!({
                "Config": path(&manifest.config),
                "RepoTags": tags,
                "Layers": manifest.layers.iter().map(path).collect::<Vec<_>>(),
            }));
        }
    }
    content.files.insert("oci-layout".to_owned(), LAYOUT.to_vec());
    content.files.insert("index.json".to_owned(), to_json(&index));
    if docker {
        content.files.insert("manifest.json".to_owned(), to_json(&docker_manifest));
    }
    Ok(content)
}

/// The manifest of an image with its layers in the wanted form; the very one of the store when nothing changes.
pub(crate) fn manifest_for(
    store: &Store,
    image: &Image,
    options: &ExportOptions,
) -> Result<(Manifest, Vec<u8>), ExportError> {
    let bytes = store.read_blob(&image.manifest)?;
    let mut manifest: Manifest = serde_json::from_slice(&bytes).map_err(|source| StoreError::Json {
        what: "the manifest",
        path: store.blob_path(&image.manifest),
        source,
    })?;
    let Some(compression) = options.compression else { return Ok((manifest, bytes)) };
    let mut layers = Vec::with_capacity(image.layers.len());
    for (layer, old) in image.layers.iter().zip(&manifest.layers) {
        let mut new = compress_layer(store, layer, compression, options.level)?.descriptor;
        if new.digest == old.digest {
            new.media_type.clone_from(&old.media_type);
        }
        new.annotations.clone_from(&old.annotations);
        layers.push(new);
    }
    if layers.iter().zip(&manifest.layers).all(|(new, old)| new.digest == old.digest) {
        return Ok((manifest, bytes));
    }
    manifest.layers = layers;
    // Docker's format knows no zstd, and mixing the two formats confuses readers.
    if manifest.media_type == media::DOCKER_MANIFEST || manifest.media_type.is_empty() {
        media::MANIFEST.clone_into(&mut manifest.media_type);
        media::CONFIG.clone_into(&mut manifest.config.media_type);
        for layer in &mut manifest.layers {
            if let Some(compression) = super::compress::compression_of(&layer.media_type) {
                super::compress::oci_media_type(compression).clone_into(&mut layer.media_type);
            }
        }
    }
    let bytes = to_json(&manifest);
    Ok((manifest, bytes))
}

struct Hashing<R> {
    inner: R,
    hasher: Hasher,
}

impl<R> Hashing<R> {
    fn check(self, blob: &BlobRef) -> Result<(), ExportError> {
        let actual = self.hasher.finish();
        if actual == blob.digest { Ok(()) } else { Err(StoreError::Digest { expected: blob.digest, actual }.into()) }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
