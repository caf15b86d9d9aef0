//! Layers laid upon one another: what a container sees, what is hidden from it, and what is there twice.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use super::index::{Entry, EntryKind, LayerIndex};

/// A path that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// Where, without leading slash.
    pub path: Box<str>,
    /// Bytes; those of a hard link whose first name is gone count here.
    pub bytes: u64,
    /// The layer that wrote it.
    pub layer: usize,
    /// Its place among the layer's entries.
    pub entry: usize,
}

/// A file that was written and is hidden later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wasted {
    /// Its path, without leading slash.
    pub path: Box<str>,
    /// Its bytes.
    pub bytes: u64,
    /// The layer that wrote it.
    pub written: usize,
    /// The layer that hides it.
    pub hidden: usize,
    /// How.
    pub how: Hidden,
}

/// How a later layer hides a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hidden {
    /// Deleted.
    Deleted,
    /// Another content in its place.
    Overwritten,
    /// The same content with another owner or group.
    Owner,
    /// The same content with another mode.
    Mode,
    /// The same content once more; at most its time differs.
    Unchanged,
}

impl Hidden {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Overwritten => "overwritten",
            Self::Owner => "re-owned",
            Self::Mode => "re-moded",
            Self::Unchanged => "rewritten unchanged",
        }
    }
}

/// A file whose content stands elsewhere in the image too, both seen by a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// Its path, without leading slash.
    pub path: Box<str>,
    /// Its bytes.
    pub bytes: u64,
    /// The layer that wrote it.
    pub layer: usize,
    /// Where the content stood before.
    pub of: Box<str>,
    /// In which layer.
    pub of_layer: usize,
}

pub(super) struct Merged {
    pub(super) visible: Vec<Visible>,
    pub(super) wasted: Vec<Wasted>,
    pub(super) duplicates: Vec<Duplicate>,
}

/// Layer and place among its entries.
type Version = (usize, usize);
type Live<'i> = BTreeMap<&'i str, Version>;

struct Hide {
    version: Version,
    by: usize,
    how: Hidden,
}

pub(super) fn merge(layers: &[LayerIndex]) -> Merged {
    let entry = |version: Version| &layers[version.0].entries[version.1];
    let mut live: Live<'_> = BTreeMap::new();
    let mut hidden: Vec<Hide> = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        // A layer's whiteouts hide what is below it, never what it brings itself.
        for path in &layer.whiteouts {
            take_below(&mut live, path, |version| hidden.push(Hide { version, by: number, how: Hidden::Deleted }));
            if let Some(version) = live.remove(path.as_str()) {
                hidden.push(Hide { version, by: number, how: Hidden::Deleted });
            }
        }
        for path in &layer.opaque {
            take_below(&mut live, path, |version| hidden.push(Hide { version, by: number, how: Hidden::Deleted }));
        }
        for (place, new) in layer.entries.iter().enumerate() {
            let Some(version) = live.insert(&new.path, (number, place)) else { continue };
            let old = entry(version);
            if old.kind == EntryKind::Directory && new.kind != EntryKind::Directory {
                take_below(&mut live, &new.path, |version| {
                    hidden.push(Hide { version, by: number, how: Hidden::Deleted });
                });
            }
            hidden.push(Hide { version, by: number, how: how(old, new) });
        }
    }
    // A hard link that is still seen keeps the bytes of its first name.
    let mut carried: HashMap<(usize, &str), &str> = HashMap::new();
    for (path, version) in &live {
        if let EntryKind::HardLink = entry(*version).kind
            && let Some(target) = entry(*version).link.as_deref()
        {
            carried.entry((version.0, target)).or_insert(path);
        }
    }
    let mut bytes_of: HashMap<&str, u64> = HashMap::new();
    let mut wasted = Vec::new();
    let mut told: HashSet<Version> = HashSet::new();
    for hide in hidden {
        let old = entry(hide.version);
        if old.size == 0 || !told.insert(hide.version) {
            continue;
        }
        match carried.get(&(hide.version.0, &*old.path)) {
            Some(link) => {
                bytes_of.insert(link, old.size);
            }
            None => wasted.push(Wasted {
                path: old.path.clone(),
                bytes: old.size,
                written: hide.version.0,
                hidden: hide.by,
                how: hide.how,
            }),
        }
    }
    wasted.sort_by(|a, b| (b.bytes, &a.path, a.written).cmp(&(a.bytes, &b.path, b.written)));
    let visible: Vec<Visible> = live
        .iter()
        .map(|(path, version)| Visible {
            path: (*path).into(),
            bytes: bytes_of.get(path).copied().unwrap_or(entry(*version).size),
            layer: version.0,
            entry: version.1,
        })
        .collect();
    let duplicates = duplicates(&visible, &entry);
    Merged { visible, wasted, duplicates }
}

