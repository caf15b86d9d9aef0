//! From one image to the next: which line, command, package and path the bytes came from.

use crate::mend::{Mending, Remedy};
use crate::report::image::{Cause, ImageReport};
use crate::snapshot::{SnapLayer, Snapshot};
use plimsoll_runtime::inspect::pair;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Two images side by side, in bytes.
#[derive(Debug, Default, Serialize)]
pub struct Growth {
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
    /// The difference.
    pub delta: i64,
    /// By instruction, in the order of the image; those that are the same are left out.
    pub instructions: Vec<Row>,
    /// Packages that were added, removed or changed, the largest difference first.
    pub packages: Vec<PackageRow>,
    /// Layers that are the same.
    pub same_layers: usize,
}

/// An instruction on both sides.
#[derive(Debug, Serialize)]
pub struct Row {
    /// `base`, `added`, `removed`, `changed`, `context`.
    pub kind: &'static str,
    /// Its text.
    pub instruction: String,
    /// Its line in the Dockerfile after.
    pub line: Option<u32>,
    /// Bytes before.
    pub before: Option<u64>,
    /// Bytes after.
    pub after: Option<u64>,
    /// The difference.
    pub delta: i64,
    /// Packages it brought, grew or lost, the largest difference first.
    pub packages: Vec<PackageRow>,
    /// Paths that make the difference, the largest first.
    pub paths: Vec<PathRow>,
    /// Bytes of it that need not be there.
    pub causes: Vec<Cause>,
    /// What would mend it.
    pub remedy: Option<Remedy>,
}

/// A package on both sides.
#[derive(Debug, Clone, Serialize)]
pub struct PackageRow {
    /// What installed it.
    pub manager: String,
    /// Its name.
    pub name: String,
    /// Its version before.
    pub before: Option<String>,
    /// Its version after.
    pub after: Option<String>,
    /// The difference in bytes.
    pub delta: i64,
}

/// A path on both sides.
#[derive(Debug, Clone, Serialize)]
pub struct PathRow {
    /// Where; a folder ends in a slash.
    pub path: String,
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
    /// The difference.
    pub delta: i64,
}

/// Rows kept of paths and packages of one instruction.
const KEPT: usize = 50;

/// The difference as a signed number.
pub fn delta(before: u64, after: u64) -> i64 {
    i64::try_from(i128::from(after) - i128::from(before)).unwrap_or(if after > before { i64::MAX } else { i64::MIN })
}

/// What became of the bytes.
pub fn between(before: &Snapshot, after: &Snapshot, report: &ImageReport, mending: Option<&Mending>) -> Growth {
    let (old_base, new_base) = base_layers(before, after);
    let (old_base, old) = before.layer.split_at(old_base);
    let (new_base, new) = after.layer.split_at(new_base);
    let (by_layer, packages) = packages(before, after, report);
    let mut growth = Growth {
        before: before.size,
        after: after.size,
        delta: delta(before.size, after.size),
        packages,
        ..Growth::default()
    };
    let ids = |layers: &[SnapLayer]| layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>();
    if ids(old_base) == ids(new_base) {
        growth.same_layers += new_base.len();
    } else {
        growth.instructions.push(base_row(before, after, report, &by_layer));
    }
    let first = new_base.len();
    for (a, b) in layers(old, new) {
        if let (Some(a), Some(b)) = (a, b)
            && old[a].diff_id == new[b].diff_id
        {
            growth.same_layers += 1;
            continue;
        }
        let (a, out) = (a.map(|a| &old[a]), b.map(|b| first + b));
        growth.instructions.push(row(a, out.map(|b| (b, &after.layer[b])), report, &by_layer, mending));
    }
    growth
}

/// Layers of the base on both sides. A Dockerfile that was edited since its image was built may count a line of its own as
/// the base's on one side: where the same base lies below both, the side that counts fewer is right.
fn base_layers(before: &Snapshot, after: &Snapshot) -> (usize, usize) {
    let (old, new) = (before.base_layers.min(before.layer.len()), after.base_layers.min(after.layer.len()));
    let least = old.min(new);
    let same = before.layer.iter().zip(&after.layer).take(least).all(|(a, b)| a.diff_id == b.diff_id);
    if same && least > 0 && before.base == after.base { (least, least) } else { (old, new) }
}

fn base_row(before: &Snapshot, after: &Snapshot, report: &ImageReport, by_layer: &ByLayer) -> Row {
    let (a, b) = (&before.layer[..before.base_layers], &after.layer[..after.base_layers]);
    let sum = |layers: &[SnapLayer]| layers.iter().map(|layer| layer.size).sum::<u64>();
    let gather = |layers: &[SnapLayer]| {
        let mut paths = BTreeMap::new();
        for (path, bytes) in layers.iter().flat_map(|layer| &layer.paths) {
            *paths.entry(path.clone()).or_insert(0) += bytes;
        }
        paths
    };
    let named = |name: &Option<String>| format!("FROM {}", name.as_deref().unwrap_or("its base image"));
    let instruction = if before.base == after.base {
        named(&after.base)
    } else {
        format!("{} (was {})", named(&after.base), before.base.as_deref().unwrap_or("another"))
    };
    let packages = (0..after.base_layers).filter_map(|layer| by_layer.get(&layer)).flatten().cloned();
    Row {
        kind: "base",
        instruction,
        line: report.base.line,
        before: Some(sum(a)),
        after: Some(sum(b)),
        delta: delta(sum(a), sum(b)),
        packages: largest(packages.collect()),
        paths: paths(&gather(a), &gather(b)),
        causes: Vec::new(),
        remedy: None,
    }
}

