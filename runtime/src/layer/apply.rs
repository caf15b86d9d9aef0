//! Unpacking a layer's tar into a directory of its own, in the form overlayfs stacks.
//!
//! The directory holds only what the layer brings; what lies below is consulted for parents that the tar does not name,
//! links that lead through it and files it links to. Paths are walked component by component from descriptors of real
//! directories, links resolved here and not by the kernel, so nothing outside the directory is ever touched.

use std::collections::HashMap;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, readlinkat};
use nix::libc;
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, UtimensatFlags};
use nix::sys::stat::{fchmod, fchmodat, futimens, makedev, mkdirat, mknodat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, LinkatFlags, Uid, UnlinkatFlags, fchown, fchownat, linkat, symlinkat, unlinkat};

use super::diff::Noted;
use super::error::{LayerError, file_error};
use super::lower::{DIRECTORY, Lower};
use super::overlay::{XattrPrefix, is_kept, is_opaque, is_whiteout};
use super::reader::{Header, Limits, TarReader};
use crate::owners::{self, ByPath, Device, Note};

/// Links followed on the way to one entry.
const MAX_LINKS: usize = 40;

/// What applying a layer did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Entries of the tar.
    pub entries: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// Device nodes left out, which only the host's root may make.
    pub devices_left_out: u64,
    /// Owners that stand nowhere in the directory.
    pub noted: Noted,
}

/// Applies the tar in `stream` to the empty directory `root`, to be stacked on `lower` (unpacked layers, topmost first).
/// The stream is read to its end.
pub fn apply<P: AsRef<Path>>(
    stream: impl Read,
    root: &Path,
    lower: &[P],
    prefix: XattrPrefix,
    limits: Limits,
) -> Result<Applied, LayerError> {
    let fd = open(root, DIRECTORY, Mode::empty()).map_err(file_error("open", root))?;
    let lower = Lower::open(lower, prefix).map_err(|source| LayerError::Io {
        action: "open a layer below",
        path: root.to_owned(),
        source,
    })?;
    let mut tree = Tree {
        prefix,
        depth: limits.depth,
        levels: vec![Level { name: Vec::new(), dir: fd, lower }],
        times: HashMap::new(),
        devices_left_out: 0,
        noted: ByPath::new(),
    };
    let mut reader = TarReader::new(stream, limits);
    while let Some(header) = reader.next()? {
        tree.entry(&header, &mut reader).map_err(|error| match error {
            // Errors of a file name only its last part.
            LayerError::Io { action, source, .. } => LayerError::Io { action, path: to_path(&header.name), source },
            other => other,
        })?;
    }
    reader.drain()?;
    tree.rise(0)?;
    let (entries, bytes) = reader.counts();
    Ok(Applied { entries, bytes, devices_left_out: tree.devices_left_out, noted: Noted(tree.noted) })
}

/// A directory on the way to the current entry.
struct Level {
    name: Vec<u8>,
    dir: OwnedFd,
    /// The same directory in the layers below.
    lower: Lower,
}

struct Tree {
    prefix: XattrPrefix,
    depth: usize,
    /// From the root down; real directories only.
    levels: Vec<Level>,
    /// Times of directories, set when they are left.
    times: HashMap<Vec<u8>, i64>,
    devices_left_out: u64,
    noted: ByPath,
}

