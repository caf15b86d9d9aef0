//! Findings under hadolint's codes and BuildKit's check names, against what those programs say.
//!
//! The cases stand in `PLIMSOLL_CONFORMANCE`, by default `../shared/conformance` beside the workspace; the real files in
//! `PLIMSOLL_CORPUS`, by default `../shared/corpus/files`, with the other programs' findings in the folder above it.
//! `PLIMSOLL_SHOW=DL3008` prints the files that a code disagrees on.

use plimsoll_analyzer::diagnostic::Severity;
use plimsoll_analyzer::model::{Inputs, Model};
use plimsoll_parser::dockerignore::Ignore;
use plimsoll_parser::{LineIndex, Source};
use plimsoll_rules::{LabelKind, Options, Selection, Settings, check_all};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn folder(variable: &str, default: &str) -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(default);
    std::env::var_os(variable).map_or(default, PathBuf::from)
}

fn rows(path: &Path) -> Option<Vec<Value>> {
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: {} is not there", path.display());
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).expect("a JSON object a line")).collect())
}

/// Every finding under its names in other linters, with the line they give it, sorted.
fn lint(text: &str, inputs: Inputs<'_>, settings: &Settings) -> Vec<(&'static str, u64)> {
    let file = plimsoll_parser::parse(text);
    let lines = LineIndex::new(text);
    let model = Model::new(&file, inputs);
    let mut found = Vec::new();
    for diagnostic in check_all(&model, settings) {
        let line = u64::from(lines.line(diagnostic.anchor.expect("every finding told has an anchor")));
        found.extend(diagnostic.aliases.iter().map(|alias| (*alias, line)));
    }
    found.sort_unstable();
    found
}

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// hadolint's configuration as settings.
fn settings_of(config: &Value) -> Settings {
    let mut severity = BTreeMap::new();
    for (level, codes) in config["override"].as_object().into_iter().flatten() {
        for code in strings(codes) {
            severity.insert(code, level.parse::<Severity>().expect("a severity"));
        }
    }
    let kind = |kind: &Value| LabelKind::named(kind.as_str().unwrap_or_default()).expect("a kind of label");
    let label_schema = config["label-schema"].as_object().into_iter().flatten();
    Settings {
        selection: Selection { ignore: strings(&config["ignored"]), severity, ..Selection::default() },
        options: Options {
            trusted_registries: strings(&config["trustedRegistries"]),
            label_schema: label_schema.map(|(name, value)| (name.clone(), kind(value))).collect(),
            strict_labels: config["strict-labels"].as_bool().unwrap_or_default(),
            ..Options::default()
        },
        ..Settings::default()
    }
}

