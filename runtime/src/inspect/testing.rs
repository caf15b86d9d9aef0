//! Layers for tests.

use crate::layer::{Entry, Kind, TarWriter};

/// A tar of these paths, contents and modes; a path that ends with a slash is a directory.
pub(crate) fn tar(entries: &[(&str, &[u8], u32)]) -> Vec<u8> {
    owned(&entries.iter().map(|(path, bytes, mode)| (*path, *bytes, *mode, 0)).collect::<Vec<_>>())
}

/// The same with owners.
pub(crate) fn owned(entries: &[(&str, &[u8], u32, u32)]) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new(), None);
    for (path, bytes, mode, uid) in entries {
        let entry = |kind| Entry {
            path: path.trim_end_matches('/').as_bytes(),
            kind,
            mode: *mode,
            uid: *uid,
            gid: *uid,
            mtime: 0,
            xattrs: &[],
        };
        if path.ends_with('/') {
            writer.entry(&entry(Kind::Dir)).expect("written");
        } else {
            writer.file(&entry(Kind::File { size: bytes.len() as u64 }), bytes).expect("written");
        }
    }
    writer.finish().expect("finished").0
}
