//! From a registry into the store.

use std::io::{Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ureq::http::Method;

use super::Progress;
use super::client::{Content, Registry};
use super::error::RegistryError;
use crate::digest::Digest;
use crate::image::{Descriptor, Image, ImageConfig, Manifest, Platform, media};
use crate::reference::Reference;
use crate::store::{BlobWriter, Store, StoreError, as_index, choose};

/// Blobs on their way at once.
const AT_ONCE: usize = 4;
/// Tries for one blob that makes no progress.
const TRIES: u32 = 5;
const MAX_MANIFEST: u64 = 16 << 20;
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// How to pull.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// For which platform.
    pub platform: Platform,
    /// Hosts to ask before the registry itself, `host[:port]` or with `http://` or `https://`.
    pub mirrors: Vec<String>,
}

impl Default for PullOptions {
    fn default() -> PullOptions {
        PullOptions { platform: Platform::host(), mirrors: Vec::new() }
    }
}

/// Brings an image into the store and gives it its name there. What is there already is not fetched again.
pub fn pull(
    reference: &str,
    store: &Store,
    options: &PullOptions,
    progress: &dyn Progress,
) -> Result<Image, RegistryError> {
    let image = pull_unnamed(reference, store, options, progress)?;
    store.name_manifest(&Reference::parse(reference)?.to_string(), &image.0)?;
    Ok(image.1)
}

