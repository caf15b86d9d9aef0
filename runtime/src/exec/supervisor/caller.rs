//! The process whose call is answered: its memory, its paths, its files.

use std::ffi::OsStr;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2, readlinkat};
use nix::libc;
use nix::sys::stat::{Mode, fstat};
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;

use super::World;
use super::credentials::Credentials;
use super::kernel::{self, Call};
use crate::owners::{self, Note};

const PAGE: u64 = 4096;

/// Reads bytes of a process.
pub(super) fn read_memory(pid: i32, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
    let length = buffer.len();
    let remote = RemoteIoVec { base: usize::try_from(address).map_err(|_| Errno::EFAULT)?, len: length };
    let read = process_vm_readv(Pid::from_raw(pid), &mut [IoSliceMut::new(buffer)], &[remote])?;
    if read == length { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Writes bytes to a process.
pub(super) fn write_memory(pid: i32, address: u64, bytes: &[u8]) -> Result<(), Errno> {
    let remote = RemoteIoVec { base: usize::try_from(address).map_err(|_| Errno::EFAULT)?, len: bytes.len() };
    let written = process_vm_writev(Pid::from_raw(pid), &[IoSlice::new(bytes)], &[remote])?;
    if written == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// One call of a process.
pub(super) struct Caller<'w> {
    pub(super) world: &'w World,
    pub(super) call: &'w Call,
}

/// A file of the process, and what it is.
pub(super) struct Found {
    pub(super) file: OwnedFd,
    pub(super) stat: libc::stat,
    pub(super) note: Option<Note>,
}

impl Found {
    /// Its owner as the container sees it.
    pub(super) fn owner(&self) -> (u32, u32) {
        self.note.map_or((self.stat.st_uid, self.stat.st_gid), |note| (note.uid, note.gid))
    }
}

impl Caller<'_> {
    pub(super) fn arg(&self, number: usize) -> u64 {
        self.call.args[number]
    }

    /// An argument of 32 bits; what stands above them means nothing.
    pub(super) fn int(&self, number: usize) -> i32 {
        self.call.args[number] as u32 as i32
    }

    pub(super) fn id(&self, number: usize) -> u32 {
        self.call.args[number] as u32
    }

    pub(super) fn who(&self) -> &Credentials {
        self.world.who(self.call.pid)
    }

    /// The text at an address, without its NUL.
    pub(super) fn text(&self, address: u64) -> Result<Vec<u8>, Errno> {
        let mut text = Vec::new();
        let mut at = address;
        while text.len() < libc::PATH_MAX as usize {
            // Never across a page: the next may not be there.
            let length = (PAGE - at % PAGE).min(256) as usize;
            let start = text.len();
            text.resize(start + length, 0);
            read_memory(self.call.pid, at, &mut text[start..])?;
            if let Some(end) = text[start..].iter().position(|byte| *byte == 0) {
                text.truncate(start + end);
                return Ok(text);
            }
            at += length as u64;
        }
        Err(Errno::ENAMETOOLONG)
    }

    /// Writes to the process, if it is still the one that called.
    pub(super) fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Errno> {
        if !kernel::still_waits(&self.world.listener, self.call.id) {
            return Err(Errno::ESRCH);
        }
        write_memory(self.call.pid, address, bytes)
    }

    fn of_process(&self, name: &str) -> String {
        format!("{}/{name}", self.call.pid)
    }

    /// A file that the process has open, for looking at.
    pub(super) fn open_file(&self, fd: i32) -> Result<OwnedFd, Errno> {
        let name = if fd == libc::AT_FDCWD { "cwd".to_owned() } else { format!("fd/{fd}") };
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        openat(&self.world.proc, self.of_process(&name).as_str(), flags, Mode::empty())
    }

    /// Opens a path as the process would, for looking at (`O_PATH` is added).
    pub(super) fn open_path(&self, dir: i32, path: &[u8], flags: OFlag) -> Result<OwnedFd, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        let flags = flags | OFlag::O_PATH | OFlag::O_CLOEXEC;
        let root = readlinkat(&self.world.proc, self.of_process("root").as_str())?.into_vec();
        if root != b"/" {
            return self.open_below(&root, dir, path, flags);
        }
        let path = OsStr::from_bytes(path);
        if path.as_bytes().starts_with(b"/") {
            return openat(&self.world.proc, path, flags, Mode::empty());
        }
        openat(&self.open_file(dir)?, path, flags, Mode::empty())
    }

    /// The same for a process that went below another root.
    fn open_below(&self, root: &[u8], dir: i32, path: &[u8], flags: OFlag) -> Result<OwnedFd, Errno> {
        let mut whole = Vec::new();
        if !path.starts_with(b"/") {
            let base = self.open_file(dir)?;
            let name = readlinkat(nix::fcntl::AT_FDCWD, base.as_raw_fd().to_string().as_str())?.into_vec();
            whole.extend_from_slice(name.strip_prefix(root).ok_or(Errno::EXDEV)?);
            whole.push(b'/');
        }
        whole.extend_from_slice(path);
        let opened = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = openat(&self.world.proc, self.of_process("root").as_str(), opened, Mode::empty())?;
        let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
        openat2(&root, OsStr::from_bytes(&whole), how)
    }

    /// What is open here, with its note.
    pub(super) fn found(&self, file: OwnedFd) -> Result<Found, Errno> {
        let stat = fstat(&file)?;
        let io = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32));
        let mut note = None;
        if owners::has_attributes(stat.st_mode) {
            note = owners::in_attribute(file.as_raw_fd().to_string().as_bytes()).map_err(io)?;
        }
        // A filesystem without attributes has its notes in the table too.
        if note.is_none() && !owners::table_is_empty() {
            note = owners::in_table(owners::identity(&file, b"").map_err(io)?);
        }
        Ok(Found { file, stat, note })
    }

    /// Notes what an open file is.
    pub(super) fn note(&self, found: &Found, note: Note) -> Result<(), Errno> {
        let io = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32));
        if owners::has_attributes(found.stat.st_mode) {
            let name = found.file.as_raw_fd().to_string();
            match owners::set_attribute(name.as_bytes(), note).map_err(io) {
                Err(Errno::EOPNOTSUPP | Errno::EPERM) => {}
                other => return other,
            }
        }
        owners::note_in_table(owners::identity(&found.file, b"").map_err(io)?, note);
        if let Some(upper) = &self.world.upper
            && self.world.root == Some(found.stat.st_dev)
        {
            // Under which number overlayfs shows it depends on what it remembers; its layer has it under its own.
            let path = readlinkat(nix::fcntl::AT_FDCWD, found.file.as_raw_fd().to_string().as_str())?;
            let relative = Path::new(&path).strip_prefix("/").map_err(|_| Errno::EXDEV)?;
            let how = OpenHow::new()
                .flags(OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
                .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
            let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
            match openat2(upper, relative, how) {
                Ok(own) => owners::note_in_table(owners::identity(&own, b"").map_err(io)?, note),
                // Removed meanwhile.
                Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// The mode that remains of what the process asks for.
    pub(super) fn masked(&self, mode: u32) -> Mode {
        let status = self.world.read_proc(&self.of_process("status")).unwrap_or_default();
        let text = String::from_utf8_lossy(&status);
        let mask = text
            .lines()
            .find_map(|line| line.strip_prefix("Umask:"))
            .and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok())
            .unwrap_or(0o022);
        Mode::from_bits_truncate(mode & 0o7777 & !mask)
    }
}
