//! Whether starting a program can lead back to this one.
//!
//! A child that shares its parent's memory has the parent's program file as its own, until it becomes the container's. Were the
//! container's program, or the interpreter it names, a link to `/proc/self/exe`, then this program would be started inside the
//! container, with the container's libraries, and through it its file could be written. So everything the kernel will follow is
//! looked at first; what is not understood gets a start of its own instead, from a file that cannot be written.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2};

/// Scripts that scripts may name as interpreters; the kernel gives up at five.
const MAX_SCRIPTS: usize = 5;
/// How much of a script's first line the kernel reads.
const FIRST_LINE: usize = 256;

/// Whether the kernel, asked to start this, follows nothing but names in the root filesystem of this container. What is not there
/// is plain: it cannot be started either.
pub(super) fn is_plain(program: &CStr) -> bool {
    let Ok(root) = std::fs::metadata("/") else { return false };
    let mut next = program.to_owned();
    for _ in 0..MAX_SCRIPTS {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let file = match openat2(AT_FDCWD, next.as_c_str(), how) {
            Ok(file) => File::from(file),
            Err(Errno::ENOENT | Errno::ENOTDIR) => return true,
            Err(_) => return false,
        };
        // In a mount that another container may have too, it could be something else by the time it is started.
        if file.metadata().map_or(true, |found| !found.is_file() || found.dev() != root.dev()) {
            return false;
        }
        let mut head = [0; FIRST_LINE];
        let read = file.read_at(&mut head, 0).unwrap_or(0);
        let head = &head[..read];
        let named = match head {
            [b'#', b'!', line @ ..] => script_interpreter(line),
            [0x7f, b'E', b'L', b'F', ..] => match loader(&file, head) {
                Loader::None => return true,
                Loader::Named(name) => {
                    // A loader has none of its own.
                    let how = OpenHow::new()
                        .flags(OFlag::O_PATH | OFlag::O_CLOEXEC)
                        .resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
                    return match openat2(AT_FDCWD, name.as_c_str(), how) {
                        Ok(file) => File::from(file).metadata().is_ok_and(|found| found.dev() == root.dev()),
                        Err(Errno::ENOENT | Errno::ENOTDIR) => true,
                        Err(_) => false,
                    };
                }
                Loader::Unknown => return false,
            },
            _ => return false,
        };
        match named {
            Some(name) => next = name,
            None => return false,
        }
    }
    false
}

/// The first word after `#!`; none where the line is longer than what was read.
fn script_interpreter(line: &[u8]) -> Option<CString> {
    let end = line.iter().position(|byte| *byte == b'\n')?;
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let word = line[..end].split(|byte| blank(byte)).find(|word| !word.is_empty())?;
    CString::new(word).ok()
}

/// What a program says of its loader.
enum Loader {
    None,
    Named(CString),
    Unknown,
}

/// The longest path there is.
const MAX_PATH: u64 = 4096;

/// Of a program for this machine: other ones may be started by whatever the machine has for them.
fn loader(file: &File, head: &[u8]) -> Loader {
    let number = |bytes: &[u8], at: usize, length: usize| -> Option<u64> {
        let bytes = bytes.get(at..at + length)?;
        Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    // 64 bits, little endian.
    if head.get(4..6) != Some(&[2, 1]) || number(head, 18, 2) != Some(machine) {
        return Loader::Unknown;
    }
    let (Some(start), Some(size), Some(count)) = (number(head, 32, 8), number(head, 54, 2), number(head, 56, 2)) else {
        return Loader::Unknown;
    };
    if size != 56 || count > 64 {
        return Loader::Unknown;
    }
    let mut table = [0; 56 * 64];
    let table = &mut table[..56 * usize::try_from(count).unwrap_or(0)];
    if file.read_exact_at(table, start).is_err() {
        return Loader::Unknown;
    }
    const PT_INTERP: u64 = 3;
    let Some(entry) = table.chunks_exact(56).find(|entry| number(entry, 0, 4) == Some(PT_INTERP)) else {
        return Loader::None;
    };
    let (Some(at), Some(length)) = (number(entry, 8, 8), number(entry, 32, 8).filter(|length| *length <= MAX_PATH))
    else {
        return Loader::Unknown;
    };
    let mut name = vec![0; usize::try_from(length).unwrap_or(0)];
    if file.read_exact_at(&mut name, at).is_err() {
        return Loader::Unknown;
    }
    CStr::from_bytes_until_nul(&name).map_or(Loader::Unknown, |name| Loader::Named(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn plain(path: &std::path::Path) -> bool {
        is_plain(&CString::new(path.as_os_str().as_encoded_bytes()).unwrap())
    }

    #[test]
    fn what_leads_back_is_found() {
        let dir = tempfile::tempdir_in("/var/tmp").unwrap();
        if dir.path().metadata().unwrap().dev() != std::fs::metadata("/").unwrap().dev() {
            return;
        }
        let script = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        assert!(plain(std::path::Path::new("/bin/sh")));
        assert!(plain(&script("good", "#! /bin/sh -e\ntrue\n")));
        assert!(plain(&script("gone", "#!/no/such/program\n")));
        assert!(!plain(&script("self", "#!/proc/self/exe\n")));
        assert!(!plain(&script("again", &format!("#!{}\n", dir.path().join("self").display()))));
        assert!(!plain(&script("thread", "#!/proc/thread-self/exe\n")));
        symlink("/proc/self/exe", dir.path().join("link")).unwrap();
        assert!(!plain(&dir.path().join("link")));
        assert!(!plain(&script("linked", &format!("#!{} -x\n", dir.path().join("link").display()))));
        assert!(!plain(&script("long", &format!("#!{}\n", "x".repeat(400)))));
        assert!(!plain(&script("text", "no program at all")));
        assert!(plain(&dir.path().join("missing")));
        let mut elf = std::fs::read("/bin/sh").unwrap();
        let loader = b"/lib64/ld-linux-x86-64.so.2\0";
        if let Some(at) = elf.windows(loader.len()).position(|window| window == loader) {
            elf[at..at + 15].copy_from_slice(b"/proc/self/exe\0");
            let path = dir.path().join("elf");
            std::fs::write(&path, &elf).unwrap();
            assert!(!plain(&path));
        }
    }
}
