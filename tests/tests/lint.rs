//! `plimsoll lint` as projects use it: many files, what is known already, hadolint's configuration, the installed ShellCheck,
//! comments that switch findings off.

use plimsoll_tests::{World, skip, tool};
use serde_json::Value;
use std::path::Path;

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// `line rule` of each finding of `lint --format json ARGS`.
fn findings(world: &World, args: &[&str], code: i32) -> Vec<String> {
    let mut all = vec!["lint", "--format", "json"];
    all.extend(args);
    let report = world.run(&all).expect(code).json();
    let list = report["findings"].as_array().expect("findings");
    list.iter().map(|f| format!("{} {}", f["start"]["line"], f["rule"].as_str().expect("a rule"))).collect()
}

#[test]
fn many_files_are_told_in_the_order_of_their_names_each_time() {
    let world = World::new();
    for at in 0..60 {
        world.write(&format!("p/{at:02}/Dockerfile"), format!("FROM scratch\n{}MAINTAINER me\n", "\n".repeat(at)));
    }
    let told = || world.run(&["lint", "--format", "concise", "p"]).expect(1).stdout;
    let first = told();
    let names: Vec<&str> = first.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(names.len(), 60, "{first}");
    assert!(names.is_sorted(), "{first}");
    for _ in 0..3 {
        assert_eq!(told(), first);
    }
}

#[test]
fn the_context_is_looked_at_and_a_huge_one_only_in_part() {
    let world = World::new();
    world.write("p/Dockerfile", "FROM debian:12\nCOPY . /app\n");
    world.write("p/.git/objects/pack", "x".repeat(100));
    let file = "p/Dockerfile";
    let select = ["--select", "dockerignore-missing", file];
    assert_eq!(findings(&world, &select, 1), ["2 dockerignore-missing"]);
    // The file's own ignore file wins, as in a build.
    world.write("p/Dockerfile.dockerignore", ".git\n");
    assert!(findings(&world, &select, 0).is_empty());
    std::fs::remove_file(world.path().join("p/Dockerfile.dockerignore")).expect("own file");
    assert!(findings(&world, &["--no-context", select[0], select[1], file], 0).is_empty());
    let deep = world.path().join("p/many");
    std::fs::create_dir(&deep).expect("own folder");
    for at in 0..51_000 {
        std::fs::hard_link(world.path().join("p/.git/objects/pack"), deep.join(at.to_string())).expect("own folder");
    }
    assert_eq!(findings(&world, &select, 1), ["2 dockerignore-missing"]);
}

#[test]
fn a_baseline_hides_what_is_known_wherever_it_moves() {
    let world = World::new();
    let file = world.write("p/Dockerfile", "FROM debian:12\nRUN cd /a && true\nRUN cd /b && true\nMAINTAINER me\n");
    let lint = ["lint", "--no-context", "--format", "concise", "p", "--baseline", "p/known.json"];
    world.run(&lint).expect(2).says("--update-baseline");
    let update: Vec<&str> = lint.iter().copied().chain(["--update-baseline"]).collect();
    world.run(&update).expect(0);
    let known = std::fs::read_to_string(world.path().join("p/known.json")).expect("written");
    world.run(&update).expect(0);
    assert_eq!(std::fs::read_to_string(world.path().join("p/known.json")).expect("written"), known, "stable");
    world.run(&lint).expect(0);

    // Lines move, an instruction is repeated: only the second one is new.
    world.write("p/Dockerfile", "FROM debian:12\n\n# moved\nRUN cd /b && true\nRUN cd /a && true\nMAINTAINER me\n");
    assert_eq!(world.run(&lint).expect(0).stdout, "");
    world.write("p/Dockerfile", "FROM debian:12\nRUN cd /a && true\nRUN cd /a && true\nMAINTAINER me\n");
    let new = world.run(&lint).expect(1);
    assert!(new.stdout.lines().count() > 0 && new.stdout.lines().all(|line| line.contains("Dockerfile:3:")), "{new}");
    assert!(new.stderr.contains("are gone"), "{new}");
    // The same file from another folder.
    let from_within = world
        .command()
        .current_dir(world.path().join("p"))
        .args(["lint", "--no-context"])
        .args(["--format", "concise", "Dockerfile", "--baseline", "known.json"])
        .output()
        .expect("started");
    assert_eq!(String::from_utf8_lossy(&from_within.stdout).lines().count(), new.stdout.lines().count());

    // What is known of files that are not looked at stays.
    world.write("p/other.Dockerfile", "FROM scratch\nMAINTAINER me\n");
    world.run(&["lint", "p/other.Dockerfile", "--baseline", "p/known.json", "--update-baseline"]).expect(0);
    let both: Value =
        serde_json::from_slice(&std::fs::read(world.path().join("p/known.json")).expect("written")).expect("JSON");
    let files: Vec<&str> =
        both["findings"].as_array().expect("a list").iter().filter_map(|f| f["file"].as_str()).collect();
    assert!(files.contains(&"Dockerfile") && files.contains(&"other.Dockerfile") && files.is_sorted(), "{both:#}");
    world.write("p/known.json", "{}");
    world.run(&["lint", &text(&file), "--baseline", "p/known.json"]).expect(2).says("known.json");
}