fn how(old: &Entry, new: &Entry) -> Hidden {
    if new.kind != EntryKind::File || old.kind != EntryKind::File || (old.size, old.content) != (new.size, new.content)
    {
        Hidden::Overwritten
    } else if (old.uid, old.gid) != (new.uid, new.gid) {
        Hidden::Owner
    } else if old.mode != new.mode {
        Hidden::Mode
    } else {
        Hidden::Unchanged
    }
}

/// Takes everything below a directory out of what is seen.
fn take_below(live: &mut Live<'_>, path: &str, mut each: impl FnMut(Version)) {
    // `/` comes right before `0`, so these bounds hold exactly what begins with `path/`.
    let (from, to) = (format!("{path}/"), format!("{path}0"));
    let bounds = (Bound::Included(from.as_str()), Bound::Excluded(to.as_str()));
    let gone: Vec<&str> = live.range::<str, _>(bounds).map(|(path, _)| *path).collect();
    for path in gone {
        if let Some(version) = live.remove(path) {
            each(version);
        }
    }
}

fn duplicates<'i>(visible: &[Visible], entry: &impl Fn(Version) -> &'i Entry) -> Vec<Duplicate> {
    let mut by_content: HashMap<(u64, u128), Vec<&Visible>> = HashMap::new();
    for file in visible {
        let found = entry((file.layer, file.entry));
        if found.kind == EntryKind::File && found.size > 0 {
            by_content.entry((found.size, found.content)).or_default().push(file);
        }
    }
    let mut found = Vec::new();
    for mut same in by_content.into_values().filter(|same| same.len() > 1) {
        same.sort_by_key(|file| (file.layer, &file.path));
        let Some((first, more)) = same.split_first() else { continue };
        found.extend(more.iter().map(|file| Duplicate {
            path: file.path.clone(),
            bytes: file.bytes,
            layer: file.layer,
            of: first.path.clone(),
            of_layer: first.layer,
        }));
    }
    found.sort_by(|a, b| (b.bytes, &a.path).cmp(&(a.bytes, &b.path)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::read_index;
    use crate::inspect::testing::{owned, tar};
    use crate::layer::Limits;

    fn merged(layers: &[Vec<u8>]) -> Merged {
        let layers: Vec<LayerIndex> =
            layers.iter().map(|bytes| read_index(bytes.as_slice(), Limits::default()).expect("a layer")).collect();
        merge(&layers)
    }

    fn told(merged: &Merged) -> Vec<(&str, u64, usize, usize, Hidden)> {
        merged.wasted.iter().map(|one| (&*one.path, one.bytes, one.written, one.hidden, one.how)).collect()
    }

    #[test]
    fn every_byte_is_wasted_once_and_by_its_cause() {
        let merged = merged(&[
            owned(&[("a", b"12345678", 0o644, 0), ("b", b"1234567", 0o644, 0), ("c", b"123456", 0o644, 0)]),
            owned(&[("a", b"12345678", 0o644, 5), ("b", b"1234567", 0o600, 0), ("c", b"654321", 0o644, 0)]),
            tar(&[(".wh.a", b"", 0), ("c", b"654321", 0o644)]),
        ]);
        assert_eq!(
            told(&merged),
            [
                ("a", 8, 0, 1, Hidden::Owner),
                ("a", 8, 1, 2, Hidden::Deleted),
                ("b", 7, 0, 1, Hidden::Mode),
                ("c", 6, 0, 1, Hidden::Overwritten),
                ("c", 6, 1, 2, Hidden::Unchanged),
            ]
        );
        assert_eq!(merged.visible.iter().map(|file| &*file.path).collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn a_directory_goes_with_all_below_and_nothing_beside() {
        let merged = merged(&[
            tar(&[("d/", b"", 0o755), ("d/x", b"1", 0o644), ("d-e", b"22", 0o644), ("d0", b"333", 0o644)]),
            tar(&[(".wh.d", b"", 0)]),
            tar(&[("d0", b"", 0o644)]),
        ]);
        assert_eq!(told(&merged), [("d0", 3, 0, 2, Hidden::Overwritten), ("d/x", 1, 0, 1, Hidden::Deleted)]);
    }

    #[test]
    fn the_second_of_two_equal_files_is_the_duplicate() {
        let merged = merged(&[
            tar(&[("z", b"same", 0o644), ("small", b"", 0o644)]),
            tar(&[("a", b"same", 0o644), ("b", b"same", 0o755), ("other", b"", 0o644)]),
        ]);
        let found: Vec<_> =
            merged.duplicates.iter().map(|one| (&*one.path, one.layer, &*one.of, one.of_layer)).collect();
        assert_eq!(found, [("a", 1, "z", 0), ("b", 1, "z", 0)]);
    }
}