fn hadolint_case(case: &Value) -> Result<(), String> {
    let rule = case["rule"].as_str().unwrap_or_default();
    let text = case["dockerfile"].as_str().unwrap_or_default();
    let found = lint(text, Inputs::default(), &settings_of(&case["config"]));
    let is_code = |alias: &str| alias.starts_with("DL") || alias.starts_with("SC");
    let matches = |alias: &str| match rule {
        "*" => is_code(alias),
        "SC*" => alias.starts_with("SC"),
        rule => alias == rule,
    };
    let lines: BTreeSet<u64> = found.iter().filter(|(alias, _)| matches(alias)).map(|(_, line)| *line).collect();
    let fires = case["fires"].as_bool().unwrap_or_default();
    if lines.is_empty() == fires {
        return Err(format!(
            "{rule} {} on {lines:?}",
            if fires { "should fire, fires" } else { "should not fire, fires" }
        ));
    }
    let wanted: BTreeSet<u64> = case["lines"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
    if fires && case["binary_disagrees"].is_null() && lines != wanted {
        return Err(format!("{rule} fires on {lines:?} instead of {wanted:?}"));
    }
    Ok(())
}

fn buildkit_case(case: &Value) -> Result<(), String> {
    let text = case["dockerfile"].as_str().unwrap_or_default();
    let ignore = case["context_files"][".dockerignore"].as_str().map(|text| Ignore::parse(text).0);
    let args = case["build_args"].as_object().into_iter().flatten();
    let inputs = Inputs {
        ignore: ignore.as_ref(),
        build_args: args.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        ..Inputs::default()
    };
    let settings = Settings { check_option: case["check_option"].as_str().map(str::to_owned), ..Settings::default() };
    let found = lint(text, inputs, &settings);
    let is_check = |alias: &str| !alias.starts_with("DL") && !alias.starts_with("SC");
    let got: Vec<(String, u64)> =
        found.into_iter().filter(|(alias, _)| is_check(alias)).map(|(alias, line)| (alias.to_owned(), line)).collect();
    let mut wanted: Vec<(String, u64)> = case["fires"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|fired| {
            (fired["rule"].as_str().unwrap_or_default().to_owned(), fired["line"].as_u64().unwrap_or_default())
        })
        .collect();
    wanted.sort();
    if got == wanted { Ok(()) } else { Err(format!("{got:?} instead of {wanted:?}")) }
}

fn run(file: &str, check: fn(&Value) -> Result<(), String>) {
    let Some(cases) = rows(&folder("PLIMSOLL_CONFORMANCE", "../shared/conformance").join(file)) else { return };
    let mut failed = Vec::new();
    for case in &cases {
        if let Err(reason) = check(case) {
            failed.push(format!("{}: {reason}", case["id"].as_str().unwrap_or_default()));
        }
    }
    println!("{file}: {} of {} passed", cases.len() - failed.len(), cases.len());
    for failure in &failed {
        println!("  {failure}");
    }
    // At most one case in a hundred, each with its reason in the documentation.
    assert!(
        failed.len() * 100 <= cases.len(),
        "{file}: {} of {} failed\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
}

#[test]
fn hadolint_cases() {
    run("lint_hadolint.jsonl", hadolint_case);
}

#[test]
fn buildkit_cases() {
    run("lint_buildkit.jsonl", buildkit_case);
}

/// How many findings of a code the other program has and we refuse to tell, each with the reason.
const EXCEPTIONS: &[(&str, usize, &str)] = &[
    ("DL3046", 1, "`useradd -u ${UID}`: the six characters of the reference are no user number of six digits"),
    ("JSONArgsRecommended", 1, "`# hadolint ignore=DL3025` above the CMD names the same rule"),
    ("SC1036", 1, "PowerShell by the SHELL in force"),
    ("SC1065", 1, "PowerShell by the SHELL in force"),
    ("SC1088", 9, "PowerShell by the SHELL in force"),
    ("SC3057", 3, "`${x:0:2}` below SHELL [\"/bin/bash\", \"-c\"]"),
];

#[derive(Default)]
struct Tally {
    both: usize,
    ours: usize,
    theirs: usize,
}

/// What a row says was found: codes with their lines, and nothing where the program gave the file up.
type Told = fn(&Value) -> Option<BTreeSet<(String, u64)>>;

fn told_by_hadolint(row: &Value) -> Option<BTreeSet<(String, u64)>> {
    let found = row["v"].as_array()?;
    if row["rc"] != 0 && found.is_empty() {
        return None;
    }
    let pair = |found: &Value| Some((found[0].as_str()?.to_owned(), found[1].as_u64()?));
    let told: BTreeSet<_> = found.iter().filter_map(pair).collect();
    (!told.iter().any(|(code, _)| code == "DL1000")).then_some(told)
}

fn told_by_buildkit(row: &Value) -> Option<BTreeSet<(String, u64)>> {
    if !row["instr_err"].is_null() || !row["llb_err"].is_null() {
        return None;
    }
    let pair = |found: &Value| Some((found["rule"].as_str()?.to_owned(), found["line"].as_u64()?));
    Some(row["warns"].as_array()?.iter().filter_map(pair).collect())
}

fn agreement(file: &str, told: Told, is_theirs: fn(&str) -> bool) {
    let files = folder("PLIMSOLL_CORPUS", "../shared/corpus/files");
    let Some(rows) = rows(&files.join("..").join(file)) else { return };
    let show = std::env::var("PLIMSOLL_SHOW").unwrap_or_default();
    let mut tally: BTreeMap<String, Tally> = BTreeMap::new();
    for row in &rows {
        let name = row["file"].as_str().unwrap_or_default();
        let Some(theirs) = told(row) else { continue };
        let Ok(bytes) = std::fs::read(files.join(name)) else { continue };
        let source = Source::new(bytes);
        let ours: BTreeSet<(String, u64)> = lint(source.text(), Inputs::default(), &Settings::default())
            .into_iter()
            .filter(|(alias, _)| is_theirs(alias))
            .map(|(alias, line)| (alias.to_owned(), line))
            .collect();
        for found in ours.union(&theirs) {
            let count = tally.entry(found.0.clone()).or_default();
            let (here, there) = (ours.contains(found), theirs.contains(found));
            let (slot, whose) = match (here, there) {
                (true, true) => (&mut count.both, ""),
                (true, false) => (&mut count.ours, "only ours"),
                _ => (&mut count.theirs, "only theirs"),
            };
            *slot += 1;
            if found.0 == show && !whose.is_empty() {
                println!("{whose}: {name}:{}", found.1);
            }
        }
    }
    println!("{:<32}{:>6}{:>6}{:>8}{:>8}", file, "both", "ours", "theirs", "agree");
    let (mut all, mut agreed) = (0, 0);
    let mut below = Vec::new();
    for (code, count) in &tally {
        let total = count.both + count.ours + count.theirs;
        let share = 100 * count.both / total.max(1);
        let least = if code.starts_with("SC") { 95 } else { 99 };
        let asked = !code.starts_with("SC") || plimsoll_rules::find(code).is_some();
        let refused = EXCEPTIONS.iter().find(|(except, ..)| except == code).map_or(0, |(_, refused, _)| *refused);
        if asked && count.both * 100 < (total - refused.min(count.theirs)) * least {
            below.push(format!("{code}: {} of {total}", count.both));
        }
        println!("{code:<32}{:>6}{:>6}{:>8}{share:>7}%", count.both, count.ours, count.theirs);
        if !code.starts_with("SC") {
            all += total;
            agreed += count.both;
        }
    }
    println!("{:<32}{agreed:>6} of {all}", "all but shell codes");
    assert!(agreed * 100 >= all * 99, "only {agreed} of {all} findings agree");
    assert!(below.is_empty(), "too few agree:\n{}", below.join("\n"));
}

#[test]
fn agreement_with_hadolint() {
    agreement("hadolint.jsonl", told_by_hadolint, |alias| alias.starts_with("DL") || alias.starts_with("SC"));
}

#[test]
fn agreement_with_buildkit() {
    agreement("buildkit.jsonl", told_by_buildkit, |alias| !alias.starts_with("DL") && !alias.starts_with("SC"));
}
