//! Images as the builder makes them, against recordings: those of a real BuildKit, which lie outside of the repository, and
//! our own under `fixtures/build`.

mod compare;
mod dump;
mod one_id;
mod recorded;
mod safe_fixes;

use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_tests::{Account, Outcome, World, repository, skip, subordinate_ids, tool, user_namespaces};
use serde_json::Value;

/// What cannot be equal, and why.
const DIFFERENT: [(&str, &str, &str); 5] = [
    ("workdir-user", "/tmp/ls", "has the time of the recording in it"),
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

/// In a namespace of one ID the supervisor answers for all the others.
#[test]
fn as_buildkit_builds_them_with_one_id() {
    let account = match Account::ordinary() {
        Ok(account) => account,
        Err(reason) => skip!("{reason}"),
    };
    against_buildkit(World::of(account).with_one_id());
}

fn against_buildkit(world: World) {
    if let Err(reason) = world.is_possible() {
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
    if world.account() != &Account::current() {
        hand_over(&cases, world.account().uid());
    }
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
            let kept = repository().join(".cache/bases/debian-bookworm");
            if !kept.join("index.json").is_file() {
                plimsoll_tests::skipped(&format!("{name}: needs the stand-in of debian:bookworm"));
                continue;
            }
            load(&world, &kept, "debian:bookworm");
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
    // A mounted bundle is visible to `ls /`, and no recording had one.
    command.env_remove("PLIMSOLL_CA_BUNDLE");
    command
        .args(["build", "--progress=plain", "--tag"])
        .arg(format!("case/{name}"))
        .arg("--file")
        .arg(dockerfile)
        .args(args);
    // A base that the store lacks is not looked for in the world.
    command.env("HTTPS_PROXY", "").arg(context);
    command.current_dir(dockerfile.parent().expect("a folder"));
    Outcome::of(&mut command)
}

fn load(world: &World, layout: &Path, name: &str) {
    let copy = world.path().join(name.replace(':', "-"));
    Outcome::of(Command::new("cp").arg("-r").arg(layout).arg(&copy)).expect(0);
    Outcome::of(Command::new("chmod").args(["-R", "a+rX"]).arg(&copy)).expect(0);
    world.run(&["load", "--name", name, "--input", &copy.to_string_lossy()]).expect(0);
}

/// Gives everything below to this account. A change of owner takes the set-user-ID bit; it is put back.
fn hand_over(path: &Path, uid: u32) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
    let meta = std::fs::symlink_metadata(path).expect("own folder");
    lchown(path, Some(uid), Some(uid)).expect("root may");
    if meta.is_symlink() {
        return;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(meta.mode() & 0o7777)).expect("root may");
    if meta.is_dir() {
        for entry in std::fs::read_dir(path).expect("own folder") {
            hand_over(&entry.expect("an entry").path(), uid);
        }
    }
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

/// A store with a busybox as `base`, when this machine has one.
fn with_base() -> Result<World, String> {
    base_for(World::new())
}

fn base_for(world: World) -> Result<World, String> {
    user_namespaces(world.account()).and_then(|()| subordinate_ids(world.account()))?;
    let recorded = recordings().join("base-busybox");
    let made = repository().join(".cache/bases/busybox-latest");
    let layout = [recorded, made].into_iter().find(|layout| layout.join("index.json").is_file());
    load(&world, &layout.ok_or("no busybox image: make one with fixtures/bases/make busybox:latest")?, "base");
    Ok(world)
}

/// Builds a context of the world and gives the report.
fn report(world: &World, context: &str, args: &[&str]) -> Value {
    let mut command = world.command();
    // A mounted bundle is visible to `ls /`, and no recording had one.
    command.env_remove("PLIMSOLL_CA_BUNDLE");
    command.args(["build", "--format", "json", "--progress=plain"]).args(args).arg(world.path().join(context));
    Outcome::of(&mut command).expect(0).json()
}

fn cached(report: &Value) -> Vec<bool> {
    report["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter(|step| !step["bytes"].is_null())
        .map(|s| s["cached"] == true)
        .collect()
}

#[test]
fn a_step_is_done_again_only_when_what_it_reads_changed() {
    let world = match with_base() {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    world.write("c/a/one", "1");
    world.write("c/a/two", "2");
    world.write("c/other", "o");
    world.write("c/Dockerfile", "FROM base\nCOPY a /a\nARG V=1\nRUN echo $V > /v\nWORKDIR /w\nLABEL x=1\n");
    let first = report(&world, "c", &[]);
    assert_eq!(cached(&first), [false, false, false]);
    let again = report(&world, "c", &[]);
    assert_eq!(cached(&again), [true, true, true]);
    let digest = "containerimage.digest";
    assert_eq!(first[digest], again[digest], "a cached build gives the same image");

    // New times, an unused file: nothing to do.
    world.write("c/a/one", "1");
    world.write("c/other", "another");
    assert_eq!(cached(&report(&world, "c", &[])), [true, true, true]);
    // The same bytes under another store need the same steps, and an argument only what comes after it.
    assert_eq!(cached(&report(&world, "c", &["--build-arg", "V=2"])), [true, false, false]);
    // As many bytes, but others.
    world.write("c/a/two", "3");
    assert_eq!(cached(&report(&world, "c", &[])), [false, false, false]);
    world.write("c/a/two", "2");
    assert_eq!(cached(&report(&world, "c", &[])), [true, true, true]);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(world.path().join("c/a/two"), mode).expect("own file");
    assert_eq!(cached(&report(&world, "c", &[])), [false, false, false], "a mode is content");
    assert_eq!(cached(&report(&world, "c", &["--no-cache"])), [false, false, false]);
}

#[test]
fn the_same_inputs_give_the_same_bytes_in_another_store() {
    let image = || {
        let world = with_base()?;
        world.write("c/f", "content");
        world.write("c/Dockerfile", "FROM base\nCOPY f /new/dir/\nWORKDIR /made\nCOPY <<x /y/\nhello\nx\n");
        let touched = Command::new("touch").args(["-d", "@1700000000"]).arg(world.path().join("c/f")).status();
        assert!(touched.is_ok_and(|status| status.success()));
        let mut command = world.command();
        command.args(["build", "--format", "json"]).env("SOURCE_DATE_EPOCH", "1600000000");
        command.args(["--build-arg", "SOURCE_DATE_EPOCH=1600000000"]).arg(world.path().join("c"));
        Ok::<_, String>(Outcome::of(&mut command).expect(0).json()["containerimage.digest"].clone())
    };
    match (image(), image()) {
        (Ok(one), Ok(other)) => assert_eq!(one, other),
        (Err(reason), _) | (_, Err(reason)) => skip!("{reason}"),
    }
}

#[test]
fn what_is_wrong_is_told_with_file_and_line() {
    let world = match with_base() {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    let refuse = |name: &str, dockerfile: &str, words: &[&str]| {
        world.write(&format!("{name}/Dockerfile"), dockerfile);
        world.write(&format!("{name}/requirements.txt"), "flask\n");
        world.write(&format!("{name}/secret.key"), "k");
        world.write(&format!("{name}/.dockerignore"), "*.key\n");
        let mut outcome = world.run(&["build", "--progress=plain", name]).expect(2);
        // Long messages are wrapped and drawn beside; words are looked for, not lines.
        outcome.stderr = outcome.stderr.replace("│", " ").split_whitespace().collect::<Vec<_>>().join(" ");
        words.iter().fold(outcome, |outcome, word| outcome.says(word));
    };
    refuse("fails", "FROM base\nRUN true\nRUN echo was here; exit 7\n", &["Dockerfile:3", "exit code 7", "was here"]);
    refuse("typo", "FROM base\nCOPY requirement.txt /\n", &["Dockerfile:2", "did you mean requirements.txt"]);
    refuse("ignored", "FROM base\nCOPY secret.key /\n", &["Dockerfile:2", ".dockerignore leaves it out"]);
    refuse("user", "FROM base\nUSER ghost\nRUN id\n", &["Dockerfile:3", "ghost"]);
    refuse("signal", "FROM base\nSTOPSIGNAL SIGNOPE\n", &["Dockerfile:2", "invalid signal"]);
    world.run(&["build", "nowhere"]).expect(2).says("nowhere");
    // And the store is as good as before.
    world.write("good/Dockerfile", "FROM base\nRUN true\n");
    world.run(&["build", "good"]).expect(0);
}

#[test]
fn nothing_leaves_its_root() {
    let world = match with_base() {
        Ok(world) => world,
        Err(reason) => skip!("{reason}"),
    };
    world.write("outside/secret", "secret");
    world.write("c/f", "f");
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, world.path().join("c").join(name)).expect("own folder");
    };
    link("../outside", "up");
    link("/etc", "etc");
    let refuse = |dockerfile: &str| {
        world.write("c/Dockerfile", dockerfile);
        let outcome = world.run(&["build", "--progress=plain", "c"]).expect(2);
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
    };
    refuse("FROM base\nCOPY up/secret /\n");
    refuse("FROM base\nCOPY ../outside/secret /\n");
    refuse("FROM base\nCOPY etc/hostname /\n");
    refuse("FROM base\nRUN --mount=target=/m,source=up cat /m/secret\n");
    refuse(
        "FROM base AS a\nRUN ln -s ../../../../../../../../etc/hostname /l\nFROM base\nRUN rm -f /etc/hostname\nCOPY --from=a /l/../../x /\n",
    );
    world.write(
        "c/Dockerfile",
        "FROM base\nRUN ln -s /../../../../../../tmp /up && ln -s /etc /t\nCOPY f /up/plimsoll-escape\nCOPY f /t/f\n",
    );
    world.run(&["build", "--progress=plain", "-t", "stays", "c"]).expect(0);
    assert!(!Path::new("/tmp/plimsoll-escape").exists() && !Path::new("/etc/f").exists());
    let image = dump::dump(world.store(), "stays");
    assert_eq!(image["rootfs"]["/tmp/plimsoll-escape"]["type"], "file");
    assert_eq!(image["rootfs"]["/etc/f"]["type"], "file");
}
