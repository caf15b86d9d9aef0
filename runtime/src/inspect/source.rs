//! Images as they lie about: in the store, an OCI layout, an archive of either kind, or a daemon.
//!
//! Nothing is copied into the store. An archive is read where it lies; one that is compressed, or comes through a pipe, is
//! put into an unnamed file first.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::InspectError;
use crate::digest::Digest;
use crate::export::load::{DockerEntry, normal};
use crate::image::{Descriptor, Image, ImageConfig, Index, Manifest, Platform, media};
use crate::layer::decoder;
use crate::reference::Reference;
use crate::store::{Store, as_index, choose};

/// The largest manifest, index or configuration that is read.
const MAX_JSON: u64 = 16 << 20;

/// An image whose layers can be read, wherever it is.
#[derive(Debug)]
pub struct Source {
    /// The names it has there.
    pub names: Vec<String>,
    /// Digest of its manifest, where it has one.
    pub manifest: Option<Digest>,
    /// Digest of the configuration: the image ID as docker shows it.
    pub id: Digest,
    /// The configuration.
    pub config: ImageConfig,
    /// Annotations of the manifest.
    pub annotations: std::collections::BTreeMap<String, String>,
    /// Layers, lowest first.
    pub layers: Vec<SourceLayer>,
}

/// A layer and where its bytes are.
#[derive(Debug)]
pub struct SourceLayer {
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// Bytes as they lie there, compressed or not.
    pub stored: u64,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Store(Store, crate::image::BlobRef),
    File(PathBuf),
    Part { file: Arc<File>, at: u64, size: u64 },
}

impl SourceLayer {
    /// Its bytes, compressed or not.
    pub fn open(&self) -> Result<Box<dyn Read + Send>, InspectError> {
        self.place.open()
    }

    /// Bytes of it as a registry gets it: as it is when it is compressed already, else with gzip as `push` writes it.
    pub fn compressed(&self) -> Result<u64, InspectError> {
        let mut stream = io::BufReader::new(self.open()?);
        let first = io::BufRead::fill_buf(&mut stream).map_err(InspectError::io("read", Path::new("a layer")))?;
        if crate::layer::Compression::of(first) != crate::layer::Compression::None {
            return Ok(self.stored);
        }
        let mut count = Count(0);
        crate::export::recompress(&mut stream, &mut count, crate::layer::Compression::Gzip, None)
            .map_err(InspectError::io("compress", Path::new("a layer")))?;
        Ok(count.0)
    }
}

/// Counts what is written to it.
struct Count(u64);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Place {
    fn open(&self) -> Result<Box<dyn Read + Send>, InspectError> {
        Ok(match self {
            Self::Store(store, blob) => Box::new(store.open_sized(blob)?),
            Self::File(path) => Box::new(File::open(path).map_err(InspectError::io("open", path))?),
            Self::Part { file, at, size } => Box::new(Part { file: Arc::clone(file), at: *at, left: *size }),
        })
    }

    fn json(&self, name: &str) -> Result<Vec<u8>, InspectError> {
        let mut bytes = Vec::new();
        self.open()?.take(MAX_JSON).read_to_end(&mut bytes).map_err(InspectError::io("read", Path::new(name)))?;
        Ok(bytes)
    }
}

/// A part of a file, read without moving its position.
struct Part {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

impl Source {
    /// An image of the store.
    pub fn stored(store: &Store, image: &Image) -> Result<Source, InspectError> {
        let layers = image.layers.iter().map(|layer| {
            let blob = layer.blob.ok_or(crate::store::StoreError::Missing { digest: layer.diff_id })?;
            Ok(SourceLayer { diff_id: layer.diff_id, stored: blob.size, place: Place::Store(store.clone(), blob) })
        });
        Ok(Source {
            names: Vec::new(),
            manifest: Some(image.manifest),
            id: image.config_digest,
            config: image.config.clone(),
            annotations: image.annotations.clone(),
            layers: layers.collect::<Result<_, InspectError>>()?,
        })
    }

    /// The image in an OCI layout, a folder or an archive, or in a docker archive; `-` is standard input. Where there are
    /// several, `name` says which.
    pub fn at(path: &Path, name: Option<&str>, platform: &Platform) -> Result<Source, InspectError> {
        let files = if path.is_dir() {
            Files::Folder(path.to_owned())
        } else if path == Path::new("-") {
            Files::of(spool(io::stdin(), path)?, path)?
        } else {
            let mut file = File::open(path).map_err(InspectError::io("open", path))?;
            let mut first = [0; 4];
            let read = file.read(&mut first).map_err(InspectError::io("read", path))?;
            file.seek(SeekFrom::Start(0)).map_err(InspectError::io("read", path))?;
            let plain = crate::layer::Compression::of(&first[..read]) == crate::layer::Compression::None;
            Files::of(if plain { file } else { spool(file, path)? }, path)?
        };
        let images = files.images(path)?;
        choose_one(images, name, platform, path)
    }