#[test]
fn hadolints_configuration_holds_where_no_other_is() {
    let world = World::new();
    let file = text(&world.write("p/sub/Dockerfile", "FROM debian:12\nMAINTAINER me\nRUN cd /a && true\n"));
    let select = ["--no-context", "--select", "DL4000,DL3003", &file];
    assert_eq!(findings(&world, &select, 1).len(), 2);
    world.write("p/.hadolint.yaml", "ignored:\n  - DL3003\noverride:\n  info: [DL4000]\nfailure-threshold: warning\n");
    assert_eq!(findings(&world, &select, 0), ["2 maintainer-instruction"]);
    let shown = world.run(&["config", "show", "--format", "json", &file]).expect(0).json();
    let setting = |key: &str| {
        let list = shown["settings"].as_array().expect("settings");
        list.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("{key} in {shown:#}")).clone()
    };
    assert_eq!(setting("lint.fail-on")["value"], "warning");
    assert!(setting("lint.ignore")["from"].as_str().is_some_and(|from| from.ends_with("p/.hadolint.yaml")));
    assert_eq!(setting("lint.rules.DL4000.severity")["value"], "info");
    assert_eq!(setting("optimize.level")["from"], "default");

    // Converted, it says the same; once it is there, hadolint's is not read.
    let converted = world.run(&["config", "convert", "p/.hadolint.yaml"]).expect(0).stdout;
    world.write("p/plimsoll.toml", &converted);
    world.write("p/.hadolint.yaml", "ignored: {");
    assert_eq!(findings(&world, &select, 0), ["2 maintainer-instruction"]);
    world.run(&["config", "convert", "p/.hadolint.yaml"]).expect(2).says(".hadolint.yaml");

    let own = "[lint]\nfail-on = \"error\"\n\n[[lint.overrides]]\npaths = [\"sub/**\"]\nignore = [\"DL4000\"]\n";
    world.write("p/plimsoll.toml", own);
    assert_eq!(findings(&world, &select, 0), ["3 cd-in-run"]);
    let shown = world.run(&["config", "show", &file]).expect(0).stdout;
    let line =
        |key: &str| shown.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("{key} in {shown}"));
    assert!(line("lint.fail-on = \"error\"").ends_with("p/plimsoll.toml:2"), "{shown}");
    assert!(line("lint.ignore = [\"DL4000\"]").contains("lint.overrides[0]:4"), "{shown}");
}

#[test]
fn the_schema_knows_every_key_and_refuses_others() {
    let world = World::new();
    let schema = world.run(&["config", "schema"]).expect(0).json();
    let lint = &schema["properties"]["lint"];
    assert_eq!(lint["additionalProperties"], false);
    for key in ["select", "ignore", "fail-on", "rules", "overrides", "shellcheck", "require-reason", "label-schema"] {
        assert!(lint["properties"][key].is_object(), "{key} in {lint:#}");
    }
    assert_eq!(schema["properties"]["optimize"]["properties"]["target-size"]["type"][0], "string");
}

