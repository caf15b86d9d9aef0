//! The index of a layer: what it holds, without the bytes.
//!
//! A layer is read once as a stream. Of a file, its path, size, owner, mode and a fingerprint of its content stay, and the
//! bytes of the few files that say which packages are installed.

use std::io::{self, Read};

use xxhash_rust::xxh3::Xxh3;

use super::packages;
use crate::layer::{LayerError, Limits, TarReader, decoder, stream_error};

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A hard link to another path of the layer.
    HardLink,
    /// A device or a pipe.
    Special,
}

/// One entry of a layer. Its path has no leading slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub path: Box<str>,
    /// What.
    pub kind: EntryKind,
    /// Bytes of a file.
    pub size: u64,
    /// Fingerprint of a file's content.
    pub content: u128,
    /// Permission bits, setuid and the like with them.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Target of a link.
    pub link: Option<Box<str>>,
    /// What was seen at a glance.
    pub marks: Marks,
}

/// What the bytes of a file gave away while they passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// It begins as a private key does.
    pub private_key: bool,
    /// It is a program that may list the crates it was built from.
    pub auditable: bool,
}

/// A layer without its bytes.
#[derive(Debug, Default)]
pub struct LayerIndex {
    /// What is there, in the order of the archive.
    pub entries: Vec<Entry>,
    /// Paths of lower layers that are gone.
    pub whiteouts: Vec<String>,
    /// Directories of which nothing from lower layers is left.
    pub opaque: Vec<String>,
    /// Bytes of the uncompressed archive.
    pub size: u64,
    /// Files that say what is installed, with their bytes.
    pub(crate) kept: Vec<(Box<str>, Vec<u8>)>,
}

/// The most bytes of one file that are kept.
const MOST_KEPT: u64 = 96 << 20;

struct Counting<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        Ok(read)
    }
}

/// A name of a tar entry as the parts of a path; none for the root itself.
fn parts(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let mut path = String::with_capacity(name.len());
    for part in name.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(part);
    }
    path
}

/// Reads a layer, compressed or not, to its end.
pub fn read_index(stream: impl Read + Send, limits: Limits) -> Result<LayerIndex, LayerError> {
    const WHITEOUT: &str = ".wh.";
    const OPAQUE: &str = ".wh..wh..opq";
    let mut counting = Counting { inner: decoder(stream).map_err(stream_error("read"))?, count: 0 };
    let mut index = LayerIndex::default();
    let mut reader = TarReader::new(&mut counting, limits);
    let mut hash = Xxh3::new();
    while let Some(header) = reader.next()? {
        let path = parts(&header.name);
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", &path));
        if name.is_empty() {
            continue;
        }
        if name == OPAQUE {
            index.opaque.push(parent.to_owned());
            continue;
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            index.whiteouts.push(if parent.is_empty() { hidden.to_owned() } else { format!("{parent}/{hidden}") });
            continue;
        }
        let kind = match header.kind {
            b'0' | 0 | b'7' | b'S' => EntryKind::File,
            b'1' => EntryKind::HardLink,
            b'2' => EntryKind::Symlink,
            b'5' => EntryKind::Directory,
            _ => EntryKind::Special,
        };
        let link = match kind {
            EntryKind::HardLink => Some(parts(&header.link).into()),
            EntryKind::Symlink => Some(String::from_utf8_lossy(&header.link).into()),
            _ => None,
        };
        let mut entry = Entry {
            path: path.into(),
            kind,
            size: 0,
            content: 0,
            mode: header.mode,
            uid: header.uid,
            gid: header.gid,
            link,
            marks: Marks::default(),
        };
        if kind == EntryKind::File {
            entry.size = header.real_size.max(header.size);
            let mut kept = (packages::says_what_is_installed(&entry.path) && entry.size <= MOST_KEPT)
                .then(|| Vec::with_capacity(usize::try_from(entry.size).unwrap_or(0)));
            hash.reset();
            let mut glance = Glance::default();
            loop {
                let part = reader.content()?;
                if part.is_empty() {
                    break;
                }
                hash.update(part);
                glance.see(part);
                if let Some(kept) = &mut kept {
                    kept.extend_from_slice(part);
                }
            }
            entry.content = hash.digest128();
            entry.marks = glance.marks(entry.mode);
            if let Some(kept) = kept {
                index.kept.push((entry.path.clone(), kept));
            }
        }
        index.entries.push(entry);
    }
    reader.drain()?;
    index.size = counting.count;
    Ok(index)
}

