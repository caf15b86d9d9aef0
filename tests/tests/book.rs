//! Every command line of the book works, with the exit code that the book says.

use plimsoll_tests::{Archive, Outcome, World, binary, item, noise, repository};

const DOCKERFILE: &str =
    "FROM debian:12\nRUN apt-get update && apt-get install -y curl\nCOPY . /app\nCMD [\"/app/run\"]\n";

/// A project as a reader of the book has it.
fn project() -> World {
    let world = World::new();
    world.write("Dockerfile", DOCKERFILE);
    let image = || {
        Archive::new()
            .layer("/bin/sh -c #(nop) ADD file:1 in / ", [item("bin/sh", noise(1, 200_000))])
            .empty("CMD [\"bash\"]")
            .layer(
                "RUN /bin/sh -c apt-get update && apt-get install -y curl # buildkit",
                [item("usr/bin/curl", noise(2, 50_000))],
            )
    };
    let app = [item("app/run", noise(3, 90_000)), item("app/data", noise(4, 400_000))];
    image().layer("COPY . /app # buildkit", app).write(&world.path().join("app.tar"), "app:2");
    image()
        .layer("COPY . /app # buildkit", [item("app/run", noise(3, 90_000))])
        .write(&world.path().join("old.tar"), "app:1");
    world
}

/// The `$ ` lines of blocks marked `console`, and the blocks of `plimsoll.toml` before them.
fn run_page(page: &str) -> usize {
    let text = std::fs::read_to_string(repository().join("docs").join(page)).expect("a page");
    let world = project();
    let (mut block, mut toml, mut ran) = ("", String::new(), 0);
    for line in text.lines() {
        match (block, line.strip_prefix("```")) {
            ("", Some(kind)) => {
                block = match kind {
                    "console" => "console",
                    "toml" => "toml",
                    _ => "other",
                };
                toml.clear();
            }
            ("toml", Some(_)) => {
                world.write("plimsoll.toml", &toml);
                block = "";
            }
            (_, Some(_)) => block = "",
            ("toml", None) => toml.push_str(&format!("{line}\n")),
            ("console", None) => {
                let Some(command) = line.strip_prefix("$ ") else { continue };
                let code =
                    command.split_once("# exit code ").map_or(0, |(_, code)| code.trim().parse().expect("a number"));
                // With the command of this test on the PATH.
                let mut shell = world.program("sh");
                let folder = binary().parent().expect("a folder").display().to_string();
                let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
                shell.arg("-c").arg(command).env("PATH", path);
                Outcome::of(&mut shell).expect(code);
                ran += 1;
            }
            _ => {}
        }
    }
    ran
}

#[test]
fn every_command_line_of_the_book_works() {
    let namespaces = plimsoll_tests::user_namespaces(&plimsoll_tests::Account::current());
    let mut ran = 0;
    for page in ["start.md", "images.md", "gate.md", "coming-from.md"] {
        if page == "images.md" && namespaces.is_err() {
            continue;
        }
        let lines = run_page(page);
        assert!(lines > 1, "{page} has command lines");
        ran += lines;
    }
    println!("{ran} command lines of the book work");
}

#[test]
fn the_summary_names_pages_that_are_there() {
    let docs = repository().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).expect("a summary");
    for line in summary.lines() {
        if let Some((_, rest)) = line.split_once("](") {
            let page = rest.trim_end_matches(')');
            assert!(docs.join(page).is_file(), "{page} is missing");
        }
    }
}
