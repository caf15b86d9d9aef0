//! What stands in the build context, and what a recursive chown or chmod does to what was copied from it.

use crate::words::unquoted;
use plimsoll_analyzer::commands::{Arg, Cmd};
use plimsoll_analyzer::diagnostic::Diagnostic;
use plimsoll_analyzer::model::{Copied, Model, Run, is_absolute};
use plimsoll_parser::{Edit, TextRange};
use std::collections::BTreeMap;

/// Why no image needs a path, by one of its elements.
pub(crate) fn kind_of(path: &str) -> Option<&'static str> {
    path.split('/').find_map(|part| match part {
        ".git" | ".hg" | ".svn" | ".bzr" => Some("version control"),
        "node_modules" | "venv" | ".venv" | "env.bak" | "bower_components" | ".bundle" | ".tox" | ".nox" => {
            Some("installed dependencies")
        }
        "__pycache__" | ".pytest_cache" | ".mypy_cache" | ".ruff_cache" | ".cache" | ".gradle" | ".parcel-cache"
        | ".next" | ".nuxt" | ".terraform" => Some("build output"),
        ".idea" | ".vscode" | ".DS_Store" | "Thumbs.db" => Some("editor and desktop files"),
        part if part.ends_with(".pyc") || part.ends_with(".swp") || part.ends_with(".log") => Some("leftovers"),
        _ => None,
    })
}

/// One finding for each COPY that takes such paths, with their bytes.
pub(crate) fn tell_unneeded(rule: &'static str, model: &Model<'_>, why: &str, found: &mut Vec<Diagnostic>) {
    for copy in model.copies() {
        let mut roots: BTreeMap<String, u64> = BTreeMap::new();
        for entry in model.taken(copy).unwrap_or_default() {
            if kind_of(&entry.path).is_none() {
                continue;
            }
            let depth = entry.path.split('/').take_while(|part| kind_of(part).is_none()).count() + 1;
            let root = entry.path.split('/').take(depth).collect::<Vec<_>>().join("/");
            *roots.entry(root).or_default() += entry.size;
        }
        if roots.is_empty() {
            continue;
        }
        let bytes = roots.values().sum::<u64>();
        let mut by_size: Vec<_> = roots.iter().collect();
        by_size.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let shown: Vec<String> =
            by_size.iter().take(4).map(|(path, size)| format!("{path} ({})", crate::words::bytes(**size))).collect();
        let more = if by_size.len() > shown.len() { ", …" } else { "" };
        let message = format!("{why}: {}{more} would be copied", shown.join(", "));
        found.push(Diagnostic::new(rule, copy.instruction.range, message).with_bytes(bytes));
    }
}

/// Where a path of a RUN or COPY leads, the working directory in front of it.
fn absolute(path: &str, workdir: Option<&str>) -> Option<String> {
    let path = unquoted(path);
    if path.contains('$') {
        return None;
    }
    let whole = match (is_absolute(path), workdir) {
        (true, _) => path.to_owned(),
        (false, Some(workdir)) if !workdir.contains('$') => format!("{workdir}/{path}"),
        _ => return None,
    };
    Some(format!("/{}", plimsoll_analyzer::context::clean(&whole)))
}

/// Whether what `copy` brings lands at or below `path` as `run` sees it.
pub(crate) fn lands_below(model: &Model<'_>, copy: &Copied<'_>, run: &Run<'_>, path: &Arg<'_>) -> bool {
    if !path.known {
        return path.text == copy.syntax.destination.as_str();
    }
    let state = |step: usize| model.steps().get(step).and_then(|step| step.state.workdir.as_deref());
    let Some(changed) = absolute(&path.text, run.state.workdir.as_deref()) else { return false };
    let Some(landed) = absolute(&copy.syntax.destination, state(copy.step)) else { return false };
    changed != "/"
        && landed.strip_prefix(changed.trim_end_matches('/')).is_some_and(|r| r.is_empty() || r.starts_with('/'))
}

/// Whether a COPY before `run` that is none of `copies` may bring files below `paths` too: it goes where only the build
/// knows, or puts a whole tree above them.
fn others_may_land(model: &Model<'_>, run: &Run<'_>, copies: &[&Copied<'_>], paths: &[Arg<'_>]) -> bool {
    let workdir = |step: usize| model.steps().get(step).and_then(|step| step.state.workdir.as_deref());
    let mut others = model.copies().iter().filter(|copy| copy.stage == run.stage && copy.index < run.index);
    others.any(|copy| {
        if copies.iter().any(|hit| hit.index == copy.index) {
            return false;
        }
        let Some(landed) = absolute(&copy.syntax.destination, workdir(copy.step)) else { return true };
        let is_tree = |source: &str| source.ends_with(['/', '.', '*']) || copy.from.is_some();
        let above = |path: &Arg<'_>| {
            let changed = path.known.then(|| absolute(&path.text, run.state.workdir.as_deref())).flatten();
            changed.is_none_or(|path| landed == "/" || path.starts_with(&format!("{landed}/")))
        };
        paths.iter().any(above) && copy.syntax.sources.iter().any(|source| is_tree(source))
    })
}

/// The edits that give the COPYs a flag and take the command out of its RUN, or the RUN out of the file; nothing where
/// the RUN is no flat list, a COPY has the flag already, or the command changes more than what was copied.
pub(crate) fn moved_to_copy(
    model: &Model<'_>,
    run: &Run<'_>,
    command: &Cmd<'_>,
    copies: &[&Copied<'_>],
    paths: &[Arg<'_>],
    flag: &str,
    value: &str,
) -> Option<Vec<Edit>> {
    let has_flag = |copy: &&Copied<'_>| copy.instruction.flags.iter().any(|there| there.name.as_str() == flag);
    let octal = value.bytes().all(|b| b.is_ascii_digit());
    if !run.is_flat() || copies.iter().any(has_flag) || paths.len() != 1 || flag == "chmod" && !octal {
        return None;
    }
    let exact = |copy: &&Copied<'_>| {
        unquoted(&copy.syntax.destination).trim_end_matches('/')
            == paths.first().map_or("", |p| p.text.trim_end_matches('/'))
    };
    if !copies.iter().all(exact) || others_may_land(model, run, copies, paths) {
        return None;
    }
    let text = model.file.text;
    let mut edits: Vec<Edit> = copies
        .iter()
        .map(|copy| Edit::insert(copy.instruction.keyword.range.end, format!(" --{flag}={value}")))
        .collect();
    if run.commands.len() == 1 {
        let end = run.instruction.range.end as usize;
        let line = text.get(end..)?.split_inclusive('\n').next().unwrap_or_default();
        if !line.trim().is_empty() {
            return None;
        }
        edits.push(Edit::delete(TextRange::new(run.instruction.range.start as usize, end + line.len())));
        return Some(edits);
    }
    let at = run.commands.iter().position(|other| other == command)?;
    let gap = match at.checked_sub(1).and_then(|before| run.commands.get(before)) {
        Some(before) => TextRange { start: before.range.end, end: command.range.end },
        None => TextRange { start: command.range.start, end: run.commands.get(at + 1)?.range.start },
    };
    // A comment between would go with it.
    (!gap.of(text).contains('#')).then(|| {
        edits.push(Edit::delete(gap));
        edits
    })
}
