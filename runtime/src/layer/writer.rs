//! Writing tar as layers want it: ustar headers, PAX records only where ustar cannot say it.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use super::error::{LayerError, stream_error};
use crate::store::BlobWriter;

const BLOCK: usize = 512;
const BUFFER: usize = 256 << 10;

/// Writes a layer into the store.
pub type LayerWriter = TarWriter<BlobWriter>;

/// One entry of a layer.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Path from the root, without leading or trailing slash.
    pub path: &'a [u8],
    /// What it is.
    pub kind: Kind<'a>,
    /// The twelve permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Extended attributes, sorted by name.
    pub xattrs: &'a [(Vec<u8>, Vec<u8>)],
}

/// The kind of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// A regular file of this many bytes.
    File {
        /// Its size.
        size: u64,
    },
    /// A directory.
    Dir,
    /// A symbolic link to this target.
    Symlink(&'a [u8]),
    /// A hard link to an entry written before, by its path from the root.
    HardLink(&'a [u8]),
    /// A FIFO.
    Fifo,
    /// A character device.
    Char {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    Block {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
}

/// Writes entries in the order they are given; sorting them is the caller's part.
#[derive(Debug)]
pub struct TarWriter<W: Write> {
    out: W,
    buffer: Vec<u8>,
    written: u64,
    clamp: Option<i64>,
}

impl<W: Write> TarWriter<W> {
    /// Writes to `out`. Times later than `clamp` become `clamp`.
    pub fn new(out: W, clamp: Option<i64>) -> TarWriter<W> {
        TarWriter { out, buffer: Vec::with_capacity(16 << 10), written: 0, clamp }
    }

    /// Bytes of tar so far.
    pub fn size(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Writes an entry that has no content, or an empty file.
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<(), LayerError> {
        self.entry_with(entry, &mut io::empty())
    }

    /// Writes an entry; the content of a file is the first `size` bytes of `content`.
    pub fn entry_with(&mut self, entry: &Entry<'_>, content: &mut (impl Read + ?Sized)) -> Result<(), LayerError> {
        self.header(entry)?;
        if let Kind::File { size } = entry.kind {
            self.content(entry.path, size, content)?;
        }
        Ok(())
    }

    /// Writes a file of which the bytes are at hand.
    pub fn file(&mut self, entry: &Entry<'_>, bytes: &[u8]) -> Result<(), LayerError> {
        let entry = Entry { kind: Kind::File { size: bytes.len() as u64 }, ..*entry };
        self.entry_with(&entry, &mut &*bytes)
    }

    /// Hides what lower layers have at this path.
    pub fn whiteout(&mut self, path: &[u8]) -> Result<(), LayerError> {
        let cut = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let name = [&path[..cut], b".wh.", &path[cut..]].concat();
        self.marker(&name)
    }

    /// Hides everything lower layers have in this directory.
    pub fn opaque(&mut self, dir: &[u8]) -> Result<(), LayerError> {
        let name = if dir.is_empty() { b".wh..wh..opq".to_vec() } else { [dir, b"/.wh..wh..opq"].concat() };
        self.marker(&name)
    }

    fn marker(&mut self, name: &[u8]) -> Result<(), LayerError> {
        let kind = Kind::File { size: 0 };
        self.header(&Entry { path: name, kind, mode: 0, uid: 0, gid: 0, mtime: 0, xattrs: &[] })
    }

    /// Ends the tar and hands back where it went, and its size.
    pub fn finish(mut self) -> Result<(W, u64), LayerError> {
        self.buffer.extend_from_slice(&[0; 2 * BLOCK]);
        self.flush()?;
        Ok((self.out, self.written))
    }

    fn flush(&mut self) -> Result<(), LayerError> {
        self.out.write_all(&self.buffer).map_err(stream_error("write"))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn content(&mut self, path: &[u8], size: u64, content: &mut (impl Read + ?Sized)) -> Result<(), LayerError> {
        let mut left = size;
        while left > 0 {
            if self.buffer.len() + (8 << 10) > BUFFER {
                self.flush()?;
            }
            let start = self.buffer.len();
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(BUFFER - start);
            self.buffer.resize(start + room, 0);
            match content.read(&mut self.buffer[start..]) {
                Ok(0) => return Err(LayerError::Shrank(to_path(path))),
                Ok(read) => {
                    self.buffer.truncate(start + read);
                    left -= read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.buffer.truncate(start),
                Err(source) => return Err(LayerError::Io { action: "read", path: to_path(path), source }),
            }
        }
        let padding = (BLOCK - usize::try_from(size % BLOCK as u64).unwrap_or(0)) % BLOCK;
        self.buffer.resize(self.buffer.len() + padding, 0);
        Ok(())
    }

    fn header(&mut self, entry: &Entry<'_>) -> Result<(), LayerError> {
        if self.buffer.len() + (8 << 10) > BUFFER {
            self.flush()?;
        }
        let mut path = entry.path.to_vec();
        if entry.kind == Kind::Dir {
            path.push(b'/');
        }
        let link: &[u8] = match entry.kind {
            Kind::Symlink(target) | Kind::HardLink(target) => target,
            _ => b"",
        };
        let size = if let Kind::File { size } = entry.kind { size } else { 0 };
        let (major, minor) = match entry.kind {
            Kind::Char { major, minor } | Kind::Block { major, minor } => (major, minor),
            _ => (0, 0),
        };
        let mtime = self.clamp.map_or(entry.mtime, |clamp| entry.mtime.min(clamp));

        let mut records = Vec::new();
        let split = split(&path);
        if split.is_none() || !path.is_ascii() {
            record(&mut records, b"path", &path);
        }
        if link.len() > 100 || !link.is_ascii() {
            record(&mut records, b"linkpath", link);
        }
        let over = |value: u64, digits: u32| value >= 1 << (3 * digits);
        if over(size, 11) {
            record(&mut records, b"size", size.to_string().as_bytes());
        }
        if over(entry.uid.into(), 7) {
            record(&mut records, b"uid", entry.uid.to_string().as_bytes());
        }
        if over(entry.gid.into(), 7) {
            record(&mut records, b"gid", entry.gid.to_string().as_bytes());
        }
        let seconds = u64::try_from(mtime).ok().filter(|seconds| !over(*seconds, 11));
        if seconds.is_none() {
            record(&mut records, b"mtime", mtime.to_string().as_bytes());
        }
        for (name, value) in entry.xattrs {
            record(&mut records, &[b"SCHILY.xattr.", name.as_slice()].concat(), value);
        }
        if !records.is_empty() {
            let base = entry.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let mut name = b"PaxHeaders/".to_vec();
            name.extend(base.iter().take(80).map(|byte| if byte.is_ascii() { *byte } else { b'?' }));
            let size = records.len() as u64;
            let numbers = Numbers { mode: 0o644, uid: 0, gid: 0, size, mtime: 0, major: 0, minor: 0 };
            self.block(b'x', (&name, b""), b"", &numbers);
            let padding = (BLOCK - records.len() % BLOCK) % BLOCK;
            self.buffer.append(&mut records);
            self.buffer.resize(self.buffer.len() + padding, 0);
        }
        let kind = match entry.kind {
            Kind::File { .. } => b'0',
            Kind::HardLink(_) => b'1',
            Kind::Symlink(_) => b'2',
            Kind::Char { .. } => b'3',
            Kind::Block { .. } => b'4',
            Kind::Dir => b'5',
            Kind::Fifo => b'6',
        };
        let cut = path[..path.len().min(100)].to_vec();
        let names = split.unwrap_or((&cut, b""));
        let fits = |id: u32| if over(id.into(), 7) { 0 } else { u64::from(id) };
        let numbers = Numbers {
            mode: u64::from(entry.mode & 0o7777),
            uid: fits(entry.uid),
            gid: fits(entry.gid),
            size: if over(size, 11) { 0 } else { size },
            mtime: seconds.unwrap_or(0),
            major: major.into(),
            minor: minor.into(),
        };
        self.block(kind, names, &link[..link.len().min(100)], &numbers);
        Ok(())
    }

    fn block(&mut self, kind: u8, (name, prefix): (&[u8], &[u8]), link: &[u8], numbers: &Numbers) {
        let mut block = [0_u8; BLOCK];
        block[..name.len()].copy_from_slice(name);
        octal(&mut block[100..108], numbers.mode);
        octal(&mut block[108..116], numbers.uid);
        octal(&mut block[116..124], numbers.gid);
        octal(&mut block[124..136], numbers.size);
        octal(&mut block[136..148], numbers.mtime);
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        octal(&mut block[329..337], numbers.major);
        octal(&mut block[337..345], numbers.minor);
        block[345..345 + prefix.len()].copy_from_slice(prefix);
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        octal(&mut block[148..155], sum.into());
        self.buffer.extend_from_slice(&block);
    }
}

struct Numbers {
    mode: u64,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: u64,
    major: u64,
    minor: u64,
}

/// Digits to the width of the field less its final NUL.
fn octal(field: &mut [u8], mut value: u64) {
    let Some((end, digits)) = field.split_last_mut() else { return };
    *end = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value & 7).unwrap_or(0);
        value >>= 3;
    }
}

/// Name and prefix of a ustar header; none when the path does not fit.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= 100 {
        return Some((path, b""));
    }
    if path.len() > 256 {
        return None;
    }
    let from = path.len() - 101;
    let slash = path[from..path.len() - 1].iter().position(|byte| *byte == b'/')? + from;
    (slash <= 155 && slash > 0).then(|| (&path[slash + 1..], &path[..slash]))
}

/// A PAX record: its own length, a space, the key, `=`, the value, a newline.
fn record(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    records.extend_from_slice(length.to_string().as_bytes());
    records.push(b' ');
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

fn to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut writer = TarWriter::new(Vec::new(), None);
        for entry in entries {
            writer.entry_with(entry, &mut io::repeat(b'x')).expect("written to memory");
        }
        writer.finish().expect("finished").0
    }

    #[test]
    fn nothing_is_two_blocks() {
        assert_eq!(written(&[]), vec![0; 1024]);
    }

    #[test]
    fn another_reader_understands_every_kind() {
        let long = [b"d/".repeat(90), b"n".repeat(120)].concat();
        let odd = "ä/ö".as_bytes();
        let base = Entry { path: b"", kind: Kind::Dir, mode: 0o755, uid: 0, gid: 0, mtime: 5, xattrs: &[] };
        let xattrs = vec![(b"security.capability".to_vec(), vec![1, 0, b'=', 0xff])];
        let entries = [
            Entry { path: b"dir", mode: 0o1777, ..base },
            Entry {
                path: &long,
                kind: Kind::File { size: 700 },
                uid: 3_000_000_000,
                mtime: -7,
                xattrs: &xattrs,
                ..base
            },
            Entry { path: odd, kind: Kind::Symlink(&long), ..base },
            Entry { path: b"hard", kind: Kind::HardLink(b"dir/x"), ..base },
            Entry { path: b"null", kind: Kind::Char { major: 1, minor: 3 }, ..base },
            Entry { path: b"fifo", kind: Kind::Fifo, mode: 0o4755, ..base },
        ];
        let bytes = written(&entries);
        assert_eq!(bytes.len() % 512, 0);
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut seen = 0;
        for (found, wanted) in archive.entries().expect("entries").zip(&entries) {
            let mut found = found.expect("an entry");
            seen += 1;
            let mut path = wanted.path.to_vec();
            if wanted.kind == Kind::Dir {
                path.push(b'/');
            }
            assert_eq!(found.path_bytes().as_ref(), path);
            assert_eq!(found.header().mode().expect("a mode"), wanted.mode);
            if let Kind::Symlink(target) | Kind::HardLink(target) = wanted.kind {
                assert_eq!(found.link_name_bytes().expect("a target").as_ref(), target);
            }
            if let Kind::File { size } = wanted.kind {
                let mut content = Vec::new();
                found.read_to_end(&mut content).expect("content");
                assert_eq!(content.len() as u64, size);
                let records = found.pax_extensions().expect("PAX").expect("records");
                let records: Vec<(Vec<u8>, Vec<u8>)> = records
                    .map(|record| record.expect("a record"))
                    .map(|record| (record.key_bytes().to_vec(), record.value_bytes().to_vec()))
                    .collect();
                assert!(records.contains(&(b"uid".to_vec(), b"3000000000".to_vec())));
                assert!(records.contains(&(b"mtime".to_vec(), b"-7".to_vec())));
                assert!(records.contains(&(b"SCHILY.xattr.security.capability".to_vec(), vec![1, 0, b'=', 0xff])));
            }
        }
        assert_eq!(seen, entries.len());
    }

    #[test]
    fn prefixes_are_used_where_they_do() {
        let path = [b"p".repeat(60), b"/".to_vec(), b"q".repeat(99)].concat();
        assert_eq!(split(&path), Some((&path[61..], &path[..60])));
        assert_eq!(split(&b"p".repeat(101)), None);
        let dir = [b"p".repeat(100), b"/".to_vec()].concat();
        assert_eq!(split(&dir), None);
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let mut writer = TarWriter::new(Vec::new(), None);
        let entry = Entry { path: b"f", kind: Kind::File { size: 9 }, mode: 0, uid: 0, gid: 0, mtime: 0, xattrs: &[] };
        assert!(matches!(writer.entry_with(&entry, &mut &b"12345678"[..]), Err(LayerError::Shrank(_))));
    }
}