impl Tree {
    fn entry<R: Read>(&mut self, header: &Header, reader: &mut TarReader<R>) -> Result<(), LayerError> {
        let mut parts = components(&header.name, self.depth)?;
        let Some(name) = parts.pop() else {
            if header.kind == b'5' {
                self.rise(1)?;
                self.adorn(header, self.top().dir.as_fd())?;
                self.times.insert(Vec::new(), header.mtime);
            }
            return Ok(());
        };
        if let Some(hidden) = name.strip_prefix(b".wh.") {
            return match hidden {
                b".wh..opq" => {
                    self.descend(&parts, header)?;
                    self.make_opaque()
                }
                // What aufs kept for itself.
                hidden if hidden.starts_with(b".wh.") => Ok(()),
                b"" | b"." | b".." => Err(LayerError::entry(&header.name, "it is a whiteout of nothing")),
                hidden => {
                    self.descend(&parts, header)?;
                    self.whiteout(hidden)
                }
            };
        }
        match header.kind {
            0 | b'0' | b'7' | b'S' => {
                self.descend(&parts, header)?;
                let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
                let mut file = None;
                self.create(name, false, |dir| {
                    file = Some(openat(dir, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
                    Ok(())
                })?;
                let Some(file) = file else { return Ok(()) };
                write_content(&file, header, reader)?;
                self.adorn(header, file.as_fd())?;
                let time = TimeSpec::new(header.mtime, 0);
                futimens(&file, &time, &time).map_err(file_error("set the time of", "."))
            }
            b'5' => {
                self.descend(&parts, header)?;
                self.create(name, true, |dir| mkdirat(dir, name, Mode::S_IRWXU))?;
                let dir = openat(&self.top().dir, name, DIRECTORY, Mode::empty()).map_err(file_error("open", "."))?;
                self.adorn(header, dir.as_fd())?;
                let time = TimeSpec::new(header.mtime, 0);
                futimens(&dir, &time, &time).map_err(file_error("set the time of", "."))?;
                let path = self.path_of(name);
                self.times.insert(path, header.mtime);
                Ok(())
            }
            b'1' => self.hard_link(&parts, name, header),
            b'2' => {
                if header.link.is_empty() || header.link.contains(&0) {
                    return Err(LayerError::entry(&header.name, "it is a link to nothing"));
                }
                self.descend(&parts, header)?;
                self.create(name, false, |dir| symlinkat(header.link.as_slice(), dir, name))?;
                self.adorn_by_name(header, name)
            }
            b'3' | b'4' => {
                if (header.major, header.minor) == (0, 0) {
                    return Err(LayerError::entry(&header.name, "a device 0/0 means something else to overlayfs"));
                }
                self.descend(&parts, header)?;
                let kind = if header.kind == b'3' { SFlag::S_IFCHR } else { SFlag::S_IFBLK };
                let device = makedev(header.major.into(), header.minor.into());
                let mut left_out = false;
                let noted = self.prefix == XattrPrefix::Noted;
                self.create(name, false, |dir| match mknodat(dir, name, kind, Mode::S_IRUSR, device) {
                    // A file with a note of what it stands for.
                    Err(Errno::EPERM) if noted => mknodat(dir, name, SFlag::S_IFREG, Mode::S_IRUSR, 0),
                    Err(Errno::EPERM) => {
                        left_out = true;
                        Ok(())
                    }
                    result => result,
                })?;
                if left_out {
                    self.devices_left_out += 1;
                    return Ok(());
                }
                self.adorn_by_name(header, name)
            }
            b'6' => {
                self.descend(&parts, header)?;
                self.create(name, false, |dir| mknodat(dir, name, SFlag::S_IFIFO, Mode::S_IRUSR, 0))?;
                self.adorn_by_name(header, name)
            }
            kind => {
                Err(LayerError::entry(&header.name, format!("entries of type `{}` are not known", char::from(kind))))
            }
        }
    }

    fn hard_link(&mut self, parts: &[&[u8]], name: &[u8], header: &Header) -> Result<(), LayerError> {
        let mut target = components(&header.link, self.depth)?;
        let Some(last) = target.pop() else {
            return Err(LayerError::entry(&header.name, "it is a hard link to the root"));
        };
        self.descend(&target, header)?;
        let from = self.top();
        let missing = || LayerError::entry(&header.name, "the file it is a hard link to is not there");
        match self.prefix.stat(&from.dir, last) {
            Ok(stat) if is_whiteout(&stat) => return Err(missing()),
            Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFDIR => {
                return Err(LayerError::entry(&header.name, "it is a hard link to a directory"));
            }
            Ok(_) => {}
            Err(Errno::ENOENT) => {
                // The file is a lower layer's: it comes up, as overlayfs does it.
                let found = from.lower.stat(last).map_err(|source| io("inspect", source))?;
                let Some((stat, below)) = found else { return Err(missing()) };
                copy_up(self.prefix, below.as_fd(), from.dir.as_fd(), last, &stat, header)?;
            }
            Err(errno) => return Err(file_error("inspect", ".")(errno)),
        }
        let from = from.dir.try_clone().map_err(|source| io("open", source))?;
        let same_place = target == parts && last == name;
        self.descend(parts, header)?;
        if same_place {
            return Ok(());
        }
        self.create(name, false, |dir| linkat(&from, last, dir, name, LinkatFlags::empty()))
    }

    /// Makes `name` in the current directory with `make`, in place of what is there: a directory stays where a
    /// directory is wanted.
    fn create(
        &mut self,
        name: &[u8],
        is_dir: bool,
        mut make: impl FnMut(BorrowedFd<'_>) -> nix::Result<()>,
    ) -> Result<(), LayerError> {
        match make(self.top().dir.as_fd()) {
            Ok(()) => return Ok(()),
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(file_error("create", ".")(errno)),
        }
        let top = self.top();
        let stat = self.prefix.stat(&top.dir, name).map_err(file_error("inspect", "."))?;
        let was_dir = stat.st_mode & libc::S_IFMT == libc::S_IFDIR;
        if was_dir && is_dir {
            return Ok(());
        }
        if was_dir {
            crate::store::remove_tree_at(top.dir.as_fd(), name).map_err(|source| io("remove", source))?;
            let mut inside = self.path_of(name);
            self.times.remove(&inside);
            inside.push(b'/');
            self.times.retain(|path, _| !path.starts_with(&inside));
        } else {
            unlinkat(&top.dir, name, UnlinkatFlags::NoRemoveDir).map_err(file_error("remove", "."))?;
        }
        make(self.top().dir.as_fd()).map_err(file_error("create", "."))?;
        if is_dir {
            // What this layer had in its place hid what lies below; the directory must go on hiding it.
            let top = self.top();
            if !top.lower.child(name).map_err(|source| io("open", source))?.is_empty() {
                let dir = openat(&top.dir, name, DIRECTORY, Mode::empty()).map_err(file_error("open", "."))?;
                set_opaque(&dir, self.prefix)?;
            }
        }
        Ok(())
    }

    fn whiteout(&mut self, name: &[u8]) -> Result<(), LayerError> {
        let top = self.top();
        match self.prefix.stat(&top.dir, name) {
            // This layer's own entry stays; it hides what lies below, a directory only when it is opaque.
            Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFDIR => {
                if !top.lower.child(name).map_err(|source| io("open", source))?.is_empty() {
                    let dir = openat(&top.dir, name, DIRECTORY, Mode::empty()).map_err(file_error("open", "."))?;
                    set_opaque(&dir, self.prefix)?;
                }
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(Errno::ENOENT) => {
                if top.lower.stat(name).map_err(|source| io("inspect", source))?.is_some() {
                    mknodat(&top.dir, name, SFlag::S_IFCHR, Mode::empty(), 0)
                        .map_err(file_error("make a whiteout of", "."))?;
                }
                Ok(())
            }
            Err(errno) => Err(file_error("inspect", ".")(errno)),
        }
    }

    fn make_opaque(&mut self) -> Result<(), LayerError> {
        let prefix = self.prefix;
        let Some(top) = self.levels.last_mut() else { return Ok(()) };
        if !top.lower.is_empty() {
            set_opaque(&top.dir, prefix)?;
            top.lower = Lower::none(prefix);
        }
        Ok(())
    }

    /// Makes these directories current: those that are are kept, the rest walked, links among them followed inside the
    /// root, missing ones made.
    fn descend(&mut self, parts: &[&[u8]], header: &Header) -> Result<(), LayerError> {
        let known = self.levels[1..].iter().zip(parts).take_while(|(level, part)| level.name == **part).count();
        self.rise(known + 1)?;
        let mut left: Vec<Vec<u8>> = parts[known..].iter().rev().map(|part| part.to_vec()).collect();
        let mut links = 0;
        while let Some(part) = left.pop() {
            if part == b".." {
                let up = self.levels.len().saturating_sub(1).max(1);
                self.rise(up)?;
                continue;
            }
            if self.levels.len() > self.depth {
                return Err(LayerError::Limit { what: "levels of directories", limit: self.depth as u64 });
            }
            let Some(target) = self.step(part, header)? else { continue };
            links += 1;
            if links > MAX_LINKS {
                return Err(LayerError::entry(&header.name, "too many links on the way to it"));
            }
            if target.starts_with(b"/") {
                self.rise(1)?;
            }
            let parts = target.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
            left.extend(parts.map(<[u8]>::to_vec).rev());
        }
        Ok(())
    }

    /// Goes one directory down; a link is handed back instead.
    fn step(&mut self, name: Vec<u8>, header: &Header) -> Result<Option<Vec<u8>>, LayerError> {
        let top = self.top();
        let not_a_directory = || LayerError::entry(&header.name, "something above it is no directory");
        match openat(&top.dir, name.as_slice(), DIRECTORY, Mode::empty()) {
            Ok(dir) => {
                let mut lower = top.lower.child(&name).map_err(|source| io("open", source))?;
                if !lower.is_empty() && is_opaque(&dir, self.prefix).map_err(|source| io("inspect", source))? {
                    lower = Lower::none(self.prefix);
                }
                self.levels.push(Level { name, dir, lower });
                return Ok(None);
            }
            Err(Errno::ENOENT) => {}
            Err(Errno::ENOTDIR | Errno::ELOOP) => {
                let stat = self.prefix.stat(&top.dir, name.as_slice()).map_err(file_error("inspect", "."))?;
                if stat.st_mode & libc::S_IFMT == libc::S_IFLNK {
                    let target = readlinkat(&top.dir, name.as_slice()).map_err(file_error("read", "."))?;
                    return Ok(Some(std::os::unix::ffi::OsStringExt::into_vec(target)));
                }
                if !is_whiteout(&stat) {
                    return Err(not_a_directory());
                }
                self.create(&name, true, |dir| mkdirat(dir, name.as_slice(), Mode::S_IRWXU))?;
                return self.made(name, None).map(|()| None);
            }
            Err(errno) => return Err(file_error("open", ".")(errno)),
        }
        let below = top.lower.stat(&name).map_err(|source| io("inspect", source))?;
        match below.map(|(stat, at)| (stat.st_mode & libc::S_IFMT, stat, at)) {
            Some((libc::S_IFLNK, _, at)) => {
                let target = readlinkat(at, name.as_slice()).map_err(file_error("read", "."))?;
                Ok(Some(std::os::unix::ffi::OsStringExt::into_vec(target)))
            }
            None => {
                mkdirat(&top.dir, name.as_slice(), Mode::S_IRWXU).map_err(file_error("create", "."))?;
                self.made(name, None).map(|()| None)
            }
            Some((libc::S_IFDIR, stat, at)) => {
                let original =
                    openat(at, name.as_slice(), DIRECTORY, Mode::empty()).map_err(file_error("open", "."))?;
                mkdirat(&top.dir, name.as_slice(), Mode::S_IRWXU).map_err(file_error("create", "."))?;
                self.made(name, Some((stat, original))).map(|()| None)
            }
            Some(_) => Err(not_a_directory()),
        }
    }

    /// Goes into a directory that the tar implies: as it is below, or 0755 of root.
    fn made(&mut self, name: Vec<u8>, below: Option<(libc::stat, OwnedFd)>) -> Result<(), LayerError> {
        let path = self.path_of(&name);
        let top = self.top();
        let dir = openat(&top.dir, name.as_slice(), DIRECTORY, Mode::empty()).map_err(file_error("open", "."))?;
        let lower = match &below {
            Some(_) => top.lower.child(&name).map_err(|source| io("open", source))?,
            None => Lower::none(self.prefix),
        };
        match below {
            Some((stat, original)) => {
                like(self.prefix, dir.as_fd(), original.as_fd(), &stat)?;
                self.times.insert(path, stat.st_mtime);
            }
            None => {
                own_open(self.prefix, dir.as_fd(), 0, 0).map_err(file_error("own", "."))?;
                fchmod(&dir, Mode::from_bits_truncate(0o755)).map_err(file_error("set the mode of", "."))?;
                // No one said when; the layer must look the same whenever it is unpacked.
                self.times.insert(path, 0);
            }
        }
        self.levels.push(Level { name, dir, lower });
        Ok(())
    }

    /// Leaves directories until this many levels are left, setting the times of those that are left.
    fn rise(&mut self, keep: usize) -> Result<(), LayerError> {
        while self.levels.len() > keep {
            let path = self.path_of(b"");
            if let Some(time) = self.times.get(&path) {
                let time = TimeSpec::new(*time, 0);
                futimens(&self.top().dir, &time, &time).map_err(file_error("set the time of", "."))?;
            }
            self.levels.pop();
        }
        Ok(())
    }

    fn top(&self) -> &Level {
        // The root is left only when everything is done.
        &self.levels[self.levels.len() - 1]
    }

    /// The path of `name` in the current directory, or of that directory.
    fn path_of(&self, name: &[u8]) -> Vec<u8> {
        let mut path = Vec::new();
        for part in self.levels.iter().skip(1).map(|level| level.name.as_slice()).chain([name]) {
            if !path.is_empty() && !part.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(part);
        }
        path
    }

    /// Owner, mode and attributes of what is open.
    fn adorn(&self, header: &Header, file: BorrowedFd<'_>) -> Result<(), LayerError> {
        own(header, own_open(self.prefix, file, header.uid, header.gid))?;
        fchmod(file, Mode::from_bits_truncate(header.mode)).map_err(file_error("set the mode of", "."))?;
        for (name, value) in header.xattrs.iter().filter(|(name, _)| is_kept(name)) {
            set_xattr(file, name, value)?;
        }
        Ok(())
    }

    /// Notes the owner of what cannot be opened, and which device a file stands for.
    fn note(&mut self, header: &Header, name: &[u8]) -> Result<(), LayerError> {
        let is_device = matches!(header.kind, b'3' | b'4');
        let number = makedev(header.major.into(), header.minor.into());
        let device = is_device.then_some(Device { block: header.kind == b'4', number });
        let note = Note { uid: header.uid, gid: header.gid, device };
        let mode = if is_device { libc::S_IFREG } else { libc::S_IFLNK };
        owners::set_note(&self.top().dir, name, mode, note).map_err(|source| io("own", source))?;
        let path = self.path_of(name);
        if is_device || note.is_plain() {
            self.noted.remove(&path)
        } else {
            self.noted.insert(path, note)
        };
        Ok(())
    }

    /// Owner, mode and time of what cannot be opened.
    fn adorn_by_name(&mut self, header: &Header, name: &[u8]) -> Result<(), LayerError> {
        if self.prefix == XattrPrefix::Noted {
            self.note(header, name)?;
        }
        let dir = &self.top().dir;
        if self.prefix != XattrPrefix::Noted {
            let (uid, gid) = (Uid::from_raw(header.uid), Gid::from_raw(header.gid));
            own(header, fchownat(dir, name, Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW))?;
        }
        if header.kind != b'2' {
            // Nobody else writes here: the node cannot have become a link.
            let mode = Mode::from_bits_truncate(header.mode);
            fchmodat(dir, name, mode, FchmodatFlags::FollowSymlink).map_err(file_error("set the mode of", "."))?;
        }
        let time = TimeSpec::new(header.mtime, 0);
        utimensat(dir, name, &time, &time, UtimensatFlags::NoFollowSymlink).map_err(file_error("set the time of", "."))
    }
}

/// Makes this the owner of what is open.
fn own_open(prefix: XattrPrefix, file: BorrowedFd<'_>, uid: u32, gid: u32) -> nix::Result<()> {
    if prefix != XattrPrefix::Noted {
        return fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    }
    owners::set_note(file, b"", libc::S_IFREG, Note::owner(uid, gid))
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)))
}

fn own(header: &Header, result: nix::Result<()>) -> Result<(), LayerError> {
    match result {
        Err(Errno::EINVAL) => {
            let reason = format!("its owner {}:{} does not exist in this user namespace", header.uid, header.gid);
            Err(LayerError::entry(&header.name, reason))
        }
        result => result.map_err(file_error("own", ".")),
    }
}

/// The parts of a path below the root.
fn components(path: &[u8], depth: usize) -> Result<Vec<&[u8]>, LayerError> {
    if path.contains(&0) {
        return Err(LayerError::entry(path, "its name holds a NUL"));
    }
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    if parts.contains(&b"..".as_slice()) {
        return Err(LayerError::entry(path, "its name leads out with `..`"));
    }
    if parts.len() > depth {
        return Err(LayerError::Limit { what: "levels of directories", limit: depth as u64 });
    }
    Ok(parts)
}

fn write_content<R: Read>(file: &OwnedFd, header: &Header, reader: &mut TarReader<R>) -> Result<(), LayerError> {
    let mut parts = header.sparse.iter().copied();
    let (mut at, mut room) = if header.sparse.is_empty() { (0, u64::MAX) } else { parts.next().unwrap_or((0, 0)) };
    loop {
        let mut bytes = reader.content()?;
        if bytes.is_empty() {
            break;
        }
        while !bytes.is_empty() {
            while room == 0 {
                let Some(next) = parts.next() else { return Ok(()) };
                (at, room) = next;
            }
            let take = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let offset = i64::try_from(at).unwrap_or(i64::MAX);
            let written = nix::sys::uio::pwrite(file, &bytes[..take], offset).map_err(file_error("write", "."))?;
            bytes = &bytes[written..];
            at += written as u64;
            room -= written as u64;
        }
    }
    if header.kind == b'S' {
        let size = i64::try_from(header.real_size).unwrap_or(i64::MAX);
        nix::unistd::ftruncate(file, size).map_err(file_error("write", "."))?;
    }
    Ok(())
}

fn copy_up(
    prefix: XattrPrefix,
    below: BorrowedFd<'_>,
    dir: BorrowedFd<'_>,
    name: &[u8],
    stat: &libc::stat,
    header: &Header,
) -> Result<(), LayerError> {
    if stat.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(LayerError::entry(&header.name, "it is a hard link to something that is no file in a lower layer"));
    }
    let read = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let write = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let from = openat(below, name, read, Mode::empty()).map_err(file_error("open", "."))?;
    let to = openat(dir, name, write, Mode::S_IRUSR).map_err(file_error("create", "."))?;
    let mut source = std::fs::File::from(from);
    let mut sink = std::fs::File::from(to);
    std::io::copy(&mut source, &mut sink).map_err(|source| io("copy", source))?;
    like(prefix, sink.as_fd(), source.as_fd(), stat)?;
    let time = TimeSpec::new(stat.st_mtime, stat.st_mtime_nsec);
    futimens(&sink, &time, &time).map_err(file_error("set the time of", "."))
}