/// The section in which `cargo auditable` writes.
const SECTION: &[u8] = b".dep-v0";
/// How much of the end of one part is looked at again with the next.
const OVERLAP: usize = SECTION.len() - 1;

/// Looks at the bytes of one file as they pass.
#[derive(Default)]
struct Glance {
    seen: bool,
    elf: bool,
    key: bool,
    section: bool,
    end: Vec<u8>,
}

impl Glance {
    fn see(&mut self, part: &[u8]) {
        if !self.seen {
            self.seen = true;
            self.elf = part.starts_with(b"\x7fELF");
            let head = &part[..part.len().min(4096)];
            self.key = memchr::memmem::find(head, b"-----BEGIN ").is_some_and(|at| {
                let line = head[at..].split(|byte| *byte == b'\n').next().unwrap_or_default();
                memchr::memmem::find(line, b"PRIVATE KEY-----").is_some()
            });
        }
        if self.elf && !self.section {
            let mut seam = std::mem::take(&mut self.end);
            seam.extend_from_slice(&part[..part.len().min(OVERLAP)]);
            self.section =
                memchr::memmem::find(part, SECTION).is_some() || memchr::memmem::find(&seam, SECTION).is_some();
            self.end.extend_from_slice(&part[part.len().saturating_sub(OVERLAP)..]);
        }
    }

    fn marks(&self, mode: u32) -> Marks {
        Marks { private_key: self.key, auditable: self.section && mode & 0o111 != 0 }
    }
}

/// Reads again the files at these paths, whole, each at most so large.
pub(crate) fn read_files(
    stream: impl Read + Send,
    wanted: &dyn Fn(&str) -> bool,
    most: u64,
    mut each: impl FnMut(&str, Vec<u8>),
) -> Result<(), LayerError> {
    let mut reader = TarReader::new(decoder(stream).map_err(stream_error("read"))?, Limits::default());
    while let Some(header) = reader.next()? {
        let path = parts(&header.name);
        if !matches!(header.kind, b'0' | 0 | b'7') || header.size > most || !wanted(&path) {
            continue;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(header.size).unwrap_or(0));
        loop {
            let part = reader.content()?;
            if part.is_empty() {
                break;
            }
            bytes.extend_from_slice(part);
        }
        each(&path, bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::testing::tar;

    #[test]
    fn the_index_keeps_paths_owners_and_fingerprints() {
        let bytes =
            tar(&[("./a/", b"", 0), ("a/one", b"same", 0o644), ("a/two", b"same", 0o4755), ("a/.wh.three", b"", 0)]);
        let index = read_index(bytes.as_slice(), Limits::default()).expect("a layer");
        let [_, one, two] = index.entries.as_slice() else { panic!("{:?}", index.entries) };
        assert_eq!((&*one.path, one.size, one.content), ("a/one", 4, two.content));
        assert_eq!(two.mode, 0o4755);
        assert_eq!(index.whiteouts, ["a/three"]);
        assert_eq!(index.size, bytes.len() as u64);
    }

    #[test]
    fn a_key_is_seen_whatever_its_name() {
        let key = b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n";
        let bytes = tar(&[("etc/x", key, 0o600), ("etc/y", b"-----BEGIN CERTIFICATE-----\n", 0o600)]);
        let index = read_index(bytes.as_slice(), Limits::default()).expect("a layer");
        assert_eq!(index.entries.iter().map(|entry| entry.marks.private_key).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_section_is_seen_across_the_seam_of_two_parts() {
        let mut glance = Glance::default();
        glance.see(b"\x7fELF....de");
        glance.see(b"xx.dep");
        glance.see(b"-v0\0");
        assert!(glance.marks(0o755).auditable);
    }
}
