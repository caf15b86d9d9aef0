//! From the store to a registry.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ureq::Body;
use ureq::http::{Method, Response};

use super::Progress;
use super::client::{Content, Registry};
use super::error::RegistryError;
use crate::digest::{Digest, Hasher};
use crate::export::{ExportOptions, Format, manifest_for};
use crate::image::{Descriptor, Image, media};
use crate::layer::Compression;
use crate::reference::Reference;
use crate::store::{Store, StoreError};

const AT_ONCE: usize = 4;
const TRIES: u32 = 4;

/// How to push.
#[derive(Debug, Clone, Copy)]
pub struct PushOptions {
    /// The layers' compression; none sends each as it is in the store.
    pub compression: Option<Compression>,
    /// Its level, or the default one.
    pub level: Option<i32>,
}

impl Default for PushOptions {
    fn default() -> PushOptions {
        PushOptions { compression: Some(Compression::Gzip), level: None }
    }
}

/// What is in the registry now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Digest of its manifest there.
    pub manifest: Digest,
    /// Compressed bytes of all its blobs.
    pub size: u64,
    /// Bytes that had to be sent.
    pub sent: u64,
}

/// Sends an image to the registry its reference names.
pub fn push(
    store: &Store,
    image: &Image,
    reference: &str,
    options: &PushOptions,
    progress: &dyn Progress,
) -> Result<Pushed, RegistryError> {
    let reference = Reference::parse(reference)?;
    let registry = Registry::new(&reference, None, "push")?;
    let form = ExportOptions { format: Format::OciArchive, compression: options.compression, level: options.level };
    let (manifest, bytes) = manifest_for(store, image, &form)?;
    let mut blobs: Vec<&Descriptor> = manifest.layers.iter().chain([&manifest.config]).collect();
    blobs.sort_by_key(|blob| std::cmp::Reverse((blob.size, blob.digest)));
    blobs.dedup_by_key(|blob| blob.digest);
    // The first request alone: it brings the challenge that the others then have answered.
    let sent = Mutex::new(0);
    let next = AtomicUsize::new(1);
    let failed = Mutex::new(None);
    let take = |at: usize| -> bool {
        let Some(wanted) = blobs.get(at) else { return false };
        let locked = |error| {
            next.store(blobs.len(), Ordering::Relaxed);
            failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(error);
        };
        match blob(&registry, store, wanted, progress) {
            Ok(bytes) => *sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += bytes,
            Err(error) => {
                locked(error);
            }
        }
        true
    };
    take(0);
    let work = || while take(next.fetch_add(1, Ordering::Relaxed)) {};
    std::thread::scope(|scope| {
        for _ in 1..AT_ONCE.min(blobs.len()) {
            scope.spawn(work);
        }
        work();
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        return Err(error);
    }
    let digest = Digest::of(&bytes);
    let media_type = if manifest.media_type.is_empty() { media::MANIFEST } else { &manifest.media_type };
    let path = registry.path(&format!("manifests/{}", reference.tag.clone().unwrap_or_else(|| digest.to_string())));
    let mut response = registry.send(&Method::PUT, &path, &[("content-type", media_type)], Content::Bytes(&bytes))?;
    if !response.status().is_success() {
        return Err(registry.status(&mut response));
    }
    let size = blobs.iter().map(|blob| blob.size).sum::<u64>() + bytes.len() as u64;
    let sent = *sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(Pushed { manifest: digest, size, sent })
}

/// Sends a blob unless it is there; how many bytes went.
fn blob(
    registry: &Registry,
    store: &Store,
    wanted: &Descriptor,
    progress: &dyn Progress,
) -> Result<u64, RegistryError> {
    let path = registry.path(&format!("blobs/{}", wanted.digest));
    let mut response = registry.send(&Method::HEAD, &path, &[], Content::None)?;
    match response.status().as_u16() {
        200..=299 => {
            progress.present(&wanted.digest, wanted.size);
            return Ok(0);
        }
        404 => {}
        _ => return Err(registry.status(&mut response)),
    }
    let mut tries = 0;
    loop {
        match upload(registry, store, wanted, progress) {
            Ok(()) => return Ok(wanted.size),
            Err(error) if !error.is_transient() => return Err(error),
            Err(error) => {
                tries += 1;
                if tries >= TRIES {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(200 << tries));
            }
        }
    }
}

fn upload(
    registry: &Registry,
    store: &Store,
    wanted: &Descriptor,
    progress: &dyn Progress,
) -> Result<(), RegistryError> {
    let mut file = store.open_sized(&wanted.blob())?;
    let mut response = registry.send(&Method::POST, &registry.path("blobs/uploads/"), &[], Content::None)?;
    if response.status().as_u16() != 202 {
        return Err(registry.status(&mut response));
    }
    let mut location = location(registry, &response)?;
    let mut at = 0;
    let mut tries = 0;
    while at < wanted.size {
        file.seek(SeekFrom::Start(at)).map_err(|source| unreadable(store, wanted, source))?;
        let mut body = Watched { file: &mut file, hasher: None, at, wanted, progress };
        if at == 0 {
            body.hasher = Some(Hasher::new());
        }
        let left = wanted.size - at;
        let range = format!("{at}-{}", wanted.size - 1);
        let headers = [("content-type", "application/octet-stream"), ("content-range", range.as_str())];
        let headers = if at == 0 { &headers[..1] } else { &headers[..] };
        let sent = registry.send(&Method::PATCH, &location, headers, Content::Reader(&mut body, left));
        if let Some(hasher) = body.hasher
            && body.at == wanted.size
        {
            let actual = hasher.finish();
            if actual != wanted.digest {
                return Err(StoreError::Digest { expected: wanted.digest, actual }.into());
            }
        }
        match sent {
            Ok(mut response) => {
                if response.status().as_u16() != 202 {
                    return Err(registry.status(&mut response));
                }
                location = self::location(registry, &response)?;
                at = wanted.size;
            }
            Err(error) => {
                tries += 1;
                if tries >= TRIES {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(200 << tries));
                // How far did it come?
                let response = registry.send(&Method::GET, &location, &[], Content::None)?;
                if response.status().as_u16() != 204 {
                    return Err(error);
                }
                let range = response.headers().get("range").and_then(|range| range.to_str().ok());
                let last = range.and_then(|range| range.rsplit('-').next()).and_then(|last| last.parse::<u64>().ok());
                at = last.map_or(0, |last| if last == 0 { 0 } else { last + 1 }).min(wanted.size);
                location = self::location(registry, &response).unwrap_or(location);
            }
        }
    }
    let joint = if location.contains('?') { '&' } else { '?' };
    let path = format!("{location}{joint}digest={}", super::auth::escape(&wanted.digest.to_string()));
    let mut response = registry.send(&Method::PUT, &path, &[], Content::None)?;
    if response.status().as_u16() != 201 {
        return Err(registry.status(&mut response));
    }
    Ok(())
}

fn location(registry: &Registry, response: &Response<Body>) -> Result<String, RegistryError> {
    let header = response.headers().get("location").and_then(|value| value.to_str().ok());
    header.map(str::to_owned).ok_or_else(|| registry.protocol("it does not say where to send a blob".to_owned()))
}

fn unreadable(store: &Store, wanted: &Descriptor, source: io::Error) -> RegistryError {
    StoreError::Io { action: "read", path: store.blob_path(&wanted.digest), source }.into()
}

struct Watched<'w> {
    file: &'w mut File,
    hasher: Option<Hasher>,
    at: u64,
    wanted: &'w Descriptor,
    progress: &'w dyn Progress,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..read]);
        }
        self.at += read as u64;
        self.progress.moved(&self.wanted.digest, self.at, self.wanted.size);
        Ok(read)
    }
}
