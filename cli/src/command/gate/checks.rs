//! Each limit against what was measured.

use super::Measured;
use crate::config::budget::{Limits, MaxGrowth};
use crate::growth::{self, Row, delta};
use crate::image_source::WithDockerfile;
use crate::mend::Remedy;
use crate::report::gate::{Check, signed};
use crate::snapshot::Snapshot;
use crate::terminal::size;
use miette::{Result, miette};
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::source::LineIndex;

/// Every limit that is set.
pub(super) fn all(limits: &Limits, now: &Measured, before: Option<&Snapshot>) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut most = |check: &'static str, limit: Option<u64>, actual: Option<u64>| {
        if let (Some(limit), Some(actual)) = (limit, actual) {
            checks.push(Check {
                check,
                limit: size(limit),
                actual: size(actual),
                passed: actual <= limit,
                details: Vec::new(),
            });
        }
    };
    most("max-size", limits.size, Some(now.report.size));
    most("max-compressed", limits.compressed, now.report.compressed);
    most("max-wasted", limits.wasted, Some(now.report.avoidable_bytes));
    most("max-context", limits.context, now.snapshot.context);
    if let Some(most) = limits.layers {
        let layers = now.report.layers.len();
        checks.push(Check {
            check: "max-layers",
            limit: most.to_string(),
            actual: layers.to_string(),
            passed: layers <= most,
            details: Vec::new(),
        });
    }
    if let (Some(most), Some(before)) = (limits.growth, before) {
        let grown = delta(before.size, now.report.size);
        let limit = match most {
            MaxGrowth::Bytes(bytes) => size(bytes),
            MaxGrowth::Percent(percent) => format!("{percent}%"),
        };
        checks.push(Check {
            check: "max-growth",
            limit,
            actual: signed(grown),
            passed: grown <= i64::try_from(most.bytes(before.size)).unwrap_or(i64::MAX),
            details: Vec::new(),
        });
    }
    checks.extend(limits.forbid.iter().map(|pattern| forbidden(pattern, now)));
    checks.extend(limits.forbid_rules.iter().map(|rule| silent(rule, now)));
    checks
}

/// What `forbid` takes beside patterns.
const NAMED: [&str; 3] = ["setuid", "base-setuid", "secrets"];

/// Whether the rules that must not fire exist, and what is forbidden can be.
pub(super) fn limits_are_known(limits: &Limits) -> Result<()> {
    for rule in &limits.forbid_rules {
        if plimsoll_rules::find(rule).is_none() {
            let ids = plimsoll_rules::metas().map(|meta| meta.id);
            let help = match crate::config::nearest(rule, ids) {
                Some(near) => format!("did you mean `{near}`? `plimsoll rules` lists them"),
                None => "`plimsoll rules` lists them".to_owned(),
            };
            return Err(miette!(help = help, "failed to find the rule {rule}"));
        }
    }
    for pattern in &limits.forbid {
        // A slip of these would forbid a file of that name at the root, and let everything else through.
        let slip =
            crate::config::nearest(pattern, NAMED).filter(|name| name != pattern && !pattern.contains(['/', '*']));
        if let Some(name) = slip {
            let help = format!("did you mean `{name}`? A file of that name is written /{pattern}");
            return Err(miette!(help = help, "failed to understand what is forbidden: `{pattern}`"));
        }
        if let Some(problem) = Ignore::parse(pattern.trim_start_matches('/')).1.first() {
            let help = "patterns are written as in .dockerignore";
            return Err(miette!(help = help, "failed to read the forbidden pattern `{pattern}`: {}", problem.message));
        }
    }
    Ok(())
}

/// Files kept of those that must not be there.
const KEPT: usize = 50;

fn forbidden(pattern: &str, now: &Measured) -> Check {
    let report = &now.report;
    let mut details: Vec<String> = match pattern {
        "setuid" => setuid(now, false),
        "base-setuid" => setuid(now, true),
        "secrets" => report.secrets.clone(),
        pattern => {
            let matcher = Ignore::parse(pattern.trim_start_matches('/')).0;
            let files = now.found.visible.iter().filter(|file| file.bytes > 0 && matcher.is_excluded(&file.path));
            files.map(|file| format!("/{}", file.path)).collect()
        }
    };
    let found = details.len();
    details.truncate(KEPT);
    for detail in &mut details {
        let path = detail.strip_prefix('/').unwrap_or(detail);
        let place = now.found.visible.binary_search_by(|file| (*file.path).cmp(path)).ok();
        let layer = place.and_then(|at| now.found.visible.get(at)).and_then(|file| report.layers.get(file.layer));
        if let Some(layer) = layer {
            let from = match (layer.base, layer.line) {
                (true, _) => "from the base image".to_owned(),
                (false, Some(line)) => format!("line {line}"),
                (false, None) => format!("layer {}", layer.number),
            };
            detail.push_str(&format!(" ({from})"));
        }
    }
    Check {
        check: "forbid",
        limit: pattern.to_owned(),
        actual: format!("{found} file{}", if found == 1 { "" } else { "s" }),
        passed: found == 0,
        details,
    }
}

