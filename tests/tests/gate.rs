//! Gates: every regression is found and blamed on its line; the same input gives the same verdict.
//!
//! `PLIMSOLL_TEST_GATE=full` injects each regression with 1 MB and with 100 MB; without it, with 1 MB.

use plimsoll_tests::{Archive, Item, World, item, noise};
use serde_json::Value;

const DOCKERFILE: [&str; 7] = [
    "FROM debian:12",
    "RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*",
    "COPY requirements.txt /app/",
    "RUN pip install --no-cache-dir -r /app/requirements.txt",
    "COPY . /app",
    "RUN make -C /app",
    "CMD [\"/app/run\"]",
];

/// A Dockerfile with what each of its lines put into the image.
#[derive(Clone)]
struct Build {
    lines: Vec<String>,
    base: Vec<Item>,
    layers: Vec<Vec<Item>>,
}

fn status(packages: &[&str]) -> Item {
    let paragraph =
        |name: &&str| format!("Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.0\n");
    item("var/lib/dpkg/status", packages.iter().map(paragraph).collect::<Vec<_>>().join("\n"))
}

fn deb(name: &str, seed: u64, size: usize) -> [Item; 2] {
    let program = format!("usr/bin/{name}");
    [item(&format!("var/lib/dpkg/info/{name}.list"), format!("/{program}\n")), item(&program, noise(seed, size))]
}

fn wheel(name: &str, seed: u64, size: usize) -> [Item; 3] {
    let site = "usr/lib/python3/site-packages";
    let record = format!("{name}/__init__.py,,\n{name}-2.0.dist-info/METADATA,,\n{name}-2.0.dist-info/RECORD,,\n");
    [
        item(&format!("{site}/{name}-2.0.dist-info/METADATA"), format!("Name: {name}\nVersion: 2.0\n\ntext\n")),
        item(&format!("{site}/{name}-2.0.dist-info/RECORD"), record),
        item(&format!("{site}/{name}/__init__.py"), noise(seed, size)),
    ]
}

fn sources() -> Vec<Item> {
    vec![item("app/main.py", noise(20, 60_000)), item("app/data/table", noise(21, 1_500_000))]
}

impl Build {
    fn new() -> Self {
        let mut base = vec![item("bin/sh", noise(1, 400_000)), status(&["dash"])];
        base.extend([item("var/lib/dpkg/info/dash.list", "/bin/sh\n")]);
        let mut apt = vec![status(&["dash", "curl"])];
        apt.extend(deb("curl", 2, 200_000));
        let layers = vec![
            apt,
            vec![item("app/requirements.txt", "flask\n")],
            wheel("flask", 3, 150_000).to_vec(),
            sources(),
            vec![item("app/bin/run", noise(30, 100_000))],
        ];
        Self { lines: DOCKERFILE.map(str::to_owned).to_vec(), base, layers }
    }

    /// With another instruction as the line of this number.
    fn insert(mut self, line: usize, text: &str, items: Vec<Item>) -> Self {
        self.lines.insert(line - 1, text.to_owned());
        self.layers.insert(line - 2, items);
        self
    }

    /// With more in the layer of a line.
    fn more(mut self, line: usize, items: impl IntoIterator<Item = Item>) -> Self {
        self.layers[line - 2].extend(items);
        self
    }

    fn write(&self, world: &World, name: &str) {
        world.write("Dockerfile", self.lines.join("\n") + "\n");
        let mut archive = Archive::new()
            .layer("/bin/sh -c #(nop) ADD file:0123 in / ", self.base.clone())
            .empty("/bin/sh -c #(nop)  CMD [\"bash\"]");
        for (line, items) in self.lines.iter().skip(1).zip(&self.layers) {
            let said = match line.strip_prefix("RUN ") {
                Some(command) => format!("RUN /bin/sh -c {command} # buildkit"),
                None => format!("{line} # buildkit"),
            };
            archive = archive.layer(&said, items.clone());
        }
        let last = self.lines.last().expect("a CMD");
        archive.empty(last).write(&world.path().join(name), "app:1");
    }
}

/// A regression: its name, the image with it, the line to blame, and what the report must name.
type Case = (&'static str, Build, u64, &'static str);