    /// An image of a docker or podman daemon, as its `save` writes it; where its command is not installed, its API gives it.
    pub fn saved(engine: &str, name: &str, platform: &Platform) -> Result<Source, InspectError> {
        let mut command = Command::new(engine);
        command.arg("save");
        if engine == "podman" {
            command.args(["--format", "docker-archive"]);
        }
        let failed = |reason: String| InspectError::Engine { engine: engine.to_owned(), name: name.to_owned(), reason };
        command.arg(name).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let path = PathBuf::from(format!("{engine} save {name}"));
        let mut child = match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let stream = crate::engine::saved(engine == "podman", name);
                let stream = stream.map_err(|error| match error {
                    crate::engine::EngineError::Save { reason, .. } => failed(reason),
                    other => failed(format!("failed to {other}")),
                });
                let file = spool(stream?, &path)?;
                return choose_one(Files::of(file, &path)?.images(&path)?, None, platform, &path);
            }
            spawned => spawned.map_err(|error| failed(error.to_string()))?,
        };
        let said = child.stderr.take();
        let said = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = said.map(|mut said| said.read_to_string(&mut text));
            text
        });
        let archive = child.stdout.take().map(|out| spool(out, &path));
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        let said = said.join().unwrap_or_default();
        if !status.success() {
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
            return Err(failed(last.trim().to_owned()));
        }
        let file = archive.ok_or_else(|| failed("it has no output".to_owned()))??;
        choose_one(Files::of(file, &path)?.images(&path)?, None, platform, &path)
    }
}

/// Everything a stream holds, uncompressed, in a file without a name.
fn spool(stream: impl Read + Send, path: &Path) -> Result<File, InspectError> {
    let mut file = tempfile::tempfile().map_err(InspectError::io("create a temporary file for", path))?;
    let mut stream = decoder(stream).map_err(InspectError::io("read", path))?;
    io::copy(&mut stream, &mut file).map_err(InspectError::io("read", path))?;
    Ok(file)
}

/// The files of a layout or archive by name.
enum Files {
    Folder(PathBuf),
    Archive { file: Arc<File>, parts: HashMap<String, (u64, u64)>, links: HashMap<String, String> },
}

impl Files {
    fn of(file: File, path: &Path) -> Result<Files, InspectError> {
        let read = |error| InspectError::io("read", path)(error);
        let mut parts = HashMap::new();
        let mut links = HashMap::new();
        let mut walked = file.try_clone().map_err(read)?;
        walked.seek(SeekFrom::Start(0)).map_err(read)?;
        let mut archive = tar::Archive::new(io::BufReader::with_capacity(8192, walked));
        for entry in archive.entries_with_seek().map_err(read)? {
            let entry = entry.map_err(read)?;
            let name = normal("", &String::from_utf8_lossy(&entry.path_bytes()));
            let kind = entry.header().entry_type();
            if kind.is_file() || kind.is_contiguous() {
                parts.insert(name, (entry.raw_file_position(), entry.size()));
            } else if (kind.is_symlink() || kind.is_hard_link())
                && let Some(target) = entry.link_name_bytes()
            {
                let target = String::from_utf8_lossy(&target).into_owned();
                let beside = if kind.is_symlink() { name.rsplit_once('/').map_or("", |(dir, _)| dir) } else { "" };
                links.insert(name.clone(), normal(beside, &target));
            }
        }
        Ok(Files::Archive { file: Arc::new(file), parts, links })
    }

    fn find(&self, name: &str) -> Option<(Place, u64)> {
        match self {
            Self::Folder(root) => {
                let path = root.join(normal("", name));
                let size = path.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
                Some((Place::File(path), size))
            }
            Self::Archive { file, parts, links } => {
                let mut name = normal("", name);
                for _ in 0..8 {
                    match links.get(&name) {
                        Some(target) => name.clone_from(target),
                        None => break,
                    }
                }
                let (at, size) = *parts.get(&name)?;
                Some((Place::Part { file: Arc::clone(file), at, size }, size))
            }
        }
    }

    fn blob(&self, digest: &Digest) -> Option<(Place, u64)> {
        self.find(&format!("blobs/sha256/{}", digest.hex()))
    }

    fn images(&self, path: &Path) -> Result<Vec<Source>, InspectError> {
        let wrong = |reason: String| InspectError::NotImages { path: path.to_owned(), reason };
        // Docker's own manifest first: it knows all the tags.
        if let Some((manifest, _)) = self.find("manifest.json")
            && let Ok(entries) = serde_json::from_slice::<Vec<DockerEntry>>(&manifest.json("manifest.json")?)
        {
            return entries.into_iter().map(|entry| self.docker(entry, path)).collect();
        }
        let (index, _) =
            self.find("index.json").ok_or_else(|| wrong("it has neither an index.json nor a manifest.json".into()))?;
        let index: Index = serde_json::from_slice(&index.json("index.json")?)
            .map_err(|error| wrong(format!("its index does not read: {error}")))?;
        let mut found = Vec::new();
        for entry in &index.manifests {
            self.walk(entry, path, 0, &mut found)?;
        }
        Ok(found)
    }

