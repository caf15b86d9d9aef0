//! Real files of strangers: fixes and moves keep them parsing and end at a fixed point.
//!
//! `PLIMSOLL_CORPUS` names a folder of Dockerfiles; where there is none, nothing is tried, and that is said.

use plimsoll_analyzer::context::{Entry, Listing};
use plimsoll_analyzer::diagnostic::Applicability;
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_optimizer::converge::Outcome;
use plimsoll_optimizer::moves::{self, Input};
use plimsoll_optimizer::{Files, Level, apply, converge};
use plimsoll_parser::syntax::Kind;
use plimsoll_rules::{Settings, check_all};
use std::path::{Path, PathBuf};

fn corpus() -> Vec<(PathBuf, String)> {
    let root = std::env::var_os("PLIMSOLL_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/files"), PathBuf::from);
    let mut found = Vec::new();
    gather(&root, &mut found);
    found.sort();
    if found.is_empty() {
        eprintln!("no corpus at {}: nothing was tried", root.display());
    }
    found
}

fn gather(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, plimsoll_parser::Source::new(bytes).text().to_owned()));
        }
    }
}

fn check(text: &str) -> Vec<plimsoll_analyzer::diagnostic::Diagnostic> {
    let file = plimsoll_parser::parse(text);
    check_all(&Model::new(&file, Inputs::default()), &Settings::default())
}

/// Keywords of everything that is not layout: RUNs that are chained and labels that are joined may become fewer.
fn shape(text: &str) -> Vec<String> {
    let file = plimsoll_parser::parse(text);
    let fixed = |kind: &Kind<'_>| {
        !matches!(kind, Kind::Run(_) | Kind::Label(_) | Kind::Maintainer(_) | Kind::Add(_) | Kind::Copy(_))
    };
    let kept = file.instructions.iter().filter(|instruction| fixed(&instruction.kind));
    kept.map(|instruction| instruction.keyword.to_ascii_uppercase()).collect()
}

#[test]
fn fixes_settle_and_keep_files_parsing() {
    let mut bad = Vec::new();
    let mut fixed = 0;
    for (path, text) in corpus() {
        for level in [Level::Safe, Level::Unsafe] {
            let done = converge(&text, &mut check, level);
            match &done.outcome {
                Outcome::UndoneBecause { rules, reason } => {
                    bad.push(format!("{}: {reason} ({})", path.display(), rules.join(", ")));
                    continue;
                }
                Outcome::Unchanged => continue,
                Outcome::Fixed => fixed += 1,
            }
            let again = apply(&done.text, &check(&done.text), level);
            if again.text != done.text {
                bad.push(format!("{}: not at a fixed point", path.display()));
            }
            if level == Level::Safe && shape(&done.text) != shape(&text) {
                bad.push(format!(
                    "{}: instructions changed by safe fixes of {}",
                    path.display(),
                    done.ledger.rules().join(", ")
                ));
            }
        }
    }
    println!("{fixed} files fixed");
    assert!(bad.is_empty(), "{} of them:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn every_fix_alone_keeps_files_parsing() {
    let mut bad = Vec::new();
    for (path, text) in corpus() {
        let before = plimsoll_parser::parse(&text).errors.len();
        for diagnostic in check(&text) {
            let Some(fix) = diagnostic.fix.clone().filter(|fix| fix.applicability() != Applicability::Manual) else {
                continue;
            };
            let rule = diagnostic.rule;
            let alone = apply(&text, &[diagnostic], Level::Unsafe).text;
            if alone == text || plimsoll_parser::parse(&alone).errors.len() > before {
                bad.push(format!("{}: {rule} ({})", path.display(), fix.title()));
            }
        }
    }
    assert!(bad.is_empty(), "{} of them:\n{}", bad.len(), bad.join("\n"));
}

#[test]
fn moves_keep_files_parsing_and_are_done_once() {
    let mut bad = Vec::new();
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    let files = [
        ("requirements.txt", "flask==3.0.3\n"),
        ("package.json", "{\"name\": \"x\"}"),
        ("package-lock.json", "{}"),
        ("Gemfile", "gem 'puma'\n"),
        ("go.mod", "module example.com/x\n"),
        ("main.go", "package main\nfunc main() {}\n"),
        (".git/HEAD", "x"),
        ("node_modules/x/index.js", "x"),
    ];
    let mut entries: Vec<Entry> = files.iter().map(|(path, text)| Entry::file(*path, text.len() as u64)).collect();
    entries.extend([".git", "node_modules", "node_modules/x"].map(Entry::dir));
    let listing = Listing::new(entries);
    let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
    for (path, text) in corpus() {
        let before = plimsoll_parser::parse(&text).errors.len();
        let mut current = Files::new(text);
        for step in moves::ALL {
            let input = Input {
                files: &current,
                listing: &listing,
                read: &read,
                available: &|_| true,
                base: &|_| None,
                made: &|_| None,
            };
            let Ok(made) = step.apply(&input) else { continue };
            if made.files == current {
                continue;
            }
            *counts.entry(step.name()).or_default() += 1;
            if let Some(error) = plimsoll_parser::parse(&made.files.dockerfile).errors.get(before) {
                bad.push(format!("{}: {}: {}\n{}", path.display(), step.name(), error.message, made.files.dockerfile));
                continue;
            }
            let input = Input { files: &made.files, ..input };
            if step.apply(&input).is_ok_and(|again| again.files != made.files) {
                bad.push(format!("{}: {} is not done once", path.display(), step.name()));
            }
            current = made.files;
        }
    }
    println!("{counts:?}");
    assert!(bad.is_empty(), "{} of them:\n{}", bad.len(), bad.join("\n"));
}
