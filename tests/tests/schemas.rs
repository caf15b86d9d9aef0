//! Reports are what the readers of their formats expect: SARIF and JUnit by their schemas, GitLab's by the fields it asks
//! for, each of many files and of none.

use std::collections::BTreeSet;
use std::process::Command;

use plimsoll_tests::{Outcome, World, fixture, skip};
use serde_json::{Map, Value};

/// What is wrong with a value by a JSON schema (draft 7); a keyword that is not known here is wrong too.
struct Schema(Value);

impl Schema {
    fn read(name: &str) -> Self {
        let text = std::fs::read_to_string(fixture(name)).expect("a fixture");
        Self(serde_json::from_str(&text).expect("JSON"))
    }

    fn problems(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.check(&self.0, value, "", &mut found);
        found
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let mut found = Vec::new();
        self.check(schema, value, "", &mut found);
        found.is_empty()
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let Some(schema) = schema.as_object() else { return };
        for (keyword, said) in schema {
            if let Some(why) = self.keyword(schema, keyword, said, value, at, found) {
                found.push(format!("{at}: {why}"));
            }
        }
    }

    fn keyword(
        &self,
        schema: &Map<String, Value>,
        keyword: &str,
        said: &Value,
        value: &Value,
        at: &str,
        found: &mut Vec<String>,
    ) -> Option<String> {
        let list = said.as_array().map(Vec::as_slice).unwrap_or_default();
        let number = |limit: &dyn Fn(f64, f64) -> bool| {
            value.as_f64().zip(said.as_f64()).is_some_and(|(value, said)| limit(value, said))
        };
        let wrong = match keyword {
            "$schema" | "$id" | "title" | "description" | "default" | "definitions" => false,
            "$ref" => {
                let pointer = said.as_str().and_then(|said| said.strip_prefix('#')).expect("a reference within");
                self.check(self.0.pointer(pointer).expect("a definition"), value, at, found);
                false
            }
            "type" => match said.as_str().expect("one type") {
                "object" => !value.is_object(),
                "array" => !value.is_array(),
                "string" => !value.is_string(),
                "boolean" => !value.is_boolean(),
                "number" => !value.is_number(),
                "integer" => !(value.is_i64() || value.is_u64()),
                other => panic!("no such type: {other}"),
            },
            "enum" => !list.contains(value),
            "minimum" => number(&|value, least| value < least),
            "maximum" => number(&|value, most| value > most),
            "minItems" => value.as_array().is_some_and(|items| (items.len() as u64) < said.as_u64().unwrap_or(0)),
            "uniqueItems" => value.as_array().is_some_and(|items| {
                let texts: BTreeSet<String> = items.iter().map(Value::to_string).collect();
                said == &Value::Bool(true) && texts.len() < items.len()
            }),
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(said, item, &format!("{at}/{number}"), found);
                }
                false
            }
            "properties" => {
                for (name, schema) in said.as_object().expect("properties") {
                    if let Some(inner) = value.get(name) {
                        self.check(schema, inner, &format!("{at}/{name}"), found);
                    }
                }
                false
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                let others = value.as_object().into_iter().flatten();
                let others = others.filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
                for (name, inner) in others {
                    match said {
                        Value::Bool(true) => {}
                        Value::Bool(false) => return Some(format!("{name} is not known")),
                        schema => self.check(schema, inner, &format!("{at}/{name}"), found),
                    }
                }
                false
            }
            "required" => {
                let lacking = list.iter().find(|name| value.get(name.as_str().unwrap_or_default()).is_none());
                return lacking.filter(|_| value.is_object()).map(|name| format!("{name} is missing"));
            }
            "anyOf" => !list.iter().any(|schema| self.fits(schema, value)),
            "oneOf" => list.iter().filter(|schema| self.fits(schema, value)).count() != 1,
            "format" => value.as_str().is_some_and(|text| match said.as_str() {
                Some("uri") => !text.contains(':') || text.contains(char::is_whitespace),
                Some("uri-reference") => text.contains(char::is_whitespace) || text.contains(['\\', '<', '>', '"']),
                Some("date-time") => !(text.contains('T') && text.len() >= 20),
                other => panic!("no such format: {other:?}"),
            }),
            // Of these the schema has identifiers, digests and languages; a report of ours writes none of them.
            "pattern" => value.is_string(),
            other => panic!("a keyword that is not known here: {other}"),
        };
        wrong.then(|| format!("{value} does not fit {keyword} {said}"))
    }
}