fn row(
    before: Option<&SnapLayer>,
    after: Option<(usize, &SnapLayer)>,
    report: &ImageReport,
    by_layer: &ByLayer,
    mending: Option<&Mending>,
) -> Row {
    let none = BTreeMap::new();
    let (a, b) = (before.map_or(0, |layer| layer.size), after.map_or(0, |(_, layer)| layer.size));
    let number = after.map(|(number, _)| number);
    let out = number.and_then(|number| report.layers.get(number));
    let line = out.and_then(|layer| layer.line);
    let grown = delta(a, b);
    // Each RUN of a package manager writes its notes anew; what is a trifle of the difference is not told.
    let told = |cause: &&Cause| {
        number.is_some_and(|at| cause.blame_layer == at + 1) && cause.bytes.saturating_mul(50) >= grown.unsigned_abs()
    };
    let causes: Vec<Cause> = report.causes.iter().filter(told).take(5).cloned().collect();
    let most = causes.first().filter(|cause| grown > 0 && cause.bytes.saturating_mul(5) >= grown.unsigned_abs());
    let known = |_: &()| line.zip(mending).and_then(|(line, mending)| Remedy::on_line(mending, line));
    let remedy = match most {
        Some(cause) => Some(cause.remedy.clone()),
        None => Some(()).filter(|()| grown > 0).as_ref().and_then(known),
    };
    Row {
        kind: match (before, after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        },
        instruction: match (out, before) {
            (Some(layer), _) => layer.instruction.clone(),
            (None, Some(before)) => before.instruction.clone(),
            (None, None) => String::new(),
        },
        line,
        before: before.map(|layer| layer.size),
        after: after.map(|(_, layer)| layer.size),
        delta: grown,
        packages: number.and_then(|number| by_layer.get(&number)).cloned().map(largest).unwrap_or_default(),
        paths: paths(before.map_or(&none, |layer| &layer.paths), after.map_or(&none, |(_, layer)| &layer.paths)),
        causes,
        remedy,
    }
}

/// Layers side by side: those with the same digest at both ends, and by their instructions between.
fn layers(old: &[SnapLayer], new: &[SnapLayer]) -> Vec<(Option<usize>, Option<usize>)> {
    let same = |a: &SnapLayer, b: &SnapLayer| a.diff_id == b.diff_id;
    let head = old.iter().zip(new).take_while(|(a, b)| same(a, b)).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| same(a, b)).count();
    let text = |layers: &[SnapLayer]| -> Vec<String> { layers.iter().map(|layer| layer.instruction.clone()).collect() };
    let (a, b) = (text(&old[head..old.len() - tail]), text(&new[head..new.len() - tail]));
    let (a, b): (Vec<&str>, Vec<&str>) =
        (a.iter().map(String::as_str).collect(), b.iter().map(String::as_str).collect());
    let mut found: Vec<(Option<usize>, Option<usize>)> = (0..head).map(|at| (Some(at), Some(at))).collect();
    let (mut i, mut j) = (0, 0);
    for (x, y) in pair(&a, &b).into_iter().chain([(a.len(), b.len())]) {
        found.extend((i..x).map(|at| (Some(head + at), None)));
        found.extend((j..y).map(|at| (None, Some(head + at))));
        if x < a.len() {
            found.push((Some(head + x), Some(head + y)));
        }
        (i, j) = (x + 1, y + 1);
    }
    found.extend((0..tail).rev().map(|at| (Some(old.len() - 1 - at), Some(new.len() - 1 - at))));
    found
}

type ByLayer = BTreeMap<usize, Vec<PackageRow>>;

