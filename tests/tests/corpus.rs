//! Real Dockerfiles: every one comes back byte for byte from its tokens, and is read as BuildKit reads it.
//!
//! The folder is `PLIMSOLL_CORPUS`, by default `../shared/corpus/files` beside the workspace; what BuildKit says of its
//! files stands beside it in `buildkit.jsonl`. Where there is none, this says that it is skipped.

use plimsoll_parser::syntax::{ErrorStage, SyntaxError};
use plimsoll_parser::{LineIndex, Source, parse};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    std::env::var_os("PLIMSOLL_CORPUS")
        .map_or_else(|| plimsoll_tests::repository().join("../shared/corpus/files"), PathBuf::from)
}

/// What BuildKit says of each file.
fn verdicts(folder: &Path) -> BTreeMap<String, Value> {
    let lines = folder.parent().and_then(|parent| std::fs::read_to_string(parent.join("buildkit.jsonl")).ok());
    let read = |line: &str| serde_json::from_str::<Value>(line).ok();
    let values = lines.iter().flat_map(|lines| lines.lines()).filter_map(read);
    values.map(|value| (value["file"].as_str().unwrap_or_default().to_owned(), value)).collect()
}

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

#[test]
fn corpus() {
    let folder = folder();
    let files = files(&folder);
    if files.is_empty() {
        plimsoll_tests::skip!("no corpus in {}", folder.display());
    }
    let verdicts = verdicts(&folder);
    let mut failures = Vec::new();
    for path in &files {
        let name = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().into_owned();
        let source = Source::new(std::fs::read(path).expect("a readable file"));
        if let Err(why) = check(&source, verdicts.get(&name)) {
            failures.push(format!("{name}: {why}"));
        }
    }
    let passed = files.len() - failures.len();
    let _ =
        writeln!(std::io::stderr().lock(), "corpus: {passed}/{} ({} told by BuildKit)", files.len(), verdicts.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(source: &Source, verdict: Option<&Value>) -> Result<(), String> {
    let text = source.text();
    let file = parse(text);
    let mut at = 0;
    let mut joined = Vec::with_capacity(text.len());
    for token in file.tokens() {
        if token.range.start as usize != at || token.range.is_empty() {
            return Err(format!("a token at {:?} after {at}", token.range));
        }
        at = token.range.end as usize;
        joined.extend_from_slice(&source.bytes()[token.range.to_usize()]);
    }
    if joined != source.bytes() {
        return Err("the tokens do not give the file back".to_owned());
    }
    verdict.map_or(Ok(()), |verdict| as_buildkit(&file, text, verdict))
}

/// The same refusal at the same place, the same warnings, the same number of stages.
fn as_buildkit(file: &plimsoll_parser::Dockerfile<'_>, text: &str, verdict: &Value) -> Result<(), String> {
    let lines = LineIndex::new(text);
    let told = |name: &str| verdict[name].as_str();
    let expected = told("instr_err").or(told("llb_err")).or(told("parse_err"));
    match (expected, file.refusal()) {
        (None, None) => {}
        (None, Some(error)) => return Err(format!("line {}: {}", lines.line(error.range.start), error.message)),
        (Some(expected), None) => return Err(format!("accepted, but BuildKit says {expected}")),
        (Some(expected), Some(error)) => {
            let stage = if told("llb_err").is_some() { ErrorStage::Build } else { ErrorStage::Instruction };
            let line = format!("on line {}:", lines.line(error.range.start));
            let right_line = !expected.contains("on line ") || expected.contains(&line);
            if !expected.ends_with(&error.message) || error.stage != stage || !right_line {
                return Err(format!("{} {line} {}, but BuildKit says {expected}", error.code, error.message));
            }
        }
    }
    let count = |code: &str| file.warnings.iter().filter(|warning: &&SyntaxError| warning.code == code).count();
    let warnings = verdict["parse_warn"].as_array().map_or(0, Vec::len);
    if count("empty-continuation") != warnings {
        return Err(format!("{} warnings, but BuildKit has {warnings}", count("empty-continuation")));
    }
    let stages = file.instructions.iter().filter(|i| matches!(i.kind, plimsoll_parser::syntax::Kind::From(_))).count();
    match verdict["stages"].as_u64() {
        Some(expected) if told("instr_err").is_none() && expected != stages as u64 => {
            Err(format!("{stages} stages, but BuildKit has {expected}"))
        }
        _ => Ok(()),
    }
}
