//! The directions in which crates may look, and the doors that the pure ones keep shut.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_tests::{Outcome, repository};

/// Crate, what it may use of ours, what it may use of others'.
const MAY_USE: &[(&str, &[&str], &[&str])] = &[
    ("plimsoll-parser", &[], &["memchr", "nom"]),
    ("plimsoll-analyzer", &["plimsoll-parser"], &[]),
    ("plimsoll-rules", &["plimsoll-analyzer", "plimsoll-parser"], &["serde"]),
    ("plimsoll-optimizer", &["plimsoll-rules", "plimsoll-analyzer", "plimsoll-parser"], &["serde_json", "similar"]),
    ("plimsoll-runtime", &["plimsoll-analyzer", "plimsoll-parser"], ANY),
    (
        "plimsoll",
        &["plimsoll-parser", "plimsoll-analyzer", "plimsoll-rules", "plimsoll-optimizer", "plimsoll-runtime"],
        ANY,
    ),
];
const ANY: &[&str] = &["*"];

/// The crates that touch nothing: text and values in, values out.
const PURE: &[&str] = &["parser", "analyzer", "rules", "optimizer"];

const ALL: &[&str] = &["parser", "analyzer", "rules", "optimizer", "runtime", "cli", "tests"];

/// The longest a source file may be before its tests; one idea seldom needs more.
const LONGEST: usize = 750;

/// Files known to be longer, and how long they may be: a table, and one that waits to be split.
const LONGER: &[(&str, usize)] = &[("rules/src/spdx.rs", 800), ("runtime/src/plan.rs", 950)];

#[test]
fn crates_use_only_what_lies_to_their_left() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(repository());
    let metadata = Outcome::of(&mut metadata).expect(0).json();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        let Some((_, ours, others)) = MAY_USE.iter().find(|(known, ..)| *known == name) else {
            assert_eq!(name, "plimsoll-tests", "a new crate: say in this test what it may use");
            continue;
        };
        seen.insert(name.to_owned());
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("a name");
            let own = used == "plimsoll" || used.starts_with("plimsoll-");
            // What only the crate's tests use does not reach its users.
            let for_tests = dependency["kind"] == "dev";
            let fine = if own { ours.contains(&used) } else { for_tests || others == &ANY || others.contains(&used) };
            if !fine {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert_eq!(seen.len(), MAY_USE.len(), "crates found: {seen:?}");
    assert!(wrong.is_empty(), "against the direction of the crates:\n{}", wrong.join("\n"));
}

#[test]
fn pure_crates_open_nothing_and_start_nothing() {
    const DOORS: &[&str] = &["fs", "process", "env", "thread", "os"];
    // Addresses and spans of time are values; these reach out.
    const REACHING: &[&str] =
        &["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs", "Instant::now", "SystemTime::now"];
    const MACROS: &[&str] = &["print!", "println!", "eprint!", "eprintln!"];
    let all = sources(PURE);
    let only_tests: Vec<PathBuf> = all.iter().flat_map(|(path, text)| test_modules(path, text)).collect();
    let mut wrong = Vec::new();
    for (path, text) in &all {
        let shipped_file = path.components().nth(1).is_some_and(|folder| folder.as_os_str() == "src");
        if !shipped_file
            || only_tests.iter().any(|module| path.starts_with(module) || *path == module.with_extension("rs"))
        {
            continue;
        }
        for (line, code) in shipped(text) {
            let opened = DOORS.iter().any(|door| opens(code, door));
            let reached = REACHING.iter().chain(MACROS).any(|name| code.contains(name));
            if opened || reached {
                wrong.push(format!("{}:{line}: {}", path.display(), code.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "the crates {PURE:?} are pure, but:\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_stands_in_one_folder() {
    let mut wrong = Vec::new();
    for (path, text) in sources(ALL) {
        if path.starts_with("runtime/src/exec") || path.ends_with("tests/boundaries.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let words: Vec<&str> = code.split_whitespace().collect();
            let found = words.iter().position(|word| word.trim_start_matches(['(', '{', '=', '|', ',']) == "unsafe");
            if found.is_some_and(|at| matches!(words.get(at + 1), Some(&("{" | "fn" | "impl" | "extern")))) {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, code.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "`unsafe` belongs in runtime/src/exec:\n{}", wrong.join("\n"));
}

#[test]
fn a_file_holds_one_idea() {
    let all = sources(ALL);
    let shipped_lines = |text: &str| text.lines().count().min(tests_begin(text).unwrap_or(usize::MAX));
    let long: BTreeMap<_, _> = all
        .iter()
        .map(|(path, text)| (path.display().to_string(), shipped_lines(text)))
        .filter(|(path, lines)| {
            let known = LONGER.iter().find(|(file, _)| path == file);
            *lines > known.map_or(LONGEST, |(_, most)| *most)
        })
        .collect();
    assert!(long.is_empty(), "over {LONGEST} lines before its tests: {long:#?}");
}

/// Every Rust file of these crates, by its path in the repository.
fn sources(crates: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = crates.iter().map(|name| repository().join(name)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                let path = path.strip_prefix(repository()).map(Path::to_owned).expect("below the repository");
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > crates.len(), "no sources found under {crates:?}");
    found.sort();
    found
}

/// The line (from 1) where the tests of a file begin.
fn tests_begin(text: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let opens = |line: &str| line.starts_with("mod ") && line.ends_with('{');
    lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && opens(pair[1])).map(|index| index + 1)
}

/// The modules (paths without `.rs`) that a file declares for its tests alone.
fn test_modules(path: &Path, text: &str) -> Vec<PathBuf> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let stem = path.file_stem().unwrap_or_default();
    let folder = if stem == "lib" || stem == "mod" {
        path.parent().unwrap_or(Path::new("")).to_owned()
    } else {
        path.with_extension("")
    };
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]").filter_map(|pair| {
        let name = pair[1].trim_start_matches("pub(crate) ").strip_prefix("mod ")?.strip_suffix(';')?;
        Some(folder.join(name))
    });
    declared.collect()
}

/// The numbered lines that reach users: no comments, and nothing from the test module on.
fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = tests_begin(text).unwrap_or(usize::MAX);
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.take_while(move |(number, _)| *number < end).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Whether a line names the module `std::door`, also as one of several in braces.
fn opens(code: &str, door: &str) -> bool {
    let word = |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == door);
    code.match_indices("std::").any(|(at, _)| {
        let rest = &code[at + "std::".len()..];
        match rest.strip_prefix('{') {
            Some(several) => word(several.split(';').next().unwrap_or_default()),
            None => word(rest.split([':', ';', ' ', ',']).next().unwrap_or_default()),
        }
    })
}

#[test]
fn the_scan_sees_doors() {
    for code in ["use std::fs;", "use std::{fmt, fs};", "std::fs::read(path)", "use std::fs::File;"] {
        assert!(opens(code, "fs"), "{code}");
    }
    for code in ["use std::fmt;", "let fs = 1;", "use std::{fmt, iter};"] {
        assert!(!opens(code, "fs"), "{code}");
    }
}