/// Owner, mode and attributes as `original` has them.
fn like(
    prefix: XattrPrefix,
    file: BorrowedFd<'_>,
    original: BorrowedFd<'_>,
    stat: &libc::stat,
) -> Result<(), LayerError> {
    own_open(prefix, file, stat.st_uid, stat.st_gid).map_err(file_error("own", "."))?;
    fchmod(file, Mode::from_bits_truncate(stat.st_mode & 0o7777)).map_err(file_error("set the mode of", "."))?;
    for (name, value) in super::overlay::kept_xattrs(original).map_err(file_error("read the attributes of", "."))? {
        set_xattr(file, &name, &value)?;
    }
    Ok(())
}

fn set_xattr(file: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> Result<(), LayerError> {
    match rustix::fs::fsetxattr(file, name, value, rustix::fs::XattrFlags::empty()) {
        // Filesystems without attributes exist, and a capability may be refused inside a user namespace.
        Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM) => Ok(()),
        Err(errno) => Err(io("set an attribute of", errno.into())),
    }
}

fn set_opaque(dir: &OwnedFd, prefix: XattrPrefix) -> Result<(), LayerError> {
    rustix::fs::fsetxattr(dir, prefix.opaque(), b"y", rustix::fs::XattrFlags::empty())
        .map_err(|errno| io("mark as opaque", errno.into()))
}

fn io(action: &'static str, source: std::io::Error) -> LayerError {
    LayerError::Io { action, path: PathBuf::from("."), source }
}

fn to_path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}
