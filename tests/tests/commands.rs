//! The command as people type it: what it prints, how it ends, and that a mistake is told with its place and its cure.

use std::path::Path;
use std::process::Command;

use plimsoll_tests::{Account, Outcome, World, busybox, network, skip};

const BASE: &str = "busybox:latest";

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn lint_says_what_and_where_and_ends_with_1() {
    let world = World::new();
    let file = world.write("a/Dockerfile", "FROM debian:12\nRUN apt-get update && apt-get install curl\n");
    let found = world.run(&["lint", "--format", "concise", &text(&file)]).expect(1);
    let place = format!("{}:2:", file.display());
    assert!(found.stdout.lines().any(|line| line.starts_with(&place) && line.contains("DL3014")), "{found}");
    world.run(&["lint", "--format", "concise", &text(&file), "--select", "DL4000"]).expect(0);
    world.run(&["lint", &text(&file), "--fail-on", "none"]).expect(0);
    world.run(&["lint", "nothing/here"]).expect(2).says("nothing/here");
    world.run(&["lint", &text(&file), "--ignore", "no-such-rule"]).expect(2).says("no-such-rule");
}

#[test]
fn lint_finds_dockerfiles_in_folders_and_leaves_out_what_git_ignores() {
    let world = World::new();
    for path in ["p/Dockerfile", "p/api.Dockerfile", "p/sub/Containerfile", "p/out/Dockerfile", "p/Dockerfile.md"] {
        world.write(path, "FROM scratch\nMAINTAINER me\n");
    }
    world.write("p/.gitignore", "out/\n");
    let found = world.run(&["lint", "--format", "json", "p"]).expect(1).json();
    let files: Vec<&str> = found["files"].as_array().expect("files").iter().filter_map(|file| file.as_str()).collect();
    assert_eq!(files, ["p/Dockerfile", "p/api.Dockerfile", "p/sub/Containerfile"]);
}

#[test]
fn every_format_of_findings_is_well_formed() {
    let world = World::new();
    let file = text(&world.write("Dockerfile", "FROM debian\nMAINTAINER \"<me> & you\"\nRUN cd /tmp\n"));
    let lint = |format: &str| world.run(&["lint", "--no-context", "--format", format, &file]).expect(1);
    let sarif = lint("sarif").json();
    assert_eq!(sarif["version"], "2.1.0");
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules").len();
    for result in sarif["runs"][0]["results"].as_array().expect("results") {
        assert!(result["ruleIndex"].as_u64().is_some_and(|index| (index as usize) < rules), "{result:#}");
        assert!(
            result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().is_some_and(|line| line > 0)
        );
    }
    let own = lint("json").json();
    let count = own["findings"].as_array().expect("findings").len();
    assert!(count >= 3, "{own:#}");
    assert_eq!(lint("hadolint-json").json().as_array().map(Vec::len), Some(count));
    assert_eq!(lint("gitlab").json().as_array().map(Vec::len), Some(count));
    assert_eq!(lint("concise").stdout.lines().count(), count);
    assert_eq!(lint("github").stdout.lines().filter(|line| line.starts_with("::")).count(), count);
    for format in ["checkstyle", "junit"] {
        let xml = lint(format).stdout;
        assert!(xml.starts_with("<?xml") && !xml.contains("<me>"), "{xml}");
    }
    assert!(lint("markdown").stdout.starts_with("| place |"));
    let shown = lint("text").stdout;
    assert!(shown.contains("RUN cd /tmp") && !shown.contains('\x1b'), "whole lines, no colours in a pipe:\n{shown}");
}

