//! `.dockerignore` against the cases that moby's patternmatcher, fsutil and docker-py state, or were seen to give.
//!
//! The folder is `PLIMSOLL_CONFORMANCE`, by default `../shared/conformance` beside the workspace. The project's own cases in
//! `fixtures/dockerignore` have the same form and always run.

use plimsoll_parser::dockerignore::{Filter, Ignore, PatternError, Walker, lines};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What a walk says about a path: every directory above it is entered first.
fn walk(mut walker: Walker<'_>, path: &str) -> Result<bool, PatternError> {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
    let (last, above) = names.split_last().unwrap_or((&"", &[]));
    for name in above {
        walker.visit(name, true)?;
        walker.enter(name);
    }
    Ok(walker.visit(last, false)? != plimsoll_parser::dockerignore::Verdict::Keep)
}

fn check(case: &Value) -> Result<(), String> {
    let expect = |what: &str, expected: &Value, got: Value| {
        if *expected == got { Ok(()) } else { Err(format!("{what}: expected {expected}, got {got}")) }
    };
    let patterns = strings(&case["patterns"]);
    let outcome = |result: Result<Value, PatternError>| result.unwrap_or_else(|error| Value::from(error.to_string()));
    let error = case["error"].as_str();
    let compare = |what: &str, expected: &Value, got: Result<Value, PatternError>| match (error, got) {
        (Some(error), Err(got)) if got.to_string().contains(error) => Ok(()),
        (Some(error), got) => Err(format!("{what}: expected the error {error:?}, got {}", outcome(got))),
        (None, got) => expect(what, expected, outcome(got)),
    };
    match case["kind"].as_str().unwrap_or_default() {
        "match" => {
            let path = case["path"].as_str().unwrap_or_default();
            let ignore = Ignore::from_patterns(patterns.iter().copied());
            let tested = ignore.clone().and_then(|ignore| ignore.test(path)).map(Value::from);
            compare("excluded", &case["excluded"], tested)?;
            let walked = ignore.and_then(|ignore| walk(ignore.walker(), path)).map(Value::from);
            match &case["excluded_walk"] {
                // Where no walk is told of, it gives the same answer, as far as such a path can be walked to.
                Value::Null if path.starts_with('/') || path.ends_with('/') || path.contains("..") || path == "." => {
                    Ok(())
                }
                Value::Null => compare("excluded by walking", &case["excluded"], walked),
                expected => compare("excluded by walking", expected, walked),
            }
        }
        "compile" => {
            let ignore = Ignore::from_patterns(patterns.iter().copied()).map_err(|error| error.to_string())?;
            expect("kept", &case["kept"], ignore.patterns().len().into())?;
            expect("exceptions", &case["exceptions"], ignore.has_exceptions().into())
        }
        "file" | "file-match" => {
            let content = case["content"].as_str().unwrap_or_default();
            let read: Vec<String> = lines(content).into_iter().map(|line| line.text).collect();
            if !case["patterns"].is_null() {
                expect("patterns", &case["patterns"], Value::from(read))?;
            }
            let (ignore, errors) = Ignore::parse(content);
            if let Some(error) = error {
                return if errors.iter().any(|found| found.message.contains(error)) {
                    Ok(())
                } else {
                    Err(format!("expected the error {error:?}, got {errors:?}"))
                };
            }
            for (paths, excluded) in [("excluded_paths", true), ("kept_paths", false)] {
                for path in strings(&case[paths]) {
                    let got = walk(ignore.walker(), path).map_err(|error| error.to_string())?;
                    expect(path, &Value::from(excluded), got.into())?;
                }
            }
            if errors.is_empty() { Ok(()) } else { Err(format!("unexpected {errors:?}")) }
        }
        "tree" => {
            let patterns_of = |key: &str| match &case[key] {
                Value::Null => Ok(None),
                list => Ignore::from_patterns(strings(list)).map(Some),
            };
            let filter = patterns_of("include")
                .and_then(|include| Ok(Filter { include, exclude: patterns_of("patterns")? }))
                .map_err(|error| error.to_string())?;
            let mut tree: Vec<(&str, bool)> = strings(&case["tree"])
                .iter()
                .filter_map(|entry| entry.split_once(' ').map(|(kind, path)| (path, kind == "dir")))
                .collect();
            tree.sort_by_key(|(path, _)| path.split('/').collect::<Vec<_>>());
            let kept = filter.select(tree.iter().copied()).map_err(|error| error.to_string())?;
            let listing: Vec<String> = tree
                .iter()
                .zip(kept)
                .filter(|(_, kept)| *kept)
                .map(|((path, is_dir), _)| format!("{} {path}", if *is_dir { "dir" } else { "file" }))
                .collect();
            expect("listing", &case["listing"], listing.into())
        }
        kind => Err(format!("unknown kind {kind:?}")),
    }
}

/// Runs the cases of one file; says how many there are and which failed.
fn run(path: &Path) -> (usize, Vec<String>) {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("failed to read {}: {error}", path.display()));
    let mut failed = Vec::new();
    let mut total = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).expect("a case is JSON");
        total += 1;
        if let Err(reason) = check(&case) {
            failed.push(format!("{}: {reason}\n    {line}", case["id"].as_str().unwrap_or_default()));
        }
    }
    println!("{}: {}/{total} passed", path.file_name().unwrap_or_default().to_string_lossy(), total - failed.len());
    (total, failed)
}

#[test]
fn shared_cases() {
    let folder = std::env::var_os("PLIMSOLL_CONFORMANCE")
        .map_or_else(|| workspace().join("../shared/conformance"), PathBuf::from);
    let path = folder.join("dockerignore.jsonl");
    if !path.exists() {
        println!("skipped: no dockerignore.jsonl in {}", folder.display());
        return;
    }
    let (total, failed) = run(&path);
    assert!(total > 0);
    assert!(failed.is_empty(), "{} of {total} failed:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn own_cases() {
    let (total, failed) = run(&workspace().join("fixtures/dockerignore/cases.jsonl"));
    assert!(total > 0);
    assert!(failed.is_empty(), "{} of {total} failed:\n{}", failed.len(), failed.join("\n"));
}
