//! The main job on real programs: the ladder climbs and ends proven, for root and for an ordinary user alike, and a
//! rewrite that breaks the program is caught.

use std::path::Path;

use plimsoll_tests::{Account, Outcome, World, fixture, network, skip, subordinate_ids, tool};
use serde_json::Value;

const DEBIAN: &[&str] = &["debian:bookworm", "debian:bookworm-slim"];

/// A world in which the inventory service can be built, or why there is none.
fn inventory(account: Account) -> Result<(World, String), String> {
    if !tool("mmdebstrap") {
        return Err("mmdebstrap is not installed".to_owned());
    }
    subordinate_ids(&account)?;
    network()?;
    let world = World::of(account).with_kept_store();
    world.bases(DEBIAN);
    let context = world.app("inventory").to_string_lossy().into_owned();
    Ok((world, context))
}

fn climb(world: &World, context: &str) -> Value {
    let climbed = world.run(&["optimize", context, "--verify", "--format", "json", "--quiet"]);
    climbed.expect(0).json()
}

fn taken(report: &Value) -> Vec<&Value> {
    let steps = report["steps"].as_array().expect("steps");
    steps.iter().filter(|step| step["outcome"] == "taken").collect()
}

fn size(of: &Value) -> u64 {
    of["size"].as_u64().expect("a size in bytes")
}

/// Name, size and digest of every step that was kept, the original first.
fn rungs(report: &Value) -> Vec<(String, u64, String)> {
    let all = std::iter::once(&report["original"]).chain(taken(report));
    all.map(|step| (step["name"].to_string(), size(step), step["digest"].to_string())).collect()
}

fn executed(report: &Value) -> u64 {
    let all = std::iter::once(&report["original"]).chain(report["steps"].as_array().expect("steps"));
    all.filter_map(|step| step["built"]["executed"].as_u64()).sum()
}

/// One after the other, since both would compile the same packages at once; the second has its own store.
#[test]
fn the_ladder_of_inventory_ends_proven_and_is_the_same_for_root_and_others() {
    let mut ladders = Vec::new();
    let mut accounts = vec![Account::current()];
    match Account::ordinary() {
        Ok(ordinary) if !accounts.contains(&ordinary) => accounts.push(ordinary),
        Ok(_) => {}
        Err(reason) => plimsoll_tests::skipped(&format!("not as an ordinary user: {reason}")),
    }
    for account in accounts {
        let (world, context) = match inventory(account.clone()) {
            Ok(ready) => ready,
            Err(reason) => {
                plimsoll_tests::skipped(&format!("not as {account}: {reason}"));
                continue;
            }
        };
        let report = climb(&world, &context);
        assert_ladder(&report, 6, 2.0);
        let ignored = report["files"]["dockerignore"].as_str().expect("an ignore file was written");
        for path in [".git", "venv"] {
            assert!(ignored.lines().any(|line| line.trim_matches('/').ends_with(path)), "{path} is not in:\n{ignored}");
        }
        let text = report["files"]["dockerfile"].as_str().expect("a Dockerfile");
        assert!(text.contains("# whom to ask"), "the author's comments are kept:\n{text}");

        // Nothing changed, so nothing is built; and what was compared can be compared again from what was written down.
        let proof = world.path().join("proof.json").to_string_lossy().into_owned();
        let again = world.run(&["optimize", &context, "--verify", "--format", "json", "--quiet", "--proof", &proof]);
        let again = again.expect(0).json();
        let verified = world.run(&["verify", &proof, "--format", "json", "--quiet"]).expect(0).json();
        assert_eq!((&verified["same"], &verified["files"]), (&Value::from(true), &Value::from("original")));
        assert_eq!(verified["after"]["digest"], report["result"]["digest"]);
        assert_eq!(rungs(&again), rungs(&report), "two runs, one ladder");
        assert_eq!(executed(&again), 0, "instructions carried out in a second run");
        ladders.push((account, report));
    }
    if let [(first, a), (second, b)] = &ladders[..] {
        let sizes = |report: &Value| rungs(report).into_iter().map(|(name, size, _)| (name, size)).collect::<Vec<_>>();
        assert_eq!(sizes(a), sizes(b), "sizes for {first} and for {second}");
    }
}

