//! Compression in blocks, on every processor, with the same bytes however many there are.
//!
//! Each block is a gzip member or a zstd frame of its own; both formats say that such a sequence is one stream.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use super::error::ExportError;
use crate::digest::{Digest, Hasher};
use crate::image::{BlobRef, Descriptor, Layer, media};
use crate::layer::{Compression, decoder};
use crate::store::{Store, StoreError};

const GZIP_BLOCK: usize = 1 << 20;
const ZSTD_BLOCK: usize = 4 << 20;

/// A layer in the form it is written or pushed in.
#[derive(Debug, Clone, PartialEq)]
pub struct Recompressed {
    /// Its descriptor.
    pub descriptor: Descriptor,
    /// Its diff ID.
    pub diff_id: Digest,
}

type Job = (Vec<u8>, SyncSender<io::Result<Vec<u8>>>);

/// Reads `from` to its end and writes it compressed to `to`; the digest and size of what was read.
pub fn recompress(
    from: &mut (impl Read + ?Sized),
    to: &mut (impl Write + ?Sized),
    compression: Compression,
    level: Option<i32>,
) -> io::Result<BlobRef> {
    let mut hasher = Hasher::new();
    let mut size = 0;
    let block = match compression {
        Compression::None | Compression::Gzip => GZIP_BLOCK,
        Compression::Zstd => ZSTD_BLOCK,
    };
    let workers = if compression == Compression::None {
        0
    } else {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(16)
    };
    let (jobs, queue) = sync_channel::<Job>(workers);
    let queue = Mutex::new(queue);
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
    std::thread::scope(|scope| {
        // The workers see the end on every path out of here.
        let jobs = jobs;
        for _ in 0..workers {
            scope.spawn(|| {
                let mut packer = Packer::new(compression, level);
                while let Ok((block, answer)) = next() {
                    let _ = answer.send(packer.pack(&block));
                }
            });
        }
        let mut waiting: VecDeque<Receiver<io::Result<Vec<u8>>>> = VecDeque::new();
        let mut write_first = |waiting: &mut VecDeque<Receiver<io::Result<Vec<u8>>>>| -> io::Result<()> {
            let Some(first) = waiting.pop_front() else { return Ok(()) };
            let compressed = first.recv().map_err(|_| io::Error::other("a compressing thread panicked"))??;
            to.write_all(&compressed)
        };
        let mut first = true;
        loop {
            let mut bytes = Vec::with_capacity(block);
            from.take(block as u64).read_to_end(&mut bytes)?;
            if bytes.is_empty() && !first {
                break;
            }
            first = false;
            hasher.update(&bytes);
            size += bytes.len() as u64;
            let (answer, result) = sync_channel(1);
            if workers == 0 {
                let _ = answer.send(Ok(bytes));
            } else {
                jobs.send((bytes, answer)).map_err(|_| io::Error::other("the compressing threads panicked"))?;
            }
            waiting.push_back(result);
            while waiting.len() > 2 * workers {
                write_first(&mut waiting)?;
            }
        }
        while !waiting.is_empty() {
            write_first(&mut waiting)?;
        }
        Ok(BlobRef { digest: hasher.finish(), size })
    })
}

/// What one thread compresses blocks with.
enum Packer {
    Plain,
    /// A block is whole in memory, which is all that this library needs and why it is faster than zlib.
    Gzip(libdeflater::Compressor),
    Zstd(i32),
}

impl Packer {
    fn new(compression: Compression, level: Option<i32>) -> Self {
        match compression {
            Compression::None => Self::Plain,
            Compression::Gzip => {
                let level = libdeflater::CompressionLvl::new(level.unwrap_or(6).clamp(0, 9));
                Self::Gzip(libdeflater::Compressor::new(level.unwrap_or_default()))
            }
            Compression::Zstd => Self::Zstd(level.unwrap_or(3).clamp(1, 19)),
        }
    }

    fn pack(&mut self, block: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain => Ok(block.to_vec()),
            Self::Gzip(compressor) => {
                let mut packed = vec![0; compressor.gzip_compress_bound(block.len())];
                let length = compressor.gzip_compress(block, &mut packed).map_err(io::Error::other)?;
                packed.truncate(length);
                Ok(packed)
            }
            Self::Zstd(level) => {
                let room = Vec::with_capacity(block.len() / 2 + 64);
                let mut encoder = zstd::Encoder::new(room, *level)?;
                encoder.set_pledged_src_size(Some(block.len() as u64))?;
                encoder.include_checksum(true)?;
                encoder.write_all(block)?;
                encoder.finish()
            }
        }
    }
}

/// A layer compressed like this, as a blob of the store. One that is so already, or was before, is taken as it is.
pub fn compress_layer(
    store: &Store,
    layer: &Layer,
    compression: Compression,
    level: Option<i32>,
) -> Result<Recompressed, ExportError> {
    let blob = layer.blob.ok_or(StoreError::Missing { digest: layer.diff_id })?;
    let done = |descriptor| Ok(Recompressed { descriptor, diff_id: layer.diff_id });
    if compression_of(&layer.media_type) == Some(compression) {
        return done(Descriptor::new(oci_media_type(compression), blob));
    }
    if level.is_none() && compression != Compression::None {
        let known = store.layer_record(&layer.diff_id).map(|record| record.blobs).unwrap_or_default();
        let fits = |known: &&Descriptor| compression_of(&known.media_type) == Some(compression);
        if let Some(known) = known.iter().filter(fits).find(|known| store.has_blob(&known.blob())) {
            return done(Descriptor::new(oci_media_type(compression), known.blob()));
        }
    }
    if compression == Compression::None && store.has(&layer.diff_id) {
        let blob = BlobRef { digest: layer.diff_id, size: layer.size };
        store.open_sized(&blob)?;
        return done(Descriptor::new(media::LAYER, blob));
    }
    let path = store.blob_path(&blob.digest);
    let mut plain = decoder(store.open_sized(&blob)?).map_err(ExportError::io("read", &path))?;
    let mut writer = store.writer()?;
    let read = recompress(&mut plain, &mut writer, compression, level).map_err(ExportError::io("compress", &path))?;
    if read.digest != layer.diff_id {
        return Err(StoreError::Digest { expected: layer.diff_id, actual: read.digest }.into());
    }
    let descriptor = Descriptor::new(oci_media_type(compression), writer.commit(None)?);
    if compression != Compression::None {
        store.note_layer(&layer.diff_id, layer.size, Some(&descriptor))?;
    }
    done(descriptor)
}

/// What a layer's media type says of its compression.
pub(super) fn compression_of(media_type: &str) -> Option<Compression> {
    match media_type {
        media::LAYER | media::DOCKER_LAYER => Some(Compression::None),
        media::LAYER_GZIP | media::DOCKER_LAYER_GZIP => Some(Compression::Gzip),
        media::LAYER_ZSTD => Some(Compression::Zstd),
        _ => None,
    }
}

pub(super) fn oci_media_type(compression: Compression) -> &'static str {
    match compression {
        Compression::None => media::LAYER,
        Compression::Gzip => media::LAYER_GZIP,
        Compression::Zstd => media::LAYER_ZSTD,
    }
}
