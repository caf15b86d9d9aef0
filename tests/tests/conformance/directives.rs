//! Parser directives, and how BuildKit finds the frontend a file asks for.

use crate::same;
use plimsoll_parser::directive::{detect_syntax, directive};
use serde_json::{Value, json};

pub(crate) fn check(case: &Value) -> Result<(), String> {
    let input = case["input"].as_str().unwrap_or_default();
    let expect = &case["expect"];
    if !expect["count"].is_null() {
        let file = plimsoll_parser::parse(input);
        same("count", &expect["count"], &json!(file.directives.len()))?;
        let first = file.directives.first().ok_or("no directive")?;
        same("name", &expect["name"], &json!(first.name.as_str()))?;
        return same("value", &expect["value"], &json!(first.value.as_str()));
    }
    let query = case["query"].as_str().unwrap_or_default();
    let found = match (query, case["any_format"].as_bool()) {
        ("syntax", Some(true)) => detect_syntax(input),
        _ => directive(query, input),
    };
    same("found", &expect["found"], &json!(found.is_some()))?;
    let Some(found) = found else { return Ok(()) };
    for (key, value) in
        [("value", json!(found.value)), ("cmdline", json!(found.command_line)), ("line", json!(found.line))]
    {
        if !expect[key].is_null() {
            same(key, &expect[key], &value)?;
        }
    }
    Ok(())
}