/// Fetches an image that gets no name in the store, with the digest that its reference stands for.
pub fn pull_unnamed(
    reference: &str,
    store: &Store,
    options: &PullOptions,
    progress: &dyn Progress,
) -> Result<(Digest, Image), RegistryError> {
    let reference = Reference::parse(reference)?;
    let mut sources: Vec<Option<&str>> = options.mirrors.iter().map(|mirror| Some(mirror.as_str())).collect();
    sources.push(None);
    let mut first = None;
    for mirror in sources {
        let result = Registry::new(&reference, mirror, "pull")
            .and_then(|registry| pull_from(&registry, store, &options.platform, progress));
        match result {
            Ok(manifest) => {
                let image = store.image_for(&manifest, &options.platform)?;
                return Ok((manifest, image));
            }
            // A mirror that lacks it or is away is passed over; one that lies or a full disk is not.
            Err(error) if mirror.is_some() && (error.is_transient() || matches!(error, RegistryError::NotFound(_))) => {
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(first.unwrap_or_else(|| RegistryError::NotFound(reference.familiar())))
}

/// Whether a registry, or one of the mirrors before it, has an image of that name. Nothing is brought into the store.
///
/// # Errors
/// Where the last of them gives no clear answer: it cannot be reached, or wants other credentials.
pub fn exists(reference: &str, mirrors: &[String]) -> Result<bool, RegistryError> {
    let reference = Reference::parse(reference)?;
    let ask = |mirror: Option<&str>| {
        let registry = Registry::new(&reference, mirror, "pull")?;
        let path = registry.path(&format!("manifests/{}", reference.selector()));
        let mut response = registry.send(&Method::HEAD, &path, &[("accept", ACCEPT)], Content::None)?;
        match response.status().as_u16() {
            200..300 => Ok(true),
            404 => Ok(false),
            _ => Err(registry.status(&mut response)),
        }
    };
    if mirrors.iter().any(|mirror| ask(Some(mirror)).unwrap_or(false)) {
        return Ok(true);
    }
    ask(None)
}

fn pull_from(
    registry: &Registry,
    store: &Store,
    platform: &Platform,
    progress: &dyn Progress,
) -> Result<Digest, RegistryError> {
    let reference = registry.reference();
    let (mut digest, mut bytes) = manifest(registry, store, &reference.selector(), reference.digest, None)?;
    for _ in 0..4 {
        let Some(index) = as_index(&bytes) else { break };
        let chosen = choose(&index, platform).ok_or_else(|| {
            let known = index.manifests.iter().filter_map(|manifest| manifest.platform.as_ref());
            let mut known: Vec<String> =
                known.filter(|platform| platform.os != "unknown").map(ToString::to_string).collect();
            known.dedup();
            RegistryError::Platform {
                reference: reference.familiar(),
                platform: platform.to_string(),
                present: known.join(", "),
            }
        })?;
        let (wanted, size) = (chosen.digest, chosen.size);
        (digest, bytes) = manifest(registry, store, &wanted.to_string(), Some(wanted), Some(size))?;
    }
    let manifest: Manifest = serde_json::from_slice(&bytes)
        .map_err(|error| registry.protocol(format!("its manifest does not read: {error}")))?;
    if manifest.schema_version != 2 {
        return Err(registry.protocol("it has the manifest format of before 2016".to_owned()));
    }
    if !manifest.media_type.is_empty() && !media::is_manifest(&manifest.media_type) {
        return Err(registry.protocol(format!("its manifest is of type {}", manifest.media_type)));
    }
    if manifest.layers.len() > 500 {
        return Err(registry.protocol("it has more than 500 layers".to_owned()));
    }
    if manifest.config.size > MAX_MANIFEST {
        return Err(registry.protocol("its configuration is too large".to_owned()));
    }
    blob(registry, store, &manifest.config, progress)?;
    let config: ImageConfig = serde_json::from_slice(&store.read_blob(&manifest.config.digest)?)
        .map_err(|error| registry.protocol(format!("its configuration does not read: {error}")))?;
    if config.rootfs.diff_ids.len() != manifest.layers.len() {
        return Err(registry.protocol("its configuration and its manifest have different layers".to_owned()));
    }
    let jobs: Vec<(&Descriptor, &Digest)> = manifest.layers.iter().zip(&config.rootfs.diff_ids).collect();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    let work = || {
        while let Some((descriptor, diff_id)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let done = blob(registry, store, descriptor, progress).and_then(|()| {
                if descriptor.digest != **diff_id && store.layer_record(diff_id).is_none() {
                    store.measure(descriptor, diff_id)?;
                }
                Ok(())
            });
            if let Err(error) = done {
                next.store(jobs.len(), Ordering::Relaxed);
                failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..AT_ONCE.min(jobs.len()) {
            scope.spawn(work);
        }
        work();
    });
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(digest),
    }
}

/// A manifest or index, which must have this digest and size where they are known.
fn manifest(
    registry: &Registry,
    store: &Store,
    selector: &str,
    expected: Option<Digest>,
    size: Option<u64>,
) -> Result<(Digest, Vec<u8>), RegistryError> {
    if let Some(digest) = expected
        && let Ok(bytes) = store.read_blob(&digest)
    {
        return Ok((digest, bytes));
    }
    let path = registry.path(&format!("manifests/{selector}"));
    let mut tries = 0;
    let bytes = loop {
        let result =
            registry.send(&Method::GET, &path, &[("accept", ACCEPT)], Content::None).and_then(|mut response| {
                if !response.status().is_success() {
                    return Err(registry.status(&mut response));
                }
                let header = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok());
                let said = header.and_then(|digest| digest.parse::<Digest>().ok());
                let body = response.body_mut().with_config().limit(MAX_MANIFEST).read_to_vec();
                let bytes = body.map_err(|error| registry.unreachable(&error))?;
                Ok((said, bytes))
            });
        match result {
            Err(error) if tries < 2 && matches!(error, RegistryError::Status { .. }) && error.is_transient() => {
                tries += 1;
                std::thread::sleep(error.pause(Duration::from_millis(300 << tries)));
            }
            result => break result?,
        }
    };
    let (said, bytes) = bytes;
    let actual = Digest::of(&bytes);
    if let Some(expected) = expected.or(said)
        && expected != actual
    {
        return Err(StoreError::Digest { expected, actual }.into());
    }
    if let Some(expected) = size.filter(|size| *size != bytes.len() as u64) {
        return Err(StoreError::Size { digest: actual, expected, actual: bytes.len() as u64 }.into());
    }
    store.put_bytes(&bytes)?;
    Ok((actual, bytes))
}

/// A blob, taken up where it broke off, in this process or an earlier one.
fn blob(registry: &Registry, store: &Store, wanted: &Descriptor, progress: &dyn Progress) -> Result<(), RegistryError> {
    if store.has_blob(&wanted.blob()) {
        progress.present(&wanted.digest, wanted.size);
        return Ok(());
    }
    if wanted.digest == Digest::EMPTY_LAYER {
        store.put_bytes(&[0; 1024])?;
        return Ok(());
    }
    let writer = store.resume(&wanted.blob())?;
    let is_old = writer.size() > 0;
    match fetch(registry, writer, wanted, progress) {
        // What an earlier process left need not be what it once was.
        Err(RegistryError::Store(StoreError::Digest { .. })) if is_old => {
            fetch(registry, store.writer()?, wanted, progress)
        }
        done => done,
    }
}

/// The rest of a blob.
fn fetch(
    registry: &Registry,
    mut writer: BlobWriter,
    wanted: &Descriptor,
    progress: &dyn Progress,
) -> Result<(), RegistryError> {
    let path = registry.path(&format!("blobs/{}", wanted.digest));
    let mut tries = 0;
    let mut buffer = vec![0; 128 << 10];
    while writer.size() < wanted.size {
        let at = writer.size();
        match part(registry, &path, wanted, &mut writer, &mut buffer, progress) {
            Ok(()) => {}
            Err(error) if !error.is_transient() => return Err(error),
            Err(error) => {
                tries = if writer.size() > at { 1 } else { tries + 1 };
                if tries >= TRIES {
                    if writer.size() > 0 {
                        writer.keep();
                    }
                    return Err(error);
                }
                std::thread::sleep(error.pause(Duration::from_millis(200 << tries)));
            }
        }
    }
    writer.commit(Some(&wanted.blob()))?;
    Ok(())
}

fn part(
    registry: &Registry,
    path: &str,
    wanted: &Descriptor,
    writer: &mut BlobWriter,
    buffer: &mut [u8],
    progress: &dyn Progress,
) -> Result<(), RegistryError> {
    let from = writer.size();
    let range = format!("bytes={from}-");
    let headers: &[(&str, &str)] = if from > 0 { &[("range", &range)] } else { &[] };
    let mut response = registry.send(&Method::GET, path, headers, Content::None)?;
    let status = response.status().as_u16();
    if !response.status().is_success() {
        return Err(registry.status(&mut response));
    }
    let mut body = response.into_body().into_reader();
    if from > 0 && status != 206 {
        // It sends the whole again: the part that is here already is passed over.
        let skipped = std::io::copy(&mut (&mut body).take(from), &mut std::io::sink());
        if skipped.is_err() || skipped.is_ok_and(|skipped| skipped < from) {
            return Err(broke(registry, "it broke off"));
        }
    }
    loop {
        let read = match body.read(buffer) {
            Ok(0) if writer.size() < wanted.size => return Err(broke(registry, "it ended a blob too early")),
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) => return Err(broke(registry, &error.to_string())),
        };
        if writer.size() + read as u64 > wanted.size {
            let actual = writer.size() + read as u64;
            return Err(StoreError::Size { digest: wanted.digest, expected: wanted.size, actual }.into());
        }
        writer.write_all(&buffer[..read]).map_err(|source| StoreError::Io {
            action: "write",
            path: store_path(wanted),
            source,
        })?;
        progress.moved(&wanted.digest, writer.size(), wanted.size);
        if writer.size() == wanted.size {
            // Anything more would be a lie about the size; a keep-alive connection says so at once.
            return match body.read(buffer) {
                Ok(more) if more > 0 => {
                    let actual = wanted.size + more as u64;
                    Err(StoreError::Size { digest: wanted.digest, expected: wanted.size, actual }.into())
                }
                _ => Ok(()),
            };
        }
    }
}

fn store_path(wanted: &Descriptor) -> std::path::PathBuf {
    std::path::PathBuf::from(format!("blobs/sha256/{}", wanted.digest.hex()))
}

fn broke(registry: &Registry, reason: &str) -> RegistryError {
    RegistryError::Unreachable { registry: registry.reference().registry.clone(), reason: reason.to_owned() }
}