#[test]
fn fixes_are_shown_or_written_and_a_second_run_has_nothing_to_do() {
    let world = World::new();
    let before = "# keep me\nFROM debian:12\nLABEL a=1\nLABEL b=2\nRUN apt-get update && apt-get install -y curl=1\n";
    let file = world.write("Dockerfile", before);
    let shown = world.run(&["lint", "--diff", &text(&file)]).expect(1);
    assert!(shown.stdout.contains("\n-LABEL b=2"), "{shown}");
    assert_eq!(std::fs::read_to_string(&file).expect("own file"), before, "--diff changes nothing");
    world.run(&["lint", "--fix", &text(&file), "--fail-on", "none"]).expect(0);
    let after = std::fs::read_to_string(&file).expect("own file");
    assert!(after.starts_with("# keep me\nFROM debian:12\n") && after.matches("LABEL").count() == 1, "{after}");
    world.run(&["lint", "--diff", &text(&file)]).expect(0);
}

#[test]
fn parse_prints_the_tree_and_every_error() {
    let world = World::new();
    let file = text(&world.write("Dockerfile", "FROM scratch AS a\nCOPPY x /\nRUN --mont=type=cache true\n"));
    let seen = world.run(&["parse", "--format", "json", &file]).expect(1);
    let tree = seen.json();
    assert_eq!(tree["instructions"].as_array().map(Vec::len), Some(3));
    assert_eq!(tree["errors"].as_array().map(Vec::len), Some(2), "{tree:#}");
    let seen = seen.says("COPY");
    assert!(seen.stderr.contains("Dockerfile:2"), "{seen}");
}

#[test]
fn run_gives_the_programs_own_exit_code() {
    let world = busybox!();
    world.run(&["run", BASE, "sh", "-c", "echo out; echo err >&2; exit 7"]).expect(7).says("out");
    world
        .run(&["run", "-e", "A=b c", "-w", "/tmp", "-u", "33", BASE, "sh", "-c", "echo $A; pwd; id -u"])
        .expect(0)
        .says("b c\n/tmp\n33");
    world.run(&["run", BASE, "no-such-program"]).expect(127);
    world.run(&["run", BASE, "/etc"]).expect(126);
    world.run(&["run", "--init", BASE, "sh", "-c", "kill -9 $$"]).expect(137);
    let mut nowhere = world.command();
    nowhere.args(["run", "127.0.0.1:1/no/such:image"]);
    Outcome::of(&mut nowhere).expect(125).says("no/such");
}

#[test]
fn a_build_is_told_apart_by_its_mistake() {
    let world = busybox!();
    world.write("c/src/main.py", "print()\n");
    world.write("c/.dockerignore", "secret\n");
    world.write("c/secret", "x");
    let build = |text: &str| {
        world.write("c/Dockerfile", text);
        world.run(&["build", "c", "--progress", "plain"])
    };
    world.run(&["build", "nowhere"]).expect(2).says("nowhere");
    world.run(&["build", "c"]).expect(2).says("Dockerfile");
    build("FROM busybox\nRUN echo before; exit 9\n").expect(2).says("Dockerfile:2").says("exit code 9").says("before");
    build("FROM busybox\nCOPY src/man.py /\n").expect(2).says("Dockerfile:2").says("src/main.py");
    build("FROM busybox\nCOPY secret /\n").expect(2).says(".dockerignore");
    build("FROM busybox\nCOPYY a /\nRUNN b\n").expect(2).says("COPY").says("RUN");
    build("FROM 127.0.0.1:1/no/such:tag\n").expect(2).says("127.0.0.1:1/no/such:tag").says("Dockerfile:1");
    world.run(&["build", "c", "--target", "none"]).expect(2);
    build("FROM busybox\nRUN echo fine > /x\n").expect(0);
    let again = build("FROM busybox\nRUN echo fine > /x\n").expect(0);
    assert!(again.stderr.contains("(cached"), "{again}");
}