#[track_caller]
fn assert_ladder(report: &Value, probes: usize, factor: f64) {
    assert_eq!(report["result"]["verified"], true, "{report:#}");
    assert!(report["probes"].as_array().is_some_and(|asked| asked.len() >= probes), "{:#}", report["probes"]);
    assert!(report["result"]["factor"].as_f64().is_some_and(|reached| reached >= factor), "{:#}", report["result"]);
    let mut before = size(&report["original"]);
    for step in taken(report) {
        let agreed = step["agreed"].as_array().expect("checks that agreed");
        assert_eq!(agreed[0], agreed[1], "{step:#}");
        assert!(agreed[1].as_u64().is_some_and(|asked| asked as usize >= probes), "{step:#}");
        assert!(size(step) <= before + (64 << 10), "a step that is kept costs next to nothing: {step:#}");
        before = size(step);
    }
    assert_eq!(size(&report["result"]), before);
}

#[test]
fn wrong_rewrites_are_caught_and_named() {
    let (world, context) = match inventory(Account::current()) {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    for case in std::fs::read_dir(fixture("wrong")).expect("the wrong rewrites").flatten() {
        let candidate = case.path().join("Dockerfile");
        if !candidate.is_file() {
            continue;
        }
        let candidate = candidate.to_string_lossy();
        let outcome = world.run(&["optimize", &context, "--verify", "--quiet", "--candidate", &candidate]);
        assert_expected(&case.path().join("expected"), outcome);
    }
}

/// The first line of `expected` is the exit code, each further one stands somewhere in the output.
#[track_caller]
fn assert_expected(file: &Path, outcome: Outcome) {
    let expected = std::fs::read_to_string(file).expect("what is expected");
    let mut lines = expected.lines();
    let code = lines.next().and_then(|line| line.strip_prefix("exit code ")).and_then(|code| code.parse().ok());
    let outcome = outcome.expect(code.expect("the first line is the exit code"));
    for line in lines {
        assert!(
            outcome.stdout.contains(line) || outcome.stderr.contains(line),
            "{} wants {line:?}\n{outcome}",
            file.display()
        );
    }
}

/// A certificate about other files, or of another program, is worth nothing and says so.
#[test]
fn a_certificate_that_does_not_fit_is_refused() {
    let (world, context) = match inventory(Account::current()) {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    let proof = world.path().join("proof.json");
    let name = proof.to_string_lossy().into_owned();
    let only = ["--only", "caches-removed"];
    world.run(&[&["optimize", &context, "--verify", "--quiet", "--proof", &name][..], &only].concat()).expect(0);
    let text = std::fs::read_to_string(&proof).expect("the certificate was written");

    // A result that serves another page is not the same program, whatever the certificate says.
    let mut forged: Value = serde_json::from_str(&text).expect("JSON");
    let worse =
        forged["result"]["dockerfile"].as_str().expect("a Dockerfile").to_owned() + "\nENV FLASK_APP=other.py\n";
    forged["result"]["dockerfile"] = worse.into();
    std::fs::write(&proof, forged.to_string()).expect("own folder");
    let forged = world.run(&["verify", &name, "--rebuild", "--quiet"]).expect(3);
    assert!(forged.stdout.contains("FLASK_APP"), "{forged}");

    // The author went on after the proof.
    std::fs::write(&proof, text).expect("own folder");
    let dockerfile = Path::new(&context).join("Dockerfile");
    let changed = std::fs::read_to_string(&dockerfile).expect("a Dockerfile") + "# and then\n";
    std::fs::write(&dockerfile, changed).expect("own folder");
    let stale = world.run(&["verify", &name, "--quiet"]).expect(1);
    assert!(stale.stdout.contains("proves nothing of them"), "{stale}");

    std::fs::write(&proof, "{\"version\": 9}").expect("own folder");
    let newer = world.run(&["verify", &name]).expect(2);
    assert!(newer.stderr.contains("version is 9"), "{newer}");
}

#[test]
fn the_same_rewrite_raises_no_alarm() {
    let (world, context) = match inventory(Account::current()) {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    let same = format!("{context}/Dockerfile");
    world.run(&["optimize", &context, "--verify", "--quiet", "--candidate", &same]).expect(0);
}
