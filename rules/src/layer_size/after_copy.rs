//! What a command changes on every file that an earlier COPY brought, which stores them all once more.

use crate::prelude::{Diagnostic, Edit, Fix, Model, Run, TextRange, unquoted};
use plimsoll_analyzer::commands::{Arg, Cmd, Effect};
use plimsoll_analyzer::model::{Copied, is_absolute};

/// A rule's words for it.
pub(super) struct Change {
    /// The rule.
    pub(super) rule: &'static str,
    /// What COPY's flag does instead.
    pub(super) help: &'static str,
    /// COPY's flag, without dashes.
    pub(super) flag: &'static str,
}

/// A recursive change: the owner or mode, where one is named, and the paths.
type Recursive<'e, 'm> = (Option<&'e Arg<'m>>, &'e [Arg<'m>]);

/// Finds what `recursive` picks from the effects of commands behind a COPY.
pub(super) fn check(
    change: &Change,
    model: &Model<'_>,
    recursive: impl for<'e, 'm> Fn(&'e Effect<'m>) -> Option<Recursive<'e, 'm>>,
    found: &mut Vec<Diagnostic>,
) {
    for run in model.runs().iter().filter(|run| !run.onbuild) {
        for (command, effect) in run.effects() {
            let Some((value, paths)) = recursive(effect) else { continue };
            let copies =
                model.copies().iter().filter(|copy| copy.stage == run.stage && copy.index < run.index && !copy.onbuild);
            let hit = |copy: &&Copied<'_>| paths.iter().any(|path| lands_below(model, copy, run, path));
            let hits: Vec<_> = copies.filter(hit).collect();
            let Some(first) = hits.first() else { continue };
            let bytes = hits.iter().filter_map(|copy| model.taken(copy)).flatten().map(|entry| entry.size).sum::<u64>();
            let message = "every file of an earlier layer is stored a second time";
            let mut diagnostic = Diagnostic::new(change.rule, command.words_range, message)
                .with_label(first.instruction.range, "copied here")
                .with_help(change.help);
            if bytes > 0 {
                diagnostic = diagnostic.with_bytes(bytes);
            }
            let word = value.filter(|word| word.known && !word.text.is_empty());
            let edits = word.and_then(|word| moved_to_copy(model, run, command, &hits, paths, change.flag, &word.text));
            let fix = edits.and_then(|edits| Fix::risky("say it in COPY", edits));
            found.push(diagnostic.with_fix(fix));
        }
    }
}

/// Whether what `copy` brings lands at or below `path` as `run` sees it.
fn lands_below(model: &Model<'_>, copy: &Copied<'_>, run: &Run<'_>, path: &Arg<'_>) -> bool {
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
fn moved_to_copy(
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
