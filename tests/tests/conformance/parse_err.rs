//! What BuildKit refuses, at which stage and with which words.

use crate::tree::{Read, is_sound, stage};
use serde_json::Value;

pub(crate) fn check(case: &Value) -> Result<(), String> {
    let read = Read::new(case["dockerfile"].as_str().unwrap_or_default());
    is_sound(&read.file)?;
    let (line, error) = read.refusal().ok_or("accepted")?;
    let found = format!("{} error on line {line}: {}", stage(error), error.message);
    let reason = case["reason"].as_str().unwrap_or_default();
    if case["stage"].as_str() != Some(stage(error)) || !error.message.contains(reason) {
        return Err(format!("expected a {} error {reason:?}, got a {found}", case["stage"]));
    }
    // BuildKit counts the lines before a directive, not the directive's own.
    let line = if error.code.starts_with("directive-") { line - 1 } else { line };
    match case["line"].as_u64() {
        Some(expected) if expected != u64::from(line) => Err(format!("expected on line {expected}, got a {found}")),
        _ => Ok(()),
    }
}
