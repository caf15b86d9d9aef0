//! Which packages are installed, and how many bytes each has.
//!
//! The files that say so are read where the layers pass. What a system's package manager owns is its own: a Python module
//! from a Debian package is that package's, not pip's.

mod apk;
mod cargo;
mod dpkg;
mod language;
mod rpm;
mod sqlite;

use std::collections::{HashMap, HashSet};

use super::index::LayerIndex;
use super::merge::Visible;
use super::{InspectError, Source};

/// An installed package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// What installed it: `dpkg`, `apk`, `rpm`, `pip`, `npm`, `gem`, `cargo`.
    pub manager: &'static str,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Bytes of its files that a container sees.
    pub bytes: u64,
    /// How many files those are.
    pub files: usize,
    /// The layer that wrote the most of its bytes.
    pub layer: usize,
}

/// Whether a file says which packages are installed.
pub(super) fn says_what_is_installed(path: &str) -> bool {
    dpkg::knows(path) || apk::knows(path) || rpm::knows(path) || language::knows(path)
}

type Kept<'k> = HashMap<&'k str, &'k [u8]>;

/// What a container sees, asked by path.
struct Seen<'v> {
    visible: &'v [Visible],
    by_path: HashMap<&'v str, usize>,
}

impl<'v> Seen<'v> {
    fn new(visible: &'v [Visible]) -> Self {
        Self { visible, by_path: visible.iter().enumerate().map(|(at, file)| (&*file.path, at)).collect() }
    }

    /// The place of a path as a package's list has it; `/bin`, `/lib` and `/sbin` have moved below `/usr` since.
    fn find(&self, path: &str) -> Option<usize> {
        let path = path.trim_start_matches('/');
        self.by_path.get(path).copied().or_else(|| {
            let moved = path.starts_with("bin/") || path.starts_with("sbin/") || path.starts_with("lib");
            moved.then(|| self.by_path.get(format!("usr/{path}").as_str()).copied()).flatten()
        })
    }

    /// Everything below a directory, given with its slash.
    fn below(&self, directory: &str) -> impl Iterator<Item = usize> + use<'v, '_> {
        let from = self.visible.partition_point(|file| &*file.path < directory);
        let directory = directory.to_owned();
        let below = self.visible.iter().skip(from).take_while(move |file| file.path.starts_with(&directory));
        below.enumerate().map(move |(at, _)| from + at)
    }

    fn package(&self, manager: &'static str, name: String, version: String, files: &[usize]) -> Package {
        let mut by_layer: HashMap<usize, u64> = HashMap::new();
        let (mut bytes, mut count) = (0, 0);
        for file in files.iter().filter_map(|at| self.visible.get(*at)) {
            *by_layer.entry(file.layer).or_default() += file.bytes;
            bytes += file.bytes;
            count += usize::from(file.bytes > 0);
        }
        let layer = by_layer.into_iter().max_by_key(|(layer, bytes)| (*bytes, std::cmp::Reverse(*layer)));
        Package { manager, name, version, bytes, files: count, layer: layer.map_or(0, |(layer, _)| layer) }
    }
}

/// Files by their places; each belongs to the first package that names it.
struct Owned(HashSet<usize>);

impl Owned {
    fn take(&mut self, files: impl IntoIterator<Item = usize>) -> Vec<usize> {
        files.into_iter().filter(|file| self.0.insert(*file)).collect()
    }
}

/// What is installed, largest first.
pub(super) fn find(
    source: &Source,
    layers: &[LayerIndex],
    visible: &[Visible],
    kept: Vec<Vec<(Box<str>, Vec<u8>)>>,
) -> Result<Vec<Package>, InspectError> {
    let seen = Seen::new(visible);
    let mut current: Kept<'_> = HashMap::new();
    for (layer, kept) in kept.iter().enumerate() {
        for (path, bytes) in kept {
            if seen.by_path.get(&**path).is_some_and(|at| visible[*at].layer == layer) {
                current.insert(path, bytes);
            }
        }
    }
    let mut owned = Owned(HashSet::new());
    let mut found = dpkg::find(&current, &seen, &mut owned);
    found.extend(apk::find(&current, &seen, &mut owned));
    found.extend(rpm::find(&current, &seen, &mut owned));
    found.extend(language::find(&current, &seen, &mut owned));
    found.extend(cargo::find(source, layers, &seen, &owned)?);
    found.sort_by(|a, b| (b.bytes, a.manager, &a.name, &a.version).cmp(&(a.bytes, b.manager, &b.name, &b.version)));
    Ok(found)
}