    fn docker(&self, entry: DockerEntry, path: &Path) -> Result<Source, InspectError> {
        let wrong = |reason: String| InspectError::NotImages { path: path.to_owned(), reason };
        let find = |name: &str| self.find(name).ok_or_else(|| wrong(format!("it names `{name}` and does not hold it")));
        let bytes = find(&entry.config)?.0.json(&entry.config)?;
        let layers = entry.layers.iter().map(|name| find(name)).collect::<Result<Vec<_>, _>>()?;
        source(&bytes, None, layers, entry.repo_tags.unwrap_or_default(), path)
    }

    fn walk(&self, entry: &Descriptor, path: &Path, depth: usize, found: &mut Vec<Source>) -> Result<(), InspectError> {
        let wrong = |reason: String| InspectError::NotImages { path: path.to_owned(), reason };
        if depth > 4 || found.len() > 1000 {
            return Err(wrong("its indexes lie too deep in one another".into()));
        }
        if entry.annotations.get("vnd.docker.reference.type").is_some_and(|kind| kind == "attestation-manifest") {
            return Ok(());
        }
        let Some((manifest, _)) = self.blob(&entry.digest) else {
            // An index may name more platforms than a layout holds.
            return if depth > 0 { Ok(()) } else { Err(wrong(format!("it lacks the manifest {}", entry.digest))) };
        };
        let bytes = manifest.json("a manifest")?;
        if let Some(index) = as_index(&bytes) {
            let chosen = choose(&index, &Platform::host()).map(|chosen| chosen.digest);
            for inner in &index.manifests {
                // The platform of this machine first.
                if Some(inner.digest) == chosen {
                    self.walk(inner, path, depth + 1, found)?;
                }
            }
            for inner in index.manifests.iter().filter(|inner| Some(inner.digest) != chosen) {
                self.walk(inner, path, depth + 1, found)?;
            }
            return Ok(());
        }
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| wrong(format!("manifest {} does not read: {error}", entry.digest)))?;
        let find = |digest: &Digest| self.blob(digest).ok_or_else(|| wrong(format!("it lacks the blob {digest}")));
        let config = find(&manifest.config.digest)?.0.json("a configuration")?;
        let layers = manifest.layers.iter().map(|layer| find(&layer.digest)).collect::<Result<Vec<_>, _>>()?;
        let names = [entry.annotations.get("io.containerd.image.name"), entry.annotations.get(media::REF_NAME)];
        let names = names.into_iter().flatten().cloned().collect();
        let mut one = source(&config, Some(entry.digest), layers, names, path)?;
        one.annotations = manifest.annotations;
        found.push(one);
        Ok(())
    }
}

fn source(
    config: &[u8],
    manifest: Option<Digest>,
    layers: Vec<(Place, u64)>,
    names: Vec<String>,
    path: &Path,
) -> Result<Source, InspectError> {
    let wrong = |reason: String| InspectError::NotImages { path: path.to_owned(), reason };
    let id = Digest::of(config);
    let config: ImageConfig =
        serde_json::from_slice(config).map_err(|error| wrong(format!("its configuration does not read: {error}")))?;
    if config.rootfs.diff_ids.len() != layers.len() {
        let (said, there) = (config.rootfs.diff_ids.len(), layers.len());
        return Err(wrong(format!("its configuration has {said} layers, its manifest {there}")));
    }
    let layers = config.rootfs.diff_ids.iter().zip(layers);
    let layers = layers.map(|(diff_id, (place, stored))| SourceLayer { diff_id: *diff_id, stored, place }).collect();
    Ok(Source { names, manifest, id, config, annotations: std::collections::BTreeMap::new(), layers })
}

fn choose_one(
    mut images: Vec<Source>,
    name: Option<&str>,
    platform: &Platform,
    path: &Path,
) -> Result<Source, InspectError> {
    let wrong = |reason: String| InspectError::NotImages { path: path.to_owned(), reason };
    if let Some(wanted) = name {
        let full = Reference::parse(wanted).ok().map(|name| name.to_string());
        let known: Vec<String> = images.iter().flat_map(|image| image.names.clone()).collect();
        images.retain(|image| {
            image.names.iter().any(|name| {
                name == wanted || (full.is_some() && Reference::parse(name).ok().map(|name| name.to_string()) == full)
            })
        });
        if images.is_empty() {
            return Err(wrong(format!("it has no image {wanted}, but {}", known.join(", "))));
        }
    }
    let fits = |image: &Source| image.config.os == platform.os && image.config.architecture == platform.architecture;
    if images.len() > 1 && images.iter().any(fits) {
        images.retain(fits);
    }
    images.dedup_by_key(|image| image.id);
    if images.len() > 1 {
        let known: Vec<String> = images.iter().map(|image| image.names.first().cloned().unwrap_or_default()).collect();
        return Err(wrong(format!("it holds {} images ({}); name one of them", known.len(), known.join(", "))));
    }
    images.pop().ok_or_else(|| wrong("it holds no image".into()))
}