/// Programs that run with another user's rights: the base image's, or those that layers above it brought.
fn setuid(now: &Measured, base: bool) -> Vec<String> {
    let of_base = |path: &&String| {
        let path = path.strip_prefix('/').unwrap_or(path);
        let place = now.found.visible.binary_search_by(|file| (*file.path).cmp(path)).ok();
        let file = place.and_then(|at| now.found.visible.get(at));
        file.is_some_and(|file| file.layer < now.report.base.layers) == base
    };
    now.report.setuid.iter().filter(of_base).cloned().collect()
}

fn silent(rule: &str, now: &Measured) -> Check {
    let id = plimsoll_rules::find(rule).map_or(rule, |rule| rule.meta().id);
    let lines: Vec<u32> = now.dockerfile.iter().flat_map(|file| file.mending.fired(id)).collect();
    let name = now.dockerfile.as_ref().map(|file| crate::files::shown(&file.path)).unwrap_or_default();
    Check {
        check: "forbid-rule",
        limit: rule.to_owned(),
        actual: match (&now.dockerfile, lines.len()) {
            (None, _) => "no Dockerfile to ask".to_owned(),
            (Some(_), 1) => "1 finding".to_owned(),
            (Some(_), found) => format!("{found} findings"),
        },
        // What cannot be asked is not granted.
        passed: lines.is_empty() && now.dockerfile.is_some(),
        details: lines.iter().map(|line| format!("{name}:{line}")).collect(),
    }
}

/// What came into the build context, and the COPY that takes it.
pub(super) fn context_row(before: &Snapshot, now: &Snapshot, dockerfile: Option<&WithDockerfile>) -> Option<Row> {
    let (old, new) = (before.context?, now.context?);
    if old == new && before.context_files == now.context_files {
        return None;
    }
    let folders = |files: &std::collections::BTreeMap<String, u64>| {
        let mut all = files.clone();
        for (path, bytes) in files {
            for (at, _) in path.match_indices('/').skip(1) {
                *all.entry(path.get(..=at).unwrap_or_default().to_owned()).or_insert(0) += bytes;
            }
        }
        all
    };
    let paths = growth::paths(&folders(&before.context_files), &folders(&now.context_files));
    let grown = delta(old, new);
    let line = dockerfile.zip(paths.first()).and_then(|(file, path)| taken_by(&file.text, &path.path));
    let remedy = paths.first().filter(|_| grown > 0).map(|path| Remedy {
        rule: Some("context-not-ignored".to_owned()),
        advice: format!("add {} to .dockerignore, unless the image needs it", path.path.trim_start_matches('/')),
        ..Remedy::default()
    });
    Some(Row {
        kind: "context",
        instruction: match &line {
            Some((_, text)) => format!("build context, taken by {text}"),
            None => "build context".to_owned(),
        },
        line: line.map(|(line, _)| line),
        before: Some(old),
        after: Some(new),
        delta: grown,
        packages: Vec::new(),
        paths,
        causes: Vec::new(),
        remedy,
    })
}

/// The first COPY or ADD that takes this path of the context.
pub(super) fn taken_by(text: &str, path: &str) -> Option<(u32, String)> {
    let file = plimsoll_parser::parse(text);
    let model = Model::new(&file, Inputs::default());
    let path = path.trim_matches('/');
    let takes = |source: &str| {
        let source = source.trim_start_matches("./").trim_matches('/');
        source.is_empty()
            || source == "."
            || path == source
            || path.strip_prefix(source).is_some_and(|rest| rest.starts_with('/'))
            || source.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
            || Ignore::parse(source).0.is_excluded(path)
    };
    let copy = model
        .copies()
        .iter()
        .filter(|copy| copy.from.is_none())
        .find(|copy| copy.syntax.sources.iter().any(|source| takes(source.as_str())))?;
    let range = copy.instruction.range;
    let said = text.get(range.start as usize..range.end as usize)?.split_whitespace().collect::<Vec<_>>().join(" ");
    Some((LineIndex::new(text).line(range.start), said))
}
