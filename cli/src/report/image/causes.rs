//! Where waste comes from: the files that went the same way, the instruction to blame, and the rule that mends it.

use super::{Base, LayerOut, rooted};
use crate::mend::{Mending, Remedy};
use plimsoll_runtime::inspect::{FileKind, Hidden, Inspected, kind_of};
use serde::Serialize;
use std::collections::BTreeMap;

/// Bytes that went the same way.
#[derive(Debug, Clone, Serialize)]
pub struct Cause {
    /// `deleted`, `overwritten`, `re-owned`, `re-moded`, `rewritten unchanged`, `duplicate`, `kept cache`.
    pub how: &'static str,
    /// How many.
    pub bytes: u64,
    /// Of how many files.
    pub files: usize,
    /// The layer that wrote them first, from 1.
    pub written_by_layer: usize,
    /// The layer to blame, from 1: the one that hides or repeats them, or keeps them.
    pub blame_layer: usize,
    /// The instruction to blame.
    pub instruction: String,
    /// Its line.
    pub line: Option<u32>,
    /// Whether it came with the base image.
    pub base: bool,
    /// What mends it.
    #[serde(flatten)]
    pub remedy: Remedy,
    /// Some of the files, the largest first.
    pub examples: Vec<String>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    how: &'static str,
    written: usize,
    blame: usize,
    rule: Option<&'static str>,
}

#[derive(Default)]
struct Sum {
    bytes: u64,
    files: usize,
    examples: Vec<String>,
}

/// Examples kept of each.
const EXAMPLES: usize = 5;

/// The causes, largest first; caches that are kept count as no waste and are told all the same.
pub fn find(found: &Inspected, layers: &[LayerOut], base: &Base, mending: Option<&Mending>) -> Vec<Cause> {
    let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
    let mut add = |how: &'static str, written: usize, blame: usize, rule, path: &str, bytes: u64| {
        let sum = sums.entry(Key { how, written, blame, rule }).or_default();
        sum.bytes += bytes;
        sum.files += 1;
        if sum.examples.len() < EXAMPLES {
            sum.examples.push(rooted(path));
        }
    };
    // Both lists have the largest first, and so do the examples.
    for one in &found.wasted {
        let cache = crate::mend::cache_rule(&one.path);
        let rule = match one.how {
            Hidden::Deleted => cache.or(Some("removed-later")),
            Hidden::Owner => Some("chown-after-copy"),
            Hidden::Mode => Some("chmod-after-copy"),
            Hidden::Overwritten | Hidden::Unchanged => cache,
        };
        add(one.how.as_str(), one.written, one.hidden, rule, &one.path, one.bytes);
    }
    for one in &found.duplicates {
        add("duplicate", one.of_layer, one.layer, None, &one.path, one.bytes);
    }
    for file in &found.visible {
        let rule = crate::mend::cache_rule(&file.path);
        if file.bytes > 0 && file.layer >= base.layers && (rule.is_some() || kind_of(&file.path) == FileKind::Cache) {
            add("kept cache", file.layer, file.layer, rule, &file.path, file.bytes);
        }
    }
    let causes = sums.into_iter().filter_map(|(key, sum)| {
        let layer = layers.get(key.blame)?;
        let written = layers.get(key.written)?;
        Some(Cause {
            how: key.how,
            bytes: sum.bytes,
            files: sum.files,
            written_by_layer: key.written + 1,
            blame_layer: key.blame + 1,
            instruction: layer.instruction.clone(),
            line: layer.line,
            base: layer.base,
            remedy: Remedy::new(key.how, key.rule, layer, written, mending),
            examples: sum.examples,
        })
    });
    let mut causes: Vec<Cause> = causes.collect();
    causes.sort_by(|a, b| (b.bytes, a.blame_layer, a.how).cmp(&(a.bytes, b.blame_layer, b.how)));
    causes
}