#[test]
fn a_full_disk_is_named_and_the_store_stays_usable() {
    let world = busybox!();
    if !Account::current().is_root() {
        skip!("mounting a small filesystem needs root");
    }
    let small = world.path().join("small");
    std::fs::create_dir(&small).expect("own folder");
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&small).status();
    if !mount.is_ok_and(|status| status.success()) {
        skip!("a tmpfs cannot be mounted");
    }
    let store = text(&small.join("store"));
    let layout = plimsoll_tests::repository().join(".cache/bases/busybox-latest");
    world.run(&["--store", &store, "load", "--name", BASE, "--input", &text(&layout)]).expect(0);
    world.write("c/Dockerfile", "FROM busybox\nRUN dd if=/dev/urandom of=/big bs=1M count=60\n");
    let full = world.run(&["--store", &store, "build", "c", "--progress", "plain"]);
    world.write("c/Dockerfile", "FROM busybox\nRUN echo small > /x\n");
    let small_build = world.run(&["--store", &store, "build", "c"]);
    let unmounted = Command::new("umount").arg("-l").arg(&small).status();
    full.expect(2).says("No space left on device").says("prune");
    small_build.expect(0);
    assert!(unmounted.is_ok_and(|status| status.success()));
}

#[test]
fn a_port_that_never_answers_is_said_with_what_the_program_wrote() {
    let world = busybox!();
    world.write("c/Dockerfile", "FROM busybox\nEXPOSE 8080\nCMD echo going to sleep; sleep 60\n");
    world.write("c/plimsoll.toml", "[optimize]\nready-timeout = \"2s\"\n[[probe]]\nhttp = \"GET /\"\nport = 8080\n");
    world.run(&["optimize", "c", "--verify", "--quiet"]).expect(2).says("8080").says("going to sleep");
}

#[test]
fn compare_names_what_differs_and_ends_with_3() {
    let world = busybox!();
    world.write("a/Dockerfile", "FROM busybox\nRUN echo one > /x && chmod 600 /x\nCMD [\"true\"]\n");
    world.write("b/Dockerfile", "FROM busybox\nRUN echo one > /x && chmod 644 /x\nCMD [\"false\"]\n");
    world.run(&["compare", "a", "a", "--behaviour"]).expect(0);
    let seen = world.run(&["compare", "a", "b", "--format", "json"]).expect(3).json();
    assert_eq!(seen["same"], false);
    assert_eq!(seen["comparison"]["config"][0]["subject"], "Cmd", "{seen:#}");
    assert_eq!(seen["comparison"]["tree"][0]["subject"], "/x", "{seen:#}");
    world.run(&["compare", "a", "b", "--may-change", "/x", "--may-change", "config:Cmd"]).expect(0);
    world.run(&["compare", "a", "b", "--may-change", "/x", "--may-change", "config:Cmd", "--behaviour"]).expect(3);
}

#[test]
fn images_are_listed_saved_loaded_and_removed() {
    let world = busybox!();
    let archive = text(&world.path().join("b.tar"));
    for format in ["docker-archive", "oci-archive"] {
        world.run(&["save", BASE, "--format", format, "--output", &archive]).expect(0);
        world.run(&["load", "--input", &archive, "--name", "again:1"]).expect(0).says("again:1");
        world.run(&["run", "again:1", "true"]).expect(0);
        world.run(&["rmi", "again:1"]).expect(0);
    }
    let listed = world.run(&["images", "--format", "json"]).expect(0).json();
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed:#}");
    world.run(&["prune"]).expect(0);
    world.run(&["run", BASE, "true"]).expect(0);
    world.run(&["rmi", "nothing:1"]).expect(2).says("nothing:1");
    world.run(&["inspect", BASE, "--format", "json"]).expect(0);
    world.run(&["doctor"]).expect(0);
    let told = world.run(&["doctor", "--format", "json"]).expect(0).json();
    assert_eq!((&told["version"], &told["fine"]), (&1.into(), &true.into()));
    let checks = told["checks"].as_array().expect("checks");
    assert!(checks.iter().any(|check| check["name"] == "kernel" && check["state"] == "ok"), "{told:#}");
}

#[test]
fn pull_says_quickly_that_nobody_answers() {
    let world = World::new();
    let seen = world.run(&["pull", "127.0.0.1:1/some/image:tag"]).expect(2).says("127.0.0.1:1");
    assert!(seen.took.as_secs() < 30, "{seen}");
    let _ = network();
}