/// Packages that differ, by the layer that has them now, and all of them.
fn packages(before: &Snapshot, after: &Snapshot, report: &ImageReport) -> (ByLayer, Vec<PackageRow>) {
    type Versions<'s> = BTreeMap<(String, String), Vec<(String, u64)>>;
    let read = |snapshot: &Snapshot| {
        let mut found: Versions<'_> = BTreeMap::new();
        for (key, bytes) in &snapshot.packages {
            let mut parts = key.splitn(2, ' ');
            let (manager, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let (name, version) = rest.rsplit_once(' ').unwrap_or((rest, ""));
            found.entry((manager.to_owned(), name.to_owned())).or_default().push((version.to_owned(), *bytes));
        }
        found
    };
    let (a, b) = (read(before), read(after));
    let layer_of: BTreeMap<(&str, &str), usize> =
        report.packages.iter().rev().map(|one| ((one.manager, one.name.as_str()), one.layer - 1)).collect();
    let mut by_layer: ByLayer = BTreeMap::new();
    let mut all = Vec::new();
    for key in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
        let (old, new) = (a.get(key), b.get(key));
        if old == new {
            continue;
        }
        let sum = |versions: Option<&Vec<(String, u64)>>| versions.into_iter().flatten().map(|(_, bytes)| bytes).sum();
        let names = |versions: Option<&Vec<(String, u64)>>| {
            versions.map(|list| list.iter().map(|(version, _)| version.as_str()).collect::<Vec<_>>().join(", "))
        };
        let row = PackageRow {
            manager: key.0.clone(),
            name: key.1.clone(),
            before: names(old),
            after: names(new),
            delta: delta(sum(old), sum(new)),
        };
        if let Some(layer) = layer_of.get(&(key.0.as_str(), key.1.as_str())) {
            by_layer.entry(*layer).or_default().push(row.clone());
        }
        all.push(row);
    }
    (by_layer, largest_first(all))
}

fn largest_first(mut rows: Vec<PackageRow>) -> Vec<PackageRow> {
    rows.sort_by(|a, b| {
        (b.delta.unsigned_abs(), &a.manager, &a.name).cmp(&(a.delta.unsigned_abs(), &b.manager, &b.name))
    });
    rows
}

fn largest(rows: Vec<PackageRow>) -> Vec<PackageRow> {
    let mut rows = largest_first(rows);
    rows.truncate(KEPT);
    rows
}

/// The paths that explain the difference of two layers: a folder where what changed in it is spread, else what is in it.
pub fn paths(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> Vec<PathRow> {
    let keys: BTreeSet<&str> = before.keys().chain(after.keys()).map(String::as_str).collect();
    let bytes = |path: &str| (before.get(path).copied().unwrap_or(0), after.get(path).copied().unwrap_or(0));
    let row = |path: &str| {
        let (before, after) = bytes(path);
        PathRow { path: path.to_owned(), before, after, delta: delta(before, after) }
    };
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for &key in &keys {
        let folder = key.trim_end_matches('/').rsplit_once('/').map_or(0, |(folder, _)| folder.len() + 1);
        children.entry(key.get(..folder).unwrap_or_default()).or_default().push(key);
    }
    let mut found = Vec::new();
    let mut open: Vec<&str> = children.get("/").cloned().unwrap_or_default();
    while let Some(path) = open.pop() {
        let own = row(path);
        if own.before == own.after {
            continue;
        }
        let below = children.get(path).filter(|_| path.ends_with('/'));
        let told: u64 = below.into_iter().flatten().map(|child| row(child).delta.unsigned_abs()).max().unwrap_or(0);
        match below {
            Some(below) if told.saturating_mul(10) >= own.delta.unsigned_abs().saturating_mul(3) => open.extend(below),
            _ => found.push(own),
        }
    }
    found.sort_by(|a, b| (b.delta.unsigned_abs(), &a.path).cmp(&(a.delta.unsigned_abs(), &b.path)));
    found.truncate(KEPT);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rows: &[(&str, u64)]) -> BTreeMap<String, u64> {
        rows.iter().map(|(path, bytes)| ((*path).to_owned(), *bytes)).collect()
    }

    #[test]
    fn a_difference_is_told_where_it_lies() {
        let before = map(&[("/a/", 100), ("/a/x", 100), ("/b/", 50), ("/b/y", 50)]);
        let after = map(&[("/a/", 1100), ("/a/x", 100), ("/a/new", 1000), ("/b/", 50), ("/b/y", 50)]);
        let rows: Vec<_> = paths(&before, &after).into_iter().map(|row| (row.path, row.delta)).collect();
        assert_eq!(rows, [("/a/new".to_owned(), 1000)]);
        let many: Vec<(String, u64)> = (0..20).map(|n| (format!("/d/f{n}"), 10)).collect();
        let mut after: BTreeMap<String, u64> = many.into_iter().collect();
        after.insert("/d/".to_owned(), 200);
        let rows: Vec<_> = paths(&BTreeMap::new(), &after).into_iter().map(|row| (row.path, row.delta)).collect();
        assert_eq!(rows, [("/d/".to_owned(), 200)]);
    }

    #[test]
    fn layers_are_paired_by_digest_then_by_text() {
        let layer = |id: &str, instruction: &str| SnapLayer {
            diff_id: id.to_owned(),
            instruction: instruction.to_owned(),
            ..SnapLayer::default()
        };
        let old = [layer("1", "RUN apt-get install -y curl"), layer("2", "COPY . /app"), layer("3", "RUN make all")];
        let new = [
            layer("1", "RUN apt-get install -y curl"),
            layer("5", "RUN pip install flask"),
            layer("6", "COPY . /app"),
            layer("3", "RUN make all"),
        ];
        assert_eq!(layers(&old, &new), [(Some(0), Some(0)), (None, Some(1)), (Some(1), Some(2)), (Some(2), Some(3))]);
    }
}
