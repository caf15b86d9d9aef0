//! ADD of an archive: unpacked by what it holds, not by its name.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};

use super::copy::{Copying, land};
use super::sparse::{BLOCK, Records, Sparse, octal};
use super::upper::{Body, Content, Group, Made, Manner, Upper};
use crate::layer::records as layer_records;
use crate::rootfs::{NodeKind, Tree};
use crate::store::Store;

/// The most an archive may hold unpacked.
const MAX_UNPACKED: u64 = 1 << 40;
/// The most entries it may have.
const MAX_ENTRIES: usize = 4_000_000;
/// The most bytes that its sparse files may leave out: in a layer they are there.
const MAX_HOLES: u64 = 64 << 30;

/// The archive in `file` as a plain tar; nothing when it is none.
pub(super) fn open(mut file: File, store: &Store) -> io::Result<Option<File>> {
    let mut reader = BufReader::with_capacity(64 << 10, file.try_clone()?);
    file.rewind()?;
    let first = reader.fill_buf()?.to_vec();
    let mut plain: Box<dyn Read + '_> = match first.as_slice() {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(reader)?),
        [b'B', b'Z', b'h', ..] => Box::new(bzip2::bufread::MultiBzDecoder::new(reader)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Box::new(lzma_rust2::XzReader::new(reader, true)),
        _ => return Ok(if is_tar(&first) { Some(file) } else { None }),
    };
    let mut head = vec![0; 512];
    match plain.read_exact(&mut head) {
        Ok(()) if is_tar(&head) => {}
        _ => return Ok(None),
    }
    let scratch = store.scratch().map_err(|error| io::Error::other(error.to_string()))?;
    let path = scratch.path().join("archive");
    let mut spool = File::options().read(true).write(true).create_new(true).open(path)?;
    spool.write_all(&head)?;
    io::copy(&mut plain.take(MAX_UNPACKED), &mut spool)?;
    Ok(Some(spool))
}

/// Whether a tar begins here: the checksum of its first header is right.
fn is_tar(block: &[u8]) -> bool {
    let (Some(block), Some(field)) = (block.get(..512), block.get(148..156)) else { return false };
    if block.iter().all(|byte| *byte == 0) {
        return false;
    }
    let text = String::from_utf8_lossy(field);
    let text = text.trim_matches(|c: char| c == '\0' || c == ' ');
    let Ok(stated) = u64::from_str_radix(text, 8) else { return false };
    let sum: u64 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { u64::from(b' ') } else { u64::from(*byte) })
        .sum();
    sum == stated
}

fn bad(name: &Path, reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{}: {reason}", name.display()))
}

/// Puts what the tar holds below the destination.
pub(super) fn unpack(
    spool: &File,
    number: usize,
    upper: &mut Upper<'_>,
    destination: &str,
    copying: &Copying,
) -> io::Result<()> {
    let directory = format!("{}/", destination.trim_end_matches('/'));
    // Modes are those of the archive.
    let copying = &Copying { chmod: None, ..copying.clone() };
    let root = land(upper, &directory, copying).map_err(|error| io::Error::other(error.reason))?;
    let mut file = spool;
    file.rewind()?;
    let mut archive = tar::Archive::new(file);
    archive.set_ignore_zeros(false);
    // Names of one file, and what the last of them said of it.
    let mut hard_links: HashMap<PathBuf, u64> = HashMap::new();
    let mut said: HashMap<u64, (Manner, i64)> = HashMap::new();
    let base = upper.new_file_numbers();
    let mut holes: u64 = 0;
    // Where the entry before ends.
    let mut after = 0;
    for (count, entry) in archive.entries()?.enumerate() {
        let entry = entry?;
        if count > MAX_ENTRIES {
            return Err(io::Error::other("it has too many entries"));
        }
        let mut records = Records::default();
        let mut capability = None;
        let pax = pax_before(spool, after, entry.raw_header_position())?;
        for (key, value) in layer_records(&pax).map_err(|error| io::Error::other(error.to_string()))? {
            if !records.note(key, value)? && key == b"SCHILY.xattr.security.capability" {
                capability = Some(value.to_vec());
            }
        }
        after = end_of(&entry)?;
        let name = records.name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let name = PathBuf::from(std::ffi::OsStr::from_bytes(&name));
        let relative = inside(&name)?;
        let kind = entry.header().entry_type();
        if relative.as_os_str().is_empty() || kind == tar::EntryType::XGlobalHeader {
            continue;
        }
        if relative.file_name().is_some_and(|name| name.as_bytes().starts_with(b".wh.")) {
            return Err(bad(&name, "a layer cannot hold a file of this name"));
        }
        let parent = parent_of(upper, &root, &relative, &name)?;
        let path = parent.join(relative.file_name().unwrap_or_default());
        let header = entry.header();
        let id = |value: io::Result<u64>| value.ok().and_then(|id| u32::try_from(id).ok()).unwrap_or(0);
        let owner = (id(header.uid()), id(header.gid()));
        let (uid, gid) = copying.chown.unwrap_or(owner);
        let manner = Manner { mode: header.mode()? & 0o7777, uid, gid };
        let mtime = i64::try_from(header.mtime()?).unwrap_or(0);
        let target = || -> io::Result<PathBuf> {
            let bytes = entry.link_name_bytes().ok_or_else(|| bad(&name, "a link without a target"))?;
            Ok(PathBuf::from(std::ffi::OsStr::from_bytes(&bytes)))
        };
        let device = |block: bool| -> io::Result<Body> {
            let major = header.device_major()?.unwrap_or(0);
            let minor = header.device_minor()?.unwrap_or(0);
            Ok(Body::Device { block, number: nix::sys::stat::makedev(major.into(), minor.into()) })
        };
        let body = match kind {
            tar::EntryType::Directory => Body::Dir,
            tar::EntryType::Symlink => Body::Symlink(target()?),
            tar::EntryType::Fifo => Body::Fifo,
            tar::EntryType::Char => device(false)?,
            tar::EntryType::Block => device(true)?,
            tar::EntryType::Link => {
                let target = inside(&target()?)?;
                let to = parent_of(upper, &root, &target, &name)?.join(target.file_name().unwrap_or_default());
                let number = link(upper, &mut hard_links, base + count as u64, to, path, &name)?;
                said.insert(number, (manner, mtime));
                continue;
            }
            _ => {
                let place = entry.raw_file_position();
                let sparse = match kind {
                    tar::EntryType::GNUSparse => {
                        let sparse = Sparse::of_header(spool, entry.raw_header_position(), header.entry_size()?);
                        Some(sparse.map(|(sparse, data)| {
                            after = data + header.entry_size().unwrap_or(0).next_multiple_of(BLOCK);
                            sparse
                        }))
                    }
                    _ => records.file(spool, place, entry.size()).transpose(),
                };
                let sparse = sparse.transpose().map_err(|error| bad(&name, &error.to_string()))?;
                Body::File(match sparse {
                    None => Content::Spool { spool: number, offset: place, size: entry.size() },
                    Some(file) => {
                        holes = holes.saturating_add(file.holes());
                        if holes > MAX_HOLES {
                            return Err(bad(&name, "the holes of sparse files are larger than a layer shall be"));
                        }
                        Content::Sparse { spool: number, file }
                    }
                })
            }
        };
        let mut made = Made::new(body, manner, mtime);
        made.capability = capability;
        upper.replace(path, made)?;
    }
    for (path, number) in hard_links {
        if let Some(made) = upper.made_mut(&path).filter(|made| made.file == Some(number))
            && let Some((manner, mtime)) = said.get(&number)
        {
            made.say(manner, *mtime);
        }
    }
    Ok(())
}

