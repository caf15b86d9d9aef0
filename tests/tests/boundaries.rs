//! The directions in which crates may look, and the doors that the pure ones keep shut.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_tests::{Outcome, repository};

/// Crate, what it may use of ours, what it may use of others'.
const MAY_USE: &[(&str, &[&str], &[&str])] = &[
    ("plimsoll-parser", &[], &["nom"]),
    ("plimsoll-analyzer", &["plimsoll-parser"], &["globset"]),
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

/// The longest a source file may be; one idea seldom needs more.
const LONGEST: usize = 750;

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
    const DOORS: &[&str] = &["fs", "process", "net", "env", "thread", "os", "time"];
    const MACROS: &[&str] = &["print!", "println!", "eprint!", "eprintln!"];
    let mut wrong = Vec::new();
    for (path, text) in sources(PURE) {
        for (line, code) in shipped(&text) {
            for door in DOORS {
                if opens(code, door) && !(*door == "time" && !code.contains("Instant") && !code.contains("SystemTime"))
                {
                    wrong.push(format!("{}:{line}: std::{door}: {}", path.display(), code.trim()));
                }
            }
            if MACROS.iter().any(|name| code.trim_start().starts_with(name)) {
                wrong.push(format!("{}:{line}: prints: {}", path.display(), code.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "the crates {PURE:?} are pure, but:\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_stands_in_one_folder() {
    let mut wrong = Vec::new();
    for (path, text) in sources(&["parser", "analyzer", "rules", "optimizer", "runtime", "cli", "tests"]) {
        if path.starts_with("runtime/src/exec") || path.ends_with("tests/boundaries.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"].iter().any(|mark| code.contains(mark)) {
                wrong.push(format!("{}:{}: {}", path.display(), number + 1, code.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "`unsafe` belongs in runtime/src/exec:\n{}", wrong.join("\n"));
}

#[test]
fn a_file_holds_one_idea() {
    let all = sources(&["parser", "analyzer", "rules", "optimizer", "runtime", "cli", "tests"]);
    let long: BTreeMap<_, _> = all
        .iter()
        .map(|(path, text)| (path.display().to_string(), text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "over {LONGEST} lines: {long:#?}");
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

/// The numbered lines that reach users: no comments, and nothing from the first test module on.
fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.take_while(|(_, line)| line.trim() != "#[cfg(test)]").filter(|(_, line)| !line.trim_start().starts_with("//"))
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
