//! Programs of several containers: proven together with the services they need, for root and for an ordinary user.

use std::path::Path;

use plimsoll_tests::{Account, Outcome, World, fixture, skip, subordinate_ids, tool};
use serde_json::Value;

/// A world with a program of `fixtures/services` in it.
fn world(account: Account, name: &str) -> Result<(World, String), String> {
    if !tool("mmdebstrap") {
        return Err("mmdebstrap is not installed".to_owned());
    }
    subordinate_ids(&account)?;
    let world = World::of(account);
    world.bases(&["busybox:latest"]);
    let folder = world.copy(&fixture("services").join(name), name);
    Ok((world, folder.to_string_lossy().into_owned()))
}

/// Runs `check` as everybody there is.
fn everybody(name: &str, check: impl Fn(&World, &str)) {
    for account in Account::all() {
        match world(account.clone(), name) {
            Ok((world, context)) => check(&world, &context),
            Err(reason) => plimsoll_tests::skipped(&format!("not as {account}: {reason}")),
        }
    }
}

#[test]
fn services_are_started_beside_every_image_and_wrong_rewrites_are_caught() {
    everybody("guestbook", |world, context| {
        let same = format!("{context}/Dockerfile");
        let candidate = |path: &str| world.run(&["optimize", context, "--verify", "--quiet", "--candidate", path]);
        let proven = candidate(&same).expect(0).says("beside each: keeper (notes)").says("14/14");
        assert!(!proven.stdout.contains("flaky"), "{proven}");
        for case in std::fs::read_dir(fixture("services/guestbook/wrong")).expect("the wrong rewrites").flatten() {
            let rewrite = case.path().join("Dockerfile");
            assert_expected(
                &case.path().join("expected"),
                candidate(&world.write("rewrite", read(&rewrite)).to_string_lossy()),
            );
        }
    });
}

#[test]
fn a_ladder_climbed_again_starts_nothing() {
    let (world, context) = match world(Account::current(), "guestbook") {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    let same = format!("{context}/Dockerfile");
    let args = ["optimize", &context, "--verify", "--quiet", "--format", "json", "--candidate", &same];
    let climb = || world.run(&args).expect(0).json();
    let rungs = |report: &Value| {
        let steps = report["steps"].as_array().expect("steps");
        let rung = |step: &Value| [&step["name"], &step["digest"], &step["agreed"]].map(ToString::to_string);
        steps.iter().filter(|step| step["outcome"] == "taken").map(rung).collect::<Vec<_>>()
    };
    let (first, again) = (climb(), climb());
    assert!(!rungs(&first).is_empty(), "{first:#}");
    assert_eq!(rungs(&again), rungs(&first));
    assert_eq!((&first["remembered"], &again["remembered"]), (&0.into(), &rungs(&first).len().into()));
    // What a service is told is part of what was proven.
    let config = Path::new(&context).join("plimsoll.toml");
    world.write("guestbook/plimsoll.toml", read(&config).replace("[[service]]", "[[service]]\nenv = { LANG = \"C\" }"));
    assert_eq!(climb()["remembered"], 0);
    world.write("guestbook/notes/seed", "zoe ");
    assert_eq!(climb()["remembered"], 0, "so is a file that it is shown");
}

#[test]
fn probes_of_the_command_line_are_in_the_certificate_and_are_asked_again() {
    let (world, context) = match world(Account::current(), "guestbook") {
        Ok(ready) => ready,
        Err(reason) => skip!("{reason}"),
    };
    let same = format!("{context}/Dockerfile");
    let proof = world.path().join("proof.json").to_string_lossy().into_owned();
    let probe = "GET :8080/asked-by-hand";
    let args = ["optimize", &context, "--verify", "--quiet", "--candidate", &same, "--probe", probe, "--proof", &proof];
    world.run(&args).expect(0);
    let verify = || world.run(&["verify", &proof, "--quiet", "--format", "json"]);
    let asked = verify().expect(0).json();
    assert!(asked["probes"].as_array().is_some_and(|names| names.contains(&probe.into())), "{asked:#}");
    let kept = read(Path::new(&proof));
    assert_eq!(kept.matches(probe).count(), 2, "asked, and among the names of all probes: {kept}");
    world.write("proof.json", kept.replacen(probe, "GET nowhere", 1));
    verify().expect(2).says("`GET nowhere` in its `asked`: a path begins with a slash");
}

#[test]
fn a_service_that_fails_is_told_with_its_last_words() {
    everybody("guestbook", |world, context| {
        let config = Path::new(context).join("plimsoll.toml");
        let text = read(&config);
        let broken = text.replace("volumes =", "command = [\"sh\", \"-c\", \"echo no disk >&2; exit 4\"]\nvolumes =");
        world.write("guestbook/plimsoll.toml", broken);
        let told = world.run(&["optimize", context, "--verify", "--quiet"]).expect(2);
        told.says("failed to start the service `keeper`").says("exited with code 4").says("no disk");
        let unknown = text.replace("service = \"keeper\"", "service = \"keepr\"");
        world.write("guestbook/plimsoll.toml", unknown);
        let told = world.run(&["optimize", context, "--verify", "--quiet"]).expect(2);
        told.says("[[probe]] number 3: no service is called `keepr`; there are keeper");
    });
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a fixture that can be read")
}

/// The first line of `expected` is the exit code, each further one stands somewhere in the output.
#[track_caller]
fn assert_expected(file: &Path, outcome: Outcome) {
    let expected = read(file);
    let mut lines = expected.lines();
    let code = lines.next().and_then(|line| line.strip_prefix("exit code ")).and_then(|code| code.parse().ok());
    let outcome = outcome.expect(code.expect("the first line is the exit code"));
    lines.fold(outcome, Outcome::says);
}