/// Files with findings of every severity, a name that needs escaping, one without findings and one that does not parse.
fn project() -> World {
    let world = World::new();
    world.write(
        "Dockerfile",
        "FROM debian\nRUN apt-get update\nRUN apt-get install -y curl \"<&>\" && cd /tmp\nCOPY . /app\nRUN chown -R 1 /app\nCMD run it\n",
    );
    world.write("a folder/with \"quotes\" & <marks>/Dockerfile", "FROM debian:latest\nRUN sudo ls\nMAINTAINER me\n");
    world.write("clean/Dockerfile", "FROM scratch\nCOPY app /\nUSER 65532\nENTRYPOINT [\"/app\"]\n");
    world.write("broken/Dockerfile", "FROM debian:12\nRUNN x\nCOPY <<E /x\nno end\n");
    world
}

fn report(world: &World, format: &str, paths: &[&str], code: i32) -> Outcome {
    world.run(&[&["lint", "--format", format], paths].concat()).expect(code)
}

#[test]
fn sarif_is_what_its_schema_asks_for() {
    let schema = Schema::read("schemas/sarif-2.1.0.json");
    let world = project();
    let many = report(&world, "sarif", &["."], 1).json();
    assert_eq!(schema.problems(&many), [] as [String; 0]);
    assert_eq!(many["version"], "2.1.0");
    let results = many["runs"][0]["results"].as_array().expect("results");
    assert!(results.len() > 10, "{many:#}");
    let levels: BTreeSet<&str> = results.iter().filter_map(|result| result["level"].as_str()).collect();
    assert!(levels.is_superset(&BTreeSet::from(["error", "warning", "note"])), "{levels:?}");
    // Each result names a rule that the driver describes.
    let rules = many["runs"][0]["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small")];
        assert_eq!(rule["id"], result["ruleId"]);
    }
    assert_eq!(schema.problems(&report(&world, "sarif", &["clean"], 0).json()), [] as [String; 0]);
    // The schema does find what is wrong.
    let mut wrong = many;
    wrong["runs"][0]["results"][0]["level"] = "loud".into();
    wrong["runs"][0]["tool"]["driver"].as_object_mut().expect("a driver").remove("name");
    wrong["runs"][0]["surplus"] = 1.into();
    assert_eq!(schema.problems(&wrong).len(), 3, "{:?}", schema.problems(&wrong));
}

#[test]
fn junit_is_what_jenkins_reads() {
    if Command::new("xmllint").arg("--version").output().is_err() {
        skip!("xmllint is not installed");
    }
    let world = project();
    let schema = fixture("schemas/junit-10.xsd");
    for (paths, code) in [(["."], 1), (["clean"], 0), (["broken"], 1)] {
        world.write("report.xml", report(&world, "junit", &paths, code).stdout);
        let mut check = Command::new("xmllint");
        check.args(["--noout", "--nonet", "--schema"]).arg(&schema).arg(world.path().join("report.xml"));
        Outcome::of(&mut check).expect(0);
    }
}

#[test]
fn gitlabs_report_has_the_fields_it_asks_for() {
    let world = project();
    let issues = report(&world, "gitlab", &["."], 1).json();
    let mut prints = BTreeSet::new();
    for issue in issues.as_array().expect("an array") {
        for field in ["description", "check_name", "fingerprint"] {
            assert!(issue[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {issue:#}");
        }
        let severities = ["info", "minor", "major", "critical", "blocker"];
        assert!(issue["severity"].as_str().is_some_and(|severity| severities.contains(&severity)), "{issue:#}");
        let path = issue["location"]["path"].as_str().expect("a path");
        assert!(world.path().join(path).is_file() && !path.starts_with(['.', '/']), "{issue:#}");
        let text = std::fs::read_to_string(world.path().join(path)).expect("a file");
        let line = issue["location"]["lines"]["begin"].as_u64().expect("a line");
        assert!((1..=text.lines().count() as u64).contains(&line), "{issue:#}");
        assert!(prints.insert(issue["fingerprint"].to_string()), "told twice: {issue:#}");
    }
    assert!(prints.len() > 10, "{issues:#}");
    // Fingerprints outlive a move of lines.
    let before = prints;
    for file in ["Dockerfile", "broken/Dockerfile"] {
        let text = std::fs::read_to_string(world.path().join(file)).expect("a file");
        world.write(file, format!("# a new first line\n\n{text}"));
    }
    let after = report(&world, "gitlab", &["."], 1).json();
    let after: BTreeSet<String> =
        after.as_array().into_iter().flatten().map(|issue| issue["fingerprint"].to_string()).collect();
    assert_eq!(before, after);
    assert_eq!(report(&world, "gitlab", &["clean"], 0).json(), Value::Array(Vec::new()));
}
