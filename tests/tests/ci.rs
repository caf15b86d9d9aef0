//! What CI does with us: the steps of the action and the script of GitLab's template, as they stand in their files, run on
//! a repository: green, then red with a regression that is blamed on its line.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use plimsoll_tests::{Archive, Item, Outcome, World, binary, item, noise, repository};

const DOCKERFILE: &str =
    "FROM debian:12-slim\nRUN make -C /src install\nCOPY app /app/\nUSER 1000\nCMD [\"/app/run\"]\n";

/// An image of that Dockerfile, with more in the layer of line 3.
fn image(world: &World, more: Vec<Item>) {
    let app = [item("app/run", noise(3, 90_000))].into_iter().chain(more);
    Archive::new()
        .layer("/bin/sh -c #(nop) ADD file:1 in / ", [item("bin/sh", noise(1, 200_000))])
        .empty("CMD [\"bash\"]")
        .layer("RUN /bin/sh -c make -C /src install # buildkit", [item("usr/bin/tool", noise(2, 50_000))])
        .layer("COPY app /app/ # buildkit", app)
        .write(&world.path().join("app.tar"), "app:1");
}

/// A repository with a budget, its baseline, and nothing to find.
fn project() -> World {
    let world = World::new();
    world.write("Dockerfile", DOCKERFILE);
    world.write(".dockerignore", "app.tar\nplimsoll.*\n");
    world.write("app/run", noise(3, 90_000));
    world.write(
        "plimsoll.toml",
        "[budget]\nmax-growth = \"2%\"\n[[budget.image]]\nname = \"app\"\nimage = \"app.tar\"\nfile = \"Dockerfile\"\n",
    );
    image(&world, Vec::new());
    world.run(&["gate", "--update-baseline"]).expect(0);
    world
}

fn program(world: &World, name: &str, text: &str) {
    let path = world.write(&format!("bin/{name}"), text);
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("own file");
}

