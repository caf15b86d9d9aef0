//! What becomes of a process's IDs when it starts another program.

use std::io::Read;
use std::os::fd::AsRawFd;

use nix::fcntl::{OFlag, open};
use nix::libc;
use nix::sys::stat::Mode;
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::caller::{Caller, Found};
use super::credentials::Credentials;

/// Who the process is after an exec that succeeds; nothing when that is who it was.
pub(super) fn taken_over(caller: &Caller<'_>) -> Option<Credentials> {
    let mut who = caller.who().clone();
    let file = match caller.call.number {
        libc::SYS_execve => {
            caller.text(caller.arg(0)).and_then(|path| caller.open_path(libc::AT_FDCWD, &path, OFlag::empty()))
        }
        _ => caller.text(caller.arg(1)).and_then(|path| {
            if path.is_empty() {
                caller.open_file(caller.int(0))
            } else {
                caller.open_path(caller.int(0), &path, OFlag::empty())
            }
        }),
    };
    // Where there is no such program the process goes on as it was.
    let found = caller.found(file.ok()?).ok()?;
    if found.stat.st_mode & libc::S_IFMT != libc::S_IFREG || found.stat.st_mode & 0o111 == 0 {
        return None;
    }
    let (mut user, mut group) = (None, None);
    if found.stat.st_mode & (libc::S_ISUID | libc::S_ISGID) != 0 && counts(caller, &found) {
        let owner = found.owner();
        user = (found.stat.st_mode & libc::S_ISUID != 0).then_some(owner.0);
        group =
            (found.stat.st_mode & (libc::S_ISGID | libc::S_IXGRP) == libc::S_ISGID | libc::S_IXGRP).then_some(owner.1);
    }
    who.exec(user, group);
    (who != *caller.who()).then_some(who)
}

/// Whether set-user-ID means anything here: not for scripts, not where it was given up.
fn counts(caller: &Caller<'_>, found: &Found) -> bool {
    let may = fstatvfs(&found.file).is_ok_and(|disk| !disk.flags().contains(FsFlags::ST_NOSUID));
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let mut magic = [0; 4];
    let read = open(found.file.as_raw_fd().to_string().as_str(), flags, Mode::empty())
        .map(std::fs::File::from)
        .is_ok_and(|mut file| file.read_exact(&mut magic).is_ok());
    let status = caller.world.read_proc(&format!("{}/status", caller.call.pid)).unwrap_or_default();
    let free = String::from_utf8_lossy(&status).lines().any(|line| line == "NoNewPrivs:\t0");
    may && read && magic == *b"\x7fELF" && free
}
