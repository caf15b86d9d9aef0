//! The hooks of `.pre-commit-hooks.yaml` as pre-commit runs them, with the built command in place of an installed one:
//! green, then red where they should be.

use plimsoll_tests::{Archive, Outcome, World, binary, git, item, noise, repository, skip, tool};

/// The hooks in a configuration of a repository's own.
fn configuration() -> String {
    let hooks = std::fs::read_to_string(repository().join(".pre-commit-hooks.yaml")).expect("the hooks");
    let mut text = String::from("repos:\n  - repo: local\n    hooks:\n");
    for line in hooks.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        text.push_str(&format!("      {line}\n"));
    }
    assert!(text.matches("language: python").count() == 3, "{text}");
    text.replace("language: python", "language: system")
}

fn commit(world: &World, more: usize) {
    Archive::new()
        .layer("/bin/sh -c #(nop) ADD file:1 in / ", [item("bin/sh", noise(1, 200_000))])
        .empty("CMD [\"bash\"]")
        .layer("COPY app /app/ # buildkit", [item("app/run", noise(3, 90_000 + more))])
        .write(&world.path().join("app.tar"), "app:1");
}

#[test]
fn hooks_are_green_and_then_red() {
    if !tool("pre-commit") || !tool("git") {
        skip!("pre-commit is not installed");
    }
    let world = World::new();
    world.write(".pre-commit-config.yaml", configuration());
    // Findings that are known go by hadolint's names too.
    let good =
        "FROM debian:12-slim\n# hadolint ignore=DL3004\nRUN sudo true\nCOPY app /app/\nUSER 1000\nCMD [\"/app/run\"]\n";
    world.write("app.dockerfile", good);
    world.write("Dockerfile.dockerignore", "this is no Dockerfile\n");
    world.write(".gitignore", "app.tar\nhome\nstore\n");
    world.write(
        "plimsoll.toml",
        "[budget]\nmax-growth = \"2%\"\n[[budget.image]]\nname = \"app\"\nimage = \"app.tar\"\nfile = \"app.dockerfile\"\n",
    );
    commit(&world, 0);
    world.run(&["gate", "--update-baseline"]).expect(0);
    git(world.path(), &["init", "--quiet"]);
    git(world.path(), &["add", "--all"]);
    let run = |hook: &str| {
        let folder = binary().parent().expect("a folder").display().to_string();
        let mut command = world.program("pre-commit");
        command.env("PRE_COMMIT_HOME", world.path().join("home"));
        command.env("PATH", format!("{folder}:{}", std::env::var("PATH").unwrap_or_default()));
        Outcome::of(command.args(["run", hook, "--all-files", "--hook-stage", "manual"]))
    };
    for hook in ["plimsoll-lint", "plimsoll-fix", "plimsoll-gate"] {
        let seen = run(hook).expect(0);
        assert!(seen.stdout.contains("Passed"), "it ran: {seen}");
    }
    world.write(
        "app.dockerfile",
        good.replace("RUN sudo true", "RUN apt-get update && apt-get install -y --no-install-recommends curl=1"),
    );
    git(world.path(), &["add", "--all"]);
    run("plimsoll-lint").expect(1).says("DL3009").says("app.dockerfile:3");
    let fixed = run("plimsoll-fix").expect(1).says("files were modified by this hook");
    let text = std::fs::read_to_string(world.path().join("app.dockerfile")).expect("a file");
    assert!(text.contains("rm -rf /var/lib/apt/lists"), "{fixed}\n{text}");
    world.write("app.dockerfile", good);
    commit(&world, 1_000_000);
    run("plimsoll-gate").expect(1).says("is line 4: COPY app /app/").says("/app/run");
}
