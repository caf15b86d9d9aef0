//! The parser against what established tools give: BuildKit's reader, checks, words and directives, and how hadolint's
//! parser reads files.
//!
//! The folder is `PLIMSOLL_CONFORMANCE`, by default `../shared/conformance` beside the workspace; where there is none
//! these tests say that they are skipped, and the project's own cases in `fixtures/syntax` still run.

mod directives;
mod fixtures;
mod hadolint;
mod parse_err;
mod parse_ok;
mod tree;
mod words;

use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;

fn folder() -> PathBuf {
    std::env::var_os("PLIMSOLL_CONFORMANCE")
        .map_or_else(|| plimsoll_tests::repository().join("../shared/conformance"), PathBuf::from)
}

/// Past libtest's capture, which would throw the count of a passing test away.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Runs every case of a file. `None` where the file is not there.
fn run(name: &str, check: impl Fn(&Value) -> Result<(), String>) -> Option<()> {
    let path = folder().join(name).with_extension("jsonl");
    let lines = std::fs::read_to_string(&path).ok()?;
    let mut total = 0;
    let mut failures = Vec::new();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let case: Value = serde_json::from_str(line).expect("a line of a conformance file is JSON");
        total += 1;
        if let Err(why) = check(&case) {
            failures.push(format!("{}: {why}", case["id"].as_str().unwrap_or_default()));
        }
    }
    say(&format!("conformance: {name} {}/{total}", total - failures.len()));
    assert!(failures.is_empty(), "{} of {total} failed:\n{}", failures.len(), failures.join("\n"));
    Some(())
}

/// Compares two JSON values and names the first difference.
fn same(what: &str, expected: &Value, got: &Value) -> Result<(), String> {
    match (expected, got) {
        (Value::Object(left), Value::Object(right)) => {
            for key in left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))) {
                let none = Value::Null;
                same(&format!("{what}.{key}"), left.get(key).unwrap_or(&none), right.get(key).unwrap_or(&none))?;
            }
            Ok(())
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            let pairs = left.iter().zip(right).enumerate();
            pairs.into_iter().try_for_each(|(index, (left, right))| same(&format!("{what}[{index}]"), left, right))
        }
        _ if expected == got => Ok(()),
        _ => Err(format!("{what}: expected {expected}, got {got}")),
    }
}

macro_rules! file {
    ($name:ident, $check:path) => {
        #[test]
        fn $name() {
            if run(stringify!($name), $check).is_none() {
                plimsoll_tests::skip!("no {}.jsonl in {}", stringify!($name), folder().display());
            }
        }
    };
}

file!(parse_ok, parse_ok::check);
file!(parse_err, parse_err::check);
file!(directives, directives::check);
file!(words, words::check);
file!(ast_hadolint, hadolint::check);
