//! Images as the builder makes them, against recordings: those of a real BuildKit, which lie outside of the repository, and
//! our own under `fixtures/build`.

mod compare;
mod dump;

use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_tests::{Account, Outcome, World, repository, skip, subordinate_ids, tool, user_namespaces};
use serde_json::Value;

/// What cannot be equal, and why.
const DIFFERENT: [(&str, &str, &str); 4] = [
    ("run-env", "/env", "variables of the recording machine's proxy"),
    ("run-env", "/dev.lst", "BuildKit shows its telemetry socket and has no /dev/core"),
    ("run-env", "/mounts", "the sandbox's own mounts"),
    ("run-env", "/stdin", "a pipe there, /dev/null here; both are empty"),
];

/// Where the recordings of a real BuildKit are.
fn recordings() -> PathBuf {
    match std::env::var_os("PLIMSOLL_CONFORMANCE_BUILD") {
        Some(path) => PathBuf::from(path),
        None => repository().join("../shared/conformance_build"),
    }
}

#[test]
fn as_buildkit_builds_them() {
    against_buildkit(World::new());
}

#[test]
fn as_buildkit_builds_them_without_root() {
    let account = match Account::ordinary() {
        Ok(account) => account,
        Err(reason) => skip!("{reason}"),
    };
    against_buildkit(World::of(account));
}

fn against_buildkit(world: World) {
    if let Err(reason) = user_namespaces(world.account()).and_then(|()| subordinate_ids(world.account())) {
        skip!("{reason}");
    }
    let recordings = recordings();
    if !recordings.join("expected").is_dir() {
        skip!("no recordings in {}: name them with PLIMSOLL_CONFORMANCE_BUILD", recordings.display());
    }
    if !tool("python3") {
        skip!("python3 makes the contexts");
    }
    let cases = world.path().join("cases");
    let mut make = Command::new("python3");
    make.arg(recordings.join("mkprobes.py")).arg(&cases).arg("base-busybox").env("PYTHONDONTWRITEBYTECODE", "1");
    Outcome::of(&mut make).expect(0);
    load(&world, &recordings.join("base-busybox"), "base-busybox");
    let base = dump::dump(world.store(), "base-busybox");
    let only = std::env::var("PLIMSOLL_ONLY").unwrap_or_default();
    let (mut equal, mut report) = (0, Vec::new());
    for case in sorted(&cases) {
        let name = case.file_name().expect("a name").to_string_lossy().into_owned();
        if !name.contains(&only) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(recordings.join(format!("expected/{name}.json"))) else { continue };
        let expected: Value = serde_json::from_str(&text).expect("a recording is JSON");
        let dockerfile = std::fs::read_to_string(case.join("Dockerfile")).expect("a Dockerfile");
        if dockerfile.contains("debian:bookworm") {
            if !repository().join(".cache/bases/debian-bookworm").is_dir() {
                plimsoll_tests::skipped(&format!("{name}: needs the stand-in of debian:bookworm"));
                continue;
            }
            world.bases(&["debian:bookworm"]);
            let own = dockerfile.replace("127.0.0.1:5000/debian:bookworm", "debian:bookworm");
            std::fs::write(case.join("Dockerfile"), own).expect("own folder");
        }
        let case_json: Value =
            serde_json::from_str(&std::fs::read_to_string(case.join("case.json")).expect("case.json")).expect("JSON");
        let args: Vec<String> = case_json["args"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("--build-arg={name}={}", value.as_str().unwrap_or_default()))
            .collect();
        let outcome = build(&world, &case.join("ctx"), &case.join("Dockerfile"), &name, &args);
        let differences = judge(&world, &name, &expected, &base, &outcome);
        if differences.is_empty() {
            equal += 1;
        } else {
            report.push(format!("{name}\n    {}", differences.join("\n    ")));
        }
    }
    assert!(report.is_empty(), "{equal} equal, {} not:\n{}", report.len(), report.join("\n"));
}

fn judge(world: &World, name: &str, expected: &Value, base: &Value, outcome: &Outcome) -> Vec<String> {
    let refused = expected["refused"].as_bool().unwrap_or(false);
    match (outcome.code, refused) {
        (0, true) => return vec!["was to be refused".to_owned()],
        (0, false) => {}
        (2, true) => return Vec::new(),
        _ => return vec![outcome.to_string()],
    }
    let actual = dump::dump(world.store(), &format!("case/{name}"));
    let mut differences = compare::differences(expected, base, &actual);
    differences.retain(|line| {
        !DIFFERENT.iter().any(|(case, path, _)| *case == name && line.split([' ', ':']).next() == Some(path))
    });
    differences
}

fn build(world: &World, context: &Path, dockerfile: &Path, name: &str, args: &[String]) -> Outcome {
    let mut command = world.command();
    command
        .args(["build", "--progress=plain", "--tag"])
        .arg(format!("case/{name}"))
        .arg("--file")
        .arg(dockerfile)
        .args(args);
    // A base that the store lacks is not looked for in the world.
    command.env("HTTPS_PROXY", "").arg(context);
    Outcome::of(&mut command)
}

fn load(world: &World, layout: &Path, name: &str) {
    let copy = world.path().join("base");
    Outcome::of(Command::new("cp").arg("-r").arg(layout).arg(&copy)).expect(0);
    Outcome::of(Command::new("chmod").args(["-R", "a+rX"]).arg(&copy)).expect(0);
    world.run(&["load", "--name", name, "--input", &copy.to_string_lossy()]).expect(0);
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}
