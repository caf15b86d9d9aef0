//! Words: what BuildKit's shell lexer makes of them.

use crate::same;
use plimsoll_parser::heredoc::{self, Operator};
use plimsoll_parser::word::{self, WordError};
use serde_json::{Value, json};

pub(crate) fn check(case: &Value) -> Result<(), String> {
    let input = case["input"].as_str().unwrap_or_default();
    match case["mode"].as_str() {
        Some("heredoc-word") => {
            return outcome(case, heredoc::operator(input).map(|found| found.as_ref().map(shown).unwrap_or_default()));
        }
        Some("heredoc-line") => {
            let found = heredoc::operators(input);
            return outcome(case, found.map(|found| found.iter().map(|(operator, _)| shown(operator)).collect()));
        }
        _ => {}
    }
    let escape = case["escape"].as_str().and_then(|escape| escape.chars().next()).unwrap_or('\\');
    let pairs = case["env"].as_object().into_iter().flatten();
    let env: Vec<(String, String)> =
        pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
    let exact = |name: &str| env.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let folding = word::folding(&env);
    let env: word::Env<'_> = if case["platform"] == "windows" { &folding } else { &exact };
    let expanded = word::expand(input, escape, env).and_then(|expanded| {
        let words = word::expand_words(input, escape, env)?;
        Ok(json!({"word": expanded.word, "words": words, "matched": expanded.matched, "unmatched": expanded.unmatched}))
    });
    outcome(case, expanded)
}

fn outcome(case: &Value, found: Result<Value, WordError>) -> Result<(), String> {
    match (case["error"].as_str(), found) {
        (None, Ok(found)) => same("expect", &case["expect"], &found),
        (Some(expected), Err(error)) if error.message == expected => Ok(()),
        (None, Err(error)) => Err(format!("refused: {error}")),
        (Some(expected), found) => Err(format!("expected the error {expected:?}, got {found:?}")),
    }
}

fn shown(operator: &Operator) -> Value {
    json!({"name": operator.name, "fd": operator.fd, "expand": operator.expand, "chomp": operator.chomp})
}