#[test]
fn shellcheck_speaks_of_the_authors_lines_and_columns() {
    if !tool("shellcheck") {
        skip!("shellcheck is not installed");
    }
    let world = World::new();
    let file = "FROM debian:12\nARG given\nRUN echo é && \\\n    # a comment\n    [ a = b ] && \\\n    echo $given `true`\nSHELL [\"/bin/bash\", \"-c\"]\nRUN <<EOF\nset -u\n[[ a = b ]]\nEOF\nRUN [\"sh\", \"-c\", \"[ a = b ]\"]\n";
    let path = text(&world.write("Dockerfile", file));
    let told = |args: &[&str], code: i32| {
        let mut all = vec!["lint", "--no-context", "--format", "concise", "--shellcheck", &path];
        all.extend(args);
        world.run(&all).expect(code).stdout
    };
    let constant = told(&["--select", "SC2050"], 1);
    let places: Vec<&str> = constant.lines().filter_map(|line| line.strip_prefix(&format!("{path}:"))).collect();
    assert_eq!(places.len(), 2, "{constant}");
    assert!(places[0].starts_with("5:9: ") && places[1].starts_with("10:6: "), "{constant}");
    assert!(!told(&[], 1).contains("SC2154"), "a variable of ARG is set");
    assert!(!told(&["--ignore", "SC2050"], 1).contains("SC2050"));
    world.write("Dockerfile", "FROM a:1\n# hadolint ignore=SC2050\nRUN [ a = b ]\n");
    assert!(!told(&["--select", "SC2050"], 0).contains("SC2050"));
    world.write("plimsoll.toml", "[lint]\nshellcheck = true\nrules.SC2050.severity = \"error\"\n");
    world.write("Dockerfile", "FROM a:1\nRUN [ a = b ]\n");
    assert!(world.run(&["lint", "--format", "concise", &path]).expect(1).stdout.contains("2:9: error"));

    // Ours and its twin are told once.
    world.write("Dockerfile", "FROM a:1\nRUN echo $HOME\n");
    let twins = told(&["--select", "SC2086"], 1);
    assert!(twins.lines().count() == 1 && twins.contains("unquoted-variable (SC2086)"), "{twins}");

    let mut without = world.command();
    let missing = without.env("PATH", world.path()).args(["lint", "--shellcheck", &path]).output().expect("started");
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("install ShellCheck"));
}

#[test]
fn comments_that_switch_nothing_off_or_give_no_reason_are_told_on_request() {
    let world = World::new();
    let file = text(&world.write(
        "Dockerfile",
        "# hadolint global ignore=DL3003,DL3008\nFROM debian:12\n# plimsoll ignore=maintainer-instruction\nMAINTAINER me\n# plimsoll ignore=cd-in-run,no-such-thing it is clearer so\nRUN cd /a && true\n# hadolint ignore=SC2050\nRUN [ a = b ]\n",
    ));
    let quiet = findings(&world, &["--no-context", "--fail-on", "none", &file], 0);
    assert!(!quiet.iter().any(|f| f.contains("ignore")), "{quiet:?}");
    let args = ["--no-context", "--fail-on", "none", "--report-unused-ignores", &file];
    let report =
        world.run(&["lint", "--format", "concise", args[0], args[1], args[2], args[3], args[4]]).expect(0).stdout;
    let unused: Vec<&str> = report.lines().filter(|line| line.contains("[unused-ignore]")).collect();
    assert_eq!(unused.len(), 2, "{report}");
    assert!(unused[0].contains(":1:1: ") && unused[0].contains("DL3008:"), "DL3003 is used:\n{report}");
    assert!(unused[1].contains(":5:1: ") && unused[1].contains(": no-such-thing:"), "{report}");
    world.write("plimsoll.toml", "[lint]\nrequire-reason = true\n");
    let told = findings(&world, &["--no-context", &file], 1);
    assert_eq!(
        told.iter().filter(|f| f.ends_with("ignore-without-reason")).collect::<Vec<_>>(),
        ["3 ignore-without-reason"]
    );
}

/// Findings with fixes, other places, line ends of Windows and letters outside of ASCII.
const ODD: &str = "FROM debian\r\nMAINTAINER \"<mé> & ]]> you\"\r\nRUN cd /tmp \\\r\n  && apt-get install x\r\nLABEL a=1\r\nLABEL b=2\r\n";