/// Where the header after this entry begins. That of an old sparse file is known when its map is read.
fn end_of<R: Read>(entry: &tar::Entry<'_, R>) -> io::Result<u64> {
    let size = if entry.header().entry_type() == tar::EntryType::GNUSparse { 0 } else { entry.size() };
    let end = size.checked_next_multiple_of(BLOCK).and_then(|size| entry.raw_file_position().checked_add(size));
    end.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The records between the entry before and the header of this one, as they are: the package gives them split at ends of lines,
/// which attributes may hold.
fn pax_before(spool: &File, mut at: u64, header: u64) -> io::Result<Vec<u8>> {
    const LONGEST: u64 = 1 << 20;
    let mut found = Vec::new();
    while at < header {
        let mut block = [0; BLOCK as usize];
        spool.read_exact_at(&mut block, at)?;
        let size = octal(&block[124..136]).ok_or(io::ErrorKind::InvalidData)?;
        if matches!(block[156], b'x' | b'X') {
            if size > LONGEST {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a PAX header is too long"));
            }
            found.resize(usize::try_from(size).unwrap_or(0), 0);
            spool.read_exact_at(&mut found, at + BLOCK)?;
        }
        let next = size.checked_next_multiple_of(BLOCK).and_then(|size| at.checked_add(BLOCK)?.checked_add(size));
        at = next.ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(found)
}

/// A hard link: both names become one file of this layer, which has this number if it has none yet. Gives its number.
fn link(
    upper: &mut Upper<'_>,
    known: &mut HashMap<PathBuf, u64>,
    fresh: u64,
    to: PathBuf,
    path: PathBuf,
    name: &Path,
) -> io::Result<u64> {
    let Some(first) = upper.made_mut(&to) else { return Err(bad(name, "a hard link to nothing in the archive")) };
    let number = *first.file.get_or_insert(fresh);
    let copy = first.clone();
    upper.replace(path.clone(), copy)?;
    known.insert(to, number);
    known.insert(path, number);
    Ok(number)
}

/// A name of an archive: relative, and never leaving it.
fn inside(name: &Path) -> io::Result<PathBuf> {
    let mut clean = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::ParentDir if !clean.pop() => return Err(bad(name, "it leaves the archive")),
            _ => {}
        }
    }
    Ok(clean)
}

/// The directory an entry goes to, made when missing. Links on the way are followed while they stay in the archive's root.
fn parent_of(upper: &mut Upper<'_>, root: &Path, relative: &Path, name: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: usize = 255;
    let parts = |path: &Path| path.components().rev().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>();
    let mut ahead = parts(relative.parent().unwrap_or_else(|| Path::new("")));
    let mut here = PathBuf::new();
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if part == "." {
            continue;
        }
        if part == ".." {
            if !here.pop() {
                return Err(bad(name, "a symbolic link on its way leaves the archive"));
            }
            continue;
        }
        here.push(part);
        let place = root.join(&here);
        match upper.node(&place)? {
            None => {}
            Some(node) if node.is_dir() => {}
            Some(node) if node.kind == NodeKind::Symlink => {
                let target = upper.link(&place)?;
                links += 1;
                if target.is_absolute() || links > MOST_LINKS {
                    return Err(bad(name, "a symbolic link on its way leaves the archive"));
                }
                here.pop();
                ahead.extend(parts(&target));
            }
            Some(_) => return Err(bad(name, "a file stands where a directory is needed")),
        }
    }
    let parent = root.join(here);
    upper.make_dirs(&parent, Manner { mode: 0o755, uid: 0, gid: 0 }, Group::ModeTold)?;
    Ok(parent)
}
