//! Which packages a result no longer has: what a reviewer wants to read beside the bytes, since no probe asks for everything.

use miette::{IntoDiagnostic, Result};
use plimsoll_runtime::digest::Digest;
use plimsoll_runtime::image::Image;
use plimsoll_runtime::inspect::{Source, inspect};
use plimsoll_runtime::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Raised when packages are found in another way.
const FORMAT: u32 = 1;

/// A package in one version, or several where several managers or folders have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Installed {
    /// What installed it: `dpkg`, `pip`, …
    pub manager: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Bytes of its files.
    pub bytes: u64,
}

/// Packages of the original and of the result.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Change {
    /// How many the original has.
    pub before: usize,
    /// How many the result has.
    pub after: usize,
    /// In the result in another version, by name.
    pub versions: Vec<Version>,
    /// No longer in the result, the largest first.
    pub gone: Vec<Installed>,
    /// Only in the result, the largest first.
    pub new: Vec<Installed>,
    /// Managers whose list the result does not have, so that it cannot be said which of their packages it lacks; those of the
    /// original are in none of the lists above.
    pub unlisted: Vec<String>,
}

/// A package that changed its version.
#[derive(Debug, PartialEq, Serialize)]
pub struct Version {
    /// What installed it.
    pub manager: String,
    /// Its name.
    pub name: String,
    /// Before.
    pub before: String,
    /// After.
    pub after: String,
}

impl Change {
    /// Whether both have the same packages.
    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.gone.is_empty() && self.new.is_empty() && self.unlisted.is_empty()
    }
}

/// What is installed in two images of the store. An image is read once; the store remembers what was in it.
pub fn change(store: &Store, before: &Image, after: &Image) -> Result<Change> {
    Ok(between(&installed(store, before)?, &installed(store, after)?))
}

fn installed(store: &Store, image: &Image) -> Result<Vec<Installed>> {
    let key = Digest::of(format!("packages {FORMAT} {} of {}", env!("CARGO_PKG_VERSION"), image.manifest).as_bytes());
    if let Some(known) = store.cache_get(&key) {
        return Ok(known);
    }
    let found = inspect(&Source::stored(store, image).into_diagnostic()?).into_diagnostic()?;
    let packages: Vec<Installed> = found
        .packages
        .into_iter()
        .map(|one| Installed {
            manager: one.manager.to_owned(),
            name: one.name,
            version: one.version,
            bytes: one.bytes,
        })
        .collect();
    // What cannot be kept is read again.
    let _ = store.cache_put(&key, &packages);
    Ok(packages)
}

type ByName<'p> = BTreeMap<(&'p str, &'p str), Vec<&'p Installed>>;

fn by_name(all: &[Installed]) -> ByName<'_> {
    let mut found = ByName::new();
    for one in all {
        found.entry((&one.manager, &one.name)).or_default().push(one);
    }
    found
}

fn between(before: &[Installed], after: &[Installed]) -> Change {
    // Files of an image without a package manager may be any package's.
    let lists = ["dpkg", "apk", "rpm"].into_iter();
    let has = |all: &[Installed], manager: &str| all.iter().any(|one| one.manager == manager);
    let unlisted: Vec<String> = lists.filter(|one| has(before, one) && !has(after, one)).map(str::to_owned).collect();
    let before: Vec<Installed> = before.iter().filter(|one| !unlisted.contains(&one.manager)).cloned().collect();
    let before = before.as_slice();
    let (old, new) = (by_name(before), by_name(after));
    let versions = |all: &[&Installed]| {
        let versions: BTreeSet<&str> = all.iter().map(|one| one.version.as_str()).collect();
        versions.into_iter().collect::<Vec<_>>().join(", ")
    };
    let changed = old.iter().filter_map(|(key, old)| {
        let (before, after) = (versions(old), versions(new.get(key)?));
        let (manager, name) = (key.0.to_owned(), key.1.to_owned());
        (before != after).then_some(Version { manager, name, before, after })
    });
    let only = |these: &ByName<'_>, those: &ByName<'_>| {
        let missing = these.iter().filter(|(key, _)| !those.contains_key(key));
        let mut missing: Vec<Installed> = missing.flat_map(|(_, all)| all.iter().map(|one| (*one).clone())).collect();
        missing.sort_by(|a, b| (b.bytes, &a.manager, &a.name).cmp(&(a.bytes, &b.manager, &b.name)));
        missing
    };
    Change {
        before: before.len(),
        after: after.len(),
        versions: changed.collect(),
        gone: only(&old, &new),
        new: only(&new, &old),
        unlisted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(manager: &str, name: &str, version: &str, bytes: u64) -> Installed {
        Installed { manager: manager.to_owned(), name: name.to_owned(), version: version.to_owned(), bytes }
    }

    #[test]
    fn packages_are_gone_new_or_of_another_version() {
        let before = [
            package("dpkg", "gcc", "12", 60),
            package("dpkg", "perl", "5", 90),
            package("pip", "flask", "3.0", 4),
            package("pip", "click", "8", 1),
        ];
        let after =
            [package("pip", "flask", "3.1", 4), package("pip", "click", "8", 1), package("dpkg", "tzdata", "1", 2)];
        let change = between(&before, &after);
        assert_eq!((change.before, change.after), (4, 3));
        assert_eq!(change.gone.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["perl", "gcc"]);
        assert_eq!(change.new.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["tzdata"]);
        let [flask] = &change.versions[..] else { panic!("{change:?}") };
        assert_eq!((flask.name.as_str(), flask.before.as_str(), flask.after.as_str()), ("flask", "3.0", "3.1"));
        assert!(between(&after, &after).is_empty());
        let bare = between(&before, &after[..2]);
        assert_eq!((bare.before, bare.gone.len(), bare.unlisted), (2, 0, vec!["dpkg".to_owned()]));
    }
}
