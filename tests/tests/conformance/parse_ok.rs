//! What BuildKit's reader accepts, and how it splits it.

use crate::same;
use crate::tree::{Read, is_sound, stage};
use plimsoll_parser::Text;
use plimsoll_parser::syntax::{Command, ErrorStage, Instruction, Kind, SyntaxError};
use serde_json::{Value, json};

pub(crate) fn check(case: &Value) -> Result<(), String> {
    let read = Read::new(case["dockerfile"].as_str().unwrap_or_default());
    is_sound(&read.file)?;
    let expect = &case["expect"];
    same("escape", &expect["escape"], &json!(read.file.escape.to_string()))?;
    same("instructions", &expect["instructions"], &read.instructions())?;
    same("warnings", &expect["warnings"], &read.warnings())?;
    errors(case, &read)?;
    for part in ["copy", "run", "device"] {
        if !case[part].is_null() {
            let found = read.file.instructions.iter().find_map(|instruction| stated(part, instruction));
            same(part, &case[part], &found.unwrap_or_default())?;
        }
    }
    Ok(())
}

/// The cases are fragments, many without a FROM; else nothing is wrong but what the case says.
fn errors(case: &Value, read: &Read<'_>) -> Result<(), String> {
    let counts = |error: &&SyntaxError| error.stage < ErrorStage::Build && error.code != "no-build-stage";
    let first = read.file.errors.iter().find(counts);
    let Some(expected) = case.get("instruction_error") else {
        return first.map_or(Ok(()), |error| Err(format!("{}: {}", error.code, error.message)));
    };
    let first = first.ok_or("accepted")?;
    same("stage", &json!("instruction"), &json!(stage(first)))?;
    same("message", &expected["message"], &json!(first.message))?;
    same("line", &expected["line"], &json!(read.line(first.range.start)))
}

/// What some cases state beyond the split.
fn stated(part: &str, instruction: &Instruction<'_>) -> Option<Value> {
    let content = |chomp: bool, body: &str| -> String {
        if !chomp {
            return body.to_owned();
        }
        body.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    };
    match (part, &instruction.kind) {
        ("copy", Kind::Copy(copy)) => {
            let contents = instruction.heredocs.iter().map(|heredoc| {
                json!({"path": heredoc.name.as_str(), "data": content(heredoc.chomp, heredoc.body.as_str()),
                       "expand": heredoc.expand})
            });
            let sources: Vec<&str> = copy.sources.iter().map(Text::as_str).collect();
            Some(
                json!({"dest": copy.destination.as_str(), "sources": sources, "contents": contents.collect::<Value>()}),
            )
        }
        ("run", Kind::Run(run)) => {
            let (shell, command) = match &run.command {
                Command::Shell(text) => (true, json!([&*text.text])),
                Command::Exec { words, .. } => (false, words.iter().map(Text::as_str).collect()),
            };
            let files = instruction.heredocs.iter().map(
                |heredoc| json!({"name": heredoc.name.as_str(), "data": heredoc.body.as_str(), "chomp": heredoc.chomp}),
            );
            Some(json!({"shell": shell, "command": command, "files": files.collect::<Value>()}))
        }
        ("device", Kind::Run(run)) => {
            let device = plimsoll_parser::syntax::Device::of(run.devices().first()?)?;
            Some(json!({"name": device.name, "required": device.required}))
        }
        _ => None,
    }
}
