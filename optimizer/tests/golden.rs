//! Every case under `fixtures/fix` climbed to the top, every step taken: what is written is what an engineer reviewed.
//!
//! A case is a folder: its files are the context, or those of the program of that name under `fixtures/apps` when it has no
//! Dockerfile; `context` names more files (a path and its bytes a line), `images` the base images that can be had, and
//! `layers` what instructions wrote: a line `> TEXT` is part of an instruction, the lines below it are paths with a mark
//! (`+` a new folder, `=` a file, `~` a symbolic link, `-` removed) and an owner where it is not root. What the ladder makes lies beside it: `Dockerfile.expected`, `dockerignore.expected` and `ladder.expected`.
//! `PLIMSOLL_BLESS=1` writes these anew.

use plimsoll_analyzer::context::{Entry, Listing};
use plimsoll_optimizer::ladder::{Ladder, Options, Outcome, Surroundings};
use plimsoll_optimizer::moves::{self, BaseFacts, Input, Made, MadeKind};
use plimsoll_optimizer::{Files, Level};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a parent").join("fixtures")
}

fn walk(root: &Path, below: &str, entries: &mut Vec<Entry>) {
    let mut names: Vec<_> =
        std::fs::read_dir(root.join(below)).expect("a folder").map(|e| e.expect("an entry")).collect();
    names.sort_by_key(std::fs::DirEntry::file_name);
    for entry in names {
        let name = entry.file_name().into_string().expect("UTF-8");
        // What a working copy has and git does not carry.
        if matches!(name.as_str(), ".git" | "venv" | "__pycache__") {
            continue;
        }
        if below.is_empty() && (name.ends_with(".expected") || matches!(name.as_str(), "images" | "context" | "layers"))
        {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type().expect("a type").is_dir() {
            entries.push(Entry::dir(&path));
            walk(root, &path, entries);
        } else {
            // The Dockerfile may be written to; its size is of no matter here.
            let text = std::fs::read(entry.path()).expect("a file");
            entries.push(Entry::file(&path, text.len() as u64));
        }
    }
}

struct Climbed {
    files: Files,
    account: String,
}

fn climb(context: &Path, more: &str, images: &str, level: Level) -> Climbed {
    let mut entries = Vec::new();
    walk(context, "", &mut entries);
    for (path, size) in more.lines().filter_map(|line| line.split_once(' ')) {
        let parents = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
        entries.extend(parents.map(Entry::dir));
        entries.push(Entry::file(path, size.parse().expect("a number")));
    }
    entries.dedup();
    let listing = Listing::new(entries);
    let read = |path: &str| std::fs::read_to_string(context.join(path)).ok();
    let available = |image: &str| images.lines().any(|line| line.trim() == image);
    let files = Files { dockerfile: read("Dockerfile").expect("a Dockerfile"), dockerignore: read(".dockerignore") };
    let surroundings = Surroundings { listing: &listing, read: &read, available: &available };
    let base = |image: &str| {
        let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        (image == "beakerx-base:latest")
            .then(|| BaseFacts { env: vec![env("NB_USER", "beakerx")], ..BaseFacts::default() })
    };
    let layers = read("layers").unwrap_or_default();
    let current = RefCell::new(files.dockerfile.clone());
    let made = |index: usize| made(&layers, &current.borrow(), index);
    let ladder = Ladder::new(files, surroundings, Options { level, ..Options::default() });
    let mut ladder = ladder.knowing(&base).knowing_layers(&made);
    let mut notes = Vec::new();
    while let Some(rung) = ladder.next() {
        notes.push((rung.name, rung.notes.clone()));
        // A move done twice is done once.
        let input = Input {
            files: &rung.files,
            listing: &listing,
            read: &read,
            available: &available,
            base: &base,
            made: &|_| None,
        };
        let again = moves::find(rung.name).expect("a move").apply(&input);
        if let Ok(step) = again {
            assert_eq!(step.files, rung.files, "{} is not at its fixed point", rung.name);
        }
        assert!(plimsoll_parser::parse(&rung.files.dockerfile).errors.is_empty(), "{} breaks the file", rung.name);
        ladder.accept(0);
        current.replace(rung.files.dockerfile.clone());
    }
    let mut account = String::new();
    for tried in ladder.tried() {
        let outcome = match &tried.outcome {
            Outcome::Taken { .. } => "taken".to_owned(),
            Outcome::NotApplicable { reason } => format!("not applicable: {reason}"),
            other => format!("{other:?}"),
        };
        writeln!(account, "{} ({}): {outcome}", tried.name, tried.title).expect("a string");
        for (_, notes) in notes.iter().filter(|(name, _)| *name == tried.name) {
            notes.iter().for_each(|note| writeln!(account, "  {note}").expect("a string"));
        }
    }
    Climbed { files: ladder.files().clone(), account }
}

/// What `layers` says of the instruction at this place: all sections of which it holds the text.
fn made(layers: &str, dockerfile: &str, index: usize) -> Option<Vec<Made>> {
    let file = plimsoll_parser::parse(dockerfile);
    let text = file.instructions.get(index)?.range.of(dockerfile);
    let mut within = None;
    let mut made: Option<Vec<Made>> = None;
    for line in layers.lines().filter(|line| !line.is_empty()) {
        if let Some(part) = line.strip_prefix("> ") {
            within = text.contains(part).then_some(());
            continue;
        }
        let mut words = line.split(' ');
        let kind = match words.next() {
            Some("+") => MadeKind::NewDir,
            Some("=") => MadeKind::File,
            Some("~") => MadeKind::Link,
            Some("-") => MadeKind::Gone,
            other => panic!("{other:?} is no mark"),
        };
        let path = words.next().expect("a path").to_owned();
        let owner = words.next().map_or((0, 0), |owner| {
            let (user, group) = owner.split_once(':').expect("user:group");
            (user.parse().expect("a number"), group.parse().expect("a number"))
        });
        if within.is_some() {
            made.get_or_insert_default().push(Made { path, kind, owner });
        }
    }
    made
}

fn compare(file: &Path, text: &str) -> bool {
    if std::env::var_os("PLIMSOLL_BLESS").is_some() {
        std::fs::write(file, text).expect("a writable fixture");
        return true;
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    if expected != text {
        println!("{}", plimsoll_optimizer::diff::unified(&file.display().to_string(), "now", &expected, text));
    }
    expected == text
}

/// The base images of `fixtures/bases`.
const IMAGES: &str = "debian:bookworm\ndebian:bookworm-slim\nbusybox:latest\ngcr.io/distroless/static:latest\npython:3.11\npython:3.11-slim\n\
                      ruby:3.1\nruby:3.1-slim\ngolang:1.19\nnode:18\nnode:18-slim\nbeakerx-base:latest\nbeakerx-base:slim";

fn check(results: &Path, context: &Path, images: &str) -> bool {
    let more = std::fs::read_to_string(results.join("context")).unwrap_or_default();
    let done = climb(context, &more, images, Level::Unsafe);
    // All three are compared, so that one run shows everything.
    [
        compare(&results.join("Dockerfile.expected"), &done.files.dockerfile),
        compare(&results.join("dockerignore.expected"), done.files.dockerignore.as_deref().unwrap_or_default()),
        compare(&results.join("ladder.expected"), &done.account),
    ]
    .iter()
    .all(|same| *same)
}

#[test]
fn every_case_is_climbed_as_reviewed() {
    let mut good = true;
    let cases = std::fs::read_dir(fixtures().join("fix")).expect("cases").map(|e| e.expect("a case").path());
    let mut cases: Vec<PathBuf> = cases.filter(|path| path.is_dir()).collect();
    cases.sort();
    for case in cases {
        let name = case.file_name().and_then(|name| name.to_str()).expect("UTF-8");
        let images = std::fs::read_to_string(case.join("images")).unwrap_or_else(|_| IMAGES.to_owned());
        let app = fixtures().join("apps").join(name);
        let context = if case.join("Dockerfile").exists() { case.clone() } else { app };
        good &= check(&case, &context, &images);
    }
    assert!(good, "PLIMSOLL_BLESS=1 writes the results anew; review them");
}
