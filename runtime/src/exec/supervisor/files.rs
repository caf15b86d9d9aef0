//! Calls that ask for the owner of a file, change it, or make a file that gets one.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::libc;
use nix::sys::stat::{Mode, SFlag, fstatat, mkdirat, mknodat};
use nix::unistd::{Gid, Uid, fchownat, symlinkat};

use super::caller::{Caller, Found};
use super::credentials::KEEP;
use super::kernel::{self, Answer};
use crate::owners::{self, Device, Note};

/// Links followed to where a file is to be made.
const MAX_LINKS: usize = 40;

/// The answer to any call that was not about the process itself.
pub(super) fn answer(caller: &Caller<'_>) -> Answer {
    let done = match caller.call.number {
        #[cfg(target_arch = "x86_64")]
        libc::SYS_chown => at(caller, 0, OFlag::empty()).and_then(|found| chown(caller, &found, 1)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_lchown => at(caller, 0, OFlag::O_NOFOLLOW).and_then(|found| chown(caller, &found, 1)),
        libc::SYS_fchown => open_at(caller, caller.int(0)).and_then(|found| chown(caller, &found, 1)),
        libc::SYS_fchownat => by_flags(caller, 0, 1, caller.int(4)).and_then(|found| chown(caller, &found, 2)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_stat => at(caller, 0, OFlag::empty()).and_then(|found| stat(caller, &found, 1)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_lstat => at(caller, 0, OFlag::O_NOFOLLOW).and_then(|found| stat(caller, &found, 1)),
        libc::SYS_fstat => open_at(caller, caller.int(0)).and_then(|found| stat(caller, &found, 1)),
        libc::SYS_newfstatat => by_flags(caller, 0, 1, caller.int(3)).and_then(|found| stat(caller, &found, 2)),
        libc::SYS_statx => by_flags(caller, 0, 1, caller.int(2)).and_then(|found| statx(caller, &found)),
        _ => make(caller),
    };
    match done {
        Ok(answer) => answer,
        // What cannot be found here is asked of the kernel, which says so in its own words or finds it after all.
        Err(_) => Answer::Continue,
    }
}

/// The file of a path argument, relative to the working directory.
fn at(caller: &Caller<'_>, path: usize, flags: OFlag) -> Result<Found, Errno> {
    let text = caller.text(caller.arg(path))?;
    caller.found(caller.open_path(libc::AT_FDCWD, &text, flags)?)
}

fn open_at(caller: &Caller<'_>, fd: i32) -> Result<Found, Errno> {
    if fd < 0 {
        return Err(Errno::EBADF);
    }
    caller.found(caller.open_file(fd)?)
}

/// The file of a directory and a path argument, with `AT_…` flags.
fn by_flags(caller: &Caller<'_>, dir: usize, path: usize, flags: i32) -> Result<Found, Errno> {
    let text = caller.text(caller.arg(path))?;
    let dir = caller.int(dir);
    if text.is_empty() && flags & libc::AT_EMPTY_PATH != 0 {
        return caller.found(caller.open_file(dir)?);
    }
    let follow = if flags & libc::AT_SYMLINK_NOFOLLOW != 0 { OFlag::O_NOFOLLOW } else { OFlag::empty() };
    caller.found(caller.open_path(dir, &text, follow)?)
}

/// Gives a file away: the kernel does what it does then, with the one owner there is, and the new one is noted.
fn chown(caller: &Caller<'_>, found: &Found, first: usize) -> Result<Answer, Errno> {
    let (uid, gid) = (caller.id(first), caller.id(first + 1));
    let owner = found.owner();
    if !caller.who().may_give(owner, uid, gid) {
        return Ok(Answer::Error(Errno::EPERM));
    }
    let real_uid = (uid != KEEP).then_some(Uid::from_raw(0));
    let real_gid = (gid != KEEP).then_some(Gid::from_raw(0));
    if let Err(errno) = fchownat(&found.file, "", real_uid, real_gid, AtFlags::AT_EMPTY_PATH) {
        return Ok(Answer::Error(errno));
    }
    let new = (if uid == KEEP { owner.0 } else { uid }, if gid == KEEP { owner.1 } else { gid });
    let device = found.note.and_then(|note| note.device);
    // What has no attributes may just have come up to a layer of its own.
    if new == owner && owners::has_attributes(found.stat.st_mode) {
        return Ok(Answer::Value(0));
    }
    // Pipes and sockets without a name belong to nobody's layer.
    let kind = found.stat.st_mode & libc::S_IFMT;
    if matches!(kind, libc::S_IFIFO | libc::S_IFSOCK) && Some(found.stat.st_dev) != caller.world.root {
        return Ok(Answer::Value(0));
    }
    let done = caller.note(found, Note { uid: new.0, gid: new.1, device });
    Ok(done.map_or_else(Answer::Error, |()| Answer::Value(0)))
}

fn stat(caller: &Caller<'_>, found: &Found, buffer: usize) -> Result<Answer, Errno> {
    let Some(note) = found.note else { return Ok(Answer::Continue) };
    let mut stat = found.stat;
    note.correct(&mut stat);
    caller.write(caller.arg(buffer), kernel::bytes(&stat))?;
    Ok(Answer::Value(0))
}

fn statx(caller: &Caller<'_>, found: &Found) -> Result<Answer, Errno> {
    let Some(note) = found.note else { return Ok(Answer::Continue) };
    let sync = caller.int(2) & libc::AT_STATX_SYNC_TYPE;
    let mut told = kernel::statx(found.file.as_fd(), sync, caller.id(3))?;
    told.stx_uid = note.uid;
    told.stx_gid = note.gid;
    if let Some(device) = note.device {
        let kind = if device.block { libc::S_IFBLK } else { libc::S_IFCHR };
        told.stx_mode = told.stx_mode & 0o7777 | kind as u16;
        told.stx_size = 0;
        told.stx_rdev_major = libc::major(device.number);
        told.stx_rdev_minor = libc::minor(device.number);
    }
    caller.write(caller.arg(4), kernel::bytes(&told))?;
    Ok(Answer::Value(0))
}

/// Something new that a process wants.
enum New {
    File {
        flags: OFlag,
        mode: u32,
    },
    /// A file without a name in this directory.
    Nameless {
        flags: OFlag,
        mode: u32,
    },
    Directory {
        mode: u32,
    },
    Link {
        target: Vec<u8>,
    },
    Node {
        kind: SFlag,
        device: u64,
        mode: u32,
    },
}

fn make(caller: &Caller<'_>) -> Result<Answer, Errno> {
    let here = libc::AT_FDCWD;
    match caller.call.number {
        #[cfg(target_arch = "x86_64")]
        libc::SYS_open => open_new(caller, here, 0, caller.int(1), caller.id(2)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_creat => open_new(caller, here, 0, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, caller.id(1)),
        libc::SYS_openat => open_new(caller, caller.int(0), 1, caller.int(2), caller.id(3)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mkdir => create(caller, here, 0, &New::Directory { mode: caller.id(1) }),
        libc::SYS_mkdirat => create(caller, caller.int(0), 1, &New::Directory { mode: caller.id(2) }),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_symlink => create(caller, here, 1, &New::Link { target: caller.text(caller.arg(0))? }),
        libc::SYS_symlinkat => create(caller, caller.int(1), 2, &New::Link { target: caller.text(caller.arg(0))? }),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_mknod => create(caller, here, 0, &node(caller.id(1), caller.arg(2))),
        libc::SYS_mknodat => create(caller, caller.int(0), 1, &node(caller.id(2), caller.arg(3))),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_rename | libc::SYS_link => moves(caller, here, 0),
        libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_linkat => moves(caller, caller.int(0), 1),
        _ => Ok(Answer::Continue),
    }
}

/// A name given to what may lie in a layer below. The kernel brings that up first, as another inode; its note comes along.
fn moves(caller: &Caller<'_>, dir: i32, path: usize) -> Result<Answer, Errno> {
    if !owners::table_is_empty() {
        let text = caller.text(caller.arg(path))?;
        let found = caller.found(caller.open_path(dir, &text, OFlag::O_NOFOLLOW)?)?;
        if let Some(note) = found.note.filter(|_| !owners::has_attributes(found.stat.st_mode)) {
            let root = (Some(Uid::from_raw(0)), Some(Gid::from_raw(0)));
            fchownat(&found.file, "", root.0, root.1, AtFlags::AT_EMPTY_PATH)?;
            caller.note(&found, note)?;
        }
    }
    Ok(Answer::Continue)
}

fn node(mode: u32, device: u64) -> New {
    New::Node { kind: SFlag::from_bits_truncate(mode & libc::S_IFMT), device, mode: mode & 0o7777 }
}

fn open_new(caller: &Caller<'_>, dir: i32, path: usize, flags: i32, mode: u32) -> Result<Answer, Errno> {
    let flags = OFlag::from_bits_retain(flags);
    if flags.contains(OFlag::O_TMPFILE) {
        return create(caller, dir, path, &New::Nameless { flags, mode });
    }
    if !flags.contains(OFlag::O_CREAT) || flags.contains(OFlag::O_PATH) {
        return Ok(Answer::Continue);
    }
    create(caller, dir, path, &New::File { flags, mode })
}

/// Makes it, if it is not there and somebody else than the kernel would say is to own it.
fn create(caller: &Caller<'_>, dir: i32, path: usize, new: &New) -> Result<Answer, Errno> {
    let mut text = caller.text(caller.arg(path))?;
    if matches!(new, New::Nameless { .. }) {
        let parent = caller.found(caller.open_path(dir, &text, OFlag::O_DIRECTORY)?)?;
        return create_in(caller, &parent, b"", new);
    }
    if matches!(new, New::Directory { .. }) {
        while text.len() > 1 && text.ends_with(b"/") {
            text.pop();
        }
    }
    let (mut dir, mut above) = (dir, None::<Found>);
    for _ in 0..MAX_LINKS {
        let (parent, name) = match text.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => (&text[..=slash], &text[slash + 1..]),
            None => (&b"."[..], &text[..]),
        };
        if matches!(name, b"" | b"." | b"..") {
            return Ok(Answer::Continue);
        }
        let opened = match &above {
            Some(above) if !parent.starts_with(b"/") => openat(
                &above.file,
                OsStr::from_bytes(parent),
                OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
                Mode::empty(),
            )?,
            _ => caller.open_path(dir, parent, OFlag::O_DIRECTORY)?,
        };
        let parent = caller.found(opened)?;
        let there = fstatat(&parent.file, OsStr::from_bytes(name), AtFlags::AT_SYMLINK_NOFOLLOW);
        match there {
            Err(Errno::ENOENT) => {
                let name = name.to_vec();
                return create_in(caller, &parent, &name, new);
            }
            // A link to nothing: what it names is made.
            Ok(stat) if stat.st_mode & libc::S_IFMT == libc::S_IFLNK && follows(new) => {
                text = readlinkat(&parent.file, OsStr::from_bytes(name))?.as_bytes().to_vec();
                dir = libc::AT_FDCWD;
                above = Some(parent);
            }
            // There is nothing to make, or the kernel says why not.
            _ => return Ok(Answer::Continue),
        }
    }
    Ok(Answer::Continue)
}

fn follows(new: &New) -> bool {
    matches!(new, New::File { flags, .. } if !flags.intersects(OFlag::O_EXCL | OFlag::O_NOFOLLOW))
}

fn create_in(caller: &Caller<'_>, parent: &Found, name: &[u8], new: &New) -> Result<Answer, Errno> {
    let who = caller.who();
    let owner = parent.owner();
    let shares_group = parent.stat.st_mode & libc::S_ISGID != 0;
    let gid = if shares_group { owner.1 } else { who.group.effective };
    let mut note = Note::owner(who.user.effective, gid);
    if let New::Node { kind: kind @ (SFlag::S_IFCHR | SFlag::S_IFBLK), device, .. } = new
        && *device != 0
    {
        if !who.is_root() {
            return Ok(Answer::Error(Errno::EPERM));
        }
        note.device = Some(Device { block: *kind == SFlag::S_IFBLK, number: *device });
    }
    if note.is_plain() {
        return Ok(Answer::Continue);
    }
    if !who.may_write_to(owner, parent.stat.st_mode) {
        return Ok(Answer::Error(Errno::EACCES));
    }
    match put(caller, parent, name, new, note) {
        Ok(None) => Ok(Answer::Value(0)),
        Ok(Some((file, close_on_exec))) => {
            kernel::give(&caller.world.listener, caller.call.id, &file, close_on_exec)?;
            Ok(Answer::Given)
        }
        // Somebody was quicker.
        Err(Errno::EEXIST) if follows(new) => Ok(Answer::Continue),
        Err(errno) => Ok(Answer::Error(errno)),
    }
}

/// Makes it and notes its owner; an open file is handed back for the process.
fn put(
    caller: &Caller<'_>,
    parent: &Found,
    name: &[u8],
    new: &New,
    note: Note,
) -> Result<Option<(OwnedFd, bool)>, Errno> {
    let name = OsStr::from_bytes(name);
    let close_on_exec = |flags: &OFlag| flags.contains(OFlag::O_CLOEXEC);
    match new {
        New::File { flags, mode } => {
            let own = *flags | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
            let file = openat(&parent.file, name, own, caller.masked(*mode))?;
            let found = caller.found(file)?;
            caller.note(&found, note)?;
            return Ok(Some((found.file, close_on_exec(flags))));
        }
        New::Nameless { flags, mode } => {
            let file = openat(&parent.file, ".", *flags | OFlag::O_CLOEXEC, caller.masked(*mode))?;
            let found = caller.found(file)?;
            caller.note(&found, note)?;
            return Ok(Some((found.file, close_on_exec(flags))));
        }
        New::Directory { mode } => mkdirat(&parent.file, name, caller.masked(*mode))?,
        New::Link { target } => symlinkat(OsStr::from_bytes(target), &parent.file, name)?,
        New::Node { kind, device, mode } => {
            let (kind, device) = if note.device.is_some() { (SFlag::S_IFREG, 0) } else { (*kind, *device) };
            mknodat(&parent.file, name, kind, caller.masked(*mode), device)?;
        }
    }
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let found = caller.found(openat(&parent.file, name, flags, Mode::empty())?)?;
    caller.note(&found, note)?;
    Ok(None)
}
