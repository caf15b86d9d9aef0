//! Wrong rewrites that the proof has to catch, and harmless ones that must raise no alarm.
//!
//! The rewrites are `fixtures/mutants/*.toml`, each a change of one program's Dockerfile. All of a file are held against the
//! original in a few runs of the command. Every fourth is tried; `PLIMSOLL_MUTANTS=all` tries them all, also those of the
//! systems, whose base images have to be made first (`fixtures/bases/make`); names of files try those alone. With
//! `PLIMSOLL_MUTANTS_REPORT` what came of a whole file is written to that folder; `scripts/results --mutants` makes a table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plimsoll_tests::{World, fixture, skip};
use serde_json::Value;
use toml::Table;

/// Of so many rewrites one is tried, unless all are.
const SHORT: usize = 4;

struct Rewrite {
    name: String,
    text: String,
    may_change: Vec<String>,
    wrong: bool,
    unreached: bool,
}

#[derive(Default)]
struct Tally {
    caught: usize,
    unreached: Vec<String>,
    missed: Vec<String>,
    quiet: usize,
    alarms: Vec<String>,
}

#[test]
fn wrong_rewrites_of_every_habit_are_caught_and_harmless_ones_raise_no_alarm() {
    let world = World::new();
    world.bases(&["busybox:latest"]);
    let tally = try_all(&world, &fixture("mutants/habits.toml"), wanted("habits"));
    tally.assert_sound();
}

#[test]
fn wrong_rewrites_of_the_systems_are_caught() {
    if std::env::var_os("PLIMSOLL_MUTANTS").is_none() {
        skip!("PLIMSOLL_MUTANTS=all tries them; their base images take long to make");
    }
    for name in std::env::var("PLIMSOLL_MUTANTS").unwrap_or_default().split(',').filter(|name| *name != "all") {
        assert!(fixture(&format!("mutants/{name}.toml")).is_file(), "there is no fixtures/mutants/{name}.toml");
    }
    let world = World::new().with_kept_store();
    let mut files: Vec<_> = std::fs::read_dir(fixture("mutants")).expect("the rewrites").flatten().collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut all = Tally::default();
    for file in files.iter().map(std::fs::DirEntry::path) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if file.extension().is_some_and(|end| end == "toml") && name != "habits" && wanted(&name) {
            make_bases(&world, &file);
            all.add(try_all(&world, &file, true));
        }
    }
    all.assert_sound();
}

/// Whether every rewrite of that file is asked for.
fn wanted(name: &str) -> bool {
    std::env::var("PLIMSOLL_MUTANTS").is_ok_and(|which| which == "all" || which.split(',').any(|one| one == name))
}

/// Base images right into the world's store, where they stay.
fn make_bases(world: &World, file: &Path) {
    let table = table(file);
    let mut make = std::process::Command::new(fixture("bases/make"));
    make.args(strings(&table, "bases")).env("PLIMSOLL_BIN", plimsoll_tests::binary());
    plimsoll_tests::Outcome::of(make.env("PLIMSOLL_STORE", world.store())).expect(0);
}

fn table(file: &Path) -> Table {
    std::fs::read_to_string(file).expect("the file").parse().expect("TOML")
}

impl Tally {
    #[track_caller]
    fn assert_sound(&self) {
        let Self { missed, alarms, .. } = self;
        assert!(missed.is_empty() && alarms.is_empty(), "not noticed: {missed:#?}\nalarms for nothing: {alarms:#?}");
        let wrong = self.caught + self.unreached.len();
        assert!(self.unreached.len() * 20 <= wrong, "too many are out of reach: {:#?}", self.unreached);
    }

    fn add(&mut self, other: Self) {
        self.caught += other.caught;
        self.quiet += other.quiet;
        self.unreached.extend(other.unreached);
        self.missed.extend(other.missed);
        self.alarms.extend(other.alarms);
    }

    /// Where a report is asked for, as a file of that name.
    fn report(&self, name: &str) {
        let Some(folder) = std::env::var_os("PLIMSOLL_MUTANTS_REPORT") else { return };
        let report = serde_json::json!({
            "name": name,
            "caught": self.caught,
            "unreached": self.unreached,
            "missed": self.missed,
            "quiet": self.quiet,
            "alarms": self.alarms,
        });
        let file = Path::new(&folder).join(format!("{name}.json"));
        std::fs::write(file, format!("{report:#}\n")).expect("the folder of reports can be written to");
    }
}

