//! The project's own cases: `fixtures/syntax/<case>/Dockerfile` and, beside it, what is expected of it.
//!
//! `PLIMSOLL_BLESS=1` writes `expected.json` anew; review the difference like code.

use crate::tree::{Read, is_sound, stage};
use serde_json::{Value, json};

/// Everything that is expected of a file, one value a line where that helps to review it.
fn expectation(text: &str) -> Value {
    let read = Read::new(text);
    is_sound(&read.file).expect("a sound tree");
    let problem = |error: &plimsoll_parser::syntax::SyntaxError| {
        let (line, column) = read.lines.line_col(error.range.start);
        json!({"code": error.code, "stage": stage(error), "line": line, "column": column,
               "text": error.range.of(text), "message": error.message, "help": error.help})
    };
    let directive = |directive: &plimsoll_parser::syntax::Directive<'_>| json!({"name": directive.name.as_str(), "value": directive.value.as_str()});
    json!({
        "directives": read.file.directives.iter().map(directive).collect::<Value>(),
        "escape": read.file.escape.to_string(),
        "instructions": read.instructions(),
        "kinds": read.file.instructions.iter().map(|i| format!("{:?}", Named(&i.kind))).collect::<Value>(),
        "comments": read.file.comments.iter().map(|comment| comment.of(text)).collect::<Value>(),
        "errors": read.file.errors.iter().map(problem).collect::<Value>(),
        "warnings": read.file.warnings.iter().map(problem).collect::<Value>(),
        "refused_with": read.refusal().map(|(_, error)| error.code),
    })
}

/// The name of a kind without what it holds.
struct Named<'k, 's>(&'k plimsoll_parser::syntax::Kind<'s>);

impl std::fmt::Debug for Named<'_, '_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = format!("{:?}", self.0);
        f.write_str(shown.split(['(', ' ', '{']).next().unwrap_or_default())
    }
}

#[test]
fn syntax_fixtures() {
    let folder = plimsoll_tests::fixture("syntax");
    let bless = std::env::var_os("PLIMSOLL_BLESS").is_some();
    let mut cases: Vec<_> = std::fs::read_dir(&folder).expect("fixtures/syntax").flatten().map(|e| e.path()).collect();
    cases.sort();
    let mut failures = Vec::new();
    for case in &cases {
        let source = plimsoll_parser::Source::new(std::fs::read(case.join("Dockerfile")).expect("a Dockerfile"));
        let found = expectation(source.text());
        let path = case.join("expected.json");
        if bless {
            let pretty = serde_json::to_string_pretty(&found).expect("JSON");
            std::fs::write(&path, pretty + "\n").expect("expected.json is written");
            continue;
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        let expected: Value = serde_json::from_str(&expected).unwrap_or_default();
        let name = case.file_name().unwrap_or_default().to_string_lossy();
        if let Err(why) = crate::same(&name, &expected, &found) {
            failures.push(why);
        }
    }
    crate::say(&format!("conformance: fixtures/syntax {}/{}", cases.len() - failures.len(), cases.len()));
    assert!(cases.len() >= 25, "only {} cases", cases.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
