//! Owners that the kernel cannot keep.
//!
//! In a user namespace of one ID every file belongs to that ID, whatever its layer says. The owner is then noted beside the
//! file: in an extended attribute of a file or directory, which travels with it through renames and copies of overlayfs; of
//! everything else, which can have no such attribute, in a table by inode and time of birth, and, for an unpacked layer, in a
//! file by path next to it. Device nodes, which such a namespace may not make, are empty files with a note of what they are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use nix::libc;
use rustix::fs::{AtFlags, StatxFlags, XattrFlags};

use crate::userns;

/// The attribute of a file or directory.
pub(crate) const ATTRIBUTE: &str = "user.plimsoll.owner";

/// Whether this process is where owners have to be noted.
pub(crate) fn are_noted() -> bool {
    matches!(userns::current(), Some(userns::IdMap::Single { .. }))
}

/// What is noted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Note {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Type and number of the device that this stands for.
    pub(crate) device: Option<Device>,
}

/// A device node that could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device {
    pub(crate) block: bool,
    pub(crate) number: u64,
}

impl Note {
    pub(crate) fn owner(uid: u32, gid: u32) -> Self {
        Self { uid, gid, device: None }
    }

    /// Nothing that the file itself would not say.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    fn text(&self) -> String {
        match self.device {
            None => format!("{}:{}", self.uid, self.gid),
            Some(device) => {
                let kind = if device.block { 'b' } else { 'c' };
                format!("{}:{}:{kind}:{}", self.uid, self.gid, device.number)
            }
        }
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.split(':');
        let (uid, gid) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let device = match parts.next() {
            None => None,
            Some(kind @ ("b" | "c")) => Some(Device { block: kind == "b", number: parts.next()?.parse().ok()? }),
            Some(_) => return None,
        };
        parts.next().is_none().then_some(Self { uid, gid, device })
    }

    /// Says in `stat` what the note says.
    pub(crate) fn correct(&self, stat: &mut libc::stat) {
        stat.st_uid = self.uid;
        stat.st_gid = self.gid;
        if let Some(device) = self.device {
            stat.st_mode = stat.st_mode & 0o7777 | if device.block { libc::S_IFBLK } else { libc::S_IFCHR };
            stat.st_rdev = device.number;
            stat.st_size = 0;
        }
    }
}

/// One inode for as long as it lives: number, seconds and nanoseconds of its birth.
pub(crate) type Identity = (u64, i64, u32);

/// Notes of what cannot have attributes.
static TABLE: LazyLock<Mutex<HashMap<Identity, Note>>> = LazyLock::new(Mutex::default);
/// Unpacked layers of which the notes were read.
static READ: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

fn table() -> MutexGuard<'static, HashMap<Identity, Note>> {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The inode at `name` in `dir`, links not followed; that of `dir` itself for an empty name.
pub(crate) fn identity(dir: impl AsFd, name: &[u8]) -> io::Result<Identity> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | if name.is_empty() { AtFlags::EMPTY_PATH } else { AtFlags::empty() };
    let found = rustix::fs::statx(dir, name, flags, StatxFlags::INO | StatxFlags::BTIME)?;
    let born = StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::BTIME);
    let (seconds, nanoseconds) = if born { (found.stx_btime.tv_sec, found.stx_btime.tv_nsec) } else { (0, 0) };
    Ok((found.stx_ino, seconds, nanoseconds))
}

/// Whether what has this mode can have attributes.
pub(crate) fn has_attributes(mode: libc::mode_t) -> bool {
    matches!(mode & libc::S_IFMT, libc::S_IFREG | libc::S_IFDIR)
}

pub(crate) fn note_in_table(identity: Identity, note: Note) {
    // Root's ownership too: it differs from nothing being known.
    table().insert(identity, note);
}

pub(crate) fn in_table(identity: Identity) -> Option<Note> {
    table().get(&identity).copied()
}

pub(crate) fn table_is_empty() -> bool {
    table().is_empty()
}

/// The note in the attribute of what `path` names, a link at its end followed.
pub(crate) fn in_attribute(path: &[u8]) -> io::Result<Option<Note>> {
    let mut value = [0; 64];
    match rustix::fs::getxattr(path, ATTRIBUTE, &mut value) {
        Ok(length) => Ok(Note::parse(&value[..length])),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM) => Ok(None),
        // Longer than any note of ours.
        Err(rustix::io::Errno::RANGE) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Writes or takes away the attribute of what `path` names.
pub(crate) fn set_attribute(path: &[u8], note: Note) -> io::Result<()> {
    if note.is_plain() {
        return match rustix::fs::removexattr(path, ATTRIBUTE) {
            Ok(()) | Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(errno) => Err(errno.into()),
        };
    }
    Ok(rustix::fs::setxattr(path, ATTRIBUTE, note.text().as_bytes(), XattrFlags::empty())?)
}

/// A name in a directory, as a path from anywhere. Not where this program's `/proc` is out of sight.
fn by_descriptor(dir: BorrowedFd<'_>, name: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}", dir.as_raw_fd()).into_bytes();
    if !name.is_empty() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

/// The note of `name` in `dir`, which has this mode; of what `dir` itself is for an empty name.
pub(crate) fn note_of(dir: impl AsFd, name: &[u8], mode: libc::mode_t) -> io::Result<Option<Note>> {
    if has_attributes(mode) {
        return in_attribute(&by_descriptor(dir.as_fd(), name));
    }
    if table_is_empty() { Ok(None) } else { Ok(in_table(identity(dir, name)?)) }
}

/// Notes what `name` in `dir` is, or `dir` itself for an empty name.
pub(crate) fn set_note(dir: impl AsFd, name: &[u8], mode: libc::mode_t, note: Note) -> io::Result<()> {
    if has_attributes(mode) {
        return set_attribute(&by_descriptor(dir.as_fd(), name), note);
    }
    note_in_table(identity(dir, name)?, note);
    Ok(())
}

/// Makes this the owner of a path, in whatever way owners are kept here. A link is not followed.
pub(crate) fn give(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    if !are_noted() {
        return std::os::unix::fs::lchown(path, Some(uid), Some(gid));
    }
    let flags = nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_CLOEXEC;
    let handle = nix::fcntl::open(path, flags, nix::sys::stat::Mode::empty())?;
    let mode = nix::sys::stat::fstat(&handle)?.st_mode;
    set_note(&handle, b"", mode, Note::owner(uid, gid))
}

/// Owner and group of a path whose metadata are these, in whatever way owners are kept here. A link is not followed.
pub(crate) fn owner_of(path: &Path, meta: &std::fs::Metadata) -> io::Result<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let noted = match path.file_name() {
        Some(name) if are_noted() => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let flags = nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC;
            let parent = nix::fcntl::open(parent, flags, nix::sys::stat::Mode::empty())?;
            note_of(&parent, name.as_bytes(), meta.mode())?
        }
        _ => None,
    };
    Ok(noted.map_or((meta.uid(), meta.gid()), |note| (note.uid, note.gid)))
}