/// Every rewrite of a file against its original, those with the same allowance in one run.
fn try_all(world: &World, file: &Path, every_one: bool) -> Tally {
    let table = table(file);
    let context = context(world, table["context"].as_str().expect("a context"));
    let original = std::fs::read_to_string(context.join("Dockerfile")).expect("a Dockerfile");
    let rewrites = read(&table, &original).into_iter().enumerate();
    let rewrites = rewrites.filter(|(index, _)| every_one || index % SHORT == 0).map(|(_, rewrite)| rewrite);
    let mut groups: BTreeMap<Vec<String>, Vec<Rewrite>> = BTreeMap::new();
    for rewrite in rewrites {
        groups.entry(rewrite.may_change.clone()).or_default().push(rewrite);
    }
    let mut tally = Tally::default();
    for (may_change, group) in &groups {
        let mut command = world.command();
        command.args(["optimize", "--verify", "--format", "json", "--quiet"]).arg(&context);
        for glob in may_change {
            command.args(["--may-change", glob]);
        }
        for (index, rewrite) in group.iter().enumerate() {
            let path = world.write(&format!("rewrites/{index}.Dockerfile"), &rewrite.text);
            command.arg("--candidate").arg(path);
        }
        let outcome = plimsoll_tests::Outcome::of(&mut command);
        assert!(matches!(outcome.code, 0 | 3), "{outcome}");
        let report = outcome.json();
        let steps = report["steps"].as_array().expect("steps");
        assert_eq!(steps.len(), group.len(), "every candidate is reported");
        for (rewrite, step) in group.iter().zip(steps) {
            count(&mut tally, rewrite, step);
        }
    }
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    println!(
        "{name}: {} caught, {} out of reach, {} missed; {} harmless, {} alarms",
        tally.caught,
        tally.unreached.len(),
        tally.missed.len(),
        tally.quiet,
        tally.alarms.len()
    );
    for told in tally.missed.iter().chain(&tally.alarms) {
        println!("{name}: {told}");
    }
    if every_one {
        tally.report(&name);
    }
    tally
}

fn count(tally: &mut Tally, rewrite: &Rewrite, step: &Value) {
    let differences = step["differences"].as_array().map_or(&[][..], Vec::as_slice);
    let name = rewrite.name.clone();
    let told = || format!("{name}: {:#}", Value::from(differences));
    match (rewrite.wrong, differences.is_empty()) {
        (false, true) => tally.quiet += 1,
        (false, false) => tally.alarms.push(told()),
        (true, false) if rewrite.unreached => tally.missed.push(format!("{name} was to be out of reach, and is not")),
        (true, false) => tally.caught += 1,
        // What was allowed to differ and did is counted in the report, so nobody is left in the dark.
        (true, true) if rewrite.unreached && step["declared"].as_u64() > Some(0) => tally.unreached.push(name),
        (true, true) => tally.missed.push(name),
    }
}

fn strings<'a>(table: &'a Table, key: &str) -> Vec<&'a str> {
    let list = table.get(key).and_then(toml::Value::as_array).into_iter().flatten();
    list.map(|value| value.as_str().expect("a string")).collect()
}

fn read(table: &Table, original: &str) -> Vec<Rewrite> {
    let mut found = Vec::new();
    for kind in ["wrong", "harmless"] {
        for entry in table.get(kind).and_then(toml::Value::as_array).into_iter().flatten() {
            let entry = entry.as_table().expect("a table");
            let name = entry["name"].as_str().expect("a name").to_owned();
            let mut text = replaced(original, entry, &name);
            for also in entry.get("also").and_then(toml::Value::as_array).into_iter().flatten() {
                text = replaced(&text, also.as_table().expect("a table"), &name);
            }
            found.push(Rewrite {
                text,
                may_change: strings(entry, "may-change").into_iter().map(str::to_owned).collect(),
                wrong: kind == "wrong",
                unreached: entry.get("unreached").and_then(toml::Value::as_bool).unwrap_or(false),
                name,
            });
        }
    }
    found
}

fn replaced(text: &str, change: &Table, name: &str) -> String {
    let find = change["find"].as_str().expect("what is replaced");
    assert_eq!(text.matches(find).count(), 1, "{name}: {find:?} stands there once");
    text.replacen(find, change["replace"].as_str().expect("a replacement"), 1)
}

/// A copy of the context: of a program under `apps` with those that are its services, or of a folder of this test's own.
fn context(world: &World, name: &str) -> std::path::PathBuf {
    if let Some(app) = name.strip_prefix("apps/") {
        let context = world.app(app);
        let config = table(&context.join("plimsoll.toml"));
        let services = config.get("service").and_then(toml::Value::as_array).into_iter().flatten();
        let contexts = services.filter_map(|service| service.get("context")?.as_str()?.strip_prefix("../"));
        for beside in contexts.collect::<BTreeSet<_>>() {
            world.app(beside);
        }
        return context;
    }
    let to = world.path().join(name.replace('/', "-"));
    let copied = plimsoll_tests::Outcome::of(std::process::Command::new("cp").arg("-a").arg(fixture(name)).arg(&to));
    copied.expect(0);
    to
}
