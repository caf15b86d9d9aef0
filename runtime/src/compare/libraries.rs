//! Shared libraries that programs ask for by name: one that only a rare request loads is missed by no probe, and by no start.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{Difference, DifferenceKind};

/// No section of a real program is larger.
const LARGEST: u64 = 64 << 20;

/// The libraries that the programs and libraries below `programs` name, that are in the tree `before` and not in `after`.
/// `/` means everything that is not the distribution's own.
pub fn compare_libraries(before: &Path, after: &Path, programs: &[String]) -> Vec<Difference> {
    if programs.is_empty() {
        return Vec::new();
    }
    let mut wanted: Vec<(String, String)> = Vec::new();
    for (path, file) in files(after).filter(|(path, _)| programs.iter().any(|folder| is_below(path, folder))) {
        let names = File::open(&file).ok().and_then(|file| needed(&file)).unwrap_or_default();
        wanted.extend(names.into_iter().map(|name| (name, path.clone())));
    }
    let missing = |tree: &Path, wanted: Vec<(String, String)>, there: bool| -> Vec<(String, String)> {
        let named: BTreeSet<&str> = wanted.iter().map(|(name, _)| name.as_str()).collect();
        let found: BTreeSet<String> = walk(tree)
            .filter_map(|entry| entry.file_name().to_str().filter(|name| named.contains(name)).map(str::to_owned))
            .collect();
        wanted.into_iter().filter(|(name, _)| found.contains(name) == there).collect()
    };
    let gone = missing(after, wanted, false);
    if gone.is_empty() {
        return Vec::new();
    }
    let mut gone = missing(before, gone, true);
    gone.sort();
    gone.into_iter()
        .map(|(name, path)| Difference {
            subject: format!("{name}, which {path} loads,"),
            kind: DifferenceKind::Removed,
            before: Some(name),
            after: None,
            bytes: 0,
        })
        .collect()
}

fn is_below(path: &str, folder: &str) -> bool {
    const DISTRIBUTION: &[&str] = &["/usr/bin/", "/usr/sbin/", "/usr/lib/", "/usr/libexec/", "/bin/", "/sbin/", "/lib"];
    if folder == "/" {
        return !DISTRIBUTION.iter().any(|own| path.starts_with(own)) && !path.starts_with("/usr/local/lib/python");
    }
    path == folder || path.strip_prefix(folder.trim_end_matches('/')).is_some_and(|tail| tail.starts_with('/'))
}

fn walk(root: &Path) -> impl Iterator<Item = walkdir::DirEntry> {
    walkdir::WalkDir::new(root).into_iter().filter_map(Result::ok)
}

/// Files that may be programs or libraries, by their path in the tree. Modules that an interpreter may do without are not.
fn files(root: &Path) -> impl Iterator<Item = (String, std::path::PathBuf)> {
    walk(root).filter_map(move |entry| {
        let path = entry.path().strip_prefix(root).ok().map(|path| format!("/{}", path.display()))?;
        let plain = entry.file_type().is_file() && !path.contains("/lib-dynload/");
        plain.then(|| (path, entry.path().to_path_buf()))
    })
}

/// The DT_NEEDED names of a 64-bit little-endian ELF file; nothing for any other file.
fn needed(file: &File) -> Option<Vec<String>> {
    let header = read(file, 0, 64)?;
    if header.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (offset, size, count) = (number(&header, 32, 8)?, number(&header, 54, 2)?, number(&header, 56, 2)?);
    if size < 56 {
        return None;
    }
    let table = read(file, offset, size.checked_mul(count)?)?;
    // Type, place in the file, address, bytes in the file.
    let segments: Vec<(u64, u64, u64, u64)> = table
        .chunks_exact(usize::try_from(size).ok()?)
        .filter_map(|one| Some((number(one, 0, 4)?, number(one, 8, 8)?, number(one, 16, 8)?, number(one, 32, 8)?)))
        .collect();
    let (_, at, _, bytes) = segments.iter().copied().find(|(kind, ..)| *kind == 2)?;
    let dynamic = read(file, at, bytes)?;
    let entries: Vec<(u64, u64)> = dynamic
        .chunks_exact(16)
        .filter_map(|one| Some((number(one, 0, 8)?, number(one, 8, 8)?)))
        .take_while(|(tag, _)| *tag != 0)
        .collect();
    let value = |wanted: u64| entries.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    let (address, length) = (value(5)?, value(10)?);
    let strings = segments.iter().find_map(|(kind, at, start, bytes)| {
        let inside = address.checked_sub(*start).filter(|inside| *kind == 1 && inside < bytes)?;
        at.checked_add(inside)
    })?;
    let strings = read(file, strings, length)?;
    let name = |at: u64| {
        let text = strings.get(usize::try_from(at).ok()?..)?;
        let end = text.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(text.get(..end)?).ok().map(|name| name.rsplit('/').next().unwrap_or(name).to_owned())
    };
    Some(entries.iter().filter(|(tag, _)| *tag == 1).filter_map(|(_, at)| name(*at)).collect())
}

fn read(file: &File, at: u64, bytes: u64) -> Option<Vec<u8>> {
    let mut buffer = vec![0; usize::try_from(Some(bytes).filter(|bytes| *bytes <= LARGEST)?).ok()?];
    file.read_exact_at(&mut buffer, at).ok()?;
    Some(buffer)
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    Some(bytes.get(at..at.checked_add(size)?)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_very_program_loads_is_missed_where_it_was() {
        let own = std::env::current_exe().expect("a program");
        let names = needed(&File::open(&own).expect("a file")).expect("an ELF file");
        let Some(name) = names.iter().find(|name| name.starts_with("libc.")) else { return };
        let (before, after) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        for tree in [&before, &after] {
            std::fs::create_dir_all(tree.path().join("opt/bin")).expect("a folder");
            std::fs::copy(&own, tree.path().join("opt/bin/program")).expect("a copy");
        }
        let look = |programs: &[&str]| {
            let programs: Vec<String> = programs.iter().map(|path| (*path).to_owned()).collect();
            compare_libraries(before.path(), after.path(), &programs)
        };
        assert!(look(&["/opt"]).is_empty(), "the original has none of them either");
        std::fs::create_dir_all(before.path().join("usr/lib")).expect("a folder");
        std::fs::write(before.path().join("usr/lib").join(name), "").expect("a file");
        let found = look(&["/opt/bin/program"]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].subject, format!("{name}, which /opt/bin/program loads,"));
        assert_eq!(look(&["/"]).len(), 1);
        assert!(look(&["/srv"]).is_empty() && look(&[]).is_empty());
        std::fs::write(after.path().join(name), "").expect("a file");
        assert!(look(&["/opt"]).is_empty());
    }

    #[test]
    fn what_is_no_program_names_nothing() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for text in [&b""[..], b"#!/bin/sh\n", b"\x7fELF\x02\x01", &[0x7f; 200]] {
            std::fs::write(file.path(), text).expect("a file");
            assert_eq!(needed(&File::open(file.path()).expect("a file")), None);
        }
    }
}