/// A shell of a CI job: our command and the programs of `bin` on the PATH.
fn shell(world: &World, script: &str, env: &BTreeMap<String, String>) -> Outcome {
    let mut shell = world.program("bash");
    let folder = binary().parent().expect("a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    shell.env("PATH", format!("{}:{}:{path}", world.path().join("bin").display(), folder.display()));
    for name in ["GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_PATH"] {
        shell.env_remove(name);
    }
    shell.args(["-eo", "pipefail", "-c", script]).envs(env);
    Outcome::of(&mut shell)
}

/// The steps of action.yml that run something: name, environment, script.
struct Action {
    defaults: BTreeMap<String, String>,
    steps: Vec<(String, BTreeMap<String, String>, String)>,
}

impl Action {
    fn read() -> Self {
        let text = std::fs::read_to_string(repository().join("action.yml")).expect("the action");
        let value = |text: &str| text.trim().trim_matches(['"', '\'']).to_owned();
        let (inputs, steps) = text.split_once("\nruns:").expect("inputs, then steps");
        let mut defaults = BTreeMap::new();
        let mut input = String::new();
        for line in inputs.lines() {
            match line.trim_start().split_once(':') {
                Some((name, "")) => input = name.to_owned(),
                Some(("default", text)) => drop(defaults.insert(input.clone(), value(text))),
                _ => {}
            }
        }
        let steps = steps.split("\n    - name: ").skip(1).map(|step| {
            let name = step.lines().next().expect("a name").to_owned();
            let in_env = step.lines().skip_while(|line| line.trim() != "env:").skip(1);
            let env =
                in_env.take_while(|line| line.starts_with("        ")).filter_map(|line| line.trim().split_once(": "));
            let env = env.map(|(name, text)| (name.to_owned(), value(text))).collect();
            let run = step.lines().find_map(|line| line.trim().strip_prefix("run: ")).unwrap_or_default();
            (name, env, run.trim_matches('\'').to_owned())
        });
        Self { steps: steps.collect(), defaults }
    }

    /// Runs a step as GitHub would on a pull request, with the outputs of the step before.
    fn run(&self, world: &World, step: &str, outputs: &BTreeMap<String, String>) -> Outcome {
        let (_, env, script) = self.steps.iter().find(|(name, ..)| name == step).expect("a step");
        let filled = |text: &str| match text.strip_prefix("${{ ").and_then(|text| text.strip_suffix(" }}")) {
            None => text.to_owned(),
            Some("github.event.pull_request.number") => "7".to_owned(),
            Some(name) => match (name.strip_prefix("inputs."), name.strip_prefix("steps.run.outputs.")) {
                (Some(input), _) => self.defaults.get(input).cloned().unwrap_or_else(|| panic!("no input {input}")),
                (_, Some(output)) => outputs.get(output).cloned().unwrap_or_default(),
                _ => panic!("no such value: {name}"),
            },
        };
        let mut env: BTreeMap<String, String> = env.iter().map(|(name, text)| (name.clone(), filled(text))).collect();
        let at = |name: &str| world.path().join(name).display().to_string();
        for (name, value) in [
            ("GITHUB_ACTIONS", "true".to_owned()),
            ("GITHUB_ACTION_PATH", repository().display().to_string()),
            ("GITHUB_OUTPUT", at("plimsoll.outputs")),
            ("GITHUB_STEP_SUMMARY", at("plimsoll.summary")),
            ("GITHUB_PATH", at("plimsoll.path")),
            ("GITHUB_REPOSITORY", "team/app".to_owned()),
            ("RUNNER_TEMP", at("plimsoll.temp")),
        ] {
            env.insert(name.to_owned(), value);
        }
        shell(world, script, &env)
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The job: what it found, and the comment as the forge has it now.
fn job(action: &Action, world: &World) -> (BTreeMap<String, String>, Outcome, String) {
    world.write("plimsoll.outputs", "");
    let check = action.run(world, "Lint and gate", &BTreeMap::new()).expect(0);
    let outputs = read(&world.path().join("plimsoll.outputs"));
    let outputs: BTreeMap<String, String> =
        outputs.lines().filter_map(|line| line.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    action.run(world, "Comment", &outputs).expect(0);
    (outputs, check, read(&world.path().join("plimsoll.comment")))
}

/// `gh` with one pull request, whose comments are files.
const GH: &str = r#"#!/usr/bin/env bash
set -eu
echo "$*" >>plimsoll.gh
case "$*" in
  *--paginate*repos/team/app/issues/7/comments*) [ ! -f plimsoll.comment ] || echo 41 ;;
  *POST*repos/team/app/issues/7/comments*) [ ! -f plimsoll.comment ] ;;
  *PATCH*repos/team/app/issues/comments/41*) ;;
  *) exit 1 ;;
esac
for word; do case $word in body=@*) cp "${word#body=@}" plimsoll.comment ;; esac; done
"#;

#[test]
fn the_action_comments_with_the_line_to_blame() {
    let (world, action) = (project(), Action::read());
    program(&world, "gh", GH);
    let (outputs, _, comment) = job(&action, &world);
    assert_eq!(outputs.get("passed").map(String::as_str), Some("true"), "{outputs:?}");
    assert!(comment.contains("Image gate: passed"), "{comment}");
    image(&world, vec![item("app/model.bin", noise(9, 1_000_000))]);
    world.write("Dockerfile", DOCKERFILE.replace("make -C", "sudo make -C"));
    let (outputs, check, comment) = job(&action, &world);
    assert_eq!(outputs.get("passed").map(String::as_str), Some("false"), "{outputs:?}");
    assert!(comment.contains("is line 3: COPY app /app/") && comment.contains("/app/model.bin"), "{comment}");
    // The finding stands on its line, and in the report for code scanning.
    assert!(
        check.stdout.lines().any(|line| line.starts_with("::") && line.contains("file=Dockerfile,line=2,")),
        "{check}"
    );
    let sarif = read(&world.path().join(&outputs["sarif"]));
    assert!(sarif.contains("\"startLine\": 2"), "{sarif}");
    assert!(read(&world.path().join("plimsoll.summary")).contains("is line 3: COPY app /app/"));
    action.run(&world, "Verdict", &outputs).expect(1);
    // One comment, written anew, however often the job runs.
    let asked = read(&world.path().join("plimsoll.gh"));
    let count = |word: &str| asked.lines().filter(|line| line.contains(word)).count();
    assert_eq!((count("POST"), count("PATCH")), (1, 1), "{asked}");
    // What cannot be measured is no verdict.
    std::fs::remove_file(world.path().join("app.tar")).expect("own file");
    action.run(&world, "Lint and gate", &BTreeMap::new()).expect(2).says("app.tar");
}

