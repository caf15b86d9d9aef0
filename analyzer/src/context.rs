//! The build context as a value: what stands in it, how large it is, what an ignore file leaves out of it.

use plimsoll_parser::dockerignore::Ignore;

/// What an entry of the context is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryKind {
    /// A file with bytes.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A device, pipe or socket.
    Other,
}

/// One path of the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the context's root, with slashes, no leading one.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of a file; 0 for anything else.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// For a small text file that rules read (`requirements.txt`, `package.json`, `.gitignore`), its text.
    pub text: Option<String>,
}

impl Entry {
    /// A file.
    #[must_use]
    pub fn file(path: impl Into<String>, size: u64) -> Self {
        Self { path: path.into(), kind: EntryKind::File, size, executable: false, text: None }
    }
    /// A directory.
    #[must_use]
    pub fn dir(path: impl Into<String>) -> Self {
        Self { path: path.into(), kind: EntryKind::Dir, size: 0, executable: false, text: None }
    }
    /// The part after the last slash.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }
}

/// The whole context, before any ignore file is applied. Sorted by path, directories before what is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    entries: Vec<Entry>,
    /// Whether the walk gave up before the end (too many entries).
    pub truncated: bool,
}

impl Listing {
    /// A listing out of `entries` in any order.
    #[must_use]
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut entries: Vec<Entry> = entries.into_iter().collect();
        entries.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
        Self { entries, truncated: false }
    }
    /// All of them, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
    /// The entry at exactly `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        let found = self.entries.binary_search_by(|entry| entry.path.split('/').cmp(path.split('/')));
        found.ok().and_then(|index| self.entries.get(index))
    }
    /// `path` and everything below it; `""` is the whole context.
    #[must_use]
    pub fn below<'l>(&'l self, path: &str) -> &'l [Entry] {
        if path.is_empty() || path == "." {
            return &self.entries;
        }
        let start = self.entries.partition_point(|entry| entry.path.split('/').lt(path.split('/')));
        let rest = self.entries.get(start..).unwrap_or_default();
        let count = rest
            .iter()
            .take_while(|entry| {
                entry.path.strip_prefix(path).is_some_and(|tail| tail.is_empty() || tail.starts_with('/'))
            })
            .count();
        rest.get(..count).unwrap_or_default()
    }
    /// Bytes of `path` and everything below it.
    #[must_use]
    pub fn bytes_below(&self, path: &str) -> u64 {
        self.below(path).iter().map(|entry| entry.size).sum()
    }
    /// Those that reach the builder when `ignore` is in force, with their positions in [`Listing::entries`].
    pub fn kept<'l>(&'l self, ignore: Option<&'l Ignore>) -> impl Iterator<Item = &'l Entry> + 'l {
        self.entries.iter().filter(move |entry| !is_ignored(ignore, entry))
    }
    /// The entries a COPY with `source` takes from the context, `ignore` in force: the literal path and what is below
    /// it, or whatever the wildcard matches.
    pub fn taken_by<'l>(&'l self, source: &str, ignore: Option<&'l Ignore>) -> Vec<&'l Entry> {
        let source = clean(source);
        let kept = |entry: &&Entry| !is_ignored(ignore, entry);
        if source.is_empty() {
            return self.entries.iter().filter(kept).collect();
        }
        if !has_wildcard(&source) {
            return self.below(&source).iter().filter(kept).collect();
        }
        let depth = source.split('/').count();
        let mut taken = Vec::new();
        let mut roots: Vec<&str> = Vec::new();
        for entry in &self.entries {
            let inside =
                roots.iter().any(|root| entry.path.strip_prefix(root).is_some_and(|tail| tail.starts_with('/')));
            let matches = entry.path.split('/').count() == depth && wildcard_matches(&source, &entry.path);
            if matches {
                roots.push(&entry.path);
            }
            if (matches || inside) && kept(&entry) {
                taken.push(entry);
            }
        }
        taken
    }
}

fn is_ignored(ignore: Option<&Ignore>, entry: &Entry) -> bool {
    ignore.is_some_and(|ignore| ignore.is_excluded(&entry.path))
}

/// A source path as the builder reads it: relative to the context's root, `.` and `..` resolved.
#[must_use]
pub fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether a COPY source holds a wildcard of the builder.
#[must_use]
pub fn has_wildcard(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The builder's wildcards for COPY sources: `*` and `?` within one path element, `[a-z]` classes, `\` before a plain character.
#[must_use]
pub fn wildcard_matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let path: Vec<char> = path.chars().collect();
    matches_from(&pattern, &path)
}

fn matches_from(pattern: &[char], path: &[char]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return path.is_empty() };
    match first {
        '*' => {
            let reach = path.iter().position(|c| *c == '/').unwrap_or(path.len());
            (0..=reach).any(|skip| matches_from(rest, path.get(skip..).unwrap_or_default()))
        }
        '?' => path.split_first().is_some_and(|(c, tail)| *c != '/' && matches_from(rest, tail)),
        '[' => {
            let Some(close) = rest.iter().skip(1).position(|c| *c == ']').map(|at| at + 1) else { return false };
            let Some((c, tail)) = path.split_first() else { return false };
            let (class, after) = rest.split_at(close);
            let (negated, class) = match class.split_first() {
                Some(('^', class)) => (true, class),
                _ => (false, class),
            };
            let mut inside = false;
            let mut at = 0;
            while let Some(low) = class.get(at) {
                match (class.get(at + 1), class.get(at + 2)) {
                    (Some('-'), Some(high)) => {
                        inside |= low <= c && c <= high;
                        at += 3;
                    }
                    _ => {
                        inside |= low == c;
                        at += 1;
                    }
                }
            }
            inside != negated && *c != '/' && matches_from(after.get(1..).unwrap_or_default(), tail)
        }
        '\\' => match (rest.split_first(), path.split_first()) {
            (Some((want, rest)), Some((c, tail))) => want == c && matches_from(rest, tail),
            _ => false,
        },
        want => path.split_first().is_some_and(|(c, tail)| c == want && matches_from(rest, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(entries: &[&Entry]) -> Vec<String> {
        entries.iter().map(|entry| entry.path.clone()).collect()
    }

    #[test]
    fn copies_take_files_folders_and_wildcards() {
        let listing = Listing::new([
            Entry::file("src-old", 1),
            Entry::dir("src"),
            Entry::file("src/main.c", 5),
            Entry::file("Gemfile", 2),
            Entry::file("Gemfile.lock", 3),
        ]);
        assert_eq!(paths(&listing.taken_by("Gemfile*", None)), ["Gemfile", "Gemfile.lock"]);
        assert_eq!(paths(&listing.taken_by("./src/", None)), ["src", "src/main.c"]);
        assert_eq!(listing.taken_by(".", None).len(), 5);
        assert_eq!(listing.bytes_below("src"), 5);
        assert_eq!(listing.get("src/main.c").map(|entry| entry.size), Some(5));
        assert!(wildcard_matches("a[b-d]?.txt", "acx.txt"));
        assert!(!wildcard_matches("*", "a/b"));
    }
}