/// What the schema of SARIF 2.1.0 says of the objects that are used here: what each must have, and what else it may have.
const SARIF: &[(&str, &[&str], &[&str])] = &[
    ("log", &["version", "runs"], &["$schema"]),
    ("run", &["tool", "results"], &["columnKind"]),
    ("tool", &["driver"], &[]),
    ("driver", &["name"], &["semanticVersion", "informationUri", "rules"]),
    ("rule", &["id"], &["shortDescription", "helpUri", "properties"]),
    ("message", &["text"], &[]),
    ("result", &["message"], &["ruleId", "ruleIndex", "level", "locations", "partialFingerprints", "fixes"]),
    ("location", &["physicalLocation"], &[]),
    ("physical", &["artifactLocation", "region"], &[]),
    ("artifact", &["uri"], &[]),
    ("region", &["startLine"], &["startColumn", "endLine", "endColumn"]),
    ("fix", &["artifactChanges"], &["description"]),
    ("change", &["artifactLocation", "replacements"], &[]),
    ("replacement", &["deletedRegion"], &["insertedContent"]),
];

fn shaped<'v>(kind: &str, value: &'v Value) -> &'v Value {
    let object = value.as_object().unwrap_or_else(|| panic!("no object: {kind}: {value:#}"));
    let (_, must, may) = SARIF.iter().find(|(name, ..)| *name == kind).expect("a kind");
    for key in *must {
        assert!(object.contains_key(*key), "{kind} without {key}: {value:#}");
    }
    for (key, found) in object {
        assert!(must.contains(&key.as_str()) || may.contains(&key.as_str()), "{kind} with {key}");
        assert!(!found.is_null(), "{kind}.{key} is null");
    }
    value
}

fn list<'v>(kind: &'v str, value: &'v Value) -> impl Iterator<Item = &'v Value> {
    value.as_array().unwrap_or_else(|| panic!("no list of {kind}: {value}")).iter().map(move |one| shaped(kind, one))
}

fn region(value: &Value) {
    let number = |key: &str| value[key].as_u64().filter(|n| *n > 0).unwrap_or_else(|| panic!("{key}: {value:#}"));
    let (start, end) = ((number("startLine"), number("startColumn")), (number("endLine"), number("endColumn")));
    assert!(start <= end, "{value:#}");
}

