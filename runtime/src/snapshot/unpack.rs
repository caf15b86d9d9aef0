//! A layer's blob becomes a directory: one thread reads, decompresses and hashes, the other writes files.

use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::error::SnapshotError;
use crate::digest::{Digest, Hasher};
use crate::image::{Descriptor, Layer};
use crate::layer::{Limits, Noted, XattrPrefix, apply, decoder};
use crate::store::{Store, StoreError};

const CHUNK: usize = 512 << 10;
/// Chunks on their way between the two threads.
const AHEAD: usize = 8;
/// Blobs below this are not worth a thread.
const SMALL: u64 = 256 << 10;

/// Unpacks a layer into the empty directory `into`, to be stacked on `lower` (topmost first), and checks its diff ID.
pub(super) fn unpack(
    store: &Store,
    layer: &Layer,
    into: &Path,
    lower: &[&Path],
    prefix: XattrPrefix,
) -> Result<Noted, SnapshotError> {
    let blob = layer.blob.ok_or(StoreError::Missing { digest: layer.diff_id })?;
    let file = store.open_sized(&blob)?;
    let path = store.blob_path(&blob.digest);
    let fail = || SnapshotError::io("read", &path);
    let (actual, size, noted) = if blob.size < SMALL {
        let mut hashing = Counted { inner: decoder(file).map_err(fail())?, hasher: Hasher::new(), size: 0 };
        let applied = apply(&mut hashing, into, lower, prefix, Limits::default())?;
        (hashing.hasher.finish(), hashing.size, applied.noted)
    } else {
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(AHEAD);
            let reading = scope.spawn(move || feed(file, &sender));
            let applied =
                apply(Chunks { receiver, current: Vec::new(), at: 0 }, into, lower, prefix, Limits::default());
            let read = reading.join().unwrap_or_else(|_| Err(io::Error::other("the reading thread panicked")));
            // What the tar says is told before what the stream says: a stream cut short is the consequence.
            let noted = applied?.noted;
            read.map_err(fail()).map(|(digest, size)| (digest, size, noted))
        })?
    };
    if actual != layer.diff_id {
        return Err(StoreError::Digest { expected: layer.diff_id, actual }.into());
    }
    if blob.digest != layer.diff_id && store.layer_record(&layer.diff_id).is_none() {
        store.note_layer(&layer.diff_id, size, Some(&Descriptor::new(&layer.media_type, blob)))?;
    }
    Ok(noted)
}

fn feed(file: impl Read + Send, sender: &SyncSender<io::Result<Vec<u8>>>) -> io::Result<(Digest, u64)> {
    let mut stream = match decoder(file) {
        Ok(stream) => stream,
        Err(error) => {
            let _ = sender.send(Err(error));
            return Err(io::Error::other("it does not decompress"));
        }
    };
    let mut hasher = Hasher::new();
    let mut size = 0;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        let read = (&mut stream).take(CHUNK as u64).read_to_end(&mut chunk);
        if let Err(error) = read {
            let copy = io::Error::new(error.kind(), error.to_string());
            let _ = sender.send(Err(error));
            return Err(copy);
        }
        hasher.update(&chunk);
        size += chunk.len() as u64;
        let last = chunk.is_empty();
        if last {
            return Ok((hasher.finish(), size));
        }
        if sender.send(Ok(chunk)).is_err() {
            // The other side gave up and says why.
            return Ok((hasher.finish(), size));
        }
    }
}

struct Chunks {
    receiver: Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    at: usize,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.current.len() {
            match self.receiver.recv() {
                Ok(next) => (self.current, self.at) = (next?, 0),
                Err(_) => return Ok(0),
            }
        }
        let take = buffer.len().min(self.current.len() - self.at);
        buffer[..take].copy_from_slice(&self.current[self.at..self.at + take]);
        self.at += take;
        Ok(take)
    }
}

struct Counted<R> {
    inner: R,
    hasher: Hasher,
    size: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.size += read as u64;
        Ok(read)
    }
}
