//! Fixes leave real files whole: what they did not touch stays byte for byte, comments stay, nothing new is found, and
//! what bash could read it can still read.
//!
//! The files are those of `PLIMSOLL_CORPUS`, by default `../shared/corpus/files` beside the workspace, and the Dockerfiles
//! of `fixtures`. Where there is no corpus, this says that it is skipped and looks at the fixtures alone.

use plimsoll_analyzer::diagnostic::Diagnostic;
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_optimizer::converge::Outcome;
use plimsoll_optimizer::{Level, converge};
use plimsoll_parser::syntax::{Command as Said, Instruction, Kind};
use plimsoll_parser::{Source, TextRange, parse};
use plimsoll_rules::{Settings, check_all};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn check(text: &str) -> Vec<Diagnostic> {
    let file = parse(text);
    check_all(&Model::new(&file, Inputs::default()), &Settings::default())
}

fn counted<T: Ord>(values: impl IntoIterator<Item = T>) -> BTreeMap<T, usize> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// What there is more of in `after` than in `before`.
fn more<T: Ord + Clone>(before: &BTreeMap<T, usize>, after: &BTreeMap<T, usize>) -> Vec<T> {
    let grew = after.iter().filter(|(value, count)| before.get(value).is_none_or(|before| before < count));
    grew.map(|(value, _)| value.clone()).collect()
}

/// The text that the shell of a RUN reads: a heredoc's body where the heredoc is the script.
fn script(instruction: &Instruction<'_>) -> Option<String> {
    let instruction = match &instruction.kind {
        Kind::Onbuild(trigger) => trigger,
        _ => instruction,
    };
    let Kind::Run(run) = &instruction.kind else { return None };
    let Said::Shell(command) = &run.command else { return None };
    if command.text.trim_start().starts_with("<<") {
        return instruction.heredocs.first().map(|heredoc| heredoc.body.to_string());
    }
    let mut text = format!("{}\n", command.text);
    for heredoc in &instruction.heredocs {
        text.push_str(&heredoc.body);
        text.push_str(heredoc.name.as_str());
        text.push('\n');
    }
    Some(text)
}

fn scripts(text: &str) -> BTreeSet<String> {
    parse(text).instructions.iter().filter_map(script).collect()
}

/// The instructions of `text` that none of `touched` reaches into.
fn untouched<'s>(text: &'s str, touched: &[TextRange]) -> Vec<&'s str> {
    let apart = |range: TextRange| touched.iter().all(|edit| edit.end < range.start || edit.start > range.end);
    let file = parse(text);
    file.instructions.iter().filter(|i| apart(i.range)).map(|i| i.range.of(text)).collect()
}

/// The first of `wanted` that does not follow the ones before it in `there`.
fn out_of_order<'s>(wanted: &[&'s str], there: &[&str]) -> Option<&'s str> {
    let mut there = there.iter();
    wanted.iter().find(|wanted| !there.any(|here| here == *wanted)).copied()
}

/// The RUN scripts of a file that are gone, and those that stand in their place.
struct Rewritten {
    name: String,
    before: BTreeSet<String>,
    after: BTreeSet<String>,
}

/// Fixes a text at a level; what is wrong with the result is told.
fn fix(name: &str, text: &str, level: Level, known: &mut HashMap<String, Vec<Diagnostic>>) -> (Vec<String>, Rewritten) {
    let mut bad = Vec::new();
    let mut passes: Vec<String> = Vec::new();
    let mut look = |text: &str| {
        passes.push(text.to_owned());
        known.entry(text.to_owned()).or_insert_with(|| check(text)).clone()
    };
    let done = converge(text, &mut look, level);
    if let Outcome::UndoneBecause { rules, reason } = &done.outcome {
        bad.push(format!("{reason} ({})", rules.join(", ")));
    }
    let rules = done.ledger.rules().join(", ");
    let (before, after) = (parse(text), parse(&done.text));

    let errors = |file: &plimsoll_parser::Dockerfile<'_>| counted(file.errors.iter().map(|error| error.code));
    let new = more(&errors(&before), &errors(&after));
    if !new.is_empty() {
        bad.push(format!("new syntax errors: {} ({rules})", new.join(", ")));
    }
    let again = converge(&done.text, &mut look, level);
    if again.text != done.text {
        bad.push(format!("a second time changes it again ({})", again.ledger.rules().join(", ")));
    }
    let found = |text: &str| counted(known.get(text).into_iter().flatten().map(|diagnostic| diagnostic.rule));
    let new = more(&found(text), &found(&done.text));
    if !new.is_empty() {
        bad.push(format!("new findings: {} ({rules})", new.join(", ")));
    }
    let comments =
        |text: &str, ranges: &[TextRange]| counted(ranges.iter().map(|range| range.of(text).trim().to_owned()));
    let gone = more(&comments(&done.text, &after.comments), &comments(text, &before.comments));
    if !gone.is_empty() {
        bad.push(format!("comments gone: {gone:?} ({rules})"));
    }
    for (pass, pair) in passes.windows(2).enumerate().take(done.passes) {
        let [old, new] = pair else { continue };
        let applied = done.ledger.applied.iter().filter(|applied| applied.pass == pass + 1);
        let touched: Vec<TextRange> = applied.map(|applied| applied.range).collect();
        if let Some(lost) = out_of_order(&untouched(old, &touched), &untouched(new, &[])) {
            bad.push(format!("an instruction that no fix touched is not the same: {lost} ({rules})"));
        }
    }
    let (old, new) = (scripts(text), scripts(&done.text));
    let rewritten = Rewritten {
        name: name.to_owned(),
        before: old.difference(&new).cloned().collect(),
        after: new.difference(&old).cloned().collect(),
    };
    (bad.into_iter().map(|why| format!("{name} at {level:?}: {why}")).collect(), rewritten)
}