fn regressions(size: usize) -> Vec<Case> {
    let new = Build::new;
    let owner = |items: Vec<Item>, owner| items.into_iter().map(|item: Item| item.owned(owner)).collect::<Vec<_>>();
    let big = |path: &str| item(path, noise(99, size));
    let tree = |n: usize| (0..n).map(move |at| item(&format!("app/assets/f{at}"), noise(500 + at as u64, size / n)));
    let mut base = new();
    base.base.push(big("usr/lib/locale/locale-archive"));
    let mut swapped = new();
    swapped.lines[0] = "FROM debian:12-full".to_owned();
    swapped.base[1] = status(&["dash", "perl"]);
    swapped.base.extend(deb("perl", 98, size));
    let mut apt = new();
    apt.lines[1] = apt.lines[1].replace("curl", "curl git");
    apt.layers[0][0] = status(&["dash", "curl", "git"]);
    let mut kept = new().more(2, [big("var/lib/apt/lists/deb.debian.org_main_Packages")]);
    kept.lines[1] = "RUN apt-get update && apt-get install -y --no-install-recommends curl".to_owned();
    let mut pip = new().more(4, [big("root/.cache/pip/http/ab")]);
    pip.lines[3] = "RUN pip install -r /app/requirements.txt".to_owned();
    let grown = new().more(5, tree(40));
    let reowned = grown.clone().insert(6, "RUN chown -R 1000 /app", owner(grown.layers[3].clone(), 1000));
    let moded = grown.layers[3].iter().cloned().map(|item| item.mode(0o755)).collect();
    vec![
        (
            "a layer",
            new().insert(7, "RUN curl -o /opt/model.bin https://example.org", vec![big("opt/model.bin")]),
            7,
            "/opt/model.bin",
        ),
        ("a layer in the middle", new().insert(3, "ADD https://example.org/x /opt/x", vec![big("opt/x")]), 3, "/opt/x"),
        ("a system package", apt.more(2, deb("git", 97, size)), 2, "git"),
        ("a package of Python", new().more(4, wheel("pandas", 96, size)), 4, "pandas"),
        ("a larger package", new().more(4, [big("usr/lib/python3/site-packages/flask/__init__.py")]), 4, "flask"),
        ("a re-owned tree", reowned, 6, "re-owned"),
        ("a tree with other modes", grown.clone().insert(6, "RUN chmod -R a+rx /app", moded), 6, "re-moded"),
        ("apt's lists", kept, 2, "apt-lists-kept"),
        ("pip's cache", pip, 4, "pip-cache-kept"),
        ("a file of the context", new().more(5, [big("app/dump.sql")]), 5, "/app/dump.sql"),
        ("a folder of the context", new().more(5, tree(100)), 5, "/app/assets"),
        ("the base", base, 1, "/usr/lib/locale/locale-archive"),
        ("another base", swapped, 1, "perl"),
        ("a build's leavings", new().more(6, [big("app/build/objects.o")]), 6, "/app/build/objects.o"),
        (
            "a second copy",
            grown.clone().insert(6, "COPY . /srv", grown.layers[3].iter().map(moved).collect()),
            6,
            "duplicate",
        ),
    ]
}

/// The same file below /srv.
fn moved(file: &Item) -> Item {
    let path = file.path().replacen("app/", "srv/", 1);
    file.clone().at(&path)
}

#[test]
fn every_regression_is_found_and_blamed_on_its_line() {
    let full = std::env::var("PLIMSOLL_TEST_GATE").is_ok_and(|form| form == "full");
    let sizes: &[usize] = if full { &[1_000_000, 100_000_000] } else { &[1_000_000] };
    let mut found = 0;
    for size in sizes {
        for (name, after, line, word) in regressions(*size) {
            let world = World::new();
            world.write(
                "plimsoll.toml",
                "[[budget.image]]\nname = \"app\"\nimage = \"app.tar\"\nfile = \"Dockerfile\"\n",
            );
            // What is not the regression itself stands on both sides.
            let before = match name {
                "a re-owned tree" | "a tree with other modes" | "a second copy" => {
                    let mut before = after.clone();
                    before.lines.remove(5);
                    before.layers.remove(4);
                    before
                }
                _ => Build::new(),
            };
            before.write(&world, "app.tar");
            world.run(&["gate", "--update-baseline"]).expect(0);
            world.run(&["gate", "--max-growth", "0"]).expect(0);
            after.write(&world, "app.tar");
            world.run(&["gate", "--max-growth", "100%", "--max-size", "10GB"]);
            let seen = world.run(&["gate", "--max-growth", "500kB", "--format", "json"]).expect(1);
            let growth = &seen.json()["targets"][0]["growth"];
            let rows = growth["instructions"].as_array().expect("rows");
            let most = rows.iter().max_by_key(|row| row["delta"].as_i64()).expect("a row");
            assert_eq!(most["line"], line, "{name} of {size} bytes: {most:#}");
            assert!(most["delta"].as_u64().is_some_and(|delta| delta >= 900_000), "{name}: {most:#}");
            assert!(most.to_string().contains(word), "{name} does not name {word}: {most:#}");
            let comment = world.run(&["gate", "--max-growth", "500kB", "--format", "markdown"]).expect(1).stdout;
            assert!(comment.contains(&format!("is line {line}: ")), "{name}: {comment}");
            found += 1;
        }
    }
    println!("{found} regressions found and blamed on their lines");
}