#[test]
fn the_action_installs_a_release_and_refuses_a_changed_one() {
    let (world, action) = (World::new(), Action::read());
    program(
        &world,
        "curl",
        "#!/usr/bin/env bash\nset -eu\nfor word; do case $word in https://*) cp \"$RELEASE/${word##*/}\" . ;; esac; done\n",
    );
    world.write("release/plimsoll", "#!/bin/sh\necho plimsoll 9.9.9\n");
    std::fs::set_permissions(world.path().join("release/plimsoll"), PermissionsExt::from_mode(0o755))
        .expect("own file");
    let pack = "cd release && n=plimsoll-$(uname -m)-unknown-linux-musl.tar.gz && tar -czf $n plimsoll && sha256sum $n >$n.sha256";
    shell(&world, pack, &BTreeMap::new()).expect(0);
    let script = format!("export RELEASE={}/release; ", world.path().display());
    let install = || {
        let (_, _, run) = action.steps.iter().find(|(name, ..)| name == "Install plimsoll").expect("a step");
        let at = |name: &str| world.path().join(name).display().to_string();
        let env = [
            ("GITHUB_ACTION_PATH", repository().display().to_string()),
            ("GITHUB_PATH", at("plimsoll.path")),
            ("RUNNER_TEMP", at("temp")),
        ];
        shell(&world, &format!("{script}{run}"), &env.map(|(name, value)| (name.to_owned(), value)).into())
    };
    install().expect(0).says("plimsoll 9.9.9");
    assert!(read(&world.path().join("plimsoll.path")).contains("/temp/plimsoll-bin"));
    shell(
        &world,
        "cd release && echo x >>plimsoll && tar -czf plimsoll-$(uname -m)-unknown-linux-musl.tar.gz plimsoll",
        &BTreeMap::new(),
    )
    .expect(0);
    let refused = install();
    assert!(refused.code != 0 && !refused.stdout.contains("9.9.9"), "{refused}");
}

#[test]
fn gitlabs_job_is_green_and_then_red() {
    let world = project();
    let text = read(&repository().join("docs/ci/gitlab.yml"));
    let lines = text.lines().skip_while(|line| *line != "  script:").skip(1);
    let lines: Vec<&str> = lines.map_while(|line| line.strip_prefix("    - ")).collect();
    assert!(lines.len() > 3, "{text}");
    let script = lines.join("\n");
    shell(&world, &script, &BTreeMap::new()).expect(0);
    image(&world, vec![item("app/model.bin", noise(9, 1_000_000))]);
    let red = shell(&world, &script, &BTreeMap::new()).expect(1);
    assert!(red.stdout.contains("is line 3: COPY app /app/"), "{red}");
    assert!(read(&world.path().join("gate.md")).contains("is line 3: COPY app /app/"));
    // A finding alone is red as well, and stands in the report of code quality.
    image(&world, Vec::new());
    world.write("Dockerfile", DOCKERFILE.replace("make -C", "sudo make -C"));
    shell(&world, &script, &BTreeMap::new()).expect(1);
    let report: serde_json::Value =
        serde_json::from_str(&read(&world.path().join("gl-code-quality-report.json"))).expect("JSON");
    assert_eq!(report[0]["location"]["lines"]["begin"], 2, "{report:#}");
}