#[test]
fn sarif_holds_to_its_schema() {
    let world = World::new();
    world.write("a dir/Dockerfile", ODD);
    let sarif = world.run(&["lint", "--no-context", "--format", "sarif", "a dir/Dockerfile"]).expect(1).json();
    assert_eq!(shaped("log", &sarif)["version"], "2.1.0");
    let [run] = sarif["runs"].as_array().expect("runs").as_slice() else { panic!("one run") };
    assert_eq!(shaped("run", run)["columnKind"], "unicodeCodePoints");
    let driver = shaped("driver", &shaped("tool", &run["tool"])["driver"]);
    let rules: Vec<&str> = list("rule", &driver["rules"])
        .map(|rule| {
            assert!(!shaped("message", &rule["shortDescription"])["text"].as_str().expect("text").is_empty());
            assert!(rule["helpUri"].as_str().is_some_and(|uri| uri.starts_with("https://")), "{rule:#}");
            let tags = rule["properties"]["tags"].as_array().expect("tags");
            assert!(tags.iter().all(|tag| tags.iter().filter(|other| *other == tag).count() == 1), "{rule:#}");
            rule["id"].as_str().expect("an id")
        })
        .collect();
    let mut fixes = 0;
    for result in list("result", &run["results"]) {
        let index = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(rules.get(index).copied(), result["ruleId"].as_str(), "{result:#}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().expect("a level")), "{result:#}");
        shaped("message", &result["message"]);
        assert!(result["partialFingerprints"].as_object().expect("prints").values().all(Value::is_string));
        for location in list("location", &result["locations"]) {
            let place = shaped("physical", &location["physicalLocation"]);
            assert_eq!(shaped("artifact", &place["artifactLocation"])["uri"], "a%20dir/Dockerfile");
            region(shaped("region", &place["region"]));
        }
        for fix in result.get("fixes").into_iter().flat_map(|fixes| list("fix", fixes)) {
            fixes += 1;
            shaped("message", &fix["description"]);
            for change in list("change", &fix["artifactChanges"]) {
                shaped("artifact", &change["artifactLocation"]);
                for replacement in list("replacement", &change["replacements"]) {
                    region(shaped("region", &replacement["deletedRegion"]));
                    shaped("message", &replacement["insertedContent"]);
                }
            }
        }
    }
    assert!(rules.len() > 3 && fixes > 0, "{sarif:#}");
}

#[test]
fn what_other_programs_read_is_as_they_want_it() {
    let world = World::new();
    world.write("a,b/Dockerfile", ODD);
    world.write("b/Dockerfile", "FROM scratch\nCOPY --chown=1:1 a /a\nUSER 1\nCMD [\"/a\"]\n");
    let report = |format: &str| world.run(&["lint", "--no-context", "--format", format, "a,b", "b"]).expect(1);
    let count = report("json").json()["findings"].as_array().expect("findings").len();
    // GitLab: these keys are required, the fingerprint is one of a kind.
    let issues = report("gitlab").json();
    let mut prints = std::collections::BTreeSet::new();
    for issue in issues.as_array().expect("a list") {
        for key in ["description", "check_name"] {
            assert!(issue[key].as_str().is_some_and(|text| !text.is_empty()), "{issue:#}");
        }
        let known = ["info", "minor", "major", "critical", "blocker"];
        assert!(known.contains(&issue["severity"].as_str().expect("a severity")), "{issue:#}");
        assert!(issue["location"]["path"].as_str().is_some_and(|path| !path.starts_with('/')), "{issue:#}");
        assert!(issue["location"]["lines"]["begin"].as_u64().is_some_and(|line| line > 0), "{issue:#}");
        assert!(prints.insert(issue["fingerprint"].as_str().expect("a fingerprint").to_owned()), "{issue:#}");
    }
    assert_eq!(prints.len(), count);
    // GitHub: a comma or colon in a property would end it, a line end the command.
    for line in report("github").stdout.lines() {
        let (head, message) = line.strip_prefix("::").and_then(|rest| rest.split_once("::")).expect(line);
        let (level, properties) = head.split_once(' ').expect(line);
        assert!(["error", "warning", "notice"].contains(&level) && !message.is_empty(), "{line}");
        for property in properties.split(',') {
            let (name, value) = property.split_once('=').expect(line);
            assert!(["file", "line", "endLine", "col", "title"].contains(&name) && !value.is_empty(), "{line}");
        }
    }
    assert!(report("github").stdout.contains("file=a%2Cb/Dockerfile,"));
    for (format, element) in [("junit", "<failure "), ("checkstyle", "<error ")] {
        let xml = report(format).stdout;
        balanced(&xml);
        assert_eq!(xml.matches(element).count(), count, "{xml}");
    }
    let junit = report("junit").stdout;
    let sum: usize = attributes(&junit, "<testsuite ", "tests").sum();
    assert_eq!(attributes(&junit, "<testsuites ", "tests").next(), Some(sum), "{junit}");
    assert_eq!(junit.matches("<testcase ").count(), sum, "{junit}");
}

/// The numbers of an attribute, element by element.
fn attributes<'x>(xml: &'x str, element: &'x str, name: &'x str) -> impl Iterator<Item = usize> + 'x {
    let value = move |rest: &'x str| rest.split_once(&format!("{name}=\""))?.1.split('"').next()?.parse().ok();
    xml.split(element).skip(1).map(move |rest| value(rest).expect("a number"))
}

/// Every element is closed in its turn, and no markup stands in text or values.
fn balanced(xml: &str) {
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("a declaration");
    let mut open: Vec<&str> = Vec::new();
    for tag in body.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('>') && tag.matches('"').count() % 2 == 0, "{tag}>{text}");
        let name = tag.split([' ', '/']).find(|name| !name.is_empty()).expect("a name");
        match (tag.strip_prefix('/'), tag.strip_suffix('/')) {
            (Some(closed), _) => assert_eq!(open.pop(), Some(closed), "{xml}"),
            (None, Some(_)) => {}
            (None, None) => open.push(name),
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
}
