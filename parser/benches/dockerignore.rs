//! A context of 100,000 paths against 100 patterns, by path and by walk.

use divan::Bencher;
use plimsoll_parser::dockerignore::{Filter, Ignore};

fn main() {
    divan::main();
}

const DIRECTORIES: &[&str] = &[
    "src",
    "node_modules",
    "docs",
    "target",
    "tests",
    "vendor",
    "assets",
    "internal",
    "pkg",
    "build",
    "lib",
    "scripts",
];
const NAMES: &[&str] =
    &["main", "index", "README", "config", "service", "handler", "model", "util", "data", "Makefile"];
const ENDINGS: &[&str] = &["go", "js", "md", "rs", "json", "pyc", "log", "test.ts", "tmp", "yaml"];

/// Directories and files in the order of a walk: `depth` levels, files in each.
fn context() -> Vec<(String, bool)> {
    fn fill(folder: &str, depth: usize, entries: &mut Vec<(String, bool)>) {
        for (index, name) in NAMES.iter().enumerate() {
            for ending in ENDINGS.iter().skip(index % 3).step_by(2) {
                entries.push((format!("{folder}{name}.{ending}"), false));
            }
        }
        if depth == 0 {
            return;
        }
        for directory in DIRECTORIES {
            let path = format!("{folder}{directory}");
            entries.push((path.clone(), true));
            fill(&(path + "/"), depth - 1, entries);
        }
    }
    let mut entries = Vec::new();
    fill("", 4, &mut entries);
    entries.truncate(100_000);
    assert_eq!(entries.len(), 100_000);
    entries
}

/// 100 patterns as people write them.
fn usual() -> Vec<String> {
    let mut patterns: Vec<String> = [
        ".git",
        ".github",
        "**/.git",
        "**/*.log",
        "**/*.pyc",
        "**/node_modules",
        "**/__pycache__",
        "*.md",
        "!README.md",
        "docs",
        "**/.DS_Store",
        "target/",
        "build/**",
        "vendor/*/docs",
        "**/*.test.ts",
        "tests/**/data.*",
        "!tests/src/data.json",
        ".env*",
        "**/*.swp",
        "coverage",
        "Dockerfile*",
        "docker-compose*.yml",
        ".vscode",
        ".idea",
        "**/tmp?",
    ]
    .map(str::to_owned)
    .to_vec();
    while patterns.len() < 100 {
        let index = patterns.len();
        let Some(directory) = DIRECTORIES.get(index % DIRECTORIES.len()) else { break };
        patterns.push(match index % 5 {
            0 => format!("{directory}/generated{index}"),
            1 => format!("**/{directory}{index}/*.tmp"),
            2 => format!("*.ext{index}"),
            3 => format!("**/cache{index}"),
            _ => format!("{directory}/**/gen{index}_*.go"),
        });
    }
    patterns
}

/// 100 patterns for which nothing is known before they run.
fn hard() -> Vec<String> {
    (0..100)
        .map(|index| format!("**/{}*[a-z]*{}/*", char::from(b'a' + index % 5), char::from(b'p' + index % 5)))
        .collect()
}

fn matcher(patterns: &[String]) -> Ignore {
    Ignore::from_patterns(patterns.iter().map(String::as_str)).expect("patterns that the builder takes")
}

fn by_path(bencher: Bencher<'_, '_>, patterns: &[String]) {
    let ignore = matcher(patterns);
    let context = context();
    bencher.bench_local(|| context.iter().filter(|(path, _)| ignore.is_excluded(path)).count());
}

fn by_walk(bencher: Bencher<'_, '_>, patterns: &[String]) {
    let filter = Filter { include: None, exclude: Some(matcher(patterns)) };
    let context = context();
    bencher.bench_local(|| filter.select(context.iter().map(|(path, is_dir)| (path.as_str(), *is_dir))));
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn by_path_usual(bencher: Bencher<'_, '_>) {
    by_path(bencher, &usual());
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn by_path_hard(bencher: Bencher<'_, '_>) {
    by_path(bencher, &hard());
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn by_walk_usual(bencher: Bencher<'_, '_>) {
    by_walk(bencher, &usual());
}

#[divan::bench(sample_count = 20, sample_size = 1)]
fn by_walk_hard(bencher: Bencher<'_, '_>) {
    by_walk(bencher, &hard());
}