#[test]
fn the_same_input_gives_the_same_verdict() {
    let world = World::new();
    world.write("plimsoll.toml", "[[budget.image]]\nname = \"app\"\nimage = \"app.tar\"\nfile = \"Dockerfile\"\n");
    Build::new().write(&world, "app.tar");
    world.run(&["gate", "--update-baseline"]).expect(0);
    let (_, after, ..) = regressions(50_000).remove(3);
    after.write(&world, "app.tar");
    let formats = ["text", "json", "markdown"];
    let run = |format: &str| world.run(&["gate", "--max-wasted", "1kB", "--max-growth", "1%", "--format", format]);
    let first: Vec<String> = formats.iter().map(|format| run(format).expect(1).stdout).collect();
    for _ in 0..16 {
        for (format, first) in formats.iter().zip(&first) {
            assert_eq!(run(format).expect(1).stdout, *first);
        }
    }
    let locked = |world: &World| std::fs::read_to_string(world.path().join("plimsoll.lock")).expect("a lock");
    world.run(&["gate", "--update-baseline"]).expect(0);
    let once = locked(&world);
    world.run(&["gate", "--update-baseline"]).expect(0);
    assert_eq!(locked(&world), once);
}

#[test]
fn each_limit_holds_and_says_what_passed_it() {
    let world = World::new();
    let mut build = Build::new();
    build.layers[4].push(item("app/.env", "PASSWORD=x\n"));
    build.base.push(item("bin/su", noise(8, 3_000)).mode(0o4755));
    build.layers[4].push(item("app/bin/su", noise(7, 2_000)).mode(0o4755));
    build.write(&world, "app.tar");
    let gate = |flags: &[&str]| world.run(&[&["gate", "app.tar", "-f", "Dockerfile"], flags].concat());
    gate(&["--max-size", "1GB", "--max-layers", "6", "--max-wasted", "1kB"]).expect(0);
    gate(&["--max-size", "1MB"]).expect(1).says("max-size");
    gate(&["--max-layers", "5"]).expect(1).says("max-layers");
    gate(&["--max-compressed", "1MB"]).expect(1).says("max-compressed");
    gate(&["--forbid", "secrets"]).expect(1).says("/app/.env (line 6)");
    gate(&["--forbid", "setuid"]).expect(1).says("/app/bin/su (line 6)");
    gate(&["--forbid", "setuid"]).expect(1).says("setuid: 1 file");
    gate(&["--forbid", "base-setuid"]).expect(1).says("/bin/su (from the base image)");
    gate(&["--forbid", "app/data"]).expect(1).says("/app/data/table (line 5)");
    gate(&["--forbid", "**/*.pem"]).expect(0);
    gate(&["--forbid-rule", "DL3042"]).expect(0);
    gate(&["--forbid-rule", "DL3008"]).expect(1).says("Dockerfile:2");
    gate(&["--forbid-rule", "no-such-rule"]).expect(2).says("no-such-rule");
    gate(&["--max-growth", "1%"]).expect(2).says("--update-baseline");
    gate(&["--max-growth", "lots"]).expect(2);
    gate(&["--baseline", "app.tar", "--max-growth", "0"]).expect(0);
    world.run(&["gate", "nothing.tar"]).expect(2).says("nothing.tar");
    world.write("plimsoll.lock", "version = 9\n");
    gate(&["--max-growth", "1%"]).expect(2).says("version 9");
}

#[test]
fn a_slip_is_told_what_was_meant() {
    let world = World::new();
    let build = Build::new();
    build.write(&world, "app.tar");
    let app = "[[budget.image]]\nname = \"app\"\nimage = \"app.tar\"\n";
    for (text, said) in [
        ("[budget]\nmax-sise = \"1MB\"\n".to_owned(), "did you mean `max-size`?"),
        ("[budget]\nmax-size = 100\n".to_owned(), "\"100MB\""),
        ("[budget]\nmax-growth = 2\n".to_owned(), "\"2%\""),
        ("[budget]\nmax-layers = \"9\"\n".to_owned(), "without quotes"),
        ("[budget]\nforbid = [\"secret\"]\n".to_owned(), "did you mean `secrets`?"),
        ("[budget]\nforbid-rules = [\"apt-list-kept\"]\n".to_owned(), "did you mean `apt-lists-kept`?"),
        ("[[budget.image]]\nimage = \"app.tar\"\n".to_owned(), "it has no name"),
        (format!("{app}{app}"), "two are named app"),
        (format!("{app}context = \".\"\n"), "both image and context"),
        (app.replace("app.tar", "gone.tar"), "build or save it first"),
        (format!("[budget]\nmax-growth = \"1%\"\n{app}"), "there is no plimsoll.lock"),
    ] {
        world.write("plimsoll.toml", &text);
        world.run(&["gate"]).expect(2).says(said);
    }
    world.write("plimsoll.toml", app);
    world.run(&["gate"]).expect(0).says("no limit is set");
    world.run(&["gate", "apq"]).expect(2).says("did you mean `app`");
    // The lock would go into the image that it is about.
    world.write("plimsoll.toml", app.to_owned() + "file = \"Dockerfile\"\n");
    world.run(&["gate", "--update-baseline"]).expect(0).says("line 5 puts it into the image");
    world.write(".dockerignore", "plimsoll.lock\n");
    std::fs::remove_file(world.path().join("plimsoll.lock")).expect("own file");
    let told = world.run(&["gate", "--update-baseline"]).expect(0);
    assert!(!told.stderr.contains("puts it into the image"), "{told}");
    world.run(&["gate", "app.tar", "--max-growth", "1%"]).expect(2).says("knows app only");
}