/// The scripts that bash cannot read, asked in one shell.
fn unreadable(scripts: &BTreeSet<&String>) -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scripts: Vec<&String> = scripts.iter().copied().collect();
    for (number, script) in scripts.iter().enumerate() {
        std::fs::write(folder.path().join(number.to_string()), script).expect("a script is written");
    }
    let each = "for script in *; do bash -n -- \"$script\" 2>/dev/null || echo \"$script\"; done";
    let output = Command::new("bash").args(["-c", each]).current_dir(folder.path()).output().expect("bash runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers = text.lines().filter_map(|line| line.parse::<usize>().ok());
    numbers.filter_map(|number| scripts.get(number)).map(|script| (*script).clone()).collect()
}

/// Files with more scripts that bash cannot read than before.
fn broken(rewritten: &[Rewritten]) -> Vec<String> {
    if !plimsoll_tests::tool("bash") {
        plimsoll_tests::skipped("no bash to read the scripts of fixed files");
        return Vec::new();
    }
    let all = rewritten.iter().flat_map(|file| file.before.union(&file.after)).collect();
    let unreadable = unreadable(&all);
    let mut bad = Vec::new();
    for file in rewritten {
        let now: Vec<&String> = file.after.intersection(&unreadable).collect();
        if now.len() > file.before.intersection(&unreadable).count() {
            bad.push(format!("{}: bash cannot read {now:?}", file.name));
        }
    }
    bad
}

#[test]
fn fixes_leave_files_whole() {
    let root = std::env::var_os("PLIMSOLL_CORPUS")
        .map_or_else(|| plimsoll_tests::repository().join("../shared/corpus/files"), PathBuf::from);
    let mut paths = files(&root);
    if paths.is_empty() {
        plimsoll_tests::skipped(&format!("no corpus in {}; fixtures only", root.display()));
    }
    let is_dockerfile = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("Dockerfile") || name.ends_with("Dockerfile")
    };
    paths.extend(files(&plimsoll_tests::fixture("")).into_iter().filter(is_dockerfile));

    let next = AtomicUsize::new(0);
    let work = || {
        let (mut bad, mut rewritten) = (Vec::new(), Vec::new());
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let source = Source::new(std::fs::read(path).expect("a readable file"));
            let mut known = HashMap::new();
            for level in [Level::Safe, Level::Unsafe] {
                let name = path.strip_prefix(&root).unwrap_or(path).display().to_string();
                let (why, scripts) = fix(&name, source.text(), level, &mut known);
                bad.extend(why);
                rewritten.push(scripts);
            }
        }
        (bad, rewritten)
    };
    let (mut bad, mut rewritten) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            let (more_bad, more_rewritten) = worker.join().expect("no panic");
            bad.extend(more_bad);
            rewritten.extend(more_rewritten);
        }
    });
    bad.extend(broken(&rewritten));
    bad.sort();
    let changed = rewritten.iter().filter(|file| !file.after.is_empty()).count();
    let _ = writeln!(
        std::io::stderr().lock(),
        "fix integrity: {} files at two levels, {changed} with rewritten RUNs, {} failures",
        paths.len(),
        bad.len()
    );
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
