//! Our own cases: `fixtures/build/NAME` has a `Dockerfile`, what else stands beside it, and `expected.json`, what a real
//! BuildKit made of them (`fixtures/build/record`). The context is `context`, or that of all cases, `fixtures/build/_context`;
//! `setup` then makes what a repository does not keep. `options` are more arguments, one a line. A case with a file `root`
//! is for root alone, and says why. `differs` says why an `expected.json` is not as that BuildKit had it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use plimsoll_tests::{Account, Outcome, World, fixture, skip};
use serde_json::{Value, json};

use crate::{base_for, build, compare, dump, hand_over, sorted};

/// As many builds at once.
const WORKERS: usize = 4;

#[test]
fn as_recorded_under_fixtures() {
    let world = match base_for(World::new()) {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    if let Some(folder) = std::env::var_os("PLIMSOLL_RECORD") {
        return record(&world, Path::new(&folder));
    }
    every(&world, cases());
}

#[test]
fn as_recorded_under_fixtures_without_root() {
    let account = match Account::ordinary() {
        Ok(account) if account != Account::current() => account,
        Ok(_) => skip!("{} has no root to leave", Account::current()),
        Err(reason) => skip!("{reason}"),
    };
    let world = match base_for(World::of(account)) {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    let mut cases = cases();
    cases.retain(|case| !case.join("root").exists());
    if std::env::var_os("PLIMSOLL_BUILDS_ALL").is_none() {
        cases = cases.into_iter().step_by(5).collect();
    }
    every(&world, cases);
}

/// Those named by `PLIMSOLL_ONLY`, or all.
fn cases() -> Vec<PathBuf> {
    let only = std::env::var("PLIMSOLL_ONLY").unwrap_or_default();
    let mut cases = sorted(&fixture("build"));
    cases.retain(|case| case.join("Dockerfile").exists() && name(case).contains(&only));
    cases
}

fn name(case: &Path) -> String {
    case.file_name().expect("a name").to_string_lossy().into_owned()
}

fn every(world: &World, cases: Vec<PathBuf>) {
    let base = dump::base(world.store(), "base");
    let (next, report) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let differences = differences(world, &base, case);
                    if !differences.is_empty() {
                        let text = format!("{}\n    {}", name(case), differences.join("\n    "));
                        report.lock().expect("no panic").push(text);
                    }
                }
            });
        }
    });
    let report = report.into_inner().expect("no panic");
    assert!(report.is_empty(), "{} of {} differ:\n{}", report.len(), cases.len(), report.join("\n"));
}

fn differences(world: &World, base: &dump::Base, case: &Path) -> Vec<String> {
    let name = name(case);
    let place = world.path().join("cases").join(&name);
    let context = prepare(case, &place);
    if world.account() != &Account::current() {
        hand_over(&place, world.account().uid());
    }
    // What another case made of the same bytes has that case's times.
    let mut options = options(case);
    options.push("--no-cache".to_owned());
    let outcome = build(world, &context, &place.join("Dockerfile"), &name, &options);
    let _ = std::fs::remove_dir_all(&place);
    let recorded = case.join("expected.json");
    let bless = std::env::var_os("PLIMSOLL_BLESS").is_some();
    let expected: Value = match std::fs::read_to_string(&recorded) {
        Ok(text) => serde_json::from_str(&text).expect("a recording is JSON"),
        Err(_) => json!({}),
    };
    match (outcome.code, expected["refused"] == true) {
        (0, true) if !bless => return vec!["was to be refused".to_owned()],
        (2, true) => return Vec::new(),
        (2, false) if bless => {
            write(&recorded, &json!({"refused": true}));
            return Vec::new();
        }
        (0, _) => {}
        _ => return vec![outcome.to_string()],
    }
    let actual = dump::dump_on(base, world.store(), &format!("case/{name}"));
    if bless {
        write(&recorded, &compare::reduce(&base.described, &actual));
        return Vec::new();
    }
    let mut expected = expected;
    compare::add_base(&mut expected, &base.described);
    compare::differences(&expected, &base.described, &actual)
}

fn write(recorded: &Path, value: &Value) {
    let text = serde_json::to_string_pretty(value).expect("JSON");
    std::fs::write(recorded, text + "\n").expect("the repository can be written");
}

fn options(case: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(case.join("options")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Lays a case out below `place` and gives its context. No two cases give a file of one name the same time: BuildKit takes
/// files of the same name, size and time for those of the last build.
fn prepare(case: &Path, place: &Path) -> PathBuf {
    let name = name(case);
    std::fs::create_dir_all(place).expect("own folder");
    let context = place.join(format!("{name}.context"));
    let own = case.join("context");
    let from = if own.is_dir() { own } else { fixture("build/_context") };
    Outcome::of(Command::new("cp").arg("-r").arg(from).arg(&context)).expect(0);
    for entry in std::fs::read_dir(case).expect("a case").flatten().filter(|entry| entry.path().is_file()) {
        std::fs::copy(entry.path(), place.join(entry.file_name())).expect("own folder");
    }
    let time = 1_700_000_000 + name.bytes().zip(1..).map(|(byte, at)| u64::from(byte) * at).sum::<u64>();
    let modes = "find . -type d -exec chmod 755 {} + ; find . -type f -exec chmod 644 {} + ;";
    let setup = "if [ -f ../setup ]; then sh -eu ../setup; fi;";
    let times = format!("find . -newermt @1790000000 -exec touch -h -d @{time} {{}} +");
    let script = format!("umask 022; {modes} {setup} {times}");
    Outcome::of(Command::new("sh").args(["-euc", &script]).current_dir(&context)).expect(0);
    context
}

/// Lays every case out in that folder, or writes down what a BuildKit made of it: `NAME.tar`, or `NAME.refused`.
fn record(world: &World, folder: &Path) {
    let base = dump::base(world.store(), "base");
    for case in cases() {
        let (name, place) = (name(&case), folder.join(name(&case)));
        let recorded = case.join("expected.json");
        let image = folder.join(format!("{name}.tar"));
        if case.join("differs").exists() {
            continue;
        } else if image.exists() {
            world.run(&["load", "--name", &format!("recorded/{name}"), "--input", &image.to_string_lossy()]).expect(0);
            let actual = dump::dump_on(&base, world.store(), &format!("recorded/{name}"));
            write(&recorded, &compare::reduce(&base.described, &actual));
        } else if folder.join(format!("{name}.refused")).exists() {
            write(&recorded, &json!({"refused": true}));
        } else if !place.exists() {
            prepare(&case, &place);
        }
    }
}