#[test]
fn an_edited_line_does_not_move_the_base() {
    let world = World::new();
    world.write("plimsoll.toml", "[[budget.image]]\nname = \"app\"\nimage = \"app.tar\"\nfile = \"Dockerfile\"\n");
    let mut apart = Build::new().insert(2, "RUN apt-get update", vec![item("var/lib/apt/lists/x", noise(9, 900_000))]);
    apart.write(&world, "app.tar");
    // The baseline is of an image whose second line the Dockerfile has no more.
    let mut joined = apart.clone();
    joined.lines.remove(1);
    joined.layers.remove(0);
    world.write("Dockerfile", joined.lines.join("\n") + "\n");
    world.run(&["gate", "--update-baseline"]).expect(0);
    apart = joined.more(2, deb("git", 97, 1_000_000));
    apart.write(&world, "app.tar");
    let seen = world.run(&["gate", "--max-growth", "1%", "--format", "json"]).expect(1).json();
    let rows = seen["targets"][0]["growth"]["instructions"].as_array().expect("rows").clone();
    assert!(rows.iter().all(|row| row["kind"] != "base"), "{rows:#?}");
    assert!(rows.iter().any(|row| row["kind"] == "removed" && row["instruction"] == "RUN apt-get update"), "{rows:#?}");
}

#[test]
fn a_comment_fits_however_large_the_image() {
    let world = World::new();
    Build::new().write(&world, "a.tar");
    let mut large = Build::new();
    for at in 0..300 {
        let name = format!("package-with-a-rather-long-name-number-{at}");
        let line = large.lines.len();
        let text = format!("RUN echo {at} | tee /opt/{}", "a-long-name/".repeat(40));
        large = large.insert(line, &text, wheel(&name, at, 3_000).to_vec());
    }
    large.write(&world, "b.tar");
    let comment = world.run(&["gate", "b.tar", "-f", "Dockerfile", "--baseline", "a.tar", "--format", "markdown"]);
    assert!(comment.stdout.len() < 60_000 && comment.stdout.len() > 3_000, "{}", comment.stdout.len());
    let whole =
        world.run(&["inspect", "b.tar", "-f", "Dockerfile", "--top", "100000", "--format", "markdown"]).expect(0);
    assert!(whole.stdout.len() < 60_000, "{}", whole.stdout.len());
}

#[test]
fn a_folder_is_built_and_its_context_is_counted() {
    if let Err(reason) = plimsoll_tests::user_namespaces(&plimsoll_tests::Account::current()) {
        plimsoll_tests::skip!("{reason}");
    }
    let world = World::new();
    world.write("app/Dockerfile", "FROM scratch\nCOPY src /src\nCOPY static /static\n");
    world.write("app/src/main", noise(1, 50_000));
    world.write("app/static/logo", noise(2, 10_000));
    world.write("app/.dockerignore", "ignored\n");
    world.write("app/ignored/huge", noise(3, 3_000_000));
    world.write("app/plimsoll.toml", "[budget]\nmax-context = \"100kB\"\n");
    world.run(&["gate", "app", "--update-baseline"]).expect(0);
    world.run(&["gate", "app", "--max-growth", "0"]).expect(0);
    world.write("app/static/video", noise(4, 1_000_000));
    let seen = world.run(&["gate", "app", "--max-growth", "1%", "--format", "json"]).expect(1).json();
    let verdict: &Value = &seen["targets"][0];
    let failed: Vec<&str> = verdict["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter(|check| check["passed"] == false)
        .filter_map(|check| check["check"].as_str())
        .collect();
    assert_eq!(failed, ["max-context", "max-growth"]);
    for row in verdict["growth"]["instructions"].as_array().expect("rows") {
        assert_eq!(row["line"], 3, "{row:#}");
        assert!(row["paths"][0]["path"].as_str().is_some_and(|path| path.ends_with("static/video")), "{row:#}");
    }
}