/// Notes of an unpacked layer by path, without a leading slash: of everything that can have no attributes.
pub(crate) type ByPath = BTreeMap<Vec<u8>, Note>;

/// Writes the notes of a layer that is about to be put at `layer`.
pub(crate) fn keep(layer: &Path, notes: &ByPath) -> io::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    let mut bytes = Vec::new();
    for (path, note) in notes {
        bytes.extend_from_slice(note.text().as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(path);
        bytes.push(0);
    }
    let file = file_beside(layer);
    let fresh = file.with_extension(format!("new-{}", std::process::id()));
    std::fs::write(&fresh, bytes)?;
    std::fs::rename(&fresh, &file)
}

/// Where the notes of the layer unpacked at `layer` are.
pub(crate) fn file_beside(layer: &Path) -> PathBuf {
    let mut name = layer.as_os_str().to_owned();
    name.push(SUFFIX);
    PathBuf::from(name)
}

/// What the name of such a file ends with.
pub(crate) const SUFFIX: &str = ".owners";

/// Takes the notes of the layer unpacked at `layer` into the table, once.
pub(crate) fn read(layer: &Path) -> io::Result<()> {
    if !READ.lock().unwrap_or_else(PoisonError::into_inner).insert(layer.to_owned()) {
        return Ok(());
    }
    let bytes = match std::fs::read(file_beside(layer)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let root = nix::fcntl::open(layer, crate::layer::DIRECTORY, nix::sys::stat::Mode::empty())?;
    for line in bytes.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the notes of owners are damaged");
        let space = line.iter().position(|byte| *byte == b' ').ok_or_else(damaged)?;
        let note = Note::parse(&line[..space]).ok_or_else(damaged)?;
        // Written by us, but links in it are the layer's.
        let path = OsStr::from_bytes(&line[space + 1..]);
        let how = nix::fcntl::OpenHow::new()
            .flags(nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_NOFOLLOW | nix::fcntl::OFlag::O_CLOEXEC)
            .resolve(nix::fcntl::ResolveFlag::RESOLVE_BENEATH | nix::fcntl::ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let handle = nix::fcntl::openat2(&root, path, how)?;
        note_in_table(identity(&handle, b"")?, note);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_as_text() {
        let device = Device { block: true, number: 0x0801 };
        for note in [Note::default(), Note::owner(1000, 50), Note { uid: 0, gid: 6, device: Some(device) }] {
            assert_eq!(Note::parse(note.text().as_bytes()), Some(note));
        }
        for wrong in ["", "1", "1:", "1:2:", "1:2:c", "1:2:x:1", "1:2:c:1:1", "-1:2", "1:4294967296", "a:b"] {
            assert_eq!(Note::parse(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn notes_of_a_layer_are_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let layer = dir.path().join("layer");
        std::fs::create_dir_all(layer.join("a")).unwrap();
        std::os::unix::fs::symlink("nowhere", layer.join("a/link")).unwrap();
        let notes = ByPath::from([(b"a/link".to_vec(), Note::owner(7, 8))]);
        keep(&layer, &notes).unwrap();
        read(&layer).unwrap();
        let handle = std::fs::File::open(layer.join("a")).unwrap();
        assert_eq!(note_of(&handle, b"link", libc::S_IFLNK).unwrap(), Some(Note::owner(7, 8)));
        // Another link in its place is another link.
        std::fs::remove_file(layer.join("a/link")).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::os::unix::fs::symlink("nowhere", layer.join("a/link")).unwrap();
        assert_eq!(note_of(&handle, b"link", libc::S_IFLNK).unwrap(), None);
    }

    #[test]
    fn attributes_hold_notes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().as_os_str().as_bytes();
        if set_attribute(path, Note::owner(5, 6)).is_err() {
            return; // A filesystem without attributes.
        }
        assert_eq!(in_attribute(path).unwrap(), Some(Note::owner(5, 6)));
        set_attribute(path, Note::default()).unwrap();
        assert_eq!(in_attribute(path).unwrap(), None);
        set_attribute(path, Note::default()).unwrap();
    }
}
